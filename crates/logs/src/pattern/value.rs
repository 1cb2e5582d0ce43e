//! What a field is compared with.

use regex::{Regex, RegexBuilder};

use super::cursor::Cursor;

/// Bytes that a compiled expression may take.
const REGEX_BYTES: usize = 256 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// `*` stands for any text.
    Text(String),
    Number {
        number: f64,
        written: String,
    },
    Regex(Regex),
}

impl Op {
    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Option<Self> {
        cursor.skip_space();
        let table = [
            ("!=", Self::Unequal),
            ("<=", Self::LessEqual),
            (">=", Self::GreaterEqual),
            ("=", Self::Equal),
            ("<", Self::Less),
            (">", Self::Greater),
        ];
        table.into_iter().find(|(sign, _)| cursor.eat(sign)).map(|(_, op)| op)
    }

    fn compare(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Unequal => left != right,
            Self::Less => left < right,
            Self::LessEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterEqual => left >= right,
        }
    }
}

pub(crate) fn regex(cursor: &mut Cursor<'_>) -> Result<Regex, String> {
    let source = cursor.quoted('%', true)?;
    let built =
        RegexBuilder::new(&source).size_limit(REGEX_BYTES).dfa_size_limit(REGEX_BYTES).nest_limit(32).build();
    built.map_err(|_| "a regular expression is malformed or too large".to_owned())
}

impl Value {
    /// Quoted text, `%regex%`, or what comes until a character that ends it.
    pub(crate) fn parse(cursor: &mut Cursor<'_>, ends: impl Fn(char) -> bool) -> Result<Self, String> {
        cursor.skip_space();
        match cursor.peek() {
            Some('"') => Ok(Self::Text(cursor.quoted('"', false)?)),
            Some('%') => Ok(Self::Regex(regex(cursor)?)),
            _ => {
                let place = cursor.place();
                let written = cursor.take_until(|c| c.is_whitespace() || ends(c));
                match written.parse::<f64>() {
                    _ if written.is_empty() => Err(format!("a value is missing {place}")),
                    Ok(number) if number.is_finite() => {
                        Ok(Self::Number { number, written: written.to_owned() })
                    }
                    _ => Ok(Self::Text(written.to_owned())),
                }
            }
        }
    }

    /// Text against the value. `<` and its like hold only between numbers.
    pub(crate) fn match_text(&self, op: Op, text: &str) -> bool {
        let same = match self {
            Self::Text(wild) => match_wild(wild, text),
            Self::Regex(regex) => regex.is_match(text),
            Self::Number { number, written } => match text.parse::<f64>() {
                Ok(left) => return op.compare(left, *number),
                Err(_) => written == text,
            },
        };
        match op {
            Op::Equal => same,
            Op::Unequal => !same,
            Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual => false,
        }
    }
}

/// `*` stands for any text, also none. Linear but for the last `*` (at most length times length).
pub(crate) fn match_wild(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(tail)
}
