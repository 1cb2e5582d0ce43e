//! Templates on the server's side, and what a sandbox does with them.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use anyfn_core::ports::{Template, TemplateId, TemplateSpec};
use anyfn_types::InstanceId;
use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    client::Client,
    error::Error,
    inside::template::CONTROL,
    proto::{self, Create, Request},
};

/// For a template to load what it loads.
const PATIENCE: Duration = Duration::from_secs(30);
/// Page tables of children are on the template's account, about 1 MiB for each that lives.
const FOR_CHILDREN: u64 = 8 << 30;
const PIDS: u32 = 4096;

/// Ends the template when it is dropped.
pub(crate) struct Held {
    client: Arc<Client>,
    id: u64,
    ended: watch::Receiver<bool>,
}

impl Held {
    pub(crate) async fn start(client: Arc<Client>, id: u64, spec: TemplateSpec) -> Result<Self, Error> {
        let request = Request::Template(Box::new(frame(id, spec)?));
        let ended = client.watch_template(id);
        // From here on: a start that nobody waits for any more ends the template.
        let held = Self { client: client.clone(), id, ended };
        match tokio::time::timeout(PATIENCE, client.ask(request)).await {
            Ok(answered) => answered.map(|_| held),
            Err(_) => Err(Error::Late("template")),
        }
    }
}

#[async_trait]
impl Template for Held {
    fn id(&self) -> TemplateId {
        TemplateId(self.id)
    }

    async fn ended(&self) {
        // An error means that the client is gone, and with it the helper.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.client.end_template(self.id);
    }
}

/// Forks a template; returns when the child is in the sandbox.
pub(crate) async fn fork(
    client: &Client,
    (instance, process): (InstanceId, u32),
    template: TemplateId,
    fds: Vec<(OwnedFd, i32)>,
) -> Result<(), Error> {
    let (fds, numbers): (Vec<OwnedFd>, Vec<i32>) = fds.into_iter().unzip();
    let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
    let request = Request::Fork { instance, template: template.0, process, fds: numbers };
    client.ask_with(request, &borrowed).await.map(drop)
}

fn frame(id: u64, spec: TemplateSpec) -> Result<proto::Template, Error> {
    let text = |path: std::path::PathBuf| {
        path.into_os_string().into_string().map_err(|_| Error::Refused("a path is not UTF-8".into()))
    };
    let binds = spec.binds.into_iter().map(|bind| Ok((text(bind.source)?, bind.target)));
    let root = Create {
        id: InstanceId(id.into()),
        hostname: "template".into(),
        binds: binds.collect::<Result<_, Error>>()?,
        memory_bytes: spec.memory_bytes.saturating_add(FOR_CHILDREN),
        cpu_millis: 64_000,
        pids: PIDS,
        open_files: 1 << 20,
        tmp_bytes: 16 << 20,
        tmp_inodes: 1024,
        internet: false,
        listen: None,
        blank: false,
    };
    let mut env = spec.env;
    env.push(("ANYFN_TEMPLATE_FD".into(), CONTROL.to_string()));
    Ok(proto::Template { id, root, argv: spec.argv, env })
}
