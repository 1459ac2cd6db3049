//! A serialised batch of any content, in both forms: rows whose every cell can be read, or an error.
//!
//! Input: form 1 as it is; and of the same bytes `1 rows`, `1 length of the tags`, tags, values as form 2, for rows that are
//! by turns inserts and updates. Layout: `crates/model/src/batch/serial.rs`.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use whimbrel_model::{CellKind, RowBatch, RowOp};

fn kinds() -> Arc<[CellKind]> {
    [CellKind::Int, CellKind::Text, CellKind::DateTime, CellKind::Time, CellKind::Double].into()
}

fn assert_same(a: &RowBatch, b: &RowBatch) {
    assert_eq!(a.len(), b.len());
    assert!(a.rows().zip(b.rows()).all(|(a, b)| a.same(&b)));
}

/// Reads all cells, and writes the batch in form 1 and reads it again.
fn check(batch: &RowBatch) {
    for row in batch.rows() {
        for column in 0..row.len() {
            let _ = row.get(column);
        }
    }
    let mut again = Vec::new();
    batch.encode(&mut again);
    assert!(again.len() as u64 <= batch.encoded_limit());
    let copy = RowBatch::decode(kinds(), &again).expect("what was written can be read");
    assert_same(batch, &copy);
}

fn changes(bytes: &[u8]) -> Option<()> {
    let [rows, tags_len, bytes @ ..] = bytes else { return None };
    let pattern = [RowOp::Insert, RowOp::UpdateBefore, RowOp::UpdateAfter];
    let ops: Vec<_> = pattern.into_iter().cycle().take(usize::from(*rows)).collect();
    let (tags, values) = bytes.split_at_checked(usize::from(*tags_len))?;
    let batch = RowBatch::decode_changes(kinds(), &ops, tags, values).ok()?;
    check(&batch);
    let (mut tags, mut values) = (Vec::new(), Vec::new());
    batch.encode_changes(&ops, &mut tags, &mut values);
    let copy = RowBatch::decode_changes(kinds(), &ops, &tags, &values).expect("what was written can be read");
    assert_same(&batch, &copy);
    Some(())
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(batch) = RowBatch::decode(kinds(), bytes) {
        check(&batch);
    }
    changes(bytes);
});
