//! The language of what to look for in events, as "Filter pattern syntax" of the CloudWatch Logs User Guide has it:
//! terms (`ERROR "a phrase" -not ?any %regex%`), JSON (`{ $.level = "ERROR" && $.n > 3 }`) and columns
//! (`[ip, user, ..., status = 4*]`). Pure; neither a pattern nor a text can make it panic, recurse deeply or run long.

mod columns;
mod cursor;
mod json;
mod terms;
#[cfg(test)]
mod tests;
mod value;

use crate::error::Fault;
use cursor::Cursor;

/// Characters of a pattern.
const LONGEST: usize = 1024;

/// A pattern that was read. The default matches everything.
#[derive(Clone, Debug, Default)]
pub struct Pattern(Kind);

#[derive(Clone, Debug, Default)]
enum Kind {
    #[default]
    All,
    Terms(terms::Terms),
    Json(json::Expr),
    Columns(columns::Columns),
}

impl Pattern {
    /// `log_pattern_invalid` says what is wrong.
    pub fn parse(text: &str) -> anyfn_types::Result<Self> {
        Ok(Self::read(text).map_err(Fault::Pattern)?)
    }

    fn read(text: &str) -> Result<Self, String> {
        if text.chars().count() > LONGEST {
            return Err(format!("it is longer than {LONGEST} characters"));
        }
        let text = text.trim();
        let mut cursor = Cursor::new(text);
        let kind = match text.chars().next() {
            None => Kind::All,
            Some('{') => Kind::Json(json::parse(&mut cursor)?),
            Some('[') => Kind::Columns(columns::parse(&mut cursor)?),
            Some(_) => Kind::Terms(terms::parse(&mut cursor)?),
        };
        if cursor.is_at_end() { Ok(Self(kind)) } else { Err(format!("unexpected text {}", cursor.place())) }
    }

    /// Whether an event's text (UTF-8; what is not is replaced) is looked for.
    pub fn matches(&self, text: &[u8]) -> bool {
        match &self.0 {
            Kind::All => true,
            Kind::Terms(terms) => terms.match_text(&String::from_utf8_lossy(text)),
            Kind::Json(expr) => serde_json::from_slice(text).is_ok_and(|value| expr.match_value(&value)),
            Kind::Columns(columns) => columns.match_text(&String::from_utf8_lossy(text)),
        }
    }
}
