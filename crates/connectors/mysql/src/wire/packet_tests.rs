use proptest::prelude::*;

use super::*;

/// MySQL 8.0.36's greeting.
fn mysql8() -> Vec<u8> {
    let mut bytes = b"\x0a8.0.36\0\x08\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15".to_vec();
    bytes.extend_from_slice(&[0; 10]);
    bytes.extend_from_slice(b"ijklmnopqrst\0caching_sha2_password\0");
    bytes
}

#[test]
fn reads_the_greeting_of_mysql_8() {
    let greeting = Greeting::parse(&mysql8()).expect("greeting");
    assert_eq!(greeting.version, "8.0.36");
    assert_eq!(greeting.connection_id, 8);
    assert_eq!(greeting.capabilities, 0xdfff_ffff);
    assert!(greeting.status.autocommit());
    assert_eq!(greeting.scramble, b"abcdefghijklmnopqrst");
    assert_eq!(greeting.plugin, "caching_sha2_password");
}

#[test]
fn reads_the_greeting_of_mysql_5_5_without_plugin() {
    let mut bytes = b"\x0a5.5.9-log\0\x01\0\0\0abcdefgh\0\xff\xf7\x08\x02\0\0\0\0".to_vec();
    bytes.extend_from_slice(&[0; 10]);
    bytes.extend_from_slice(b"ijklmnopqrst\0");
    let greeting = Greeting::parse(&bytes).expect("greeting");
    assert_eq!((greeting.scramble.as_slice(), greeting.plugin.as_str()), (&b"abcdefghijklmnopqrst"[..], ""));
}

#[test]
fn a_plugin_name_without_nul_is_read_too() {
    let mut bytes = mysql8();
    bytes.pop();
    assert_eq!(Greeting::parse(&bytes).expect("greeting").plugin, "caching_sha2_password");
}

#[test]
fn every_truncated_greeting_is_an_error_or_an_older_form() {
    let whole = mysql8();
    // Up to the lower capabilities is the form of 3.23; a plugin name may end anywhere.
    let old_form = whole.iter().position(|byte| *byte == 0).expect("version ends") + 1 + 4 + 8 + 1 + 2;
    let plugin = whole.len() - "caching_sha2_password\0".len();
    for len in (0..plugin).filter(|len| *len != old_form) {
        assert!(Greeting::parse(&whole[..len]).is_err(), "{len}");
    }
}

#[test]
fn reads_ok_with_and_without_counted_text() {
    let plain = OkInfo::parse(b"\0\x03\0\x02\0\x01\0").expect("ok");
    assert_eq!((plain.affected_rows, plain.warnings, plain.info.as_str()), (3, 1, ""));
    let counted = OkInfo::parse(b"\0\xfc\x00\x01\x07\x03\0\0\0\x04info").expect("ok");
    assert_eq!((counted.affected_rows, counted.last_insert_id, counted.info.as_str()), (256, 7, "info"));
    assert!(counted.status.in_transaction() && counted.status.autocommit());
    let bare = OkInfo::parse(b"\0\0\0\x02\0\0\0Rows matched").expect("ok");
    assert_eq!(bare.info, "Rows matched");
    assert_eq!(OkInfo::parse(b"\0\x03\0\x02"), Err(Malformed { what: "status", at: 3 }));
}

#[test]
fn tells_the_end_from_rows() {
    let eof = b"\xfe\x02\0\x08\0";
    assert!(is_end(eof, false) && is_end(eof, true));
    assert!(!is_end(b"\xfe12345678", false), "nine bytes are a row in the old form");
    assert!(!is_end(b"", true) && !is_end(b"\xfb", true));
    for deprecate_eof in [false, true] {
        let end = OkInfo::parse_end(eof, deprecate_eof).expect("end");
        assert!(end.status.more_results() && end.warnings == 2);
    }
    let end = OkInfo::parse_end(b"\xfe\0\0\x21\0\x05\0", true).expect("end");
    assert!(end.status.in_transaction() && end.warnings == 5);
}

#[test]
fn reads_errors_before_and_after_login() {
    let before = parse_err(b"\xff\x10\x04Too many connections");
    assert_eq!(before.server_code(), Some(1040));
    assert_eq!(before.to_string(), "server error 1040 (HY000): Too many connections");
    let after = parse_err(b"\xff\x15\x04#28000Access denied");
    assert_eq!(after.to_string(), "server error 1045 (28000): Access denied");
    assert!(matches!(parse_err(b"\xff\x15"), WireError::Protocol { .. }));
    assert!(matches!(parse_err(b"\xff\x15\x04#28"), WireError::Protocol { .. }));
}

#[test]
fn reads_a_column() {
    let bytes = b"\x03def\x01d\x01t\x02tt\x01c\x02cc\x0c\x2d\0\x40\0\0\0\xfd\x01\x10\x02\0\0";
    let column = Column::parse(bytes).expect("column");
    let names = (column.schema.as_str(), column.table.as_str(), column.org_table.as_str());
    assert_eq!(names, ("d", "t", "tt"));
    assert_eq!((column.name.as_str(), column.org_name.as_str()), ("c", "cc"));
    assert_eq!((column.charset, column.length, column.type_code), (45, 64, 0xfd));
    assert_eq!((column.flags, column.decimals), (0x1001, 2));
    for len in 0..bytes.len() {
        // Of the last two bytes (filler) the length-encoded part still needs the count.
        assert!(Column::parse(&bytes[..len]).is_err(), "{len}");
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(mut bytes: Vec<u8>, first in prop::sample::select(vec![0u8, 1, 10, 0xfb, 0xfe, 0xff])) {
        let parse_all = |bytes: &[u8]| {
            drop(Greeting::parse(bytes));
            drop(OkInfo::parse(bytes));
            drop(OkInfo::parse_end(bytes, true));
            drop(OkInfo::parse_end(bytes, false));
            drop(Column::parse(bytes));
            drop(parse_err(bytes));
        };
        parse_all(&bytes);
        bytes.insert(0, first);
        parse_all(&bytes);
    }

    #[test]
    fn damaged_greetings_never_panic(at in 0usize..75, value: u8, cut in 0usize..80) {
        let mut bytes = mysql8();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
        bytes.truncate(cut);
        drop(Greeting::parse(&bytes));
    }
}
