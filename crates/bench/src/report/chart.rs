//! Charts as SVG: one bar for each side, its spread on it, on a logarithmic axis; readable in light and dark.

use std::fmt::Write as _;

use super::{Report, table::figure};
use crate::{
    row::{Group, Row, Side},
    stats::Summary,
};

const WIDTH: f64 = 1000.0;
/// Where bars begin, and how long the axis is.
const LEFT: f64 = 330.0;
const LENGTH: f64 = 480.0;
const TOP: f64 = 76.0;
const BAR: f64 = 14.0;
const STEP: f64 = 20.0;
const HEADING: f64 = 26.0;

const STYLE: &str = "text{font:13px system-ui,'DejaVu Sans',sans-serif;fill:#1f2328}\
.title{font-size:19px;font-weight:600}.small{font-size:12px;fill:#59636e}.what{font-weight:600}\
.paper{fill:#ffffff}.ours{fill:#0969da}.other{fill:#afb8c1}.grid{stroke:#d1d9e0;stroke-width:1}\
.spread{stroke:#1f2328;stroke-width:1.5;fill:none}\
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.paper{fill:#0d1117}.ours{fill:#4493f8}\
.other{fill:#57606a}.grid{stroke:#30363d}.spread{stroke:#e6edf3}}";

pub(super) fn file(group: Group) -> &'static str {
    match group {
        Group::Cold => "cold",
        Group::Warm => "warm",
        Group::Throughput => "throughput",
        Group::Density => "density",
    }
}

/// A chart has one axis, so it shows what is measured in this unit.
fn axis(group: Group) -> (&'static str, &'static str) {
    match group {
        Group::Cold => ("ms", "milliseconds, less is better"),
        Group::Warm => ("µs", "microseconds, less is better"),
        Group::Throughput => ("/s", "a second, more is better"),
        Group::Density => ("per GiB", "idle instances in one GiB, more is better"),
    }
}

/// None: nothing was measured.
pub(super) fn of(group: Group, report: &Report) -> Option<String> {
    let (unit, words) = axis(group);
    let rows: Vec<&Row> = report
        .rows
        .iter()
        .filter(|row| row.group == group && row.unit == unit && bars(row).next().is_some())
        .collect();
    let scale = Scale::over(rows.iter().flat_map(|row| bars(row)).map(|(_, found)| found))?;
    let counts = rows.iter().map(|row| bars(row).count() as f64);
    let height = TOP + counts.map(|count| HEADING + count * STEP).sum::<f64>() + 30.0;
    let mut out = String::new();
    let title = format!("{} ({words})", group.title());
    let machine = &report.machine;
    let below = format!(
        "{} cores, {}; medians, lines from p10 to p90; logarithmic axis{}",
        machine.cores,
        machine.kernel,
        if report.quick { "; quick run" } else { "" }
    );
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-label=\"{}\">\n<title>{}</title>\n<style>{STYLE}</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n",
        escaped(&title),
        escaped(&title)
    );
    text(&mut out, "title", (16.0, 28.0), &title);
    text(&mut out, "small", (16.0, 48.0), &below);
    grid(&mut out, &scale, height);
    let mut y = TOP;
    for row in rows {
        text(&mut out, "what", (16.0, y + 17.0), &row.what);
        y += HEADING;
        for (side, found) in bars(row) {
            bar(&mut out, &scale, y, side, found);
            y += STEP;
        }
    }
    out.push_str("</svg>\n");
    Some(out)
}

/// A logarithmic axis shows positive figures only.
fn bars(row: &Row) -> impl Iterator<Item = (&Side, &Summary)> {
    let measured = row.sides.iter().filter_map(|side| Some((side, side.summary.as_ref()?)));
    measured.filter(|(_, found)| found.median > 0.0)
}

/// From values to places, by decades.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn over<'a>(all: impl Iterator<Item = &'a Summary>) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for found in all {
            low = low.min(found.median).min(if found.p10 > 0.0 { found.p10 } else { found.median });
            high = high.max(found.median).max(found.p90);
        }
        // A bar of no length says nothing: the axis begins below the least.
        (low.is_finite() && high > 0.0).then(|| Self {
            low: (low / 1.5).log10().floor(),
            high: high.log10().ceil().max((low / 1.5).log10().floor() + 1.0),
        })
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value.max(f64::MIN_POSITIVE).log10() - self.low) / (self.high - self.low);
        LEFT + LENGTH * share.clamp(0.0, 1.0)
    }

    fn decades(&self) -> impl Iterator<Item = f64> {
        (self.low as i32..=self.high as i32).map(|power| 10_f64.powi(power))
    }
}

fn grid(out: &mut String, scale: &Scale, height: f64) {
    for value in scale.decades() {
        let (x, end) = (scale.at(value), height - 24.0);
        let _ =
            writeln!(out, "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{end:.1}\"/>");
        let label = if value >= 0.01 { figure(value) } else { format!("{value}") };
        let _ = writeln!(
            out,
            "<text class=\"small\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{:.1}\">{label}</text>",
            height - 8.0
        );
    }
}

fn bar(out: &mut String, scale: &Scale, y: f64, side: &Side, found: &Summary) {
    let (end, middle) = (scale.at(found.median), y + BAR / 2.0);
    let class = if side.name.starts_with(crate::row::OURS) { "ours" } else { "other" };
    let _ = writeln!(
        out,
        "<text text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        LEFT - 8.0,
        middle + 4.5,
        escaped(&shortened(&side.name, 44))
    );
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\"/>",
        (end - LEFT).max(1.0)
    );
    let mut right = end;
    if found.count > 1 {
        let (a, b) = (scale.at(found.p10), scale.at(found.p90));
        right = right.max(b);
        let (above, below) = (middle - 4.0, middle + 4.0);
        let _ = writeln!(
            out,
            "<path class=\"spread\" d=\"M{a:.1} {middle:.1}H{b:.1}M{a:.1} {above:.1}V{below:.1}M{b:.1} {above:.1}V{below:.1}\"/>"
        );
    }
    text(out, "", (right + 8.0, middle + 4.5), &figure(found.median));
}

fn text(out: &mut String, class: &str, (x, y): (f64, f64), words: &str) {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    let _ = writeln!(out, "<text{class} x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(words));
}

fn shortened(words: &str, length: usize) -> String {
    if words.chars().count() <= length {
        return words.to_owned();
    }
    words.chars().take(length - 1).chain(['…']).collect()
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
