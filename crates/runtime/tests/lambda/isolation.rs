//! Plain processes.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyfn_base::Base;
use anyfn_core::ports::Isolation;
use anyfn_testkit::PlainProcesses;

/// The isolation of one bench.
#[allow(clippy::unused_async, reason = "the other isolation has to wait")]
pub(crate) async fn start(base: &Base, _scratch: &Path, _roots: Vec<PathBuf>) -> Arc<dyn Isolation> {
    Arc::new(PlainProcesses::new(base.clone()))
}

/// Instances are started from nothing.
pub(crate) const FORKED: bool = false;
