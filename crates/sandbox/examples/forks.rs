//! What a fork of a template costs: bare Python, Python with boto3 and a client, Node with a large module.
//!
//! `cargo run --release -p anyfn-sandbox --example forks [-- COUNT [SITE_PACKAGES|- [NODE_MODULES]]]`
//!
//! SITE_PACKAGES holds boto3, NODE_MODULES a client of the AWS SDK; what is not given is left out. Times are from the call
//! of `fork` to the child's first byte, in sandboxes that stand already. CPU time is that of this process, its helper, the
//! template and the children, from the order to the end of the child (version 1 of cgroups; elsewhere the last two lack).
#![allow(clippy::print_stdout, reason = "a bench prints")]
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::{
    fs::File,
    io::Read as _,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyfn_base::Base;
use anyfn_core::ports::{Bind, Isolation as _, Network, Sandbox, SandboxSpec, Template, TemplateSpec};
use anyfn_sandbox::{HelperCommand, Options, Processes, helper_main};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const PYTHON: &str = r#"
import sys
sys.path[:0] = sys.argv[1:]
import ctypes, gc, os
if sys.argv[1:]:
    import boto3
    boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
native = ctypes.PyDLL("/var/runtime/template.so")
gc.collect(); gc.freeze()
if native.template_ready(int(os.environ["ANYFN_TEMPLATE_FD"])) < 0: os._exit(70)
while (order := native.template_next(3)) == 1:
    try: pid = os.fork()
    except OSError as e: pid = -(e.errno or 11)
    if pid == 0:
        if native.template_become() < 0: os._exit(71)
        break
    if native.template_forked(pid) < 0: os._exit(72)
else: os._exit(0)
os.write(4, b"x")
os.read(5, 1)
os._exit(0)
"#;

const NODE: &str = r#"
const fs = require("fs");
if (process.argv[2]) {
  const sdk = require(process.argv[2]);
  const client = Object.keys(sdk).find((name) => /^[A-Z]\w+Client$/.test(name) && name !== "__Client");
  new sdk[client]({ region: "us-east-1", credentials: { accessKeyId: "x", secretAccessKey: "x" } });
}
const { serve, leave } = require("/var/runtime/template.node");
const left = serve(Number(process.env.ANYFN_TEMPLATE_FD));
if (left !== 0) process.exit(70);
fs.writeSync(4, "x");
fs.readSync(5, Buffer.alloc(1));
leave(0);
"#;

fn main() -> Result<ExitCode, Failure> {
    let mut args = std::env::args().skip(1);
    let first = args.next();
    if first.as_deref() == Some("helper") {
        return Ok(helper_main(std::io::stdin().as_fd().try_clone_to_owned()?));
    }
    let count = first.map_or(Ok(200), |n| n.parse())?;
    let folders: Vec<String> = args.collect();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(bench(count, &folders))?;
    Ok(ExitCode::SUCCESS)
}

async fn bench(count: usize, folders: &[String]) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let runtime = folder.path().join("runtime");
    std::fs::create_dir(&runtime)?;
    for (name, bytes) in [
        ("template.so", anyfn_zygote::PYTHON),
        ("template.node", anyfn_zygote::NODE),
        ("template.py", PYTHON.as_bytes()),
        ("template.cjs", NODE.as_bytes()),
    ] {
        std::fs::write(runtime.join(name), bytes)?;
    }
    let python = ["/usr/bin/python3", "-I", "-S", "/var/runtime/template.py"];
    let node = ["/usr/bin/node", "--single-threaded", "--v8-pool-size=0", "/var/runtime/template.cjs"];
    let parts = |at: usize| folders.get(at).filter(|folder| *folder != "-");
    let mut cases = vec![("python", python.to_vec(), None)];
    if let Some(packages) = parts(0) {
        cases.push(("python + boto3 client", [&python[..], &["/opt"]].concat(), Some(packages)));
    }
    cases.push(("node", node.to_vec(), None));
    if let Some(modules) = parts(1) {
        let sdk = "/opt/node_modules/@aws-sdk/client-lambda";
        cases.push(("node + AWS SDK client", [&node[..], &[sdk]].concat(), Some(modules)));
    }
    for (name, argv, packages) in cases {
        let mut binds = vec![Bind { source: runtime.clone(), target: "/var/runtime".into() }];
        let target = if name.starts_with("node") { "/opt/node_modules" } else { "/opt" };
        binds.extend(packages.map(|packages| Bind { source: packages.into(), target: target.into() }));
        let spec = TemplateSpec {
            name: name.into(),
            argv: argv.into_iter().map(str::to_owned).collect(),
            env: vec![("PATH".into(), "/usr/bin:/bin".into())],
            binds,
            memory_bytes: 1 << 30,
        };
        case(name, spec, count, folder.path()).await?;
    }
    Ok(())
}

/// With a helper of its own, so that its CPU time is this case's.
async fn case(name: &str, spec: TemplateSpec, count: usize, scratch: &Path) -> Result<(), Failure> {
    let base = Base::system();
    let helper = HelperCommand::Exec(vec!["/proc/self/exe".into(), "helper".into()]);
    let group = format!("forks-{}", std::process::id());
    let mut options = Options::new(helper, &group, scratch);
    options.bind_roots = spec.binds.iter().map(|bind| bind.source.clone()).collect();
    let processes = Processes::start(base.clone(), options).await?;
    let start = Instant::now();
    let template = processes.template(spec).await?;
    let up = start.elapsed();
    let mut times = Vec::new();
    for _ in 0..count {
        let sandbox = processes.create(blank(&base)).await?;
        times.push(fork(&*sandbox, &*template).await?);
        sandbox.destroy().await?;
    }
    times.sort();
    println!(
        "{name}: template up in {up:?}; fork to first byte: min {:?}, p50 {:?}",
        times[0],
        times[count / 2]
    );
    // Sandboxes first, so that only forks are timed.
    let mut sandboxes = Vec::new();
    for _ in 0..count {
        sandboxes.push(processes.create(blank(&base)).await?);
    }
    let (start, before) = (Instant::now(), cpu(&group));
    let mut lanes = tokio::task::JoinSet::new();
    let chunk = count.div_ceil(4);
    let mut sandboxes = sandboxes.into_iter().peekable();
    while sandboxes.peek().is_some() {
        let (lane, template): (Vec<Box<dyn Sandbox>>, Arc<dyn Template>) =
            (sandboxes.by_ref().take(chunk).collect(), template.clone());
        lanes.spawn(async move {
            for sandbox in &lane {
                fork(&**sandbox, &*template).await?;
            }
            Ok::<_, Failure>(lane)
        });
    }
    let done = lanes.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let took = start.elapsed();
    let used = cpu(&group) - before;
    println!(
        "{name}: 4 at once: {:.0} forks/s; {:.2} ms of CPU per fork and exit",
        count as f64 / took.as_secs_f64(),
        used.as_secs_f64() * 1000.0 / count as f64
    );
    for sandbox in done.into_iter().flatten() {
        sandbox.destroy().await?;
    }
    drop((template, processes));
    base.tasks.drain(Duration::from_secs(10)).await;
    Ok(())
}

/// The time from the order to the child's first byte; then the child ends.
async fn fork(sandbox: &dyn Sandbox, template: &dyn Template) -> Result<Duration, Failure> {
    let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
    let ((output, write), (read, input)): ((OwnedFd, OwnedFd), (OwnedFd, OwnedFd)) = (pipe()?, pipe()?);
    let start = Instant::now();
    let first = tokio::task::spawn_blocking(move || {
        File::from(output).read_exact(&mut [0]).map(|()| start.elapsed())
    });
    sandbox.fork(template.id(), vec![(write, 4), (read, 5)]).await?;
    let took = first.await??;
    drop(input);
    sandbox.next_exit().await.ok_or("no exit")?;
    Ok(took)
}

/// CPU time so far of this process, its helper, and the helper's cgroups (templates and what is in sandboxes).
fn cpu(name: &str) -> Duration {
    let ticks = |path: String| -> u64 {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let fields = text.rsplit(')').next().unwrap_or("").split_whitespace();
        fields.skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum()
    };
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: u64 = children
        .flat_map(|text| text.split_whitespace().map(|pid| format!("/proc/{pid}/stat")).collect::<Vec<_>>())
        .map(ticks)
        .sum();
    let group = std::fs::read_to_string(format!("/sys/fs/cgroup/cpuacct/anyfn-{name}/cpuacct.usage"));
    let group = group.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    Duration::from_millis(10 * (ticks("/proc/self/stat".into()) + children)) + Duration::from_nanos(group)
}

fn blank(base: &Base) -> SandboxSpec {
    SandboxSpec {
        id: base.random.instance_id(),
        hostname: "fn".into(),
        binds: Vec::new(),
        memory_bytes: 256 << 20,
        cpu_millis: 2000,
        pids: 64,
        open_files: 1024,
        tmp_bytes: 512 << 20,
        tmp_inodes: 65_536,
        network: Network::None,
        listen: None,
    }
}
