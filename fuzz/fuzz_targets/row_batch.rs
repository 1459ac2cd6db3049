//! A serialised batch of any content: rows whose every cell can be read, or an error.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use whimbrel_model::{CellKind, RowBatch};

fuzz_target!(|bytes: &[u8]| {
    let kinds: Arc<[CellKind]> =
        [CellKind::Int, CellKind::Text, CellKind::DateTime, CellKind::Time, CellKind::Double].into();
    if let Ok(batch) = RowBatch::decode(kinds, bytes) {
        for row in batch.rows() {
            for column in 0..row.len() {
                let _ = row.get(column);
            }
        }
        let mut again = Vec::new();
        batch.encode(&mut again);
        let copy = RowBatch::decode(batch.kinds().clone(), &again).expect("what was written can be read");
        assert_eq!(copy.len(), batch.len());
    }
});
