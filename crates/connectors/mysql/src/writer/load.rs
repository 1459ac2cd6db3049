//! Plain inserts of many rows by `LOAD DATA LOCAL`, whose text costs MySQL and MariaDB a quarter less CPU than that of
//! INSERT.
//!
//! All rows of a call are one statement, so that it is done or not. Where the server doesn't do exactly what it was
//! told to ([`super::session`]), the same rows go by INSERT, whose error, if there is one, is the caller's. What is
//! written as INSERT from the beginning: few rows, very long rows, tables of which a column has no certain form
//! ([`crate::sql::field`]), tables with columns that aren't written (these would have to get their defaults and
//! expressions by another code of the server), and everything at servers and for tables that [`super::session`]
//! excludes.

use whimbrel_connector::{Result, TablePlan};
use whimbrel_model::RowRef;

use super::MysqlWriter;
use super::rows::RowFormat;
use super::session::Loaded;
use crate::sql::field::{Field, NoField};
use crate::sql::keys::{push_name_list, push_table};

/// Rows from which on a larger statement isn't cheaper any more.
pub(super) const ROWS: usize = 5000;
/// Fewer rows are inserted: the statement has costs of its own.
const FEWEST_ROWS: usize = 50;
/// More bytes of rows are inserted, so that the file's memory is bounded.
const MOST_BYTES: usize = 8 << 20;

/// How the rows of a plan become lines of a file.
struct FileFormat<'p> {
    plan: &'p TablePlan,
    /// Position in the source's rows, name at the target, field; of all columns.
    columns: Vec<(usize, &'p str, Field<'p>)>,
}

impl<'p> FileFormat<'p> {
    fn new(plan: &'p TablePlan) -> Option<Self> {
        let (source, target) = (&plan.source.schema.columns, &plan.target.columns);
        if plan.columns.len() != target.len() {
            return None;
        }
        let columns = plan.columns.iter().map(|map| {
            let (from, to) = (&source[map.source], &target[map.target]);
            Some((map.source, to.name.as_str(), Field::new(&from.data_type, to)?))
        });
        Some(Self { plan, columns: columns.collect::<Option<_>>()? })
    }

    /// The name of the file means nothing; the server repeats it.
    fn push_statement(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"LOAD DATA LOCAL INFILE 'rows' INTO TABLE ");
        push_table(out, &self.plan.target.name);
        out.extend_from_slice(
            br" CHARACTER SET binary FIELDS TERMINATED BY '\t' ENCLOSED BY '' ESCAPED BY '\\' LINES TERMINATED BY '\n' ",
        );
        push_name_list(out, self.columns.iter().map(|column| column.1), true);
    }

    fn push_row(&self, out: &mut Vec<u8>, row: RowRef<'_>) -> std::result::Result<(), NoField> {
        for (index, (source, _, field)) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push(b'\t');
            }
            field.push(out, row.get(*source))?;
        }
        out.push(b'\n');
        Ok(())
    }
}

impl MysqlWriter {
    /// `several`: as [`MysqlWriter::insert_parts`] has it.
    pub(super) async fn insert_plain(
        &mut self,
        format: &RowFormat<'_>,
        rows: &[RowRef<'_>],
        several: bool,
    ) -> Result<u64> {
        let Some(file) = self.write_file(format.plan, rows) else {
            return self.insert_parts(format, rows, several, false).await;
        };
        self.session.start_atomic();
        file.push_statement(&mut self.session.sql);
        let loaded = self.session.load(rows.len(), format.table()).await?;
        if matches!(loaded, Loaded::Exactly) {
            return Ok(rows.len() as u64);
        }
        let inserted = self.insert_parts(format, rows, several, false).await;
        if inserted.is_ok() {
            self.session.loading.was_in_vain(&format.plan.target.name, loaded);
        }
        inserted
    }

    /// True where many rows of the plan are loaded.
    pub(super) fn loads(&self, plan: &TablePlan) -> bool {
        self.session.loading.takes(&plan.target) && FileFormat::new(plan).is_some()
    }

    /// Makes the session's file of the rows; `None` where INSERT is the way for them.
    fn write_file<'p>(&mut self, plan: &'p TablePlan, rows: &[RowRef<'_>]) -> Option<FileFormat<'p>> {
        let fits = || rows.iter().map(|row| row.byte_len()).sum::<usize>() <= MOST_BYTES;
        if rows.len() < FEWEST_ROWS || !self.session.loading.takes(&plan.target) || !fits() {
            return None;
        }
        let format = FileFormat::new(plan)?;
        let file = &mut self.session.file;
        file.clear();
        rows.iter().all(|row| format.push_row(file, *row).is_ok()).then_some(format)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use whimbrel_model::{Charset, Column, DataType, RowBatch, TableName, TableSchema, TableVersion, Value};

    use super::*;

    fn plan(own_column: bool) -> TablePlan {
        let int = DataType::Int { bytes: 4, unsigned: false, zerofill: None };
        let text = DataType::VarChar { chars: 20, charset: Charset::Utf8mb4, collation: String::new() };
        let columns = vec![Column::new("id", int.clone(), false), Column::new("v", text, true)];
        let mut table = TableSchema::new(TableName::new("d", "t`x"), columns);
        let source = Arc::new(TableVersion::new(1, table.clone()));
        if own_column {
            table.columns.push(Column::new("own", int, true));
        }
        TablePlan::new(source, Arc::new(table)).unwrap()
    }

    #[test]
    fn rows_are_lines_of_fields() {
        let plan = plan(false);
        let format = FileFormat::new(&plan).expect("every column has a field");
        let mut statement = Vec::new();
        format.push_statement(&mut statement);
        let text = String::from_utf8(statement).unwrap();
        assert!(
            text.starts_with("LOAD DATA LOCAL INFILE 'rows' INTO TABLE `d`.`t``x` CHARACTER SET binary ")
        );
        assert!(text.ends_with(r"ESCAPED BY '\\' LINES TERMINATED BY '\n' (`id`,`v`)"), "{text}");
        let mut batch = RowBatch::new(plan.source.kinds.clone());
        for value in [Value::Text(b"a\tb\n".to_vec()), Value::Text(Vec::new()), Value::Null] {
            batch.push_value(Value::Int(-7).as_ref());
            batch.push_value(value.as_ref());
            batch.end_row();
        }
        let mut file = Vec::new();
        batch.rows().for_each(|row| format.push_row(&mut file, row).unwrap());
        assert_eq!(file, b"-7\ta\\tb\\n\n-7\t\n-7\t\\N\n");
    }

    #[test]
    fn a_table_with_columns_of_its_own_is_not_loaded() {
        assert!(FileFormat::new(&plan(true)).is_none());
    }
}
