//! Connector for MySQL, MariaDB and OceanBase in MySQL mode.

pub mod binlog;
pub mod catalog;
pub mod error;
pub mod log;
pub mod snapshot;
pub mod sql;
pub mod wire;
pub mod writer;
