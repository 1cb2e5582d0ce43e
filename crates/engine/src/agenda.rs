//! Agenda: keys in the order of one moment each. A key stands in it at most once; everything costs the logarithm of what
//! stands in it, and nothing costs anything until its moment.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

use anyfn_base::Instant;

#[derive(Debug)]
pub(crate) struct Agenda<K, V> {
    order: BTreeMap<(Instant, K), V>,
    at: HashMap<K, Instant>,
}

impl<K, V> Default for Agenda<K, V> {
    fn default() -> Self {
        Self { order: BTreeMap::new(), at: HashMap::new() }
    }
}

impl<K: Copy + Ord + Hash, V> Agenda<K, V> {
    /// Puts the key at this moment, wherever it stood. True if it is now the first of all.
    pub(crate) fn set(&mut self, key: K, at: Instant, value: V) -> bool {
        self.remove(key);
        self.at.insert(key, at);
        self.order.insert((at, key), value);
        self.order.first_key_value().is_some_and(|((_, first), _)| *first == key)
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let at = self.at.remove(&key)?;
        self.order.remove(&(at, key))
    }

    /// The earliest moment.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.order.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Instant, V)> {
        let ((at, key), value) = self.order.pop_first()?;
        self.at.remove(&key);
        Some((at, value))
    }

    /// The earliest, if its moment has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<V> {
        self.first().filter(|at| *at <= now)?;
        self.pop().map(|(_, value)| value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests;
