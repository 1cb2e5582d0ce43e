//! The helper as a program of its own, for this room's tests and benches.
use std::{io, os::fd::AsFd, process::ExitCode};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if let (Some("serve"), Some(path), Some(uid), Some(roots)) =
        (args.next().as_deref(), args.next(), args.next().and_then(|u| u.parse().ok()), args.next())
    {
        let roots = roots.split(':').map(Into::into).collect();
        let serve = anyfn_sandbox::Serve { path: path.into(), uid, bind_roots: roots };
        return match anyfn_sandbox::serve_at(&serve) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    match io::stdin().as_fd().try_clone_to_owned() {
        Ok(socket) => anyfn_sandbox::helper_main(socket),
        Err(_) => ExitCode::FAILURE,
    }
}
