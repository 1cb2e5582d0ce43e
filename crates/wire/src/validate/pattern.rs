//! Java's regular expressions, as the models use them, on the `regex` crate, which never backtracks.
//!
//! Translated: `\d \w \s` are ASCII in Java; `\uXXXX`. A look-ahead that forbids a form of the whole text becomes a second
//! expression. Any other look-around is dropped, which makes the pattern weaker than the model's; see [`Pattern::is_relaxed`].

use regex::{Regex, RegexBuilder};

/// A compiled pattern. It must match the whole text.
#[derive(Clone, Debug)]
pub struct Pattern {
    must: Regex,
    must_not: Option<Regex>,
    relaxed: bool,
}

/// The `regex` crate cannot take the pattern.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the pattern cannot be translated: {0}")]
pub struct PatternError(String);

impl Pattern {
    /// Translates and compiles.
    ///
    /// # Errors
    /// [`PatternError`] where the expression has no equivalent here.
    pub fn new(java: &str) -> Result<Self, PatternError> {
        let (forbidden, rest) = leading_negation(java);
        let (rest, relaxed) = without_lookaround(&rest);
        let must = whole(&rest)?;
        let must_not =
            forbidden.map(|forbidden| compile(&format!(r"\A(?:{})", translate(&forbidden)))).transpose()?;
        Ok(Self { must, must_not, relaxed })
    }

    /// Whether the whole text matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.must.is_match(text) && !self.must_not.as_ref().is_some_and(|not| not.is_match(text))
    }

    /// A part of the model's pattern was dropped, so that this one accepts more.
    #[must_use]
    pub const fn is_relaxed(&self) -> bool {
        self.relaxed
    }
}

fn whole(pattern: &str) -> Result<Regex, PatternError> {
    compile(&format!(r"\A(?:{})\z", translate(pattern)))
}

fn compile(pattern: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(pattern).size_limit(4 << 20).build().map_err(|error| PatternError(error.to_string()))
}

/// Splits `(?!X)rest` and `((?!X)rest)` into X and the rest.
fn leading_negation(pattern: &str) -> (Option<String>, String) {
    for (open, close) in [("(?!", ""), ("((?!", ")")] {
        let Some(rest) = pattern.strip_prefix(open) else { continue };
        let Some(end) = group_end(rest) else { continue };
        let (forbidden, after) = (&rest[..end], &rest[end + 1..]);
        // With the outer bracket taken away, the rest must have lost exactly its last one.
        match after.strip_suffix(close) {
            Some(inner) if close.is_empty() || group_end(inner).is_none() => {
                return (Some(forbidden.to_owned()), inner.to_owned());
            }
            _ => {}
        }
    }
    (None, pattern.to_owned())
}

/// The pattern without its look-arounds, and whether there were any.
fn without_lookaround(pattern: &str) -> (String, bool) {
    let mut out = pattern.to_owned();
    let mut found = false;
    loop {
        let next = ["(?!", "(?=", "(?<!", "(?<="]
            .iter()
            .filter_map(|open| out.find(open).map(|at| (at, open.len())))
            .min();
        let Some((at, len)) = next else { return (out, found) };
        let Some(end) = group_end(&out[at + len..]) else { return (out, found) };
        out.replace_range(at..=at + len + end, "");
        found = true;
    }
}

/// Where the bracket closes that was open before `rest` began.
fn group_end(rest: &str) -> Option<usize> {
    let (mut depth, mut class, mut escaped) = (0usize, false, false);
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ']' if class => class = false,
            _ if class => {}
            '[' => class = true,
            '(' => depth += 1,
            ')' if depth == 0 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn translate(java: &str) -> String {
    let mut out = String::with_capacity(java.len());
    let mut letters = java.chars();
    while let Some(c) = letters.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match letters.next() {
            Some('d') => out.push_str("[0-9]"),
            Some('D') => out.push_str("[^0-9]"),
            Some('w') => out.push_str("[a-zA-Z0-9_]"),
            Some('W') => out.push_str("[^a-zA-Z0-9_]"),
            Some('s') => out.push_str(r"[ \t\n\x0B\f\r]"),
            Some('S') => out.push_str(r"[^ \t\n\x0B\f\r]"),
            Some('u') => {
                let digits: String = letters.by_ref().take(4).collect();
                // The model writes U+D7FF and U+E000 around the surrogates, which a char cannot be.
                out.push_str(&format!(r"\u{{{digits}}}"));
            }
            Some(c) => {
                out.push('\\');
                out.push(c);
            }
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests;
