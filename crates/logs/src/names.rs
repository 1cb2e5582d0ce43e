//! Names that strangers choose, and the keys they become. Each key begins with the namespace, which holds no `/`.

use anyfn_types::Namespace;

use crate::error::Fault;

/// 1–512 characters of `A-Za-z0-9._/#-`.
pub(crate) fn check_group(name: &str) -> Result<(), Fault> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._/#-".contains(&b);
    let right = !name.is_empty() && name.len() <= 512 && name.bytes().all(plain);
    if right { Ok(()) } else { Err(Fault::GroupName) }
}

/// 1–512 bytes without `:`, `*` and control characters.
pub(crate) fn check_stream(name: &str) -> Result<(), Fault> {
    let plain = |c: char| c != ':' && c != '*' && !c.is_control();
    let right = !name.is_empty() && name.len() <= 512 && name.chars().all(plain);
    if right { Ok(()) } else { Err(Fault::StreamName) }
}

/// The record of a group; prefix of all groups of a namespace if `name` is empty.
pub(crate) fn group_key(namespace: &Namespace, name: &str) -> String {
    format!("logs/g/{namespace}/{name}")
}

/// The record of a stream. `id` is the group's, so a group that is made anew never sees streams of the one before.
pub(crate) fn stream_key(namespace: &Namespace, id: &str, name: &str) -> String {
    format!("logs/s/{namespace}/{id}/{name}")
}

/// Up to which sequence number the stream records are right.
pub(crate) fn checkpoint_key(namespace: &Namespace, id: &str) -> String {
    format!("logs/c/{namespace}/{id}")
}

/// What is left to clean up of a group that was deleted.
pub(crate) fn grave_key(namespace: &Namespace, id: &str) -> String {
    format!("{GRAVES}{namespace}/{id}")
}

pub(crate) const GROUPS: &str = "logs/g/";
pub(crate) const GRAVES: &str = "logs/d/";

pub(crate) fn log_name(namespace: &Namespace, id: &str) -> String {
    format!("logs/{namespace}/{id}")
}

/// Namespace and the rest of a key below `prefix`.
pub(crate) fn split_key<'a>(key: &'a str, prefix: &str) -> Option<(Namespace, &'a str)> {
    let (namespace, rest) = key.strip_prefix(prefix)?.split_once('/')?;
    Some((Namespace::new(namespace).ok()?, rest))
}
