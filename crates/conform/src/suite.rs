//! All cases: one server for most, one of their own for those that ask, a few at once; then the counting.

use std::{process::ExitCode, time::Duration};

use anyfn_base::Clock;
use anyhow::Result;
use futures_util::{StreamExt as _, stream};

use crate::{
    Args,
    case::{Case, ServerWish},
    coverage, docs, place,
    script::{Outcome, Shared, Target},
    server::Server,
};

#[derive(Debug, Default)]
struct Tally {
    passed: u64,
    failed: Vec<String>,
    skipped: u64,
}

pub(crate) async fn run(args: &Args, cases: &[Case]) -> Result<ExitCode> {
    let chosen =
        |case: &&Case| args.only.is_empty() || args.only.iter().any(|word| case.path.contains(word.as_str()));
    let chosen: Vec<&Case> = cases.iter().filter(chosen).collect();
    let shared = Shared { binary: place::binary(args.bin.as_deref())?, parts: place::parts_dir()? };
    let mut tally = Tally::default();
    if args.only.is_empty() {
        whole(cases, &mut tally);
    }
    run_cases(args, &shared, &chosen, &mut tally).await?;
    println!();
    for name in &tally.failed {
        println!("FAILED: conform::{name}");
    }
    println!("{} passed, {} failed, {} skipped", tally.passed, tally.failed.len(), tally.skipped);
    Ok(if tally.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What must hold for all cases together.
fn whole(cases: &[Case], tally: &mut Tally) {
    let found = coverage::of(&anyfn_gateway::routes(), cases);
    let mut wrong: Vec<_> = found.missing.iter().map(|name| format!("no case for {name}")).collect();
    wrong.extend(found.unknown.iter().map(|name| format!("nothing serves it: {name}")));
    let words = format!("each of {} routes has a case", found.routes);
    tally.count("routes", &words, Duration::ZERO, judge(&wrong));
    let wrong = if docs::is_current(cases) {
        vec![]
    } else {
        vec!["run `cargo run -p anyfn-conform -- --docs`".into()]
    };
    tally.count("docs", "docs/compat is what the cases say", Duration::ZERO, judge(&wrong));
}

fn judge(wrong: &[String]) -> Outcome {
    if wrong.is_empty() {
        return Outcome::Passed;
    }
    Outcome::Failed(wrong.iter().map(|line| format!("\n    {line}")).collect())
}

async fn run_cases(args: &Args, shared: &Shared, cases: &[&Case], tally: &mut Tally) -> Result<()> {
    let clock = Clock::system();
    let common = if cases.iter().any(|case| case.toml.server.is_none()) {
        Some(Server::start(&shared.binary, &ServerWish::default()).await?)
    } else {
        None
    };
    let target = common.as_ref().map(target_of);
    let runs = cases.iter().map(|case| {
        let (clock, target) = (&clock, target.clone());
        async move {
            let begun = clock.now();
            let outcome = one(args, shared, case, target).await;
            let outcome = outcome.unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
            (*case, clock.now() - begun, outcome)
        }
    });
    let mut runs = stream::iter(runs).buffer_unordered(args.jobs.max(1));
    while let Some((case, took, outcome)) = runs.next().await {
        tally.count(&case.path, &case.toml.title, took, outcome);
    }
    if let Some(server) = common {
        let allowed: Vec<_> = cases.iter().flat_map(|case| case.toml.server_errors.clone()).collect();
        let wrong = server.stop(&allowed).await?;
        tally.count(
            "server",
            "the shared server ends cleanly and leaves nothing",
            Duration::ZERO,
            judge(&wrong),
        );
    }
    Ok(())
}

fn target_of(server: &Server) -> Target {
    Target { url: server.url.clone(), pid: server.pid, data: server.data.clone(), log: server.log_file() }
}

async fn one(args: &Args, shared: &Shared, case: &Case, common: Option<Target>) -> Result<Outcome> {
    if let Some(why) = shared.lacks(case) {
        return Ok(Outcome::Skipped(why));
    }
    let Some(wish) = &case.toml.server else {
        let Some(target) = common else { return Ok(Outcome::Failed("there is no shared server".into())) };
        return shared.run(case, &target, args.verbose).await;
    };
    let server = Server::start(&shared.binary, wish).await?;
    let outcome = shared.run(case, &target_of(&server), args.verbose).await?;
    let log = server.log_tail(10);
    let wrong = server.stop(&case.toml.server_errors).await?;
    Ok(match outcome {
        Outcome::Passed => judge(&wrong),
        Outcome::Failed(text) => Outcome::Failed(format!("{text}  its server said:\n{log}")),
        skipped @ Outcome::Skipped(_) => skipped,
    })
}

impl Tally {
    /// Prints the case's line.
    fn count(&mut self, name: &str, title: &str, took: Duration, outcome: Outcome) {
        let seconds = took.as_secs_f64();
        match outcome {
            Outcome::Passed => {
                self.passed += 1;
                println!("ok    {name:<40} {seconds:>5.1} s  {title}");
            }
            Outcome::Skipped(why) => {
                self.skipped += 1;
                println!("skip  {name:<40} {seconds:>5.1} s  {why}");
            }
            Outcome::Failed(text) => {
                self.failed.push(name.to_owned());
                println!("FAIL  {name:<40} {seconds:>5.1} s  {title}: {text}");
            }
        }
    }
}
