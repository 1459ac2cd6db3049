//! Patterns and rules of any text, as `--include`, `--exclude` and `--map` take them: rules that give an answer for every
//! table, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_model::TableName;

#[path = "../../crates/whimbrel/src/rules.rs"]
#[allow(dead_code, reason = "only what a flag's text goes through is called here")]
mod rules;

use rules::{ColumnPattern, Rules};

fuzz_target!(|text: &str| {
    let table = TableName::new("shop", "orders_01");
    if let Ok(pattern) = ColumnPattern::parse(text) {
        assert_eq!(pattern.text(), text);
        let _ = pattern.matches(&table, "total");
    }
    let flag = [text.to_owned()];
    if let Ok(rules) = Rules::parse(&flag, &[], &[]) {
        let selected = rules.selects(&table);
        let without = Rules::parse(&flag, &flag, &[]).expect("as before");
        assert!(!(selected && without.selects(&table)), "what is excluded isn't selected");
    }
    if let Ok(rules) = Rules::parse(&[], &[], &flag) {
        let _ = rules.target_name(&table);
    }
});
