//! One error at every port: what the reader must do (`kind`), whose fault it was (`blame`), a stable `code`, and a text
//! that may be shown to a caller (`public`). What may not be shown travels as `source` and is only logged.

use std::fmt;

/// What the reader of the error must do. HTTP statuses are chosen from this only in a dialect's `encode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Fix the request: it can never succeed as it is.
    Invalid,
    /// Name something that exists.
    NotFound,
    /// Read again, then decide: it exists already, or it changed meanwhile.
    Conflict,
    /// A condition the caller gave (a revision) does not hold.
    Precondition,
    /// Sign in, or sign correctly.
    Unauthenticated,
    /// Ask for permission.
    Denied,
    /// Send less: a size limit.
    TooLarge,
    /// Back off: a rate or concurrency limit.
    Throttled,
    /// Retry later: not ready yet, draining, or out of space.
    Unavailable,
    /// Retry, perhaps with more time.
    Timeout,
    /// Not built, or not possible on this host.
    Unsupported,
    /// Report it: a fault of the platform.
    Internal,
}

/// Whose fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    Caller,
    Function,
    Platform,
}

/// The error of every port.
pub struct Error {
    pub kind: Kind,
    pub blame: Blame,
    /// Stable and documented under `docs/errors/`, for example `function_not_found`.
    pub code: &'static str,
    /// May be shown to the caller. Never holds a path of the host, a secret, or another tenant's name.
    pub public: String,
    /// For the log only.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(kind: Kind, code: &'static str, public: impl Into<String>) -> Self {
        let blame = match kind {
            Kind::Unavailable | Kind::Internal | Kind::Timeout | Kind::Unsupported => Blame::Platform,
            _ => Blame::Caller,
        };
        Self { kind, blame, code, public: public.into(), source: None }
    }

    pub fn invalid(code: &'static str, public: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, code, public)
    }

    pub fn not_found(code: &'static str, public: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, code, public)
    }

    /// A fault of the platform. The cause goes to the log; the caller only learns that it was not theirs.
    pub fn internal(code: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Kind::Internal, code, "an internal error occurred").caused_by(source)
    }

    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    #[must_use]
    pub fn blame(mut self, blame: Blame) -> Self {
        self.blame = blame;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.public)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?} {}: {}", self.kind, self.blame, self.code, self.public)?;
        let mut source = self.source.as_deref().map(|s| s as &dyn std::error::Error);
        while let Some(cause) = source {
            write!(f, " <- {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|s| s as &(dyn std::error::Error + 'static))
    }
}
