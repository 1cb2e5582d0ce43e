//! A stream as a whole answer, within a limit.

use anyfn_core::Frame;
use anyfn_types::Failure;
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

/// Reads a stream to its end.
pub(crate) async fn collect(mut frames: mpsc::Receiver<Frame>, most: u64) -> Result<Bytes, Failure> {
    let mut all = BytesMut::new();
    loop {
        match frames.recv().await {
            Some(Frame::Data(bytes)) if (all.len() + bytes.len()) as u64 > most => {
                return Err(too_large(most));
            }
            Some(Frame::Data(bytes)) => all.extend_from_slice(&bytes),
            Some(Frame::End) => return Ok(all.freeze()),
            Some(Frame::Failed(failure)) => return Err(failure),
            None => return Err(cut()),
        }
    }
}

fn failure(error_type: &str, message: &str) -> Failure {
    let payload = serde_json::json!({ "errorType": error_type, "errorMessage": message });
    Failure {
        handled_by_runtime: false,
        error_type: error_type.to_owned(),
        payload: payload.to_string().into(),
    }
}

fn too_large(most: u64) -> Failure {
    let text = format!("Response payload size exceeded maximum allowed payload size ({most} bytes).");
    failure("Function.ResponseSizeTooLarge", &text)
}

fn cut() -> Failure {
    failure("Runtime.TruncatedResponse", "the response ended before it was complete")
}
