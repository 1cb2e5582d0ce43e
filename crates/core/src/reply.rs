//! What comes back from a function.

use anyfn_types::{Billing, Error, Failure, InvocationId};
use bytes::Bytes;
use tokio::sync::mpsc;

/// One piece of a streamed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    Data(Bytes),
    /// The stream broke after it had begun; nothing follows.
    Failed(Failure),
    /// The stream ended well; nothing follows. A channel that closes without this was cut.
    End,
}

/// The head of an HTTP answer, from contracts that speak HTTP with the function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplyHead {
    pub status: u16,
    /// Names in lower case, in the order they came, without those of the connection.
    pub headers: Vec<(String, Bytes)>,
}

/// The bytes of an answer.
#[derive(Debug)]
pub enum ReplyBody {
    Whole(Bytes),
    /// A bounded channel: a slow reader slows the guest down.
    Stream {
        /// As the function declared it.
        content_type: Option<String>,
        frames: mpsc::Receiver<Frame>,
    },
}

/// The answer of a call that reached the function.
#[derive(Debug)]
pub struct Reply {
    pub id: InvocationId,
    /// The version that ran; 0 is `$LATEST`.
    pub version: u64,
    pub result: Result<ReplyBody, Failure>,
    /// There if the function answered in HTTP.
    pub head: Option<Box<ReplyHead>>,
    /// None while a stream is still running.
    pub billing: Option<Billing>,
    /// The last 4 KiB of the call's log, if it was wanted.
    pub log_tail: Option<Bytes>,
}

/// What became of a call.
#[derive(Debug)]
pub enum Outcome {
    /// The function ran; whether it returned or failed is inside.
    Replied(Reply),
    /// Durable; it will run.
    Accepted(InvocationId),
    /// It could run (DryRun).
    WouldRun,
    /// The platform broke while the function ran: it may have run in part.
    Broken(Error),
}
