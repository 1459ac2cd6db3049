//! Values, schemas, row batches, change records and positions.
//!
//! The vocabulary that every other crate speaks. No I/O, no async, no knowledge of any database's
//! protocol. What is persisted (batches, schemas, positions) is laid out in the module that owns it and
//! carries a version where it is written.

pub mod batch;
pub mod change;
pub mod charset;
pub mod collation;
pub mod gtid;
pub mod object;
pub mod position;
pub mod schema;
pub mod temporal;
pub mod value;

pub use batch::{BatchError, CellKind, RawCell, RowBatch, RowRef};
pub use change::{Begin, Change, ChangeBatch, Commit, Ddl, LogRecord, RowOp, TableEffect, TableVersion};
pub use charset::Charset;
pub use collation::Equality;
pub use object::{AccountName, ObjectKind, SchemaObject};
pub use position::{BinlogPosition, GtidState, LogPoint, Position};
pub use schema::{
    Column, ColumnDefault, DataType, ForeignKey, Generated, Key, KeyPart, TableName, TableSchema, TextSize,
};
pub use temporal::{Date, DateTime, Time};
pub use value::{Value, ValueRef};
