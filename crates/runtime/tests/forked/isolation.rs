//! Real sandboxes, and templates before the first start.

#[path = "../sandboxed/isolation.rs"]
mod sandboxes;

pub(crate) use sandboxes::start;

/// Instances are forked where they may be.
pub(crate) const FORKED: bool = true;
