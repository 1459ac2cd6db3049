//! Sequences of MariaDB.

use whimbrel_connector::{Flavor, Result, UnreadObjects};
use whimbrel_model::TableName;
use whimbrel_model::object::{Definition, ObjectKind, ObjectSession, SchemaObject, Sequence};

use super::super::session::{Answer, qualified};
use super::Reading;
use crate::wire::Row;

impl Reading<'_> {
    pub(super) async fn sequences(&mut self) -> Result<()> {
        let kind = ObjectKind::Sequence;
        match self.identity.flavor {
            Flavor::MariaDb if self.identity.version >= (10, 3, 0) => {}
            Flavor::OceanBase => return self.sequences_of_oceanbase().await,
            _ => {
                let reason = "the server has no sequences".to_owned();
                self.found.unread.push(UnreadObjects { kind, name: None, reason, unknown_to_server: true });
                return Ok(());
            }
        }
        let sql = format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE {} AND TABLE_TYPE = 'SEQUENCE'",
            self.in_schemas("TABLE_SCHEMA")
        );
        let Some(rows) = self.ask(kind, &sql).await? else { return Ok(()) };
        for row in rows {
            let (Some(schema), Some(name)) = (row.text(0), row.text(1)) else { continue };
            let name = TableName::new(schema, name);
            let sql = format!(
                "SELECT start_value, minimum_value, maximum_value, increment, cache_size, cycle_option, \
                 next_not_cached_value FROM {}",
                qualified(&name)
            );
            let sequence = match self.session.ask(&sql, "reading a sequence").await? {
                Answer::Rows(rows) => rows.first().and_then(sequence),
                Answer::Refused { code, message } => {
                    self.unread(kind, Some(name), format!("{code} {message}"));
                    continue;
                }
            };
            let Some(sequence) = sequence else {
                self.unread(kind, Some(name), "the server shows it in an unknown form");
                continue;
            };
            self.found.objects.push(SchemaObject {
                name,
                definer: None,
                session: ObjectSession::default(),
                comment: String::new(),
                definition: Definition::Sequence(sequence),
            });
        }
        Ok(())
    }

    /// OceanBase may have sequences; whether there are any is all that is found out.
    async fn sequences_of_oceanbase(&mut self) -> Result<()> {
        let kind = ObjectKind::Sequence;
        let sql = "SELECT COUNT(*) FROM oceanbase.DBA_OB_SEQUENCE_OBJECTS";
        let Some(rows) = self.ask(kind, sql).await? else { return Ok(()) };
        if rows.first().and_then(|row| row.parse::<u64>(0)).unwrap_or_default() > 0 {
            self.unread(kind, None, "sequences of OceanBase are not read");
        }
        Ok(())
    }
}

fn sequence(row: &Row) -> Option<Sequence> {
    Some(Sequence {
        start: row.parse(0)?,
        minimum: row.parse(1)?,
        maximum: row.parse(2)?,
        increment: row.parse(3)?,
        cache: row.parse(4)?,
        cycle: row.text(5)? == "1",
        next: row.parse(6)?,
    })
}
