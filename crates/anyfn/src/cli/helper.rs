//! `anyfn helper`: the privileged part, as one thread without a runtime.

use std::{path::PathBuf, process::ExitCode};

use anyfn_sandbox::Serve;
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
    /// Folders that servers may show to functions: their data folders and where interpreters lie. May be given more than once.
    #[arg(long, value_name = "DIR", requires = "socket")]
    pub(crate) data: Vec<PathBuf>,
}

pub(crate) fn main(args: &HelperArgs) -> ExitCode {
    if let (Some(path), Some(uid)) = (&args.socket, args.uid) {
        return serve(Serve { path: path.clone(), uid, bind_roots: args.data.clone() });
    }
    if args.fd != Some(0) {
        return fail("say --socket PATH --uid UID; without them the server starts the helper itself");
    }
    match rustix::io::dup(std::io::stdin()) {
        Ok(socket) => anyfn_sandbox::helper_main(socket),
        Err(error) => fail(&format!("descriptor 0: {error}")),
    }
}

fn serve(with: Serve) -> ExitCode {
    match anyfn_sandbox::serve_at(&with) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(text: &str) -> ExitCode {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "error: {text}");
    ExitCode::FAILURE
}
