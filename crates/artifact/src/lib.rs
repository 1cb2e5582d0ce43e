//! Turns the bytes a stranger uploads into a folder that a sandbox may bind, and folders of ours into such bytes.
//!
//! The problem: a zip lies. Its headers name sizes, places and kinds that need not be true. So everything is counted while
//! it is unpacked, nothing is written before the whole directory of the archive was found sane, and a root appears by one
//! rename or not at all.
//!
//! Parts, in the order of a package's way: `archive` reads the zip's directory; `tree` models the names and proves that
//! links stay inside; `unpack` writes a staging folder; `cache` keeps unpacked roots within a disk budget; `merge` lays
//! roots over each other; `roots` puts these behind the port `Artifacts`. The other way: `pack` and `folder` make
//! packages from a developer's folder, and `project` finds out what that folder holds.
//! Must not know: any platform's wire format, where packages are kept durably (that is `Blobs`), how sandboxes bind.

mod archive;
mod cache;
mod error;
mod folder;
mod ignore;
mod merge;
mod pack;
pub mod project;
mod roots;
mod staging;
mod tree;
mod unpack;

pub use folder::{ZipOptions, zip_bytes, zip_dir, zip_file};
pub use roots::Roots;

#[cfg(test)]
mod fixtures;
