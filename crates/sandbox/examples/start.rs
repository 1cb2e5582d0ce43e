//! What a sandbox costs: create, spawn, exit and destroy of `/bin/true`, one after the other.
//!
//! `cargo run --release -p anyfn-sandbox --example start [-- COUNT [PROGRAM]]`
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::{
    os::fd::AsFd as _,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyfn_base::Base;
use anyfn_core::ports::{Isolation as _, Network, ProcessSpec, SandboxSpec};
use anyfn_sandbox::{HelperCommand, Options, Processes, helper_main};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<ExitCode, Failure> {
    let mut args = std::env::args().skip(1);
    let first = args.next();
    if first.as_deref() == Some("helper") {
        return Ok(helper_main(std::io::stdin().as_fd().try_clone_to_owned()?));
    }
    let count = first.map_or(Ok(200), |n| n.parse())?;
    let program = args.next().unwrap_or_else(|| "/bin/true".into());
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(bench(count, &program))?;
    Ok(ExitCode::SUCCESS)
}

async fn bench(count: usize, program: &str) -> Result<(), Failure> {
    let base = Base::system();
    let folder = tempfile::tempdir()?;
    let helper = HelperCommand::Exec(vec!["/proc/self/exe".into(), "helper".into()]);
    let mut options = Options::new(helper, format!("bench-{}", std::process::id()), folder.path());
    // A program from elsewhere (a static one, for example) is shown under /opt.
    let name = std::path::Path::new(program).file_name().ok_or("no program")?.to_owned();
    std::fs::copy(program, folder.path().join(&name))?;
    options.bind_roots = vec![folder.path().to_path_buf()];
    let processes = Processes::start(base.clone(), options).await?;
    for (part, here, how) in processes.capabilities().parts {
        println!("{} {part}: {how}", if here { "yes" } else { " no" });
    }
    let inside = format!("/opt/{}", name.to_string_lossy());
    let mut steps = vec![Vec::new(); 4];
    for _ in 0..count {
        let mut spec = spec(&base);
        spec.binds
            .push(anyfn_core::ports::Bind { source: folder.path().to_path_buf(), target: "/opt".into() });
        let times = once(&processes, spec, &inside).await?;
        steps.iter_mut().zip(times).for_each(|(all, one)| all.push(one));
    }
    for (name, mut times) in ["create", "spawn", "exit", "destroy"].into_iter().zip(steps.clone()) {
        print(name, &mut times);
    }
    let sum = |from: std::ops::Range<usize>| -> Vec<Duration> {
        (0..count).map(|n| steps[from.clone()].iter().map(|all| all[n]).sum()).collect()
    };
    print("create + spawn + exit", &mut sum(0..3));
    print("all", &mut sum(0..4));
    drop(processes);
    base.tasks.drain(Duration::from_secs(10)).await;
    Ok(())
}

fn print(name: &str, times: &mut [Duration]) {
    times.sort();
    println!("{name:>22}: p50 {:?}, p90 {:?}", times[times.len() / 2], times[times.len() * 9 / 10]);
}

#[allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
async fn once(processes: &Processes, spec: SandboxSpec, program: &str) -> Result<[Duration; 4], Failure> {
    let start = Instant::now();
    let sandbox = processes.create(spec).await?;
    let created = Instant::now();
    let (argv, env, cwd) = (vec![program.to_owned()], Vec::new(), "/".to_owned());
    sandbox.spawn(ProcessSpec { argv, env, cwd, fds: Vec::new() }).await?;
    let spawned = Instant::now();
    sandbox.next_exit().await.ok_or("no exit")?;
    let exited = Instant::now();
    sandbox.destroy().await?;
    Ok([created - start, spawned - created, exited - spawned, exited.elapsed()])
}

fn spec(base: &Base) -> SandboxSpec {
    SandboxSpec {
        id: base.random.instance_id(),
        hostname: "fn".into(),
        binds: Vec::new(),
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
