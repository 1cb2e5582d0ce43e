//! What is measured, one file for each kind of question.

mod burst;
mod cold;
mod density;
mod idle;
mod million;
mod peers;
mod rate;
mod starts;
mod sustained;
mod warm;

use crate::{
    bench::Line,
    guests::{self, Guest, Places},
};

type Make = fn(&Places) -> anyhow::Result<Guest>;

/// The languages, and how their functions are made.
const LANGUAGES: [(&str, Make); 4] = [
    ("native", guests::native),
    ("python", guests::python_hello),
    ("node", guests::node_hello),
    ("wasm", guests::wasm),
];

/// In the order of the table.
pub(crate) fn all() -> Vec<Line> {
    let mut lines = cold::lines();
    lines.extend(starts::lines());
    lines.extend(sustained::lines());
    lines.extend(warm::lines());
    lines.extend(rate::lines());
    lines.extend(peers::lines());
    lines.extend(million::lines());
    lines.extend(density::lines());
    lines.extend(burst::lines());
    lines.extend(idle::lines());
    lines
}

#[cfg(test)]
mod tests;
