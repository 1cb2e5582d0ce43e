//! Every unsafe block of the room: system calls that have no safe wrapper. Each function is small, checks what it is
//! given and returns `io::Result`.

pub(crate) mod device;
pub(crate) mod mount;
pub(crate) mod process;

use std::io;

/// The result of a raw system call that returns -1 on an error.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
