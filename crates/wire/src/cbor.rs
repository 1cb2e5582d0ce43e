//! The subset of CBOR (RFC 8949) that Smithy's RPC v2 uses, to and from [`Value`].

use bytes::Bytes;

use crate::schema::{Kind, Member, Service};
use crate::timestamp;
use crate::value::{Map, Value};

const MAX_DEPTH: usize = 128;
const EPOCH_TAG: u64 = 1;

/// Reads one value that fills all of `input`.
pub(crate) fn parse(input: &Bytes) -> Result<Value, String> {
    let mut reader = Reader { input, at: 0 };
    let value = reader.value(0)?;
    if reader.at == input.len() { Ok(value) } else { Err("bytes follow the value".to_owned()) }
}

struct Reader<'a> {
    input: &'a Bytes,
    at: usize,
}

/// The first byte of an item and its argument; `None` for an indefinite length.
struct Head {
    major: u8,
    minor: u8,
    argument: Option<u64>,
}

impl Reader<'_> {
    fn bytes(&mut self, len: u64) -> Result<Bytes, String> {
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
        let end = end.filter(|end| *end <= self.input.len()).ok_or("it ends too early")?;
        let bytes = self.input.slice(self.at..end);
        self.at = end;
        Ok(bytes)
    }

    fn head(&mut self) -> Result<Head, String> {
        let first = self.bytes(1)?[0];
        let (major, minor) = (first >> 5, first & 0x1f);
        let argument = match minor {
            0..=23 => Some(u64::from(minor)),
            24..=27 => {
                let bytes = self.bytes(1 << (minor - 24))?;
                Some(bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
            }
            31 if matches!(major, 2..=5 | 7) => None,
            _ => return Err("an item has a reserved length".to_owned()),
        };
        Ok(Head { major, minor, argument })
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        let head = self.head()?;
        self.after(&head, depth)
    }

    fn after(&mut self, head: &Head, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err("it is nested too deeply".to_owned());
        }
        match (head.major, head.argument) {
            (0, Some(n)) => Ok(i64::try_from(n).map_or(Value::Float(n as f64), Value::Int)),
            (1, Some(n)) => {
                Ok(i64::try_from(n).map_or(Value::Float(-1.0 - n as f64), |n| Value::Int(-1 - n)))
            }
            (2, _) => self.string(head).map(Value::Blob),
            (3, _) => {
                let bytes = self.string(head)?;
                let text = String::from_utf8(bytes.to_vec()).map_err(|_| "a text is not UTF-8")?;
                Ok(Value::Str(text))
            }
            (4, len) => self.list(len, depth),
            (5, len) => self.map(len, depth),
            (6, Some(tag)) => self.tagged(tag, depth),
            (7, argument) => simple(head.minor, argument.unwrap_or_default()),
            _ => Err("an item has a reserved form".to_owned()),
        }
    }

    /// Bytes or text, whole or in pieces.
    fn string(&mut self, head: &Head) -> Result<Bytes, String> {
        if let Some(len) = head.argument {
            return self.bytes(len);
        }
        let mut all = Vec::new();
        while let Some(piece) = self.unless_break()? {
            let Some(len) = piece.argument.filter(|_| piece.major == head.major) else {
                return Err("a string's piece is of another kind".to_owned());
            };
            all.extend_from_slice(&self.bytes(len)?);
        }
        Ok(Bytes::from(all))
    }

    /// The next head inside something of indefinite length; `None` at its end.
    fn unless_break(&mut self) -> Result<Option<Head>, String> {
        let head = self.head()?;
        Ok(if head.major == 7 && head.minor == 31 { None } else { Some(head) })
    }

    /// The next head of `left` items; nothing is reserved ahead, so a claimed length costs nothing.
    fn next(&mut self, left: &mut Option<u64>) -> Result<Option<Head>, String> {
        match left {
            None => self.unless_break(),
            Some(0) => Ok(None),
            Some(left) => {
                *left -= 1;
                self.head().map(Some)
            }
        }
    }

    fn list(&mut self, mut left: Option<u64>, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        while let Some(head) = self.next(&mut left)? {
            items.push(self.after(&head, depth + 1)?);
        }
        Ok(Value::List(items))
    }

    fn map(&mut self, mut left: Option<u64>, depth: usize) -> Result<Value, String> {
        let mut map = Map::new();
        while let Some(head) = self.next(&mut left)? {
            let Value::Str(key) = self.after(&head, depth + 1)? else {
                return Err("a map's key is not text".to_owned());
            };
            if map.insert(key, self.value(depth + 1)?).is_some() {
                return Err("a map has a key twice".to_owned());
            }
        }
        Ok(Value::Map(map))
    }

    fn tagged(&mut self, tag: u64, depth: usize) -> Result<Value, String> {
        let inner = self.value(depth + 1)?;
        if tag != EPOCH_TAG {
            return Ok(inner);
        }
        let seconds = match inner {
            Value::Int(seconds) => seconds as f64,
            Value::Float(seconds) => seconds,
            _ => return Err("a time is not a number".to_owned()),
        };
        timestamp::from_seconds(seconds)
            .map(Value::Timestamp)
            .ok_or_else(|| "a time is out of range".to_owned())
    }
}

fn simple(minor: u8, bits: u64) -> Result<Value, String> {
    Ok(match minor {
        20 => Value::Bool(false),
        21 => Value::Bool(true),
        22 | 23 => Value::Null,
        25 => Value::Float(half(bits)),
        26 => Value::Float(f64::from(f32::from_bits(u32::try_from(bits).unwrap_or_default()))),
        27 => Value::Float(f64::from_bits(bits)),
        _ => return Err("a simple value is not known".to_owned()),
    })
}

/// IEEE 754 binary16, as in RFC 8949, appendix D.
fn half(bits: u64) -> f64 {
    let (exponent, mantissa) = (bits >> 10 & 0x1f, (bits & 0x3ff) as f64);
    let value = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2f64.powi(i32::try_from(exponent).unwrap_or_default() - 25),
    };
    if bits & 0x8000 == 0 { value } else { -value }
}

/// Writes `value` as the shape of `member`.
pub(crate) fn write(service: &Service, member: &Member, value: &Value, out: &mut Vec<u8>) {
    match (&service.shape(member.shape).kind, value) {
        (Kind::Structure(structure), Value::Map(map)) if !structure.document => {
            let set = structure.members.iter().filter_map(|m| Some((m, map.get(m.name)?)));
            write_members(service, &set.collect::<Vec<_>>(), out);
        }
        (Kind::List(item), Value::List(items)) => {
            head(4, items.len() as u64, out);
            items.iter().for_each(|value| write(service, item, value, out));
        }
        (Kind::Map(_, item), Value::Map(map)) => {
            head(5, map.len() as u64, out);
            for (key, value) in map {
                text(key, out);
                write(service, item, value, out);
            }
        }
        _ => write_any(value, out),
    }
}

/// Writes the given members of a structure as one map; unset ones are left out.
pub(crate) fn write_members(service: &Service, members: &[(&Member, &Value)], out: &mut Vec<u8>) {
    let set = || members.iter().filter(|(_, value)| **value != Value::Null);
    head(5, set().count() as u64, out);
    for (member, value) in set() {
        text(member.wire_name(), out);
        write(service, member, value, out);
    }
}

/// Writes a value by its own kind.
pub(crate) fn write_any(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
        Value::Int(value) if *value < 0 => head(1, (-1 - *value).unsigned_abs(), out),
        Value::Int(value) => head(0, value.unsigned_abs(), out),
        Value::Float(value) => {
            out.push(0xfb);
            out.extend_from_slice(&value.to_bits().to_be_bytes());
        }
        Value::Str(value) => text(value, out),
        Value::Blob(bytes) => {
            head(2, bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
        Value::Timestamp(at) => {
            head(6, EPOCH_TAG, out);
            let whole = at.0 % 1_000_000 == 0;
            let seconds =
                if whole { Value::Int(at.0 / 1_000_000) } else { Value::Float(at.0 as f64 / 1_000_000.0) };
            write_any(&seconds, out);
        }
        Value::List(items) => {
            head(4, items.len() as u64, out);
            items.iter().for_each(|item| write_any(item, out));
        }
        Value::Map(map) => {
            head(5, map.len() as u64, out);
            for (key, item) in map {
                text(key, out);
                write_any(item, out);
            }
        }
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    head(3, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let bytes = argument.to_be_bytes();
    let (minor, tail) = match argument {
        0..=23 => (bytes[7], &bytes[8..]),
        24..=0xff => (24, &bytes[7..]),
        0x100..=0xffff => (25, &bytes[6..]),
        0x1_0000..=0xffff_ffff => (26, &bytes[4..]),
        _ => (27, &bytes[..]),
    };
    out.push(major << 5 | minor);
    out.extend_from_slice(tail);
}
