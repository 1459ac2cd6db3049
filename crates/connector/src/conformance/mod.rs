//! The suite that every connector must pass: what the traits' contracts promise, tried on a real server.
//!
//! A connector implements [`Playground`] for its server under test and lists the cases with
//! [`conformance_suite!`](crate::conformance_suite), which makes a test of each. Cases fail by panicking, like any
//! test.
//!
//! The cases' own tables need nothing but standard SQL. What is special to a server (its types, their edge values,
//! its kinds of keys) comes from the playground as [`Sample`]s, and every case that moves values runs over all of
//! them.
//!
//! | file | what is tried |
//! |---|---|
//! | `snapshot.rs` | chunks, ranges, batches, fetch, count, held tables, digests |
//! | `writer.rs` | inserts in all modes, deletes, updates, transactions, refusals |
//! | `state.rs` | the state table, take-over and fencing |
//! | `objects.rs` | views and what isn't read |
//! | `log.rs` | rows of the log against rows of the table, order, positions |

#![allow(clippy::panic, reason = "a case fails by panicking; nothing but tests is built with this feature")]

pub mod log;
pub mod objects;
pub mod rows;
pub mod snapshot;
pub mod state;
pub mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use whimbrel_model::{TableName, TableSchema, TableVersion};

use crate::{Source, Target};

/// A server under test, seen as source and as target.
#[async_trait]
pub trait Playground: Send + Sync {
    fn source(&self) -> &dyn Source;

    fn target(&self) -> &dyn Target;

    /// A schema that only this case uses; it exists and is empty.
    fn schema(&self) -> &str;

    /// Runs one statement outside of everything that is tried, on a connection that commits each of them. Panics
    /// where the server refuses it.
    async fn run(&self, sql: &str);

    /// Opens a transaction on a connection of its own, runs the statements and leaves it open; the returned value
    /// commits it.
    async fn open_transaction(&self, statements: &[String]) -> Box<dyn OpenTransaction>;

    /// Tables of all the server's types, and of all kinds of keys.
    fn samples(&self) -> Vec<Sample>;

    /// The server has a log that a `LogReader` reads.
    fn has_log(&self) -> bool;
}

/// A transaction of somebody else.
#[async_trait]
pub trait OpenTransaction: Send {
    async fn commit(self: Box<Self>);
}

/// A table for the cases, in the server's own SQL.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: &'static str,
    /// Columns and keys: what stands in the parentheses of CREATE TABLE.
    pub columns: String,
    /// Rows as tuples, what stands behind VALUES.
    pub rows: Vec<String>,
    /// `column = value`: each makes the first row (in key order) different from what it was. Only for columns that
    /// have a digest.
    pub changes: Vec<String>,
}

impl Sample {
    pub fn new(name: &'static str, columns: &str, rows: &[&str]) -> Self {
        Self {
            name,
            columns: columns.to_owned(),
            rows: rows.iter().map(|row| (*row).to_owned()).collect(),
            changes: Vec::new(),
        }
    }

    #[must_use]
    pub fn with_changes(mut self, changes: &[&str]) -> Self {
        self.changes = changes.iter().map(|change| (*change).to_owned()).collect();
        self
    }
}

/// Creates a table in the playground's schema.
pub async fn create_table(playground: &dyn Playground, name: &str, columns: &str) -> TableName {
    playground.run(&format!("CREATE TABLE {}.{name} ({columns})", playground.schema())).await;
    TableName::new(playground.schema(), name)
}

/// Creates the sample's table under another name, with its rows.
pub async fn create_sample(playground: &dyn Playground, name: &str, sample: &Sample) -> TableName {
    let table = create_table(playground, name, &sample.columns).await;
    for row in &sample.rows {
        playground.run(&format!("INSERT INTO {table} VALUES {row}")).await;
    }
    table
}

/// The definition of a table as the source's catalogue has it.
pub async fn schema_of(playground: &dyn Playground, table: &TableName) -> TableSchema {
    let mut catalog = playground.source().catalog().await.expect("a catalogue can be opened");
    let schemas = catalog.table_schemas(std::slice::from_ref(table)).await;
    schemas.unwrap_or_else(|error| panic!("{error}: {}", error.chain())).remove(0)
}

/// [`schema_of`] as a table version.
pub async fn version_of(playground: &dyn Playground, table: &TableName) -> Arc<TableVersion> {
    Arc::new(TableVersion::new(1, schema_of(playground, table).await))
}

/// Panics with the error's whole chain.
pub fn must<T>(outcome: crate::Result<T>) -> T {
    outcome.unwrap_or_else(|error| panic!("{}: {} ({:?})", error.object, error.chain(), error.kind))
}

/// Makes a test of each case. `$playground` is an expression that gives a future of the playground, for a case name
/// that is in scope as `$case`.
///
/// ```ignore
/// conformance_suite!(|case| MyPlayground::new(case));
/// ```
#[macro_export]
macro_rules! conformance_suite {
    ($playground:expr) => {
        $crate::conformance_suite!(@cases $playground,
            snapshot: chunks_cover_every_row_once_and_in_order,
            snapshot: the_last_bound_ends_the_table,
            snapshot: ranges_are_read_again_after_being_closed,
            snapshot: small_batches_hold_the_same_rows,
            snapshot: rows_are_fetched_by_key,
            snapshot: a_held_table_corresponds_to_its_position,
            snapshot: digests_tell_every_single_change,
            snapshot: a_table_that_is_not_there_is_named,
            writer: values_survive_the_way_through,
            writer: plain_inserts_write_all_or_nothing,
            writer: statements_of_people_are_part_of_the_transaction,
            writer: upserts_touch_only_their_own_row,
            writer: upserts_keep_what_only_the_target_has,
            writer: existing_rows_are_kept,
            writer: deletes_count_what_was_there,
            writer: updates_change_what_they_name,
            writer: keyless_rows_are_matched_as_a_whole,
            writer: a_failed_statement_leaves_its_transaction_as_it_was,
            writer: refused_values_say_so,
            writer: clashing_rows_are_found_by_the_key_named,
            writer: a_cancelled_call_leaves_nothing_behind,
            writer: structures_change_and_tables_are_emptied,
            state: entries_live_and_die_with_their_transaction,
            state: entries_are_listed_by_prefix,
            state: a_task_that_is_forgotten_leaves_nothing,
            state: a_task_that_was_taken_over_can_not_commit,
            state: taking_over_waits_for_open_transactions,
            state: a_task_that_was_taken_over_can_not_change_structures,
            state: taking_over_waits_for_changing_structures,
            state: parallel_writers_do_not_wait_for_each_other,
            objects: views_come_back_with_their_columns,
            objects: nothing_is_read_of_schemas_that_were_not_asked_for,
            log: rows_of_the_log_are_those_of_the_table,
            log: transactions_come_whole_and_in_order,
        );
    };
    (@cases $playground:expr, $($module:ident : $case:ident,)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                let playground = ($playground)(stringify!($case)).await;
                $crate::conformance::$module::$case(&playground).await;
            }
        )*
    };
}
