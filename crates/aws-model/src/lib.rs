//! AWS's services as types, generated from the published API models by `cargo xtask codegen`.
//!
//! The problem: an operation's input, output and errors must be what the vendor's clients expect, for hundreds of shapes. So
//! nothing here is written by hand but the list of served operations, `operations.json`, and the macro behind [`service!`].
//!
//! Each service is a module with `SERVICE` (its description for [`Api`]), one struct per shape (every member an `Option`; what
//! the model requires has been checked before a handler runs), `error` (the modelled errors), and `Handler` + `dispatch`.
//!
//! ```
//! use anyfn_aws_model::{Api, Bytes, ServiceError, lambda};
//!
//! struct Functions;
//!
//! impl lambda::Handler<()> for Functions {
//!     async fn get_function(
//!         &self,
//!         _cx: (),
//!         input: lambda::GetFunctionRequest,
//!     ) -> Result<lambda::GetFunctionResponse, ServiceError> {
//!         let name = input.function_name.unwrap_or_default();
//!         Err(lambda::error::RESOURCE_NOT_FOUND.say(format!("Function not found: {name}")))
//!     }
//! }
//!
//! async fn serve(api: &Api, parts: http::request::Parts, body: Bytes, id: &str) -> http::Response<Bytes> {
//!     match api.accept(&parts, body) {
//!         Ok(call) => {
//!             let target = call.target;
//!             let result = lambda::dispatch(&Functions, (), call).await;
//!             api.answer(target, result, id)
//!         }
//!         Err(rejection) => api.reject(&rejection, id),
//!     }
//! }
//! ```
//!
//! Operations that stream their answer (`InvokeWithResponseStream`, `StartLiveTail`) are looked at before `dispatch`: take the
//! head of the answer from [`Api::answer`] with an output that has no payload, and send [`Api::event`] frames as its body.
//!
//! Must not know: what an operation does, any state, any socket.

mod generated;
mod service;

pub use anyfn_wire::{Api, Call, ErrorShape, Rejection, ServiceError, Target, Timestamp, Typed, Value};
pub use bytes::Bytes;
pub use generated::{lambda, logs, sts};

#[cfg(test)]
mod tests;
