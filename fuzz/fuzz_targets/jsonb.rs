//! Binary JSON to text, and changes of parts of it. Input: `2 length of the value, value, changes`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_connector_mysql::binlog::{changed_json_text, json_text};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = json_text(data) {
        assert!(std::str::from_utf8(&text).is_ok());
    }
    if let [low, high, rest @ ..] = data {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (value, changes) = rest.split_at(length);
        if let Ok(text) = changed_json_text(value, changes) {
            assert!(std::str::from_utf8(&text).is_ok());
        }
    }
});
