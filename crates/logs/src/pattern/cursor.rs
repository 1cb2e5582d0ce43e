//! Walks a pattern's text.

pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(crate) fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.rest().is_empty()
    }

    /// For messages: where we are.
    pub(crate) fn place(&self) -> String {
        format!("at character {}", self.text[..self.at].chars().count() + 1)
    }

    pub(crate) fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes `wanted` if it comes next.
    pub(crate) fn eat(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    /// Takes a word of letters, in any case, if it comes next and ends there.
    pub(crate) fn eat_word(&mut self, wanted: &str) -> bool {
        let word_end =
            self.rest().find(|c: char| !c.is_ascii_alphabetic()).unwrap_or_else(|| self.rest().len());
        let found = self.rest()[..word_end].eq_ignore_ascii_case(wanted);
        if found {
            self.at += word_end;
        }
        found
    }

    pub(crate) fn expect(&mut self, wanted: &str) -> Result<(), String> {
        self.skip_space();
        if self.eat(wanted) { Ok(()) } else { Err(format!("`{wanted}` is missing {}", self.place())) }
    }

    /// What comes until a character that ends it.
    pub(crate) fn take_until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    /// The text between two `quote`s, of which the first comes next. `\` keeps the character after it; with `raw` it
    /// stays before it, but for the quote itself.
    pub(crate) fn quoted(&mut self, quote: char, raw: bool) -> Result<String, String> {
        let opened = self.place();
        let mut out = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((index, c)) = chars.next() {
            match c {
                '\\' => {
                    let Some((_, kept)) = chars.next() else { break };
                    if raw && kept != quote {
                        out.push('\\');
                    }
                    out.push(kept);
                }
                c if c == quote => {
                    self.at += index + c.len_utf8();
                    return Ok(out);
                }
                c => out.push(c),
            }
        }
        Err(format!("`{quote}` {opened} has no end"))
    }
}
