//! MySQL's binary JSON of any content: text that is UTF-8, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_connector_mysql::binlog::{changed_json_text, json_text};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = json_text(bytes) {
        assert!(std::str::from_utf8(&text).is_ok());
    }
    let (before, changes) = bytes.split_at(bytes.len() / 2);
    let _ = changed_json_text(before, changes);
});
