//! Warm calls a second with 1, 16 and 32 connections.

use std::{process::Command, time::Duration};

use anyhow::Context as _;

use super::{LANGUAGES, warm::http_sides};
use crate::{
    bench::{Bench, Line},
    load::{self, Load, Pace},
    peers::{self, Endpoint, Named, Transport},
    row::{Group, OURS, Row, Target},
    turns::{self, Contender},
};

const OWN: &str = "own epoll generator";
const WRK: &str = "wrk, one thread";

pub(super) fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for (name, make) in LANGUAGES {
        for connections in [1, 16, 32] {
            let what = format!("calls/s, {}, {name}, through the Lambda API", plural(connections));
            let blank = Row::new(format!("rate/api/{name}-{connections}"), Group::Throughput, what, "/s");
            let row = blank.clone();
            lines.push(Line::new(blank, move |bench| {
                let guest = make(&bench.places)?;
                let bare = ("the bare server of the same handler".to_owned(), peers::direct(&guest));
                let named = vec![(OURS.to_owned(), peers::anyfn_invoke(bench, &guest)), bare];
                Ok(vec![rates(bench, row.clone(), named, connections)])
            }));
        }
    }
    for (transport, connections) in
        Transport::ALL.into_iter().flat_map(|transport| [(transport, 1), (transport, 32)])
    {
        let (name, count) = (transport.name(), plural(connections));
        let what =
            format!("requests/s, {count}, an HTTP function through its address, {name} to the function");
        let target = (connections == 32).then_some(Target::RatioLeast(1.0));
        let id = format!("rate/http-{}-{connections}", transport.id());
        let blank = Row::new(id, Group::Throughput, what, "/s").target(target);
        let row = blank.clone();
        lines.push(Line::new(blank, move |bench| {
            Ok(vec![common(bench, row.clone(), http_sides(bench, transport)?, connections)])
        }));
    }
    lines
}

pub(super) fn plural(connections: usize) -> String {
    if connections == 1 { "1 connection".to_owned() } else { format!("{connections} connections") }
}

/// Turns of our own generator, closed loop.
pub(super) fn rates(bench: &Bench, row: Row, named: Vec<Named>, connections: usize) -> Row {
    let (turns, slice) = bench.slices();
    let contenders = contenders(named, move |endpoint| own(endpoint, connections, slice));
    row.by(OWN).sides(turns::sides(turns, 1, contenders))
}

/// With `wrk`, the tool that others quote, where it is here.
fn common(bench: &Bench, row: Row, named: Vec<Named>, connections: usize) -> Row {
    if peers::on_path("wrk").is_err() {
        return rates(bench, row, named, connections);
    }
    let (turns, slice) = bench.slices();
    let contenders = contenders(named, move |endpoint| wrk(endpoint, connections, slice));
    row.by(WRK).sides(turns::sides(turns, 1, contenders))
}

fn contenders<'a>(
    named: Vec<Named>,
    ask: impl Fn(&Endpoint) -> anyhow::Result<f64> + Copy + 'a,
) -> Vec<Contender<'a>> {
    let contender =
        |(name, endpoint): Named| Contender::set_up(name, endpoint.map(|endpoint| move || ask(&endpoint)));
    named.into_iter().map(contender).collect()
}

fn own(endpoint: &Endpoint, connections: usize, span: Duration) -> anyhow::Result<f64> {
    let requests = std::slice::from_ref(&endpoint.request);
    let (address, pace) = (endpoint.address, Pace::Closed);
    let done = load::run(&Load { address, connections, pace, span, requests, once: false })?;
    anyhow::ensure!(
        done.failed == 0,
        "{} of {} failed: {}",
        done.failed,
        done.due,
        done.first_failure.unwrap_or_default()
    );
    Ok(done.rate())
}

fn wrk(endpoint: &Endpoint, connections: usize, span: Duration) -> anyhow::Result<f64> {
    let seconds = span.as_secs().max(1).to_string();
    let url = format!("http://{}{}", endpoint.address, endpoint.path);
    let mut wrk = Command::new("wrk");
    wrk.args(["-t", "1", "-c", &connections.to_string(), "-d", &seconds, &url]);
    let output = wrk.output().context("start wrk")?;
    told(&String::from_utf8_lossy(&output.stdout))
}

/// Requests a second, as `wrk` prints it; an error if any request failed.
fn told(text: &str) -> anyhow::Result<f64> {
    let after = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    for name in ["Non-2xx or 3xx responses:", "Socket errors:"] {
        anyhow::ensure!(after(name).is_none(), "{name} {}", after(name).unwrap_or_default());
    }
    let rate = after("Requests/sec:").context("wrk told no rate")?;
    rate.parse().with_context(|| format!("a rate, not {rate}"))
}

#[cfg(test)]
mod tests;
