//! The wire module against servers that misbehave: scripted ones, in this process, over TCP.

mod commands;
mod fake;
mod greeting;
mod login;
mod replication;
