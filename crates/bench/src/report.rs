//! The table, for people, for programs, and in SPECIFICATION.md.

use std::fmt::Write as _;

use anyhow::Context as _;

use crate::{
    Args,
    lines::{Row, root},
};

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

pub(crate) fn print(args: &Args, rows: &[Row]) -> anyhow::Result<()> {
    if args.json {
        println!("{}", serde_json::to_string_pretty(rows)?);
    } else {
        println!("{}", table(rows));
    }
    if args.write {
        write(rows)?;
    }
    Ok(())
}

fn figure(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| line | median | p99 | beside it, in the same run | ratio | target | samples |\n|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let p99 = row.p99.map(figure).unwrap_or_default();
        let (beside, ratio) = row.beside.as_ref().map_or_else(Default::default, |(what, value)| {
            (format!("{what}: {} {}", figure(*value), row.unit), format!("{:.2}", row.median / value))
        });
        let target = row.target.unwrap_or_default();
        let _ = writeln!(
            out,
            "| {} | {} {} | {p99} | {beside} | {ratio} | {target} | {} |",
            row.what,
            figure(row.median),
            row.unit,
            row.samples
        );
    }
    out
}

fn write(rows: &[Row]) -> anyhow::Result<()> {
    let path = root().join("SPECIFICATION.md");
    let text = std::fs::read_to_string(&path).context("SPECIFICATION.md")?;
    let (head, rest) = text.split_once(BEGIN).context("the table's beginning")?;
    let (_, tail) = rest.split_once(END).context("the table's end")?;
    let machine =
        format!("Machine: {} cores, {} of memory, {}; shared with other work.", cores(), memory(), kernel());
    std::fs::write(&path, format!("{head}{BEGIN}\n{machine}\n\n{}{END}{tail}", table(rows)))?;
    Ok(())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn memory() -> String {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text.lines().next().and_then(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0);
    format!("{} GiB", kib.div_ceil(1024 * 1024))
}

fn kernel() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version: Vec<_> = release.trim().split(['.', '-']).take(2).collect();
    format!("Linux {}", version.join("."))
}
