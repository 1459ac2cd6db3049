//! Rows that are kept in the task's state instead of the target, by row key, in memory.
//!
//! The entries themselves are at the target (`deferred`, `parked`); this index holds their items, so that a
//! change of such a row is noticed without asking. It changes only when the transaction that changed the
//! entries has committed; within the transaction, [`crate::effects::Effects`] lies over it. Windows that touch
//! one row conflict, so nobody reads an item that another open transaction is about to change.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use whimbrel_connector::{DeferredRow, ParkedRow, Result, Writer};

use crate::effects::Effects;

/// Why a row isn't at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    Parked,
    Deferred,
}

#[derive(Debug, Default)]
struct Inner {
    rows: HashMap<Vec<u8>, Aside>,
    parked: usize,
}

/// All rows set aside.
#[derive(Debug, Default)]
pub struct AsideIndex {
    inner: Mutex<Inner>,
    len: AtomicUsize,
}

impl AsideIndex {
    /// Reads the entries of the task.
    pub async fn load(&self, writer: &mut dyn Writer) -> Result<()> {
        let parked = writer.state_list(ParkedRow::KIND, b"").await?;
        let deferred = writer.state_list(DeferredRow::KIND, b"").await?;
        let mut inner = self.lock();
        inner.parked = parked.len();
        inner.rows = parked
            .into_iter()
            .map(|entry| (entry.key.item, Aside::Parked))
            .chain(deferred.into_iter().map(|entry| (entry.key.item, Aside::Deferred)))
            .collect();
        self.len.store(inner.rows.len(), Ordering::Release);
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.len.load(Ordering::Acquire) == 0
    }

    pub fn get(&self, item: &[u8]) -> Option<Aside> {
        if self.is_empty() { None } else { self.lock().rows.get(item).copied() }
    }

    /// Takes over what a committed transaction changed.
    pub fn apply(&self, effects: &Effects) {
        if effects.aside().is_empty() {
            return;
        }
        let mut inner = self.lock();
        for (item, state) in effects.aside() {
            let before = match state {
                Some(aside) => inner.rows.insert(item.clone(), *aside),
                None => inner.rows.remove(item),
            };
            inner.parked -= usize::from(before == Some(Aside::Parked));
            inner.parked += usize::from(*state == Some(Aside::Parked));
        }
        self.len.store(inner.rows.len(), Ordering::Release);
    }

    /// Numbers of parked and of deferred rows.
    pub fn counts(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.parked, inner.rows.len() - inner.parked)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_what_was_committed() {
        let index = AsideIndex::default();
        let mut effects = Effects::default();
        effects.set_aside(vec![1], Some(Aside::Parked));
        effects.set_aside(vec![2], Some(Aside::Deferred));
        effects.set_aside(vec![2], Some(Aside::Parked));
        effects.set_aside(vec![3], Some(Aside::Deferred));
        assert!(index.is_empty());
        index.apply(&effects);
        assert_eq!((index.counts(), index.get(&[2])), ((2, 1), Some(Aside::Parked)));
        let mut effects = Effects::default();
        effects.set_aside(vec![1], None);
        effects.set_aside(vec![9], None);
        effects.set_aside(vec![3], Some(Aside::Parked));
        index.apply(&effects);
        assert_eq!(index.counts(), (2, 0));
    }
}
