//! How many sandboxes this host can start and end in a second: create, spawn a program, wait for its end, destroy; some at
//! once. Prints what a start costs in time and in CPU, by whom.
//!
//! `cargo run --release -p anyfn-sandbox --example rate [-- COUNT [AT_ONCE [PROGRAM [STOCK [PAUSE_MS]]]]]`
//!
//! With a pause each of the `AT_ONCE` loops waits between two starts, so that the stock can fill: then the times are those
//! of a start that somebody waits for on a host with room.
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::{
    os::fd::AsFd as _,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyfn_base::Base;
use anyfn_core::ports::{Bind, Isolation as _, Network, ProcessSpec, SandboxSpec};
use anyfn_sandbox::{HelperCommand, Options, Processes, helper_main};

type Failure = Box<dyn std::error::Error + Send + Sync>;
/// Create, spawn, exit, destroy.
type Times = [Duration; 4];

fn main() -> Result<ExitCode, Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|first| first == "helper") {
        return Ok(helper_main(std::io::stdin().as_fd().try_clone_to_owned()?));
    }
    let number = |at: usize, otherwise: usize| args.get(at).map_or(Ok(otherwise), |n| n.parse());
    let with = With {
        count: number(0, 1000)?,
        at_once: number(1, 8)?,
        program: args.get(2).map_or("/bin/true", String::as_str).to_owned(),
        stock: number(3, 32)?,
        pause: Duration::from_millis(number(4, 0)? as u64),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(bench(with))?;
    Ok(ExitCode::SUCCESS)
}

struct With {
    count: usize,
    at_once: usize,
    program: String,
    stock: usize,
    pause: Duration,
}

#[allow(clippy::disallowed_methods, reason = "a bench reads the clock and spawns")]
async fn bench(with: With) -> Result<(), Failure> {
    let base = Base::system();
    let folder = tempfile::tempdir()?;
    let helper = HelperCommand::Exec(vec!["/proc/self/exe".into(), "helper".into()]);
    let name = format!("rate-{}", std::process::id());
    let mut options = Options::new(helper, &name, folder.path());
    let code = folder.path().join("code");
    std::fs::create_dir(&code)?;
    std::fs::copy(&with.program, code.join("main"))?;
    options.bind_roots = vec![code.clone()];
    options.stock_max = with.stock;
    options.spare_tmp = 16;
    let processes = Processes::start(base.clone(), options).await?;
    let left = Arc::new(AtomicUsize::new(with.count));
    let (start, cpu) = (Instant::now(), Cpu::now());
    let mut loops = Vec::new();
    for _ in 0..with.at_once {
        let (processes, base, left, code) = (processes.clone(), base.clone(), left.clone(), code.clone());
        loops.push(tokio::spawn(async move {
            let mut times = Vec::new();
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                times.push(once(&processes, spec(&base, &code)).await?);
                base.clock.sleep(with.pause).await;
            }
            Ok::<_, Failure>(times)
        }));
    }
    let mut times = Vec::new();
    for one in loops {
        times.extend(one.await??);
    }
    let took = start.elapsed();
    // What is put off still counts.
    drop(processes);
    base.tasks.drain(Duration::from_secs(30)).await;
    let cpu = Cpu::now().since(&cpu);
    let of = |cpu: f64| cpu * 1000.0 / with.count as f64;
    println!("{:.0} starts/s with {} at once", with.count as f64 / took.as_secs_f64(), with.at_once);
    println!(
        "CPU ms per start: server {:.3}, helper and guests {:.3}, whole machine {:.3}",
        of(cpu.own),
        of(cpu.children),
        of(cpu.machine)
    );
    for (at, name) in ["create", "spawn", "exit", "destroy"].into_iter().enumerate() {
        print(name, times.iter().map(|one| one[at]).collect());
    }
    print("create + spawn + exit", times.iter().map(|one| one[..3].iter().sum()).collect());
    Ok(())
}

fn print(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{name:>22}: min {:?}, p50 {:?}, p90 {:?}, p99 {:?}", at(0.0), at(0.5), at(0.9), at(0.99));
}

/// Seconds of CPU.
struct Cpu {
    own: f64,
    children: f64,
    /// Of all processors, kernel threads and other programs included.
    machine: f64,
}

impl Cpu {
    fn now() -> Self {
        // Both files count in hundredths of a second.
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields: Vec<f64> = stat
            .rsplit_once(") ")
            .map(|(_, rest)| rest.split(' ').map(|n| n.parse().unwrap_or(0.0)).collect())
            .unwrap_or_default();
        let sum = |from: usize| fields.get(from..from + 2).map_or(0.0, |two| two.iter().sum::<f64>()) / 100.0;
        let all = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let cpu: Vec<f64> = all
            .lines()
            .next()
            .map(|line| line.split_whitespace().skip(1).map(|n| n.parse().unwrap_or(0.0)).collect())
            .unwrap_or_default();
        // user, nice, system, idle, iowait, irq, softirq
        let busy = cpu.iter().enumerate().filter(|(at, _)| [0, 1, 2, 5, 6].contains(at)).map(|(_, n)| n);
        Self { own: sum(11), children: sum(13), machine: busy.sum::<f64>() / 100.0 }
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            own: self.own - before.own,
            children: self.children - before.children,
            machine: self.machine - before.machine,
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
async fn once(processes: &Processes, spec: SandboxSpec) -> Result<Times, Failure> {
    let start = Instant::now();
    let sandbox = processes.create(spec).await?;
    let created = Instant::now();
    let (argv, env, cwd) = (vec!["/var/task/main".to_owned()], Vec::new(), "/".to_owned());
    sandbox.spawn(ProcessSpec { argv, env, cwd, fds: Vec::new() }).await?;
    let spawned = Instant::now();
    sandbox.next_exit().await.ok_or("no exit")?;
    let exited = Instant::now();
    sandbox.destroy().await?;
    Ok([created - start, spawned - created, exited - spawned, exited.elapsed()])
}

fn spec(base: &Base, code: &std::path::Path) -> SandboxSpec {
    SandboxSpec {
        id: base.random.instance_id(),
        hostname: "localhost".into(),
        binds: vec![Bind { source: code.to_owned(), target: "/var/task".into() }],
        memory_bytes: 128 << 20,
        cpu_millis: 1000,
        pids: 1024,
        open_files: 1024,
        tmp_bytes: 512 << 20,
        tmp_inodes: 65_536,
        network: Network::None,
        listen: Some(9001),
    }
}
