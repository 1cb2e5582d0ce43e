//! Real sandboxes, with a helper for each bench.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use anyfn_base::Base;
use anyfn_core::ports::Isolation;
use anyfn_sandbox::{HelperCommand, Mode, Options, Processes};

/// `target/<profile>/examples/sandbox_helper`, which cargo builds with the tests.
fn helper() -> String {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile.join("examples/sandbox_helper").to_str().unwrap().to_owned()
}

/// The isolation of one bench.
pub(crate) async fn start(base: &Base, scratch: &Path, mut roots: Vec<PathBuf>) -> Arc<dyn Isolation> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("rt-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut options = Options::new(HelperCommand::Exec(vec![helper()]), name, scratch);
    roots.push(scratch.to_owned());
    options.bind_roots = roots;
    options.mode = Mode::Privileged;
    options.spare_tmp = 0;
    Arc::new(Processes::start(base.clone(), options).await.unwrap())
}

/// Instances are started from nothing.
#[allow(dead_code, reason = "another suite has its own")]
pub(crate) const FORKED: bool = false;
