//! For people: the table of SPECIFICATION.md.

use std::fmt::Write as _;

use anyhow::Context as _;

use super::Report;
use crate::{
    row::{Group, Row, Side, Target},
    stats::{Summary, ratio},
};

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";
const HEAD: &str = "| line | median | p10 to p90 | p99 | beside it, in turns in the same run | its median (p10 to p90) | ratio | target | samples |\n|---|---|---|---|---|---|---|---|---|\n";

pub(super) fn all(report: &Report) -> String {
    let mut out = head(report);
    for group in Group::ALL {
        let rows: Vec<_> = report.rows.iter().filter(|row| row.group == group).collect();
        if !rows.is_empty() {
            let _ = write!(out, "\n**{}**\n\n{HEAD}", group.title());
            rows.iter().for_each(|row| lines(&mut out, row));
        }
    }
    out
}

fn head(report: &Report) -> String {
    let machine = &report.machine;
    let mut out = format!(
        "Machine: {} cores ({}), {} GiB of memory, {}; load average {:.1} at the start and {:.1} at the end. Server: {}. \
         {} starts of each cold line, {} s of each contender under load{}; no pinning, fair scheduling.\n",
        machine.cores,
        machine.cpu,
        machine.memory_gib,
        machine.kernel,
        report.load_at_start,
        report.load_at_end,
        report.server,
        report.runs,
        report.seconds,
        if report.quick { " (a quick run: figures to develop with, not to quote)" } else { "" },
    );
    if !report.peers.is_empty() {
        let peers: Vec<_> = report.peers.iter().map(|(name, version)| format!("{name} {version}")).collect();
        let _ = writeln!(out, "\nBeside it: {}.", peers.join("; "));
    }
    let mut generators: Vec<_> = report.rows.iter().map(|row| row.generator).collect();
    generators.sort_unstable();
    generators.dedup();
    let _ = writeln!(out, "\nMeasured by: {}.", generators.join("; "));
    out
}

/// One line for each side that stands beside ours, and one at least.
fn lines(out: &mut String, row: &Row) {
    let Some((ours, others)) = row.sides.split_first() else { return };
    let mut what = row.what.clone();
    if let Some(note) = &row.note {
        let _ = write!(what, " ({note})");
    }
    let target = row.target.map(|target| judged(target, row)).unwrap_or_default();
    let own = match &ours.summary {
        Some(found) => format!(
            "{} | {} | {}",
            with_unit(found.median, row.unit),
            spread(found),
            if found.count > 1 { figure(found.p99) } else { String::new() },
        ),
        None => format!("{} |  | ", not_run(ours)),
    };
    let samples = ours.summary.as_ref().map(|found| found.count.to_string()).unwrap_or_default();
    let named = if ours.name == crate::row::OURS { String::new() } else { format!(" [{}]", ours.name) };
    let first =
        others.first().map(|side| beside(ours, side, row.unit)).unwrap_or_else(|| " |  | ".to_owned());
    let _ = writeln!(out, "| {}{named} | {own} | {first} | {target} | {samples} |", cell(&what));
    for side in others.iter().skip(1) {
        let _ = writeln!(out, "|  |  |  |  | {} |  |  |", beside(ours, side, row.unit));
    }
}

/// Name, figure and ratio: three cells.
fn beside(ours: &Side, side: &Side, unit: &str) -> String {
    let Some(found) = &side.summary else { return format!("{} | {} | ", cell(&side.name), not_run(side)) };
    let times = ours.summary.as_ref().and_then(|ours| ratio(ours.median, found.median));
    let spread = spread(found);
    let range = if spread.is_empty() { spread } else { format!(" ({spread})") };
    format!(
        "{} | {}{range} | {}",
        cell(&side.name),
        with_unit(found.median, unit),
        times.map(times_text).unwrap_or_default()
    )
}

fn not_run(side: &Side) -> String {
    format!("not run: {}", cell(side.not_run.as_deref().unwrap_or("no samples")))
}

fn spread(found: &Summary) -> String {
    if found.count > 1 { format!("{} to {}", figure(found.p10), figure(found.p90)) } else { String::new() }
}

fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "/s" => format!("{}/s", figure(value)),
        unit => format!("{} {unit}", figure(value)),
    }
}

fn judged(target: Target, row: &Row) -> String {
    // Not rounded: 99.99 % is not 100 %.
    let unit = if row.unit == "/s" { "/s".to_owned() } else { format!(" {}", row.unit) };
    let words = match target {
        Target::Most(limit) => format!("≤ {limit}{unit}"),
        Target::Least(limit) => format!("≥ {limit}{unit}"),
        Target::RatioMost(limit) => format!("≤ {limit}×"),
        Target::RatioLeast(limit) => format!("≥ {limit}×"),
    };
    match row.met() {
        Some(true) => format!("{words}: met"),
        Some(false) => format!("{words}: **missed**"),
        None => words,
    }
}

fn times_text(ratio: f64) -> String {
    format!("{}×", if ratio < 0.01 { format!("{ratio:.4}") } else { figure(ratio) })
}

/// Three digits, as far as they mean something.
pub(super) fn figure(value: f64) -> String {
    let text = match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    match text.strip_suffix(".00").or_else(|| text.strip_suffix(".0")) {
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// Nothing that ends a cell.
fn cell(text: &str) -> String {
    text.replace('|', "/").replace('\n', " ")
}

pub(super) fn replaced(document: &str, table: &str) -> anyhow::Result<String> {
    let (head, rest) = document.split_once(BEGIN).context("the mark where the table begins")?;
    let (_, tail) = rest.split_once(END).context("the mark where the table ends")?;
    Ok(format!("{head}{BEGIN}\n{table}{END}{tail}"))
}
