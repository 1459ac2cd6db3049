//! `whimbrel assess`: what a migration would move, change, or not be able to do, with the work that each object leaves,
//! and risks in the data itself.
//!
//! Nothing is changed at the source. At the target a scratch schema is made and dropped, to find out what the server can
//! do; a second one where the source can't compare keys as the target does. The data checks read rows of the source
//! within a bound that the report states; each says what it cost.

mod checks;
mod html;
mod keys;
mod objects;
mod report;
mod text;

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use whimbrel_connector::inspect::Bound;
use whimbrel_connector::{Catalog, ErrorKind, Finding, Flavor, Inspector, ServerInfo, Source, Target};
use whimbrel_dbcat::{ConvertedTable, Effort, Loss, TargetProfile, convert_table};
use whimbrel_model::{TableName, TableSchema};

use self::report::{Assessment, Change, DataCheckLimits, ObjectReport, Summary, Verdict};
use crate::cli::{AssessArgs, AssessFormat, DataChecks};
use crate::conversions::Conversions;
use crate::endpoints::{self, Endpoint, Role};
use crate::failure::{Exit, Failure};
use crate::merging::Merging;
use crate::precheck;
use crate::rules::Rules;

/// Rows of a table that a sampled check reads, and seconds that one of its statements may take.
const SAMPLED: (u64, u64) = (100_000, 10);

/// Assesses and writes the report.
pub async fn run(args: AssessArgs) -> Result<Exit, Failure> {
    let rules = Rules::parse(&args.ends.include, &args.ends.exclude, &args.ends.map)
        .map_err(|error| Failure::usage("--include, --exclude, --map", error.to_string()))?;
    if !(args.ends.rows.is_empty() && args.ends.columns.is_empty() && args.ends.rename_column.is_empty()) {
        return Err(Failure::usage(
            "--where, --columns, --rename-column",
            "an assessment is about whole tables; leave these flags out",
        ));
    }
    let conversions = Conversions::parse(&args.conversions.convert, &args.conversions.accept_loss)?;
    let source = endpoints::open(&args.ends.source, Role::Source)?;
    let target = endpoints::open(&args.ends.target, Role::Target)?;
    let mut assessor = Assessor::connect(source, target, rules, conversions, &args).await?;
    let assessment = assessor.assess().await?;
    let written = match args.format {
        AssessFormat::Text => text::render(&assessment),
        AssessFormat::Html => html::render(&assessment),
        AssessFormat::Json => {
            serde_json::to_string_pretty(&assessment).expect("a report of strings and numbers is JSON") + "\n"
        }
    };
    match &args.out {
        Some(path) => std::fs::write(path, written).map_err(|error| {
            Failure::storage(path.display().to_string(), "the report can't be written", error)
        })?,
        // Whoever reads may have seen enough.
        None => std::io::stdout().write_all(written.as_bytes()).unwrap_or_default(),
    }
    Ok(Exit::Done)
}

/// The bound of the data checks; `None` where none are made.
fn bound(mode: DataChecks) -> Option<Bound> {
    match mode {
        DataChecks::Off => None,
        DataChecks::Sampled => {
            Some(Bound { rows: Some(SAMPLED.0), time: Some(Duration::from_secs(SAMPLED.1)) })
        }
        DataChecks::Full => Some(Bound::default()),
    }
}

/// Both servers and what the flags say.
struct Assessor {
    source: Endpoint,
    target: Endpoint,
    from: Box<dyn Catalog>,
    to: Box<dyn Catalog>,
    source_info: ServerInfo,
    target_info: ServerInfo,
    rules: std::sync::Arc<Rules>,
    profile: TargetProfile,
    mode: DataChecks,
    conversions: std::sync::Arc<Conversions>,
}

impl Assessor {
    async fn connect(
        source: Endpoint,
        target: Endpoint,
        rules: Rules,
        conversions: Conversions,
        args: &AssessArgs,
    ) -> Result<Self, Failure> {
        let (mut from, mut to) =
            tokio::try_join!(Source::catalog(source.as_ref()), Target::catalog(target.as_ref()))
                .map_err(Failure::precheck)?;
        let (source_info, mut target_info) =
            tokio::try_join!(from.server(), to.server()).map_err(Failure::precheck)?;
        target_info.abilities.learn(target.try_abilities().await?);
        let (conversions, rules) = (std::sync::Arc::new(conversions), std::sync::Arc::new(rules));
        let profile = TargetProfile::new(&target_info).with_overrides(conversions.clone());
        let mode = args.data_checks;
        Ok(Self { source, target, from, to, source_info, target_info, rules, profile, mode, conversions })
    }

    async fn assess(&mut self) -> Result<Assessment, Failure> {
        let names = precheck::selected_tables(self.from.as_mut(), self.source.as_ref(), &self.rules).await?;
        let (tables, mut objects) = self.read(&names).await?;
        self.conversions.check(&tables, &self.profile, &self.rules)?;
        let estimates = self.estimates(&names).await?;
        let existing = self.existing(&names).await?;
        let mut findings = self.findings(&tables).await?;
        let merging = Merging::new(self.rules.clone(), &names);
        findings.extend(merging.findings(&tables, &self.profile));
        let bound = bound(self.mode);
        let mut inspector = match bound {
            Some(_) => Some(self.source.inspector().await?),
            None => None,
        };
        for table in &tables {
            let rename = |name: &TableName| self.rules.target_name(name);
            let converted = convert_table(table, &self.profile, &rename);
            let mut object = describe(table, &converted);
            if let Some(estimate) = estimates.get(&table.name) {
                (object.estimated_rows, object.estimated_bytes) = (estimate.rows, estimate.bytes);
            }
            let there = existing.get(&folded(&converted.schema.name)).unwrap_or(&converted.schema);
            if let (Some(inspector), Some(bound)) = (&mut inspector, bound) {
                self.look_into(table, there, inspector.as_mut(), bound, &mut object).await?;
            }
            object.grade();
            objects.push(object);
        }
        let (others, unread) = self.other_objects(&names).await?;
        objects.extend(others);
        findings.extend(unread);
        objects.sort_by(|a, b| (b.effort, &a.source).cmp(&(a.effort, &b.source)));
        let (accounts, accounts_unread) = self.accounts().await?;
        Ok(Assessment { accounts, accounts_unread, ..self.report(objects, findings) })
    }

    fn report(&self, objects: Vec<ObjectReport>, findings: Vec<Finding>) -> Assessment {
        let bound = bound(self.mode).unwrap_or_default();
        let costs: Vec<_> = objects.iter().flat_map(ObjectReport::costs).collect();
        Assessment {
            version: Assessment::VERSION,
            source: server_words(&self.source_info),
            target: server_words(&self.target_info),
            data_checks: DataCheckLimits {
                mode: self.mode,
                rows: bound.rows,
                seconds: bound.time.map(|time| time.as_secs()),
                rows_read: costs.iter().map(|cost| cost.rows_read).sum(),
                milliseconds: costs.iter().map(|cost| cost.milliseconds).sum(),
            },
            summary: Summary::of(&objects),
            objects,
            accounts: Vec::new(),
            accounts_unread: None,
            findings,
        }
    }

    /// The definitions of the tables; one that can't be read becomes an object that can't be moved, and the rest goes
    /// on.
    async fn read(&mut self, names: &[TableName]) -> Result<(Vec<TableSchema>, Vec<ObjectReport>), Failure> {
        match self.from.table_schemas(names).await {
            Ok(tables) => return Ok((tables, Vec::new())),
            Err(error) if error.kind == ErrorKind::Unsupported => {}
            Err(error) => return Err(error.into()),
        }
        let (mut tables, mut refused) = (Vec::new(), Vec::new());
        for name in names {
            match self.from.table_schemas(std::slice::from_ref(name)).await {
                Ok(found) => tables.extend(found),
                Err(error) if error.kind == ErrorKind::Unsupported => {
                    let mut object = ObjectReport::new("table", name, &self.rules.target_name(name));
                    object.verdict = Verdict::NotPossible;
                    object.changes.push(Change {
                        rule: error.code().to_owned(),
                        object: error.object.clone(),
                        loss: Loss::Data,
                        effort: Effort::High,
                        why: error.chain(),
                        to_do: error.hint().to_owned(),
                    });
                    object.grade();
                    refused.push(object);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok((tables, refused))
    }

    async fn estimates(
        &mut self,
        names: &[TableName],
    ) -> Result<HashMap<TableName, whimbrel_connector::TableEstimate>, Failure> {
        let mut schemas: Vec<&str> = names.iter().map(|name| name.schema.as_str()).collect();
        schemas.dedup();
        let mut found = HashMap::new();
        for schema in schemas {
            let tables = self.from.tables(schema).await?;
            found.extend(tables.into_iter().map(|table| (table.name, table.estimate)));
        }
        Ok(found)
    }

    /// Tables that are at the target already: a migration uses them as they are.
    async fn existing(&mut self, names: &[TableName]) -> Result<HashMap<String, TableSchema>, Failure> {
        let targets: Vec<TableName> = names.iter().map(|name| self.rules.target_name(name)).collect();
        let found = self.to.existing_tables(&targets).await?;
        Ok(found.into_iter().map(|table| (folded(&table.name), table)).collect())
    }

    async fn findings(&mut self, tables: &[TableSchema]) -> Result<Vec<Finding>, Failure> {
        let mut findings = self.from.check_source(tables, true).await?;
        let mut schemas: Vec<String> =
            tables.iter().map(|table| self.rules.target_name(&table.name).schema).collect();
        schemas.sort();
        schemas.dedup();
        findings.extend(self.to.check_target(&schemas).await?);
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Ok(findings)
    }

    /// All checks of one table's rows.
    async fn look_into(
        &self,
        table: &TableSchema,
        there: &TableSchema,
        inspector: &mut dyn Inspector,
        bound: Bound,
        object: &mut ObjectReport,
    ) -> Result<(), Failure> {
        let checks = checks::of_rows(table, there, &self.profile);
        if !checks.is_empty() {
            let questions: Vec<_> = checks.iter().map(|check| check.question.clone()).collect();
            let scan = inspector.scan(table, &questions, bound).await?;
            object.scan = Some(scan.cost.clone());
            object.risks.extend(checks::risks(checks, &scan));
        }
        for key in checks::changed_keys(table, there) {
            let trial = keys::Trial { table, target: there, key, profile: &self.profile, bound };
            let found = trial.run(inspector, &self.source, &self.target).await?;
            object.risks.push(checks::collision_risk(table, key, &trial.columns(), found));
        }
        Ok(())
    }
}

/// `MySQL 9.7.4`; OceanBase's own version stands before the one that it claims.
fn server_words(server: &ServerInfo) -> String {
    let text = &server.version_text;
    match server.flavor {
        Flavor::Mysql => format!("MySQL {text}"),
        Flavor::MariaDb => format!("MariaDB {text}"),
        Flavor::OceanBase => {
            let (major, minor, patch) = server.version;
            format!("OceanBase {major}.{minor}.{patch} ({text})")
        }
    }
}

fn folded(name: &TableName) -> String {
    name.to_string().to_lowercase()
}

/// A table by the rules alone.
fn describe(table: &TableSchema, converted: &ConvertedTable) -> ObjectReport {
    let mut object = ObjectReport::new("table", &table.name, &converted.schema.name);
    object.changes = converted
        .notes
        .iter()
        .map(|note| {
            let rule = note.rule();
            Change {
                rule: note.rule.to_owned(),
                object: note.object.clone(),
                loss: note.loss,
                effort: rule.map_or(Effort::Low, |rule| rule.effort),
                why: note.text.clone(),
                to_do: rule.map_or("", |rule| rule.to_do).to_owned(),
            }
        })
        .collect();
    if converted.notes.iter().any(|note| note.rule == "key-too-long") {
        object.verdict = Verdict::NotPossible;
    }
    if converted.schema.row_key().is_none() {
        object.changes.push(Change {
            rule: "no-key".to_owned(),
            object: table.name.to_string(),
            loss: Loss::None,
            effort: Effort::Low,
            why: "no primary key and no unique key without NULL: its rows are copied in one view, locked for a moment, and \
                  changes find them by all their columns"
                .to_owned(),
            to_do: "give the table a primary key at the source".to_owned(),
        });
    }
    object
}
