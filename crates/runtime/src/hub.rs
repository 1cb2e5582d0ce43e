//! What the transports of one guest share: its state machine, who waits for it, and the way to the guest's owner.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyfn_base::Base;
use tokio::sync::{mpsc, watch};

use crate::{
    answer::{Answer, Call},
    machine::Machine,
};

/// Answers on their way from the HTTP side to the guest's owner; more make the runtime wait.
const ANSWERS: usize = 8;

/// What the guest may know about itself.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) function: String,
    pub(crate) version: String,
    pub(crate) handler: String,
    pub(crate) account: String,
    /// Bytes.
    pub(crate) payload_max: u64,
}

#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) facts: Facts,
    pub(crate) base: Base,
    machine: Mutex<Machine>,
    turn: watch::Sender<()>,
    pub(crate) answers: mpsc::Sender<Answer>,
}

impl Hub {
    pub(crate) fn new(
        base: Base,
        facts: Facts,
        external: Vec<String>,
    ) -> (Arc<Self>, mpsc::Receiver<Answer>) {
        let (answers, heard) = mpsc::channel(ANSWERS);
        let machine = Mutex::new(Machine::new(external));
        (Arc::new(Self { facts, base, machine, turn: watch::Sender::new(()), answers }), heard)
    }

    pub(crate) fn look(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the machine and wakes whoever waits for a change.
    pub(crate) fn change<T>(&self, with: impl FnOnce(&mut Machine) -> T) -> T {
        let result = with(&mut self.look());
        self.turn.send_replace(());
        result
    }

    pub(crate) fn begin(&self, call: Arc<Call>) {
        self.change(|machine| machine.begin(call));
    }

    /// Waits until `ready` gives something. Cancel-safe.
    pub(crate) async fn until<T>(&self, mut ready: impl FnMut(&mut Machine) -> Option<T>) -> T {
        let mut turn = self.turn.subscribe();
        loop {
            turn.borrow_and_update();
            if let Some(found) = ready(&mut self.look()) {
                return found;
            }
            if turn.changed().await.is_err() {
                // The sender is in `self`, so this cannot be; waiting for ever is what `until` means then.
                std::future::pending::<()>().await;
            }
        }
    }
}
