//! The wire module: login, TLS, results and dumps of real servers.

mod login;
mod replication;
mod results;
