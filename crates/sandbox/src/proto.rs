//! The words on the two sockets. Each packet of a `SOCK_SEQPACKET` socket is one JSON value, so no length is written:
//! the kernel keeps the boundaries, and a packet that does not fit is an error (`packet`).

use anyfn_types::InstanceId;
use serde::{Deserialize, Serialize};

use crate::options::Mode;

/// Server to helper.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    pub(crate) id: u64,
    pub(crate) what: Request,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// First, and once.
    Hello(Hello),
    Create(Box<Create>),
    /// Shows code in a sandbox that was created blank, and sets its limits. Once.
    Furnish(Box<Furnish>),
    /// Sets the limits of a sandbox.
    Limit(InstanceId, Limits),
    Freeze(InstanceId),
    Thaw(InstanceId),
    Usage(InstanceId),
    /// Answered when everything is gone. An unknown instance is gone already.
    Destroy(InstanceId),
    /// Starts a template; answered when it can be forked.
    Template(Box<Template>),
    /// Ends a template. Its children go on.
    EndTemplate(u64),
    /// Forks a template into a sandbox. Travels with as many descriptors as `fds` has numbers; answered when the child is
    /// in its sandbox.
    Fork {
        instance: InstanceId,
        template: u64,
        process: u32,
        fds: Vec<i32>,
    },
    /// Signals a forked process.
    Signal {
        instance: InstanceId,
        process: u32,
        signal: i32,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Template {
    /// The server's choice; never used again.
    pub(crate) id: u64,
    /// Its root and limits are made as a sandbox's are.
    pub(crate) root: Create,
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
}

/// What holds for the helper's whole life.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hello {
    pub(crate) mode: Mode,
    pub(crate) cgroup_name: String,
    pub(crate) scratch_dir: String,
    /// Sources of binds must lie in one of these.
    pub(crate) bind_roots: Vec<String>,
    /// Bound read-only at their own paths in every sandbox.
    pub(crate) runtime_prefixes: Vec<String>,
    pub(crate) spare_tmp: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Create {
    pub(crate) id: InstanceId,
    pub(crate) hostname: String,
    /// Source on the host, target inside.
    pub(crate) binds: Vec<(String, String)>,
    pub(crate) memory_bytes: u64,
    pub(crate) cpu_millis: u32,
    pub(crate) pids: u32,
    pub(crate) open_files: u64,
    pub(crate) tmp_bytes: u64,
    pub(crate) tmp_inodes: u64,
    pub(crate) internet: bool,
    pub(crate) listen: Option<u16>,
    /// Whether it may be furnished later.
    #[serde(default)]
    pub(crate) blank: bool,
}

impl Create {
    pub(crate) fn limits(&self) -> Limits {
        Limits { memory_bytes: self.memory_bytes, cpu_millis: self.cpu_millis, pids: self.pids }
    }
}

/// What cgroups keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) memory_bytes: u64,
    pub(crate) cpu_millis: u32,
    pub(crate) pids: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Furnish {
    pub(crate) id: InstanceId,
    /// Source on the host, target inside.
    pub(crate) binds: Vec<(String, String)>,
    pub(crate) limits: Limits,
}

/// Helper to server.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Told {
    Answer {
        id: u64,
        result: Result<Answer, Fault>,
    },
    /// The sandbox as a whole ended and is given back.
    Gone {
        instance: InstanceId,
        code: Option<i32>,
        signal: Option<i32>,
        out_of_memory: bool,
    },
    /// A forked process ended. One of `code` and `signal` is there.
    Exited {
        instance: InstanceId,
        process: u32,
        code: Option<i32>,
        signal: Option<i32>,
        out_of_memory: bool,
    },
    /// A template ended.
    TemplateGone(u64),
    /// For the server's log.
    Note(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Hello {
        parts: Vec<(String, bool, String)>,
        /// Whether a sandbox that stands can be furnished.
        furnish: bool,
    },
    /// Travels with one descriptor: the socket to the sandbox's init.
    Created,
    Done,
    Usage {
        memory_bytes: u64,
        memory_peak_bytes: u64,
        cpu_us: u64,
        processes: u32,
        out_of_memory: bool,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Fault {
    Refused(String),
    Gone,
    TemplateGone,
    /// The host or its set-up cannot do it.
    Unsupported(String),
    Step {
        step: String,
        errno: i32,
    },
}

/// Server to init.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Travels with as many descriptors as `fds` has numbers.
    Spawn {
        process: u32,
        argv: Vec<String>,
        env: Vec<(String, String)>,
        cwd: String,
        fds: Vec<i32>,
    },
    Signal {
        process: u32,
        signal: i32,
    },
    /// Connects to a server inside.
    Connect {
        ask: u32,
        to: Address,
    },
    /// Stops (SIGSTOP) or continues everything but init: for hosts where there is no freezer.
    Pause(bool),
}

/// Where a server inside may be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Address {
    V4(u16),
    V6(u16),
    /// By its absolute path inside.
    Path(String),
}

/// Init to server.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The sandbox stands. Travels with the listener and the tun device, in this order, if they were asked for.
    Ready {
        listener: bool,
        tun: bool,
    },
    Failed {
        step: String,
        errno: i32,
    },
    Spawned {
        process: u32,
    },
    NotSpawned {
        process: u32,
        errno: i32,
    },
    /// Travels with the socket. It does not block; `under_way` if the kernel has not said yet whether somebody listens.
    Connected {
        ask: u32,
        under_way: bool,
    },
    NotConnected {
        ask: u32,
        errno: i32,
    },
    /// One of `code` and `signal` is there.
    Exited {
        process: u32,
        code: Option<i32>,
        signal: Option<i32>,
    },
}
