//! As much of a DNS message (RFC 1035, 4.1) as a forwarder must understand: the header, and the one question.

const HEADER: usize = 12;
/// QR, the bit that makes a message an answer; in byte 2.
const ANSWER: u8 = 0x80;
/// TC, "ask again over TCP"; in byte 2.
const TRUNCATED: u8 = 0x02;
/// OPCODE and RD stay as asked; in byte 2.
const KEPT: u8 = 0x79;
/// RA; in byte 3.
const RECURSES: u8 = 0x80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    ServerFailure = 2,
    NoSuchName = 3,
    Refused = 5,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question<'a> {
    /// The header and the question section, nothing after it.
    head: &'a [u8],
    /// Lower case, labels joined by dots, without a final one. Bytes that are no text are `?`.
    name: String,
}

impl<'a> Question<'a> {
    /// None for anything but a plain query with one question whose name is not compressed.
    pub(super) fn parse(message: &'a [u8]) -> Option<Self> {
        let header = message.get(..HEADER)?;
        let plain_query = header[2] & (ANSWER | 0x78) == 0;
        if !plain_query || header[4..6] != [0, 1] {
            return None;
        }
        let (name, end) = read_name(message)?;
        // type and class
        let head = message.get(..end + 4)?;
        Some(Self { head, name })
    }

    /// The name is one of these, or below one of these.
    pub(super) fn is_below(&self, names: &[String]) -> bool {
        names.iter().any(|denied| {
            let above = self.name.strip_suffix(denied.as_str());
            above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
        })
    }

    pub(super) fn refuse(&self, code: Code) -> Vec<u8> {
        let mut answer = self.head.to_vec();
        answer[2] = (answer[2] & KEPT) | ANSWER;
        answer[3] = RECURSES | code as u8;
        answer[6..HEADER].fill(0);
        answer
    }

    /// The same id and the same question, letters in any case.
    pub(super) fn is_answered_by(&self, message: &[u8]) -> bool {
        let Some(head) = message.get(..self.head.len()) else { return false };
        head[..2] == self.head[..2]
            && head[2] & ANSWER != 0
            && head[4..6] == [0, 1]
            && head[HEADER..].eq_ignore_ascii_case(&self.head[HEADER..])
    }
}

/// An answer that does not fit, cut to its question and marked, so that the guest asks over TCP.
pub(super) fn truncated(answer: &[u8]) -> Option<Vec<u8>> {
    let (_, end) = read_name(answer)?;
    let mut cut = answer.get(..end + 4)?.to_vec();
    cut[2] |= TRUNCATED;
    cut[6..HEADER].fill(0);
    Some(cut)
}

/// The first question's name and where it ends.
fn read_name(message: &[u8]) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut at = HEADER;
    loop {
        let len = usize::from(*message.get(at)?);
        at += 1;
        if len == 0 {
            return Some((name, at));
        }
        // 64 and more is compression or reserved; a name has at most 255 bytes
        if len > 63 || at + len > HEADER + 255 {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        let label = message.get(at..at + len)?;
        name.extend(label.iter().map(|b| {
            if b.is_ascii_graphic() && *b != b'.' { char::from(b.to_ascii_lowercase()) } else { '?' }
        }));
        at += len;
    }
}
