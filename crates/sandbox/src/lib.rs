//! Starts, freezes, limits and ends isolated processes.
//!
//! The problem: a stranger's code must run at full speed on the owner's machine and must reach nothing there. So each
//! instance gets its own user, mount, pid, ipc, uts, net and cgroup namespaces, a root that holds only read-only runtime
//! folders, a private `/tmp` with a quota, limits by cgroup, and a system call filter.
//!
//! Parts:
//! - `Processes` and `Running` stand on the server's side. They own no privilege; they talk to a helper.
//! - `stock` keeps sandboxes ready that have no code yet, as many as demand asks for.
//! - `helper` is a single-threaded process that does the privileged part (`helper_main`, `serve_at`). It keeps the cgroups,
//!   the disk images for `/tmp` and the host user ids, and clones the sandboxes.
//! - `inside` is what a clone does before any guest code runs: mounts, network, ids, capabilities, filter.
//! - `init` is process 1 of a sandbox. The server talks to it directly: it spawns, signals, reaps and reports.
//! - `proto` and `packet` are the two narrow protocols (server and helper, server and init).
//! - `sys` holds every unsafe block: the system calls for which there is no safe wrapper.
//!
//! If the server dies, the helper sees the end of its socket and kills everything; if the helper dies, the kernel kills
//! every init (parent death signal) and with it the pid namespaces, and mounts and loop devices go with them.
//!
//! Must not know: functions, versions, runtimes, any contract, any platform.
#![allow(unsafe_code, reason = "this room talks to the kernel; every block says why it holds")]

mod cgroup;
mod client;
mod connect;
mod error;
mod helper;
mod init;
mod inside;
mod link;
mod options;
mod packet;
mod processes;
mod proto;
mod running;
mod stock;
mod sys;
mod template;

pub use helper::{Serve, helper_main, serve_at};
pub use inside::net::{
    GUEST_V4, GUEST_V4_PREFIX, GUEST_V6, GUEST_V6_PREFIX, PEER_V4, PEER_V6, TUN_MTU, TUN_NAME,
};
pub use inside::{GUEST_GID, GUEST_UID};
pub use options::{HelperCommand, Mode, OnGone, OnTun, Options};
pub use processes::Processes;
