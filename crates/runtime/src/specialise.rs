//! The two frames that make a forked child a version's (`bootstrap/anyfn_specialise.py`, `bootstrap/specialise.cjs`).
//!
//! Framed as in `link.rs`. To the child: `SPECIALISE`: `u8 flags` (1: say whether the function brings modules that are
//! loaded already), then the whole environment, each `NAME=value` ended by a NUL; `GO`, empty, once the sandbox is
//! furnished. A child that is forked ahead is first told to `WAIT`, empty, and has time to rehearse. From the child, if it was asked: `ACCEPT`, or `DECLINE` with the names.

use std::io;

use bytes::BufMut as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

const SPECIALISE: u8 = 2;
const GO: u8 = 3;
const ACCEPT: u8 = 25;
const DECLINE: u8 = 26;

const CHECK: u8 = 1;
/// Names that a child may give as its reason, in bytes.
const REASON_MAX: usize = 1024;

/// The first word to a child that is forked ahead.
pub(crate) const WAIT: &[u8] = &[1, 0, 0, 0, 4];

/// `SPECIALISE`.
pub(crate) fn frame(env: &[(String, String)], check: bool) -> io::Result<Vec<u8>> {
    let size: usize = env.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let mut frame = Vec::with_capacity(6 + size);
    frame.put_u32_le(u32::try_from(size + 2).map_err(io::Error::other)?);
    frame.put_u8(SPECIALISE);
    frame.put_u8(if check { CHECK } else { 0 });
    for (name, value) in env {
        // No process can have such a variable.
        if name.contains(['=', '\0']) || value.contains('\0') {
            return Err(io::Error::other("a variable that no process can have"));
        }
        frame.put_slice(name.as_bytes());
        frame.put_u8(b'=');
        frame.put_slice(value.as_bytes());
        frame.put_u8(0);
    }
    Ok(frame)
}

/// The folders are there.
pub(crate) async fn go(link: &mut UnixStream) -> io::Result<()> {
    link.write_all(&[1, 0, 0, 0, GO]).await
}

/// What a child that was asked says: `Some(names)` if the function brings modules that are loaded already.
pub(crate) async fn verdict(link: &mut UnixStream) -> io::Result<Option<String>> {
    let length = usize::try_from(link.read_u32_le().await?).map_err(io::Error::other)?;
    let kind = link.read_u8().await?;
    if length == 0 || length > REASON_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut names = vec![0; length - 1];
    link.read_exact(&mut names).await?;
    match kind {
        ACCEPT => Ok(None),
        DECLINE => Ok(Some(String::from_utf8_lossy(&names).into_owned())),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests;
