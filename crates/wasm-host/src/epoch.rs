//! The thread that makes loops yield: it counts the engine's epoch on while calls run, and sleeps while none do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use wasmtime::Engine;

/// How long a guest computes before others have their turn.
const TICK: Duration = Duration::from_millis(5);
/// Ticks without a call before the thread sleeps.
const IDLE: u32 = 40;

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    asleep: AtomicBool,
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Epoch {
    shared: Arc<Shared>,
    thread: Thread,
}

/// A call that runs.
#[derive(Debug)]
pub(crate) struct Running(Arc<Shared>);

impl Epoch {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (engine, ticking) = (engine.clone(), shared.clone());
        let thread =
            thread::Builder::new().name("epoch".to_owned()).spawn(move || tick(&engine, &ticking))?;
        Ok(Self { shared, thread: thread.thread().clone() })
    }

    pub(crate) fn begin(&self) -> Running {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(self.shared.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick(engine: &Engine, shared: &Shared) {
    let mut idle = 0;
    loop {
        thread::park_timeout(TICK);
        engine.increment_epoch();
        idle = if shared.running.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
        if idle < IDLE {
            continue;
        }
        shared.asleep.store(true, Ordering::SeqCst);
        while shared.running.load(Ordering::SeqCst) == 0 {
            thread::park();
        }
        shared.asleep.store(false, Ordering::SeqCst);
        idle = 0;
    }
}
