//! Warm calls on one connection: what the platform adds to the function's own time.

use std::time::Instant;

use super::LANGUAGES;
use crate::{
    bench::{Bench, Line},
    guests::{self, Guest},
    http::Client,
    peers::{self, Endpoint, Named, Transport},
    row::{Group, OURS, Row, Side, Target},
    stats::{Summary, differences},
    turns::{self, Contender},
};

pub(super) fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for (name, make) in LANGUAGES {
        let blank = Row::new(
            format!("warm/api/{name}"),
            Group::Warm,
            format!("{name}, through the Lambda API"),
            "µs",
        );
        let row = blank.clone();
        lines.push(Line::new(blank, move |bench| api(bench, &make(&bench.places)?, &row)));
    }
    for transport in Transport::ALL {
        let what = format!("an HTTP function through its address, {} to the function", transport.name());
        let blank = Row::new(format!("warm/http-{}", transport.id()), Group::Warm, what, "µs");
        let row = blank.clone();
        lines.push(Line::new(blank, move |bench| {
            let mut named = http_sides(bench, transport)?;
            let bare = peers::direct_get(&guests::native(&bench.places)?);
            named.insert(1, ("the bare server, TCP".into(), bare));
            Ok(vec![latency(bench, row.clone(), named)])
        }));
    }
    lines
}

/// Calls before the first that counts.
const WARM_UP: usize = 100;

/// Ours, the bare server, and what lies between them.
fn api(bench: &Bench, guest: &Guest, row: &Row) -> anyhow::Result<Vec<Row>> {
    let ours = peers::anyfn_invoke(bench, guest)?;
    if guest.name == "wasm" {
        let native = peers::anyfn_invoke(bench, &guests::native(&bench.places)?);
        let row = row.clone().target(Some(Target::RatioMost(3.0)));
        return Ok(vec![latency(
            bench,
            row,
            vec![(OURS.into(), Ok(ours)), ("anyfn, a native function".into(), native)],
        )]);
    }
    let direct = peers::direct(guest)?;
    let contenders =
        vec![contender(OURS, &ours)?, contender("the bare server of the same handler", &direct)?];
    let mut taken = turns::take(bench.calls(), WARM_UP, contenders).into_iter();
    let (Some((ours, a)), Some((bare, b))) = (taken.next(), taken.next()) else { return Ok(Vec::new()) };
    let added = Side::of(OURS, Summary::of(differences(&a, &b)));
    let (id, what) = (format!("{}/added", row.id), format!("{}: added to the function's own time", row.what));
    let added = Row::new(id, Group::Warm, what, "µs").target(Some(Target::Most(50.0))).side(added);
    Ok(vec![
        row.clone().by("own client, one connection").side(ours).side(bare),
        added.by("own client, one connection").note("call by call, ours less the bare server's"),
    ])
}

fn contender<'a>(name: &str, endpoint: &'a Endpoint) -> anyhow::Result<Contender<'a>> {
    let mut client = endpoint.client()?;
    Ok(Contender::new(name, move || call(&mut client, endpoint)))
}

/// Microseconds. The whole endpoint is asked for, so that a closure holds all that keeps it alive.
fn call(client: &mut Client, endpoint: &Endpoint) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let answer = client.raw(&endpoint.request)?;
    let micros = begun.elapsed().as_secs_f64() * 1e6;
    anyhow::ensure!(answer.is_success(), "it answered {}", answer.told());
    Ok(micros)
}

/// All in turn, one connection each.
pub(super) fn latency(bench: &Bench, row: Row, named: Vec<Named>) -> Row {
    let contenders = named
        .into_iter()
        .map(|(name, endpoint)| {
            let work = endpoint.and_then(|endpoint| {
                let mut client = endpoint.client()?;
                Ok(move || call(&mut client, &endpoint))
            });
            Contender::set_up(name, work)
        })
        .collect();
    row.by("own client, one connection").sides(turns::sides(bench.calls(), WARM_UP, contenders))
}

/// An HTTP function beside the same binary behind proxies, over the same transport.
pub(super) fn http_sides(bench: &Bench, transport: Transport) -> anyhow::Result<Vec<Named>> {
    let guest = guests::native_http(&bench.places, transport)?;
    let mut named: Vec<Named> = vec![(OURS.into(), peers::anyfn_http(bench, &guest))];
    if bench.peers {
        named.push(("nginx".into(), peers::nginx(bench, &guest, transport)));
        named.push(("haproxy".into(), peers::haproxy(bench, &guest, transport)));
    }
    Ok(named)
}
