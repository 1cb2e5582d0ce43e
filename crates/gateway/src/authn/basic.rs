//! Basic authentication (RFC 7617): `user:password`, where the user is a key's id and the password its secret.

use std::net::SocketAddr;

use anyfn_types::Error;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{header::AUTHORIZATION, request::Parts};

use super::{Identity, Keys};

fn encoded(parts: &Parts) -> Option<&str> {
    let (scheme, text) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| text.trim())
}

/// Whether the request tries it at all.
pub(super) fn there(parts: &Parts) -> bool {
    encoded(parts).is_some()
}

/// User and password, neither empty.
pub(super) fn pair(parts: &Parts) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(encoded(parts)?).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    (!user.is_empty() && !password.is_empty()).then(|| (user.to_owned(), password.to_owned()))
}

impl Keys {
    /// # Errors
    /// `unauthenticated`, `too_many_wrong_keys`.
    pub(super) fn basic(&self, parts: &Parts, peer: SocketAddr) -> Result<Identity, Error> {
        let (user, password) = pair(parts).unwrap_or_default();
        self.keyed(
            &format!("Bearer {user}.{password}"),
            peer,
            "the user is a key's id, the password its secret",
        )
    }
}
