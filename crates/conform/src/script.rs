//! One case's script within its time, in a folder and an account of its own.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

use crate::{case::Case, place, server::tail};

/// A script says with it that the machine lacks something; its last line says what.
const SKIP: i32 = 77;

#[derive(Debug)]
pub(crate) enum Outcome {
    Passed,
    Skipped(String),
    Failed(String),
}

/// What all scripts share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) binary: PathBuf,
    pub(crate) parts: PathBuf,
}

/// The server that a case talks to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) pid: u32,
    pub(crate) data: PathBuf,
    pub(crate) log: PathBuf,
}

impl Shared {
    /// What the case needs and is not here.
    pub(crate) fn lacks(&self, case: &Case) -> Option<String> {
        let there = |need: &str| match need {
            "root" => rustix::process::geteuid().is_root(),
            part if self.parts.join(part).is_dir() => true,
            program => place::in_path(program),
        };
        let missing: Vec<_> = case.toml.needs.iter().filter(|need| !there(need)).cloned().collect();
        (!missing.is_empty()).then(|| format!("needs {}", missing.join(", ")))
    }

    fn command(&self, case: &Case, target: &Target, home: &Path) -> Command {
        let python = || place::part_python(&self.parts, "boto3").unwrap_or_else(|| "python3".into());
        let program = match case.script.extension().and_then(|e| e.to_str()) {
            Some("py") => python(),
            Some("mjs") => "node".into(),
            _ => "bash".into(),
        };
        let mut command = Command::new(program);
        command.arg(&case.script).current_dir(&case.dir).env_clear();
        let port = target.url.rsplit(':').next().unwrap_or_default();
        let values: [(&str, std::ffi::OsString); 24] = [
            ("PATH", place::path_variable()),
            ("HOME", home.into()),
            ("TMPDIR", home.into()),
            ("LANG", "C.UTF-8".into()),
            ("PYTHONPATH", place::lib_dir().into()),
            ("PYTHONDONTWRITEBYTECODE", "1".into()),
            ("AWS_ENDPOINT_URL", target.url.clone().into()),
            ("AWS_ACCESS_KEY_ID", case.account().into()),
            ("AWS_SECRET_ACCESS_KEY", "secret".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_DEFAULT_REGION", "us-east-1".into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            ("AWS_PAGER", "".into()),
            ("ANYFN_SERVER", target.url.clone().into()),
            ("ANYFN_NAMESPACE", format!("{}.us-east-1", case.account()).into()),
            ("ANYFN", self.binary.clone().into()),
            ("ANYFN_PARTS", self.parts.clone().into()),
            ("ANYFN_ROOT", place::root().into()),
            ("ANYFN_PORT", port.into()),
            ("ANYFN_SERVER_PID", target.pid.to_string().into()),
            ("ANYFN_SERVER_DATA", target.data.clone().into()),
            ("ANYFN_SERVER_LOG", target.log.clone().into()),
            ("CASE_LIB", place::lib_dir().into()),
            ("CASE_TMP", home.into()),
        ];
        command.envs(place::toolchains()).envs(values);
        command
    }

    /// Runs it; gives how it went.
    pub(crate) async fn run(&self, case: &Case, target: &Target, verbose: bool) -> Result<Outcome> {
        let home: TempDir =
            tempfile::Builder::new().prefix("anyfn-case-").tempdir().context("make a case's folder")?;
        let output = home.path().join(".output");
        let log = File::create(&output).context("make a case's log")?;
        let mut command = self.command(case, target, home.path());
        command.stdin(Stdio::null()).stdout(log.try_clone().context("open a log twice")?).stderr(log);
        let mut child =
            command.process_group(0).kill_on_drop(true).spawn().context("start a case's script")?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let ended = timeout(Duration::from_secs(case.toml.timeout_s), child.wait()).await;
        // Whatever the script started ends with it.
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        if verbose {
            print!("{}", tail(&output, 200));
        }
        let Ok(status) = ended else {
            return Ok(Outcome::Failed(format!(
                "not done within {} s\n{}",
                case.toml.timeout_s,
                tail(&output, 25)
            )));
        };
        let status = status.context("wait for a case's script")?;
        if status.success() {
            return Ok(Outcome::Passed);
        }
        if status.code() == Some(SKIP) {
            let text = fs::read_to_string(&output).unwrap_or_default();
            return Ok(Outcome::Skipped(text.lines().last().unwrap_or("it says no reason").to_owned()));
        }
        Ok(Outcome::Failed(format!("{status}\n{}", tail(&output, 25))))
    }
}
