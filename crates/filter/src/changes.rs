//! Changes as if the source's table held only the rows and columns that take part.
//!
//! | change | before fulfils the condition | after does | becomes |
//! |---|---|---|---|
//! | insert | | yes | insert |
//! | update | yes | yes | update |
//! | update | yes | no | delete |
//! | update | no | yes | insert |
//! | delete | yes | | delete |
//! | any other | | | nothing |
//!
//! Unknown counts as not fulfilled, as in WHERE. So what follows (idempotent or strict apply, conflicts, foreign changes, rows
//! set aside) needs to know nothing of filters: the stream is the log of a source that never had the other rows.

use std::sync::Arc;

use whimbrel_model::{ChangeBatch, RawCell, RowOp, RowRef, TableVersion};

use crate::condition::EvalError;
use crate::view::View;

/// The changes of `batch` that the view lets through, in the layout of `version` (of the view's schema). `fulfilled`
/// holds for each row image of the batch whether the condition is true.
///
/// # Errors
/// [`EvalError::Unknown`]: an update becomes an insert, and the log doesn't hold all of its columns.
pub fn rewrite(
    view: &View,
    version: &Arc<TableVersion>,
    batch: &ChangeBatch,
    fulfilled: &[bool],
) -> Result<ChangeBatch, EvalError> {
    let mut out = ChangeBatch::new(version.clone(), batch.foreign_keys_off);
    let is_in = |row: usize| fulfilled.get(row).copied().unwrap_or(false);
    for (at, op) in batch.ops.iter().enumerate() {
        let row = batch.rows.row(at);
        match op {
            RowOp::Insert | RowOp::Delete if is_in(at) => push(view, &mut out, *op, row),
            RowOp::UpdateBefore => match (is_in(at), is_in(at + 1)) {
                (true, true) => {
                    push(view, &mut out, RowOp::UpdateBefore, row);
                    push(view, &mut out, RowOp::UpdateAfter, batch.rows.row(at + 1));
                }
                (true, false) => push(view, &mut out, RowOp::Delete, row),
                (false, true) => {
                    let after = batch.rows.row(at + 1);
                    refuse_unknown(view, batch, after)?;
                    push(view, &mut out, RowOp::Insert, after);
                }
                (false, false) => {}
            },
            RowOp::Insert | RowOp::Delete | RowOp::UpdateAfter => {}
        }
    }
    Ok(out)
}

fn push(view: &View, out: &mut ChangeBatch, op: RowOp, row: RowRef<'_>) {
    view.columns.iter().for_each(|at| out.rows.push_raw(row.raw(*at)));
    out.rows.end_row();
    out.ops.push(op);
}

fn refuse_unknown(view: &View, batch: &ChangeBatch, row: RowRef<'_>) -> Result<(), EvalError> {
    match view.columns.iter().find(|at| row.raw(**at) == RawCell::Unknown) {
        None => Ok(()),
        Some(at) => Err(EvalError::Unknown(batch.table.schema.columns[*at].name.clone())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use whimbrel_model::schema::Key;
    use whimbrel_model::{Change, Column, DataType, TableName, TableSchema, ValueRef};

    use super::*;
    use crate::condition::Answers;
    use crate::view::{ColumnChoice, TableRules};
    use std::collections::BTreeMap;

    fn schema() -> TableSchema {
        let int = || DataType::Int { bytes: 8, unsigned: false, zerofill: None };
        TableSchema {
            primary_key: Some(Key::on_columns("PRIMARY", ["id"])),
            ..TableSchema::new(
                TableName::new("d", "t"),
                ["id", "flag", "value"].map(|name| Column::new(name, int(), name != "id")).to_vec(),
            )
        }
    }

    type Rows = BTreeMap<i64, (Option<i64>, i64)>;

    fn push_row(batch: &mut ChangeBatch, op: RowOp, id: i64, (flag, value): (Option<i64>, i64)) {
        batch.rows.push_int(id);
        match flag {
            Some(flag) => batch.rows.push_int(flag),
            None => batch.rows.push_null(),
        }
        batch.rows.push_int(value);
        batch.rows.end_row();
        batch.ops.push(op);
    }

    fn int(value: ValueRef<'_>) -> i64 {
        match value {
            ValueRef::Int(value) => value,
            other => panic!("no integer: {other:?}"),
        }
    }

    proptest! {
        /// Whatever happens at the source, applying what is left of it leads to the rows that fulfil the condition; every
        /// update and deletion finds its row and no insertion meets one.
        #[test]
        fn the_rewritten_log_is_that_of_the_filtered_table(
            wishes in proptest::collection::vec((0..3u8, 0..5i64, 0..5i64, proptest::option::of(0..2i64), 0..9i64), 0..40)
        ) {
            let rules = TableRules {
                conditions: vec!["flag = 1".into()],
                columns: ColumnChoice::Without(vec!["flag".into()]),
                renames: vec![("value".into(), "wert".into())],
            };
            let view = View::new(&schema(), &|_| rules.clone(), true).unwrap();
            let source = Arc::new(TableVersion::new(1, schema()));
            let version = Arc::new(TableVersion::new(1, view.schema.clone()));
            let mut batch = ChangeBatch::new(source, false);
            let mut rows = Rows::new();
            for (what, id, to, flag, value) in wishes {
                match (what, rows.get(&id).copied()) {
                    (0, None) => {
                        rows.insert(id, (flag, value));
                        push_row(&mut batch, RowOp::Insert, id, (flag, value));
                    }
                    (1, Some(old)) => {
                        rows.remove(&id);
                        push_row(&mut batch, RowOp::Delete, id, old);
                    }
                    (2, Some(old)) if to == id || !rows.contains_key(&to) => {
                        rows.remove(&id);
                        rows.insert(to, (flag, value));
                        push_row(&mut batch, RowOp::UpdateBefore, id, old);
                        push_row(&mut batch, RowOp::UpdateAfter, to, (flag, value));
                    }
                    _ => {}
                }
            }
            let condition = view.condition.clone().unwrap();
            let answers = Answers::default();
            let fulfilled: Vec<bool> =
                batch.rows.rows().map(|row| condition.evaluate(row, &answers) == Ok(Some(true))).collect();
            let left = rewrite(&view, &version, &batch, &fulfilled).unwrap();
            prop_assert!(left.is_well_formed());
            let mut target = BTreeMap::new();
            for change in left.changes() {
                let row = |row: RowRef<'_>| (int(row.get(0)), int(row.get(1)));
                match change {
                    Change::Insert { after } => {
                        let (id, value) = row(after);
                        prop_assert!(target.insert(id, value).is_none());
                    }
                    Change::Delete { before } => prop_assert_eq!(target.remove(&row(before).0), Some(row(before).1)),
                    Change::Update { before, after } => {
                        prop_assert_eq!(target.remove(&row(before).0), Some(row(before).1));
                        prop_assert!(target.insert(row(after).0, row(after).1).is_none());
                    }
                }
            }
            let expected: BTreeMap<i64, i64> =
                rows.iter().filter(|(_, (flag, _))| *flag == Some(1)).map(|(id, (_, value))| (*id, *value)).collect();
            prop_assert_eq!(target, expected);
        }
    }
}
