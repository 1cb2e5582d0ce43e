//! Cold starts through the gateway: a fresh function's first call, request in to answer out, beside the plain start of the
//! same thing and beside container runtimes.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::Make;
use crate::{
    bench::{Bench, Line},
    deploy,
    guests::{self, Guest},
    http::Client,
    peers::Oci,
    process,
    row::{Group, OURS, Row, Target},
    server::Server,
    turns::{self, Contender},
};

/// What the line asks of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// No spare is kept, so each start is made when its call is there.
    Nothing,
    /// The server keeps spares as it likes to.
    Spare,
}

/// Between cold starts, as between the first calls of real functions; what the server prepares ahead may come to rest.
const REST: Duration = Duration::from_millis(100);

pub(super) fn lines() -> Vec<Line> {
    let ms = |most| Some(Target::Most(most));
    let all: [(&str, &str, Make, From, Option<Target>); 11] = [
        ("native", "a static binary", guests::native, From::Nothing, ms(3.0)),
        ("native-spare", "a static binary", guests::native, From::Spare, None),
        ("python", "Python hello", guests::python_hello, From::Nothing, ms(4.0)),
        ("python-spare", "Python hello", guests::python_hello, From::Spare, ms(1.5)),
        (
            "boto3-layer",
            "Python, boto3 in a layer, client made",
            guests::python_boto3,
            From::Nothing,
            ms(6.0),
        ),
        (
            "boto3-layer-spare",
            "Python, boto3 in a layer, client made",
            guests::python_boto3,
            From::Spare,
            ms(1.5),
        ),
        (
            "boto3-own",
            "Python, the interpreter's own boto3, client made",
            guests::python_own_boto3,
            From::Nothing,
            ms(6.0),
        ),
        (
            "boto3-own-spare",
            "Python, the interpreter's own boto3, client made",
            guests::python_own_boto3,
            From::Spare,
            ms(1.5),
        ),
        ("node", "Node.js hello", guests::node_hello, From::Nothing, None),
        ("node-sdk", "Node.js, AWS SDK in a layer, client made", guests::node_sdk, From::Nothing, ms(7.0)),
        ("wasm", "a WebAssembly component", guests::wasm, From::Nothing, ms(0.5)),
    ];
    let mut lines: Vec<Line> = all
        .into_iter()
        .map(|(id, what, make, from, target)| {
            let how = if from == From::Nothing { "from nothing" } else { "from a spare" };
            let blank =
                Row::new(format!("cold/{id}"), Group::Cold, format!("{what}, {how}"), "ms").target(target);
            let row = blank.clone();
            Line::new(blank, move |bench| measure(bench, make, from, row.clone()))
        })
        .collect();
    let blank = Row::new(
        "cold/after-retirement",
        Group::Cold,
        "Python hello, after all its instances were retired",
        "ms",
    );
    let row = blank.clone();
    lines.push(Line::new(blank, move |bench| after_retirement(bench, row.clone())));
    lines
}

fn measure(bench: &Bench, make: Make, from: From, row: Row) -> anyhow::Result<Vec<Row>> {
    let guest = make(&bench.places)?;
    let server = server(bench, from)?;
    let mut deployed = First::new(&server, &guest)?;
    let mut contenders = vec![Contender::new(OURS, || deployed.call())];
    if let Some(once) = guest.once() {
        let plain = move || Ok(process::to_first_line(&once)? / 1e3);
        contenders.push(Contender::new("the plain process to its first line", plain));
    }
    if guest.name == "native" && bench.peers {
        for program in ["crun", "runc", "runsc"] {
            let work = Oci::new(bench, program).map(|mut oci| move || Ok(oci.run()? / 1e3));
            contenders.push(Contender::set_up(format!("{program} run, the same binary"), work));
        }
    }
    let row = row.sides(turns::sides(bench.runs, 2, contenders));
    Ok(vec![row.note(format!("{} ms between starts", REST.as_millis()))])
}

fn server(bench: &Bench, from: From) -> anyhow::Result<Server> {
    let spares: Vec<&str> =
        bench.settings.iter().map(String::as_str).filter(|name| name.contains("spare")).collect();
    match from {
        From::Nothing => bench.server(&spares.iter().map(|name| (*name, "0")).collect::<Vec<_>>()),
        From::Spare if spares.is_empty() => anyhow::bail!("this server has no setting for spares"),
        From::Spare => bench.server(&[]),
    }
}

/// First calls of fresh functions.
pub(super) struct First<'a> {
    client: Client,
    guest: &'a Guest,
    layer: Option<String>,
    count: u32,
}

impl<'a> First<'a> {
    pub(super) fn new(server: &Server, guest: &'a Guest) -> anyhow::Result<Self> {
        let mut client = server.client()?;
        let layer = deploy::layer(&mut client, guest)?;
        Ok(Self { client, guest, layer, count: 0 })
    }

    /// Milliseconds. The function is made before and deleted after.
    pub(super) fn call(&mut self) -> anyhow::Result<f64> {
        self.count += 1;
        let name = format!("cold{}", self.count);
        deploy::ready(&mut self.client, self.guest, &name, self.layer.as_deref())?;
        thread::sleep(REST);
        let begun = Instant::now();
        let answer = self.client.ok("POST", &deploy::invoke_path(&name), "", guests::EVENT)?;
        let millis = begun.elapsed().as_secs_f64() * 1e3;
        let text = String::from_utf8_lossy(&answer).replace(' ', "");
        anyhow::ensure!(text.contains("\"hello\":\"bench\""), "the function answered {text}");
        deploy::delete(&mut self.client, &name)?;
        Ok(millis)
    }
}

/// The same function again and again, each time after its last instance is gone.
fn after_retirement(bench: &Bench, row: Row) -> anyhow::Result<Vec<Row>> {
    let guest = guests::python_hello(&bench.places)?;
    let server = bench.server(&[("retire_after_ms", "200"), ("pause_after_ms", "100")])?;
    let mut client = server.client()?;
    deploy::ready(&mut client, &guest, "again", None)?;
    let path = deploy::invoke_path("again");
    let work = || {
        until_no_instances(&mut client, "again")?;
        let begun = Instant::now();
        client.ok("POST", &path, "", guests::EVENT)?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    };
    Ok(vec![row.sides(turns::sides(bench.runs.min(30), 1, vec![Contender::new(OURS, work)]))])
}

fn until_no_instances(client: &mut Client, name: &str) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = client.ok("GET", &format!("/_anyfn/v1/functions/{name}"), "", b"")?;
        let told: serde_json::Value = serde_json::from_slice(&answer)?;
        if told["instances"].as_u64() == Some(0) {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < until, "its instances were not retired within 20 s");
        thread::sleep(Duration::from_millis(20));
    }
}
