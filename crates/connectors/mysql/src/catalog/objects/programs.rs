//! Triggers and events.

use whimbrel_connector::{Flavor, Result};
use whimbrel_model::TableName;
use whimbrel_model::object::{Definition, Event, ObjectKind, Schedule, SchemaObject, Trigger};

use super::{Reading, account_name, made_in};
use crate::wire::Row;

impl Reading<'_> {
    pub(super) async fn triggers(&mut self) -> Result<()> {
        self.needs_on_schemas(ObjectKind::Trigger, "TRIGGER");
        let sql = format!(
            "SELECT TRIGGER_SCHEMA, TRIGGER_NAME, EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, ACTION_TIMING, \
             EVENT_MANIPULATION, ACTION_ORDER, ACTION_STATEMENT, DEFINER, SQL_MODE, CHARACTER_SET_CLIENT, \
             COLLATION_CONNECTION FROM information_schema.TRIGGERS WHERE {}",
            self.in_schemas("TRIGGER_SCHEMA")
        );
        let Some(rows) = self.ask(ObjectKind::Trigger, &sql).await? else { return Ok(()) };
        for row in rows {
            let [Some(schema), Some(name), Some(table_schema), Some(table), Some(timing), Some(event)] =
                [0, 1, 2, 3, 4, 5].map(|at| row.text(at))
            else {
                continue;
            };
            let name = TableName::new(schema, name);
            let whole = row.text(7).unwrap_or_default();
            let body = if self.identity.flavor == Flavor::OceanBase {
                // OceanBase shows the statement from the word TRIGGER on.
                body_of_oceanbase(whole)
            } else {
                Some(whole)
            };
            let Some(body) = body.filter(|body| !body.is_empty()) else {
                self.unread(ObjectKind::Trigger, Some(name), "the server shows its text in an unknown form");
                continue;
            };
            let trigger = Trigger {
                table: TableName::new(table_schema, table),
                timing: timing.to_owned(),
                event: event.to_owned(),
                order: row.parse(6).unwrap_or(1),
                body: body.to_owned(),
            };
            self.found.objects.push(SchemaObject {
                name,
                definer: row.text(8).and_then(account_name),
                session: made_in(row.text(9), row.text(10), row.text(11)),
                comment: String::new(),
                definition: Definition::Trigger(trigger),
            });
        }
        Ok(())
    }

    pub(super) async fn events(&mut self) -> Result<()> {
        let sql = format!(
            "SELECT EVENT_SCHEMA, EVENT_NAME, EVENT_TYPE, EXECUTE_AT, INTERVAL_VALUE, INTERVAL_FIELD, STARTS, ENDS, \
             STATUS, ON_COMPLETION, EVENT_DEFINITION, EVENT_COMMENT, DEFINER, SQL_MODE, CHARACTER_SET_CLIENT, \
             COLLATION_CONNECTION, TIME_ZONE FROM information_schema.EVENTS WHERE {}",
            self.in_schemas("EVENT_SCHEMA")
        );
        let Some(rows) = self.ask(ObjectKind::Event, &sql).await? else { return Ok(()) };
        self.needs_on_schemas(ObjectKind::Event, "EVENT");
        for row in rows {
            let (Some(schema), Some(name)) = (row.text(0), row.text(1)) else { continue };
            let name = TableName::new(schema, name);
            let (Some(schedule), Some(body)) = (schedule(&row), row.text(10)) else {
                self.unread(
                    ObjectKind::Event,
                    Some(name),
                    "the server shows its schedule in an unknown form",
                );
                continue;
            };
            let mut session = made_in(row.text(13), row.text(14), row.text(15));
            session.time_zone = row.text(16).map(str::to_owned);
            self.found.objects.push(SchemaObject {
                name,
                definer: row.text(12).and_then(account_name),
                session,
                comment: row.text(11).unwrap_or_default().to_owned(),
                definition: Definition::Event(Event {
                    schedule,
                    enabled: row.text(8) == Some("ENABLED"),
                    preserve: row.text(9) == Some("PRESERVE"),
                    body: body.to_owned(),
                }),
            });
        }
        Ok(())
    }
}

fn schedule(row: &Row) -> Option<Schedule> {
    let own = |at: usize| row.text(at).map(str::to_owned);
    if row.text(2) == Some("ONE TIME") {
        return own(3).map(Schedule::At);
    }
    let value = own(4)?;
    let number = value.trim_start_matches('-').chars().all(|c| c.is_ascii_digit());
    let value = if number { value } else { format!("'{}'", value.trim_matches('\'')) };
    Some(Schedule::Every { value, unit: own(5)?, starts: own(6), ends: own(7) })
}

/// `TRIGGER name BEFORE INSERT ON t FOR EACH ROW [FOLLOWS other] body` as OceanBase keeps it.
fn body_of_oceanbase(text: &str) -> Option<&str> {
    const ROW: &str = "for each row";
    // Names may hold the words too, but not before the first of them: the head ends with it.
    let at = text.to_ascii_lowercase().find(ROW)?;
    let body = text.get(at + ROW.len()..)?.trim_start();
    let first = body.split_whitespace().next().unwrap_or_default();
    if first.eq_ignore_ascii_case("follows") || first.eq_ignore_ascii_case("precedes") {
        let rest = body.get(first.len()..)?.trim_start();
        let name_ends = match rest.strip_prefix('`') {
            Some(quoted) => quoted.find('`')? + 2,
            None => rest.find(char::is_whitespace)?,
        };
        return rest.get(name_ends..).map(str::trim_start);
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_a_trigger_of_oceanbase_is_found() {
        for (text, body) in [
            ("TRIGGER tr1 BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1", Some("SET NEW.a = 1")),
            (
                "TRIGGER tr2 BEFORE INSERT ON t for each row FOLLOWS `tr 1` SET NEW.s = 'z'",
                Some("SET NEW.s = 'z'"),
            ),
            ("TRIGGER tr2 AFTER UPDATE ON t FOR EACH ROW precedes tr1\nBEGIN END", Some("BEGIN END")),
            ("TRIGGER tr1 BEFORE INSERT ON t", None),
        ] {
            assert_eq!(body_of_oceanbase(text), body, "{text}");
        }
    }
}
