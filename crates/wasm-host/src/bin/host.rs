//! The host process and the compiler as a program of its own, for tests; the server is its own host program.

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    anyfn_wasm_host::main(&arguments)
}
