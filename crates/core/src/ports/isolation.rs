//! Isolation: one sandbox per instance; inside it one or more processes (a runtime, its extensions).

use std::{net::TcpListener, os::fd::OwnedFd, path::PathBuf};

use anyfn_types::{Error, InstanceId};
use async_trait::async_trait;

/// A folder or file of the host that the guest sees read-only at `target`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    pub source: PathBuf,
    /// Absolute path inside.
    pub target: String,
}

/// What the guest may reach. Never the host's loopback, private ranges or metadata addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Its own loopback only.
    None,
    /// Public addresses, through the platform.
    Internet,
}

#[derive(Clone, Debug)]
pub struct SandboxSpec {
    pub id: InstanceId,
    pub hostname: String,
    /// Beyond the host's own runtime folders (`/usr`, `/lib`, …), which are always there, read-only.
    pub binds: Vec<Bind>,
    pub memory_bytes: u64,
    /// Thousandths of a core.
    pub cpu_millis: u32,
    pub pids: u32,
    pub open_files: u64,
    pub tmp_bytes: u64,
    pub tmp_inodes: u64,
    pub network: Network,
    /// A TCP port on the guest's own loopback that the server will serve.
    pub listen: Option<u16>,
}

/// A process to start inside a sandbox.
#[derive(Debug)]
pub struct ProcessSpec {
    /// `argv[0]` is an absolute path inside.
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    pub cwd: String,
    /// Descriptors of the server and the numbers they get inside. 0 is `/dev/null` unless given; nothing else is inherited.
    pub fds: Vec<(OwnedFd, i32)>,
}

/// Names a process within its sandbox (not a pid of the host).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId(pub u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitKind {
    Code(i32),
    Signal(i32),
}

/// How a process ended. `process` is None when the sandbox as a whole is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    pub process: Option<ProcessId>,
    pub kind: ExitKind,
    /// The kernel killed something in the sandbox because the memory limit was reached.
    pub out_of_memory: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub memory_bytes: u64,
    /// The most so far.
    pub memory_peak_bytes: u64,
    pub cpu_us: u64,
    pub processes: u32,
}

/// What this host can isolate, for `doctor` and for `--isolation=required`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Name, whether it is here, and what is missing or how it is done.
    pub parts: Vec<(String, bool, String)>,
}

impl Capabilities {
    /// Everything that `--isolation=required` asks for is here.
    pub fn complete(&self) -> bool {
        self.parts.iter().all(|(_, here, _)| *here)
    }
}

/// Starts sandboxes.
#[async_trait]
pub trait Isolation: Send + Sync {
    async fn create(&self, spec: SandboxSpec) -> Result<Box<dyn Sandbox>, Error>;
    fn capabilities(&self) -> Capabilities;
}

/// One sandbox. Dropping it kills everything inside and gives all of it back.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// The listener inside the guest's network, once, if the spec asked for one.
    fn take_listener(&mut self) -> Option<TcpListener>;
    async fn spawn(&self, process: ProcessSpec) -> Result<ProcessId, Error>;
    async fn signal(&self, process: ProcessId, signal: i32) -> Result<(), Error>;
    /// Waits for the next exit of a spawned process or of the whole sandbox. Cancel-safe. None after the last one.
    async fn next_exit(&self) -> Option<Exit>;
    /// Nothing inside gets the CPU until `thaw`.
    async fn freeze(&self) -> Result<(), Error>;
    async fn thaw(&self) -> Result<(), Error>;
    async fn usage(&self) -> Result<Usage, Error>;
    /// Kills everything inside; returns when it is gone and given back.
    async fn destroy(self: Box<Self>) -> Result<(), Error>;
}
