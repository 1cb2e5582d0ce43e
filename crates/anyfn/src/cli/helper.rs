//! `anyfn helper`: the privileged part, as one thread without a runtime.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct HelperArgs {
    /// Serve one server on this descriptor; the server starts the helper so.
    #[arg(long, hide = true, conflicts_with = "socket")]
    pub(crate) fd: Option<i32>,
    /// Serve servers of user UID on this unix socket, so that they need no privileges themselves.
    #[arg(long, value_name = "PATH", requires = "uid")]
    pub(crate) socket: Option<PathBuf>,
    /// The user whose servers may connect.
    #[arg(long, value_name = "UID")]
    pub(crate) uid: Option<u32>,
}

pub(crate) fn main(args: &HelperArgs) -> ExitCode {
    if let (Some(path), Some(uid)) = (&args.socket, args.uid) {
        return serve(path.clone(), uid);
    }
    if args.fd != Some(0) {
        return fail("say --socket PATH --uid UID; without them the server starts the helper itself");
    }
    match rustix::io::dup(std::io::stdin()) {
        Ok(socket) => anyfn_sandbox::helper_main(socket),
        Err(error) => fail(&format!("descriptor 0: {error}")),
    }
}

fn serve(path: PathBuf, uid: u32) -> ExitCode {
    match anyfn_sandbox::serve_at(&anyfn_sandbox::Serve { path, uid, ..Default::default() }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(text: &str) -> ExitCode {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "error: {text}");
    ExitCode::FAILURE
}
