//! How many cold starts a second the machine holds: every call is the first of its instance.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde_json::Value;

use super::Make;
use crate::{
    bench::{Bench, Line},
    deploy,
    guests::{self, Guest},
    http::Client,
    load::{self, Load, Pace},
    process,
    row::{Group, OURS, Row, Target},
    server::Server,
    turns::{self, Contender},
};

const CLIENTS: usize = 8;

pub(super) fn lines() -> Vec<Line> {
    let all: [(&str, &str, Make, f64); 4] = [
        ("native", "a static binary", guests::native, 800.0),
        ("boto3", "Python, boto3 in a layer, client made", guests::python_boto3, 400.0),
        ("boto3-own", "Python, the interpreter's own boto3, client made", guests::python_own_boto3, 400.0),
        ("node", "Node.js hello", guests::node_hello, 300.0),
    ];
    all.into_iter()
        .map(|(id, what, make, least)| {
            let blank = Row::new(
                format!("sustained/{id}"),
                Group::Throughput,
                format!("cold starts/s, {CLIENTS} clients, {what}"),
                "/s",
            );
            let blank = blank.target(Some(Target::Least(least))).by("own epoll generator");
            let row = blank.clone();
            Line::new(blank, move |bench| measure(bench, make, row.clone()))
        })
        .collect()
}

fn measure(bench: &Bench, make: Make, row: Row) -> anyhow::Result<Vec<Row>> {
    let guest = make(&bench.places)?;
    let server = bench.server(&[
        ("scale_up_per_10s", "1000000"),
        ("retire_after_ms", "1000"),
        ("pause_after_ms", "600000"),
        ("account_concurrency", "1000000"),
    ])?;
    let (turns, slice) = bench.slices();
    let mut starts = Starts::new(&server, &guest, slice)?;
    let how = starts.how();
    let once = guest.once().context("it has no plain form")?;
    let contenders = vec![
        Contender::new(OURS, || starts.slice(slice)),
        Contender::new(format!("plain processes, {CLIENTS} at once"), move || plain(&once, slice)),
    ];
    Ok(vec![row.sides(turns::sides(turns, 0, contenders)).note(how)])
}

/// Either functions whose instances serve one call, or many functions that are called once.
struct Starts<'a> {
    server: &'a Server,
    client: Client,
    guest: &'a Guest,
    layer: Option<String>,
    /// What the server says against one-call instances; None: it has them.
    refused: Option<String>,
    per_slice: usize,
    made: usize,
}

impl<'a> Starts<'a> {
    fn new(server: &'a Server, guest: &'a Guest, slice: Duration) -> anyhow::Result<Self> {
        let mut client = server.client()?;
        let layer = deploy::layer(&mut client, guest)?;
        let one_call = |client: &mut Client| -> anyhow::Result<()> {
            // Anyfn's own API has no word for layers.
            anyhow::ensure!(layer.is_none(), "a layer is wanted");
            for n in 0..CLIENTS {
                deploy::own(client, guest, &format!("one{n}"), &[("calls_max", Value::from(1))])?;
            }
            Ok(())
        };
        let refused = one_call(&mut client).err().map(|why| format!("{why:#}"));
        // Enough for twice the target, and no more than what can be made in reasonable time.
        let per_slice = ((slice.as_secs_f64() * 1000.0) as usize).clamp(100, 4000);
        Ok(Self { server, client, guest, layer, refused, per_slice, made: 0 })
    }

    fn how(&self) -> String {
        let once = || format!("{} functions called once each a turn", self.per_slice);
        self.refused
            .as_ref()
            .map_or_else(|| "instances that serve one call (calls_max = 1)".to_owned(), |_| once())
    }

    /// Starts a second.
    fn slice(&mut self, span: Duration) -> anyhow::Result<f64> {
        let host = self.server.address.to_string();
        let names: Vec<String> = if self.refused.is_none() {
            (0..CLIENTS).map(|n| format!("one{n}")).collect()
        } else {
            self.fresh()?
        };
        let requests: Vec<_> = names.iter().map(|name| deploy::invoke(&host, name)).collect();
        let before = self.begun()?;
        let once = self.refused.is_some();
        let done = load::run(&Load {
            address: self.server.address,
            connections: CLIENTS,
            pace: Pace::Closed,
            span,
            requests: &requests,
            once,
        })?;
        anyhow::ensure!(
            done.failed == 0,
            "{} of {} failed: {}",
            done.failed,
            done.due,
            done.first_failure.unwrap_or_default()
        );
        let started = self.begun()?.zip(before).map(|(after, before)| after - before);
        if let Some(started) = started {
            anyhow::ensure!(started + 1.0 >= done.ok as f64, "only {started} of {} calls were cold", done.ok);
        }
        let rate = done.rate();
        if once {
            names.iter().try_for_each(|name| deploy::delete(&mut self.client, name))?;
        }
        Ok(rate)
    }

    /// Instances that were begun.
    fn begun(&self) -> anyhow::Result<Option<f64>> {
        self.server.metric("anyfn_init_duration_seconds_count")
    }

    fn fresh(&mut self) -> anyhow::Result<Vec<String>> {
        let names: Vec<_> = (self.made..self.made + self.per_slice).map(|n| format!("once{n}")).collect();
        self.made += self.per_slice;
        for name in &names {
            deploy::create(&mut self.client, self.guest, name, self.layer.as_deref(), "")?;
        }
        let last = names.last().context("a function")?;
        let until = Instant::now() + Duration::from_secs(30);
        let path = format!("/2015-03-31/functions/{last}/configuration");
        while !String::from_utf8_lossy(&self.client.ok("GET", &path, "", b"")?).contains("\"Active\"") {
            anyhow::ensure!(Instant::now() < until, "{last} did not become active");
            thread::sleep(Duration::from_millis(5));
        }
        Ok(names)
    }
}

/// Plain processes a second, as many at once as there are clients.
fn plain(once: &[String], span: Duration) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let counts: Vec<anyhow::Result<u64>> = thread::scope(|scope| {
        let work = || {
            let mut count = 0;
            while begun.elapsed() < span {
                process::to_first_line(once)?;
                count += 1;
            }
            Ok(count)
        };
        let workers: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(Ok(0))).collect()
    });
    let elapsed = begun.elapsed().as_secs_f64();
    let all: u64 = counts.into_iter().sum::<anyhow::Result<u64>>()?;
    Ok(all as f64 / elapsed)
}
