//! Pure rules of who may call.
//!
//! The problem: a request claims to come from somebody. Here it is proven or refused, by functions of their arguments
//! alone: no clock, no store, no socket. Whoever calls them brings the time and the key.
//!
//! Parts: `signature` reads and verifies AWS Signature Version 4 (headers and presigned queries), with `canonical` for
//! the text that is signed and `moment` for its dates; `chunks` goes on verifying while a signed stream comes in; `keys`
//! makes, keeps and compares access keys; `rules` decides what a caller may do; `attempts` slows down who guesses.
//! Must not know: which HTTP status a refusal becomes, where keys are kept, any function.

mod attempts;
mod canonical;
mod chunks;
mod keys;
mod moment;
mod rules;
mod signature;

pub use attempts::Attempts;
pub use chunks::Chunks;
pub use keys::{AccessKey, KeyId, Secret, StoredKey};
pub use moment::basic_date;
pub use rules::{Action, Caller, Decision, Resource, Rights, allow};
pub use signature::{Body, Credential, Family, Payload, Refusal, Request, Signed, Verified};
