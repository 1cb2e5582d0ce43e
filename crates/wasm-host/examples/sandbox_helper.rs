//! The sandbox's privileged helper, for this room's tests over real sandboxes.

use std::{io, os::fd::AsFd as _, process::ExitCode};

fn main() -> ExitCode {
    match io::stdin().as_fd().try_clone_to_owned() {
        Ok(socket) => anyfn_sandbox::helper_main(socket),
        Err(_) => ExitCode::FAILURE,
    }
}
