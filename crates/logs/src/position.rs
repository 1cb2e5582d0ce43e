//! A place in a group's log, and its text forms.

use crate::error::Fault;

/// Before the event `index` of the entry `seq`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub seq: u64,
    pub index: u32,
}

impl Position {
    pub(crate) fn at(seq: u64) -> Self {
        Self { seq, index: 0 }
    }

    pub(crate) fn after(self) -> Self {
        Self { seq: self.seq, index: self.index.saturating_add(1) }
    }

    /// `f/…` reads on from here, `b/…` reads what lies before.
    pub(crate) fn token(self, direction: char) -> String {
        format!("{direction}/{:020}{:010}", self.seq, self.index)
    }

    /// What `token` made: a direction (`f` or `b`) and the place.
    pub(crate) fn parse(token: &str) -> Result<(char, Self), Fault> {
        let (direction, digits) = match token.split_once('/') {
            Some(("f", digits)) => ('f', digits),
            Some(("b", digits)) => ('b', digits),
            _ => return Err(Fault::Token),
        };
        if digits.len() != 30 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Fault::Token);
        }
        let (seq, index) = digits.split_at(20);
        match (seq.parse(), index.parse()) {
            (Ok(seq), Ok(index)) => Ok((direction, Self { seq, index })),
            _ => Err(Fault::Token),
        }
    }
}
