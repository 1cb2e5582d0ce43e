//! What can go wrong when an instance is attached; everything later is a refused or ended flow, not an error.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The descriptor cannot be made non-blocking or be waited for.
    #[error("the guest's network device cannot be used: {0}")]
    Device(#[source] io::Error),
    /// The server is shutting down.
    #[error("the server is stopping")]
    Stopping,
}

impl From<Error> for anyfn_types::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Device(_) => Self::internal("egress_device", error),
            Error::Stopping => {
                Self::new(anyfn_types::Kind::Unavailable, "stopping", "the server is shutting down")
            }
        }
    }
}
