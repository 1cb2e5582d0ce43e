//! A run as a table, as JSON and as charts.

mod chart;
mod json;
mod table;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::Serialize;

use crate::{
    machine::Machine,
    row::{Group, Row},
};

/// One run: one command on one machine.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Of the last minute.
    pub(crate) load_at_start: f64,
    pub(crate) load_at_end: f64,
    pub(crate) server: String,
    pub(crate) peers: Vec<(String, String)>,
    /// Starts of each cold line, and seconds of each contender under load.
    pub(crate) runs: usize,
    pub(crate) seconds: f64,
    pub(crate) quick: bool,
    pub(crate) rows: Vec<Row>,
}

impl Report {
    pub(crate) fn table(&self) -> String {
        table::all(self)
    }

    pub(crate) fn json(&self) -> anyhow::Result<String> {
        json::all(self)
    }

    /// JSON and charts.
    pub(crate) fn save(&self, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let mut files = vec![folder.join("latest.json")];
        fs::write(&files[0], self.json()?)?;
        for group in Group::ALL {
            if let Some(picture) = chart::of(group, self) {
                let path = folder.join(format!("{}.svg", chart::file(group)));
                fs::write(&path, picture)?;
                files.push(path);
            }
        }
        Ok(files)
    }

    /// The table between the marks of a document.
    pub(crate) fn write_into(&self, document: &Path) -> anyhow::Result<()> {
        let text = fs::read_to_string(document).with_context(|| document.display().to_string())?;
        fs::write(document, table::replaced(&text, &self.table())?)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
