//! QUERY: a statement as text, with what of the session decides its meaning.
//!
//! ```text
//! 4 thread   4 seconds it took   1 length of the schema's name   2 error code   2 length of the status variables
//! n status variables   schema, NUL   statement (up to the end)
//! ```
//! MariaDB's QUERY_COMPRESSED has the statement packed (see [`super::compression`]).

use std::borrow::Cow;

use whimbrel_model::Charset;

use super::bytes::{Bytes, Truncated};
use super::collation::collation_charset;
use super::compression::unpack_event;
use super::error::EventError;

/// A statement in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryEvent<'a> {
    pub thread_id: u32,
    /// The session's default schema, empty where there was none.
    pub schema: Cow<'a, str>,
    /// In UTF-8.
    pub sql: Cow<'a, str>,
    /// False where bytes of the statement are no text in its client's charset (raw binary values in strings)
    /// and stand as U+FFFD in `sql`.
    pub sql_is_exact: bool,
    /// Not 0 where the statement failed after it had changed something that can't be rolled back.
    pub error_code: u16,
    pub session: SessionState,
}

/// What the log keeps of the session (`Q_..._CODE` status variables).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionState {
    /// `OPTION_NO_FOREIGN_KEY_CHECKS` (1 << 26), `OPTION_RELAXED_UNIQUE_CHECKS` (1 << 27), ...
    pub flags: u32,
    /// MySQL's `sql_mode` bits.
    pub sql_mode: u64,
    /// Number of the collation of `character_set_client`.
    pub client_collation: Option<u16>,
    pub connection_collation: Option<u16>,
    pub server_collation: Option<u16>,
    /// `collation_database` where it isn't the default schema's own.
    pub database_collation: Option<u16>,
    /// `default_collation_for_utf8mb4` (MySQL 8.0.11).
    pub utf8mb4_collation: Option<u16>,
    /// `character_set_collations` (MariaDB 11.3): pairs of a charset's default and the session's choice.
    pub charset_collations: Vec<(u16, u16)>,
    pub time_zone: String,
    /// `explicit_defaults_for_timestamp`; `None` in servers that don't log it.
    pub explicit_timestamp_defaults: Option<bool>,
    /// Fraction of the second in which the statement began, microseconds.
    pub micros: u32,
    /// The statement commits by itself, with this XID (atomic DDL of MySQL 8).
    pub ddl_xid: Option<u64>,
    /// MariaDB: the group's further flags, as in its GTID, where the GTID event has none.
    pub mariadb_flags: u8,
}

/// The variants of a statement event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum QueryLayout {
    Plain,
    /// Of servers before 5.0: no status variables.
    WithoutStatus,
    /// MariaDB's QUERY_COMPRESSED: the statement is packed and at most so many bytes when unpacked.
    Packed {
        limit: u64,
    },
    /// EXECUTE_LOAD_QUERY: before the status variables `4 file   4 + 4 place of the file's name   1 duplicates`.
    LoadData,
}

/// Reads a statement event's body.
pub(crate) fn read(
    mut body: Bytes<'_>,
    layout: QueryLayout,
    mariadb: bool,
) -> Result<QueryEvent<'_>, EventError> {
    let thread_id = body.u32("thread")?;
    body.u32("execution time")?;
    let schema_len = usize::from(body.u8("schema length")?);
    let error_code = body.u16("error code")?;
    let status_len = match layout {
        QueryLayout::WithoutStatus => 0,
        _ => usize::from(body.u16("status length")?),
    };
    if matches!(layout, QueryLayout::LoadData) {
        body.take(13, "load data")?;
    }
    let status = body.take(status_len, "status variables")?;
    let session = read_status(Bytes::new(status), mariadb)?;
    let schema = body.take(schema_len, "schema")?;
    if body.u8("end of schema")? != 0 {
        return Err(EventError::Invalid("schema name of a statement doesn't end"));
    }
    let text = match layout {
        QueryLayout::Packed { limit } => Cow::Owned(unpack_event(body.rest(), limit)?),
        _ => Cow::Borrowed(body.rest()),
    };
    let (sql, sql_is_exact) = to_utf8(text, session.client_collation, mariadb)?;
    Ok(QueryEvent {
        thread_id,
        schema: String::from_utf8_lossy(schema),
        sql,
        sql_is_exact,
        error_code,
        session,
    })
}

/// Makes a statement's text UTF-8; false where that loses bytes.
fn to_utf8(
    text: Cow<'_, [u8]>,
    collation: Option<u16>,
    mariadb: bool,
) -> Result<(Cow<'_, str>, bool), EventError> {
    let charset = match collation {
        None => Charset::Utf8mb4,
        Some(number) => match collation_charset(u32::from(number), mariadb) {
            Some(charset) => charset,
            None if text.is_ascii() => Charset::Utf8mb4,
            None => return Err(EventError::Collation(u32::from(number))),
        },
    };
    // UTF-8, and bytes whose charset is "binary".
    if charset.is_utf8() || charset == Charset::Binary {
        let (text, lossy) = match text {
            Cow::Borrowed(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                let lossy = matches!(text, Cow::Owned(_));
                (text, lossy)
            }
            Cow::Owned(bytes) => match String::from_utf8(bytes) {
                Ok(text) => (Cow::Owned(text), false),
                Err(error) => (Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()), true),
            },
        };
        return Ok((text, !lossy));
    }
    match charset.to_utf8(&text) {
        Ok(utf8) => Ok((Cow::Owned(String::from_utf8_lossy(&utf8).into_owned()), true)),
        Err(_) => Ok((Cow::Owned(String::from_utf8_lossy(&text).into_owned()), false)),
    }
}

/// Reads status variables. As in the servers, what follows an unknown one isn't read.
fn read_status(mut status: Bytes<'_>, mariadb: bool) -> Result<SessionState, Truncated> {
    const WHAT: &str = "status variable";
    let mut session = SessionState::default();
    while !status.is_empty() {
        match status.u8(WHAT)? {
            0 => session.flags = status.u32(WHAT)?,
            1 => session.sql_mode = status.u64(WHAT)?,
            2 => {
                let len = usize::from(status.u8(WHAT)?);
                status.take(len + 1, WHAT)?;
            }
            3 => drop(status.u32(WHAT)?),
            4 => {
                session.client_collation = Some(status.u16(WHAT)?);
                session.connection_collation = Some(status.u16(WHAT)?);
                session.server_collation = Some(status.u16(WHAT)?);
            }
            5 => {
                let len = usize::from(status.u8(WHAT)?);
                session.time_zone = String::from_utf8_lossy(status.take(len, WHAT)?).into_owned();
            }
            6 => {
                let len = usize::from(status.u8(WHAT)?);
                status.take(len, WHAT)?;
            }
            7 => drop(status.u16(WHAT)?),
            8 => session.database_collation = Some(status.u16(WHAT)?),
            9 => drop(status.u64(WHAT)?),
            10 => drop(status.u32(WHAT)?),
            11 => {
                for _ in 0..2 {
                    let len = usize::from(status.u8(WHAT)?);
                    status.take(len, WHAT)?;
                }
            }
            12 => {
                // 254: more schemas than are listed.
                let count = status.u8(WHAT)?;
                for _ in 0..if count == 254 { 0 } else { count } {
                    status.nul_terminated(WHAT)?;
                }
            }
            13 | 128 => session.micros = status.u24(WHAT)?,
            16 if !mariadb => session.explicit_timestamp_defaults = Some(status.u8(WHAT)? != 0),
            17 if !mariadb => session.ddl_xid = Some(status.u64(WHAT)?),
            18 if !mariadb => session.utf8mb4_collation = Some(status.u16(WHAT)?),
            19 | 20 if !mariadb => drop(status.u8(WHAT)?),
            129 if mariadb => session.ddl_xid = Some(status.u64(WHAT)?),
            130 if mariadb => {
                session.mariadb_flags = status.u8(WHAT)?;
                // Commit and rollback of a two-phase ALTER name its start.
                if session.mariadb_flags & (4 | 8) != 0 {
                    status.u64(WHAT)?;
                }
            }
            131 if mariadb => {
                let count = status.u8(WHAT)?;
                for _ in 0..count {
                    session.charset_collations.push((status.u16(WHAT)?, status.u16(WHAT)?));
                }
            }
            _ => break,
        }
    }
    Ok(session)
}

impl SessionState {
    /// `foreign_key_checks = 0`.
    pub fn foreign_keys_off(&self) -> bool {
        self.flags & 1 << 26 != 0
    }

    /// `sql_mode` has ANSI_QUOTES.
    pub fn ansi_quotes(&self) -> bool {
        self.sql_mode & 4 != 0
    }

    /// `sql_mode` has NO_BACKSLASH_ESCAPES.
    pub fn no_backslash_escapes(&self) -> bool {
        self.sql_mode & 0x10_0000 != 0
    }

    /// `sql_mode` has REAL_AS_FLOAT.
    pub fn real_as_float(&self) -> bool {
        self.sql_mode & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(status: &[u8], schema: &str, sql: &[u8]) -> Vec<u8> {
        let mut body = vec![7, 0, 0, 0, 0, 0, 0, 0, schema.len() as u8, 0, 0];
        body.extend_from_slice(&(status.len() as u16).to_le_bytes());
        body.extend_from_slice(status);
        body.extend_from_slice(schema.as_bytes());
        body.push(0);
        body.extend_from_slice(sql);
        body
    }

    #[test]
    fn a_statement_becomes_utf8_by_its_clients_charset() {
        // FLAGS2, SQL_MODE, CATALOG_NZ, CHARSET with client latin1 (8).
        let mut status = vec![0, 0, 0, 0, 4, 1, 4, 0, 0, 0, 0, 0, 0, 0, 6, 3, b's', b't', b'd'];
        status.extend_from_slice(&[4, 8, 0, 8, 0, 33, 0]);
        let body = query(&status, "shop", b"CREATE TABLE `caf\xe9` (a INT)");
        let event = read(Bytes::new(&body), QueryLayout::Plain, false).unwrap();
        assert!(event.sql_is_exact);
        assert_eq!((event.schema.as_ref(), event.sql.as_ref()), ("shop", "CREATE TABLE `café` (a INT)"));
        assert!(event.session.ansi_quotes() && event.session.foreign_keys_off());
        assert!(!event.session.no_backslash_escapes());
    }

    #[test]
    fn text_that_is_none_in_its_charset_is_told() {
        let body = query(&[4, 45, 0, 45, 0, 45, 0], "", b"INSERT '\xff'");
        let event = read(Bytes::new(&body), QueryLayout::Plain, false).unwrap();
        assert!(!event.sql_is_exact);
        // There is no collation 999.
        let body = query(&[4, 0xe7, 3, 45, 0, 45, 0], "", b"CREATE TABLE \xff");
        let error = read(Bytes::new(&body), QueryLayout::Plain, false).unwrap_err();
        assert!(matches!(error, EventError::Collation(999)));
    }

    #[test]
    fn the_same_code_means_different_things_to_the_families() {
        let status = [131, 1, 45, 0, 0, 9, 130, 4, 1, 0, 0, 0, 0, 0, 0, 0];
        let body = query(&status, "", b"x");
        let mariadb = read(Bytes::new(&body), QueryLayout::Plain, true).unwrap().session;
        assert_eq!((mariadb.charset_collations, mariadb.mariadb_flags), (vec![(45, 0x0900)], 4));
        assert_eq!(
            read(Bytes::new(&body), QueryLayout::Plain, false).unwrap().session,
            SessionState::default()
        );
    }
}
