//! Two hundred calls at once to a function that has no instance.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use crate::{
    bench::{Bench, Line},
    deploy, guests,
    http::Client,
    row::{Group, OURS, Row, Side, Target},
    server::Server,
    stats::Summary,
};

const CALLS: usize = 200;

pub(super) fn lines() -> Vec<Line> {
    let blank = Row::new(
        "burst/python",
        Group::Cold,
        format!("{CALLS} calls at once to a cold Python function: p99"),
        "ms",
    );
    let blank = blank.target(Some(Target::Most(600.0))).by("own threads, one connection each");
    let row = blank.clone();
    vec![Line::new(blank, move |bench| rows(bench, &row))]
}

/// What the server has counted so far.
struct Counts {
    started: Option<f64>,
    wasted: Option<f64>,
}

impl Counts {
    fn read(server: &Server) -> anyhow::Result<Self> {
        Ok(Self {
            started: server.metric("anyfn_starts_total")?,
            wasted: server.metric("anyfn_starts_wasted_total")?,
        })
    }
}

fn rows(bench: &Bench, row: &Row) -> anyhow::Result<Vec<Row>> {
    let guest = guests::python_hello(&bench.places)?;
    let server = bench.server(&[])?;
    let (mut p99, mut p50, mut answered) = (Vec::new(), Vec::new(), Vec::new());
    let (mut started, mut wasted) = (Vec::new(), Vec::new());
    for n in 0..if bench.quick { 2 } else { 10 } {
        let name = format!("burst{n}");
        deploy::ready(&mut server.client()?, &guest, &name, None)?;
        let before = Counts::read(&server)?;
        let millis = burst(&server, &name)?;
        // Its instances end before the next begins; one that never had a call is counted when it ends.
        deploy::delete(&mut server.client()?, &name)?;
        thread::sleep(Duration::from_secs(3));
        let after = Counts::read(&server)?;
        answered.push(100.0 * millis.len() as f64 / CALLS as f64);
        if let Some(summary) = Summary::of(millis) {
            p99.push(summary.p99);
            p50.push(summary.median);
        }
        started.extend(after.started.zip(before.started).map(|(after, before)| after - before));
        let more = after.wasted.map(|after| after - before.wasted.unwrap_or_default());
        wasted.extend(more.map(|wasted| 100.0 * wasted / CALLS as f64));
    }
    let more = |name: &str, what: &str, unit| {
        let what = format!("{CALLS} calls at once to a cold Python function: {what}");
        Row::new(format!("{}/{name}", row.id), row.group, what, unit).by(row.generator)
    };
    let or_none = |values: Vec<f64>, metric: &str| match values.is_empty() {
        true => Side::not_run(OURS, format!("this server has no metric {metric}")),
        false => Side::measured(OURS, values),
    };
    Ok(vec![
        row.clone().side(Side::measured(OURS, p99)).note("median over bursts"),
        more("p50", "p50", "ms").side(Side::measured(OURS, p50)),
        more("answered", "answered", "%")
            .target(Some(Target::Least(100.0)))
            .side(Side::measured(OURS, answered)),
        more("started", "instances started", "instances").side(or_none(started, "anyfn_starts_total")),
        more("wasted", "starts wasted, of the calls", "%")
            .target(Some(Target::Most(10.0)))
            .side(or_none(wasted, "anyfn_starts_wasted_total")),
    ])
}

/// Milliseconds of those that were answered.
fn burst(server: &Server, name: &str) -> anyhow::Result<Vec<f64>> {
    let (barrier, path) = (Barrier::new(CALLS), deploy::invoke_path(name));
    let clients: Vec<Client> = (0..CALLS).map(|_| server.client()).collect::<anyhow::Result<_>>()?;
    let call = |mut client: Client| {
        barrier.wait();
        let begun = Instant::now();
        let answer = client.ok("POST", &path, "", guests::EVENT);
        answer.is_ok().then(|| begun.elapsed().as_secs_f64() * 1e3)
    };
    let call = &call;
    let millis = thread::scope(|scope| {
        let workers: Vec<_> = clients.into_iter().map(|client| scope.spawn(move || call(client))).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok().flatten()).collect()
    });
    Ok(millis)
}
