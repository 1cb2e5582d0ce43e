//! Who calls. On a loopback address any signature is taken at its word; on any other, every request is verified.

mod keys;
mod wrong;

use std::net::SocketAddr;

use anyfn_policy::{Caller, Rights};
use anyfn_types::{Error, Kind};
use bytes::Bytes;
use http::{header::AUTHORIZATION, request::Parts};

pub use keys::{Keys, StoredKey};

use crate::route::Target;

/// Whether callers of a listener are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// A loopback address: any well-formed key is accepted, a 12-digit one names the account.
    Local,
    /// Signatures and keys are checked.
    Keys,
}

/// What a request says about itself, checked.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) caller: Caller,
    pub(crate) service: Option<String>,
    pub(crate) region: Option<String>,
    /// The body without its signing frames, where it came in such.
    pub(crate) body: Option<Bytes>,
}

/// The account of local callers whose key names none.
pub(crate) const DEFAULT_ACCOUNT: &str = "000000000000";

impl Keys {
    /// Errors: `unauthenticated` and SigV4's own codes.
    pub(crate) async fn identify(
        &self,
        parts: &Parts,
        body: &Bytes,
        trust: Trust,
        target: &Target,
        peer: SocketAddr,
    ) -> Result<Identity, Error> {
        match (trust, target) {
            (Trust::Local, _) => Ok(local(parts)),
            // A function's address and a package's one-time address decide for themselves whom they serve.
            (Trust::Keys, Target::Url { .. } | Target::Code) if !signed(parts) => Ok(anonymous()),
            (Trust::Keys, Target::Native) => self.bearer(parts, peer),
            (Trust::Keys, _) => self.verified(parts, body, peer).await,
        }
    }
}

fn signed(parts: &Parts) -> bool {
    parts.headers.contains_key(AUTHORIZATION)
        || parts.uri.query().is_some_and(|q| q.contains("X-Amz-Signature="))
}

fn anonymous() -> Identity {
    let caller = Caller { account: String::new(), key: None, rights: Rights { invoke: false, admin: false } };
    Identity { caller, service: None, region: None, body: None }
}

/// Takes the request at its word.
fn local(parts: &Parts) -> Identity {
    let credential = anyfn_policy::Credential::of(parts);
    let account = credential.as_ref().map(|c| c.access_key.as_str());
    let account = account.filter(|key| key.len() == 12 && key.bytes().all(|b| b.is_ascii_digit()));
    let caller = Caller {
        account: account.unwrap_or(DEFAULT_ACCOUNT).to_owned(),
        key: credential.as_ref().map(|c| c.access_key.clone()),
        rights: Rights { invoke: true, admin: true },
    };
    let (service, region) = credential.map_or((None, None), |c| (Some(c.service), Some(c.region)));
    Identity { caller, service, region, body: None }
}

fn unauthenticated(text: &str) -> Error {
    Error::new(Kind::Unauthenticated, "unauthenticated", text)
}
