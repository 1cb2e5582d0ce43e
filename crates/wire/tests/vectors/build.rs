//! Values from the vectors' own notation: blobs are plain text, times are epoch seconds, special numbers are text.

use anyfn_wire::schema::{Kind, Service, ShapeId};
use anyfn_wire::{Map, Timestamp, Value};
use serde_json::Value as Json;

/// The value of shape `id` that `json` stands for.
pub(crate) fn value(service: &Service, id: ShapeId, json: &Json) -> Value {
    match (&service.shape(id).kind, json) {
        (_, Json::Null) => Value::Null,
        (Kind::Structure(structure), json) if structure.document => any(json),
        (Kind::Structure(structure), Json::Object(members)) => Value::Map(
            members
                .iter()
                // A member that is null is one that is not set.
                .filter(|(_, json)| !json.is_null())
                .filter_map(|(name, json)| {
                    let member = structure.member(name)?;
                    Some((name.clone(), value(service, member.shape, json)))
                })
                .collect(),
        ),
        (Kind::List(item), Json::Array(items)) => {
            Value::List(items.iter().map(|json| value(service, item.shape, json)).collect())
        }
        (Kind::Map(_, item), Json::Object(entries)) => Value::Map(
            entries
                .iter()
                .map(|(key, json)| (key.clone(), value(service, item.shape, json)))
                .collect::<Map>(),
        ),
        (Kind::Timestamp(_), Json::Number(seconds)) => Value::Timestamp(Timestamp::from_millis(
            (seconds.as_f64().expect("a number") * 1000.0).round() as i64,
        )),
        (Kind::Blob, Json::String(text)) => Value::Blob(text.clone().into()),
        (Kind::Float, Json::String(text)) => {
            Value::Float(text.replace("Infinity", "inf").parse().expect("a number"))
        }
        (Kind::Float, Json::Number(number)) => Value::Float(number.as_f64().expect("a number")),
        (_, json) => any(json),
    }
}

fn any(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Float(number.as_f64().expect("a number")), Value::Int)
        }
        Json::String(text) => Value::Str(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(any).collect()),
        Json::Object(entries) => {
            Value::Map(entries.iter().map(|(key, json)| (key.clone(), any(json))).collect())
        }
    }
}

/// Equal, with NaN equal to itself and maps in any order.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => {
            a == b || a.is_nan() && b.is_nan() || (*a as f32) == (*b as f32)
        }
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}
