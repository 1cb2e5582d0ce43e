//! `anyfn dev DIR`: the server, one folder deployed, its log, and again on every save.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyfn_base::Clock;
use clap::Args;

use super::{
    deploy::{self, OverrideArgs},
    existing, logs,
};
use crate::{
    client::Client,
    local::{self, Overrides},
    print::Printer,
    server::{self, Running},
    settings::ServerArgs,
};

/// Between two looks at the folder.
const LOOK: Duration = Duration::from_millis(300);

#[derive(Args, Debug)]
pub(crate) struct DevArgs {
    /// The folder, or a single file.
    #[arg(value_parser = existing, default_value = ".")]
    path: PathBuf,
    #[command(flatten)]
    over: OverrideArgs,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) async fn run(args: DevArgs, print: &Printer) -> anyhow::Result<ExitCode> {
    let mut settings = args.server.clone();
    if settings.log == "info" {
        settings.log = "warn".to_owned();
    }
    let running = server::start(&settings, print).await?;
    let mut over = args.over.overrides();
    over.url = Some(true);
    let client = Client::new(&running.address(), None, None);
    let followed = follow(&args, &client, &over, print);
    tokio::select! {
        result = followed => {
            running.stop(print).await;
            result.map(|()| ExitCode::SUCCESS)
        }
        () = Running::signal() => Ok(running.stop(print).await),
    }
}

async fn follow(args: &DevArgs, client: &Client, over: &Overrides, print: &Printer) -> anyhow::Result<()> {
    let clock = Clock::system();
    let mut state = local::state(&args.path);
    let mut name = once(args, client, over, print).await;
    loop {
        let lines = async {
            match &name {
                Some(name) => {
                    let since = clock.wall();
                    let query = format!("follow=1&since={since}");
                    let _ = logs::show(client, name, &query, print).await;
                    clock.sleep(LOOK).await;
                }
                None => std::future::pending().await,
            }
        };
        let changed = async {
            loop {
                clock.sleep(LOOK).await;
                let now = local::state(&args.path);
                if now != state {
                    return now;
                }
            }
        };
        tokio::select! {
            now = changed => {
                state = now;
                print.note("changed; deploying again");
                name = once(args, client, over, print).await.or(name);
            }
            () = lines => {}
        }
    }
}

/// Deploys; an error is shown and the next save tries again.
async fn once(args: &DevArgs, client: &Client, over: &Overrides, print: &Printer) -> Option<String> {
    match deploy::deploy(client, &args.path, over, print).await {
        Ok(described) => {
            let s = described.summary;
            if let Some(notice) = &described.notice {
                print.note(&format!("note: {notice}"));
            }
            if print.json {
                print.value(&serde_json::json!({ "name": s.name, "state": s.state, "url": s.url }));
            } else {
                print.line(&format!(
                    "{} is {} at {}",
                    print.bold(&s.name),
                    s.state,
                    s.url.unwrap_or_default()
                ));
            }
            Some(s.name)
        }
        Err(error) => {
            print.error(&error);
            None
        }
    }
}
