//! The privileged part: one thread, no async, one server. It trusts the server with instances of its own and with the
//! folders it was told at the start, and with nothing else.

mod check;
mod desk;
mod doctor;
mod fork;
mod furnish;
mod instance;
mod template;
mod tmp;
mod users;

use std::{
    fs::{self, File, Permissions},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::PermissionsExt as _,
    },
    path::PathBuf,
    process::ExitCode,
};

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, socket_with, sockopt,
};

use crate::sys::process;

/// A helper that waits on a socket for servers of one user.
#[derive(Clone, Debug)]
pub struct Serve {
    /// Where the socket is made; it is given to `uid` with mode 0600.
    pub path: PathBuf,
    /// The only user, besides root, whose servers are served.
    pub uid: u32,
    /// A server may bind only what lies in these, whatever it asks for at its start.
    pub bind_roots: Vec<PathBuf>,
}

/// Serves one server until its end of the socket closes; then everything is killed and given back.
pub fn helper_main(socket: OwnedFd) -> ExitCode {
    // The terminal's signals are for the server, which ends us when it has drained.
    let _ = rustix::process::setsid();
    // If the host runs out of memory, guests go first; that needs a capability, and without it nothing is lost.
    let _ = fs::write("/proc/self/oom_score_adj", "-500");
    let quiet = File::options().read(true).write(true).open("/dev/null");
    // The socket may be descriptor 0; a sandbox must not get it from there.
    let socket = quiet.and_then(|null| {
        let socket = process::lift(socket, 3)?;
        process::place(null.as_fd(), 0)?;
        process::place(null.as_fd(), 1)?;
        Ok(socket)
    });
    match socket.and_then(|socket| desk::Desk::new(socket, None)?.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Serves every server that connects, each by a process of its own. Returns on an error of the listening socket only.
pub fn serve_at(with: &Serve) -> io::Result<()> {
    match fs::remove_file(&with.path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddrUnix::new(&with.path)?)?;
    fs::set_permissions(&with.path, Permissions::from_mode(0o600))?;
    std::os::unix::fs::chown(&with.path, Some(with.uid), None)?;
    listen(&socket, 16)?;
    loop {
        let link = match accept_with(&socket, SocketFlags::CLOEXEC) {
            Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => continue,
            other => other?,
        };
        while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
        let peer = sockopt::socket_peercred(&link)?.uid.as_raw();
        if peer != with.uid && peer != 0 {
            continue;
        }
        if process::fork()?.is_none() {
            let _ = rustix::process::setsid();
            // The listening socket must not outlive its owner in here.
            let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
            let keep = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd(), link.as_fd()];
            process::close_all_but(&keep)?;
            let roots = Some(with.bind_roots.clone());
            let served = desk::Desk::new(link, roots).and_then(|mut desk| desk.run());
            process::exit_now(i32::from(served.is_err()));
        }
    }
}
