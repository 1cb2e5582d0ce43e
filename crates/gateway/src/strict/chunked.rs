//! The chunked coding (RFC 9112 §7.1), without white space and with small extensions.
//!
//! Every byte is decided when it is seen, so what was let through is always the beginning of a well-formed body and
//! nothing has to be held back.

use super::Refusal;

/// Hexadecimal digits of a chunk's size: 60 bits, which no server reads as negative.
const DIGITS: u8 = 15;
/// Bytes of extensions of one chunk.
const EXTENSION: usize = 256;
/// Bytes of extensions of one body.
const EXTENSIONS: usize = 8 * 1024;
/// Bytes of trailers.
const TRAILERS: usize = 8 * 1024;
/// Lines of trailers.
const TRAILER_LINES: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    LineStart,
    Name,
    Value,
    LineLf,
    EndLf,
    End,
}

#[derive(Debug)]
pub(crate) struct Chunked {
    at: At,
    digits: u8,
    left: u64,
    extension: usize,
    extensions: usize,
    trailers: usize,
    lines: usize,
}

impl Chunked {
    pub(crate) fn new() -> Self {
        Self { at: At::Size, digits: 0, left: 0, extension: 0, extensions: 0, trailers: 0, lines: 0 }
    }

    pub(crate) fn is_end(&self) -> bool {
        self.at == At::End
    }

    /// How many of `bytes` belong to the body; fewer than all where it ends or where something is wrong.
    pub(crate) fn admit(&mut self, bytes: &[u8]) -> (usize, Option<Refusal>) {
        let mut seen = 0;
        while self.at != At::End {
            if self.at == At::Data {
                let taken = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len() - seen);
                seen += taken;
                self.left -= taken as u64;
                if self.left > 0 {
                    break;
                }
                self.at = At::DataCr;
            }
            let Some(byte) = bytes.get(seen) else { break };
            match self.step(*byte) {
                Ok(next) => self.at = next,
                Err(refusal) => return (seen, Some(refusal)),
            }
            seen += 1;
        }
        (seen, None)
    }

    fn step(&mut self, byte: u8) -> Result<At, Refusal> {
        match self.at {
            At::Size => self.size(byte),
            At::Extension => self.extension(byte),
            At::SizeLf => self.size_end(byte),
            At::Data | At::DataCr => expect(byte, b'\r', At::DataLf),
            At::DataLf => {
                (self.digits, self.extension) = (0, 0);
                expect(byte, b'\n', At::Size)
            }
            At::LineStart | At::Name | At::Value => self.trailer(byte),
            At::LineLf => expect(byte, b'\n', At::LineStart),
            At::EndLf | At::End => expect(byte, b'\n', At::End),
        }
    }

    fn size(&mut self, byte: u8) -> Result<At, Refusal> {
        if let Some(digit) = char::from(byte).to_digit(16) {
            if self.digits == DIGITS {
                return Err(Refusal::bad("chunk_size"));
            }
            self.left = if self.digits == 0 { 0 } else { self.left << 4 } | u64::from(digit);
            self.digits += 1;
            return Ok(At::Size);
        }
        match byte {
            _ if self.digits == 0 => Err(Refusal::bad("chunk_size")),
            b'\r' => Ok(At::SizeLf),
            b';' => Ok(At::Extension),
            _ => Err(Refusal::bad("chunk_size")),
        }
    }

    fn extension(&mut self, byte: u8) -> Result<At, Refusal> {
        match byte {
            b'\r' => return Ok(At::SizeLf),
            b'\t' | b' '..=b'~' => {}
            _ => return Err(Refusal::bad("chunk_extension")),
        }
        self.extension += 1;
        self.extensions += 1;
        if self.extension > EXTENSION || self.extensions > EXTENSIONS {
            return Err(Refusal::bad("chunk_extension"));
        }
        Ok(At::Extension)
    }

    fn size_end(&mut self, byte: u8) -> Result<At, Refusal> {
        expect(byte, b'\n', if self.left == 0 { At::LineStart } else { At::Data })
    }

    fn trailer(&mut self, byte: u8) -> Result<At, Refusal> {
        self.trailers += 1;
        if self.trailers > TRAILERS {
            return Err(Refusal::too_large("trailers"));
        }
        match (self.at, byte) {
            (At::LineStart, b'\r') => Ok(At::EndLf),
            (At::LineStart, _) if super::head::is_token(byte) => {
                self.lines += 1;
                if self.lines > TRAILER_LINES { Err(Refusal::too_large("trailers")) } else { Ok(At::Name) }
            }
            (At::Name, b':') => Ok(At::Value),
            (At::Name, _) if super::head::is_token(byte) => Ok(At::Name),
            (At::Value, b'\r') => Ok(At::LineLf),
            (At::Value, _) if super::head::is_value(byte) => Ok(At::Value),
            _ => Err(Refusal::bad("trailers")),
        }
    }
}

fn expect(byte: u8, wanted: u8, next: At) -> Result<At, Refusal> {
    if byte == wanted { Ok(next) } else { Err(Refusal::bad("chunk_line_end")) }
}
