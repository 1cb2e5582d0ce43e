//! Query strings.

use serde_json::{Map, Value};

use crate::fault::{Fault, Result};

/// The most that a list gives at once, and what it gives unless asked.
const LIST_MAX: usize = 200;
const LIST: usize = 30;

/// Percent-decoded; what is no UTF-8 is replaced.
pub(crate) fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// In the order they were written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let plain = |s: &str| decode(&s.replace('+', " "));
        let pair = |part: &str| match part.split_once('=') {
            Some((key, value)) => (plain(key), plain(value)),
            None => (plain(part), String::new()),
        };
        Self(text.split('&').filter(|part| !part.is_empty()).map(pair).collect())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// `?overwrite=true`, or just `?overwrite`.
    pub(crate) fn flag(&self, key: &str, unless: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(unless),
            Some("true" | "") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => Err(Fault::invalid(format!(
                "The query parameter '{key}' was malformed:\nExpected a boolean but got '{other}'."
            ))),
        }
    }

    pub(crate) fn number(&self, key: &str) -> Result<Option<u64>> {
        let parse = |text: &str| {
            text.parse().map_err(|_| {
                let text = format!(
                    "The query parameter '{key}' was malformed:\nExpected a number that is not negative but got '{text}'."
                );
                Fault::invalid(text)
            })
        };
        self.get(key).map(parse).transpose()
    }

    /// How many to skip and to give.
    pub(crate) fn page(&self) -> Result<(usize, usize)> {
        let skip = usize::try_from(self.number("skip")?.unwrap_or(0)).unwrap_or(usize::MAX);
        let limit = self.number("limit")?.map_or(Ok(LIST), usize::try_from).unwrap_or(usize::MAX);
        if limit > LIST_MAX {
            return Err(Fault::invalid(format!(
                "The value of the 'limit' parameter is {limit}; it must be 0 to {LIST_MAX}."
            )));
        }
        Ok((skip, if limit == 0 { LIST_MAX } else { limit }))
    }

    /// As parameters of a call: each a text.
    pub(crate) fn object(&self) -> Map<String, Value> {
        self.0.iter().map(|(key, value)| (key.clone(), Value::String(value.clone()))).collect()
    }
}
