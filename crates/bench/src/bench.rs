//! What every line is given: the server's binary, how long to measure, where things lie.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use crate::{
    guests::Places,
    row::Row,
    server::{Data, Server},
};

pub(crate) struct Bench {
    pub(crate) binary: PathBuf,
    pub(crate) places: Places,
    /// Starts of each cold line.
    pub(crate) runs: usize,
    /// Seconds for each contender of a line under load.
    pub(crate) seconds: f64,
    pub(crate) quick: bool,
    pub(crate) peers: bool,
    /// What the server's `--set` takes.
    pub(crate) settings: BTreeSet<String>,
}

type Measure = dyn Fn(&Bench) -> anyhow::Result<Vec<Row>>;

/// One thing to measure; it gives one row or more.
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) about: String,
    pub(crate) run: Box<Measure>,
    /// What stands in the table if it cannot run.
    pub(crate) blank: Row,
}

impl Line {
    pub(crate) fn new(blank: Row, run: impl Fn(&Bench) -> anyhow::Result<Vec<Row>> + 'static) -> Self {
        Self { id: blank.id.clone(), about: blank.what.clone(), run: Box::new(run), blank }
    }
}

/// Slices of a contender's time: as many turns.
const SLICES: usize = 5;

impl Bench {
    /// A server on an empty folder. Settings that it does not have are left out.
    pub(crate) fn server(&self, set: &[(&str, &str)]) -> anyhow::Result<Server> {
        Server::start(&self.binary, Data::new(&self.places.scratch)?, &self.known(set))
    }

    pub(crate) fn known(&self, set: &[(&str, &str)]) -> Vec<String> {
        let known = set.iter().filter(|(name, _)| self.settings.contains(*name));
        known.map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// Turns of a line under load, and how long each is.
    pub(crate) fn slices(&self) -> (usize, Duration) {
        let turns = if self.quick { 2 } else { SLICES };
        (turns, Duration::from_secs_f64((self.seconds / turns as f64).max(0.5)))
    }

    /// Calls of a line with one connection.
    pub(crate) fn calls(&self) -> usize {
        if self.quick { 500 } else { 5000 }
    }
}
