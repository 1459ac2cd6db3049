//! Bounds of chunks that needn't be asked for: those of a key of one integer whose values stand close together.
//!
//! Asking for the key of the n-th next row makes the server walk over n keys. Where numbers are nearly all taken (an
//! AUTO_INCREMENT), the n-th next number is as good: no more than n rows can lie before it, and not many fewer do.

use whimbrel_connector::KeyBound;
use whimbrel_model::{CellKind, RowBatch, ValueRef};

/// At least one of so many numbers must be taken.
const MOST_SPARSE: i128 = 2;

/// The key `rows` numbers after `after`, where at least half of the numbers up to `last` are taken by the `left` rows that
/// there are; else `None`. `keys` is an empty batch of the key's columns.
pub(crate) fn bound_after(
    keys: RowBatch,
    after: &KeyBound,
    last: &KeyBound,
    rows: u64,
    left: u64,
) -> Option<KeyBound> {
    let (from, to) = (number(&keys, after)?, number(&keys, last)?);
    let numbers = to.checked_sub(from).filter(|numbers| *numbers > 0)?;
    if numbers > i128::from(left).checked_mul(MOST_SPARSE)? {
        return None;
    }
    let number = from + i128::from(rows);
    if number >= to {
        return Some(last.clone());
    }
    let mut keys = keys;
    match keys.kinds().first()? {
        CellKind::Int => keys.push_int(i64::try_from(number).ok()?),
        CellKind::UInt => keys.push_uint(u64::try_from(number).ok()?),
        _ => return None,
    }
    keys.end_row();
    let mut row = Vec::new();
    keys.encode(&mut row);
    Some(KeyBound { row })
}

/// The key's value, where it is one integer.
fn number(keys: &RowBatch, bound: &KeyBound) -> Option<i128> {
    if keys.kinds().len() != 1 {
        return None;
    }
    let batch = RowBatch::decode(keys.kinds().clone(), &bound.row).ok().filter(|batch| batch.len() == 1)?;
    match batch.row(0).get(0) {
        ValueRef::Int(number) => Some(number.into()),
        ValueRef::UInt(number) => Some(number.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn bound(kinds: &[CellKind], values: &[ValueRef<'_>]) -> KeyBound {
        let mut keys = RowBatch::new(Arc::from(kinds));
        values.iter().for_each(|value| keys.push_value(*value));
        keys.end_row();
        let mut row = Vec::new();
        keys.encode(&mut row);
        KeyBound { row }
    }

    fn after(kind: CellKind, from: ValueRef<'_>, to: ValueRef<'_>, rows: u64, left: u64) -> Option<KeyBound> {
        let keys = RowBatch::new(Arc::from([kind]));
        bound_after(keys, &bound(&[kind], &[from]), &bound(&[kind], &[to]), rows, left)
    }

    fn int(value: i64) -> ValueRef<'static> {
        ValueRef::Int(value)
    }

    #[test]
    fn numbers_that_stand_close_need_no_question() {
        let next = after(CellKind::Int, int(-50), int(1000), 100, 600);
        assert_eq!(next, Some(bound(&[CellKind::Int], &[int(50)])));
        let (from, to) = (ValueRef::UInt(u64::MAX - 30), ValueRef::UInt(u64::MAX));
        let next = after(CellKind::UInt, from, to, 10, 30);
        assert_eq!(next, Some(bound(&[CellKind::UInt], &[ValueRef::UInt(u64::MAX - 20)])));
    }

    #[test]
    fn the_last_chunk_ends_with_the_last_row() {
        for rows in [100, 101, u64::MAX] {
            let last = after(CellKind::Int, int(0), int(100), rows, 100);
            assert_eq!(last, Some(bound(&[CellKind::Int], &[int(100)])));
        }
        let (from, to) = (int(i64::MIN), int(i64::MAX));
        assert_eq!(
            after(CellKind::Int, from, to, 9, u64::MAX),
            Some(bound(&[CellKind::Int], &[int(i64::MIN + 9)]))
        );
    }

    #[test]
    fn gaps_and_other_keys_are_asked_for() {
        assert_eq!(after(CellKind::Int, int(0), int(1000), 100, 499), None);
        assert_eq!(after(CellKind::Int, int(7), int(7), 100, 499), None);
        assert_eq!(after(CellKind::Int, int(8), int(7), 100, 499), None);
        assert_eq!(after(CellKind::Text, ValueRef::Text(b"1"), ValueRef::Text(b"9"), 2, 9), None);
        let kinds = [CellKind::Int, CellKind::Int];
        let (from, to) = (bound(&kinds, &[int(1), int(1)]), bound(&kinds, &[int(2), int(1)]));
        assert_eq!(bound_after(RowBatch::new(Arc::from(kinds)), &from, &to, 1, 9), None);
    }
}
