//! The flows of one instance by key. A place in it is a permit: it counts against the instance and the host, and gives
//! both back when dropped.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyfn_base::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::packet::Key;

/// The packets of one flow on their way to its task.
pub(crate) type Inbox = mpsc::Receiver<Vec<u8>>;

/// Which limit refused a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    Instance,
    Host,
}

#[derive(Clone, Debug)]
pub(crate) struct Table {
    flows: Arc<Mutex<HashMap<Key, mpsc::Sender<Vec<u8>>>>>,
    most: usize,
    host: Arc<Semaphore>,
    open: Gauge,
}

impl Table {
    pub(crate) fn new(most: usize, host: Arc<Semaphore>, open: Gauge) -> Self {
        Self { flows: Arc::default(), most, host, open }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, mpsc::Sender<Vec<u8>>>> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Hands a packet to its flow; false if there is no such flow. A flow that does not keep up loses the packet.
    pub(crate) fn deliver(&self, key: &Key, packet: &[u8]) -> bool {
        let flows = self.lock();
        let Some(flow) = flows.get(key) else { return false };
        if let Ok(place) = flow.try_reserve() {
            place.send(packet.to_vec());
        }
        true
    }

    /// Opens a flow whose inbox holds `depth` packets. `key` must not be in the table.
    pub(crate) fn open(&self, key: Key, depth: usize) -> Result<(Place, Inbox), Full> {
        let mut flows = self.lock();
        if flows.len() >= self.most {
            return Err(Full::Instance);
        }
        let permit = self.host.clone().try_acquire_owned().map_err(|_| Full::Host)?;
        let (packets, inbox) = mpsc::channel(depth);
        flows.insert(key, packets);
        self.open.add(1);
        Ok((Place { table: self.clone(), key, _permit: permit }, inbox))
    }
}

/// Held by a flow's task for as long as it lives.
#[derive(Debug)]
pub(crate) struct Place {
    table: Table,
    pub(crate) key: Key,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.table.lock().remove(&self.key);
        self.table.open.add(-1);
    }
}

#[cfg(test)]
mod tests;
