//! Asks again about rows that differed.
//!
//! A row differs truly if the source's row, the target having applied everything up to the moment of its
//! reading, is still what was read, and the target's row still isn't the same. Each round does exactly that:
//!
//! 1. read the rows from the source, then take a position at or after that reading;
//! 2. wait until the target has applied it;
//! 3. read the rows from the target; what is the same now is settled;
//! 4. read the rest from the source once more: where the row is still what it was in 1., the round speaks for a
//!    difference; where it has changed, it says nothing.
//!
//! Where several source tables share the target, a row that this table lacks may be another one's, which is compared
//! there. One that both have is a collision: the target can hold one of them only, and no correction is written.
//!
//! A row that goes to and fro between two values may deceive one round: it was something else just while the
//! target was read. So several rounds in a row have to find the same two rows, and each change that was seen in
//! between asks for more of them.

use std::collections::HashMap;

use whimbrel_connector::{Mutation, Result};
use whimbrel_model::{RawCell, RowBatch, RowRef, TableName};
use xxhash_rust::xxh3::Xxh3;

use crate::output::Found;
use crate::pairing::{Pairing, Side};
use crate::{Shared, Sides};

/// Rounds that must agree on a row that was never seen to change.
const AGREEING: u32 = 3;
/// Further rounds for each change that was seen.
const PER_CHANGE: u32 = 2;

/// Most keys fetched by one question.
const GROUP: usize = 500;
/// Bytes that the answer to one question should have at most.
const GROUP_BYTES: usize = 8 << 20;

/// How many rows of about so many bytes one question may ask for.
pub(crate) fn group_of(row_bytes: usize) -> usize {
    (GROUP_BYTES / row_bytes.max(1)).clamp(1, GROUP)
}

/// Rows that differed when they were first compared.
pub(crate) struct Suspects {
    /// By the canonical form of the key.
    rows: HashMap<Vec<u8>, Suspect>,
    source_keys: RowBatch,
    target_keys: RowBatch,
    /// Keys fetched by one question.
    group: usize,
}

#[derive(Default)]
struct Suspect {
    /// The number of the key in `source_keys` and `target_keys`, where that side can have such a key at all.
    source: Option<usize>,
    target: Option<usize>,
    looks: Looks,
}

/// What the rounds saw of one row.
#[derive(Default)]
struct Looks {
    /// Hashes of the two rows that the last round saw.
    last: Option<(u128, u128)>,
    /// Rounds in a row that saw the same.
    agreeing: u32,
    changes: u32,
}

impl Looks {
    /// Takes in what a round saw; `unchanged`: the source's row stayed what it was throughout. True where it is
    /// certain now that the rows differ.
    fn differ(&mut self, seen: (u128, u128), unchanged: bool, confirmations: u32) -> bool {
        let same = self.last.is_none_or(|last| last == seen);
        self.changes += u32::from(!(same && unchanged));
        self.agreeing = match (unchanged, same) {
            (false, _) => 0,
            (true, true) => self.agreeing + 1,
            (true, false) => 1,
        };
        self.last = Some(seen);
        if Mutation::CertainAtOnce.active() {
            return true;
        }
        self.agreeing >= confirmations.max(AGREEING) + self.changes * PER_CHANGE
    }
}

impl Suspects {
    pub fn new(pairing: &Pairing<'_>) -> Self {
        Self {
            rows: HashMap::new(),
            source_keys: pairing.key_batch(Side::Source),
            target_keys: pairing.key_batch(Side::Target),
            group: GROUP,
        }
    }

    /// The rows are about so large.
    pub fn set_row_bytes(&mut self, bytes: usize) {
        self.group = group_of(bytes);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds the key of a row that was read from one side.
    pub fn add(&mut self, pairing: &Pairing<'_>, side: Side, row: RowRef<'_>) {
        let form = pairing.key_form(side, row);
        if self.rows.contains_key(&form) {
            return;
        }
        let number = |found: bool, keys: &RowBatch| found.then(|| keys.len() - 1);
        let source = pairing.push_key(side, row, Side::Source, &mut self.source_keys);
        let target = pairing.push_key(side, row, Side::Target, &mut self.target_keys);
        let suspect = Suspect {
            source: number(source, &self.source_keys),
            target: number(target, &self.target_keys),
            looks: Looks::default(),
        };
        self.rows.insert(form, suspect);
    }
}

/// Rows of one side by the form of their key.
struct Rows {
    batches: Vec<RowBatch>,
    at: HashMap<Vec<u8>, (usize, usize)>,
}

impl Rows {
    fn row(&self, form: &[u8]) -> Option<RowRef<'_>> {
        self.at.get(form).map(|(batch, row)| self.batches[*batch].row(*row))
    }
}

/// Decides about all suspects; nothing is written or counted, so that it may be tried again.
pub(crate) async fn decide(
    shared: &Shared,
    sides: &mut Sides,
    index: usize,
    mut suspects: Suspects,
) -> Result<Vec<Found>> {
    let pairing = &Pairing::new(&shared.tables[index])?;
    let mut certain = Vec::new();
    let rounds = shared.options.rounds.max(1);
    for round in 1..=rounds {
        if suspects.is_empty() {
            break;
        }
        shared.check_cancelled()?;
        let before = fetch(shared, sides, pairing, &suspects, Side::Source).await?;
        let elsewhere = elsewhere(shared, sides, index, &suspects).await?;
        suspects.rows.retain(|form, _| before.row(form).is_some() || !elsewhere.contains_key(form));
        let position = sides.read_position(shared).await?;
        if !Mutation::CompareWithoutWaiting.active() {
            shared.applied.wait_for(&position).await?;
        }
        let found = fetch(shared, sides, pairing, &suspects, Side::Target).await?;
        suspects.rows.retain(|form, _| match (before.row(form), found.row(form)) {
            (None, None) => false,
            (None, Some(_)) if Mutation::IgnoreExtra.active() => false,
            (Some(source), Some(target)) => !pairing.same(source, target),
            _ => true,
        });
        if suspects.is_empty() {
            break;
        }
        let after = fetch(shared, sides, pairing, &suspects, Side::Source).await?;
        suspects.rows.retain(|form, suspect| {
            let (source, again, target) = (before.row(form), after.row(form), found.row(form));
            let unchanged = match (source, again) {
                (None, None) => true,
                (Some(a), Some(b)) => a.same(&b),
                _ => false,
            };
            let seen = (hash(again), hash(target));
            let found = |certain| {
                Found::new(certain, pairing.table, again, target).also_in(elsewhere.get(form).cloned())
            };
            if suspect.looks.differ(seen, unchanged, shared.options.confirmations) {
                certain.push(found(true));
                return false;
            }
            if round == rounds {
                certain.push(found(false));
            }
            true
        });
    }
    Ok(certain)
}

/// Which suspects other tables with the same target have, and a table that has them.
async fn elsewhere(
    shared: &Shared,
    sides: &mut Sides,
    index: usize,
    suspects: &Suspects,
) -> Result<HashMap<Vec<u8>, TableName>> {
    let mut held = HashMap::new();
    for sibling in shared.siblings(index) {
        let pairing = Pairing::new(&shared.tables[sibling])?;
        let rows = fetch(shared, sides, &pairing, suspects, Side::Source).await?;
        let name = &pairing.table.plan.source.schema.name;
        held.extend(rows.at.into_keys().map(|form| (form, name.clone())));
    }
    Ok(held)
}

fn hash(row: Option<RowRef<'_>>) -> u128 {
    let Some(row) = row else { return 0 };
    let mut hasher = Xxh3::new();
    for column in 0..row.len() {
        match row.raw(column) {
            RawCell::Null => hasher.update(&[0]),
            RawCell::Unknown => hasher.update(&[1]),
            RawCell::Bytes(bytes) => {
                hasher.update(&[2]);
                hasher.update(&(bytes.len() as u32).to_le_bytes());
                hasher.update(bytes);
            }
        }
    }
    hasher.digest128()
}

async fn fetch(
    shared: &Shared,
    sides: &mut Sides,
    pairing: &Pairing<'_>,
    suspects: &Suspects,
    side: Side,
) -> Result<Rows> {
    let (all, version) = match side {
        Side::Source => (&suspects.source_keys, &pairing.table.plan.source),
        Side::Target => (&suspects.target_keys, &pairing.table.target),
    };
    let numbers: Vec<usize> = suspects
        .rows
        .values()
        .filter_map(|suspect| if side == Side::Source { suspect.source } else { suspect.target })
        .collect();
    let mut found = Rows { batches: Vec::new(), at: HashMap::new() };
    for group in numbers.chunks(suspects.group.max(1)) {
        let mut keys = pairing.key_batch(side);
        for number in group {
            keys.push_row(all.row(*number));
        }
        let reader = match side {
            Side::Source => sides.source(shared).await?,
            Side::Target => sides.target(shared).await?,
        };
        let rows = reader.fetch(version, &keys).await?;
        for (number, row) in rows.rows().enumerate() {
            found.at.insert(pairing.key_form(side, row), (found.batches.len(), number));
        }
        found.batches.push(rows);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_stays_different_is_certain_after_three_rounds() {
        let mut looks = Looks::default();
        assert!(!looks.differ((1, 2), true, 1));
        assert!(!looks.differ((1, 2), true, 1));
        assert!(looks.differ((1, 2), true, 1));
        let mut looks = Looks::default();
        assert_eq!((1..=5).map(|_| looks.differ((1, 2), true, 5)).filter(|certain| *certain).count(), 1);
    }

    #[test]
    fn a_row_that_changes_is_asked_about_longer() {
        let mut looks = Looks::default();
        // The source changed while the round was on.
        assert!(!looks.differ((1, 2), false, 1));
        // Two rounds agree, then the target shows something else.
        assert!(!looks.differ((1, 2), true, 1));
        assert!(!looks.differ((1, 2), true, 1));
        assert!(!looks.differ((1, 3), true, 1));
        // Seven in a row are needed now, of which that was the first.
        assert_eq!((2..=7).map(|_| looks.differ((1, 3), true, 1)).filter(|certain| *certain).count(), 1);
    }

    #[test]
    fn a_row_that_goes_to_and_fro_never_is() {
        let mut looks = Looks::default();
        for round in 0..100 {
            let seen = if round % 2 == 0 { (1, 2) } else { (2, 1) };
            assert!(!looks.differ(seen, true, 1));
        }
    }
}
