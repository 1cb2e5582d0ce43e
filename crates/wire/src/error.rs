//! What a service answers instead of an output, and what a request can be refused with before any handler sees it.

use std::borrow::Cow;
use std::fmt;

use crate::schema::Protocol;
use crate::value::Value;

/// An error in the words of one service. Protocols differ in how they write it, handlers do not see that.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceError {
    /// The code on the wire, for example `ResourceNotFoundException`.
    pub code: Cow<'static, str>,
    /// The modelled shape; empty for errors that the model does not list.
    pub shape: &'static str,
    /// HTTP status.
    pub status: u16,
    /// The caller's fault, as against the service's.
    pub sender: bool,
    /// For the caller to read. Goes into the shape's message member, whatever its case.
    pub message: String,
    /// Further members of the shape, by the model's names.
    pub members: Vec<(&'static str, Value)>,
}

impl ServiceError {
    /// An error that the model does not list; below 500 it is the caller's fault.
    #[must_use]
    pub fn unmodelled(code: impl Into<Cow<'static, str>>, status: u16, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            shape: "",
            status,
            sender: status < 500,
            message: message.into(),
            members: Vec::new(),
        }
    }

    /// Sets a member of the error's shape.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// The request's body could not be read as the operation's input.
    #[must_use]
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::unmodelled("SerializationException", 400, message)
    }

    /// The input breaks constraints of the model.
    #[must_use]
    pub fn validation(message: impl Into<String>) -> Self {
        Self::unmodelled("ValidationException", 400, message)
    }

    /// A fault of ours. The caller learns nothing more; the cause belongs in the log.
    #[must_use]
    pub fn internal() -> Self {
        Self::unmodelled("InternalFailure", 500, "An internal error occurred.")
    }

    /// An operation of the model that this server does not serve.
    #[must_use]
    pub fn not_served(operation: &str) -> Self {
        Self::unmodelled("NotImplementedException", 501, format!("{operation} is not served here."))
    }

    /// No such operation, in the words of `protocol`.
    #[must_use]
    pub fn unknown_operation(protocol: Protocol, name: &str, version: &str) -> Self {
        match protocol {
            Protocol::Query | Protocol::Ec2 if name.is_empty() => {
                Self::unmodelled("MissingAction", 400, "Missing Action")
            }
            Protocol::Query | Protocol::Ec2 => Self::unmodelled(
                "InvalidAction",
                400,
                format!("Could not find operation {name} for version {version}"),
            ),
            Protocol::RestJson | Protocol::RestXml | Protocol::Cbor => {
                Self::unmodelled("UnknownOperationException", 404, "")
            }
            Protocol::Json10 | Protocol::Json11 => Self::unmodelled("UnknownOperationException", 400, ""),
        }
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code, self.status, self.message)
    }
}

impl std::error::Error for ServiceError {}

/// A modelled error, ready to be said. Generated per service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorShape {
    pub shape: &'static str,
    pub code: &'static str,
    pub status: u16,
    pub sender: bool,
    /// The shape has a `Type` member, which says whose fault it was: `User` or `Service`.
    pub typed: bool,
}

impl ErrorShape {
    /// The error with this message.
    #[must_use]
    pub fn say(&self, message: impl Into<String>) -> ServiceError {
        let blame = if self.sender { "User" } else { "Service" };
        ServiceError {
            code: Cow::Borrowed(self.code),
            shape: self.shape,
            status: self.status,
            sender: self.sender,
            message: message.into(),
            members: if self.typed { vec![("Type", blame.into())] } else { Vec::new() },
        }
    }

    /// Whether `error` is of this shape.
    #[must_use]
    pub fn is(&self, error: &ServiceError) -> bool {
        error.shape == self.shape
    }
}

/// A request that no handler saw: which protocol to answer it in, and with what.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    pub protocol: Protocol,
    pub error: ServiceError,
}
