//! `anyfn key create|ls|rm`: works on the data folder of a stopped server, or through a running one.

use std::{path::PathBuf, process::ExitCode};

use anyfn_base::Base;
use anyfn_gateway::Keys;
use anyfn_policy::{Rights, StoredKey};
use anyfn_store::Store;
use clap::{Args, Subcommand};

use crate::{print::Printer, server, settings};

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
    let keys = Keys::open(base.clone(), server::sealed(&base, &store, &dir)?).await.map_err(public)?;
    match args.action {
        Action::Create { account, invoke_only } => {
            let rights = Rights { invoke: true, admin: !invoke_only };
            show_new(&keys.create(&account, rights).await.map_err(public)?, print);
        }
        Action::Ls => show_all(&keys.list(), print),
        Action::Rm { id } => {
            keys.revoke(&id).await.map_err(public)?;
            print.line(&format!("revoked {id}"));
        }
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

fn show_all(keys: &[StoredKey], print: &Printer) {
    if print.json {
        let row = |k: &StoredKey| serde_json::json!({ "id": k.id.0, "account": k.account, "admin": k.rights.admin });
        print.value(&keys.iter().map(row).collect::<Vec<_>>());
        return;
    }
    let rights = |k: &StoredKey| if k.rights.admin { "admin" } else { "invoke" }.to_owned();
    let rows: Vec<_> = keys.iter().map(|k| vec![k.id.0.clone(), k.account.clone(), rights(k)]).collect();
    print.table(&["KEY", "ACCOUNT", "RIGHTS"], &rows);
}

fn show_new(key: &StoredKey, print: &Printer) {
    let (id, secret) = (&key.id.0, key.secret.expose());
    if print.json {
        print.value(&serde_json::json!({ "id": id, "secret": secret, "account": key.account }));
        return;
    }
    print.line(&format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}"));
    print.line(&format!("ANYFN_KEY={id}.{secret}"));
    print.note("the secret is shown only now");
}
