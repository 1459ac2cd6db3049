//! Payload layouts that the server sends: greeting, OK, ERR, EOF, column definition.

use super::cursor::{Cursor, Malformed};
use super::error::WireError;

/// Capability flags (`CLIENT_*`).
pub(super) mod capability {
    /// Always set; MariaDB reads it as "no MariaDB extensions in the upper half".
    pub(in super::super) const LONG_PASSWORD: u32 = 1;
    pub(in super::super) const FOUND_ROWS: u32 = 1 << 1;
    pub(in super::super) const LONG_FLAG: u32 = 1 << 2;
    pub(in super::super) const CONNECT_WITH_DB: u32 = 1 << 3;
    /// Files of the client may be asked for.
    pub(in super::super) const LOCAL_FILES: u32 = 1 << 7;
    pub(in super::super) const PROTOCOL_41: u32 = 1 << 9;
    pub(in super::super) const SSL: u32 = 1 << 11;
    pub(in super::super) const TRANSACTIONS: u32 = 1 << 13;
    pub(in super::super) const SECURE_CONNECTION: u32 = 1 << 15;
    pub(in super::super) const MULTI_STATEMENTS: u32 = 1 << 16;
    pub(in super::super) const MULTI_RESULTS: u32 = 1 << 17;
    pub(in super::super) const PLUGIN_AUTH: u32 = 1 << 19;
    pub(in super::super) const CONNECT_ATTRS: u32 = 1 << 20;
    pub(in super::super) const PLUGIN_AUTH_LENENC: u32 = 1 << 21;
    pub(in super::super) const DEPRECATE_EOF: u32 = 1 << 24;
}

pub(super) const OK: u8 = 0x00;
pub(super) const MORE_AUTH_DATA: u8 = 0x01;
pub(super) const LOCAL_INFILE: u8 = 0xfb;
pub(super) const EOF: u8 = 0xfe;
pub(super) const ERR: u8 = 0xff;

/// The server's first packet (handshake version 10).
///
/// ```text
/// 1  protocol version, 10         8  scramble, first part     2  character set (1), status (2)
/// s  version, NUL                 1  0                        2  capabilities, upper half
/// 4  connection id                2  capabilities, lower      1  length of scramble    10  reserved
///                                 max(13, length - 8)  scramble, second part          s  plugin, NUL
/// ```
/// Everything after the lower capabilities may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) version: String,
    pub(super) connection_id: u32,
    pub(super) capabilities: u32,
    pub(super) status: StatusFlags,
    pub(super) scramble: Vec<u8>,
    /// Empty if the server does not say (before 5.5.7).
    pub(super) plugin: String,
}

impl Greeting {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(payload);
        if cursor.u8("protocol version")? != 10 {
            return Err(Malformed { what: "protocol version", at: 0 });
        }
        let version = text(cursor.nul_terminated("server version")?);
        let connection_id = cursor.u32("connection id")?;
        let mut scramble = cursor.take(8, "scramble")?.to_vec();
        cursor.take(1, "filler")?;
        let mut greeting = Self {
            version,
            connection_id,
            capabilities: u32::from(cursor.u16("capabilities")?),
            status: StatusFlags::default(),
            scramble: Vec::new(),
            plugin: String::new(),
        };
        if !cursor.is_empty() {
            cursor.u8("character set")?;
            greeting.status = StatusFlags(cursor.u16("status")?);
            greeting.capabilities |= u32::from(cursor.u16("capabilities")?) << 16;
            let scramble_len = usize::from(cursor.u8("scramble length")?);
            cursor.take(10, "reserved bytes")?;
            if greeting.capabilities & capability::SECURE_CONNECTION != 0 {
                let second = cursor.take(scramble_len.saturating_sub(8).max(13), "scramble")?;
                scramble.extend_from_slice(second);
            }
            if greeting.capabilities & capability::PLUGIN_AUTH != 0 {
                // 5.5.7 to 5.5.9 leave out the NUL (bug 59453).
                let name = cursor.rest();
                greeting.plugin = text(name.split(|byte| *byte == 0).next().unwrap_or_default());
            }
        }
        greeting.scramble = trim_scramble(&scramble).to_vec();
        Ok(greeting)
    }
}

/// Drops the NUL that servers put after a scramble of 20 or 32 bytes.
pub(super) fn trim_scramble(scramble: &[u8]) -> &[u8] {
    match scramble {
        [body @ .., 0] if body.len() == 20 || body.len() == 32 => body,
        other => other,
    }
}

/// Status of the session, sent with every result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusFlags(pub u16);

impl StatusFlags {
    pub fn in_transaction(self) -> bool {
        self.0 & 0x0001 != 0
    }

    pub fn autocommit(self) -> bool {
        self.0 & 0x0002 != 0
    }

    pub(super) fn more_results(self) -> bool {
        self.0 & 0x0008 != 0
    }

    /// `sql_mode` has `NO_BACKSLASH_ESCAPES`, under which [`push_string`](super::push_string) is wrong.
    pub fn no_backslash_escapes(self) -> bool {
        self.0 & 0x0200 != 0
    }
}

/// What a statement without rows did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OkInfo {
    /// Matched rows with [`ConnectOptions::found_rows`](super::ConnectOptions::found_rows), else changed rows.
    /// `INSERT ... ON DUPLICATE KEY UPDATE` counts 1 for an insert and 2 for an update.
    pub affected_rows: u64,
    pub last_insert_id: u64,
    pub warnings: u16,
    pub status: StatusFlags,
    /// As in `Rows matched: 1  Changed: 0  Warnings: 0`; mostly empty.
    pub info: String,
}

impl OkInfo {
    /// ```text
    /// 1 0x00 or 0xfe   n affected rows   n last insert id   2 status   2 warnings   s info
    /// ```
    pub(super) fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(payload);
        cursor.u8("packet type")?;
        let affected_rows = cursor.lenenc("affected rows")?;
        let last_insert_id = cursor.lenenc("last insert id")?;
        let status = StatusFlags(cursor.u16("status")?);
        let warnings = cursor.u16("warnings")?;
        // The manual says that the text fills the packet, yet MySQL and MariaDB put its length before it.
        let rest = cursor.rest();
        let mut counted = Cursor::new(rest);
        let info = match counted.lenenc_bytes("info") {
            Ok(info) if counted.is_empty() => info,
            _ => rest,
        };
        Ok(Self { affected_rows, last_insert_id, warnings, status, info: text(info) })
    }

    /// The end of a result set: an EOF packet (`0xfe`, 2 warnings, 2 status) or, with `DEPRECATE_EOF`, an OK
    /// packet that starts with `0xfe`.
    pub(super) fn parse_end(payload: &[u8], deprecate_eof: bool) -> Result<Self, Malformed> {
        // MySQL 5.7's dump threads send a plain EOF of five bytes even where OK packets are agreed on.
        if deprecate_eof && payload.len() > 5 {
            return Self::parse(payload);
        }
        let mut cursor = Cursor::new(payload);
        cursor.u8("packet type")?;
        let warnings = cursor.u16("warnings")?;
        let status = StatusFlags(cursor.u16("status")?);
        Ok(Self { warnings, status, ..Self::default() })
    }
}

/// True for the packet that ends a list of rows or columns.
pub(super) fn is_end(payload: &[u8], deprecate_eof: bool) -> bool {
    // A row may start with 0xfe too, but then its first cell alone has 16 MiB or more.
    let limit = if deprecate_eof { 0xff_ffff } else { 9 };
    payload.first() == Some(&EOF) && payload.len() < limit
}

/// Reads an ERR packet into [`WireError::Server`]: `1 0xff   2 code   [# 5 sqlstate]   s message`.
pub(super) fn parse_err(payload: &[u8]) -> WireError {
    fn read(payload: &[u8]) -> Result<WireError, Malformed> {
        let mut cursor = Cursor::new(payload);
        cursor.u8("packet type")?;
        let code = cursor.u16("error code")?;
        // Before login there is no sqlstate.
        let sqlstate = match cursor.peek() {
            Some(b'#') => text(cursor.take(6, "sqlstate")?.split_at(1).1),
            _ => "HY000".to_owned(),
        };
        Ok(WireError::Server { code, sqlstate, message: text(cursor.rest()) })
    }
    read(payload).unwrap_or_else(WireError::from)
}

/// A column of a result set.
///
/// ```text
/// s "def"  s schema  s table  s original table  s name  s original name
/// n 12     2 collation  4 length  1 type  2 flags  1 decimals  2 filler
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub schema: String,
    /// Alias, or the table's name.
    pub table: String,
    pub org_table: String,
    /// Alias, or the column's name.
    pub name: String,
    pub org_name: String,
    /// Collation id; 63 is `binary`.
    pub charset: u16,
    /// Display length in bytes.
    pub length: u32,
    /// `MYSQL_TYPE_*`.
    pub type_code: u8,
    /// `NOT_NULL_FLAG` 1, `UNSIGNED_FLAG` 32, `BINARY_FLAG` 128 and so on.
    pub flags: u16,
    pub decimals: u8,
}

impl Column {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(payload);
        cursor.lenenc_bytes("catalog")?;
        let schema = text(cursor.lenenc_bytes("schema")?);
        let table = text(cursor.lenenc_bytes("table")?);
        let org_table = text(cursor.lenenc_bytes("original table")?);
        let name = text(cursor.lenenc_bytes("column name")?);
        let org_name = text(cursor.lenenc_bytes("original column name")?);
        let mut fixed = Cursor::new(cursor.lenenc_bytes("fixed-length part")?);
        Ok(Self {
            schema,
            table,
            org_table,
            name,
            org_name,
            charset: fixed.u16("collation")?,
            length: fixed.u32("length")?,
            type_code: fixed.u8("type")?,
            flags: fixed.u16("flags")?,
            decimals: fixed.u8("decimals")?,
        })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
