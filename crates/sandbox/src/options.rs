//! What a server chooses about its sandboxes.

use std::{fmt, os::fd::OwnedFd, path::PathBuf, sync::Arc};

use anyfn_types::InstanceId;
use serde::{Deserialize, Serialize};

/// How the helper comes to be.
#[derive(Clone, Debug)]
pub enum HelperCommand {
    /// A program that calls `helper_main` with its descriptor 0, for example `/proc/self/exe helper --fd 0`. It gets an
    /// empty environment.
    Exec(Vec<String>),
    /// The socket of a helper that runs already (`serve_at`).
    Connect(PathBuf),
}

/// With which privileges sandboxes are set up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Privileged if the helper is root with the capabilities that it takes, else unprivileged.
    #[default]
    Auto,
    /// Each instance has a host user id of its own, cgroups and a disk-backed `/tmp`.
    Privileged,
    /// Everything inside a user namespace of the helper's own user.
    Unprivileged,
}

/// Called with the descriptor of a sandbox's tun device, before `create` or `blank` returns.
pub type OnTun = Arc<dyn Fn(InstanceId, OwnedFd) + Send + Sync>;
/// Called once when a sandbox is gone, so that descriptors of its network can be closed (they keep it alive).
pub type OnGone = Arc<dyn Fn(InstanceId) + Send + Sync>;

/// See each field.
#[derive(Clone)]
pub struct Options {
    pub helper: HelperCommand,
    pub mode: Mode,
    /// Unique per data folder; 1 to 40 characters of `a-zA-Z0-9_-`. Names the cgroups and picks the range of host user ids;
    /// groups that a dead server of the same name left are cleaned at the start.
    pub cgroup_name: String,
    /// Where disk images for `/tmp` take their room. They are files without a name, so nothing stays behind.
    pub scratch_dir: PathBuf,
    /// Folders that sources of binds must lie in.
    pub bind_roots: Vec<PathBuf>,
    /// Folders with language runtimes outside of `/usr`, bound read-only at their own paths in every sandbox.
    pub runtime_prefixes: Vec<PathBuf>,
    /// Disk images kept ready for each size of `/tmp` in use. Range 0..=64.
    pub spare_tmp: usize,
    /// Sandboxes kept ready, of all shapes together; how many of them there are follows demand, and without demand there are
    /// none. 0: each is made when it is asked for. Range 0..=256.
    pub stock_max: usize,
    /// Without it `Network::Internet` is refused.
    pub on_tun: Option<OnTun>,
    pub on_gone: Option<OnGone>,
}

impl Options {
    /// Privileges as they are, no binds, four spare images.
    pub fn new(
        helper: HelperCommand,
        cgroup_name: impl Into<String>,
        scratch_dir: impl Into<PathBuf>,
    ) -> Self {
        Self {
            helper,
            mode: Mode::Auto,
            cgroup_name: cgroup_name.into(),
            scratch_dir: scratch_dir.into(),
            bind_roots: Vec::new(),
            runtime_prefixes: Vec::new(),
            spare_tmp: 4,
            stock_max: 32,
            on_tun: None,
            on_gone: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("helper", &self.helper)
            .field("mode", &self.mode)
            .field("cgroup_name", &self.cgroup_name)
            .finish_non_exhaustive()
    }
}
