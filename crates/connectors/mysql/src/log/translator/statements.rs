//! Statements: ends of groups, DDL, and changes that should have been rows.

use whimbrel_model::{Ddl, LogRecord};
use whimbrel_mysql_ddl::ast::StatementKind;

use super::{Outcome, STATEMENT_EXCERPT, Translator};
use crate::binlog::{AlterPhase, EventHeader, QueryEvent};
use crate::log::error::{LogError, excerpt};
use crate::log::statement::{self, Meaning};

impl Translator {
    pub(super) fn query(&mut self, header: &EventHeader, query: &QueryEvent<'_>) -> Outcome {
        let meaning = statement::meaning(query, &self.history).map_err(|error| LogError::Unparsable {
            at: self.at(header),
            statement: excerpt(&query.sql, STATEMENT_EXCERPT),
            source: Some(error),
        })?;
        match meaning {
            Meaning::Begin => self.begin(header),
            Meaning::Commit => self.commit(header),
            Meaning::Rollback => self.rollback(header),
            Meaning::RollbackToSavepoint => {
                if self.batch.is_some()
                    || self.group.as_ref().is_some_and(|group| group.begun || group.xa.is_some())
                {
                    return Err(LogError::RolledBackToSavepoint { at: self.at(header) });
                }
                Ok(())
            }
            Meaning::XaStart => {
                let group = self.open(header);
                group.explicit = true;
                group.xa.get_or_insert_default();
                Ok(())
            }
            Meaning::XaCommit => self.xa_end(header, &query.sql, true),
            Meaning::XaRollback => self.xa_end(header, &query.sql, false),
            Meaning::Schema(statement) => self.ddl(header, query, &statement),
            Meaning::Program(classified) => {
                if statement::concerns_program(&classified, &query.schema, &self.history) {
                    self.push_ddl(header, query, Vec::new())?;
                }
                self.end_statement(header)
            }
            Meaning::Data => self.statement_dml(header, query),
            Meaning::Nothing => self.end_statement(header),
        }
    }

    /// A statement that is no part of a transaction is its own group.
    pub(super) fn end_statement(&mut self, header: &EventHeader) -> Outcome {
        self.open(header);
        if self.group.as_ref().is_some_and(|group| group.explicit) { Ok(()) } else { self.commit(header) }
    }

    pub(super) fn statement_dml(&mut self, header: &EventHeader, query: &QueryEvent<'_>) -> Outcome {
        if statement::may_change_rows(query, &self.history) {
            let statement = excerpt(&query.sql, STATEMENT_EXCERPT);
            return Err(LogError::StatementDml { at: self.at(header), statement });
        }
        self.end_statement(header)
    }

    pub(super) fn ddl(
        &mut self,
        header: &EventHeader,
        query: &QueryEvent<'_>,
        statement: &whimbrel_mysql_ddl::ast::Statement,
    ) -> Outcome {
        let phase = self.group.as_ref().and_then(|group| group.mariadb.as_ref()).map(|group| group.alter);
        if matches!(phase, Some(AlterPhase::Start | AlterPhase::Rollback)) {
            return self.end_statement(header);
        }
        if statement.kind() == StatementKind::CreateTableSelect
            && statement::may_change_rows(query, &self.history)
        {
            let statement = excerpt(&query.sql, STATEMENT_EXCERPT);
            return Err(LogError::StatementDml { at: self.at(header), statement });
        }
        let snapshot = self.history.snapshot();
        let effects = match self.history.apply(statement, &query.schema, &query.session) {
            Ok(effects) => effects,
            Err(source) => {
                let statement = excerpt(&query.sql, STATEMENT_EXCERPT);
                return Err(LogError::Schema { at: self.at(header), statement, source });
            }
        };
        self.open(header).before_ddl.get_or_insert(snapshot);
        if !effects.is_empty() {
            if !query.sql_is_exact {
                let statement = excerpt(&query.sql, STATEMENT_EXCERPT);
                return Err(LogError::Unparsable { at: self.at(header), statement, source: None });
            }
            self.push_ddl(header, query, effects)?;
        }
        self.end_statement(header)
    }

    pub(super) fn push_ddl(
        &mut self,
        header: &EventHeader,
        query: &QueryEvent<'_>,
        effects: Vec<whimbrel_model::TableEffect>,
    ) -> Outcome {
        self.flush(header)?;
        self.ensure_begun(header);
        self.ready.push_back(LogRecord::Ddl(Ddl {
            default_schema: query.schema.clone().into_owned(),
            sql: query.sql.clone().into_owned(),
            sql_mode: query.session.sql_mode,
            effects,
        }));
        Ok(())
    }
}
