//! What can go wrong when an instance is attached; everything later is a refused or ended flow, not an error.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The descriptor cannot be made non-blocking or be waited for.
    #[error("the guest's network device cannot be used: {0}")]
    Device(#[source] io::Error),
    /// The server is shutting down.
    #[error("the server is stopping")]
    Stopping,
}

impl From<AttachError> for anyfn_types::Error {
    fn from(error: AttachError) -> Self {
        match error {
            AttachError::Device(_) => Self::internal("egress_device", error),
            AttachError::Stopping => {
                Self::new(anyfn_types::Kind::Unavailable, "stopping", "the server is shutting down")
            }
        }
    }
}
