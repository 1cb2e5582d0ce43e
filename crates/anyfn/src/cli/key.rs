//! `anyfn key create|ls|rm`: works on the data folder of a stopped server, or through a running one.

use std::{path::PathBuf, process::ExitCode};

use anyfn_base::Base;
use anyfn_gateway::{Keys, StoredKey};
use anyfn_store::Store;
use clap::{Args, Subcommand};

use crate::{print::Printer, settings};

#[derive(Args, Debug)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    action: Action,
    /// The server's data folder; the server must not be running on it.
    #[arg(long, value_name = "DIR", env = "ANYFN_DATA", global = true)]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key. The secret is shown once.
    Create {
        /// Account the key belongs to: 12 digits.
        #[arg(long, default_value = "000000000000")]
        account: String,
        /// May only invoke functions, not change anything.
        #[arg(long)]
        invoke_only: bool,
    },
    /// List keys, without their secrets.
    Ls,
    /// Revoke a key.
    Rm {
        /// The key's id.
        id: String,
    },
}

pub(crate) async fn run(args: KeyArgs, print: &Printer) -> anyhow::Result<ExitCode> {
    let base = Base::system();
    let dir = settings::data_dir(args.data.as_ref())?;
    let public = |e: anyfn_types::Error| anyhow::anyhow!("{}", e.public);
    let store = Store::open(base.clone(), dir.join("store"), anyfn_store::Options::default())
        .await
        .map_err(public)?;
    let keys = Keys::open(base, store.records()).await.map_err(public)?;
    match args.action {
        Action::Create { account, invoke_only } => {
            let key = keys.create(&account, invoke_only).await.map_err(public)?;
            show_new(&key, print);
        }
        Action::Ls => {
            let all = keys.list().await.map_err(public)?;
            if print.json {
                let rows: Vec<_> = all.iter().map(|k| serde_json::json!({ "id": k.id, "account": k.account, "invoke_only": k.invoke_only })).collect();
                print.value(&rows);
            } else {
                let rows: Vec<_> = all
                    .iter()
                    .map(|k| {
                        vec![
                            k.id.clone(),
                            k.account.clone(),
                            if k.invoke_only { "invoke" } else { "admin" }.to_owned(),
                        ]
                    })
                    .collect();
                print.table(&["KEY", "ACCOUNT", "RIGHTS"], &rows);
            }
        }
        Action::Rm { id } => {
            keys.revoke(&id).await.map_err(public)?;
            print.line(&format!("revoked {id}"));
        }
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

fn show_new(key: &StoredKey, print: &Printer) {
    if print.json {
        print.value(&serde_json::json!({ "id": key.id, "secret": key.secret, "account": key.account }));
    } else {
        print.line(&format!("AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}", key.id, key.secret));
        print.line(&format!("ANYFN_KEY={}:{}", key.id, key.secret));
        print.note("the secret is shown only now");
    }
}
