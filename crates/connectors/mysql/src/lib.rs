//! Connector for MySQL, MariaDB and OceanBase in MySQL mode.
