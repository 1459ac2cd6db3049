//! Whether a task can work, found out before anything is changed.

use whimbrel_connector::{
    Catalog, ConnectorError, ErrorKind, Finding, ServerInfo, Severity, Source, TableKind, Target,
};
use whimbrel_filter::{Selection, ViewError};
use whimbrel_model::{TableName, TableSchema};

use crate::endpoints::Endpoint;
use crate::failure::{Exit, Failure};
use crate::rules::Rules;
use crate::spelling::Spelling;
use crate::table_rules::PatternRules;

/// Both servers and the tables that the rules select.
pub struct Prechecked {
    pub source: ServerInfo,
    pub target: ServerInfo,
    pub tables: Vec<TableSchema>,
    pub findings: Vec<Finding>,
}

impl Prechecked {
    /// # Errors
    /// The task can't work, for the reasons that [`Prechecked::print`] showed.
    pub fn refuse_errors(&self) -> Result<(), Failure> {
        let Some(first) = self.findings.iter().find(|finding| finding.severity == Severity::Error) else {
            return Ok(());
        };
        let kind = ErrorKind::from_code(&first.code).unwrap_or(ErrorKind::Other);
        let error = ConnectorError::new(kind, first.object.clone(), first.cause.clone())
            .with_hint(first.hint.clone());
        Err(Failure::precheck(error))
    }

    /// Adds findings, keeping errors first.
    pub fn add(&mut self, findings: Vec<Finding>) {
        self.findings.extend(findings);
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    }

    /// Adds what a proof of this target has found about the columns of the task (`whimbrel prove`).
    pub fn add_proof(&mut self, home: Option<&std::path::Path>) {
        self.add(crate::prove::findings(home, &self.target, &self.tables));
    }

    /// Prints the findings, errors first.
    pub fn print(&self) {
        print_findings(&self.findings);
    }
}

/// What is selected within the tables.
#[derive(Clone, Copy)]
pub struct Filters<'a> {
    pub selection: &'a Selection,
    pub rules: &'a PatternRules,
}

impl Filters<'_> {
    /// What of it can't be.
    fn findings(&self, tables: &[TableSchema]) -> Vec<Finding> {
        let error = |object: String, cause: String, hint: &str| Finding {
            severity: Severity::Error,
            code: ErrorKind::Configuration.code().to_owned(),
            object,
            cause,
            hint: hint.to_owned(),
        };
        let names: Vec<TableName> = tables.iter().map(|table| table.name.clone()).collect();
        let mut findings: Vec<Finding> = self
            .rules
            .unused(&names)
            .into_iter()
            .map(|flag| {
                error(
                    flag,
                    "the pattern fits no table that is moved".to_owned(),
                    "check the name, its case included",
                )
            })
            .collect();
        for table in tables {
            match self.selection.view(table, true) {
                Ok(view) => findings.extend(view.notes.into_iter().map(|note| Finding {
                    severity: Severity::Warning,
                    code: ErrorKind::Unsupported.code().to_owned(),
                    object: note.object,
                    cause: note.text,
                    hint: String::new(),
                })),
                Err(refused) => {
                    let (flag, hint) = match &refused {
                        ViewError::Condition { .. } => {
                            ("--where", "correct the condition at the place named")
                        }
                        ViewError::KeyLost { .. } => ("--columns", "keep the key's columns"),
                        _ => ("--columns, --rename-column", "correct the list of columns"),
                    };
                    let cause = match std::error::Error::source(&refused) {
                        Some(cause) => cause.to_string(),
                        None => refused.to_string(),
                    };
                    findings.push(error(format!("{flag}, table {}", table.name), cause, hint));
                }
            }
        }
        findings
    }
}

/// What is asked of the precheck.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// The source's log will be read.
    pub log: bool,
    /// The target will be written.
    pub write: bool,
    /// The target's tables must hold no rows.
    pub empty: bool,
    /// The target's tables must be there.
    pub target_tables: bool,
}

/// Asks both servers.
///
/// # Errors
/// A server that can't be reached or logged into, and patterns that match nothing, as exit code 4.
pub async fn run(
    source: &Endpoint,
    target: &Endpoint,
    rules: &Rules,
    filters: Filters<'_>,
    needs: Needs,
) -> Result<Prechecked, Failure> {
    let (mut from, mut to) =
        tokio::try_join!(Source::catalog(source.as_ref()), Target::catalog(target.as_ref()))
            .map_err(Failure::precheck)?;
    let mut checked = examine(from.as_mut(), to.as_mut(), source.as_ref(), target.as_ref(), rules, needs)
        .await
        .map_err(|failure| Failure { exit: Exit::Precheck, ..failure })?;
    checked.add(filters.findings(&checked.tables));
    Ok(checked)
}

async fn examine(
    from: &mut dyn Catalog,
    to: &mut dyn Catalog,
    source: &dyn Source,
    target: &dyn Target,
    rules: &Rules,
    needs: Needs,
) -> Result<Prechecked, Failure> {
    let (source_info, target_info) = tokio::try_join!(from.server(), to.server())?;
    let names = selected_tables(from, source, rules).await?;
    refuse_clashing_names(&names, rules, &target_info)?;
    if source_info.server == target_info.server && names.iter().any(|name| rules.target_name(name) == *name) {
        return Err(ConnectorError::new(
            ErrorKind::Configuration,
            target.name(),
            "source and target are the same tables of the same server",
        )
        .with_hint("name another target, or give the tables other names with --map")
        .into());
    }
    let tables = from.table_schemas(&names).await?;
    let mut findings = from.check_source(&tables, needs.log).await?;
    if needs.write {
        let mut schemas: Vec<String> = names.iter().map(|name| rules.target_name(name).schema).collect();
        schemas.sort();
        schemas.dedup();
        findings.extend(to.check_target(&schemas).await?);
    }
    findings.extend(target_findings(to, &names, rules, needs, Spelling::of(&target_info)).await?);
    Ok(Prechecked { source: source_info, target: target_info, tables, findings })
}

/// What the target's tables must be like before a task begins.
async fn target_findings(
    to: &mut dyn Catalog,
    names: &[TableName],
    rules: &Rules,
    needs: Needs,
    spelling: Spelling,
) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    if !needs.empty && !needs.target_tables {
        return Ok(findings);
    }
    let mut targets: Vec<TableName> = names.iter().map(|name| rules.target_name(name)).collect();
    targets.sort();
    targets.dedup();
    let existing = to.existing_tables(&targets).await?;
    for table in &existing {
        if needs.empty && to.has_rows(&table.name).await? {
            findings.push(Finding {
                severity: Severity::Error,
                code: ErrorKind::Configuration.code().to_owned(),
                object: format!("table {} of the target", table.name),
                cause: "the target table is not empty".to_owned(),
                hint: "empty it, or choose --existing ignore or --existing overwrite".to_owned(),
            });
        }
    }
    if needs.target_tables {
        let is = |a: &TableName, b: &TableName| spelling.of_table(a) == spelling.of_table(b);
        for missing in targets.iter().filter(|name| !existing.iter().any(|table| is(&table.name, name))) {
            findings.push(Finding {
                severity: Severity::Error,
                code: ErrorKind::UnknownTable.code().to_owned(),
                object: format!("table {missing} of the target"),
                cause: "the table does not exist, and --steps leaves the schema step out".to_owned(),
                hint: "create it, or add the step schema".to_owned(),
            });
        }
    }
    Ok(findings)
}

/// Tables of the source that the rules select, in name order. Views are left out.
///
/// # Errors
/// An include pattern that matches neither a table nor another object.
pub async fn selected_tables(
    catalog: &mut dyn Catalog,
    source: &dyn Source,
    rules: &Rules,
) -> Result<Vec<TableName>, Failure> {
    let mut schemas = catalog.schemas().await?;
    schemas.retain(|schema| rules.includes().iter().any(|pattern| pattern.matches_schema(schema)));
    let mut all = Vec::new();
    for schema in &schemas {
        let tables = catalog.tables(schema).await?;
        all.extend(tables.into_iter().filter(|t| t.kind == TableKind::Table).map(|table| table.name));
    }
    for pattern in rules.includes() {
        if !all.iter().any(|name| pattern.matches(name)) {
            let others = catalog.objects(&schemas).await?.objects;
            if others.iter().any(|object| pattern.matches(&object.name)) {
                continue;
            }
            let object = format!("--include {}", pattern.text());
            let message = format!("the pattern matches no table of {}", source.name());
            return Err(ConnectorError::new(ErrorKind::UnknownTable, object, message)
                .with_hint(
                    "check the name, its case included; tables that the user may not read can't be seen, which needs \
                     GRANT SELECT ON the schema's tables TO this user",
                )
                .into());
        }
    }
    let names: Vec<TableName> = all.into_iter().filter(|name| rules.selects(name)).collect();
    if names.is_empty() {
        return Err(ConnectorError::new(ErrorKind::UnknownTable, "--exclude", "no table is left")
            .with_hint("exclude fewer tables")
            .into());
    }
    Ok(names)
}

/// Where the target takes names that differ only in case for the same (`lower_case_table_names`), tables with such names
/// would meet without anybody having said so.
fn refuse_clashing_names(names: &[TableName], rules: &Rules, target: &ServerInfo) -> Result<(), Failure> {
    let spelling = Spelling::of(target);
    let mut targets: Vec<(TableName, TableName, &TableName)> = names
        .iter()
        .map(|name| {
            let target = rules.target_name(name);
            (spelling.of_table(&target), target, name)
        })
        .collect();
    targets.sort();
    for pair in targets.windows(2) {
        if let [(first_folded, first_target, first), (second_folded, second_target, second)] = pair
            && first_folded == second_folded
            && first_target != second_target
        {
            let message = format!(
                "{first} and {second} differ only in case, and the target takes both names for the same \
                 (its lower_case_table_names is not 0)"
            );
            let object = format!("table {first_folded} of the target");
            let hint = format!("give one of them another name: --map '{}'", new_name(second));
            return Err(ConnectorError::new(ErrorKind::Configuration, object, message)
                .with_hint(hint)
                .into());
        }
    }
    Ok(())
}

/// A rule that gives a table a name that differs in more than case.
fn new_name(table: &TableName) -> String {
    let (schema, other) = (literal(&table.schema), format!("{}_2", table.table));
    format!("{schema}.{}={schema}.{}", literal(&table.table), literal(&other))
}

/// A name as a pattern takes it: in backticks if it holds more than letters, digits and underscores.
fn literal(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    if name.chars().all(plain) { name.to_owned() } else { format!("`{name}`") }
}

/// Prints findings on standard error.
pub fn print_findings(findings: &[Finding]) {
    for finding in findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "note",
        };
        eprintln!("{severity} {}: {}\n  cause: {}", finding.code, finding.object, finding.cause);
        if !finding.hint.is_empty() {
            eprintln!("  to do: {}", finding.hint);
        }
    }
}
