//! Makes a self-describing document (JSON, CBOR) into the shape that the operation expects.
//!
//! Unknown members are dropped, as AWS does; wrong kinds are refused in AWS's words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::error::ServiceError;
use crate::schema::{Kind, Member, Service, Structure, TimestampFormat};
use crate::timestamp;
use crate::value::{Map, Timestamp, Value};

/// The document format that the value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Blobs are base64, special numbers are strings.
    Json,
    /// Blobs, times and special numbers have kinds of their own.
    Cbor,
}

/// `raw` as the shape of `member`.
pub(crate) fn fit(
    service: &Service,
    member: &Member,
    raw: Value,
    from: Format,
) -> Result<Value, ServiceError> {
    let shape = service.shape(member.shape);
    match (&shape.kind, raw) {
        (_, Value::Null) => Ok(Value::Null),
        (Kind::Structure(structure), raw) if structure.document => Ok(raw),
        (Kind::Structure(structure), Value::Map(map)) => fit_structure(service, structure, map, from),
        (Kind::List(item), Value::List(items)) => items
            .into_iter()
            .map(|raw| fit(service, item, raw, from))
            .collect::<Result<_, _>>()
            .map(Value::List),
        (Kind::Map(_, item), Value::Map(map)) => map
            .into_iter()
            .map(|(key, raw)| Ok((key, fit(service, item, raw, from)?)))
            .collect::<Result<_, _>>()
            .map(Value::Map),
        (Kind::Timestamp(format), raw) => {
            fit_timestamp(member.timestamp.or(*format).unwrap_or(TimestampFormat::EpochSeconds), raw)
        }
        (Kind::Int, Value::Int(value)) if i32::try_from(value).is_ok() => Ok(Value::Int(value)),
        (Kind::Long, Value::Int(value)) => Ok(Value::Int(value)),
        // Some clients write whole numbers as 3.0.
        (Kind::Int, Value::Float(value)) if value.fract() == 0.0 && value.abs() <= f64::from(i32::MAX) => {
            Ok(Value::Int(value as i64))
        }
        (Kind::Long, Value::Float(value)) if value.fract() == 0.0 && value.abs() < 9.2e18 => {
            Ok(Value::Int(value as i64))
        }
        (Kind::Float, Value::Float(value)) => Ok(Value::Float(value)),
        (Kind::Float, Value::Int(value)) => Ok(Value::Float(value as f64)),
        (Kind::Float, Value::Str(text)) if from == Format::Json => {
            special_float(&text).map(Value::Float).ok_or_else(|| mismatch(&Value::Str(text), "a Double"))
        }
        (Kind::String, Value::Str(text)) => Ok(Value::Str(text)),
        (Kind::Bool, Value::Bool(value)) => Ok(Value::Bool(value)),
        (Kind::Blob, Value::Blob(bytes)) => Ok(Value::Blob(bytes)),
        (Kind::Blob, Value::Str(text)) if from == Format::Json => base64_blob(&text),
        (kind, raw) => Err(mismatch(&raw, name_of(kind))),
    }
}

/// The members of a structure; also for the body part of a rest request, whose other members stand elsewhere.
pub(crate) fn fit_structure(
    service: &Service,
    structure: &Structure,
    mut raw: Map,
    from: Format,
) -> Result<Value, ServiceError> {
    let mut map = Map::new();
    for member in structure.members {
        match raw.swap_remove(member.wire_name()) {
            None | Some(Value::Null) => {}
            Some(value) => {
                map.insert(member.name.to_owned(), fit(service, member, value, from)?);
            }
        }
    }
    if structure.union && map.len() > 1 {
        return Err(ServiceError::serialization("Union value has more than one member set."));
    }
    Ok(Value::Map(map))
}

fn fit_timestamp(format: TimestampFormat, raw: Value) -> Result<Value, ServiceError> {
    let at: Option<Timestamp> = match &raw {
        Value::Timestamp(at) => Some(*at),
        Value::Int(seconds) => timestamp::from_seconds(*seconds as f64),
        Value::Float(seconds) => timestamp::from_seconds(*seconds),
        Value::Str(text) => {
            timestamp::read(text, format).or_else(|| timestamp::read(text, TimestampFormat::DateTime))
        }
        _ => None,
    };
    at.map(Value::Timestamp).ok_or_else(|| mismatch(&raw, "a Timestamp"))
}

pub(crate) fn base64_blob(text: &str) -> Result<Value, ServiceError> {
    STANDARD
        .decode(text)
        .map(|bytes| Value::Blob(Bytes::from(bytes)))
        .map_err(|_| ServiceError::serialization("Blob value is not valid base64."))
}

pub(crate) fn special_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

const fn name_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::Structure(_) | Kind::Map(..) => "a Map",
        Kind::List(_) => "a List",
        Kind::String => "a String",
        Kind::Bool => "a Boolean",
        Kind::Int => "an Integer",
        Kind::Long => "a Long",
        Kind::Float => "a Double",
        Kind::Blob => "a Blob",
        Kind::Timestamp(_) => "a Timestamp",
    }
}

fn mismatch(raw: &Value, wanted: &str) -> ServiceError {
    let found = match raw {
        Value::List(_) => return ServiceError::serialization("Start of list found where not expected"),
        Value::Map(_) => {
            return ServiceError::serialization("Start of structure or map found where not expected.");
        }
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Int(_) => "NUMBER_VALUE",
        Value::Float(_) => "DECIMAL_VALUE",
        Value::Null => "NULL_VALUE",
        Value::Str(_) => "STRING_VALUE",
        Value::Blob(_) => "BLOB_VALUE",
        Value::Timestamp(_) => "TIMESTAMP_VALUE",
    };
    ServiceError::serialization(format!("{found} can not be converted to {wanted}"))
}
