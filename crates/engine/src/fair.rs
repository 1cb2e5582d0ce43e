//! Fair: who is next when many wait for the same few places. Of all groups that wait, the one that holds the fewest places
//! goes first, and among equals the one that was served longest ago; within a group it is first come, first served. So a
//! crowd of one group costs another at most the place that is just being given.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    hash::Hash,
};

#[derive(Debug)]
pub(crate) struct Fair<G, V> {
    groups: HashMap<G, Group<V>>,
    /// Groups in which something waits: places held, last turn, name.
    ready: BTreeSet<(usize, u64, G)>,
    turn: u64,
    /// Places that one group may hold.
    most: usize,
}

#[derive(Debug)]
struct Group<V> {
    held: usize,
    turn: u64,
    waiting: VecDeque<V>,
}

impl<G: Clone + Ord + Hash, V> Fair<G, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { groups: HashMap::new(), ready: BTreeSet::new(), turn: 0, most: most.max(1) }
    }

    pub(crate) fn push(&mut self, name: &G, value: V) {
        self.change(name, |group| group.waiting.push_back(value));
    }

    /// The next in line; its group holds one place more until `give_back`.
    pub(crate) fn take(&mut self) -> Option<(G, V)> {
        let (held, _, name) = self.ready.first()?.clone();
        if held >= self.most {
            return None;
        }
        self.turn += 1;
        let turn = self.turn;
        let value = self.change(&name, |group| {
            let value = group.waiting.pop_front();
            group.turn = turn;
            group.held += usize::from(value.is_some());
            value
        })?;
        Some((name, value))
    }

    pub(crate) fn give_back(&mut self, name: &G) {
        self.change(name, |group| group.held = group.held.saturating_sub(1));
    }

    /// Keeps `ready` true to the groups, and no group without a reason.
    fn change<T>(&mut self, name: &G, change: impl FnOnce(&mut Group<V>) -> T) -> T {
        let turn = self.turn;
        let fresh = || Group { held: 0, turn, waiting: VecDeque::new() };
        let group = self.groups.entry(name.clone()).or_insert_with(fresh);
        self.ready.remove(&(group.held, group.turn, name.clone()));
        let result = change(group);
        if !group.waiting.is_empty() {
            self.ready.insert((group.held, group.turn, name.clone()));
        } else if group.held == 0 {
            self.groups.remove(name);
        }
        result
    }

    #[cfg(test)]
    fn groups(&self) -> usize {
        self.groups.len()
    }
}

#[cfg(test)]
mod tests;
