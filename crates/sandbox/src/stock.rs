//! Sandboxes made ahead. What a version adds to a sandbox (its code, its limits) can be given to one that stands, so
//! sandboxes of the same shape are kept ready, as many as were asked for lately, and made behind the callers' backs.
//!
//! A sandbox is handed out once and never comes back: nothing of one caller can be found by the next.

mod demand;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyfn_base::{Base, Instant, TaskKind};
use tokio::sync::Notify;

use crate::{
    client::Client,
    inside::PLACES,
    proto::{Create, Request},
    running::{Lease, Running},
};
use demand::{Demand, Shape};

/// How long nobody must have taken a sandbox before the next one is made, as long as some are left: who has just taken one
/// needs the processor.
const QUIET: Duration = Duration::from_millis(3);
/// How often demand is looked at when nothing happens.
const LOOK: Duration = Duration::from_secs(1);

/// Belongs to one helper; a new helper gets a new stock.
pub(crate) struct Stock {
    base: Base,
    client: Arc<Client>,
    most: usize,
    shelves: Mutex<Shelves>,
    /// Callers that wait for a sandbox to be made.
    waiting: AtomicUsize,
    changed: Notify,
}

#[derive(Default)]
struct Shelves {
    shelves: Vec<Shelf>,
    last_taken: Option<Instant>,
    /// Nothing is made or kept any more.
    closed: bool,
    /// Making one failed; not before this.
    not_before: Option<Instant>,
}

struct Shelf {
    shape: Shape,
    /// What to ask for.
    spec: Create,
    demand: Demand,
    ready: Vec<Running>,
}

/// What the keeper does next.
enum Next {
    Make(Vec<(Shape, Create)>),
    /// Until something changes, or this.
    Wait(Option<Instant>),
    Drop(Vec<Running>),
}

/// A caller that waits. The keeper makes nothing meanwhile.
pub(crate) struct Waiting<'a>(&'a Stock);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}

impl Stock {
    /// Starts the keeper; it ends and gives everything back when `ending` does or the helper is gone.
    pub(crate) fn start<E>(base: &Base, client: &Arc<Client>, most: usize, ending: E) -> Arc<Self>
    where
        E: Future<Output = ()> + Send + 'static,
    {
        let stock = Arc::new(Self {
            base: base.clone(),
            client: client.clone(),
            most: if client.can_furnish() { most } else { 0 },
            shelves: Mutex::default(),
            waiting: AtomicUsize::new(0),
            changed: Notify::new(),
        });
        if stock.most > 0 {
            let keeper = stock.clone();
            base.tasks.spawn(TaskKind::Service, "sandboxes ahead", async move {
                tokio::select! {
                    () = ending => {}
                    () = keeper.client.gone() => {}
                    () = keeper.keep() => {}
                }
                keeper.close();
            });
        }
        stock
    }

    /// Takes one of this shape, if there is one, and counts the demand.
    pub(crate) fn take(&self, spec: &Create) -> Option<Running> {
        if self.most == 0 || !spec.binds.iter().all(|(_, target)| PLACES.contains(&target.as_str())) {
            return None;
        }
        let now = self.base.clock.now();
        let taken = self.shelves().take(spec, now);
        self.changed.notify_one();
        taken
    }

    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    pub(crate) fn ready(&self) -> usize {
        self.shelves().shelves.iter().map(|shelf| shelf.ready.len()).sum()
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep(&self) {
        loop {
            let busy = self.waiting.load(Ordering::Relaxed) > 0;
            let next = self.shelves().next(self.base.clock.now(), self.most, busy);
            match next {
                Next::Make(list) => {
                    let mut list = list.into_iter();
                    tokio::join!(self.make(list.next()), self.make(list.next()));
                }
                Next::Drop(spare) => drop(spare),
                Next::Wait(until) => {
                    let long = self.base.clock.now() + Duration::from_secs(3600);
                    tokio::select! {
                        () = self.changed.notified() => {}
                        () = self.base.clock.sleep_until(until.unwrap_or(long)) => {}
                    }
                }
            }
        }
    }

    async fn make(&self, what: Option<(Shape, Create)>) {
        let Some((shape, spec)) = what else { return };
        let slot = self.base.random.instance_id();
        let request = Request::Create(Box::new(Create { id: slot, blank: true, binds: Vec::new(), ..spec }));
        let made = match Lease::new(self.client.clone(), slot) {
            Ok(lease) => Box::pin(Running::start(&self.base, lease, request)).await,
            Err(e) => Err(e),
        };
        let now = self.base.clock.now();
        match made {
            Ok(running) => self.shelves().put(&shape, running),
            Err(error) => {
                tracing::warn!(%error, "no sandbox could be made ahead");
                self.shelves().not_before = Some(now + LOOK);
            }
        }
    }

    fn close(&self) {
        let left = {
            let mut shelves = self.shelves();
            shelves.closed = true;
            std::mem::take(&mut shelves.shelves)
        };
        drop(left);
    }
}

impl Shelves {
    fn take(&mut self, spec: &Create, now: Instant) -> Option<Running> {
        if self.closed {
            return None;
        }
        let shape = Shape::of(spec);
        let at = match self.shelves.iter().position(|shelf| shelf.shape == shape) {
            Some(at) => at,
            None => {
                let spec = Create { binds: Vec::new(), ..spec.clone() };
                self.shelves.push(Shelf { shape, spec, demand: Demand::new(now), ready: Vec::new() });
                self.shelves.len() - 1
            }
        };
        let shelf = &mut self.shelves[at];
        shelf.demand.count(now);
        self.last_taken = Some(now);
        // One may have died of an accident on the host.
        while let Some(running) = shelf.ready.pop() {
            if running.lives() {
                return Some(running);
            }
        }
        None
    }

    fn put(&mut self, shape: &Shape, running: Running) {
        if let Some(shelf) = self.shelves.iter_mut().find(|shelf| shelf.shape == *shape) {
            shelf.ready.push(running);
        }
    }

    fn next(&mut self, now: Instant, most: usize, busy: bool) -> Next {
        let wanted = demand::share(self.shelves.iter().map(|shelf| &shelf.demand), now, most);
        let mut spare = Vec::new();
        for (shelf, wanted) in self.shelves.iter_mut().zip(&wanted) {
            spare.extend(shelf.ready.drain((*wanted).min(shelf.ready.len())..));
        }
        self.shelves.retain(|shelf| shelf.demand.recent(now));
        if !spare.is_empty() {
            return Next::Drop(spare);
        }
        // The next wake comes with the last caller's sandbox.
        if busy || self.shelves.is_empty() {
            return Next::Wait((!self.shelves.is_empty()).then_some(now + LOOK));
        }
        let wanted = demand::share(self.shelves.iter().map(|shelf| &shelf.demand), now, most);
        let mut missing = Vec::new();
        let mut low = false;
        for (shelf, wanted) in self.shelves.iter().zip(wanted) {
            low |= shelf.ready.len() * 2 < wanted;
            missing.extend((shelf.ready.len()..wanted).map(|_| (shelf.shape.clone(), shelf.spec.clone())));
        }
        let quiet = self.last_taken.map_or(now, |at| at + QUIET);
        let from = self.not_before.map_or(if low { now } else { quiet }, |at| at.max(quiet));
        match missing.len() {
            0 => Next::Wait(Some(now + LOOK)),
            _ if from > now => Next::Wait(Some(from)),
            _ => {
                self.not_before = None;
                missing.truncate(2);
                Next::Make(missing)
            }
        }
    }
}
