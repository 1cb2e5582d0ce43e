//! What a folder without any platform's project file holds, and how it becomes a function. Nothing is run here: commands
//! are data, the command line runs them.

mod detect;
mod file;
mod spin;

use std::path::PathBuf;

use anyfn_types::Placement;
use indexmap::IndexMap;

pub use detect::detect;

/// One function as a folder or a file describes it. `None` and empty mean: not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    pub name: String,
    /// The platform's own name: `python3.12`, `nodejs22.x`, `provided.al2023`.
    pub runtime: String,
    /// `module.function`, or `bootstrap` for executables.
    pub handler: String,
    pub description: String,
    /// MiB, 128..=10240.
    pub memory_mib: Option<u32>,
    /// Seconds, 1..=900.
    pub timeout_s: Option<u32>,
    pub env: IndexMap<String, String>,
    /// Whether it wants an address of its own.
    pub url: bool,
    /// How its instances are made.
    pub placement: Placement,
    /// Commands to run, in this order, before the folder is zipped.
    pub build: Vec<Step>,
    /// What is zipped.
    pub include: Include,
    /// What the developer should be told.
    pub notes: Vec<String>,
}

/// A command to run before packing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The developer's own line from `anyfn.toml`, for `sh -c`, in a copy of the folder.
    Shell(String),
    /// An installer. `{build}` in its arguments stands for the build folder, a copy of the project's. The result may be
    /// kept and used again as long as the bytes of `inputs` (relative to the folder) are the same.
    Install { command: Vec<String>, inputs: Vec<PathBuf> },
}

/// What goes into the package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Include {
    /// The folder (or its build copy), less what is ignored.
    #[default]
    Folder,
    /// One file, by `zip_file`.
    File(PathBuf),
    /// A file that the build makes, relative to the folder; it becomes `bootstrap`.
    Binary(PathBuf),
}
