//! What a server costs on which nothing happens.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    bench::{Bench, Line},
    deploy, guests, machine,
    row::{Group, OURS, Row, Side},
    stats::Summary,
};

pub(super) fn lines() -> Vec<Line> {
    let blank = Row::new(
        "idle/cpu",
        Group::Density,
        "processor time a minute with 1,000 idle functions, 50 of them with an idle instance",
        "ms",
    );
    let blank = blank.by("/proc/PID/task/*/schedstat");
    let row = blank.clone();
    let start = Row::new("idle/start", Group::Density, "start of an empty server to its first answer", "ms");
    let empty = start.clone();
    vec![
        Line::new(blank, move |bench| cpu(bench, row.clone())),
        Line::new(start, move |bench| starts(bench, empty.clone())),
    ]
}

fn cpu(bench: &Bench, row: Row) -> anyhow::Result<Vec<Row>> {
    let (functions, instances) = if bench.quick { (200, 10) } else { (1000, 50) };
    let guest = guests::python_hello(&bench.places)?;
    let server = bench.server(&[("pause_after_ms", "500"), ("retire_after_ms", "3600000")])?;
    let mut client = server.client()?;
    for n in 0..functions {
        deploy::ready(&mut client, &guest, &format!("i{n}"), None)?;
    }
    for n in 0..instances {
        client.ok("POST", &deploy::invoke_path(&format!("i{n}")), "", guests::EVENT)?;
    }
    // Until all are paused and all logs are written.
    thread::sleep(Duration::from_secs(3));
    let span = Duration::from_secs_f64(bench.seconds.clamp(2.0, 60.0));
    let all = || {
        let mut all = server.own_processes();
        all.extend(server.guest_processes());
        machine::cpu_seconds(&all)
    };
    let (begun, before) = (Instant::now(), all());
    thread::sleep(span);
    let millis = (all() - before) * 1e3 * 60.0 / begun.elapsed().as_secs_f64();
    let note = format!(
        "{functions} functions and {instances} instances, over {} s; server, helper and guests",
        span.as_secs()
    );
    Ok(vec![row.side(Side::of(OURS, Summary::single(millis))).note(note)])
}

fn starts(bench: &Bench, row: Row) -> anyhow::Result<Vec<Row>> {
    let mut values = Vec::new();
    for _ in 0..bench.runs.min(20) {
        values.push(bench.server(&[])?.ready.as_secs_f64() * 1e3);
    }
    let server = bench.server(&[])?;
    let memory = Row::new("idle/memory", row.group, "memory (PSS) of an empty server and its helper", "MiB")
        .by("/proc/PID/smaps_rollup");
    let memory = memory.side(Side::of(OURS, Summary::single(server.own_pss_kib()? / 1024.0)));
    Ok(vec![row.side(Side::measured(OURS, values)), memory])
}
