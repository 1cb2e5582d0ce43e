//! AWS's wire protocols, the server's side, over one description of shapes.
//!
//! The problem: six protocols write the same operations differently, and clients match on exact bytes: names, codes, messages.
//! Here every protocol is read into one [`Value`] and written from one, so that a handler sees typed inputs and nothing of HTTP.
//!
//! Parts: [`schema`] describes a service; [`load`] reads a description from a published model at run time (generated tables
//! need no reading); [`Api`] finds the operation, decodes, validates ([`Pattern`] for the model's regular expressions) and
//! writes answers and errors; [`Typed`] and [`structure!`] bridge to generated structs; [`eventstream`] frames streams.
//!
//! Must not know: any service's meaning, any state, any socket, who calls.

mod api;
mod cbor;
mod error;
pub mod eventstream;
mod fit;
pub mod fuzz;
mod json;
mod load;
mod query;
mod respond;
mod rest;
mod route;
mod scalar;
pub mod schema;
mod timestamp;
mod typed;
mod validate;
mod value;
mod xml;

pub use api::{Api, Call, Target};
pub use error::{ErrorShape, Rejection, ServiceError};
pub use load::{LoadError, load};
pub use typed::{Mismatch, Typed};
pub use validate::{Pattern, PatternError};
pub use value::{Map, Timestamp, Value};

#[doc(hidden)]
pub use typed::{members, put, show, take};
