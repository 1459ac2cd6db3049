//! The decoder's list of events against the servers' own.

use whimbrel_connector_mysql::binlog::{
    Checksum, Decoder, EventData, FileEvents, Limits, PayloadStream, kind,
};

use crate::sample::{Sample, all};

/// The name that SHOW BINLOG EVENTS has for a type.
fn shown_name(event_type: u8, mariadb: bool) -> &'static str {
    match event_type {
        kind::QUERY => "Query",
        kind::STOP => "Stop",
        kind::ROTATE => "Rotate",
        kind::INTVAR => "Intvar",
        kind::RAND => "RAND",
        kind::USER_VAR => "User var",
        kind::FORMAT_DESCRIPTION => "Format_desc",
        kind::XID => "Xid",
        kind::BEGIN_LOAD_QUERY => "Begin_load_query",
        kind::EXECUTE_LOAD_QUERY => "Execute_load_query",
        kind::TABLE_MAP => "Table_map",
        kind::WRITE_ROWS_V1 if mariadb => "Write_rows_v1",
        kind::UPDATE_ROWS_V1 if mariadb => "Update_rows_v1",
        kind::DELETE_ROWS_V1 if mariadb => "Delete_rows_v1",
        kind::WRITE_ROWS_V1 | kind::WRITE_ROWS_V2 => "Write_rows",
        kind::UPDATE_ROWS_V1 | kind::UPDATE_ROWS_V2 => "Update_rows",
        kind::DELETE_ROWS_V1 | kind::DELETE_ROWS_V2 => "Delete_rows",
        kind::ROWS_QUERY => "Rows_query",
        kind::GTID | kind::MARIADB_GTID => "Gtid",
        kind::ANONYMOUS_GTID => "Anonymous_Gtid",
        kind::PREVIOUS_GTIDS => "Previous_gtids",
        kind::XA_PREPARE => "XA_prepare",
        kind::PARTIAL_UPDATE_ROWS => "Update_rows_partial",
        kind::TRANSACTION_PAYLOAD => "Transaction_payload",
        kind::GTID_TAGGED => "Gtid_tagged_log_event",
        kind::ANNOTATE_ROWS => "Annotate_rows",
        kind::BINLOG_CHECKPOINT => "Binlog_checkpoint",
        kind::GTID_LIST => "Gtid_list",
        kind::QUERY_COMPRESSED => "Query_compressed",
        kind::WRITE_ROWS_COMPRESSED_V1 => "Write_rows_compressed_v1",
        kind::UPDATE_ROWS_COMPRESSED_V1 => "Update_rows_compressed_v1",
        kind::DELETE_ROWS_COMPRESSED_V1 => "Delete_rows_compressed_v1",
        _ => "?",
    }
}

fn list(sample: &Sample) -> Vec<(u64, u64, String)> {
    let mut decoder = Decoder::new(Limits::default(), Checksum::None);
    let mut list = Vec::new();
    let mut start = 4;
    for bytes in FileEvents::new(&sample.content).unwrap() {
        let event = decoder.feed(bytes.unwrap()).unwrap();
        let name = |event_type| shown_name(event_type, sample.is_mariadb()).to_owned();
        let end = start + u64::from(event.header.length);
        list.push((start, end, name(event.header.event_type)));
        if let EventData::TransactionPayload(payload) = &event.data {
            let mut stream = PayloadStream::new(payload, 1 << 30).unwrap();
            while let Some(bytes) = stream.next_event().unwrap() {
                let inner = decoder.feed_inner(bytes).unwrap();
                list.push((end, end, name(inner.header.event_type)));
            }
        }
        start = end;
    }
    list
}

#[test]
fn events_are_those_that_the_servers_list() {
    for sample in all() {
        let ours = list(&sample);
        // A log that goes on was cut where it ended when it was recorded.
        assert_eq!(ours.len(), sample.events.len(), "{}", sample.name());
        for (ours, theirs) in ours.iter().zip(&sample.events) {
            // MariaDB 11.8 shows no end within a transaction.
            let end = if theirs.1 == 0 { 0 } else { ours.1 };
            assert_eq!(&(ours.0, end, ours.2.clone()), theirs, "{}", sample.name());
        }
    }
}
