//! Statements that change structures, behind the fence.
//!
//! The servers commit DDL by itself, so it can't be in a transaction with a state entry that is refused to a process that
//! was taken over. In its place:
//!
//! 1. On a second connection, the guard's, a transaction locks this writer's lane in the owner table, for which a
//!    take-over has to wait ([`super::state`]). If the lane is gone: [`whimbrel_connector::ErrorKind::Fenced`].
//! 2. One command holds two statements: an entry of kind `fence` whose epoch is NULL where the task has another owner,
//!    and the DDL. The server stops at the first that fails.
//! 3. The guard's transaction ends.
//!
//! So a process that stalls between 1 and 2 keeps others out; and one whose guard was lost meanwhile (its connection was
//! cut or killed, and a take-over done) is refused by the server at 2.
//!
//! What is left: the guard's lock ends with its connection, which can be lost, or die with the process, while the server
//! is at the DDL. Then a take-over doesn't wait for that statement. The server still puts in order what both do with
//! the same table: the statement has asked for its lock on the table before the take-over was possible, and what the
//! new owner does there waits behind it, but for the moment between the two statements of the command, in which the
//! session holds no lock of the table yet. The connection that runs the DDL could hold a lock of its own (`GET_LOCK`
//! outlives the implicit commit), but seekdb 1.4 keeps such a lock for minutes after its session has ended (measured), so a
//! task whose process was killed couldn't be resumed; and a resumed task would wait hours for an index that its killed
//! process was building.

use whimbrel_connector::{Result, StateKey};

use super::MysqlWriter;
use super::session::Session;
use super::state::fenced;

impl MysqlWriter {
    /// Runs a person's or the log's statement in the session's default schema, which is named in errors.
    pub(super) async fn run_ddl(&mut self, default_schema: &str, sql: &str) -> Result<()> {
        let endpoint = self.session.endpoint.clone();
        let object = if default_schema.is_empty() { &endpoint } else { default_schema };
        self.run_fenced(object, sql.as_bytes()).await
    }

    /// On one connection: where it breaks between two statements, the next one fails.
    pub(super) async fn run_with_settings(
        &mut self,
        default_schema: &str,
        settings: &[String],
        sql: &str,
    ) -> Result<()> {
        for setting in settings {
            self.session.start();
            self.session.sql.extend_from_slice(setting.as_bytes());
            self.session.run("setting up the session for DDL", "").await?;
        }
        self.run_ddl(default_schema, sql).await
    }

    /// Runs one statement that the server commits by itself.
    pub(super) async fn run_fenced(&mut self, object: &str, sql: &[u8]) -> Result<()> {
        // Owned by this call: where its future is dropped, the lock goes with it.
        let mut guard = self.session.beside().await?;
        self.hold_lane(&mut guard).await?;
        self.session.defer(&self.fence_entry(), 1);
        self.session.start();
        self.session.sql.extend_from_slice(sql);
        let done = self.session.run_ddl(object).await;
        if done.is_err() {
            // The check of a command that wasn't sent must not go out with the next one.
            self.session.rollback().await?;
        }
        guard.rollback().await?;
        done
    }

    /// Locks this writer's lane until the guard's transaction ends.
    async fn hold_lane(&self, guard: &mut Session) -> Result<()> {
        guard.begin()?;
        guard.flush().await?;
        guard.sql.extend_from_slice(b"SELECT epoch FROM whimbrel.owner WHERE ");
        self.push_lane(&mut guard.sql, self.lane);
        guard.sql.extend_from_slice(b" FOR UPDATE");
        let lanes = guard.rows("making sure of the task").await?;
        if lanes.rows.is_empty() { Err(fenced(&guard.endpoint)) } else { Ok(()) }
    }

    /// The entry that a fenced writer is refused. It looks at the task's own row, without a lock: the guard holds that of
    /// the lane.
    fn fence_entry(&self) -> Vec<u8> {
        let mut owner = Vec::new();
        self.push_lane(&mut owner, 0);
        let mut sql = Vec::new();
        self.push_put(&mut sql, &StateKey::new("fence", ""), &owner, b"");
        sql
    }
}
