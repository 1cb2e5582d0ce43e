use serde_json::{Value, json};

use super::Settings;

fn of(value: Value) -> Result<Settings, String> {
    let config = json!({
        "contract": {"other": "http"}, "runtime": "http", "handler": "", "description": "", "role": "", "env": {},
        "memory_mib": 128, "timeout_ms": 3000, "ephemeral": {"mib": 512}, "layers": [], "architecture": "x86_64",
        "logging": {"format": "Text", "app_level": null, "system_level": null, "group": null}, "extra": {"http": value}
    });
    Settings::of(&serde_json::from_value(config).unwrap()).map_err(|e| e.public)
}

#[test]
fn settings_are_checked() {
    let all = json!({"port": 9000, "socket": "/tmp/a.sock", "health": "/ok", "concurrency": 3});
    let settings = of(all).unwrap();
    assert_eq!((settings.concurrency, settings.health.as_deref()), (3, Some("/ok")));
    assert_eq!(settings.environment().len(), 2);
    assert_eq!(of(json!({})).unwrap(), Settings::default());
    for bad in [
        json!({"port": 0}),
        json!({"port": 65_536}),
        json!({"concurrency": 0}),
        json!({"concurrency": 1001}),
        json!({"socket": "/var/run/x"}),
        json!({"socket": "/tmp/../x"}),
        json!({"health": "no"}),
        json!({"health": "/a b"}),
        json!({"unknown": 1}),
    ] {
        assert!(of(bad.clone()).is_err(), "{bad}");
    }
}
