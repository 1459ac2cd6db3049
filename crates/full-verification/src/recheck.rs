//! Asks again about rows that differed.
//!
//! A row differs truly if the source's row, the target having applied everything up to the moment of its
//! reading, is still what was read, and the target's row still isn't the same. Each round does exactly that:
//!
//! 1. read the rows from the source, then take a position at or after that reading;
//! 2. wait until the target has applied it;
//! 3. read the rows from the target; what is the same now is settled;
//! 4. read the rest from the source once more: where the row is still what it was in 1., the difference is
//!    real; where it has changed, the next round asks again.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use whimbrel_connector::Result;
use whimbrel_model::{RowBatch, RowRef};

use crate::output::Files;
use crate::pairing::{Pairing, Side};
use crate::{Shared, Sides};

/// Keys fetched by one question.
const GROUP: usize = 500;

/// Rows that differed when they were first compared.
pub(crate) struct Suspects {
    /// By the canonical form of the key: the number of the row in the batches below, where that side can have
    /// such a key at all.
    forms: HashMap<Vec<u8>, (Option<usize>, Option<usize>)>,
    source_keys: RowBatch,
    target_keys: RowBatch,
}

impl Suspects {
    pub fn new(pairing: &Pairing<'_>) -> Self {
        Self {
            forms: HashMap::new(),
            source_keys: pairing.key_batch(Side::Source),
            target_keys: pairing.key_batch(Side::Target),
        }
    }

    pub fn len(&self) -> usize {
        self.forms.len()
    }

    /// Adds the key of a row that was read from one side.
    pub fn add(&mut self, pairing: &Pairing<'_>, side: Side, row: RowRef<'_>) {
        let form = pairing.key_form(side, row);
        if self.forms.contains_key(&form) {
            return;
        }
        let number = |found: bool, keys: &RowBatch| found.then(|| keys.len() - 1);
        let source = pairing.push_key(side, row, Side::Source, &mut self.source_keys);
        let target = pairing.push_key(side, row, Side::Target, &mut self.target_keys);
        let numbers = (number(source, &self.source_keys), number(target, &self.target_keys));
        self.forms.insert(form, numbers);
    }
}

/// Rows of one side by the form of their key.
struct Found {
    batches: Vec<RowBatch>,
    at: HashMap<Vec<u8>, (usize, usize)>,
}

impl Found {
    fn row(&self, form: &[u8]) -> Option<RowRef<'_>> {
        self.at.get(form).map(|(batch, row)| self.batches[*batch].row(*row))
    }
}

/// Decides about all suspects; real differences are written to the files.
pub(crate) async fn decide(
    shared: &Shared,
    sides: &mut Sides,
    index: usize,
    pairing: &Pairing<'_>,
    mut suspects: Suspects,
    files: &mut Files,
) -> Result<()> {
    for round in 1..=shared.options.rounds.max(1) {
        if suspects.len() == 0 {
            return Ok(());
        }
        shared.check_cancelled()?;
        let before = fetch(shared, sides, pairing, &suspects, Side::Source).await?;
        let position = sides.read_position(shared).await?;
        shared.applied.wait_for(&position).await?;
        let found = fetch(shared, sides, pairing, &suspects, Side::Target).await?;
        suspects.forms.retain(|form, _| match (before.row(form), found.row(form)) {
            (None, None) => false,
            (Some(source), Some(target)) => !pairing.same(source, target),
            _ => true,
        });
        if suspects.len() == 0 {
            return Ok(());
        }
        let after = fetch(shared, sides, pairing, &suspects, Side::Source).await?;
        let confirmed = round >= shared.options.confirmations;
        let mut failed = Ok(());
        suspects.forms.retain(|form, _| {
            let (source, again) = (before.row(form), after.row(form));
            let unchanged = match (source, again) {
                (None, None) => true,
                (Some(a), Some(b)) => a.same(&b),
                _ => false,
            };
            if !unchanged || !confirmed || failed.is_err() {
                return true;
            }
            failed = files.write(shared, index, again, found.row(form));
            false
        });
        failed?;
    }
    shared.progress.counters[index].undecided.fetch_add(suspects.len() as u64, Ordering::Relaxed);
    Ok(())
}

async fn fetch(
    shared: &Shared,
    sides: &mut Sides,
    pairing: &Pairing<'_>,
    suspects: &Suspects,
    side: Side,
) -> Result<Found> {
    let (all, version) = match side {
        Side::Source => (&suspects.source_keys, &pairing.table.plan.source),
        Side::Target => (&suspects.target_keys, &pairing.table.target),
    };
    let numbers: Vec<usize> = suspects
        .forms
        .values()
        .filter_map(|(source, target)| if side == Side::Source { *source } else { *target })
        .collect();
    let mut found = Found { batches: Vec::new(), at: HashMap::new() };
    for group in numbers.chunks(GROUP) {
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
