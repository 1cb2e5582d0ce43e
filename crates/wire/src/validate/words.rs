//! The sentences of validation errors, exactly as AWS's services word them.

use std::fmt::{self, Write as _};

use crate::schema::{Kind, Shape};
use crate::value::Value;

/// One broken constraint.
#[derive(Debug)]
pub(super) struct Violation(String);

impl Violation {
    pub(super) fn missing(path: String) -> Self {
        Self(format!("Value null at '{path}' failed to satisfy constraint: Member must not be null"))
    }

    /// The value of a sensitive shape is left out.
    pub(super) fn new(shape: &Shape, value: &Value, path: &str, constraint: impl AsRef<str>) -> Self {
        let constraint = constraint.as_ref();
        if shape.sensitive {
            return Self(format!("Value at '{path}' failed to satisfy constraint: {constraint}"));
        }
        let shown = shorten(value);
        Self(format!("Value '{shown}' at '{path}' failed to satisfy constraint: {constraint}"))
    }
}

/// Text that takes no more than a bound and then refuses.
struct Short(String);

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const MOST: usize = 1024;
        let room = MOST.saturating_sub(self.0.len());
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        self.0.push_str("...");
        Err(fmt::Error)
    }
}

/// A caller may send megabytes in one value; its own text needs no more than this to be recognised.
fn shorten(value: &Value) -> String {
    let mut short = Short(String::new());
    // Its only error says that the text is full.
    _ = write!(short, "{value}");
    short.0
}

/// `N validation errors detected: …; …`
pub(super) fn sentence(found: &[Violation]) -> String {
    let count = found.len();
    let plural = if count == 1 { "" } else { "s" };
    let all: Vec<&str> = found.iter().map(|violation| violation.0.as_str()).collect();
    format!("{count} validation error{plural} detected: {}", all.join("; "))
}

/// What a bound counts in this value, and how much of it there is. Text counts UTF-16 units, as Java does.
pub(super) fn size(value: &Value) -> Option<(&'static str, f64)> {
    Some(match value {
        Value::Str(text) => ("length", text.encode_utf16().count() as f64),
        Value::Blob(bytes) => ("length", bytes.len() as f64),
        Value::List(items) => ("length", items.len() as f64),
        Value::Map(map) => ("length", map.len() as f64),
        Value::Int(number) => ("value", *number as f64),
        Value::Float(number) => ("value", *number),
        Value::Null | Value::Bool(_) | Value::Timestamp(_) => return None,
    })
}

pub(super) fn at_most(word: &str, max: f64) -> String {
    format!("Member must have {word} less than or equal to {max}")
}

pub(super) fn at_least(word: &str, min: f64) -> String {
    format!("Member must have {word} greater than or equal to {min}")
}

pub(super) fn pattern(pattern: &str) -> String {
    format!("Member must satisfy regular expression pattern: {pattern}")
}

pub(super) fn one_of(values: &[&str]) -> String {
    format!("Member must satisfy enum value set: [{}]", values.join(", "))
}

/// All constraints of a shape, as lists and maps name those of their elements.
pub(super) fn all(shape: &Shape) -> String {
    let word = match shape.kind {
        Kind::Int | Kind::Long | Kind::Float => "value",
        _ => "length",
    };
    let mut all = Vec::new();
    all.extend(shape.max.map(|max| at_most(word, max)));
    all.extend(shape.min.map(|min| at_least(word, min)));
    if !shape.pattern.is_empty() {
        all.push(pattern(shape.pattern));
    }
    if !shape.values.is_empty() {
        all.push(one_of(shape.values));
    }
    all.push("Member must not be null".to_owned());
    all.join(", ")
}

/// `MemorySize` is `memorySize` in messages.
pub(super) fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
