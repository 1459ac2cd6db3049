//! Views, triggers, routines, events, sequences and accounts.
//!
//! What a server lacks, and what this user may not see, becomes an [`UnreadObjects`]: servers leave out rows that the
//! user has no right to, without a word, so the rights themselves are looked at.

mod accounts;
mod programs;
mod routines;
mod sequences;
mod views;

use std::collections::BTreeSet;

use whimbrel_connector::{Flavor, ObjectCatalogue, Result, UnreadObjects};
use whimbrel_model::TableName;
use whimbrel_model::object::{AccountName, ObjectKind, ObjectSession, SchemaObject, Security};

pub(super) use accounts::accounts;

use super::privileges::Privileges;
use super::session::{Answer, CATALOGUE, Identity, Session, literal};
use crate::wire::Row;

/// What the readers of all kinds share.
struct Reading<'a> {
    session: &'a mut Session,
    identity: Identity,
    privileges: Privileges,
    /// As [`whimbrel_connector::Catalog::schemas`] spells them.
    schemas: &'a [String],
    found: ObjectCatalogue,
}

pub(super) async fn objects(session: &mut Session, schemas: &[String]) -> Result<ObjectCatalogue> {
    let identity = session.identity().await?;
    let privileges = Privileges::read(session).await?;
    let mut reading = Reading { session, identity, privileges, schemas, found: ObjectCatalogue::default() };
    if !schemas.is_empty() {
        reading.views().await?;
        reading.triggers().await?;
        reading.routines().await?;
        reading.events().await?;
        reading.sequences().await?;
    }
    let mut found = reading.found;
    found.objects.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    Ok(found)
}

/// Triggers of a table stand in the order in which they fire.
fn sort_key(object: &SchemaObject) -> (&str, ObjectKind, &str, &str, &str, u32, &str) {
    use whimbrel_model::object::Definition;
    let (table, event, timing, order) = match &object.definition {
        Definition::Trigger(t) => (t.table.table.as_str(), t.event.as_str(), t.timing.as_str(), t.order),
        _ => ("", "", "", 0),
    };
    (&object.name.schema, object.kind(), table, event, timing, order, &object.name.table)
}

impl Reading<'_> {
    /// `column IN ('a','b')` over the schemas.
    fn in_schemas(&self, column: &str) -> String {
        let names: Vec<String> = self.schemas.iter().map(|name| literal(name)).collect();
        format!("{column} IN ({})", names.join(","))
    }

    /// Rows of a view of `information_schema` that the server may lack; `None` where it does.
    async fn ask(&mut self, kind: ObjectKind, sql: &str) -> Result<Option<Vec<Row>>> {
        let doing = format!("reading {kind}s");
        match self.session.ask_within(sql, &doing, CATALOGUE).await? {
            Answer::Rows(rows) => Ok(Some(rows)),
            Answer::Refused { code, message } => {
                let unknown_to_server = matches!(code, 1109 | 1146 | 1064 | 1054 | 1235);
                let reason = format!("{code} {message}");
                self.found.unread.push(UnreadObjects { kind, name: None, reason, unknown_to_server });
                Ok(None)
            }
        }
    }

    fn unread(&mut self, kind: ObjectKind, name: Option<TableName>, reason: impl Into<String>) {
        let reason = reason.into();
        self.found.unread.push(UnreadObjects { kind, name, reason, unknown_to_server: false });
    }

    /// Says so where the user lacks a privilege without which the server leaves out objects.
    fn needs_on_schemas(&mut self, kind: ObjectKind, privilege: &str) {
        if self.identity.flavor == Flavor::OceanBase {
            return;
        }
        let lacking = |schema: &&String| !self.privileges.has_on_schema(privilege, schema);
        for schema in self.schemas.iter().filter(lacking).collect::<BTreeSet<_>>() {
            let why = format!("to see {kind}s");
            let on = format!("{}.*", super::session::identifier(schema));
            let finding = self.privileges.missing(privilege, &on, &why);
            let reason = format!("{} in {schema}; {}", finding.cause, finding.hint);
            self.unread(kind, None, reason);
        }
    }
}

/// `user@host`, with or without quotes; the user may hold an `@`.
fn account_name(text: &str) -> Option<AccountName> {
    let (user, host) = text.rsplit_once('@')?;
    let plain = |part: &str| part.trim_matches(['\'', '`']).to_owned();
    Some(AccountName { user: plain(user), host: plain(host) })
}

fn security(text: Option<&str>) -> Security {
    if text == Some("INVOKER") { Security::Invoker } else { Security::Definer }
}

/// Cells of the session in which an object was made.
fn made_in(sql_mode: Option<&str>, charset: Option<&str>, collation: Option<&str>) -> ObjectSession {
    ObjectSession {
        sql_mode: sql_mode.map(str::to_owned),
        charset_client: charset.map(str::to_owned),
        collation_connection: collation.map(str::to_owned),
        time_zone: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definers_are_read_in_every_spelling() {
        let name = |user: &str, host: &str| Some(AccountName { user: user.into(), host: host.into() });
        assert_eq!(account_name("root@localhost"), name("root", "localhost"));
        assert_eq!(account_name("'root'@'%'"), name("root", "%"));
        assert_eq!(account_name("a@b@%"), name("a@b", "%"));
        assert_eq!(account_name(""), None);
    }
}
