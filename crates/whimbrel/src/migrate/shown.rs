//! What the board shows of a step that runs.

use whimbrel_full_import::{ImportProgress, TableStage};

use super::log::Log;
use crate::board::{Board, ErrorStatus};

/// Takes the counters of a running full import.
pub fn import(board: &Board, progress: &ImportProgress, log: Option<&Log>) {
    let retried = progress.retried();
    board.update(|status| {
        if let Some(error) = &retried {
            status.last_error = Some(ErrorStatus::passing(error));
        }
        for (shown, table) in status.tables.iter_mut().zip(&progress.tables) {
            shown.rows = table.rows();
            shown.bytes = table.bytes();
            shown.estimated_rows = table.estimated_rows();
            shown.stage = match table.stage() {
                TableStage::Waiting => "waiting",
                TableStage::Loading => "loading",
                TableStage::Indexing => "indexing",
                TableStage::Done => "done",
            };
        }
    });
    if let Some(log) = log {
        log.show(board);
    }
}
