//! For programs: the whole run.

use super::Report;

pub(super) fn all(report: &Report) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}
