//! Connector for MySQL, MariaDB and OceanBase in MySQL mode.

pub mod binlog;
pub mod catalog;
mod correction;
pub mod endpoint;
pub mod error;
mod inspect;
pub mod log;
pub mod snapshot;
pub mod sql;
pub mod wire;
pub mod writer;

pub use endpoint::MysqlEndpoint;
