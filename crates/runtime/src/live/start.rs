//! The way from nothing to a guest that waits for calls.

use std::{
    io::{self, PipeReader, PipeWriter},
    os::fd::OwnedFd,
    sync::Arc,
};

use anyfn_base::Instant;
use anyfn_core::ports::{
    Bind, BringUp, ExitKind, Furnish, LogTarget, ProcessSpec, Sandbox, SandboxSpec, StartError,
};
use anyfn_types::{Failure, MIB};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::{
    Live, Moment, Wire,
    fork::{Becoming, Body, Child, child},
    garbled,
};
use crate::{
    Error,
    answer::Answer,
    api,
    environment::{self, API_PORT},
    failure,
    hub::{Facts, Hub},
    lambda::Shared,
    link::Link,
    machine::{EXTENSIONS_MAX, Machine},
    output::Output,
    plan::{LINK_FD, NoPlan, Plan, Roots, TELEMETRY_FD, plan},
};

/// Lambda gives one core per 1,769 MiB.
const MIB_PER_CORE: u32 = 1769;
const TMP_INODES_PER_MIB: u64 = 256;

fn setup(what: &'static str) -> impl Fn(io::Error) -> StartError {
    move |source| StartError::Platform(Error::Setup { what, source }.into())
}

impl From<NoPlan> for StartError {
    fn from(why: NoPlan) -> Self {
        match why {
            NoPlan::Function(failure) => Self::Function { failure, log_tail: None },
            NoPlan::Host(error) => Self::Platform(error.into()),
        }
    }
}

/// Thousandths of a core for a memory size.
fn cpu_millis(memory_mib: u32, least: u32) -> u32 {
    (memory_mib.saturating_mul(1000) / MIB_PER_CORE).max(least)
}

fn sandbox_spec(with: &BringUp, plan: &Plan, shared: &Shared) -> SandboxSpec {
    let config = &with.version.config;
    let at = |source: &std::path::Path, target: &str| Bind {
        source: source.to_owned(),
        target: target.to_owned(),
    };
    let mut binds = vec![at(&with.code.path, "/var/task"), at(&shared.runtime_dir, "/var/runtime")];
    binds.extend(with.layers.as_ref().map(|layers| at(&layers.path, "/opt")));
    binds.extend(plan.bind.clone());
    SandboxSpec {
        id: with.instance,
        hostname: "localhost".to_owned(),
        binds,
        memory_bytes: u64::from(config.memory_mib) * MIB,
        cpu_millis: cpu_millis(config.memory_mib, with.limits.cpu_millis_min),
        pids: with.limits.pids,
        open_files: with.limits.open_files,
        tmp_bytes: u64::from(config.ephemeral.mib) * MIB,
        tmp_inodes: u64::from(config.ephemeral.mib) * TMP_INODES_PER_MIB,
        network: with.network,
        listen: Some(API_PORT),
    }
}

/// The guest's ends of the pipes.
pub(super) struct Pipes {
    pub(super) plain: PipeWriter,
    pub(super) framed: PipeWriter,
}

impl Pipes {
    pub(super) fn new() -> io::Result<(Self, (PipeReader, PipeReader))> {
        let (plain_out, plain) = io::pipe()?;
        let (framed_out, framed) = io::pipe()?;
        Ok((Self { plain, framed }, (plain_out, framed_out)))
    }

    pub(super) fn output(&self) -> io::Result<Vec<(OwnedFd, i32)>> {
        Ok(vec![(self.plain.try_clone()?.into(), 1), (self.plain.try_clone()?.into(), 2)])
    }
}

impl Live {
    /// Starts the sandbox and its processes; `init` then waits for them.
    pub(crate) async fn start(
        shared: Arc<Shared>,
        with: &BringUp,
        log: &LogTarget,
        plainly: bool,
    ) -> Result<(Self, Starting), StartError> {
        let roots =
            Roots { code: &with.code.path, layers: with.layers.as_ref().map(|layers| layers.path.as_path()) };
        let mut plan = plan(&with.version.config, roots, &shared.interpreters, shared.mode)?;
        shared.compiled.apply(&mut plan);
        let external = roots.extensions();
        if external.len() > EXTENSIONS_MAX {
            let text = format!("Extension limit ({EXTENSIONS_MAX}) reached");
            let failure = failure::found("Extension.LaunchError", None, &text);
            return Err(StartError::Function { failure, log_tail: None });
        }
        let end = CancellationToken::new();
        let forkable = !plainly && external.is_empty();
        let env = environment::of_runtime(with, &plan, log);
        let Place { mut sandbox, readers, how } =
            place(&shared, with, &plan, forkable.then_some(&env)).await?;
        let (hub, heard) = Hub::new(shared.base.clone(), facts(with), external.clone());
        let listener =
            sandbox.take_listener().ok_or(Error::NoListener).map_err(|e| StartError::Platform(e.into()))?;
        api::serve(listener, hub.clone(), end.clone()).map_err(setup("listener"))?;
        let output =
            Output::start(&shared.base, &with.limits, (with.logs.clone(), log.clone()), readers, &end)
                .map_err(setup("pipes"))?;
        let mut live = Self {
            shared,
            version: with.version.id,
            hub,
            output,
            sandbox,
            wire: Wire::Http(heard),
            runtime: None,
            extensions: Vec::new(),
            gone: None,
            _end: end.drop_guard(),
        };
        if let How::Plain(pipes) = &how {
            live.start_extensions(&external, &env, pipes).await?;
        }
        Ok((live, Starting { plan, env, how, payload_max: with.limits.payload_bytes }))
    }

    async fn start_extensions(
        &mut self,
        names: &[String],
        env: &[(String, String)],
        pipes: &Pipes,
    ) -> Result<(), StartError> {
        for name in names {
            let spec = ProcessSpec {
                argv: vec![format!("/opt/extensions/{name}")],
                env: environment::of_extension(env),
                cwd: "/".to_owned(),
                fds: pipes.output().map_err(setup("pipes"))?,
            };
            let launch = |_| {
                let text = format!("extension {name} could not be started");
                let failure = failure::found("Extension.LaunchError", None, &text);
                StartError::Function { failure, log_tail: None }
            };
            let id = self.sandbox.spawn(spec).await.map_err(launch)?;
            self.extensions.push((id, name.clone()));
        }
        Ok(())
    }

    /// Waits until extensions have registered, starts the runtime, and waits until everybody asks for work.
    pub(crate) async fn init(&mut self, mut starting: Starting, until: Instant) -> Result<(), Trouble> {
        if !self.extensions.is_empty() {
            self.reach(until, |machine| machine.extensions.registered()).await?;
        }
        let (compile, language) = (starting.plan.compile.take(), starting.plan.language);
        let forked = matches!(starting.how, How::Forked(_));
        self.start_runtime(starting).await?;
        let there = self.reach(until, |machine| machine.at_rest()).await;
        if forked && self.is_suspect(&there) {
            return Err(Trouble::NotForked);
        }
        there?;
        if let Some((release, interpreter)) = compile.filter(|_| !forked) {
            self.shared.compiled.prepare(&self.shared.base, release, interpreter);
        }
        if let (Wire::Framed(link), Some((language, _))) = (&mut self.wire, language) {
            let loaded = link.take_loaded();
            self.shared.forks.memory.learned(self.version, language, &loaded);
        }
        Ok(())
    }

    /// Whether a forked init ended as no plain one should. True: it is worth another try.
    fn is_suspect(&self, ended: &Result<(), Trouble>) -> bool {
        match ended {
            Err(Trouble::Exited(_, text)) => {
                let killed = self.gone.is_some_and(|exit| {
                    matches!(exit.kind, ExitKind::Signal(_)) && exit.process.is_some() && !exit.out_of_memory
                });
                if killed {
                    self.suspect(text);
                }
                killed
            }
            Err(Trouble::TimedOut) => {
                self.suspect("its init phase ran out of time");
                // No time is left; the call's own init will be a plain one.
                false
            }
            _ => false,
        }
    }

    async fn start_runtime(&mut self, mut starting: Starting) -> Result<(), Trouble> {
        let pipes = match std::mem::replace(&mut starting.how, How::Begun) {
            How::Plain(pipes) => pipes,
            How::Forked(one) => return self.become_one(starting, *one).await,
            How::Begun => return Err(Trouble::NotForked),
        };
        self.spawn_runtime(starting, pipes).await
    }

    async fn spawn_runtime(&mut self, starting: Starting, pipes: Pipes) -> Result<(), Trouble> {
        let Starting { plan, env, payload_max, .. } = starting;
        let platform = |source| Trouble::Platform(Error::Setup { what: "descriptors", source }.into());
        let mut fds = pipes.output().map_err(platform)?;
        if plan.telemetry {
            fds.push((pipes.framed.into(), TELEMETRY_FD));
        }
        if plan.framed {
            let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(platform)?;
            ours.set_nonblocking(true).map_err(platform)?;
            fds.push((theirs.into(), LINK_FD));
            self.wire = Wire::Framed(Link::new(UnixStream::from_std(ours).map_err(platform)?, payload_max));
        }
        let program = plan.argv[0].clone();
        let spec = ProcessSpec { argv: plan.argv, env, cwd: "/var/task".to_owned(), fds };
        // What the platform starts of its own is there; what the package brings may be for another machine.
        let failed = |error: anyfn_types::Error| match plan.framed {
            true => Trouble::Platform(error),
            false => Trouble::Failed(failure::found(
                "Runtime.InvalidEntrypoint",
                None,
                &format!("fork/exec {program} failed"),
            )),
        };
        self.runtime = Some(self.sandbox.spawn(spec).await.map_err(failed)?);
        Ok(())
    }

    /// Waits during the init phase.
    async fn reach(&mut self, until: Instant, there: fn(&Machine) -> bool) -> Result<(), Trouble> {
        let hub = self.hub.clone();
        loop {
            let moment = tokio::select! {
                biased;
                () = hub.until(|machine| there(machine).then_some(())) => return Ok(()),
                moment = self.moment(Some(until), None) => moment,
            };
            match moment {
                Moment::Said(Answer::InitFailed(failure)) => return Err(Trouble::Failed(failure)),
                Moment::Said(Answer::Next) => {}
                Moment::Said(_) => return Err(Trouble::Failed(garbled(None))),
                Moment::Ended(failure, text) => {
                    self.output.drain();
                    return Err(Trouble::Exited(failure, text));
                }
                Moment::Late => return Err(Trouble::TimedOut),
            }
        }
    }
}

fn facts(with: &BringUp) -> Facts {
    Facts {
        function: with.function.name.as_str().to_owned(),
        version: environment::version_text(with.version.number),
        handler: with.version.config.handler.clone(),
        account: environment::account_region(with.function.namespace.as_str()).0.to_owned(),
        payload_max: with.limits.payload_bytes,
    }
}

/// Where the guest will be.
struct Place {
    sandbox: Box<dyn Sandbox>,
    readers: (PipeReader, PipeReader),
    how: How,
}

/// A child that waits, or a fresh sandbox.
async fn place(
    shared: &Shared,
    with: &BringUp,
    plan: &Plan,
    // None: not a child.
    env: Option<&Vec<(String, String)>>,
) -> Result<Place, StartError> {
    let spec = sandbox_spec(with, plan, shared);
    let forked = match env {
        Some(env) => child(shared, with, plan, &spec, env).await,
        None => None,
    };
    if let Some(Child { key, body, furnished, told }) = forked {
        let furnish = (!furnished).then(|| Furnish {
            binds: spec.binds,
            memory_bytes: spec.memory_bytes,
            cpu_millis: spec.cpu_millis,
            pids: spec.pids,
        });
        let Body { sandbox, readers, process, link } = body;
        let how = How::Forked(Box::new(Becoming { key, process, link, furnish, told }));
        return Ok(Place { sandbox, readers, how });
    }
    shared.forks.counted.plain.add(1);
    let sandbox = with.isolation.create(spec).await.map_err(StartError::Platform)?;
    let (pipes, readers) = Pipes::new().map_err(setup("pipes"))?;
    Ok(Place { sandbox, readers, how: How::Plain(pipes) })
}

/// How the runtime's process comes to be.
enum How {
    Plain(Pipes),
    Forked(Box<Becoming>),
    /// It is being done.
    Begun,
}

/// What the runtime's process will be, while extensions register.
pub(crate) struct Starting {
    plan: Plan,
    pub(super) env: Vec<(String, String)>,
    how: How,
    pub(super) payload_max: u64,
}

/// Why an init phase did not end well.
#[derive(Debug)]
pub(crate) enum Trouble {
    TimedOut,
    /// A forked child did not do; a plain start may.
    NotForked,
    /// The runtime said so.
    Failed(Failure),
    /// A process ended, with a text for the log.
    Exited(Failure, String),
    Platform(anyfn_types::Error),
}
