//! Who calls. On a loopback address any signature is taken at its word; on any other, every request is verified.

mod basic;
mod keys;

use std::net::SocketAddr;

use anyfn_policy::{Caller, Credential, KeyId, Rights};
use anyfn_types::{Error, Kind};
use bytes::Bytes;
use http::{header::AUTHORIZATION, request::Parts};

pub use keys::Keys;

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
    /// Before a body is read: strangers without a known key send nothing past the head. Errors as of `identify`.
    pub(crate) fn admit(
        &self,
        parts: &Parts,
        trust: Trust,
        target: &Target,
        peer: SocketAddr,
    ) -> Result<(), Error> {
        match (trust, target) {
            (Trust::Local, _) | (_, Target::Url { .. } | Target::Code | Target::WhiskWeb) => Ok(()),
            (Trust::Keys, Target::Whisk) => self.basic(parts, peer).map(drop),
            (Trust::Keys, Target::Native) => self.bearer(parts, peer).map(drop),
            (Trust::Keys, _) => self.known_signer(parts, peer),
        }
    }

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
            (Trust::Local, Target::Whisk) => user(parts),
            (Trust::Local, Target::WhiskWeb) => Ok(user(parts).unwrap_or_else(|_| anonymous())),
            (Trust::Keys, Target::Whisk) => self.basic(parts, peer),
            // Browsers send what they like; whoever is not known is nobody.
            (Trust::Keys, Target::WhiskWeb) if !basic::there(parts) => Ok(anonymous()),
            (Trust::Keys, Target::WhiskWeb) => self.basic(parts, peer),
            (Trust::Local, _) => Ok(local(parts)),
            // A function's address and a package's one-time address decide for themselves whom they serve.
            (Trust::Keys, Target::Url { .. } | Target::Code) if !signed(parts) => Ok(anonymous()),
            (Trust::Keys, Target::Native) => self.bearer(parts, peer),
            (Trust::Keys, _) => self.verified(parts, body, peer),
        }
    }
}

fn signed(parts: &Parts) -> bool {
    parts.headers.contains_key(AUTHORIZATION)
        || parts.uri.query().is_some_and(|q| q.contains("X-Amz-Signature="))
}

fn anonymous() -> Identity {
    let caller = Caller {
        account: String::new(),
        key: KeyId(String::new()),
        rights: Rights { invoke: false, admin: false },
    };
    Identity { caller, service: None, region: None, body: None }
}

/// Takes the request at its word.
fn local(parts: &Parts) -> Identity {
    let credential = Credential::of(&as_signed(parts));
    let account = credential.as_ref().and_then(Credential::account).unwrap_or(DEFAULT_ACCOUNT).to_owned();
    let key = KeyId(credential.as_ref().map(|c| c.access_key.clone()).unwrap_or_default());
    let caller = Caller { account, key, rights: Rights { invoke: true, admin: true } };
    let (service, region) = credential.map_or((None, None), |c| (Some(c.service), Some(c.region)));
    Identity { caller, service, region, body: None }
}

/// Takes a basic `user:password` at its word: the user names the account.
fn user(parts: &Parts) -> Result<Identity, Error> {
    let (user, _) = basic::pair(parts).ok_or_else(|| unauthenticated("basic authentication is asked for"))?;
    let key = KeyId(user.clone());
    let caller = Caller { account: user, key, rights: Rights { invoke: true, admin: true } };
    Ok(Identity { caller, service: None, region: None, body: None })
}

/// The parts of a request that a signature speaks of.
fn as_signed(parts: &Parts) -> anyfn_policy::Request<'_> {
    anyfn_policy::Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
    }
}

fn unauthenticated(text: &str) -> Error {
    Error::new(Kind::Unauthenticated, "unauthenticated", text)
}
