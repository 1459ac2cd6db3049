//! The syntax tree.
//!
//! Trees own their text. Names and strings are decoded; expressions, queries and routine bodies are
//! [`Fragment`]s: the source place plus the canonical text of their tokens. Equality ignores places
//! (see [`Span`]). `Display` of any node is canonical SQL for the default `sql_mode`, which parses back
//! to an equal tree.
//!
//! Where the grammar gives one meaning many spellings (INTEGER, INT4; KEY, INDEX; DATABASE, SCHEMA;
//! an optional `=` or COLUMN), the tree has one form. The docs of clauses say what they do to a table,
//! for those who keep a schema history.

mod alter;
mod classified;
mod column;
mod data_type;
mod database;
mod index;
mod name;
mod option;
mod partition;
mod statement;
mod table;

pub use crate::token::Span;
pub use alter::{
    AlterClause, AlterColumnAction, AlterTable, ColumnPosition, IndexVisibility, PartitionSelection,
};
pub use classified::Classified;
pub use column::{
    ColumnAttribute, ColumnDef, DefaultValue, GeneratedStorage, Literal, LiteralKind, PrimaryKeyLayout,
};
pub use data_type::{DataType, TypeKind};
pub use database::{AlterDatabase, CreateDatabase, DatabaseOption, DropDatabase};
pub use index::{
    CheckDef, CreateIndex, DropIndex, ForeignKeyDef, IndexDef, IndexKind, IndexOption, KeyPart,
    KeyPartTarget, MatchType, References, ReferentialAction, SortOrder,
};
pub use name::{Fragment, Ident, ObjectName, TableName};
pub use option::{OptionValue, TableOption, TableOptions};
pub use partition::{
    PartitionDef, PartitionMethod, PartitionValues, Partitioning, SubpartitionDef, Subpartitioning,
    SystemTimePartitioning,
};
pub use statement::{Body, Statement, StatementClass, StatementKind};
pub use table::{
    CreateTable, CreateTableBody, CreateTableQuery, DropTable, DuplicateRows, PeriodDef, RenameTable,
    TableDefinition, TableElement, TruncateTable,
};
