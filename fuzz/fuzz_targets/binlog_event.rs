//! A binlog file's events behind a fixed format description, read as the log reader reads them.
//!
//! Input: `1 version (even: MySQL 9, odd: MariaDB 10.11)`, then `1 type, 2 length, body` for each event. Headers and
//! checksums are made here, so that the fuzzer need not find them.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use whimbrel_connector_mysql::log::read_file;
use whimbrel_connector_mysql::log::schema_history::{SchemaHistory, ServerDefaults};

/// Types that the format description lists, with the lengths of their fixed parts that matter.
fn format_description(version: &str) -> Vec<u8> {
    let mut body = 4u16.to_le_bytes().to_vec();
    let mut name = version.as_bytes().to_vec();
    name.resize(50, 0);
    body.extend_from_slice(&name);
    body.extend_from_slice(&[0, 0, 0, 0, 19]);
    for event_type in 1..=171u8 {
        body.push(match event_type {
            2 | 165 => 13,
            4 | 19 | 23..=25 => 8,
            18 => 26,
            30..=32 | 39 => 10,
            _ => 0,
        });
    }
    body.push(1);
    body
}

fn push_event(file: &mut Vec<u8>, event_type: u8, body: &[u8]) {
    let length = (19 + body.len() + 4) as u32;
    let start = file.len();
    file.extend_from_slice(&1_700_000_000u32.to_le_bytes());
    file.push(event_type);
    file.extend_from_slice(&1u32.to_le_bytes());
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(&(start as u32 + length).to_le_bytes());
    file.extend_from_slice(&[0, 0]);
    file.extend_from_slice(body);
    let sum = crc32fast::hash(&file[start..]);
    file.extend_from_slice(&sum.to_le_bytes());
}

fuzz_target!(|data: &[u8]| {
    let Some((&version, mut rest)) = data.split_first() else { return };
    let mariadb = version % 2 == 1;
    let mut file = b"\xfebin".to_vec();
    push_event(&mut file, 15, &format_description(if mariadb { "10.11.19-MariaDB" } else { "9.7.4" }));
    while let [event_type, low, high, after @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (body, tail) = after.split_at(length);
        push_event(&mut file, *event_type, body);
        rest = tail;
    }
    let numbers = if mariadb { (10, 11, 19) } else { (9, 7, 4) };
    let defaults = ServerDefaults::of_version(mariadb, numbers);
    let history = SchemaHistory::new(Vec::new(), Arc::new(|_| true), 1, defaults);
    let _ = read_file(&file, "binlog.000001", history, &mut |record| {
        if let whimbrel_model::LogRecord::Rows(batch) = record {
            assert!(batch.is_well_formed());
        }
    });
});
