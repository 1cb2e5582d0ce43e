//! The same handler, warm, on other platforms.

use super::{
    rate::{plural, rates},
    warm::latency,
};
use crate::{
    bench::{Bench, Line},
    guests::{self, Guest, Places},
    peers::{self, Named},
    row::{Group, OURS, Row},
};

type Sides = fn(&Bench) -> anyhow::Result<Vec<Named>>;

pub(super) fn lines() -> Vec<Line> {
    let all: [(&'static str, &'static str, Sides); 3] = [
        ("javascript", "JavaScript", javascript),
        ("python", "Python", python),
        ("native", "a static binary", native),
    ];
    let mut lines = Vec::new();
    for (id, what, sides) in all {
        let blank =
            Row::new(format!("warm/peers/{id}"), Group::Warm, format!("{what} hello, on platforms"), "µs");
        let row = blank.clone();
        lines.push(Line::new(blank, move |bench| Ok(vec![latency(bench, row.clone(), sides(bench)?)])));
        for connections in [1, 32] {
            let what = format!("calls/s, {}, {what} hello, on platforms", plural(connections));
            let blank = Row::new(format!("rate/peers/{id}-{connections}"), Group::Throughput, what, "/s");
            let row = blank.clone();
            lines.push(Line::new(blank, move |bench| {
                Ok(vec![rates(bench, row.clone(), sides(bench)?, connections)])
            }));
        }
    }
    lines
}

fn ours(bench: &Bench, make: fn(&Places) -> anyhow::Result<Guest>) -> anyhow::Result<(Vec<Named>, Guest)> {
    let guest = make(&bench.places)?;
    let named = vec![
        (format!("{OURS}, Lambda API"), peers::anyfn_invoke(bench, &guest)),
        (format!("{OURS}, function address"), peers::anyfn_url(bench, &guest)),
    ];
    Ok((named, guest))
}

fn javascript(bench: &Bench) -> anyhow::Result<Vec<Named>> {
    let (mut named, guest) = ours(bench, guests::node_hello)?;
    if bench.peers {
        named.push(("workerd".into(), peers::workerd(bench)));
        named.push(("wrangler dev".into(), peers::wrangler(bench)));
        named.push(("functions-framework".into(), peers::functions_framework_js(bench)));
        named.push(("of-watchdog, http mode".into(), peers::watchdog(bench, &guest)));
        named.push(("serverless-offline".into(), peers::serverless_offline(bench)));
    }
    Ok(named)
}

fn python(bench: &Bench) -> anyhow::Result<Vec<Named>> {
    let (mut named, guest) = ours(bench, guests::python_hello)?;
    if bench.peers {
        named.push(("functions-framework".into(), peers::functions_framework_py(bench)));
        named.push(("of-watchdog, http mode".into(), peers::watchdog(bench, &guest)));
        named.push(("ministack".into(), peers::ministack(bench, &guest)));
    }
    Ok(named)
}

fn native(bench: &Bench) -> anyhow::Result<Vec<Named>> {
    let (mut named, guest) = ours(bench, guests::native)?;
    if bench.peers {
        named.push(("of-watchdog, http mode".into(), peers::watchdog(bench, &guest)));
    }
    Ok(named)
}
