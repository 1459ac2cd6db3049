//! From the bytes of one event to what it says.

use whimbrel_model::gtid::{MariaDbGtidSet, MysqlGtidSet};

use super::bytes::Bytes;
use super::cell::CellLimits;
use super::compression::{TransactionPayload, unpack_event};
use super::error::{BinlogError, EventError};
use super::format::{Checksum, FormatDescription, verify};
use super::gtid::{self, GtidEvent, Xid};
use super::header::{EventHeader, FLAG_IGNORABLE, HEADER_LEN, kind};
use super::query::{self, QueryEvent, QueryLayout};
use super::rows::{RowsEvent, RowsKind, RowsLayout};
use super::table_map::TableMapEvent;

/// What sizes are accepted.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of an event, packed or not.
    pub event: u64,
    /// Bytes of all events of an unpacked transaction together. They are unpacked one by one.
    pub transaction: u64,
}

impl Default for Limits {
    /// The protocol's largest packet (1 GiB) for an event, 1 TiB for a transaction.
    fn default() -> Self {
        Self { event: 1 << 30, transaction: 1 << 40 }
    }
}

/// An event: its header and what it says.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    pub header: EventHeader,
    pub data: EventData<'a>,
}

/// What an event says.
#[derive(Clone, Debug)]
pub enum EventData<'a> {
    FormatDescription,
    /// The log goes on in another file; artificial ones tell where a dump begins.
    Rotate {
        file: String,
        position: u64,
    },
    /// The server was stopped.
    Stop,
    Query(QueryEvent<'a>),
    /// COMMIT of a transaction.
    Xid(u64),
    /// The end of the first half of an XA transaction, or (`one_phase`) its commit.
    XaPrepare {
        one_phase: bool,
        xid: Xid,
    },
    Gtid(GtidEvent),
    PreviousGtids(MysqlGtidSet),
    GtidList(MariaDbGtidSet),
    TableMap(TableMapEvent<'a>),
    Rows(RowsEvent<'a>),
    /// The text of the statement that the row events after it come from.
    RowsQuery(&'a [u8]),
    TransactionPayload(TransactionPayload<'a>),
    /// Nothing to send; the log has been read up to `position` of `file`.
    Heartbeat {
        file: String,
        position: u64,
    },
    /// Session state of a statement after it (`INTVAR`, `RAND`, `USER_VAR`).
    StatementContext,
    /// Part of a file that a LOAD DATA statement reads.
    LoadDataBlock,
    /// LOAD DATA as a statement.
    LoadData(QueryEvent<'a>),
    /// LOAD DATA as a statement of servers before 5.0.3: no text.
    OldLoadData,
    /// Nothing that a reader of changes needs.
    Nothing,
}

/// Reads events one after the other, knows the format and follows the position in the file.
#[derive(Clone, Debug)]
pub struct Decoder {
    limits: Limits,
    format: Option<FormatDescription>,
    /// What events carry until a format description says it.
    checksum: Checksum,
    file: String,
    /// Offset behind the last event.
    offset: u64,
}

impl Decoder {
    /// A decoder for a file or a dump. `checksum` is what the events before the first format description carry:
    /// in a dump, what the session asked for.
    pub fn new(limits: Limits, checksum: Checksum) -> Self {
        Self { limits, format: None, checksum, file: String::new(), offset: 4 }
    }

    /// Says which file the next event is from, and where in it.
    pub fn set_position(&mut self, file: &str, offset: u64) {
        file.clone_into(&mut self.file);
        self.offset = offset;
    }

    /// The file, empty before it is known.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The offset behind the last event, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The format, once its event has been read.
    pub fn format(&self) -> Option<&FormatDescription> {
        self.format.as_ref()
    }

    pub fn is_mariadb(&self) -> bool {
        self.format.as_ref().is_some_and(FormatDescription::is_mariadb)
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Reads an event as it stands in a file or comes from the server, checksum included.
    ///
    /// # Errors
    /// Damaged, unknown and unsupported events; the error names file, offset and type.
    pub fn feed<'a>(&mut self, bytes: &'a [u8]) -> Result<Event<'a>, BinlogError> {
        let start = self.start_of(bytes);
        let event = self.read(bytes).map_err(|cause| self.locate(bytes, start, cause))?;
        self.advance(&event);
        Ok(event)
    }

    /// Reads an event out of a compressed transaction, which has no checksum. The position stays.
    ///
    /// # Errors
    /// As [`Decoder::feed`]; the offset is that behind the payload.
    pub fn feed_inner<'a>(&self, bytes: &'a [u8]) -> Result<Event<'a>, BinlogError> {
        self.read_inner(bytes).map_err(|cause| self.locate(bytes, self.offset, cause))
    }

    /// An error about the event that was read last.
    pub fn error_at(&self, header: &EventHeader, cause: EventError) -> BinlogError {
        cause.at(&self.file, self.offset.saturating_sub(u64::from(header.length)), header.event_type)
    }

    fn locate(&self, bytes: &[u8], offset: u64, cause: EventError) -> BinlogError {
        cause.at(&self.file, offset, bytes.get(4).copied().unwrap_or(u8::MAX))
    }

    /// Offset at which an event begins: by its own header where that fits, else where the last one ended.
    fn start_of(&self, bytes: &[u8]) -> u64 {
        match EventHeader::read(&mut Bytes::new(bytes)) {
            Ok(header)
                if !header.is_artificial()
                    && header.log_pos != 0
                    && header.length as usize == bytes.len() =>
            {
                self.end_of(&header).saturating_sub(u64::from(header.length))
            }
            _ => self.offset,
        }
    }

    /// The end of an event. Its header has 32 bits of it; files may be larger, and a file's offsets only grow.
    fn end_of(&self, header: &EventHeader) -> u64 {
        let end = self.offset & !0xffff_ffff | u64::from(header.log_pos);
        if end < self.offset { end + (1 << 32) } else { end }
    }

    fn advance(&mut self, event: &Event<'_>) {
        match &event.data {
            EventData::Rotate { file, position } => {
                file.clone_into(&mut self.file);
                self.offset = *position;
            }
            EventData::Heartbeat { .. } => {}
            _ if event.header.is_artificial() => {}
            // MariaDB from 11.7 leaves the offset out within a transaction (`binlog_legacy_event_pos`).
            _ if event.header.log_pos == 0 => self.offset += u64::from(event.header.length),
            _ => self.offset = self.end_of(&event.header),
        }
    }

    fn read<'a>(&mut self, bytes: &'a [u8]) -> Result<Event<'a>, EventError> {
        let header = checked_header(bytes)?;
        if header.event_type == kind::FORMAT_DESCRIPTION {
            let format = FormatDescription::read(bytes)?;
            self.checksum = format.checksum;
            self.format = Some(format);
            return Ok(Event { header, data: EventData::FormatDescription });
        }
        let bytes = match self.checksum {
            Checksum::None => bytes,
            Checksum::Crc32 => {
                verify(bytes)?;
                bytes.split_last_chunk::<4>().map_or(bytes, |(event, _)| event)
            }
        };
        self.read_body(header, bytes)
    }

    fn read_inner<'a>(&self, bytes: &'a [u8]) -> Result<Event<'a>, EventError> {
        let header = checked_header(bytes)?;
        match header.event_type {
            kind::FORMAT_DESCRIPTION | kind::TRANSACTION_PAYLOAD | kind::ROTATE => {
                Err(EventError::Invalid("event that can't be in a compressed transaction"))
            }
            _ => self.read_body(header, bytes),
        }
    }

    /// Reads an event whose checksum is off.
    fn read_body<'a>(&self, header: EventHeader, bytes: &'a [u8]) -> Result<Event<'a>, EventError> {
        let mut body = Bytes::new(bytes);
        body.take(HEADER_LEN, "event header")?;
        let data = match header.event_type {
            kind::ROTATE => {
                let position = body.u64("position")?;
                EventData::Rotate { file: file_name(body.rest())?, position }
            }
            kind::HEARTBEAT => {
                EventData::Heartbeat { file: file_name(body.rest())?, position: u64::from(header.log_pos) }
            }
            kind::HEARTBEAT_V2 => read_heartbeat(body)?,
            _ => self.read_logged(&header, body)?,
        };
        Ok(Event { header, data })
    }

    /// Reads an event that stands in a file, and so behind a format description.
    fn read_logged<'a>(
        &self,
        header: &EventHeader,
        mut body: Bytes<'a>,
    ) -> Result<EventData<'a>, EventError> {
        let format = self.format.as_ref().ok_or(EventError::NoFormat)?;
        let post_header_len = format.post_header_len(header.event_type);
        let mariadb = format.is_mariadb();
        Ok(match header.event_type {
            kind::TABLE_MAP => EventData::TableMap(TableMapEvent::read(&mut body, post_header_len)?),
            kind::QUERY => {
                let layout =
                    if post_header_len == 11 { QueryLayout::WithoutStatus } else { QueryLayout::Plain };
                EventData::Query(query::read(body, layout, mariadb)?)
            }
            kind::QUERY_COMPRESSED if mariadb => {
                let layout = QueryLayout::Packed { limit: self.limits.event };
                EventData::Query(query::read(body, layout, mariadb)?)
            }
            kind::XID => EventData::Xid(body.u64("xid")?),
            kind::XA_PREPARE => {
                let (one_phase, xid) = gtid::read_xa_prepare(&mut body)?;
                EventData::XaPrepare { one_phase, xid }
            }
            kind::GTID | kind::ANONYMOUS_GTID => {
                let anonymous = header.event_type == kind::ANONYMOUS_GTID;
                EventData::Gtid(gtid::read_mysql(&mut body, anonymous)?)
            }
            kind::GTID_TAGGED => EventData::Gtid(gtid::read_tagged(&mut body)?),
            kind::MARIADB_GTID if mariadb => {
                EventData::Gtid(gtid::read_mariadb(&mut body, header.server_id)?)
            }
            kind::PREVIOUS_GTIDS => EventData::PreviousGtids(gtid::read_set(&mut body)?),
            kind::GTID_LIST if mariadb => EventData::GtidList(gtid::read_gtid_list(&mut body)?),
            kind::TRANSACTION_PAYLOAD => EventData::TransactionPayload(TransactionPayload::read(&mut body)?),
            kind::ROWS_QUERY => {
                body.u8("statement length")?;
                EventData::RowsQuery(body.rest())
            }
            kind::ANNOTATE_ROWS if mariadb => EventData::RowsQuery(body.rest()),
            kind::BEGIN_LOAD_QUERY | kind::APPEND_BLOCK | kind::DELETE_FILE => EventData::LoadDataBlock,
            kind::EXECUTE_LOAD_QUERY => {
                EventData::LoadData(query::read(body, QueryLayout::LoadData, mariadb)?)
            }
            kind::LOAD | kind::NEW_LOAD | kind::CREATE_FILE | kind::EXEC_LOAD => EventData::OldLoadData,
            kind::INTVAR | kind::RAND | kind::USER_VAR => EventData::StatementContext,
            kind::STOP => EventData::Stop,
            kind::INCIDENT => return Err(read_incident(body)?),
            kind::START_ENCRYPTION if mariadb => return Err(EventError::Encrypted),
            kind::BINLOG_CHECKPOINT if mariadb => EventData::Nothing,
            kind::IGNORABLE | kind::TRANSACTION_CONTEXT | kind::VIEW_CHANGE => EventData::Nothing,
            _ => match rows_kind(header.event_type, mariadb) {
                Some(rows) => EventData::Rows(self.read_rows(rows, format, body)?),
                None if header.flags & FLAG_IGNORABLE != 0 => EventData::Nothing,
                None => return Err(EventError::UnknownEvent(header.event_type)),
            },
        })
    }

    fn read_rows<'a>(
        &self,
        (kind, has_extra_data, packed): (RowsKind, bool, bool),
        format: &FormatDescription,
        body: Bytes<'a>,
    ) -> Result<RowsEvent<'a>, EventError> {
        let layout = RowsLayout {
            kind,
            has_extra_data,
            post_header_len: format.post_header_len(kind::TABLE_MAP),
            limits: CellLimits { unpacked: self.limits.event },
        };
        let unpack = |bytes: &[u8]| unpack_event(bytes, self.limits.event);
        RowsEvent::read(
            body,
            layout,
            packed.then_some(&unpack as &dyn Fn(&[u8]) -> Result<Vec<u8>, EventError>),
        )
    }
}

/// What a type of row event does, whether it has extra data, whether its rows are packed.
fn rows_kind(event_type: u8, mariadb: bool) -> Option<(RowsKind, bool, bool)> {
    use RowsKind::{Delete, Insert, PartialUpdate, Update};
    Some(match event_type {
        kind::WRITE_ROWS_V0 | kind::WRITE_ROWS_V1 => (Insert, false, false),
        kind::UPDATE_ROWS_V0 | kind::UPDATE_ROWS_V1 => (Update, false, false),
        kind::DELETE_ROWS_V0 | kind::DELETE_ROWS_V1 => (Delete, false, false),
        kind::WRITE_ROWS_V2 => (Insert, true, false),
        kind::UPDATE_ROWS_V2 => (Update, true, false),
        kind::DELETE_ROWS_V2 => (Delete, true, false),
        kind::PARTIAL_UPDATE_ROWS => (PartialUpdate, true, false),
        kind::WRITE_ROWS_COMPRESSED_V1 if mariadb => (Insert, false, true),
        kind::UPDATE_ROWS_COMPRESSED_V1 if mariadb => (Update, false, true),
        kind::DELETE_ROWS_COMPRESSED_V1 if mariadb => (Delete, false, true),
        kind::WRITE_ROWS_COMPRESSED if mariadb => (Insert, true, true),
        kind::UPDATE_ROWS_COMPRESSED if mariadb => (Update, true, true),
        kind::DELETE_ROWS_COMPRESSED if mariadb => (Delete, true, true),
        _ => return None,
    })
}

fn checked_header(bytes: &[u8]) -> Result<EventHeader, EventError> {
    let header = EventHeader::read(&mut Bytes::new(bytes))?;
    if header.length as usize != bytes.len() {
        return Err(EventError::Length { stated: header.length, actual: bytes.len() });
    }
    Ok(header)
}

fn file_name(bytes: &[u8]) -> Result<String, EventError> {
    match std::str::from_utf8(bytes) {
        Ok(name) if !name.is_empty() && !name.contains('\0') => Ok(name.to_owned()),
        _ => Err(EventError::Invalid("name of a log file")),
    }
}

/// HEARTBEAT_V2: `{ v field   v length   value }` with field 1 the file's name, 2 the position, 0 the end.
fn read_heartbeat<'a>(mut body: Bytes<'_>) -> Result<EventData<'a>, EventError> {
    let (mut file, mut position) = (None, None);
    while !body.is_empty() {
        let field = body.lenenc("heartbeat field")?;
        if field == 0 {
            break;
        }
        let mut value = Bytes::new(body.lenenc_bytes("heartbeat field")?);
        match field {
            1 => file = Some(file_name(value.rest())?),
            2 => position = Some(value.lenenc("heartbeat position")?),
            _ => {}
        }
    }
    match (file, position) {
        (Some(file), Some(position)) => Ok(EventData::Heartbeat { file, position }),
        _ => Err(EventError::Invalid("heartbeat without file or position")),
    }
}

/// INCIDENT: `2 number   1 length, message`.
fn read_incident(mut body: Bytes<'_>) -> Result<EventError, EventError> {
    let number = body.u16("incident number")?;
    let len = usize::from(body.u8("incident message")?);
    let message = String::from_utf8_lossy(body.take(len, "incident message")?).into_owned();
    Ok(EventError::Incident { number, message })
}
