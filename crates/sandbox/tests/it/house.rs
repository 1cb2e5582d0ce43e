//! What the tests share: a helper, specs, and ways to run a program and read what it printed.

use std::{
    fs::File,
    io::Read as _,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use anyfn_base::Base;
use anyfn_core::ports::{
    Exit, ExitKind, Isolation as _, Network, ProcessId, ProcessSpec, Sandbox, SandboxSpec,
};
use anyfn_sandbox::{HelperCommand, Mode, Options, Processes};

pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_anyfn-sandbox-helper");
pub(crate) const MIB: u64 = 1 << 20;

/// A server with its own helper, cgroups and scratch folder.
pub(crate) struct House {
    pub(crate) base: Base,
    pub(crate) processes: Processes,
    pub(crate) name: String,
    pub(crate) scratch: tempfile::TempDir,
}

pub(crate) fn root() -> bool {
    let there = rustix::process::geteuid().is_root();
    if !there {
        eprintln!("skipped: this test needs root");
    }
    there
}

pub(crate) fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("t-{prefix}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn options(name: &str, scratch: &Path) -> Options {
    let mut options = Options::new(HelperCommand::Exec(vec![HELPER.into()]), name, scratch);
    options.bind_roots = vec![scratch.to_path_buf()];
    // Most tests count what there is.
    options.stock_max = 0;
    options
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let name = unique("h");
        let mut options = options(&name, scratch.path());
        options.mode = Mode::Privileged;
        change(&mut options);
        let base = Base::system();
        let processes = Processes::start(base.clone(), options).await.unwrap();
        Self { base, processes, name, scratch }
    }

    pub(crate) fn spec(&self) -> SandboxSpec {
        Self::spec_of(&self.base)
    }

    pub(crate) fn spec_of(base: &Base) -> SandboxSpec {
        SandboxSpec {
            id: base.random.instance_id(),
            hostname: "fn".into(),
            binds: Vec::new(),
            memory_bytes: 256 * MIB,
            cpu_millis: 2000,
            pids: 64,
            open_files: 256,
            tmp_bytes: 64 * MIB,
            tmp_inodes: 4096,
            network: Network::None,
            listen: None,
        }
    }

    pub(crate) async fn sandbox(&self) -> Box<dyn Sandbox> {
        self.processes.create(self.spec()).await.unwrap()
    }

    pub(crate) async fn sandbox_with(&self, change: impl FnOnce(&mut SandboxSpec)) -> Box<dyn Sandbox> {
        let mut spec = self.spec();
        change(&mut spec);
        self.processes.create(spec).await.unwrap()
    }

    /// Ends the helper and waits until everything is given back.
    pub(crate) async fn close(self) -> tempfile::TempDir {
        let drained = self.base.tasks.drain(std::time::Duration::from_secs(20)).await;
        assert_eq!(drained.left.len(), 0, "{drained:?}");
        assert_eq!(cgroups(&self.name), Vec::<PathBuf>::new());
        self.scratch
    }
}

/// The folders of this house in any hierarchy.
pub(crate) fn cgroups(name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for hierarchy in std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        let parent = hierarchy.path().join(format!("anyfn-{name}"));
        if parent.is_dir() {
            let below = std::fs::read_dir(&parent).unwrap().flatten();
            found.extend(below.filter(|e| e.path().is_dir()).map(|e| e.path()));
            found.push(parent);
        }
    }
    found
}

pub(crate) fn command(argv: &[&str], fds: Vec<(OwnedFd, i32)>) -> ProcessSpec {
    ProcessSpec {
        argv: argv.iter().map(|a| (*a).to_owned()).collect(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        cwd: "/".into(),
        fds,
    }
}

/// Starts a program; gives what it prints on 1 and 2.
pub(crate) async fn start(sandbox: &dyn Sandbox, argv: &[&str]) -> (ProcessId, OwnedFd) {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let copy = write.try_clone().unwrap();
    let process = sandbox.spawn(command(argv, vec![(write, 1), (copy, 2)])).await.unwrap();
    (process, read)
}

pub(crate) async fn read_all(from: OwnedFd) -> String {
    tokio::task::spawn_blocking(move || {
        let mut text = Vec::new();
        File::from(from).read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    })
    .await
    .unwrap()
}

/// Runs a program to its end.
pub(crate) async fn run(sandbox: &dyn Sandbox, argv: &[&str]) -> (Exit, String) {
    let (process, output) = start(sandbox, argv).await;
    let text = read_all(output).await;
    let exit = sandbox.next_exit().await.unwrap();
    assert_eq!(exit.process, Some(process), "{exit:?} {text}");
    (exit, text)
}

/// Runs a python script that must end well; gives what it printed.
pub(crate) async fn python(sandbox: &dyn Sandbox, script: &str) -> String {
    let (exit, text) = run(sandbox, &["/usr/bin/python3", "-I", "-S", "-c", script]).await;
    assert_eq!(exit.kind, ExitKind::Code(0), "{text}");
    text
}

/// The name of the error of opening a file, or `open`.
pub(crate) async fn open_file_as_guest(sandbox: &dyn Sandbox, path: &str) -> String {
    let script = format!(
        "import errno\ntry: open({path:?}).read(1); print('open')\nexcept OSError as e: print(errno.errorcode[e.errno])"
    );
    python(sandbox, &script).await.trim().to_owned()
}

/// Host pids of everything that a house runs.
pub(crate) fn processes_of(name: &str) -> Vec<i32> {
    let mut pids: Vec<i32> = cgroups(name)
        .iter()
        .filter_map(|folder| std::fs::read_to_string(folder.join("cgroup.procs")).ok())
        .flat_map(|text| text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<_>>())
        .collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// The host pid of a house's helper: the parent of an init.
pub(crate) fn helper_of(name: &str) -> i32 {
    let ours = processes_of(name);
    let parent = |pid: &i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:")).and_then(|n| n.trim().parse::<i32>().ok())
    };
    ours.iter().filter_map(parent).find(|parent| !ours.contains(parent)).unwrap()
}

/// Loop devices over files of a folder.
pub(crate) fn images_in(folder: &Path) -> usize {
    let devices = std::fs::read_dir("/sys/block").unwrap().flatten();
    let behind = devices.filter_map(|d| std::fs::read_to_string(d.path().join("loop/backing_file")).ok());
    behind.filter(|file| file.starts_with(folder.to_str().unwrap())).count()
}

/// Waits for something outside of this process that announces itself to nobody.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let clock = anyfn_base::Clock::system();
    for _ in 0..4000 {
        if done() {
            return;
        }
        clock.sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("still waiting: {what}");
}
