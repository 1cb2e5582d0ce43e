//! The templates that are up. They start behind the requests that want them, and a request never waits for one: while a
//! template is not there, its functions start plainly.

use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyfn_base::{Base, Instant, TaskKind};
use anyfn_core::ports::{Bind, Isolation, Template, TemplateSpec};
use anyfn_types::{Error, Kind, MIB};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    environment,
    forks::Key,
    interpreters::Language,
    plan::{NODE_BOOTSTRAP, PYTHON_BOOTSTRAP, Plan},
};

/// What a template may use; packages at their fullest are below a third of it.
const MEMORY: u64 = 512 * MIB;
/// A template that died is started again after this; twice as long each time, up to `BACKOFF_MAX`.
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(300);
/// One that lived this long may die once.
const LIVED: Duration = Duration::from_secs(60);
/// One that was not asked for this long gives way to another one.
const UNUSED: Duration = Duration::from_secs(60);

/// What a template is made of.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) key: Key,
    /// The interpreter, inside.
    interpreter: String,
    bind: Option<Bind>,
    env: Vec<(String, String)>,
}

impl Recipe {
    /// From the plan of a version that it is to serve.
    pub(crate) fn new(key: Key, plan: &Plan) -> Self {
        Self {
            key,
            interpreter: plan.argv[0].clone(),
            bind: plan.bind.clone(),
            env: environment::of_template(plan),
        }
    }

    fn spec(&self, runtime_dir: &std::path::Path) -> TemplateSpec {
        let (flags, bootstrap): (&[&str], _) = match self.key.language {
            Language::Python => (&["-s", "-S", "-X", "frozen_modules=on"], PYTHON_BOOTSTRAP),
            // V8's helper threads would not be in a child.
            Language::Node => (&["--single-threaded", "--v8-pool-size=0"], NODE_BOOTSTRAP),
        };
        let mut argv = vec![self.interpreter.clone()];
        argv.extend(flags.iter().map(|flag| (*flag).to_owned()));
        argv.extend([format!("/var/runtime/{bootstrap}"), "--template".to_owned()]);
        argv.push(self.key.set.unwrap_or("-").to_owned());
        let mut binds = vec![Bind { source: runtime_dir.to_owned(), target: "/var/runtime".to_owned() }];
        binds.extend(self.bind.clone());
        TemplateSpec { name: self.key.name(), argv, env: self.env.clone(), binds, memory_bytes: MEMORY }
    }
}

enum State {
    Starting,
    Up(Arc<dyn Template>),
    /// Until it is started again.
    Down,
}

struct Slot {
    state: State,
    used: Instant,
    /// Cancelled when it gives way.
    end: CancellationToken,
}

#[derive(Default)]
struct Slots {
    all: BTreeMap<Key, Slot>,
    /// This host cannot fork into sandboxes.
    unsupported: bool,
}

pub(crate) struct Templates {
    base: Base,
    runtime_dir: PathBuf,
    max: usize,
    slots: Mutex<Slots>,
    /// A template came up or went.
    changed: Notify,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").field("up", &self.names()).finish_non_exhaustive()
    }
}

impl Templates {
    /// Ends all: while one is held, the sandbox helper stays.
    pub(crate) fn close(&self) {
        self.look().all.clear();
    }

    /// At most `max` at once.
    pub(crate) fn new(base: Base, runtime_dir: PathBuf, max: usize) -> Self {
        Self { base, runtime_dir, max, slots: Mutex::default(), changed: Notify::new() }
    }

    fn look(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that can be forked.
    pub(crate) fn names(&self) -> Vec<String> {
        let slots = self.look();
        let up = slots.all.iter().filter(|(_, slot)| matches!(slot.state, State::Up(_)));
        up.map(|(key, _)| key.name()).collect()
    }

    /// The template, if it is up. If it is not, it is started for those who come later.
    pub(crate) fn get(
        self: &Arc<Self>,
        isolation: &Arc<dyn Isolation>,
        recipe: &Recipe,
    ) -> Option<Arc<dyn Template>> {
        let now = self.base.clock.now();
        let mut slots = self.look();
        if let Some(slot) = slots.all.get_mut(&recipe.key) {
            slot.used = now;
            return match &slot.state {
                State::Up(template) => Some(template.clone()),
                State::Starting | State::Down => None,
            };
        }
        if slots.unsupported || !make_room(&mut slots, self.max, now) {
            return None;
        }
        let end = CancellationToken::new();
        slots.all.insert(recipe.key, Slot { state: State::Starting, used: now, end: end.clone() });
        drop(slots);
        let keeper = Keeper { of: self.clone(), isolation: isolation.clone(), recipe: recipe.clone(), end };
        self.base.tasks.spawn(TaskKind::Background, "template", keeper.keep());
        None
    }

    /// Starts a template if it is not there and waits until it can be forked, at most `within`.
    pub(crate) async fn until_up(
        self: &Arc<Self>,
        isolation: &Arc<dyn Isolation>,
        recipe: &Recipe,
        within: Duration,
    ) -> bool {
        let until = self.base.clock.now() + within;
        loop {
            let changed = self.changed.notified();
            if self.get(isolation, recipe).is_some() {
                return true;
            }
            if self.look().unsupported {
                return false;
            }
            tokio::select! {
                () = changed => {}
                () = self.base.clock.sleep_until(until) => return false,
            }
        }
    }

    /// Nothing is forked any more: this host cannot.
    fn give_up(&self, error: &Error) {
        let mut slots = self.look();
        if !std::mem::replace(&mut slots.unsupported, true) {
            tracing::info!(reason = %error.public, "instances are started, not forked, on this host");
        }
        slots.all.clear();
        drop(slots);
        self.changed.notify_waiters();
    }
}

/// Whether another one may start; the one that nobody asked for in the longest time gives way.
fn make_room(slots: &mut Slots, max: usize, now: Instant) -> bool {
    if slots.all.len() < max {
        return true;
    }
    let oldest = slots.all.iter().min_by_key(|(_, slot)| slot.used).map(|(key, slot)| (*key, slot.used));
    let Some((key, _)) = oldest.filter(|(_, used)| now.saturating_duration_since(*used) >= UNUSED) else {
        return false;
    };
    if let Some(slot) = slots.all.remove(&key) {
        slot.end.cancel();
    }
    true
}

/// Keeps one template up.
struct Keeper {
    of: Arc<Templates>,
    isolation: Arc<dyn Isolation>,
    recipe: Recipe,
    end: CancellationToken,
}

impl Keeper {
    async fn keep(self) {
        let end = self.end.clone();
        end.run_until_cancelled(self.keep_up()).await;
    }

    async fn keep_up(&self) {
        let clock = &self.of.base.clock;
        let mut backoff = BACKOFF;
        loop {
            let name = self.recipe.key.name();
            match self.isolation.template(self.recipe.spec(&self.of.runtime_dir)).await {
                Ok(template) => {
                    let began = clock.now();
                    tracing::info!(%name, "template is up");
                    self.set(State::Up(template.clone()));
                    template.ended().await;
                    self.set(State::Down);
                    if began.elapsed() >= LIVED {
                        backoff = BACKOFF;
                    }
                    tracing::warn!(%name, "template ended; its functions start plainly until it is up again");
                }
                Err(error) if error.kind == Kind::Unsupported => {
                    self.of.give_up(&error);
                    return;
                }
                Err(error) => {
                    self.set(State::Down);
                    tracing::warn!(%name, ?error, "template did not come up; its functions start plainly");
                }
            }
            clock.sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
            self.set(State::Starting);
        }
    }

    fn set(&self, state: State) {
        if let Some(slot) = self.of.look().all.get_mut(&self.recipe.key).filter(|_| !self.end.is_cancelled())
        {
            slot.state = state;
        }
        self.of.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
