//! Access keys: made from randomness that the caller brings, kept, compared in constant time. One key serves both
//! worlds: AWS clients sign with it, the native API takes it as `Bearer <id>.<secret>`.

use std::fmt;

use anyfn_types::Millis;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::rules::{Caller, Rights};

/// `AKIA` and 16 characters of `A-Z2-7`, as AWS's own look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub String);

/// The secret half. Never printed: `Debug` shows none of it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For signing, for the store, and once for its new owner.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Tells nothing by its time, not even the length: both are hashed first.
    pub fn matches(&self, guess: &str) -> bool {
        Sha256::digest(&self.0).ct_eq(&Sha256::digest(guess)).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A new key, to be shown to its owner once.
#[derive(Clone, Debug)]
pub struct AccessKey {
    pub id: KeyId,
    pub secret: Secret,
}

impl AccessKey {
    /// From 40 bytes of the kernel's randomness: 80 bits name it, 240 keep it.
    pub fn generate(random: &[u8; 40]) -> Self {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let (name, secret) = random.split_at(10);
        let bits = name.iter().fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
        let text = (0..16).rev().map(|i| char::from(ALPHABET[(bits >> (5 * i) & 31) as usize]));
        let id = KeyId("AKIA".chars().chain(text).collect());
        Self { id, secret: Secret(URL_SAFE_NO_PAD.encode(secret)) }
    }

    /// What the native API takes after `Authorization: Bearer `.
    pub fn bearer(&self) -> String {
        format!("{}.{}", self.id.0, self.secret.0)
    }
}

/// A key as it is kept. Signature Version 4 needs the secret itself at the verifier, so a hash would not do; whoever
/// stores this seals it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredKey {
    pub id: KeyId,
    pub secret: Secret,
    pub account: String,
    pub rights: Rights,
    pub created: Millis,
    #[serde(default)]
    pub revoked: Option<Millis>,
}

impl StoredKey {
    /// The caller this key stands for, once a signature was verified with its secret. None when it is revoked.
    pub fn caller(&self) -> Option<Caller> {
        let caller = || Caller { account: self.account.clone(), key: self.id.clone(), rights: self.rights };
        self.revoked.is_none().then(caller)
    }

    /// The id in an `Authorization` header's value, to look the key up. Nothing is proven by it.
    pub fn bearer_id(header: &str) -> Option<KeyId> {
        split_bearer(header).map(|(id, _)| KeyId(id.to_owned()))
    }

    /// Checks an `Authorization` header's value. With no key under the id, call `refuse_bearer`, which takes as long.
    pub fn check_bearer(&self, header: &str) -> Option<Caller> {
        let (id, guess) = split_bearer(header)?;
        let right = self.secret.matches(guess) & bool::from(self.id.0.as_bytes().ct_eq(id.as_bytes()));
        self.caller().filter(|_| right)
    }

    /// The work of a comparison, for nothing: an unknown id answers as late as a wrong secret.
    pub fn refuse_bearer(header: &str) -> Option<Caller> {
        let guess = split_bearer(header).map_or("", |(_, guess)| guess);
        std::hint::black_box(Secret(String::new()).matches(guess));
        None
    }
}

fn split_bearer(header: &str) -> Option<(&str, &str)> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().split_once('.')).flatten()
}

#[cfg(test)]
mod tests {
    use super::{AccessKey, StoredKey};
    use crate::rules::Rights;

    fn key() -> (AccessKey, StoredKey) {
        let fresh = AccessKey::generate(&std::array::from_fn(|i| u8::try_from(i * 6).unwrap()));
        let (id, secret) = (fresh.id.clone(), fresh.secret.clone());
        let rights = Rights { invoke: true, admin: false };
        (fresh, StoredKey { id, secret, account: "1".into(), rights, created: 0, revoked: None })
    }

    #[test]
    fn keys_look_like_keys_and_differ() {
        let (key, _) = key();
        assert_eq!((key.id.0.len(), key.secret.expose().len()), (20, 40));
        assert_eq!(key.id.0, "AKIAAADAYEQYDYSCUMBW");
        let other = AccessKey::generate(&[255; 40]);
        assert_eq!(other.id.0, "AKIA7777777777777777");
    }

    #[test]
    fn f10_a_wrong_bearer_key_is_refused_whatever_is_wrong() {
        let (fresh, stored) = key();
        let good = format!("Bearer {}", fresh.bearer());
        assert_eq!(StoredKey::bearer_id(&good), Some(fresh.id.clone()));
        assert_eq!(stored.check_bearer(&good).unwrap().key, fresh.id);
        assert!(stored.check_bearer(&good.replace("Bearer", "bearer")).is_some());
        let wrong_id = good.replace("AKIA", "AKIB");
        for bad in
            ["", "Bearer", "Bearer x", &good[..good.len() - 1], &format!("{good}x"), &wrong_id, "Basic eA=="]
        {
            assert!(stored.check_bearer(bad).is_none(), "{bad}");
            assert!(StoredKey::refuse_bearer(bad).is_none());
        }
    }

    #[test]
    fn f9_a_revoked_key_is_dead() {
        let (fresh, mut stored) = key();
        stored.revoked = Some(1);
        assert!(stored.check_bearer(&format!("Bearer {}", fresh.bearer())).is_none());
        assert!(stored.caller().is_none());
    }

    #[test]
    fn f6_debug_prints_no_secret() {
        let (fresh, stored) = key();
        assert!(!format!("{fresh:?}{stored:?}").contains(&fresh.secret.expose()[..8]));
    }
}
