use anyfn_types::InstanceId;

use super::*;
use crate::options::Mode;

fn spec() -> Create {
    Create {
        id: InstanceId(1),
        hostname: "fn".into(),
        binds: vec![("/data/code/a".into(), "/var/task".into())],
        memory_bytes: 128 << 20,
        cpu_millis: 1000,
        pids: 64,
        open_files: 1024,
        tmp_bytes: 512 << 20,
        tmp_inodes: 65_536,
        internet: false,
        listen: Some(9001),
        blank: false,
    }
}

fn refused(change: impl FnOnce(&mut Create)) -> bool {
    let mut spec = spec();
    change(&mut spec);
    create(&spec, &["/data".into()]).is_err()
}

#[test]
fn a_sound_spec_passes() {
    assert_eq!(create(&spec(), &["/data".into()]), Ok(()));
}

#[test]
fn c1_sources_outside_of_the_roots_are_refused() {
    for source in ["/etc", "/", "/data/../etc", "/database", "data/code", "", "/data/\0x"] {
        assert!(refused(|s| s.binds[0].0 = source.into()), "{source}");
    }
}

#[test]
fn c1_targets_that_hide_the_sandbox_s_own_are_refused() {
    for target in ["/", "/proc", "/proc/self", "/etc/passwd", "/dev/null", "/var/../etc", "opt", "/usr/lib"] {
        assert!(refused(|s| s.binds[0].1 = target.into()), "{target}");
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    assert!(refused(|s| s.memory_bytes = 1));
    assert!(refused(|s| s.cpu_millis = 0));
    assert!(refused(|s| s.pids = 1));
    assert!(refused(|s| s.open_files = 0));
    assert!(refused(|s| s.tmp_bytes = 0));
    assert!(refused(|s| s.tmp_inodes = u64::MAX));
    assert!(refused(|s| s.listen = Some(0)));
    assert!(refused(|s| s.hostname = "a b".into()));
    assert!(refused(|s| s.binds = vec![s.binds[0].clone(); 65]));
}

#[test]
fn a_server_cannot_widen_what_a_helper_was_started_with() {
    let ask = |root: &str| Hello {
        mode: Mode::Auto,
        cgroup_name: "t".into(),
        scratch_dir: "/data/scratch".into(),
        bind_roots: vec![root.into()],
        runtime_prefixes: vec![],
        spare_tmp: 0,
    };
    let allowed = vec![PathBuf::from("/data")];
    assert_eq!(hello(&ask("/data/code"), Some(&allowed)), Ok(()));
    assert!(hello(&ask("/etc"), Some(&allowed)).is_err());
    assert!(hello(&ask("/data/../etc"), Some(&allowed)).is_err());
    assert_eq!(hello(&ask("/etc"), None), Ok(()));
    assert!(hello(&Hello { cgroup_name: "../x".into(), ..ask("/data") }, None).is_err());
}
