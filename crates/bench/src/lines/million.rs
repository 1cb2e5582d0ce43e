//! One million triggers in a minute, sent at fixed times whatever the server does.

use std::time::Duration;

use crate::{
    bench::{Bench, Line},
    guests,
    load::{self, Load, Outcome, Pace},
    peers::{self, Endpoint, Named, Transport},
    row::{Group, OURS, Row, Side, Target},
    stats::Summary,
};

const RATE: f64 = 1_000_000.0 / 60.0;
const CONNECTIONS: usize = 64;
const OWN: &str = "own epoll generator, open loop";

type Sides = fn(&Bench) -> anyhow::Result<Vec<Named>>;

pub(super) fn lines() -> Vec<Line> {
    let all: [(&'static str, &'static str, Sides); 2] =
        [("api", "through the Lambda API", api), ("http", "an HTTP function through its address", http)];
    all.into_iter()
        .map(|(id, what, sides)| {
            let blank = Row::new(
                format!("million/{id}"),
                Group::Throughput,
                format!("16,667 calls/s, {what}: mean latency"),
                "ms",
            );
            let blank = blank.target(Some(Target::Most(60.0))).by(OWN);
            let row = blank.clone();
            Line::new(blank, move |bench| rows(bench, &row, what, sides(bench)?))
        })
        .collect()
}

fn api(bench: &Bench) -> anyhow::Result<Vec<Named>> {
    let guest = guests::native(&bench.places)?;
    Ok(vec![
        (OURS.into(), peers::anyfn_invoke(bench, &guest)),
        ("the bare server".into(), peers::direct(&guest)),
    ])
}

fn http(bench: &Bench) -> anyhow::Result<Vec<Named>> {
    super::warm::http_sides(bench, Transport::Tcp)
}

/// One after the other: an open loop leaves no room for a second one beside it.
fn rows(bench: &Bench, mean: &Row, what: &str, named: Vec<Named>) -> anyhow::Result<Vec<Row>> {
    let span = Duration::from_secs_f64(bench.seconds.min(60.0));
    let row = |name: &str, words: &str, unit| {
        let what = format!("16,667 calls/s, {what}: {words}");
        Row::new(format!("{}/{name}", mean.id), mean.group, what, unit).by(OWN)
    };
    let mut mean = mean.clone().note(format!(
        "{} s, {CONNECTIONS} connections; from the time at which each call was due",
        span.as_secs_f64()
    ));
    let mut spread = row("latency", "latency", "ms");
    let mut p999 = row("p999", "p99.9 of the latency", "ms");
    let mut success = row("success", "answered with success", "%").target(Some(Target::Least(99.99)));
    for (name, endpoint) in named {
        match endpoint.and_then(|endpoint| one(&endpoint, span)) {
            Ok(done) => {
                let latency = Summary::of_histogram(&done.latency, 1e6);
                let single = |value: Option<f64>| Side::of(&*name, value.and_then(Summary::single));
                mean = mean.side(single(latency.as_ref().map(|latency| latency.mean)));
                p999 = p999.side(single(latency.as_ref().map(|latency| latency.p999)));
                success = success.side(single(Some(done.success())));
                spread = spread.side(Side::of(&*name, latency));
                if let Some(why) = done.first_failure {
                    success = success.note(format!(
                        "{name}: {} failed, the first: {}",
                        done.failed,
                        why.chars().take(100).collect::<String>()
                    ));
                }
            }
            Err(why) => {
                let side = Side::not_run(&*name, format!("{why:#}"));
                for row in [&mut mean, &mut spread, &mut p999, &mut success] {
                    row.sides.push(side.clone());
                }
            }
        }
    }
    Ok(vec![mean, spread, p999, success])
}

fn one(endpoint: &Endpoint, span: Duration) -> anyhow::Result<Outcome> {
    let requests = std::slice::from_ref(&endpoint.request);
    let load = |pace, span| Load {
        address: endpoint.address,
        connections: CONNECTIONS,
        pace,
        span,
        requests,
        once: false,
    };
    // Instances are there before the clock runs, as after the first second of any minute.
    load::run(&load(Pace::Open(RATE / 4.0), Duration::from_secs(1)))?;
    load::run(&load(Pace::Open(RATE), span))
}
