//! JSON text to and from [`Value`]: strict where a stranger's bytes come in (depth, duplicate keys, huge numbers).

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::schema::{Kind, Member, Service, TimestampFormat};
use crate::timestamp;
use crate::value::{Map, Value};

/// Reads any JSON value. Nesting is bounded by `serde_json` (128), a key may stand in an object only once, and a number
/// must fit into 64 bits or a finite double.
pub(crate) fn parse(text: &[u8]) -> Result<Value, String> {
    serde_json::from_slice::<Raw>(text).map(|raw| raw.0).map_err(|error| error.to_string())
}

struct Raw(Value);

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any).map(Raw)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Str(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Raw(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Raw(value))) = entries.next_entry::<String, Raw>()? {
            if let Some(_first) = map.insert(key, value) {
                return Err(A::Error::custom("duplicate key in object"));
            }
        }
        Ok(Value::Map(map))
    }
}

/// Writes `value` as the shape of `member`.
pub(crate) fn write(service: &Service, member: &Member, value: &Value, out: &mut String) {
    let shape = service.shape(member.shape);
    match (&shape.kind, value) {
        (Kind::Structure(structure), Value::Map(map)) if !structure.document => {
            let set = structure.members.iter().filter_map(|m| Some((m, map.get(m.name)?)));
            write_members(service, set, out);
        }
        (Kind::List(item), Value::List(items)) => {
            out.push('[');
            for (at, value) in items.iter().enumerate() {
                comma(at, out);
                write(service, item, value, out);
            }
            out.push(']');
        }
        (Kind::Map(_, item), Value::Map(map)) => {
            out.push('{');
            for (at, (key, value)) in map.iter().enumerate() {
                comma(at, out);
                write_str(key, out);
                out.push(':');
                write(service, item, value, out);
            }
            out.push('}');
        }
        (Kind::Timestamp(format), Value::Timestamp(at)) => {
            let format = member.timestamp.or(*format).unwrap_or(TimestampFormat::EpochSeconds);
            let text = timestamp::write(*at, format);
            if format == TimestampFormat::EpochSeconds { out.push_str(&text) } else { write_str(&text, out) }
        }
        _ => write_any(value, out),
    }
}

/// Writes the given members of a structure as one object; unset ones are left out.
pub(crate) fn write_members<'a>(
    service: &Service,
    members: impl Iterator<Item = (&'a Member, &'a Value)>,
    out: &mut String,
) {
    out.push('{');
    for (at, (member, value)) in members.filter(|(_, value)| **value != Value::Null).enumerate() {
        comma(at, out);
        write_str(member.wire_name(), out);
        out.push(':');
        write(service, member, value, out);
    }
    out.push('}');
}

/// Writes a value by its own kind.
pub(crate) fn write_any(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => _ = write!(out, "{value}"),
        Value::Float(value) => write_float(*value, out),
        Value::Str(text) => write_str(text, out),
        Value::Blob(bytes) => write_str(&STANDARD.encode(bytes), out),
        Value::Timestamp(at) => out.push_str(&timestamp::write(*at, TimestampFormat::EpochSeconds)),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                comma(at, out);
                write_any(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (at, (key, item)) in map.iter().enumerate() {
                comma(at, out);
                write_str(key, out);
                out.push(':');
                write_any(item, out);
            }
            out.push('}');
        }
    }
}

fn comma(at: usize, out: &mut String) {
    if at > 0 {
        out.push(',');
    }
}

/// JSON has no infinities; the protocols put them into strings.
fn write_float(value: f64, out: &mut String) {
    if value.is_finite() { _ = write!(out, "{value:?}") } else { write_str(&float_text(value), out) }
}

/// A double as AWS writes it in text.
pub(crate) fn float_text(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        format!("{value}")
    }
}

fn write_str(text: &str, out: &mut String) {
    // Serialising a str into a String cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
