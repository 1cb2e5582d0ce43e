//! The short way from nothing to a guest: a child of a template in a sandbox that stands already.

use std::{
    io::{self, PipeReader, Write as _},
    time::Duration,
};

use anyfn_core::ports::{BringUp, Furnish, ProcessId, Sandbox, SandboxSpec, TemplateId};
use anyfn_types::{Error as Public, Kind, MIB};
use tokio::{io::AsyncWriteExt as _, net::UnixStream};

use super::{
    Live, Wire,
    start::{Pipes, Starting, Trouble},
};
use crate::{
    Error,
    forks::{Key, obstacle},
    lambda::Shared,
    link::Link,
    plan::{LINK_FD, Plan, TELEMETRY_FD},
    spares::Maker,
    specialise,
    templates::Recipe,
};

/// What a child may use until it is somebody's.
const BLANK_MEMORY: u64 = 256 * MIB;
const BLANK_CPU_MILLIS: u32 = 1000;
/// A child that was asked whether it suits answers within this, or something is wrong with it.
const VERDICT: Duration = Duration::from_secs(2);

/// A child that waits to be told whose it is.
pub(crate) struct Body {
    pub(crate) sandbox: Box<dyn Sandbox>,
    pub(super) readers: (PipeReader, PipeReader),
    pub(super) process: ProcessId,
    pub(super) link: UnixStream,
}

impl Body {
    /// `first` lies in the child's socket when it is born.
    pub(crate) async fn forked(
        sandbox: Box<dyn Sandbox>,
        template: TemplateId,
        first: &[u8],
    ) -> Result<Self, Public> {
        let failed = |source| Public::from(Error::Setup { what: "descriptors", source });
        let (pipes, readers) = Pipes::new().map_err(failed)?;
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
        (&ours).write_all(first).map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let link = UnixStream::from_std(ours).map_err(failed)?;
        let mut fds = pipes.output().map_err(failed)?;
        fds.extend([(pipes.framed.into(), TELEMETRY_FD), (theirs.into(), LINK_FD)]);
        drop(pipes.plain);
        let process = sandbox.fork(template, fds).await?;
        Ok(Self { sandbox, readers, process, link })
    }
}

/// How a body becomes a version's.
pub(super) struct Becoming {
    pub(super) key: Key,
    pub(super) process: ProcessId,
    pub(super) link: UnixStream,
    /// None: its folders are there already.
    pub(super) furnish: Option<Furnish>,
    pub(super) told: Told,
}

/// What a child has been told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// Whose it is.
    pub(super) whose: bool,
    /// To say whether the function brings modules that are loaded already.
    pub(super) check: bool,
}

/// A child for this version.
pub(super) struct Child {
    pub(super) key: Key,
    pub(super) body: Body,
    /// Its sandbox was made with the version's folders.
    pub(super) furnished: bool,
    pub(super) told: Told,
}

/// A child for this version: one that waits, or a new one. None: it must be started plainly.
pub(super) async fn child(
    shared: &Shared,
    with: &BringUp,
    plan: &Plan,
    spec: &SandboxSpec,
    env: &[(String, String)],
) -> Option<Child> {
    let forks = &shared.forks;
    let (language, release) = plan.language?;
    if !forks.options.on || obstacle(&with.version.config, plan, forks.options.floor).is_some() {
        return None;
    }
    let way = forks.memory.way(with.version.id, language, release)?;
    let get = |key| Some((key, forks.templates.get(&with.isolation, &Recipe::new(key, plan))?));
    let (key, template) = get(way.key).or_else(|| get(way.instead?))?;
    let blank = SandboxSpec {
        binds: Vec::new(),
        memory_bytes: BLANK_MEMORY,
        cpu_millis: BLANK_CPU_MILLIS,
        hostname: spec.hostname.clone(),
        ..*spec
    };
    let maker = Maker { isolation: with.isolation.clone(), template, spec: blank };
    // An interpreter outside of `/usr` must be shown to the sandbox before anything runs in there.
    let blank = plan.bind.is_none() && forks.spares.possible();
    let check = forks.memory.unchecked(with.version.id, key);
    if blank && let Some(body) = forks.spares.take(key, &maker) {
        forks.counted.spare.add(1);
        return Some(Child { key, body, furnished: false, told: Told { whose: false, check } });
    }
    let first = specialise::frame(env, check).ok()?;
    let made = if blank { maker.make(&shared.base, &first).await } else { whole(&maker, spec, &first).await };
    let (made, furnished) = match made {
        Err(error) if blank && error.kind == Kind::Unsupported => {
            forks.spares.impossible();
            (whole(&maker, spec, &first).await, true)
        }
        made => (made, !blank),
    };
    match made {
        Ok(body) => {
            forks.counted.forked.add(1);
            Some(Child { key, body, furnished, told: Told { whose: true, check } })
        }
        Err(error) => {
            tracing::debug!(?error, template = %key.name(), "no fork; starting plainly");
            None
        }
    }
}

/// A child in a sandbox that is made for the version.
async fn whole(maker: &Maker, spec: &SandboxSpec, first: &[u8]) -> Result<Body, Public> {
    let sandbox = maker.isolation.create(spec.clone()).await?;
    Body::forked(sandbox, maker.template.id(), first).await
}

impl Live {
    /// Tells a child whose it is and gives it the folders.
    pub(super) async fn become_one(&mut self, starting: Starting, one: Becoming) -> Result<(), Trouble> {
        let Becoming { key, process, mut link, furnish, told } = one;
        let (memory, version) = (&self.shared.forks.memory, self.version);
        let broken = |source: io::Error| {
            tracing::debug!(%source, "a forked child did not become a function; starting plainly");
            Trouble::NotForked
        };
        if !told.whose {
            let frame = specialise::frame(&starting.env, told.check).map_err(broken)?;
            link.write_all(&frame).await.map_err(broken)?;
        }
        if let Some(furnish) = furnish {
            self.sandbox.furnish(furnish).await.map_err(|error| {
                tracing::debug!(?error, "a sandbox could not be furnished; starting plainly");
                Trouble::NotForked
            })?;
        }
        specialise::go(&mut link).await.map_err(broken)?;
        if told.check {
            let clock = self.shared.base.clock.clone();
            let verdict = tokio::select! {
                biased;
                verdict = specialise::verdict(&mut link) => verdict.map_err(broken)?,
                () = clock.sleep(VERDICT) => return Err(broken(io::ErrorKind::TimedOut.into())),
            };
            if let Some(names) = verdict {
                let template = key.name();
                tracing::info!(%version, %template, %names, "the function brings modules that the template has loaded");
                memory.declined(version, key);
                return Err(Trouble::NotForked);
            }
            memory.suits(version, key);
        }
        self.wire = Wire::Framed(Link::new(link, starting.payload_max));
        self.runtime = Some(process);
        Ok(())
    }

    /// A forked init that ended in a way that a plain one may not: it is not forked again.
    pub(super) fn suspect(&self, why: &str) {
        if self.shared.forks.memory.never_again(self.version) {
            let (function, version) = (&self.hub.facts.function, self.version);
            tracing::warn!(%function, %version, why, "a forked start failed; this version is started plainly from now on");
        }
    }
}
