//! Packages by address. The address carries its own permission: a MAC over what it names and until when, with a key that
//! lives as long as the server does.

use anyfn_base::Random;
use anyfn_types::{Digest, Millis};
use anyfn_web::{Request, Response};
use hmac::{Hmac, Mac};
use http::{Method, StatusCode};
use sha2::Sha256;

use super::Shared;

#[cfg(test)]
mod tests;

const PREFIX: &str = "/_anyfn/code/";
/// Milliseconds that an address is good for; AWS's are good for ten minutes too.
const GOOD_FOR: Millis = 600_000;

pub(crate) struct CodeKey([u8; 32]);

impl CodeKey {
    pub(crate) fn new(random: &Random) -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(&random.u128().to_be_bytes());
        key[16..].copy_from_slice(&random.u128().to_be_bytes());
        Self(key)
    }

    fn mac(&self, digest: Digest, until: Millis) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(&digest.0);
        mac.update(&until.to_be_bytes());
        Some(mac)
    }

    /// An address on this server.
    pub(crate) fn address(&self, base_url: &str, digest: Digest, now: Millis) -> String {
        let until = now + GOOD_FOR;
        let token = self.mac(digest, until).map(|mac| hex::encode(mac.finalize().into_bytes()));
        format!("{base_url}{PREFIX}{digest}?until={until}&token={}", token.unwrap_or_default())
    }

    /// The package that an address names, if it is whole and still good.
    fn open(&self, path: &str, query: &str, now: Millis) -> Option<Digest> {
        let digest: Digest = path.strip_prefix(PREFIX)?.parse().ok()?;
        let field = |name: &str| query.split('&').filter_map(|p| p.split_once('=')).find(|(k, _)| *k == name);
        let until: Millis = field("until")?.1.parse().ok()?;
        let token = hex::decode(field("token")?.1).ok()?;
        // Compared in constant time.
        self.mac(digest, until)?.verify_slice(&token).ok()?;
        (now <= until).then_some(digest)
    }
}

pub(crate) async fn handle(shared: &Shared, request: &Request) -> Response {
    let uri = &request.parts.uri;
    let now = shared.services.base.clock.wall();
    let denied =
        || anyfn_web::text(StatusCode::FORBIDDEN, "text/plain", "the address is not valid, or no longer");
    if request.parts.method != Method::GET && request.parts.method != Method::HEAD {
        return anyfn_web::text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET it");
    }
    let Some(digest) = shared.code_key.open(uri.path(), uri.query().unwrap_or_default(), now) else {
        return denied();
    };
    match shared.services.artifacts.package(digest).await {
        Ok(Some(bytes)) => anyfn_web::text(StatusCode::OK, "application/zip", bytes),
        Ok(None) => anyfn_web::text(StatusCode::NOT_FOUND, "text/plain", "the package is gone"),
        Err(error) => {
            tracing::error!(?error, "package not read");
            anyfn_web::text(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "the package cannot be read")
        }
    }
}
