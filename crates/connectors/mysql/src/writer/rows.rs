//! Rows of a plan as text of statements.

use whimbrel_connector::{ConnectorError, ErrorKind, Result, TablePlan};
use whimbrel_model::RowRef;

use crate::sql::keys::{KeyError, ListForm, push_key_list, push_name_list, push_table};
use crate::sql::literal::{Literal, LiteralError};
use crate::wire::push_identifier;

/// How the columns of a plan are written, worked out once per call.
pub(crate) struct RowFormat<'p> {
    pub(super) plan: &'p TablePlan,
    /// Position in the source's rows, name at the target, literal; of all columns written.
    columns: Vec<(usize, &'p str, Literal<'p>)>,
    /// The same for the row key.
    key: Vec<(usize, &'p str, Literal<'p>)>,
    list_form: ListForm,
}

impl<'p> RowFormat<'p> {
    pub(crate) fn new(plan: &'p TablePlan, list_form: ListForm) -> Self {
        let source = &plan.source.schema.columns;
        let target = &plan.target.columns;
        let columns = plan
            .columns
            .iter()
            .map(|map| {
                let (from, to) = (&source[map.source], &target[map.target]);
                (map.source, to.name.as_str(), Literal::new(&from.data_type, &to.data_type))
            })
            .collect();
        let key = plan.key.iter().filter_map(|index| compared(plan, *index)).collect();
        let key_maps = plan.columns.iter().filter(|map| plan.key.contains(&map.source));
        let list_form = list_form.for_types(key_maps.map(|map| &target[map.target].data_type));
        Self { plan, columns, key, list_form }
    }

    /// The table's name without schema.
    pub(super) fn table(&self) -> &'p str {
        &self.plan.target.name.table
    }

    /// ``INSERT INTO `d`.`t` (`a`,`b`) VALUES ``
    pub(crate) fn push_insert(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"INSERT INTO ");
        push_table(out, &self.plan.target.name);
        out.push(b' ');
        push_name_list(out, self.columns.iter().map(|column| column.1), true);
        out.extend_from_slice(b" VALUES ");
    }

    /// `(1,'x')`
    pub(crate) fn push_values(&self, out: &mut Vec<u8>, row: RowRef<'_>) -> Result<()> {
        out.push(b'(');
        for (index, (source, name, literal)) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            if let Err(error) = literal.push(out, row.get(*source)) {
                return Err(self.refused(name, error));
            }
        }
        out.push(b')');
        Ok(())
    }

    /// `` ON DUPLICATE KEY UPDATE `a`=VALUES(`a`),...`` for all columns, the key's too: its text may differ in what
    /// the target's collation takes for the same.
    pub(super) fn push_on_duplicate(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b" ON DUPLICATE KEY UPDATE ");
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            push_identifier(out, column.1);
            out.extend_from_slice(b"=VALUES(");
            push_identifier(out, column.1);
            out.push(b')');
        }
    }

    /// ``DELETE FROM `d`.`t` WHERE key IN (...)``
    pub(super) fn push_delete(&self, out: &mut Vec<u8>, rows: &[RowRef<'_>]) -> Result<()> {
        out.extend_from_slice(b"DELETE FROM ");
        push_table(out, &self.plan.target.name);
        out.extend_from_slice(b" WHERE ");
        self.push_keys(out, rows)
    }

    /// A condition for the row keys of `rows`.
    pub(super) fn push_keys(&self, out: &mut Vec<u8>, rows: &[RowRef<'_>]) -> Result<()> {
        push_key_list(out, &self.key, rows.iter().copied(), self.list_form)
            .map_err(|KeyError { column, source }| self.refused(&column, source))
    }

    /// `` `a`=1 AND `b`=2`` for the row key of one row.
    pub(super) fn push_key(&self, out: &mut Vec<u8>, row: RowRef<'_>) -> Result<()> {
        for (index, (source, name, literal)) in self.key.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(b" AND ");
            }
            literal.push_column(out, name);
            out.push(b'=');
            literal.push(out, row.get(*source)).map_err(|error| self.refused(name, error))?;
        }
        Ok(())
    }

    /// The assignments that make `before` into `after`. Columns that the server would set by itself (ON UPDATE) are
    /// always assigned. Without `before` all known columns are.
    pub(super) fn push_assignments(
        &self,
        out: &mut Vec<u8>,
        before: Option<RowRef<'_>>,
        after: RowRef<'_>,
    ) -> Result<()> {
        let mut first = true;
        let mut separate = |out: &mut Vec<u8>| {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
        };
        for (map, (source, name, literal)) in self.plan.columns.iter().zip(&self.columns) {
            let value = after.get(*source);
            let unknown = matches!(value, whimbrel_model::ValueRef::Unknown);
            let changed = before.is_none_or(|before| before.raw(*source) != after.raw(*source));
            let automatic = self.plan.target.columns[map.target].on_update.is_some();
            if !automatic && (unknown || !changed) {
                continue;
            }
            separate(out);
            push_identifier(out, name);
            out.push(b'=');
            if unknown {
                push_identifier(out, name);
            } else {
                literal.push(out, value).map_err(|error| self.refused(name, error))?;
            }
        }
        if first && let Some((_, name, _)) = self.columns.first() {
            push_identifier(out, name);
            out.push(b'=');
            push_identifier(out, name);
        }
        Ok(())
    }

    /// A cell that can't be written, as an error.
    pub(super) fn refused(&self, column: &str, error: LiteralError) -> ConnectorError {
        let kind = match error {
            LiteralError::Unknown | LiteralError::NoSuchMember(_) | LiteralError::WrongWidth => {
                ErrorKind::SchemaMismatch
            }
            LiteralError::InvalidText(_) | LiteralError::NotFinite => ErrorKind::RowRefused,
        };
        ConnectorError::new(kind, self.plan.target.name.to_string(), format!("writing column {column}"))
            .with_source(error)
    }
}

/// A source column as it is compared with the target's; `None` where it isn't written.
pub(super) fn compared(plan: &TablePlan, source: usize) -> Option<(usize, &str, Literal<'_>)> {
    let map = plan.columns.iter().find(|map| map.source == source)?;
    let (from, to) = (&plan.source.schema.columns[map.source], &plan.target.columns[map.target]);
    Some((source, to.name.as_str(), Literal::compared(&from.data_type, &to.data_type)))
}
