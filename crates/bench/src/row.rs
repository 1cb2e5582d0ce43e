//! What a line says when it was measured, or why it was not.

use serde::Serialize;

use crate::stats::{Summary, ratio};

/// What a figure should be; in the row's unit, or as a ratio to what stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    Most(f64),
    Least(f64),
    RatioMost(f64),
    RatioLeast(f64),
}

/// The chart, and the part of the table, in which a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Group {
    Cold,
    Warm,
    Throughput,
    Density,
}

impl Group {
    pub(crate) const ALL: [Self; 4] = [Self::Cold, Self::Warm, Self::Throughput, Self::Density];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Cold => "Cold starts",
            Self::Warm => "Warm latency",
            Self::Throughput => "Throughput",
            Self::Density => "Density and idle cost",
        }
    }
}

/// One of those that were measured in turns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) summary: Option<Summary>,
    /// Why there is no summary.
    pub(crate) not_run: Option<String>,
}

impl Side {
    pub(crate) fn measured(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self::of(name, Summary::of(values))
    }

    pub(crate) fn of(name: impl Into<String>, summary: Option<Summary>) -> Self {
        let not_run = summary.is_none().then(|| "no samples".to_owned());
        Self { name: name.into(), summary, not_run }
    }

    pub(crate) fn not_run(name: impl Into<String>, why: impl Into<String>) -> Self {
        let why: String = why.into();
        let one_line = why.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { name: name.into(), summary: None, not_run: Some(one_line.chars().take(200).collect()) }
    }
}

/// The server under test, in each row's first side.
pub(crate) const OURS: &str = "anyfn";

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) group: Group,
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) target: Option<Target>,
    /// What sent the requests, or took the measure.
    pub(crate) generator: &'static str,
    /// Ours first.
    pub(crate) sides: Vec<Side>,
    pub(crate) note: Option<String>,
}

impl Row {
    pub(crate) fn new(
        id: impl Into<String>,
        group: Group,
        what: impl Into<String>,
        unit: &'static str,
    ) -> Self {
        Self {
            id: id.into(),
            group,
            what: what.into(),
            unit,
            target: None,
            generator: "own clock",
            sides: Vec::new(),
            note: None,
        }
    }

    pub(crate) fn target(mut self, target: Option<Target>) -> Self {
        self.target = target;
        self
    }

    pub(crate) fn by(mut self, generator: &'static str) -> Self {
        self.generator = generator;
        self
    }

    pub(crate) fn side(mut self, side: Side) -> Self {
        self.sides.push(side);
        self
    }

    pub(crate) fn sides(mut self, sides: impl IntoIterator<Item = Side>) -> Self {
        self.sides.extend(sides);
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    pub(crate) fn ours(&self) -> Option<&Summary> {
        self.sides.first()?.summary.as_ref()
    }

    /// None: there is no target, or nothing to hold against it. Ratios are judged against every side that ran.
    pub(crate) fn met(&self) -> Option<bool> {
        let ours = self.ours()?.median;
        let ratios: Vec<f64> =
            self.sides.iter().skip(1).filter_map(|side| ratio(ours, side.summary.as_ref()?.median)).collect();
        match self.target? {
            Target::Most(limit) => Some(ours <= limit),
            Target::Least(limit) => Some(ours >= limit),
            Target::RatioMost(limit) => {
                (!ratios.is_empty()).then(|| ratios.iter().all(|ratio| *ratio <= limit))
            }
            Target::RatioLeast(limit) => {
                (!ratios.is_empty()).then(|| ratios.iter().all(|ratio| *ratio >= limit))
            }
        }
    }
}

#[cfg(test)]
mod tests;
