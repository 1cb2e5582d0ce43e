//! The mix that chose the engine: `cargo run --release -p anyfn-store --example mix -- DIR COUNT BYTES`.
//! Writes COUNT records of BYTES each with 64 in flight, every one acknowledged after fdatasync; reads, scans, queues,
//! and opens again. Prints rates, latencies and memory. With COUNT 0 it only opens.
#![allow(clippy::print_stdout, reason = "printing is what a bench does")]
#![allow(clippy::cast_precision_loss, reason = "rates for people to read")]

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyfn_base::{Base, Instant, TaskKind};
use anyfn_core::ports::{Append, Expect, Lease};
use anyfn_store::{Options, Store};
use anyfn_types::Error;
use bytes::Bytes;

const IN_FLIGHT: usize = 64;

fn rss_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn rate(count: usize, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}

/// Runs `one` for 0..count with 64 in flight; gives latencies in microseconds, sorted.
async fn in_flight<F>(
    base: &Base,
    count: usize,
    one: impl Fn(usize) -> F + Clone + Send + Sync + 'static,
) -> Vec<u128>
where
    F: Future<Output = Result<(), Error>> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers = Vec::new();
    for _ in 0..IN_FLIGHT {
        let (next, one) = (next.clone(), one.clone());
        callers.push(base.tasks.spawn(TaskKind::Request, "caller", async move {
            let mut took = Vec::new();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= count {
                    return Ok::<_, Error>(took);
                }
                let began = Instant::now();
                one(i).await?;
                took.push(began.elapsed().as_micros());
            }
        }));
    }
    let mut all = Vec::new();
    for caller in callers {
        all.extend(caller.await.ok().flatten().and_then(Result::ok).unwrap_or_default());
    }
    all.sort_unstable();
    all
}

fn print(what: &str, began: Instant, took: &[u128]) {
    let at = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or(0);
    let rate = rate(took.len(), began);
    println!("{what}: {rate:.0}/s, p50 {} us, p99 {} us, rss {} MiB", at(50), at(99), rss_mib());
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let usage = || Error::invalid("usage", "mix DIR COUNT BYTES");
    let dir = PathBuf::from(args.next().ok_or_else(usage)?);
    let count: usize = args.next().and_then(|n| n.parse().ok()).ok_or_else(usage)?;
    let size: usize = args.next().and_then(|n| n.parse().ok()).ok_or_else(usage)?;
    let base = Base::system();
    let began = Instant::now();
    let store = Store::open(base.clone(), dir.clone(), Options::default()).await?;
    println!("open: {} ms, rss {} MiB", began.elapsed().as_millis(), rss_mib());
    let syncs = base.metrics.counter("anyfn_store_syncs_total", "Syncs of the log.", &[]);

    let (records, began) = (store.records(), Instant::now());
    let took =
        in_flight(&base, count, move |i| {
            let records = records.clone();
            let value = Bytes::from(vec![i.to_le_bytes()[0]; size]);
            async move {
                records.put(&format!("fn/{:08}", (i * 7919) % count), value, Expect::Any).await.map(drop)
            }
        })
        .await;
    print("put", began, &took);
    println!("syncs: {}", syncs.get());

    let (records, began) = (store.records(), Instant::now());
    for i in 0..count {
        records.get(&format!("fn/{:08}", (i * 104_729) % count)).await?;
    }
    println!("get, one caller: {:.0}/s", rate(count, began));
    let began = Instant::now();
    let mut after: Option<String> = None;
    let mut seen = 0;
    loop {
        let page = records.scan("fn/", after.as_deref(), 1000).await?;
        let Some(last) = page.last() else { break };
        seen += page.len();
        after = Some(last.key.clone());
    }
    println!("scan: {:.0}/s, rss {} MiB", rate(seen, began), rss_mib());

    let messages = count / 2;
    let (queue, random, began) = (store.queue(), base.random.clone(), Instant::now());
    let took = in_flight(&base, messages, move |_| {
        let (queue, id) = (queue.clone(), random.message_id());
        let body = Bytes::from(vec![7; size]);
        async move { queue.append("q", vec![Append { id, body, due: 0 }]).await }
    })
    .await;
    print("queue append", began, &took);
    let (queue, began) = (store.queue(), Instant::now());
    let took = in_flight(&base, messages, move |_| {
        let queue = queue.clone();
        async move {
            for leased in queue.lease("q", 1, Lease(60_000)).await? {
                queue.ack("q", leased.id, leased.token).await?;
            }
            Ok(())
        }
    })
    .await;
    print("queue lease and ack", began, &took);
    store.close().await;
    drop(store);
    let began = Instant::now();
    let store = Store::open(base.clone(), dir, Options::default()).await?;
    println!("open again: {} ms", began.elapsed().as_millis());
    store.close().await;
    Ok(())
}
