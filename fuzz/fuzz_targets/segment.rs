//! The log segment reader and replay, on any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| anyfn_store::fuzzing::segment(bytes));
