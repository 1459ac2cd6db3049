//! Looking into the data of a source before anything is moved: which values a target won't take.
//!
//! Every question has a bound; what an answer cost is part of the answer.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use whimbrel_model::{Column, DataType, Key, TableSchema};

use crate::Result;

/// What is asked of every row of a table. Columns are named as the table has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The value can't be held by a column of this type.
    DoesNotFit { column: String, to: DataType },
    /// A zero date, a date with a zero month or day, or one that no calendar has.
    UnrealDate { column: String },
    /// The bytes are no text in the column's charset.
    InvalidText { column: String },
    /// A character that takes four bytes in UTF-8.
    FourByteCharacter { column: String },
    /// A geometry with a spatial reference system.
    SpatialReference { column: String },
    /// The values of the row take more bytes together.
    LargerThan { bytes: u64 },
}

/// How much a question may cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bound {
    /// Most rows to read of one table; `None` reads all.
    pub rows: Option<u64>,
    /// Longest time for one statement.
    pub time: Option<Duration>,
}

/// What reading a table, or a part of it, cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    pub rows_read: u64,
    pub milliseconds: u64,
    /// All rows were read.
    pub complete: bool,
    /// Why there is no answer: the time was up, or the server refused the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// Answers to the questions of one table.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    pub cost: Cost,
    /// How many rows each question holds for, in the order of the questions; empty where the scan was stopped.
    pub rows: Vec<u64>,
}

/// Rows whose keys become equal.
#[derive(Clone, Debug, Default)]
pub struct Collisions {
    pub cost: Cost,
    /// Keys of the target that more than one row of the source would have.
    pub keys: u64,
    /// Rows that are in the way of another one: for each such key one less than its rows.
    pub rows: u64,
    /// Some of the keys, for people.
    pub samples: Vec<String>,
}

/// Asks a server about its rows; reads only.
#[async_trait]
pub trait Inspector: Send {
    /// Counts the rows of a table for which each question holds, in one pass.
    async fn scan(&mut self, table: &TableSchema, questions: &[Question], bound: Bound) -> Result<Scan>;

    /// True where this server can compare text as that collation does.
    async fn can_collate(&mut self, collation: &str) -> Result<bool>;

    /// Counts keys that would be equal if the columns of `key` were as in `columns`, the target's. This server does the
    /// comparing, so it must have their collations.
    async fn collisions(
        &mut self,
        table: &TableSchema,
        key: &Key,
        columns: &[Column],
        bound: Bound,
    ) -> Result<Collisions>;
}

/// Keys of a source put into a scratch table of the target, whose own collations say which of them are equal. The way
/// for collations that the source can't compare by.
#[async_trait]
pub trait KeyTrial: Send {
    /// Adds rows of the plan's source layout.
    async fn add(&mut self, rows: &whimbrel_model::RowBatch) -> Result<()>;

    /// Counts what is equal.
    async fn collisions(&mut self) -> Result<Collisions>;

    /// Drops the scratch schema. To be called whatever happened before.
    async fn discard(&mut self) -> Result<()>;
}
