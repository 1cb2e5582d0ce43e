//! What a server chooses about its host processes.

use std::path::PathBuf;

use anyfn_types::MIB;

/// See each field.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder for compiled code, below the server's data folder; made when needed, with mode 0700.
    pub state: PathBuf,
    /// The program of host processes and compilers; `/proc/self/exe` is the server's own.
    pub program: PathBuf,
    /// Its first arguments; `compile KIND` or `serve …` is added.
    pub arguments: Vec<String>,
    /// Names the engine and its settings: code that another one compiled is not used.
    pub engine: String,
    /// Memory of a namespace's host process, all calls together. Default 2 GiB.
    pub host_memory_bytes: u64,
    /// Memory of a compiler. Default 2 GiB.
    pub compiler_memory_bytes: u64,
    /// Milliseconds a compilation may take. Default 120,000.
    pub compile_ms: u64,
    /// Milliseconds a host process may take to be ready. Default 10,000.
    pub start_ms: u64,
    /// Thousandths of a core for each host process and each compiler. Default: all cores.
    pub cpu_millis: u32,
    /// Threads of a host process that run calls. Default: one per core, at most 8.
    pub workers: usize,
    /// Calls that may run at once in a host process. Default 1,000.
    pub calls: u32,
}

impl Options {
    pub fn new(state: PathBuf, program: PathBuf, arguments: Vec<String>, engine: String) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            state,
            program,
            arguments,
            engine,
            host_memory_bytes: 2048 * MIB,
            compiler_memory_bytes: 2048 * MIB,
            compile_ms: 120_000,
            start_ms: 10_000,
            cpu_millis: u32::try_from(cores * 1000).unwrap_or(u32::MAX),
            workers: cores.min(8),
            calls: 1000,
        }
    }
}
