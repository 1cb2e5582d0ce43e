//! Single values in text: labels, query parameters, headers, form fields and XML elements.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::ServiceError;
use crate::fit::{base64_blob, special_float};
use crate::json;
use crate::schema::{Kind, Member, Service, TimestampFormat};
use crate::timestamp;
use crate::value::Value;

/// Text as the scalar shape of `member`; `format` is how timestamps are written here unless the model says otherwise.
pub(crate) fn read(
    service: &Service,
    member: &Member,
    text: &str,
    format: TimestampFormat,
) -> Result<Value, ServiceError> {
    let value = match &service.shape(member.shape).kind {
        Kind::String => Some(Value::from(text)),
        Kind::Bool => text.trim().to_ascii_lowercase().parse().ok().map(Value::Bool),
        Kind::Int => text.trim().parse::<i32>().ok().map(|value| Value::Int(i64::from(value))),
        Kind::Long => text.trim().parse().ok().map(Value::Int),
        Kind::Float => {
            let text = text.trim();
            let digits = text.contains(|c: char| c.is_ascii_digit());
            special_float(text).or_else(|| text.parse().ok().filter(|_| digits)).map(Value::Float)
        }
        Kind::Timestamp(own) => {
            timestamp::read(text, member.timestamp.or(*own).unwrap_or(format)).map(Value::Timestamp)
        }
        Kind::Blob => return base64_blob(text.trim()),
        Kind::Structure(_) | Kind::List(_) | Kind::Map(..) => None,
    };
    value.ok_or_else(|| {
        let name = if member.name.is_empty() { "value" } else { member.name };
        ServiceError::serialization(format!("{name} can not be converted from its text"))
    })
}

/// The scalar as text; `None` for lists, maps and null.
pub(crate) fn write(
    service: &Service,
    member: &Member,
    value: &Value,
    format: TimestampFormat,
) -> Option<String> {
    Some(match value {
        Value::Str(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => json::float_text(*value),
        Value::Blob(bytes) => STANDARD.encode(bytes),
        Value::Timestamp(at) => {
            let own = match &service.shape(member.shape).kind {
                Kind::Timestamp(own) => member.timestamp.or(*own),
                _ => None,
            };
            timestamp::write(*at, own.unwrap_or(format))
        }
        Value::Null | Value::List(_) | Value::Map(_) => return None,
    })
}
