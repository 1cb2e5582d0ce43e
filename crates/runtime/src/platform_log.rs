//! The platform's own lines in Lambda's words: plain text, or JSON as the Telemetry API's event schema 2022-12-13 has it.
//! Durations come from the platform's clock only, never from anything that the guest printed.

use std::time::Duration;

use anyfn_base::{Clock, iso_millis};
use anyfn_types::{Billing, LogFormat, Logging};
use serde_json::{Value, json};

/// How the call ended, as reports name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Success,
    Error,
    Timeout,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Timeout => "timeout",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Debug,
    Info,
    Warn,
}

/// Formats; where the lines go is the caller's matter.
#[derive(Clone, Debug)]
pub(crate) struct PlatformLog {
    json: bool,
    level: Level,
    clock: Clock,
    version: String,
}

fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}

impl PlatformLog {
    pub(crate) fn new(logging: &Logging, clock: Clock, version: String) -> Self {
        let level = match logging.system_level.as_deref() {
            Some("DEBUG") => Level::Debug,
            Some("WARN") => Level::Warn,
            _ => Level::Info,
        };
        Self { json: logging.format == LogFormat::Json, level, clock, version }
    }

    /// Only what is asked for is made: every call writes three of these.
    fn line(
        &self,
        level: Level,
        text: impl FnOnce() -> String,
        kind: &str,
        record: impl FnOnce() -> Value,
    ) -> Option<String> {
        if !self.json {
            return Some(text());
        }
        let time = || iso_millis(self.clock.wall());
        (level >= self.level).then(|| json!({"time": time(), "type": kind, "record": record()}).to_string())
    }

    pub(crate) fn init_start(&self, runtime: &str, initialization: &str) -> Option<String> {
        let record = || {
            json!({
                "initializationType": initialization, "phase": "init", "runtimeVersion": runtime,
                "functionVersion": self.version,
            })
        };
        let text = || format!("INIT_START Runtime Version: {runtime}\tRuntime Version ARN: ");
        self.line(Level::Info, text, "platform.initStart", record)
    }

    /// Only for an init phase that did not end well; a good one is told in the first call's report.
    pub(crate) fn init_report(
        &self,
        took: Duration,
        status: Status,
        error_type: Option<&str>,
    ) -> Option<String> {
        let mut record = json!({
            "initializationType": "on-demand", "phase": "init", "status": status.name(),
            "metrics": {"durationMs": ms(took)},
        });
        let mut tail = format!("\tStatus: {}", status.name());
        if let Some(error_type) = error_type {
            record["errorType"] = error_type.into();
            tail += &format!("\tError Type: {error_type}");
        }
        let text = || format!("INIT_REPORT Init Duration: {:.2} ms\tPhase: init{tail}", ms(took));
        self.line(Level::Warn, text, "platform.initReport", || record)
    }

    pub(crate) fn start(&self, id: &str) -> Option<String> {
        let text = || format!("START RequestId: {id} Version: {}", self.version);
        self.line(Level::Info, text, "platform.start", || json!({"requestId": id, "version": self.version}))
    }

    /// END and REPORT. `error_type` is there when the status is not success.
    pub(crate) fn finish(
        &self,
        id: &str,
        billing: &Billing,
        status: Status,
        error_type: Option<&str>,
    ) -> [Option<String>; 2] {
        let level = if status == Status::Success { Level::Debug } else { Level::Warn };
        let named = |mut record: Value| {
            if let Some(error_type) = error_type {
                record["errorType"] = error_type.into();
            }
            record
        };
        let done = || named(json!({"requestId": id, "status": status.name()}));
        let report = || named(json!({"requestId": id, "status": status.name(), "metrics": metrics(billing)}));
        let end = || format!("END RequestId: {id}");
        [
            self.line(level, end, "platform.runtimeDone", done),
            self.line(
                level.max(Level::Info),
                || report_text(id, billing, status, error_type),
                "platform.report",
                report,
            ),
        ]
    }

    /// A call that ran out of time; in JSON the report says it.
    pub(crate) fn timed_out(&self, id: &str, text: &str) -> Option<String> {
        (!self.json).then(|| format!("{} {id} {text}", iso_millis(self.clock.wall())))
    }

    /// A process that ended; in JSON the report says it.
    pub(crate) fn exited(&self, id: Option<&str>, text: &str, error_type: &str) -> Option<String> {
        let id = id.map(|id| format!("RequestId: {id} ")).unwrap_or_default();
        (!self.json).then(|| format!("{id}Error: {text}\n{error_type}"))
    }
}

fn metrics(billing: &Billing) -> Value {
    let mut metrics = json!({
        "durationMs": ms(Duration::from_micros(billing.duration_us)),
        "billedDurationMs": billing.billed_ms,
        "memorySizeMB": billing.memory_mib,
        "maxMemoryUsedMB": billing.max_memory_mib,
    });
    if let Some(init) = billing.init_us {
        metrics["initDurationMs"] = ms(Duration::from_micros(init)).into();
    }
    metrics
}

fn report_text(id: &str, billing: &Billing, status: Status, error_type: Option<&str>) -> String {
    let Billing { duration_us, billed_ms, memory_mib, max_memory_mib, .. } = billing;
    let mut text = format!(
        "REPORT RequestId: {id}\tDuration: {:.2} ms\tBilled Duration: {billed_ms} ms\tMemory Size: {memory_mib} MB\t\
         Max Memory Used: {max_memory_mib} MB\t",
        ms(Duration::from_micros(*duration_us))
    );
    if let Some(init) = billing.init_us {
        text += &format!("Init Duration: {:.2} ms\t", ms(Duration::from_micros(init)));
    }
    if status != Status::Success {
        text += &format!("Status: {}", status.name());
        if let Some(error_type) = error_type.filter(|_| status == Status::Error) {
            text += &format!("\tError Type: {error_type}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
