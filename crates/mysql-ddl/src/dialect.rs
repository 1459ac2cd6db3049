//! Which server's language a text is in.

/// A family of servers that share a grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// MySQL, Percona Server.
    Mysql,
    /// MariaDB.
    MariaDb,
    /// TiDB.
    TiDb,
    /// OceanBase in MySQL mode, seekdb.
    OceanBase,
}

/// A family and a version of it.
///
/// The version decides which executable comments are code: `/*!80023 INVISIBLE */` is code for
/// MySQL 8.0.23 and later. It does not forbid syntax: the grammar is the union of all versions, since
/// a statement that a server has logged was valid there.
///
/// Measured on MySQL 9.7.4, MariaDB 10.11.19 and seekdb 1.4.0; TiDB's is from its scanner's source.
///
/// | text | Mysql | MariaDb | TiDb | OceanBase |
/// |---|---|---|---|---|
/// | `/*! .. */` | code | code | code | code |
/// | `/*!NNNNN .. */` | code when N <= version | code when N <= version and N is not 50700..=99999 | code | code |
/// | `/*!NNNNNN .. */` | the same, when white space follows the digits | the same | code | comment |
/// | `/*M! .. */`, `/*M!N .. */` | comment | code when N <= version | comment | comment |
/// | `/*T! .. */`, `/*T![f,g] .. */` | comment | comment | code when every feature is known | comment |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dialect {
    /// The family.
    pub family: Family,
    /// `major * 10000 + minor * 100 + patch`: 90704 is 9.7.4, 101119 is 10.11.19.
    pub version: u32,
}

impl Dialect {
    /// MySQL of a version such as 90704.
    pub const fn mysql(version: u32) -> Self {
        Dialect { family: Family::Mysql, version }
    }

    /// MariaDB of a version such as 101119.
    pub const fn mariadb(version: u32) -> Self {
        Dialect { family: Family::MariaDb, version }
    }

    /// TiDB of a version such as 80500.
    pub const fn tidb(version: u32) -> Self {
        Dialect { family: Family::TiDb, version }
    }

    /// OceanBase of a version such as 40305.
    pub const fn oceanbase(version: u32) -> Self {
        Dialect { family: Family::OceanBase, version }
    }
}

/// The `sql_mode` flags that change how a text is read. All are off by default.
///
/// Flags that change only what an operator means (`PIPES_AS_CONCAT`, `HIGH_NOT_PRECEDENCE`) are not
/// here: expressions are kept as text, and mean on the target what the target's mode says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SqlMode {
    /// `ANSI_QUOTES`: `"a"` is an identifier.
    pub ansi_quotes: bool,
    /// `NO_BACKSLASH_ESCAPES`: a backslash in a string is itself.
    pub no_backslash_escapes: bool,
    /// `REAL_AS_FLOAT`: REAL is FLOAT instead of DOUBLE.
    pub real_as_float: bool,
}

/// How to read a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ParseOptions {
    /// The server's language.
    pub dialect: Dialect,
    /// The session's flags when the statement was run.
    pub sql_mode: SqlMode,
}

impl ParseOptions {
    /// A dialect with the default `sql_mode`.
    pub const fn new(dialect: Dialect) -> Self {
        ParseOptions {
            dialect,
            sql_mode: SqlMode { ansi_quotes: false, no_backslash_escapes: false, real_as_float: false },
        }
    }
}
