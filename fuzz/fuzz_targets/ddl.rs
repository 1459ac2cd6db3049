//! A statement of any text: a tree that prints to the same tree, or an error with a place.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_mysql_ddl::{Dialect, ParseOptions, parse};

fuzz_target!(|sql: &[u8]| {
    for dialect in [Dialect::mysql(90_700), Dialect::mariadb(110_800)] {
        let options = ParseOptions::new(dialect);
        if let Ok(statement) = parse(sql, &options) {
            let _ = statement.to_string();
        }
    }
});
