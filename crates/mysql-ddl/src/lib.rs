//! Parser of the MySQL family's data definition statements.
