//! Procedures, functions, packages.
//!
//! `information_schema.ROUTINES` has everything but the parameters, which only SHOW CREATE shows as they were written.

use whimbrel_connector::Result;
use whimbrel_model::TableName;
use whimbrel_model::object::{Definition, ObjectKind, Routine, SchemaObject};

use super::super::session::{Answer, qualified};
use super::super::show_create::{find_words, parenthesised, quoted_name};
use super::{Reading, account_name, made_in, security};
use crate::wire::Row;

impl Reading<'_> {
    pub(super) async fn routines(&mut self) -> Result<()> {
        let all = ["SELECT", "SHOW_ROUTINE", "SHOW CREATE ROUTINE"];
        let sees_all = all.iter().any(|privilege| self.privileges.has_global(privilege))
            || self.privileges.has_on_schema("SELECT", "mysql");
        if !sees_all && self.identity.flavor != whimbrel_connector::Flavor::OceanBase {
            let reason = "the user may not see all routines: GRANT SHOW_ROUTINE ON *.* (MySQL 8.0.20), SHOW CREATE \
                          ROUTINE ON *.* (MariaDB 11.3), else SELECT ON mysql.proc";
            self.unread(ObjectKind::Procedure, None, reason);
            self.unread(ObjectKind::Function, None, reason);
        }
        let sql = format!(
            "SELECT ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_TYPE, ROUTINE_DEFINITION, IS_DETERMINISTIC, \
             SQL_DATA_ACCESS, SECURITY_TYPE, ROUTINE_COMMENT, DEFINER, SQL_MODE, CHARACTER_SET_CLIENT, \
             COLLATION_CONNECTION, EXTERNAL_LANGUAGE, ROUTINE_BODY FROM information_schema.ROUTINES WHERE {}",
            self.in_schemas("ROUTINE_SCHEMA")
        );
        let Some(rows) = self.ask(ObjectKind::Procedure, &sql).await? else { return Ok(()) };
        for row in rows {
            self.routine(&row).await?;
        }
        Ok(())
    }

    async fn routine(&mut self, row: &Row) -> Result<()> {
        let (Some(schema), Some(name)) = (row.text(0), row.text(1)) else { return Ok(()) };
        let name = TableName::new(schema, name);
        let kind = match row.text(2) {
            Some("FUNCTION") => ObjectKind::Function,
            Some("PACKAGE") => ObjectKind::Package,
            Some("PACKAGE BODY") => ObjectKind::PackageBody,
            _ => ObjectKind::Procedure,
        };
        let Some(body) = row.text(3).filter(|body| !body.is_empty()) else {
            let reason = "the user may not see its text: GRANT SHOW_ROUTINE ON *.* (MySQL 8.0.20), SHOW CREATE ROUTINE \
                          ON its schema (MariaDB 11.3), else SELECT ON mysql.proc";
            self.unread(kind, Some(name), reason);
            return Ok(());
        };
        let mut routine = Routine {
            kind,
            parameters: String::new(),
            returns: None,
            deterministic: row.text(4) == Some("YES"),
            // OceanBase writes underscores.
            data_access: row.text(5).unwrap_or("CONTAINS SQL").replace('_', " "),
            security: security(row.text(6)),
            aggregate: false,
            language: row.text(12).filter(|_| row.text(13) == Some("EXTERNAL")).map(str::to_owned),
            body: body.to_owned(),
        };
        if matches!(kind, ObjectKind::Function | ObjectKind::Procedure)
            && let Err(reason) = self.head(&name, &mut routine).await?
        {
            self.unread(kind, Some(name), reason);
            return Ok(());
        }
        self.found.objects.push(SchemaObject {
            name,
            definer: row.text(8).and_then(account_name),
            session: made_in(row.text(9), row.text(10), row.text(11)),
            comment: row.text(7).unwrap_or_default().to_owned(),
            definition: Definition::Routine(routine),
        });
        Ok(())
    }

    /// Parameters and type out of SHOW CREATE.
    async fn head(&mut self, name: &TableName, routine: &mut Routine) -> Result<Result<(), String>> {
        let word = if routine.kind == ObjectKind::Function { "FUNCTION" } else { "PROCEDURE" };
        let sql = format!("SHOW CREATE {word} {}", qualified(name));
        let rows = match self.session.ask(&sql, "reading a routine").await? {
            Answer::Rows(rows) => rows,
            Answer::Refused { code, message } => return Ok(Err(format!("{code} {message}"))),
        };
        let Some(text) = rows.first().and_then(|row| row.text(2)) else {
            return Ok(Err("the user may not see its text".to_owned()));
        };
        let Some(head) = Head::read(text, word) else {
            return Ok(Err(format!("SHOW CREATE {word} gave a text of unknown form")));
        };
        routine.parameters = head.parameters.trim().to_owned();
        routine.returns = head.returns.map(str::to_owned);
        routine.aggregate = head.aggregate;
        Ok(Ok(()))
    }
}

/// The head of a SHOW CREATE text: one line but for line breaks within the parameters.
struct Head<'a> {
    parameters: &'a str,
    returns: Option<&'a str>,
    aggregate: bool,
}

impl<'a> Head<'a> {
    fn read(text: &'a str, word: &str) -> Option<Self> {
        let at = find_words(text, word)?;
        let aggregate = find_words(text.get(..at)?, "AGGREGATE").is_some();
        let (_, rest) = quoted_name(text.get(at + word.len()..)?.trim_start())?;
        let (parameters, rest) = parenthesised(rest.trim_start())?;
        let returns = rest.trim_start_matches(' ').strip_prefix("RETURNS ");
        let returns = returns.map(|rest| rest.split('\n').next().unwrap_or(rest).trim_end());
        Some(Self { parameters, returns, aggregate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_taken_apart() {
        let head = Head::read(
            "CREATE DEFINER=`root`@`localhost` FUNCTION `f``1`(x INT, y ENUM('a)','FUNCTION `')) RETURNS varchar(10) CHARSET latin1\n    DETERMINISTIC\nRETURN x",
            "FUNCTION",
        )
        .unwrap();
        assert_eq!(head.parameters, "x INT, y ENUM('a)','FUNCTION `')");
        assert_eq!(head.returns, Some("varchar(10) CHARSET latin1"));
        assert!(!head.aggregate);
        let head =
            Head::read("CREATE DEFINER = `root`@`%` PROCEDURE `p1`()\nBEGIN END", "PROCEDURE").unwrap();
        assert_eq!((head.parameters, head.returns), ("", None));
        let head = Head::read(
            "CREATE DEFINER=`a`@`%` AGGREGATE FUNCTION `s`(x INT) RETURNS int(11)\nBEGIN END",
            "FUNCTION",
        );
        assert!(head.unwrap().aggregate);
    }
}
