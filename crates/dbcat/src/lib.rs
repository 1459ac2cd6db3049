//! Converts schemas between databases and writes DDL.
