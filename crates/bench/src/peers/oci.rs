//! The OCI runtimes: `crun`, `runc` and gVisor's `runsc` run the same native binary from one bundle.
//!
//! On a host with both cgroup versions mounted crun refuses to start. So the commands are started by a second process of this
//! program in a mount namespace of its own, in which the second version's mount is hidden, and that process holds the clock.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::on_path;
use crate::{
    bench::Bench,
    guests::{self, EVENT},
    process,
};

/// Prepares bundles and starts containers in them.
pub(crate) struct Oci {
    clock: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    bundle: PathBuf,
    state: PathBuf,
    program: &'static str,
    count: u32,
}

/// Tells how long each command of standard input, a JSON list of words, takes to its first line: `ok MICROS` or `failed WHY`.
pub(crate) fn stopwatch() -> anyhow::Result<()> {
    for line in std::io::stdin().lines() {
        let words: Vec<String> = serde_json::from_str(&line?)?;
        match process::to_first_line(&words) {
            Ok(micros) => println!("ok {micros}"),
            Err(why) => println!("failed {}", format!("{why:#}").replace('\n', " ")),
        }
    }
    Ok(())
}

const IN_OWN_MOUNTS: &str = "grep -q ' /sys/fs/cgroup/unified ' /proc/mounts && umount -l /sys/fs/cgroup/unified; exec \"$0\" --stopwatch";

impl Oci {
    pub(crate) fn new(bench: &Bench, program: &'static str) -> anyhow::Result<Self> {
        on_path(program)?;
        let home = bench.places.scratch.join(format!("oci-{program}"));
        let (bundle, state) = (home.join("bundle"), home.join("state"));
        for folder in ["proc", "dev", "sys"] {
            fs::create_dir_all(bundle.join("rootfs").join(folder))?;
        }
        fs::create_dir_all(&state)?;
        fs::copy(guests::native_binary(&bench.places)?, bundle.join("rootfs/hello"))?;
        fs::write(bundle.join("config.json"), config().to_string())?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", IN_OWN_MOUNTS]).arg(std::env::current_exe()?);
        let mut clock =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("start unshare")?;
        let (to, from) =
            (clock.stdin.take().context("its input")?, clock.stdout.take().context("its output")?);
        Ok(Self { clock, to, from: BufReader::new(from), bundle, state, program, count: 0 })
    }

    /// Microseconds of `run` to the first line of the container's output.
    pub(crate) fn run(&mut self) -> anyhow::Result<f64> {
        self.count += 1;
        let words = words(self.program, &self.state, &self.bundle, self.count);
        writeln!(self.to, "{}", serde_json::to_string(&words)?)?;
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        match line.trim().split_once(' ') {
            Some(("ok", micros)) => Ok(micros.parse()?),
            Some(("failed", why)) => bail!("{why}"),
            _ => bail!("the stopwatch ended"),
        }
    }
}

impl Drop for Oci {
    fn drop(&mut self) {
        let _ = self.clock.kill();
        let _ = self.clock.wait();
    }
}

/// runsc hung once where this was tried; it is given an end.
fn words(program: &str, state: &Path, bundle: &Path, count: u32) -> Vec<String> {
    let before: &[&str] = match program {
        "runsc" => &["timeout", "-k", "1", "30", "runsc", "--network=none", "--ignore-cgroups"],
        other => &[other],
    };
    let mut words: Vec<String> = before.iter().map(|word| (*word).to_owned()).collect();
    words.extend(["--root".to_owned(), state.display().to_string(), "run".to_owned()]);
    words.extend(["--bundle".to_owned(), bundle.display().to_string()]);
    words.push(format!("bench-{}-{count}", std::process::id()));
    words
}

fn config() -> serde_json::Value {
    let event = String::from_utf8_lossy(EVENT);
    let namespaces = ["pid", "ipc", "uts", "mount", "network"].map(|kind| json!({ "type": kind }));
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false, "user": { "uid": 0, "gid": 0 }, "args": ["/hello", "--once", event],
            "env": ["PATH=/"], "cwd": "/", "noNewPrivileges": true,
            "capabilities": { "bounding": [], "effective": [], "permitted": [] }
        },
        "root": { "path": "rootfs", "readonly": true },
        "hostname": "bench",
        "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
        "linux": { "namespaces": namespaces, "resources": { "memory": { "limit": 536_870_912 } } }
    })
}
