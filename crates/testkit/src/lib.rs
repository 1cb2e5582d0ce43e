//! Fakes and conformance suites for the ports.

mod plain;

pub use plain::PlainProcesses;
