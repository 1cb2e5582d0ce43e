//! What a function costs that nobody calls, and how many idle instances a GiB holds.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::Make;
use crate::{
    bench::{Bench, Line},
    deploy, guests,
    http::Client,
    load::{self, Load, Pace},
    machine,
    row::{Group, OURS, Row, Side, Target},
    server::Server,
    stats::Summary,
    wire,
};

pub(super) fn lines() -> Vec<Line> {
    let blank = Row::new(
        "density/functions",
        Group::Density,
        "server's memory (PSS) for each registered, idle function",
        "KiB",
    );
    let blank = blank.target(Some(Target::Most(4.0))).by("/proc/PID/smaps_rollup");
    let row = blank.clone();
    let mut lines = vec![Line::new(blank, move |bench| functions(bench, row.clone()))];
    let all: [(&str, &str, Make, f64); 4] = [
        ("boto3", "Python, boto3 in a layer", guests::python_boto3, 600.0),
        ("boto3-own", "Python, the interpreter's own boto3", guests::python_own_boto3, 600.0),
        ("node-sdk", "Node.js, AWS SDK in a layer", guests::node_sdk, 500.0),
        ("wasm", "WebAssembly", guests::wasm, 20_000.0),
    ];
    for (id, what, make, least) in all {
        let blank = Row::new(
            format!("density/{id}"),
            Group::Density,
            format!("idle instances per GiB after one call, {what}"),
            "per GiB",
        );
        let blank = blank.target(Some(Target::Least(least))).by("PSS and kernel memory of the group");
        let row = blank.clone();
        lines.push(Line::new(blank, move |bench| instances(bench, make, row.clone())));
    }
    lines
}

/// How long functions are created at most.
const CREATING: Duration = Duration::from_secs(240);

fn functions(bench: &Bench, row: Row) -> anyhow::Result<Vec<Row>> {
    let wanted = if bench.quick { 5_000 } else { 100_000 };
    let guest = guests::python_hello(&bench.places)?;
    let server = bench.server(&[])?;
    let mut client = server.client()?;
    // What is paid once is not charged to the functions.
    deploy::ready(&mut client, &guest, "first", None)?;
    let before = server.own_pss_kib()?;
    let begun = Instant::now();
    let host = server.address.to_string();
    let mut made = 0_u64;
    while made < wanted && begun.elapsed() < CREATING {
        let some: Vec<_> = (made..(made + 2000).min(wanted))
            .map(|n| {
                let body = deploy::create_body(&guest, &format!("f{n}"), None);
                wire::request(&host, "POST", "/2015-03-31/functions", "", body.as_bytes())
            })
            .collect();
        let span = Duration::from_secs(60);
        let (address, pace) = (server.address, Pace::Closed);
        let done = load::run(&Load { address, connections: 8, pace, span, requests: &some, once: true })?;
        anyhow::ensure!(
            done.failed == 0,
            "{} of {} failed: {}",
            done.failed,
            done.due,
            done.first_failure.unwrap_or_default()
        );
        made += done.ok;
    }
    let rate = made as f64 / begun.elapsed().as_secs_f64();
    thread::sleep(Duration::from_secs(2));
    let each = (server.own_pss_kib()? - before) / made as f64;
    let single = |value| Side::of(OURS, Summary::single(value));
    let more = |name: &str, what: &str, unit| {
        Row::new(format!("{}/{name}", row.id), row.group, format!("{what}, {made} functions"), unit)
    };
    let create =
        more("create", "CreateFunction, 8 clients", "/s").by("own epoll generator").side(single(rate));
    let again = restarted(bench, server, made)?;
    let start =
        more("start", "start of the server to its first answer", "ms").target(Some(Target::Most(1000.0)));
    let start = start.side(Side::measured(OURS, again.starts));
    let after = more("after-start", "memory (PSS) for each function after a start", "KiB")
        .by("/proc/PID/smaps_rollup")
        .side(single(again.each));
    Ok(vec![row.note(format!("{made} functions")).side(single(each)), after, start, create])
}

struct Again {
    /// Milliseconds.
    starts: Vec<f64>,
    each: f64,
}

/// The same data folder again, against a server that has none.
fn restarted(bench: &Bench, server: Server, functions: u64) -> anyhow::Result<Again> {
    let empty = bench.server(&[])?;
    let base = empty.own_pss_kib()?;
    drop(empty);
    let (mut data, mut starts, mut each) = (server.end(), Vec::new(), f64::NAN);
    for _ in 0..if bench.quick { 2 } else { 5 } {
        let server = Server::start(&bench.binary, data, &[])?;
        starts.push(server.ready.as_secs_f64() * 1e3);
        each = (server.own_pss_kib()? - base) / functions as f64;
        data = server.end();
    }
    Ok(Again { starts, each })
}

/// The slope between two counts of instances: what is shared by all is not charged.
fn instances(bench: &Bench, make: Make, row: Row) -> anyhow::Result<Vec<Row>> {
    let guest = make(&bench.places)?;
    let server = bench.server(&[
        ("pause_after_ms", "500"),
        ("retire_after_ms", "3600000"),
        ("scale_up_per_10s", "1000000"),
    ])?;
    let mut client = server.client()?;
    let layer = deploy::layer(&mut client, &guest)?;
    let (few, many) = if bench.quick { (5, 15) } else { (10, 60) };
    let weigh = |range: std::ops::Range<u32>, client: &mut Client| -> anyhow::Result<(f64, Option<f64>)> {
        for n in range {
            let name = format!("i{n}");
            deploy::ready(client, &guest, &name, layer.as_deref())?;
            client.ok("POST", &deploy::invoke_path(&name), "", guests::EVENT)?;
        }
        thread::sleep(Duration::from_secs(2));
        let guests = server.guest_processes();
        Ok((machine::pss_kib(&guests)? + server.own_pss_kib()?, machine::kernel_kib(&guests)))
    };
    let (first, first_kernel) = weigh(0..few, &mut client)?;
    let (last, last_kernel) = weigh(few..many, &mut client)?;
    let kernel = last_kernel.zip(first_kernel).map(|(last, first)| last - first);
    let each = (last - first + kernel.unwrap_or_default()) / f64::from(many - few);
    let note = format!(
        "{:.2} MiB each, {} of it the kernel's; the slope from {few} to {many} instances, server included",
        each / 1024.0,
        kernel.map_or_else(
            || "an unknown share".to_owned(),
            |kib| format!("{:.2} MiB", kib / 1024.0 / f64::from(many - few))
        )
    );
    let plain = plain_kib(&guest)?;
    let gib = |kib: f64| Summary::single(1024.0 * 1024.0 / kib);
    Ok(vec![
        row.side(Side::of(OURS, gib(each)))
            .sides(plain.map(|kib| Side::of("plain processes of the same handler", gib(kib))))
            .note(note),
    ])
}

/// PSS of one more plain server of the same handler, beside others like it.
fn plain_kib(guest: &guests::Guest) -> anyhow::Result<Option<f64>> {
    if guest.once().is_none() {
        return Ok(None);
    }
    let running: Vec<_> = (0..4).map(|_| guest.bare()).collect::<anyhow::Result<_>>()?;
    let each: Vec<Vec<u32>> = running.iter().map(|(process, _)| machine::tree(process.id())).collect();
    let of = |some: &[Vec<u32>]| machine::pss_kib(&some.concat());
    Ok(Some(of(&each)? / each.len() as f64))
}
