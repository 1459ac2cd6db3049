//! Triggers and events of a task that follows: tried at the target, written down for the switchover.
//!
//! They are tried in a schema of their own, which is dropped again: each trigger on an empty copy of its table, each event
//! switched off. So the file holds what the target is known to take.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use whimbrel_dbcat::render::{quoted, quoted_table};
use whimbrel_dbcat::{ConvertedObject, ObjectDdl};
use whimbrel_model::TableName;

use super::create::{Creator, refused};
use super::{not_possible, report_of};
use crate::failure::Failure;
use crate::report::{ObjectReport, ObjectStatus};

const HEAD: &str = "\
-- Triggers and events, to be made at the target by a person, after the switchover:
--
--   1. the application has stopped writing at the source;
--   2. the target has applied everything (lag 0 on the status page);
--   3. whimbrel migrate has been stopped with SIGINT or SIGTERM, and won't be run again;
--   4. then: mysql --default-character-set=utf8mb4 -h HOST -P PORT -u USER -p < after-switchover.sql
--   5. the application writes at the target.
--
-- Before that they would act upon the changes that whimbrel applies, which the source's triggers and events have acted upon
-- already. The target has taken each of these statements in a trial.
";

/// Tries the objects and writes those that the target takes into the file. A report for each.
///
/// # Errors
/// The target can't be reached; the file can't be written.
pub(super) async fn prepare(
    creator: &mut Creator,
    id: &str,
    objects: &[ConvertedObject],
    file: &Path,
) -> Result<Vec<ObjectReport>, Failure> {
    let mut reports = Vec::with_capacity(objects.len());
    if !objects.is_empty() {
        let trial = Trial::begin(creator, id).await?;
        reports = trial.all(creator, objects).await?;
    }
    let accepted = objects.iter().zip(&reports).filter(|(_, report)| report.status == ObjectStatus::Deferred);
    let statements: Vec<&ObjectDdl> =
        accepted.filter_map(|(object, _)| object.outcome.as_ref().ok()).collect();
    write(file, &script(&statements))?;
    let shown = file.display().to_string();
    for report in reports.iter_mut().filter(|report| report.status == ObjectStatus::Deferred) {
        report.note = [report.note.as_str(), &format!("run {shown} after the switchover")].join("; ");
        report.note = report.note.trim_start_matches("; ").to_owned();
    }
    Ok(reports)
}

/// A schema to try things in; `None` where this user may make none.
struct Trial {
    schema: String,
    refused: Option<String>,
}

impl Trial {
    async fn begin(creator: &mut Creator, id: &str) -> Result<Self, Failure> {
        // The end of the id tells tasks apart.
        let tail = id.rsplit('-').next().unwrap_or(id);
        let schema = format!("whimbrel_trial_{tail}");
        creator.refusable("", &[], &format!("DROP DATABASE IF EXISTS {}", quoted(&schema))).await?.ok();
        let made = creator.refusable("", &[], &format!("CREATE DATABASE {}", quoted(&schema))).await?;
        let refused = made.err().map(|refusal| format!("{} {}", refusal.code, refusal.message));
        Ok(Self { schema, refused })
    }

    async fn all(
        &self,
        creator: &mut Creator,
        objects: &[ConvertedObject],
    ) -> Result<Vec<ObjectReport>, Failure> {
        let mut reports = Vec::with_capacity(objects.len());
        let mut table: Option<TableName> = None;
        for object in objects {
            let report = match &object.outcome {
                Err(reason) => not_possible(object, reason.as_str()),
                Ok(ddl) => self.one(creator, object, ddl, &mut table).await?,
            };
            reports.push(report);
        }
        let drop = format!("DROP DATABASE IF EXISTS {}", quoted(&self.schema));
        creator.refusable("", &[], &drop).await?.ok();
        Ok(reports)
    }

    /// `table`: the target's table whose copy is in the trial's schema.
    async fn one(
        &self,
        creator: &mut Creator,
        object: &ConvertedObject,
        ddl: &ObjectDdl,
        table: &mut Option<TableName>,
    ) -> Result<ObjectReport, Failure> {
        let deferred = |note: Option<String>| {
            let mut report = ObjectReport { status: ObjectStatus::Deferred, ..report_of(object) };
            if let Some(note) = note {
                report.note = [report.note.as_str(), &note].join("; ").trim_start_matches("; ").to_owned();
            }
            report
        };
        let untried = |why: &str| deferred(Some(format!("it could not be tried at the target ({why})")));
        if let Some(why) = &self.refused {
            return Ok(untried(why));
        }
        if *table != ddl.table {
            if let Some(old) = table.take() {
                let old = TableName::new(self.schema.clone(), old.table);
                let drop = format!("DROP TABLE IF EXISTS {}", quoted_table(&old));
                creator.refusable("", &[], &drop).await?.ok();
            }
            if let Some(new) = &ddl.table {
                let copy = TableName::new(self.schema.clone(), new.table.clone());
                let sql = format!("CREATE TABLE {} LIKE {}", quoted_table(&copy), quoted_table(new));
                if let Err(refusal) = creator.refusable("", &[], &sql).await? {
                    return Ok(untried(&format!("{} {}", refusal.code, refusal.message)));
                }
            }
            table.clone_from(&ddl.table);
        }
        Ok(match creator.run(&ddl.in_schema(&self.schema)).await? {
            Ok(note) => deferred(note),
            Err(refusal) => refused(object, refusal),
        })
    }
}

/// The statements for the `mysql` client.
fn script(statements: &[&ObjectDdl]) -> String {
    let mut out = HEAD.to_owned();
    if statements.is_empty() {
        out.push_str("\n-- There are none.\n");
    }
    for ddl in statements {
        let sql = ddl.sql();
        let mut delimiter = ";;".to_owned();
        while sql.contains(&delimiter) {
            delimiter.push(';');
        }
        let _ = write!(out, "\nUSE {};\n", quoted(&ddl.name.schema));
        for setting in &ddl.settings {
            let _ = writeln!(out, "{setting};");
        }
        let _ = write!(out, "DELIMITER {delimiter}\n{sql}{delimiter}\nDELIMITER ;\n");
    }
    out
}

/// The old file or the new one, whatever happens.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let save = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let beside = path.with_extension("sql.new");
        fs::write(&beside, text)?;
        fs::rename(&beside, path)
    };
    save().map_err(|error| Failure::storage(path.display().to_string(), "writing failed", error))
}
