//! Why a connection ends, and the last words on it.

use bytes::Bytes;

/// What was wrong with a stranger's bytes. `reason` is a metric's label: from this room's own list, never from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
}

impl Refusal {
    pub(crate) const fn bad(reason: &'static str) -> Self {
        Self { status: 400, reason }
    }

    pub(crate) const fn too_large(reason: &'static str) -> Self {
        Self { status: 431, reason }
    }

    pub(crate) const URI: Self = Self { status: 414, reason: "uri_too_long" };
    pub(crate) const SLOW: Self = Self { status: 408, reason: "head_timeout" };

    /// The whole answer.
    pub(crate) fn answer(self) -> Bytes {
        let Self { status, reason } = self;
        let phrase = match status {
            408 => "Request Timeout",
            414 => "URI Too Long",
            431 => "Request Header Fields Too Large",
            _ => "Bad Request",
        };
        let length = reason.len() + 1;
        Bytes::from(format!(
            "HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{reason}\n"
        ))
    }
}
