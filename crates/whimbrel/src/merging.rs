//! Several source tables that become one (`--map 'shop.orders_*=shop.orders'`).
//!
//! Whether a table shares its target is said by the rules and by the tables that were there when the task began, not by
//! those that are there now: its rows are loaded and applied in another way then (`docs/dev/merging.md`), which must not
//! change while the task lives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use whimbrel_connector::{ErrorKind, Finding, Severity, Source};
use whimbrel_dbcat::{ConvertedTable, TargetProfile, convert_table, difference};
use whimbrel_model::{TableName, TableSchema};

use crate::cli::Step;
use crate::collisions;
use crate::failure::Failure;
use crate::migrate::Task;
use crate::precheck::Prechecked;
use crate::rules::Rules;

impl Task {
    /// `tables`: those that were there when the task began.
    pub fn merging(&self, tables: &[TableSchema]) -> Merging {
        Merging::new(self.rules.clone(), tables.iter().map(|table| &table.name))
    }

    /// Adds what a fresh task has to know of tables that become one. Later they may differ: statements come to one after
    /// the other.
    ///
    /// # Errors
    /// A source that can't be read.
    pub async fn examine_merging(&self, checked: &mut Prechecked, fresh: bool) -> Result<(), Failure> {
        let merging = self.merging(&checked.tables);
        let refused = |findings: &[Finding]| findings.iter().any(|one| one.severity == Severity::Error);
        if !fresh || merging.groups(&checked.tables).is_empty() || refused(&checked.findings) {
            return Ok(());
        }
        let views = self.views(&checked.tables)?.0;
        let mut findings = merging.findings(&views, &self.profile(&checked.target));
        if self.has(Step::Incr) && !self.has(Step::Full) {
            findings.push(error(
                "--steps".to_owned(),
                "several tables become one, and from which moment on the changes of each are missing is only known \
                 where the task copies their rows"
                    .to_owned(),
                "add the step full",
            ));
        }
        if self.has(Step::Full) {
            findings.extend(self.missing_locks(&merging, &views).await?);
        }
        if self.has(Step::Full) && !refused(&findings) {
            findings.extend(collisions::findings(self, &merging, &views).await?);
        }
        checked.add(findings);
        Ok(())
    }

    /// Such tables are copied as those without a key are, and need the same privileges.
    async fn missing_locks(&self, merging: &Merging, views: &[TableSchema]) -> Result<Vec<Finding>, Failure> {
        let tables = merging.groups(views).into_values().flatten();
        let keyless: Vec<TableSchema> = tables
            .map(|table| TableSchema { primary_key: None, unique_keys: Vec::new(), ..table.clone() })
            .collect();
        let mut findings = Source::catalog(self.source.as_ref()).await?.check_source(&keyless, false).await?;
        findings.retain(|finding| finding.code == ErrorKind::PrivilegeMissing.code());
        Ok(findings)
    }
}

/// Which tables share a target.
#[derive(Clone, Debug)]
pub struct Merging {
    rules: Arc<Rules>,
    /// Targets of several tables that were there at the start.
    targets: BTreeSet<TableName>,
}

impl Merging {
    /// `tables`: those of the task when it began.
    pub fn new<'t>(rules: Arc<Rules>, tables: impl IntoIterator<Item = &'t TableName>) -> Self {
        let mut seen = BTreeSet::new();
        let targets = tables.into_iter().map(|table| rules.target_name(table));
        let targets = targets.filter(|target| !seen.insert(target.clone())).collect();
        Self { rules, targets }
    }

    /// True where other tables become the same table, now or later.
    pub fn merges(&self, source: &TableName) -> bool {
        self.rules.may_merge(source) || self.targets.contains(&self.rules.target_name(source))
    }

    /// Tables that share a target, by target.
    pub fn groups<'t>(&self, tables: &'t [TableSchema]) -> BTreeMap<TableName, Vec<&'t TableSchema>> {
        let mut groups: BTreeMap<TableName, Vec<&TableSchema>> = BTreeMap::new();
        for table in tables.iter().filter(|table| self.merges(&table.name)) {
            groups.entry(self.rules.target_name(&table.name)).or_default().push(table);
        }
        groups
    }

    /// The tables; those that become one number their rows on from the greatest number of all.
    pub fn with_common_numbers(&self, tables: &[TableSchema]) -> Vec<TableSchema> {
        let groups = self.groups(tables);
        let greatest: BTreeMap<&TableName, Option<u64>> = groups
            .values()
            .flat_map(|tables| {
                let next = tables.iter().filter_map(|table| table.auto_increment).max();
                tables.iter().map(move |table| (&table.name, next))
            })
            .collect();
        let numbered = tables.iter().map(|table| match greatest.get(&table.name) {
            Some(next) => TableSchema { auto_increment: *next, ..table.clone() },
            None => table.clone(),
        });
        numbered.collect()
    }

    /// What becomes one, and what keeps tables from it. `views`: the tables as the task sees them.
    pub fn findings(&self, views: &[TableSchema], profile: &TargetProfile) -> Vec<Finding> {
        let groups = self.groups(views);
        let mut findings = Vec::new();
        for (target, tables) in &groups {
            findings.push(named(target, tables));
            let converted: Vec<ConvertedTable> =
                tables.iter().map(|table| self.convert(table, profile)).collect();
            findings.extend(unlike(target, tables, &converted));
            findings.extend(tables.iter().filter_map(|table| keyless(target, table)));
        }
        for table in views {
            findings.extend(self.cascades(table, profile, &groups));
        }
        findings
    }

    fn convert(&self, table: &TableSchema, profile: &TargetProfile) -> ConvertedTable {
        convert_table(table, profile, &|name: &TableName| self.rules.target_name(name))
    }

    /// Rows that change with another row, without a word in the log, could be another table's.
    fn cascades(
        &self,
        table: &TableSchema,
        profile: &TargetProfile,
        groups: &BTreeMap<TableName, Vec<&TableSchema>>,
    ) -> Option<Finding> {
        if table.foreign_keys.is_empty() || groups.is_empty() {
            return None;
        }
        let converted = self.convert(table, profile).schema;
        let changes_rows =
            |action: &str| !matches!(action.to_uppercase().as_str(), "" | "RESTRICT" | "NO ACTION");
        let key = converted.foreign_keys.iter().find(|key| {
            (changes_rows(&key.on_delete) || changes_rows(&key.on_update))
                && (groups.contains_key(&converted.name) || groups.contains_key(&key.parent))
        })?;
        Some(error(
            format!("foreign key {} of table {}", key.name, table.name),
            "it changes rows by itself (CASCADE, SET NULL), and one of its tables is made of several"
                .to_owned(),
            "leave its column out with --columns, or map each of the tables to one of its own",
        ))
    }
}

/// A finding that the task can't work with.
pub fn error(object: String, cause: String, hint: &str) -> Finding {
    Finding {
        severity: Severity::Error,
        code: ErrorKind::Configuration.code().to_owned(),
        object,
        cause,
        hint: hint.to_owned(),
    }
}

/// Names the tables; few are named all, of many the first and the last.
fn named(target: &TableName, tables: &[&TableSchema]) -> Finding {
    const SHOWN: usize = 8;
    let names: Vec<String> = tables.iter().map(|table| table.name.to_string()).collect();
    let list = match names.as_slice() {
        [first @ .., last] if names.len() > SHOWN => {
            format!("{}, ..., {last}", first[..SHOWN - 1].join(", "))
        }
        all => all.join(", "),
    };
    Finding {
        severity: Severity::Info,
        code: ErrorKind::Configuration.code().to_owned(),
        object: format!("table {target} of the target"),
        cause: match tables.len() {
            1 => format!("{list} becomes this table, and so will others that fit the rule"),
            count => format!("{count} tables become this one: {list}"),
        },
        hint: String::new(),
    }
}

fn unlike(target: &TableName, tables: &[&TableSchema], converted: &[ConvertedTable]) -> Option<Finding> {
    let (first, rest) = converted.split_first()?;
    rest.iter().zip(&tables[1..]).find_map(|(other, table)| {
        let difference = difference(&first.schema, &other.schema)?;
        Some(error(
            format!("--map, table {target} of the target"),
            format!("{} and {} can't become one table: {difference}", tables[0].name, table.name),
            "give both the same definition, or map them to different names",
        ))
    })
}

fn keyless(target: &TableName, table: &TableSchema) -> Option<Finding> {
    table.row_key().is_none().then(|| {
        error(
            format!("--map, table {target} of the target"),
            format!(
                "{} has no key: a load of it that breaks off couldn't be taken back without other tables' rows",
                table.name
            ),
            "give it a primary key, or map it to a table of its own",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_at_the_start_and_the_rule_say_what_is_merged() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let map = texts(&["s.a=s.c", "s.b=s.c", "s.x_*=s.x"]);
        let rules = Arc::new(Rules::parse(&texts(&["s.*"]), &[], &map).unwrap());
        let name = |table: &str| TableName::new("s", table);
        let merging = Merging::new(rules.clone(), &[name("a"), name("b"), name("d"), name("x_1")]);
        for (table, merged) in
            [("a", true), ("b", true), ("c", true), ("d", false), ("x_1", true), ("x_9", true)]
        {
            assert_eq!(merging.merges(&name(table)), merged, "{table}");
        }
        assert!(!Merging::new(rules, &[name("a")]).merges(&name("a")));
    }
}
