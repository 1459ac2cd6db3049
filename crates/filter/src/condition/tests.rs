use proptest::prelude::*;
use whimbrel_model::{Charset, Column, DataType, RowBatch, TableName, ValueRef};

use super::*;

fn table() -> TableSchema {
    let text = DataType::VarChar { chars: 20, charset: Charset::Utf8mb4, collation: "utf8mb4_bin".into() };
    let columns = [
        ("id", DataType::Int { bytes: 8, unsigned: false, zerofill: None }),
        ("name", text),
        ("price", DataType::Decimal { precision: 10, scale: 2, unsigned: false }),
        ("at", DataType::DateTime { fsp: 0 }),
    ];
    TableSchema {
        attributes: Default::default(),
        ..TableSchema::new(
            TableName::new("d", "t"),
            columns.map(|(name, data_type)| Column::new(name, data_type, true)).to_vec(),
        )
    }
}

fn row(id: ValueRef<'_>, name: ValueRef<'_>) -> RowBatch {
    let mut batch = RowBatch::new(table().cell_kinds());
    batch.push_value(id);
    batch.push_value(name);
    batch.push_value(ValueRef::Decimal(b"9.50"));
    batch.push_null();
    batch.end_row();
    batch
}

fn value(condition: &str, batch: &RowBatch) -> Result<Option<bool>, EvalError> {
    Condition::new(condition, &table()).unwrap().evaluate(batch.row(0), &Answers::default())
}

#[test]
fn logic_has_three_values() {
    let batch = row(ValueRef::Int(5), ValueRef::Null);
    for (condition, expected) in [
        ("name = 'a'", None),
        ("name = 'a' OR id = 5", Some(true)),
        ("name = 'a' AND id = 6", Some(false)),
        ("NOT (name = 'a')", None),
        ("name <=> NULL", Some(true)),
        ("id IN (1, NULL)", None),
        ("id NOT IN (5, NULL)", Some(false)),
        ("(name = 'a') IS UNKNOWN", Some(true)),
        ("price * 2 = 19 AND price BETWEEN 9.5 AND 9.50", Some(true)),
        ("id XOR name = 'a'", None),
    ] {
        assert_eq!(value(condition, &batch), Ok(expected), "{condition}");
    }
}

#[test]
fn a_column_that_the_log_doesnt_hold_has_no_value() {
    let batch = row(ValueRef::Unknown, ValueRef::Text(b"a"));
    assert_eq!(value("id = 1", &batch), Err(EvalError::Unknown("id".into())));
    // What decides without it is decided.
    assert_eq!(value("name = 'b' AND id = 1", &batch), Ok(Some(false)));
}

#[test]
fn the_sql_means_the_same_in_every_session() {
    let sql = |text: &str| Condition::new(text, &table()).unwrap().sql().to_owned();
    assert_eq!(sql("t.id > -1 AND \"x\" = name"), "((`id` > -1) AND (_utf8mb4'x' = `name`))");
    assert_eq!(sql("name = 'it''s'"), "(`name` = _utf8mb4 X'69742773')");
    assert_eq!(sql("at < '2024-02-29'"), "(`at` < DATE'2024-02-29')");
    assert_eq!(sql("name LIKE '50\\%|_'"), "(`name` LIKE _utf8mb4'50|%||_' ESCAPE '|')");
    assert_eq!(Condition::new("at > '2024-01-01' OR name = 'a'", &table()).unwrap().columns(), [1, 3]);
}

#[test]
fn mistakes_have_their_place() {
    for (text, column) in [
        ("id = = 1", 6),
        ("id = 1 name", 8),
        ("f(id) = 1", 1),
        ("id = 'x'", 6),
        ("at = '2023-02-29'", 6),
        ("é = 1", 1),
    ] {
        let error = Condition::new(text, &table()).unwrap_err();
        assert_eq!(error.column, column, "{error}");
    }
}

const WORDS: [&str; 40] = [
    "id",
    "name",
    "price",
    "at",
    "NULL",
    "TRUE",
    "1",
    "-1.5",
    "1e3",
    "'a'",
    "''",
    "'2024-01-01'",
    "X'ff'",
    "0x1",
    "b'1'",
    "(",
    ")",
    ",",
    "=",
    "<=>",
    "<",
    "AND",
    "OR",
    "NOT",
    "XOR",
    "IS",
    "IN",
    "BETWEEN",
    "LIKE",
    "ESCAPE",
    "+",
    "-",
    "*",
    "%",
    "&",
    "<<",
    "MOD",
    "LENGTH(",
    "COLLATE",
    "DATE",
];

proptest! {
    /// Whatever somebody types: an error or a condition, never a panic, and what is printed is read again as the same.
    #[test]
    fn any_text_is_read_or_refused(words in proptest::collection::vec(0..WORDS.len(), 1..14)) {
        let text = words.iter().map(|at| WORDS[*at]).collect::<Vec<_>>().join(" ");
        if let Ok(condition) = Condition::new(&text, &table()) {
            let batch = row(ValueRef::Int(i64::MIN), ValueRef::Text("ä%".as_bytes()));
            let _ = condition.evaluate(batch.row(0), &Answers::default());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in ".{0,60}") {
        let _ = Condition::new(&text, &table());
    }
}
