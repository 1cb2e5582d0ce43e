//! The platform's lines, word for word.

use std::time::Duration;

use anyfn_base::Clock;
use anyfn_types::{Billing, LogFormat, Logging};
use expect_test::{Expect, expect};

use super::{PlatformLog, Status};

fn log(format: LogFormat, level: Option<&str>) -> PlatformLog {
    let logging = Logging { format, system_level: level.map(str::to_owned), ..Logging::default() };
    PlatformLog::new(&logging, Clock::simulated(1_700_000_000_123), "7".to_owned())
}

/// Everything that can be said, one line each; what is not said is left out.
fn everything(log: &PlatformLog) -> String {
    let billing = Billing {
        duration_us: 1_234,
        billed_ms: 103,
        init_us: Some(101_235),
        memory_mib: 128,
        max_memory_mib: 33,
        cold: true,
    };
    let mut lines = vec![
        log.init_start("python:3.12.v1", "on-demand"),
        log.init_report(Duration::from_millis(10_000), Status::Timeout, None),
        log.init_report(Duration::from_millis(5), Status::Error, Some("Runtime.ExitError")),
        log.start("ID"),
        log.timed_out("ID", "Task timed out after 3.00 seconds"),
        log.exited(Some("ID"), "Runtime exited with error: exit status 1", "Runtime.ExitError"),
    ];
    lines.extend(log.finish("ID", &billing, Status::Success, None));
    lines.extend(log.finish("ID", &Billing { init_us: None, ..billing }, Status::Error, Some("ValueError")));
    lines.extend(log.finish("ID", &Billing { init_us: None, ..billing }, Status::Timeout, None));
    lines.into_iter().flatten().map(|line| line + "\n").collect()
}

#[tokio::test]
async fn text() {
    check(
        LogFormat::Text,
        None,
        &expect![[r"
        INIT_START Runtime Version: python:3.12.v1	Runtime Version ARN: 
        INIT_REPORT Init Duration: 10000.00 ms	Phase: init	Status: timeout
        INIT_REPORT Init Duration: 5.00 ms	Phase: init	Status: error	Error Type: Runtime.ExitError
        START RequestId: ID Version: 7
        2023-11-14T22:13:20.123Z ID Task timed out after 3.00 seconds
        RequestId: ID Error: Runtime exited with error: exit status 1
        Runtime.ExitError
        END RequestId: ID
        REPORT RequestId: ID	Duration: 1.23 ms	Billed Duration: 103 ms	Memory Size: 128 MB	Max Memory Used: 33 MB	Init Duration: 101.24 ms	
        END RequestId: ID
        REPORT RequestId: ID	Duration: 1.23 ms	Billed Duration: 103 ms	Memory Size: 128 MB	Max Memory Used: 33 MB	Status: error	Error Type: ValueError
        END RequestId: ID
        REPORT RequestId: ID	Duration: 1.23 ms	Billed Duration: 103 ms	Memory Size: 128 MB	Max Memory Used: 33 MB	Status: timeout
    "]],
    );
}

#[tokio::test]
async fn json_by_level() {
    check(
        LogFormat::Json,
        Some("WARN"),
        &expect![[r#"
            {"time":"2023-11-14T22:13:20.123Z","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"timeout","metrics":{"durationMs":10000.0}}}
            {"time":"2023-11-14T22:13:20.123Z","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"error","metrics":{"durationMs":5.0},"errorType":"Runtime.ExitError"}}
            {"time":"2023-11-14T22:13:20.123Z","type":"platform.runtimeDone","record":{"requestId":"ID","status":"error","errorType":"ValueError"}}
            {"time":"2023-11-14T22:13:20.123Z","type":"platform.report","record":{"requestId":"ID","status":"error","metrics":{"durationMs":1.23,"billedDurationMs":103,"memorySizeMB":128,"maxMemoryUsedMB":33},"errorType":"ValueError"}}
            {"time":"2023-11-14T22:13:20.123Z","type":"platform.runtimeDone","record":{"requestId":"ID","status":"timeout"}}
            {"time":"2023-11-14T22:13:20.123Z","type":"platform.report","record":{"requestId":"ID","status":"timeout","metrics":{"durationMs":1.23,"billedDurationMs":103,"memorySizeMB":128,"maxMemoryUsedMB":33}}}
        "#]],
    );
    let count = |level| everything(&log(LogFormat::Json, Some(level))).lines().count();
    assert_eq!([count("DEBUG"), count("INFO"), count("WARN")], [10, 9, 6]);
}

fn check(format: LogFormat, level: Option<&str>, expected: &Expect) {
    expected.assert_eq(&everything(&log(format, level)));
}
