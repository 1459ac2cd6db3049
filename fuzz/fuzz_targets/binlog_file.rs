//! A binary log file of any content: every event is decoded or refused, rows of known tables included.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use whimbrel_connector_mysql::log::read_file;
use whimbrel_connector_mysql::log::schema_history::{SchemaHistory, ServerDefaults};
use whimbrel_model::{LogRecord, TableName};

fuzz_target!(|bytes: &[u8]| {
    let wanted = |_: &TableName| true;
    let defaults = ServerDefaults::of_version(false, (9, 7, 0));
    let history = SchemaHistory::new(Vec::new(), Arc::new(wanted), 1, defaults);
    let _ = read_file(bytes, "binlog.000001", history, &mut |record| {
        if let LogRecord::Rows(batch) = record {
            assert!(batch.is_well_formed());
            for row in batch.rows.rows() {
                for column in 0..row.len() {
                    let _ = row.get(column);
                }
            }
        }
    });
});
