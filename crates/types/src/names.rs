//! Names that people give. Each is checked where it enters, so that inside the rooms a name is always well formed.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

fn plain(text: &str, max: usize, extra: &str) -> bool {
    !text.is_empty()
        && text.len() <= max
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || extra.as_bytes().contains(&b))
}

/// Who owns a thing. One namespace never sees another's functions, logs or messages.
/// 1–100 characters of `A-Za-z0-9._-`. AWS's dialect maps an account and a region to `<account>.<region>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Namespace(Arc<str>);

impl Namespace {
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self> {
        let text = text.into();
        if plain(&text, 100, "._-") && !matches!(&*text, "." | "..") {
            return Ok(Self(text));
        }
        Err(Error::invalid("namespace_invalid", "a namespace has 1 to 100 characters of A-Z a-z 0-9 . _ -"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A function's name within its namespace: 1–140 characters of `A-Za-z0-9_.-`. Dialects may allow less.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionName(Arc<str>);

impl FunctionName {
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self> {
        let text = text.into();
        if plain(&text, 140, "_.-") && !matches!(&*text, "." | "..") {
            return Ok(Self(text));
        }
        Err(Error::invalid(
            "function_name_invalid",
            "a function name has 1 to 140 characters of A-Z a-z 0-9 _ . -",
        ))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which version of a function is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Qualifier {
    /// The one that can still be changed (`$LATEST`).
    Latest,
    /// A published number, from 1.
    Version(u64),
    /// A name that points at one or two versions.
    Alias(String),
}

impl Qualifier {
    /// `$LATEST`, digits, or an alias: 1–128 characters of `A-Za-z0-9_-` that are not all digits.
    pub fn parse(text: &str) -> Result<Self> {
        if text == "$LATEST" {
            return Ok(Self::Latest);
        }
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            let number = text
                .parse()
                .map_err(|_| Error::invalid("qualifier_invalid", "a version number is too large"))?;
            return Ok(Self::Version(number));
        }
        if plain(text, 128, "_-") {
            return Ok(Self::Alias(text.to_owned()));
        }
        Err(Error::invalid("qualifier_invalid", "a qualifier is $LATEST, a version number or an alias name"))
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("$LATEST"),
            Self::Version(number) => write!(f, "{number}"),
            Self::Alias(name) => f.write_str(name),
        }
    }
}

macro_rules! text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }
    };
}
text!(Namespace);
text!(FunctionName);
