//! Connector for MySQL, MariaDB and OceanBase in MySQL mode.

pub mod error;
pub mod wire;
