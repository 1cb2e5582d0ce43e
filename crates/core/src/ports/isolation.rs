//! Isolation: one sandbox per instance; inside it one or more processes (a runtime, its extensions).

use std::{net::TcpListener, os::fd::OwnedFd, path::PathBuf, sync::Arc};

use anyfn_types::{Error, InstanceId, Kind};
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

/// What makes a blank sandbox one of a version: everything that is not the same for all.
#[derive(Clone, Debug)]
pub struct Furnish {
    /// Targets are those that every sandbox has a place for: `/var/task`, `/var/runtime`, `/opt`.
    pub binds: Vec<Bind>,
    pub memory_bytes: u64,
    /// Thousandths of a core.
    pub cpu_millis: u32,
    pub pids: u32,
}

/// Names a template of an `Isolation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TemplateId(pub u64);

/// A process that is started once, never sees a user's code or secret, and is forked into sandboxes.
#[derive(Debug)]
pub struct TemplateSpec {
    /// For logs: `python3.11`, `python3.11+boto3`.
    pub name: String,
    /// `argv[0]` is an absolute path inside. The process is told the number of its control socket by `ANYFN_TEMPLATE_FD`.
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    /// Beyond the host's runtime folders; read-only.
    pub binds: Vec<Bind>,
    pub memory_bytes: u64,
}

/// A template that is up. Dropping it ends the process; what was forked from it lives on.
#[async_trait]
pub trait Template: Send + Sync {
    fn id(&self) -> TemplateId;
    /// Ends when the template has ended. Cancel-safe.
    async fn ended(&self);
}

/// An address inside of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Inside {
    /// A port on the guest's loopback.
    Tcp(u16),
    /// A socket in the guest's file system, by its absolute path there; at most 107 bytes.
    Unix(String),
}

fn unsupported(what: &str) -> Error {
    Error::new(Kind::Unsupported, "sandbox_unsupported", format!("this host cannot {what}"))
}

/// Starts sandboxes.
#[async_trait]
pub trait Isolation: Send + Sync {
    async fn create(&self, spec: SandboxSpec) -> Result<Box<dyn Sandbox>, Error>;
    fn capabilities(&self) -> Capabilities;

    /// A sandbox without code, to be furnished later. `spec.binds` must be empty; its memory and CPU hold until then.
    ///
    /// # Errors
    /// `sandbox_unsupported` where the host cannot furnish a sandbox that stands.
    async fn blank(&self, _spec: SandboxSpec) -> Result<Box<dyn Sandbox>, Error> {
        Err(unsupported("furnish a sandbox that stands"))
    }

    /// Starts a template and waits until it can be forked, at most 30 s.
    ///
    /// # Errors
    /// `sandbox_unsupported` where the host cannot fork into sandboxes, or where others than the server's owner could have
    /// written what the template would run.
    async fn template(&self, _spec: TemplateSpec) -> Result<Arc<dyn Template>, Error> {
        Err(unsupported("fork a process into a sandbox"))
    }
}

/// One sandbox. Dropping it kills everything inside and gives all of it back.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// The listener inside the guest's network, once, if the spec asked for one.
    fn take_listener(&mut self) -> Option<TcpListener>;
    async fn spawn(&self, process: ProcessSpec) -> Result<ProcessId, Error>;
    async fn signal(&self, process: ProcessId, signal: i32) -> Result<(), Error>;
    /// Makes a blank sandbox a version's. Once.
    async fn furnish(&mut self, _with: Furnish) -> Result<(), Error> {
        Err(unsupported("furnish a sandbox that stands"))
    }
    /// Forks a template into this sandbox. The child has the given descriptors and nothing else, the sandbox's user,
    /// namespaces, limits and filter, and goes on in the template's own code. Its end is told by `next_exit`.
    async fn fork(&self, _template: TemplateId, _fds: Vec<(OwnedFd, i32)>) -> Result<ProcessId, Error> {
        Err(unsupported("fork a process into a sandbox"))
    }
    /// A stream to a server inside.
    ///
    /// # Errors
    /// `sandbox_refused` with the kernel's word if nobody listens there.
    async fn connect(&self, _to: &Inside) -> Result<OwnedFd, Error> {
        Err(unsupported("connect to a server inside a sandbox"))
    }
    /// Waits for the next exit of a spawned process or of the whole sandbox. Cancel-safe. None after the last one.
    async fn next_exit(&self) -> Option<Exit>;
    /// Nothing inside gets the CPU until `thaw`.
    async fn freeze(&self) -> Result<(), Error>;
    async fn thaw(&self) -> Result<(), Error>;
    async fn usage(&self) -> Result<Usage, Error>;
    /// Kills everything inside; returns when it is gone and given back.
    async fn destroy(self: Box<Self>) -> Result<(), Error>;
}
