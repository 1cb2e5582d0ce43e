//! Members that the core does not understand are kept as JSON and given back as they came.

use anyfn_wire::{Map, Typed, Value};
use serde_json::Value as Json;

/// A structure as JSON by the model's member names. Blobs and times do not occur in what is kept.
pub(crate) fn keep<T: Typed>(value: T) -> Json {
    to_json(value.into_value())
}

/// What was kept, if it still has the structure's form.
pub(crate) fn give<T: Typed>(json: &Json) -> Option<T> {
    T::from_value(from_json(json)).ok()
}

fn to_json(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Float(value) => value.into(),
        Value::Str(value) => value.into(),
        Value::Blob(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
        Value::Timestamp(at) => at.millis().into(),
        Value::List(items) => items.into_iter().map(to_json).collect(),
        Value::Map(map) => Json::Object(map.into_iter().map(|(name, item)| (name, to_json(item))).collect()),
    }
}

fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or_default()), Value::Int)
        }
        Json::String(text) => Value::Str(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(from_json).collect()),
        Json::Object(map) => {
            Value::Map(map.iter().map(|(name, item)| (name.clone(), from_json(item))).collect::<Map>())
        }
    }
}
