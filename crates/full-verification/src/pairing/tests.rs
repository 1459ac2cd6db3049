//! Pairs across types, charsets, orders and directions.

use std::sync::Arc;

use whimbrel_connector::TablePlan;
use whimbrel_model::{Charset, Column, DateTime, TableName, TableVersion, Value};

use super::*;

fn int(unsigned: bool) -> DataType {
    DataType::Int { bytes: 8, unsigned, zerofill: None }
}

fn varchar(charset: Charset, collation: &str) -> DataType {
    DataType::VarChar { chars: 20, charset, collation: collation.to_owned() }
}

fn names(members: &[&str]) -> Vec<String> {
    members.iter().map(|name| (*name).to_owned()).collect()
}

fn enumeration(members: &[&str]) -> DataType {
    DataType::Enum { members: names(members), charset: Charset::Utf8mb4, collation: String::new() }
}

fn schema(schema: &str, types: &[DataType], descending: bool) -> TableSchema {
    let columns: Vec<Column> = types
        .iter()
        .enumerate()
        .map(|(at, data_type)| Column::new(format!("c{at}"), data_type.clone(), false))
        .collect();
    let mut key = Key::on_columns("PRIMARY", columns.iter().map(|column| column.name.clone()));
    key.parts[0].descending = descending;
    TableSchema { primary_key: Some(key), ..TableSchema::new(TableName::new(schema, "t"), columns) }
}

fn table(source: &[DataType], target: &[DataType]) -> VerifyTable {
    let source = Arc::new(TableVersion::new(1, schema("s", source, false)));
    let target = schema("t", target, false);
    let plan = TablePlan::new(source, Arc::new(target.clone())).unwrap();
    VerifyTable { plan: Arc::new(plan), target: Arc::new(TableVersion::new(0, target)) }
}

fn row(types: &[DataType], values: &[Value]) -> RowBatch {
    let mut batch = RowBatch::new(types.iter().map(DataType::cell_kind).collect());
    values.iter().for_each(|value| batch.push_value(value.as_ref()));
    batch.end_row();
    batch
}

/// The key of a source row as the target wants it; `None` where it can't have it.
fn converted(from: &DataType, value: &Value, to: &DataType) -> Option<Value> {
    let table = table(std::slice::from_ref(from), std::slice::from_ref(to));
    let pairing = Pairing::new(&table).unwrap();
    let row = row(std::slice::from_ref(from), std::slice::from_ref(value));
    let mut keys = pairing.key_batch(Side::Target);
    let held = pairing.push_key(Side::Source, row.row(0), Side::Target, &mut keys);
    assert_eq!(keys.len(), usize::from(held));
    held.then(|| keys.row(0).get(0).to_owned())
}

#[test]
fn keys_find_their_partner_under_another_type() {
    let decimal = DataType::Decimal { precision: 20, scale: 2, unsigned: false };
    let moment = DateTime::parse(b"2024-02-29 01:02:03.000004").unwrap();
    let bin = |charset| varchar(charset, "x_bin");
    for (from, value, to, expected) in [
        (int(false), Value::Int(7), int(true), Some(Value::UInt(7))),
        (int(false), Value::Int(-7), int(true), None),
        (int(true), Value::UInt(u64::MAX), int(false), None),
        (DataType::Year, Value::Year(2020), int(false), Some(Value::Int(2020))),
        (int(true), Value::UInt(9), decimal.clone(), Some(Value::Decimal(b"9".to_vec()))),
        (decimal.clone(), Value::Decimal(b"-9.00".to_vec()), int(false), Some(Value::Int(-9))),
        (decimal, Value::Decimal(b"9.50".to_vec()), int(false), None),
        (
            DataType::Timestamp { fsp: 6 },
            Value::Timestamp(moment),
            DataType::DateTime { fsp: 6 },
            Some(Value::DateTime(moment)),
        ),
        (
            bin(Charset::Latin1),
            Value::Text(b"\xe9".to_vec()),
            bin(Charset::Utf8mb4),
            Some(Value::Text("é".into())),
        ),
        (bin(Charset::Utf8mb4), Value::Text("€ж".into()), bin(Charset::Latin1), None),
        (enumeration(&["a", "b"]), Value::Enum(1), enumeration(&["b", "a"]), Some(Value::Enum(2))),
        (enumeration(&["a", "b"]), Value::Enum(1), enumeration(&["b"]), None),
        (enumeration(&["a", "b"]), Value::Enum(2), bin(Charset::Utf8mb4), Some(Value::Text(b"b".to_vec()))),
        (bin(Charset::Utf8mb4), Value::Text(b"a".to_vec()), enumeration(&["b", "a"]), Some(Value::Enum(2))),
        (
            DataType::Uuid,
            Value::Bytes(vec![0; 16]),
            bin(Charset::Utf8mb4),
            Some(Value::Text(b"00000000-0000-0000-0000-000000000000".to_vec())),
        ),
    ] {
        assert_eq!(converted(&from, &value, &to), expected, "{from:?} {value:?} {to:?}");
    }
}

#[test]
fn sets_are_converted_by_name() {
    let set = |members: &[&str]| DataType::Set {
        members: names(members),
        charset: Charset::Utf8mb4,
        collation: String::new(),
    };
    let (from, to) = (set(&["a", "b", "c"]), set(&["c", "b", "a"]));
    assert_eq!(converted(&from, &Value::Set(0b011), &to), Some(Value::Set(0b110)));
    assert_eq!(converted(&from, &Value::Set(0), &to), Some(Value::Set(0)));
}

#[test]
fn the_form_of_a_key_is_the_same_on_both_sides() {
    let source = [varchar(Charset::Latin1, "latin1_swedish_ci"), DataType::Year];
    let target = [varchar(Charset::Utf8mb4, "utf8mb4_general_ci"), int(false)];
    let table = table(&source, &target);
    let pairing = Pairing::new(&table).unwrap();
    let ours = row(&source, &[Value::Text(b"\xe9".to_vec()), Value::Year(2024)]);
    let theirs = row(&target, &[Value::Text("é".into()), Value::Int(2024)]);
    assert_eq!(pairing.key_form(Side::Source, ours.row(0)), pairing.key_form(Side::Target, theirs.row(0)));
    // The collation takes these for one key; they are two.
    let other = row(&target, &[Value::Text("É".into()), Value::Int(2024)]);
    assert_ne!(pairing.key_form(Side::Source, ours.row(0)), pairing.key_form(Side::Target, other.row(0)));
    assert!(!pairing.ranges_meet());
}

#[test]
fn ranges_meet_only_where_both_servers_order_alike() {
    let meet = |source: &[DataType], target: &[DataType]| {
        let table = table(source, target);
        Pairing::new(&table).unwrap().ranges_meet()
    };
    let bin = varchar(Charset::Utf8mb4, "utf8mb4_bin");
    let folded = varchar(Charset::Utf8mb4, "utf8mb4_general_ci");
    assert!(meet(&[int(false), bin.clone()], &[int(true), bin.clone()]));
    assert!(meet(&[DataType::Timestamp { fsp: 0 }], &[DataType::DateTime { fsp: 0 }]));
    assert!(meet(&[DataType::Binary { bytes: 4 }], &[DataType::VarBinary { bytes: 4 }]));
    assert!(!meet(std::slice::from_ref(&folded), std::slice::from_ref(&folded)));
    assert!(!meet(std::slice::from_ref(&bin), &[varchar(Charset::Utf8mb4, "utf8mb4_0900_bin")]));
    assert!(!meet(&[varchar(Charset::Latin1, "latin1_bin")], &[bin]));
    assert!(!meet(&[DataType::Uuid], &[DataType::Uuid]));
    assert!(!meet(&[enumeration(&["a"])], &[enumeration(&["a"])]));
}

#[test]
fn a_descending_key_meets_only_its_like() {
    let source = Arc::new(TableVersion::new(1, schema("s", &[int(false)], true)));
    let of = |descending| {
        let target = schema("t", &[int(false)], descending);
        let plan = TablePlan::new(source.clone(), Arc::new(target.clone())).unwrap();
        let table = VerifyTable { plan: Arc::new(plan), target: Arc::new(TableVersion::new(0, target)) };
        Pairing::new(&table).unwrap().ranges_meet()
    };
    assert!(of(true));
    assert!(!of(false));
}

#[test]
fn bounds_are_given_in_the_targets_terms() {
    let table = table(&[int(false)], &[int(true)]);
    let pairing = Pairing::new(&table).unwrap();
    let bound = |kind, push: fn(&mut RowBatch)| {
        let mut batch = RowBatch::new([kind].into());
        push(&mut batch);
        batch.end_row();
        let mut row = Vec::new();
        batch.encode(&mut row);
        KeyBound { row }
    };
    let ours = bound(CellKind::Int, |batch| batch.push_int(300));
    assert_eq!(pairing.target_bound(&ours).unwrap(), bound(CellKind::UInt, |batch| batch.push_uint(300)));
    assert!(pairing.target_bound(&KeyBound { row: vec![9] }).is_err());
}
