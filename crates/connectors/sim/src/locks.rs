//! Locks, held to the end of a transaction.

use std::collections::{BTreeMap, BTreeSet};

use whimbrel_connector::StateKey;

use crate::table::Place;

/// What is locked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Token {
    /// Shared by writers of its rows; exclusive for DDL and for the moment of a consistent view.
    Table(u64),
    Row(u64, Place),
    /// A value of a unique key, by the key's place among the table's.
    Unique(u64, usize, Vec<u8>),
    /// Shared by writers of the task's state; exclusive for a take-over.
    Epoch(String),
    State(String, StateKey),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Shared,
    Exclusive,
}

#[derive(Debug)]
struct Held {
    exclusive: bool,
    owners: BTreeSet<u64>,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    Locked,
    Wait,
    /// Waiting would never end.
    Deadlock,
}

/// All locks of a server.
#[derive(Debug, Default)]
pub struct Locks {
    held: BTreeMap<Token, Held>,
    of: BTreeMap<u64, BTreeSet<Token>>,
    /// Whom a transaction waits for.
    waiting: BTreeMap<u64, BTreeSet<u64>>,
}

impl Locks {
    pub fn try_lock(&mut self, owner: u64, token: &Token, mode: Mode) -> Attempt {
        self.waiting.remove(&owner);
        let exclusive = mode == Mode::Exclusive;
        if let Some(held) = self.held.get_mut(token) {
            let others: BTreeSet<u64> = held.owners.iter().copied().filter(|other| *other != owner).collect();
            if !others.is_empty() && (exclusive || held.exclusive) {
                self.waiting.insert(owner, others);
                return if self.waits_for_itself(owner) { Attempt::Deadlock } else { Attempt::Wait };
            }
            held.exclusive |= exclusive;
            held.owners.insert(owner);
        } else {
            self.held.insert(token.clone(), Held { exclusive, owners: BTreeSet::from([owner]) });
        }
        self.of.entry(owner).or_default().insert(token.clone());
        Attempt::Locked
    }

    fn waits_for_itself(&self, owner: u64) -> bool {
        let mut seen = BTreeSet::new();
        let mut todo: Vec<u64> = self.waiting.get(&owner).into_iter().flatten().copied().collect();
        while let Some(next) = todo.pop() {
            if next == owner {
                return true;
            }
            if seen.insert(next) {
                todo.extend(self.waiting.get(&next).into_iter().flatten());
            }
        }
        false
    }

    pub fn stop_waiting(&mut self, owner: u64) {
        self.waiting.remove(&owner);
    }

    pub fn release(&mut self, owner: u64) {
        self.waiting.remove(&owner);
        for token in self.of.remove(&owner).unwrap_or_default() {
            if let Some(held) = self.held.get_mut(&token) {
                held.owners.remove(&owner);
                if held.owners.is_empty() {
                    self.held.remove(&token);
                }
            }
        }
    }
}
