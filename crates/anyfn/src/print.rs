//! What the command line prints: tables for people, JSON for programs, colours only on a terminal.

use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    pub(crate) json: bool,
    color: bool,
}

impl Printer {
    pub(crate) fn new(json: bool, color: Color) -> Self {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => std::io::stdout().is_terminal(),
        };
        Self { json, color: color && !json }
    }

    /// One line to standard output; a closed pipe is no error.
    pub(crate) fn line(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    }

    /// Bytes as they are.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(bytes);
        if std::io::stdout().is_terminal() && !bytes.ends_with(b"\n") {
            let _ = out.write_all(b"\n");
        }
        let _ = out.flush();
    }

    /// Progress and remarks: to standard error, so that pipes stay clean.
    pub(crate) fn note(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    pub(crate) fn value(&self, value: &impl serde::Serialize) {
        self.line(&serde_json::to_string_pretty(value).unwrap_or_default());
    }

    pub(crate) fn error(&self, error: &anyhow::Error) {
        if self.json {
            let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
            let _ =
                writeln!(std::io::stderr().lock(), "{}", serde_json::json!({ "error": causes.join(": ") }));
            return;
        }
        let head =
            if std::io::stderr().is_terminal() && self.color { "\x1b[1;31merror\x1b[0m" } else { "error" };
        let _ = writeln!(std::io::stderr().lock(), "{head}: {error:#}");
    }

    pub(crate) fn bold(&self, text: &str) -> String {
        if self.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn dim(&self, text: &str) -> String {
        if self.color { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn good(&self, good: bool, text: &str) -> String {
        match (self.color, good) {
            (false, _) => text.to_owned(),
            (true, true) => format!("\x1b[32m{text}\x1b[0m"),
            (true, false) => format!("\x1b[31m{text}\x1b[0m"),
        }
    }

    /// Columns as wide as their widest cell.
    pub(crate) fn table(&self, head: &[&str], rows: &[Vec<String>]) {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count());
            cells.chain([head[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let pad = |cells: Vec<&str>| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.line(&self.bold(&pad(head.to_vec())));
        for row in rows {
            self.line(&pad(row.iter().map(String::as_str).collect()));
        }
    }
}

/// `1.5 KiB`, `3.0 MiB`.
#[allow(clippy::cast_precision_loss, reason = "for people to read")]
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{:.1} KiB", count as f64 / 1024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}
