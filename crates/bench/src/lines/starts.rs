//! From nothing to the first answer: a fresh function here, and the start of other platforms' processes.

use std::time::Instant;

use super::cold::First;
use crate::{
    bench::{Bench, Line},
    guests,
    http::Client,
    peers::{self, Endpoint, Ministack},
    row::{Group, OURS, Row},
    turns::{self, Contender},
};

/// Some of them take seconds.
const RUNS: usize = 10;

type Fill = fn(&Bench, Row) -> anyhow::Result<Row>;

pub(super) fn lines() -> Vec<Line> {
    let all: [(&str, &str, Fill); 2] = [
        ("python", "Python hello: first answer of a fresh function, or of a platform's process", python),
        (
            "javascript",
            "JavaScript hello: first answer of a fresh function, or of a platform's process",
            javascript,
        ),
    ];
    all.into_iter()
        .map(|(id, what, run)| {
            let blank = Row::new(format!("cold/platforms-{id}"), Group::Cold, what, "ms");
            let row = blank.clone();
            Line::new(blank, move |bench| Ok(vec![run(bench, row.clone())?]))
        })
        .collect()
}

fn python(bench: &Bench, row: Row) -> anyhow::Result<Row> {
    let guest = guests::python_hello(&bench.places)?;
    let server = bench.server(&[])?;
    let mut first = First::new(&server, &guest)?;
    let mut contenders = vec![Contender::new(OURS, || first.call())];
    if bench.peers {
        let stack = Ministack::start(bench).map(|stack| {
            let (mut count, guest) = (0, guest.clone());
            move || {
                count += 1;
                let name = format!("cold{count}");
                stack.create(&guest, &name)?;
                let mut client = Client::connect(stack.address)?;
                let (begun, request) = (Instant::now(), stack.request(&name));
                let answer = client.raw(&request)?;
                anyhow::ensure!(answer.is_success(), "it answered {}", answer.told());
                Ok(begun.elapsed().as_secs_f64() * 1e3)
            }
        });
        contenders.push(Contender::set_up("ministack, a fresh function", stack));
        let framework = || started(|| peers::functions_framework_py(bench));
        contenders.push(Contender::new("functions-framework, process", framework));
        contenders.push(Contender::new("of-watchdog and the bare server, process", || {
            started(|| peers::watchdog(bench, &guest))
        }));
    }
    Ok(row.sides(turns::sides(bench.runs.min(RUNS), 1, contenders)))
}

fn javascript(bench: &Bench, row: Row) -> anyhow::Result<Row> {
    let guest = guests::node_hello(&bench.places)?;
    let server = bench.server(&[])?;
    let mut first = First::new(&server, &guest)?;
    let mut contenders = vec![Contender::new(OURS, || first.call())];
    if bench.peers {
        let framework = || started(|| peers::functions_framework_js(bench));
        contenders.push(Contender::new("functions-framework, process", framework));
        contenders.push(Contender::new("workerd, process", || started(|| peers::workerd(bench))));
        contenders.push(Contender::new("wrangler dev, process", || started(|| peers::wrangler(bench))));
        contenders.push(Contender::new("serverless-offline, process", || {
            started(|| peers::serverless_offline(bench))
        }));
    }
    Ok(row.sides(turns::sides(bench.runs.min(RUNS), 1, contenders)))
}

/// Milliseconds until it answered; asked every two of them.
fn started(start: impl Fn() -> anyhow::Result<Endpoint>) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let endpoint = start()?;
    let millis = begun.elapsed().as_secs_f64() * 1e3;
    drop(endpoint);
    Ok(millis)
}
