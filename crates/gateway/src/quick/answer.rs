//! Heads of answers as bytes (RFC 9112 §4, §6).

use anyfn_base::Clock;
use http::{StatusCode, header, response::Parts};

/// How an answer's body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framed {
    Nothing,
    Length(u64),
    Chunked,
}

/// Writes heads; what they share is kept between them.
#[derive(Debug, Default)]
pub(super) struct Heads {
    pub(super) out: Vec<u8>,
    /// The second that `date` says.
    second: u64,
    date: String,
}

impl Heads {
    /// Writes a head over `out` and says how its body goes.
    pub(super) fn write(
        &mut self,
        parts: &Parts,
        exact: Option<u64>,
        (asked_head, last): (bool, bool),
        clock: &Clock,
    ) -> Framed {
        self.out.clear();
        self.out.extend_from_slice(b"HTTP/1.1 ");
        self.out.extend_from_slice(parts.status.as_str().as_bytes());
        self.out.push(b' ');
        self.out.extend_from_slice(parts.status.canonical_reason().unwrap_or_default().as_bytes());
        self.out.extend_from_slice(b"\r\n");
        let (mut dated, mut declared) = (false, None);
        for (name, value) in &parts.headers {
            match *name {
                // These are the connection's, and it speaks for itself.
                header::CONNECTION | header::TRANSFER_ENCODING => continue,
                header::CONTENT_LENGTH => {
                    declared = value.to_str().ok().and_then(|text| text.parse().ok());
                    continue;
                }
                header::DATE => dated = true,
                _ => {}
            }
            self.header(name.as_str().as_bytes(), value.as_bytes());
        }
        if !dated {
            self.date(clock);
        }
        if last {
            self.header(b"connection", b"close");
        }
        let framed = self.length(parts.status, exact, declared, asked_head);
        self.out.extend_from_slice(b"\r\n");
        framed
    }

    fn header(&mut self, name: &[u8], value: &[u8]) {
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(b": ");
        self.out.extend_from_slice(value);
        self.out.extend_from_slice(b"\r\n");
    }

    fn length(
        &mut self,
        status: StatusCode,
        exact: Option<u64>,
        declared: Option<u64>,
        asked_head: bool,
    ) -> Framed {
        if status.is_informational() || status == StatusCode::NO_CONTENT {
            return Framed::Nothing;
        }
        let silent = asked_head || status == StatusCode::NOT_MODIFIED;
        // What a silent answer declares is the length of a body that it does not have.
        let length = if silent { declared.or(exact.filter(|n| *n > 0)) } else { exact.or(declared) };
        match length {
            Some(length) => {
                self.header(b"content-length", length.to_string().as_bytes());
                if silent || length == 0 { Framed::Nothing } else { Framed::Length(length) }
            }
            None if silent => Framed::Nothing,
            None => {
                self.header(b"transfer-encoding", b"chunked");
                Framed::Chunked
            }
        }
    }

    fn date(&mut self, clock: &Clock) {
        let second = clock.wall() / 1000;
        if second != self.second || self.date.is_empty() {
            (self.second, self.date) = (second, http_date(second));
        }
        self.out.extend_from_slice(b"date: ");
        self.out.extend_from_slice(self.date.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
fn http_date(second: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let iso = anyfn_base::iso_millis(second * 1000);
    let part = |range: std::ops::Range<usize>| iso.get(range).unwrap_or_default();
    let weekday = DAYS[usize::try_from(second / 86_400 % 7).unwrap_or(0)];
    let month =
        part(5..7).parse::<usize>().ok().and_then(|m| MONTHS.get(m.wrapping_sub(1))).unwrap_or(&"Jan");
    format!("{weekday}, {} {month} {} {} GMT", part(8..10), part(0..4), part(11..19))
}

#[cfg(test)]
mod tests;
