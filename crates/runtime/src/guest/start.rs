//! The init phase, and the one that a call may have to repeat.

use std::{sync::Arc, time::Duration};

use anyfn_base::{Base, Instant};
use anyfn_core::ports::{BringUp, Died, InvokeError, LogTarget, StartError};

use super::{FAR_MS, LambdaGuest, Turn};
use crate::{
    environment::version_text,
    failure,
    lambda::Shared,
    live::{Live, Trouble},
    platform_log::{PlatformLog, Status},
};

/// `/aws/lambda/<name>` and `YYYY/MM/DD/[version]<32 hex>`.
pub(crate) fn log_target(base: &Base, with: &BringUp) -> LogTarget {
    let group = with.version.config.logging.group.clone();
    let day = anyfn_base::iso_millis(base.clock.wall())[..10].replace('-', "/");
    LogTarget {
        namespace: with.function.namespace.clone(),
        group: group.unwrap_or_else(|| format!("/aws/lambda/{}", with.function.name)),
        stream: format!("{day}/[{}]{:032x}", version_text(with.version.number), with.instance.0),
    }
}

/// `python:3.12.v1`: the form that log readers expect.
fn runtime_version(runtime: &str) -> String {
    let at = runtime.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(runtime.len());
    let (name, version) = runtime.split_at(at);
    format!("{name}:{}.v1", version.trim_start_matches('.').trim_end_matches(".x"))
}

impl LambdaGuest {
    pub(crate) async fn bring_up(shared: Arc<Shared>, with: BringUp) -> Result<Self, StartError> {
        let log = log_target(&shared.base, &with);
        let version = version_text(with.version.number);
        let platform = PlatformLog::new(&with.version.config.logging, shared.base.clock.clone(), version);
        let started = shared.base.clock.now();
        let until = started + with.init_timeout;
        let mut guest = Self {
            shared,
            with,
            log,
            platform,
            live: None,
            init: None,
            paused: false,
            usable: true,
            turn: None,
            peak: None,
        };
        match guest.init(until).await {
            Ok(()) => {
                let took = guest.shared.base.clock.now() - started;
                guest.init = Some(took).filter(|_| guest.with.initialization == "on-demand");
                Ok(guest)
            }
            Err(NotUp::TimedOut) => Ok(guest),
            Err(NotUp::Start(error)) => Err(error),
        }
    }

    /// One init phase: processes up and asking for work.
    async fn init(&mut self, until: Instant) -> Result<(), NotUp> {
        let _no_spares_now = self.shared.clone();
        let _no_spares_now = _no_spares_now.forks.spares.busy();
        if !self.try_init(until, false).await? && !self.try_init(until, true).await? {
            return Err(NotUp::TimedOut);
        }
        Ok(())
    }

    /// False: a forked child did not do. `plainly`: from nothing, after that.
    async fn try_init(&mut self, until: Instant, plainly: bool) -> Result<bool, NotUp> {
        let started = self.shared.base.clock.now();
        let (mut live, starting) =
            Live::start(self.shared.clone(), &self.with, &self.log, plainly).await.map_err(NotUp::Start)?;
        let runtime = runtime_version(&self.with.version.config.runtime);
        live.output.begin_tail(true);
        if !plainly {
            live.output.say(self.platform.init_start(&runtime, self.with.initialization));
        }
        let trouble = match live.init(starting, until).await {
            Ok(()) => {
                live.output.drain();
                live.output.begin_tail(false);
                self.live = Some(live);
                return Ok(true);
            }
            Err(Trouble::NotForked) => {
                live.destroy(self.with.instance).await;
                return Ok(false);
            }
            Err(trouble) => trouble,
        };
        let took = self.shared.base.clock.now() - started;
        live.output.drain();
        let (lines, mut not_up) = self.init_trouble(trouble, took);
        live.output.say(lines.into_iter().flatten());
        if let NotUp::Start(StartError::Function { log_tail, .. }) = &mut not_up {
            *log_tail = live.output.take_tail();
        }
        // Whole and now, because another one may begin under the same id.
        live.destroy(self.with.instance).await;
        Err(not_up)
    }

    /// What a failed init phase leaves in the log, and what it means.
    fn init_trouble(&self, trouble: Trouble, took: Duration) -> ([Option<String>; 2], NotUp) {
        let report = |status, error_type: Option<&str>| self.platform.init_report(took, status, error_type);
        match trouble {
            Trouble::TimedOut | Trouble::NotForked => {
                ([report(Status::Timeout, None), None], NotUp::TimedOut)
            }
            Trouble::Failed(failure) => {
                let line = report(Status::Error, Some(&failure.error_type));
                ([line, None], NotUp::Start(StartError::Function { failure, log_tail: None }))
            }
            Trouble::Exited(failure, text) => {
                let exited = self.platform.exited(None, &text, &failure.error_type);
                let line = report(Status::Error, Some(&failure.error_type));
                ([exited, line], NotUp::Start(StartError::Function { failure, log_tail: None }))
            }
            Trouble::Platform(error) => ([None, None], NotUp::Start(StartError::Platform(error))),
        }
    }

    /// After an init phase that ran out of time, the call's own time is spent on another one.
    pub(super) async fn init_again(&mut self, turn: &Turn) -> Result<(), InvokeError> {
        if self.live.is_some() {
            return Ok(());
        }
        let far = turn.started + Duration::from_millis(FAR_MS);
        let (failure, log_tail) = match self.init(turn.deadline.unwrap_or(far)).await {
            Ok(()) => return Ok(()),
            Err(NotUp::TimedOut) => (failure::timed_out(&turn.id, turn.timeout), None),
            Err(NotUp::Start(StartError::Function { failure, log_tail })) => (failure, log_tail),
            Err(NotUp::Start(StartError::Platform(error))) => return Err(InvokeError::Platform(error)),
        };
        self.usable = false;
        Err(InvokeError::Died(Box::new(Died { failure, billing: None, log_tail })))
    }
}

enum NotUp {
    TimedOut,
    Start(StartError),
}
