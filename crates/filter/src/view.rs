//! A table of the source as the migration sees it: without the columns that are left out, under the target's names.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use whimbrel_model::schema::{Key, KeyPart, KeyPartOn};
use whimbrel_model::{ColumnDefault, TableName, TableSchema};

use crate::condition::{Condition, ConditionError};
use crate::names::{folded, mentions, renamed};

/// Which columns of a table take part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ColumnChoice {
    #[default]
    All,
    Without(Vec<String>),
    Only(Vec<String>),
}

/// What the task's settings say of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableRules {
    /// Rows have to fulfil all of them.
    pub conditions: Vec<String>,
    pub columns: ColumnChoice,
    /// Columns that are called otherwise at the target: old and new name.
    pub renames: Vec<(String, String)>,
}

impl TableRules {
    /// Nothing is said: the table is taken as it is.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// True where a column of this name takes part.
    pub fn keeps(&self, column: &str) -> bool {
        let is = |name: &String| folded(name) == folded(column);
        match &self.columns {
            ColumnChoice::All => true,
            ColumnChoice::Without(names) => !names.iter().any(is),
            ColumnChoice::Only(names) => names.iter().any(is),
        }
    }

    /// What a column is called at the target.
    pub fn target_name<'a>(&'a self, column: &'a str) -> &'a str {
        let rename = self.renames.iter().find(|(old, _)| folded(old) == folded(column));
        rename.map_or(column, |(_, new)| new.as_str())
    }

    /// What a column of the view is called at the source.
    pub fn source_name<'a>(&'a self, column: &'a str) -> &'a str {
        let rename = self.renames.iter().find(|(_, new)| folded(new) == folded(column));
        rename.map_or(column, |(old, _)| old.as_str())
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        let listed: &[String] = match &self.columns {
            ColumnChoice::All => &[],
            ColumnChoice::Without(names) | ColumnChoice::Only(names) => names,
        };
        listed.iter().chain(self.renames.iter().map(|(old, _)| old))
    }
}

/// Something that the target's table won't have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewNote {
    pub object: String,
    pub text: String,
}

/// Why a table can't be seen as the settings want it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    #[error("table {table}: the condition of --where can't be used")]
    Condition {
        table: TableName,
        #[source]
        cause: ConditionError,
    },
    #[error("table {table} has no column {column}, which --columns or --rename-column names")]
    UnknownColumn { table: TableName, column: String },
    #[error(
        "table {table}: without column {column}, key {key} and with it the identity of rows would be lost"
    )]
    KeyLost { table: TableName, column: String, key: String },
    #[error("table {table}: column {from} can't become {to}, which another column is called")]
    NameTaken { table: TableName, from: String, to: String },
    #[error("table {table}: no column is left")]
    NothingLeft { table: TableName },
}

/// A table seen through its rules.
#[derive(Clone, Debug)]
pub struct View {
    /// The columns that take part, under the target's names; the table's own name is the source's.
    pub schema: TableSchema,
    /// Positions of these columns in the source's rows.
    pub columns: Vec<usize>,
    pub condition: Option<Arc<Condition>>,
    pub notes: Vec<ViewNote>,
    /// The schema is the source's own and every row takes part.
    pub plain: bool,
}

impl View {
    /// `rules_of` gives the rules of any table, parents of foreign keys included. `strict`: names that the table
    /// doesn't have are errors; otherwise (a statement may have dropped the column) they say nothing.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn new(
        source: &TableSchema,
        rules_of: &dyn Fn(&TableName) -> TableRules,
        strict: bool,
    ) -> Result<Self, ViewError> {
        let rules = rules_of(&source.name);
        let condition = condition(source, &rules)?;
        let mut building =
            Building { source, rules: &rules, rules_of, left_out: HashSet::new(), notes: Vec::new() };
        if strict && let Some(name) = rules.names().find(|name| source.column_index(name).is_none()) {
            return Err(ViewError::UnknownColumn { table: source.name.clone(), column: name.clone() });
        }
        building.leave_out();
        let schema = building.schema()?;
        let columns =
            (0..source.columns.len()).filter(|at| building.keeps(&source.columns[*at].name)).collect();
        let plain = condition.is_none() && schema == *source;
        Ok(Self { schema, columns, condition, notes: building.notes, plain })
    }
}

/// The conditions as one.
fn condition(source: &TableSchema, rules: &TableRules) -> Result<Option<Arc<Condition>>, ViewError> {
    let error = |cause| ViewError::Condition { table: source.name.clone(), cause };
    match rules.conditions.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(Arc::new(Condition::new(one, source).map_err(error)?))),
        several => {
            // Each for itself, so that a mistake is named where the user wrote it.
            for one in several {
                Condition::new(one, source).map_err(error)?;
            }
            let all = several.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(" AND ");
            Ok(Some(Arc::new(Condition::new(&all, source).map_err(error)?)))
        }
    }
}

struct Building<'a> {
    source: &'a TableSchema,
    rules: &'a TableRules,
    rules_of: &'a dyn Fn(&TableName) -> TableRules,
    left_out: HashSet<String>,
    notes: Vec<ViewNote>,
}

impl Building<'_> {
    fn note(&mut self, object: String, text: impl Into<String>) {
        self.notes.push(ViewNote { object, text: text.into() });
    }

    fn keeps(&self, column: &str) -> bool {
        !self.left_out.contains(&folded(column))
    }

    /// Columns that aren't wanted, and generated ones that are computed from them.
    fn leave_out(&mut self) {
        for column in &self.source.columns {
            if !self.rules.keeps(&column.name) {
                self.left_out.insert(folded(&column.name));
            }
        }
        loop {
            let lost = self.source.columns.iter().find(|column| {
                let generated = column.generated.as_ref();
                self.keeps(&column.name)
                    && generated.is_some_and(|generated| mentions(&generated.expression, &self.left_out))
            });
            let Some(column) = lost else { return };
            self.left_out.insert(folded(&column.name));
            self.note(
                format!("{}.{}", self.source.name, column.name),
                "the generated column is left out, because it is computed from a column that is",
            );
        }
    }

    fn schema(&mut self) -> Result<TableSchema, ViewError> {
        let mut schema = self.source.clone();
        self.keys(&mut schema)?;
        let renames: HashMap<String, String> =
            self.rules.renames.iter().map(|(old, new)| (folded(old), new.clone())).collect();
        schema.columns.retain(|column| self.keeps(&column.name));
        for column in &mut schema.columns {
            if let Some(generated) = &mut column.generated {
                generated.expression = renamed(&generated.expression, &renames);
            }
            if let Some(ColumnDefault::Expression(expression)) = &mut column.default {
                if mentions(expression, &self.left_out) {
                    let text = "its default is left out, because it uses a column that is";
                    self.note(format!("{}.{}", self.source.name, column.name), text);
                    column.default = None;
                } else {
                    *expression = renamed(expression, &renames);
                }
            }
            column.name = self.rules.target_name(&column.name).to_owned();
        }
        self.check_names(&schema)?;
        self.checks(&mut schema, &renames);
        self.foreign_keys(&mut schema);
        if let Some(partitioning) = &mut schema.partitioning {
            if mentions(partitioning, &self.left_out) {
                self.note(self.source.name.to_string(), "no partitions: they use a column that is left out");
                schema.partitioning = None;
            } else {
                *partitioning = renamed(partitioning, &renames);
            }
        }
        Ok(schema)
    }

    fn check_names(&self, schema: &TableSchema) -> Result<(), ViewError> {
        let table = self.source.name.clone();
        if schema.columns.is_empty() {
            return Err(ViewError::NothingLeft { table });
        }
        let mut seen = HashSet::new();
        match schema.columns.iter().find(|column| !seen.insert(folded(&column.name))) {
            None => Ok(()),
            Some(column) => Err(ViewError::NameTaken {
                table,
                from: self.rules.source_name(&column.name).to_owned(),
                to: column.name.clone(),
            }),
        }
    }

    /// The first column of a key that is left out.
    fn lost_part(&self, key: &Key) -> Option<String> {
        key.parts.iter().find_map(|part| match &part.on {
            KeyPartOn::Column(name) => (!self.keeps(name)).then(|| name.clone()),
            KeyPartOn::Expression(text) => mentions(text, &self.left_out).then(|| text.clone()),
        })
    }

    fn keys(&mut self, schema: &mut TableSchema) -> Result<(), ViewError> {
        let identity = self.source.row_key().or(self.source.primary_key.as_ref());
        for key in identity.into_iter().chain(&self.source.primary_key) {
            if let Some(column) = self.lost_part(key) {
                let table = self.source.name.clone();
                return Err(ViewError::KeyLost { table, column, key: key.name.clone() });
            }
        }
        let renames: HashMap<String, String> =
            self.rules.renames.iter().map(|(old, new)| (folded(old), new.clone())).collect();
        for keys in [&mut schema.unique_keys, &mut schema.indexes] {
            let mut kept = Vec::new();
            for key in std::mem::take(keys) {
                match self.lost_part(&key) {
                    None => kept.push(key),
                    Some(column) => {
                        let object = format!("{}, key {}", self.source.name, key.name);
                        self.note(object, format!("left out, because it is over {column}, which is"));
                    }
                }
            }
            *keys = kept;
        }
        let all = schema.primary_key.iter_mut().chain(&mut schema.unique_keys).chain(&mut schema.indexes);
        for part in all.flat_map(|key| &mut key.parts) {
            rename_part(part, &renames);
        }
        Ok(())
    }

    fn checks(&mut self, schema: &mut TableSchema, renames: &HashMap<String, String>) {
        let mut kept = Vec::new();
        for mut check in std::mem::take(&mut schema.checks) {
            if mentions(&check.expression, &self.left_out) {
                let object = format!("{}, check {}", self.source.name, check.name);
                self.note(object, "left out, because it uses a column that is");
            } else {
                check.expression = renamed(&check.expression, renames);
                kept.push(check);
            }
        }
        schema.checks = kept;
    }

    fn foreign_keys(&mut self, schema: &mut TableSchema) {
        let mut kept = Vec::new();
        for mut key in std::mem::take(&mut schema.foreign_keys) {
            let parent = (self.rules_of)(&key.parent);
            let object = format!("{}, foreign key {}", self.source.name, key.name);
            let lost = key.columns.iter().any(|column| !self.keeps(column))
                || key.parent_columns.iter().any(|column| !parent.keeps(column));
            if lost {
                self.note(object, "left out, because it uses a column that is");
            } else if !parent.conditions.is_empty() {
                // A parent that leaves the condition is deleted, and would take its children along.
                self.note(object, "left out, because its parent's rows are filtered");
            } else {
                for column in &mut key.columns {
                    *column = self.rules.target_name(column).to_owned();
                }
                for column in &mut key.parent_columns {
                    *column = parent.target_name(column).to_owned();
                }
                kept.push(key);
            }
        }
        schema.foreign_keys = kept;
    }
}

fn rename_part(part: &mut KeyPart, renames: &HashMap<String, String>) {
    match &mut part.on {
        KeyPartOn::Column(name) => {
            if let Some(new) = renames.get(&folded(name)) {
                *name = new.clone();
            }
        }
        KeyPartOn::Expression(text) => *text = renamed(text, renames),
    }
}

/// The schema of a view, or of a part of its columns, in the source's names: what can be selected there.
pub(crate) fn at_source(view: &TableSchema, rules: &TableRules) -> TableSchema {
    let mut schema = view.clone();
    if rules.renames.is_empty() {
        return schema;
    }
    for column in &mut schema.columns {
        column.name = rules.source_name(&column.name).to_owned();
    }
    let keys = schema.primary_key.iter_mut().chain(&mut schema.unique_keys);
    for part in keys.flat_map(|key| &mut key.parts) {
        if let KeyPartOn::Column(name) = &mut part.on {
            *name = rules.source_name(name).to_owned();
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use whimbrel_model::schema::{Check, ForeignKey, Generated};
    use whimbrel_model::{Column, DataType};

    use super::*;

    fn table() -> TableSchema {
        let int = || DataType::Int { bytes: 4, unsigned: false, zerofill: None };
        let column = |name: &str| Column::new(name, int(), true);
        let mut doubled = column("doubled");
        doubled.generated = Some(Generated { expression: "`secret` * 2".into(), stored: true });
        let mut sum = column("sum");
        sum.generated = Some(Generated { expression: "`a` + `b`".into(), stored: false });
        let check = |name: &str, expression: &str| Check {
            name: name.into(),
            expression: expression.into(),
            enforced: true,
        };
        TableSchema {
            primary_key: Some(Key::on_columns("PRIMARY", ["id"])),
            unique_keys: vec![Key::on_columns("us", ["secret"]), Key::on_columns("ua", ["a"])],
            indexes: vec![Key::on_columns("id2", ["doubled", "a"])],
            foreign_keys: vec![ForeignKey {
                name: "fk".into(),
                columns: vec!["a".into()],
                parent: TableName::new("d", "p"),
                parent_columns: vec!["pa".into()],
                on_update: String::new(),
                on_delete: String::new(),
            }],
            checks: vec![check("c1", "`a` > 0"), check("c2", "`secret` > `a`")],
            ..TableSchema::new(
                TableName::new("d", "t"),
                vec![
                    Column::new("id", int(), false),
                    column("a"),
                    column("b"),
                    column("secret"),
                    doubled,
                    sum,
                ],
            )
        }
    }

    fn view(rules: TableRules, parent: TableRules) -> Result<View, ViewError> {
        let of = move |name: &TableName| if name.table == "t" { rules.clone() } else { parent.clone() };
        View::new(&table(), &of, true)
    }

    #[test]
    fn what_depends_on_a_column_goes_with_it_and_is_noted() {
        let rules =
            TableRules { columns: ColumnChoice::Without(vec!["Secret".into()]), ..TableRules::default() };
        let view = view(rules, TableRules::default()).unwrap();
        let names: Vec<&str> = view.schema.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["id", "a", "b", "sum"]);
        assert_eq!(view.columns, [0, 1, 2, 5]);
        assert_eq!(view.schema.unique_keys.len(), 1);
        assert!(view.schema.indexes.is_empty() && view.schema.checks.len() == 1);
        assert_eq!(view.notes.len(), 4, "{:?}", view.notes);
        assert!(!view.plain);
    }

    #[test]
    fn a_new_name_goes_everywhere() {
        let rename = |old: &str, new: &str| (old.to_owned(), new.to_owned());
        let rules =
            TableRules { renames: vec![rename("a", "alpha"), rename("id", "nr")], ..TableRules::default() };
        let parent = TableRules { renames: vec![rename("pa", "beta")], ..TableRules::default() };
        let view = view(rules.clone(), parent).unwrap();
        assert_eq!(view.schema.row_key().unwrap().parts[0].column(), Some("nr"));
        assert_eq!(view.schema.columns[5].generated.as_ref().unwrap().expression, "`alpha` + `b`");
        assert_eq!(view.schema.checks[0].expression, "`alpha` > 0");
        let key = &view.schema.foreign_keys[0];
        assert_eq!((key.columns[0].as_str(), key.parent_columns[0].as_str()), ("alpha", "beta"));
        let back = at_source(&view.schema, &rules);
        assert_eq!(back.columns[1].name, "a");
        assert_eq!(back.row_key().unwrap().parts[0].column(), Some("id"));
    }

    #[test]
    fn what_cant_be_is_said() {
        let without = |name: &str| TableRules {
            columns: ColumnChoice::Without(vec![name.into()]),
            ..TableRules::default()
        };
        let plain = TableRules::default;
        assert!(matches!(view(without("id"), plain()), Err(ViewError::KeyLost { .. })));
        assert!(matches!(view(without("nope"), plain()), Err(ViewError::UnknownColumn { .. })));
        let taken = TableRules { renames: vec![("a".into(), "B".into())], ..plain() };
        assert!(matches!(view(taken, plain()), Err(ViewError::NameTaken { .. })));
        let wrong = TableRules { conditions: vec!["id > 1".into(), "nope = 2".into()], ..plain() };
        let Err(ViewError::Condition { cause, .. }) = view(wrong, plain()) else { panic!("no column nope") };
        assert_eq!(cause.column, 1);
        let filtered = TableRules { conditions: vec!["pa > 1".into()], ..plain() };
        assert!(view(plain(), filtered).unwrap().schema.foreign_keys.is_empty());
    }
}
