//! Compiles the two libraries with the machine's C compiler. They are linked against nothing: what they call (a few
//! functions of the C library, of Node's N-API and of libuv) is found in the process that loads them, so one file serves
//! glibc and musl, and every Node from 18 on.

use std::{env, error::Error, path::PathBuf, process::Command};

fn main() -> Result<(), Box<dyn Error>> {
    for file in ["template.h", "template.c", "python.c", "node.c"] {
        println!("cargo:rerun-if-changed=native/{file}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo gives a folder")?);
    build("python.c", &out.join("template.so"))?;
    build("node.c", &out.join("template.node"))
}

fn build(source: &str, to: &PathBuf) -> Result<(), Box<dyn Error>> {
    let compiler = cc::Build::new().cargo_metadata(false).opt_level(2).try_get_compiler().map_err(|e| {
        format!("this room needs a C compiler (Debian: gcc and libc6-dev); set CC if it has an odd name: {e}")
    })?;
    let mut command = Command::new(compiler.path());
    command
        .args(["-shared", "-fPIC", "-O2", "-g0", "-std=gnu11", "-nostdlib", "-fvisibility=hidden"])
        .args([
            "-Wall",
            "-Wextra",
            "-Werror",
            "-U_FORTIFY_SOURCE",
            "-Wl,-z,relro,-z,now",
            "-Wl,--build-id=none",
        ])
        .args(["-s", "-o"])
        .arg(to)
        .arg(format!("native/{source}"))
        .arg("native/template.c");
    let done = command.output().map_err(|e| {
        format!("the C compiler {} cannot be started (Debian: install gcc): {e}", compiler.path().display())
    })?;
    if !done.status.success() {
        return Err(format!("{source} does not compile:\n{}", String::from_utf8_lossy(&done.stderr)).into());
    }
    Ok(())
}
