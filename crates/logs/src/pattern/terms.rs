//! Terms: all plain ones must be in the text, none with `-`, and one of those with `?` if there are no plain ones.

use regex::Regex;

use super::{cursor::Cursor, value::regex};

#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    all: Vec<Term>,
    any: Vec<Term>,
    none: Vec<Term>,
}

#[derive(Clone, Debug)]
enum Term {
    Text(String),
    Regex(Regex),
}

impl Term {
    fn is_in(&self, text: &str) -> bool {
        match self {
            Self::Text(term) => text.contains(term.as_str()),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<Terms, String> {
    let mut terms = Terms::default();
    while !cursor.is_at_end() {
        let list = match cursor.peek() {
            Some('-') => &mut terms.none,
            Some('?') => &mut terms.any,
            _ => &mut terms.all,
        };
        if matches!(cursor.peek(), Some('-' | '?')) {
            cursor.take_until(|c| !matches!(c, '-' | '?'));
        }
        list.push(match cursor.peek() {
            Some('"') => Term::Text(cursor.quoted('"', false)?),
            Some('%') => Term::Regex(regex(cursor)?),
            Some(c) if !c.is_whitespace() => Term::Text(cursor.take_until(char::is_whitespace).to_owned()),
            _ => return Err(format!("a term is missing {}", cursor.place())),
        });
    }
    Ok(terms)
}

impl Terms {
    pub(crate) fn match_text(&self, text: &str) -> bool {
        let optional = !self.all.is_empty() || self.any.is_empty();
        self.all.iter().all(|term| term.is_in(text))
            && !self.none.iter().any(|term| term.is_in(text))
            && (optional || self.any.iter().any(|term| term.is_in(text)))
    }
}
