//! The compiler's process: bytes from descriptor 0, machine code or a text to descriptor 1.

use std::io::{self, Read as _, Write as _};

use crate::engine;

/// The answer is a byte 0, a length (u64, little-endian) and that many bytes; or a byte 1 and a text.
pub(crate) fn run(kind: &str) -> io::Result<()> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let mut out = io::stdout().lock();
    match compile(kind, &bytes) {
        Ok(code) => {
            out.write_all(&[0])?;
            out.write_all(&(code.len() as u64).to_le_bytes())?;
            out.write_all(&code)?;
        }
        Err(error) => {
            out.write_all(&[1])?;
            out.write_all(format!("{error:#}").as_bytes())?;
        }
    }
    out.flush()
}

fn compile(kind: &str, bytes: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let engine = engine::compiler()?;
    match kind {
        "component" => engine.precompile_component(bytes),
        _ => engine.precompile_module(bytes),
    }
}
