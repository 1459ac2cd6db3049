//! Compares all fields of all rows and writes differences and correction SQL.
