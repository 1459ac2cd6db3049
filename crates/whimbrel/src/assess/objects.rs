//! Views, triggers, routines, events and sequences in an assessment; accounts as a list.

use std::collections::BTreeSet;

use serde::Serialize;
use whimbrel_connector::{Catalog, ErrorKind, Finding, Severity, UnreadObjects};
use whimbrel_dbcat::{ConvertedObject, Effort, Loss, ObjectContext, convert_objects, rules};
use whimbrel_model::TableName;
use whimbrel_model::object::{Account, ObjectKind};
use whimbrel_mysql_ddl::ParseOptions;

use super::Assessor;
use super::report::{Change, ObjectReport, Verdict};
use crate::failure::Failure;
use crate::migrate::ddl::dialect;

/// An account of the source, which is not moved.
#[derive(Debug, Serialize)]
pub struct AccountReport {
    pub name: String,
    pub role: bool,
    pub locked: bool,
    /// How it proves who it is.
    pub plugin: String,
    pub grants: Vec<String>,
}

impl From<Account> for AccountReport {
    fn from(account: Account) -> Self {
        let Account { name, role, plugin, locked, grants } = account;
        Self { name: name.to_string(), role, locked, plugin, grants }
    }
}

impl Assessor {
    /// Everything besides tables that the patterns select. `tables` are those that move.
    pub(super) async fn other_objects(
        &mut self,
        tables: &[TableName],
    ) -> Result<(Vec<ObjectReport>, Vec<Finding>), Failure> {
        let mut schemas = self.from.schemas().await?;
        schemas.retain(|schema| self.rules.includes().iter().any(|pattern| pattern.matches_schema(schema)));
        let catalogue = self.from.objects(&schemas).await?;
        let accounts = self.to.accounts().await?.accounts;
        let lacking = kinds_unknown_to(self.to.as_mut()).await?;
        let rename = |name: &TableName| self.rules.target_name(name);
        let options = ParseOptions::new(dialect(&self.source_info));
        let context = ObjectContext::new(&self.profile, options, &rename, tables, &catalogue.objects)
            .with_accounts(&accounts);
        let selected: Vec<_> =
            catalogue.objects.iter().filter(|object| self.rules.selects(&object.name)).cloned().collect();
        let reports =
            convert_objects(&selected, &context).iter().map(|object| describe(object, &lacking)).collect();
        let unread = catalogue.unread.iter().filter(|unread| !unread.unknown_to_server).map(unread_finding);
        Ok((reports, unread.collect()))
    }

    /// The source's accounts, or why there are none.
    pub(super) async fn accounts(&mut self) -> Result<(Vec<AccountReport>, Option<String>), Failure> {
        let found = self.from.accounts().await?;
        Ok((found.accounts.into_iter().map(AccountReport::from).collect(), found.unread))
    }
}

/// Kinds of objects that the server hasn't got at all.
async fn kinds_unknown_to(catalog: &mut dyn Catalog) -> Result<BTreeSet<ObjectKind>, Failure> {
    let schemas: Vec<String> = catalog.schemas().await?.into_iter().take(1).collect();
    let found = catalog.objects(&schemas).await?;
    Ok(found.unread.into_iter().filter(|unread| unread.unknown_to_server).map(|unread| unread.kind).collect())
}

fn describe(object: &ConvertedObject, lacking: &BTreeSet<ObjectKind>) -> ObjectReport {
    let mut report = ObjectReport::new(object.kind.name(), &object.source, &object.target);
    report.changes = object
        .notes
        .iter()
        .map(|note| Change {
            rule: note.rule.to_owned(),
            object: note.object.clone(),
            loss: note.loss,
            effort: match note.loss {
                Loss::None => Effort::None,
                Loss::Behaviour => Effort::Medium,
                Loss::Data => Effort::High,
            },
            why: note.text.clone(),
            to_do: note.rule().map_or("", |rule| rule.to_do).to_owned(),
        })
        .collect();
    let refused = |id: &str, why: String| {
        let to_do = rules::find(id).map_or("", |rule| rule.to_do).to_owned();
        let object = format!("{} {}", object.kind, object.source);
        Change { rule: id.to_owned(), object, loss: Loss::Data, effort: Effort::High, why, to_do }
    };
    if lacking.contains(&object.kind) {
        let id = match object.kind {
            ObjectKind::Event => "events-left-out",
            ObjectKind::Sequence => "sequences-left-out",
            ObjectKind::Package | ObjectKind::PackageBody => "packages-left-out",
            _ => "object-refused",
        };
        report.changes.push(refused(id, format!("the target has no {}s", object.kind)));
        report.verdict = Verdict::NotPossible;
    } else if let Err(why) = &object.outcome {
        report.changes.push(refused("object-refused", why.clone()));
        report.verdict = Verdict::NotPossible;
    }
    report.grade();
    report
}

/// An object, or all of a kind, that the source didn't show.
fn unread_finding(unread: &UnreadObjects) -> Finding {
    let object = match &unread.name {
        Some(name) => format!("{} {name}", unread.kind),
        None => format!("all {}s of the source", unread.kind),
    };
    Finding {
        severity: Severity::Warning,
        code: ErrorKind::PrivilegeMissing.code().to_owned(),
        object,
        cause: format!("not in this report, because they could not be read: {}", unread.reason),
        hint: "grant what is missing, and assess again".to_owned(),
    }
}
