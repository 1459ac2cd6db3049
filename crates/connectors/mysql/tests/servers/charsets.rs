//! The charsets' tables, whole and in both directions, against what real servers say.

use whimbrel_connector_mysql::wire::Connection;
use whimbrel_model::Charset;

use crate::server::{connect, root};

/// Rows of one statement.
const PART: usize = 20_000;

/// Charsets of one shape have the same byte sequences to try.
fn shape(charset: Charset) -> &'static str {
    match charset {
        Charset::Ucs2 | Charset::Utf16 | Charset::Utf16le => "units",
        Charset::Utf32 => "codes",
        Charset::Utf8mb3 | Charset::Utf8mb4 => "utf8",
        Charset::Gb18030 => "up_to_four",
        _ => match charset.max_len() {
            1 => "one",
            2 => "up_to_two",
            _ => "up_to_three",
        },
    }
}

/// All of the first plane, and some beyond it, in UTF-8.
fn characters() -> Vec<Vec<u8>> {
    let codes =
        (0..0x1_0400u32).chain(0x1_f600..0x1_f700).chain(0x2_0000..0x2_0100).chain(0x10_ff00..0x11_0000);
    codes.filter_map(char::from_u32).map(|character| character.to_string().into_bytes()).collect()
}

/// All that can be a character of charsets of this one's shape.
fn sequences(charset: Charset) -> Vec<Vec<u8>> {
    let pairs =
        |lead: std::ops::Range<u16>| lead.flat_map(|a| (0..0x100u16).map(move |b| vec![a as u8, b as u8]));
    let singles = (0..0x100u16).map(|a| vec![a as u8]);
    match charset {
        Charset::Ucs2 | Charset::Utf16 | Charset::Utf16le => {
            let surrogates = [0xd7ff_u16, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000];
            let two = surrogates
                .iter()
                .flat_map(|a| surrogates.iter().map(move |b| [a.to_be_bytes(), b.to_be_bytes()].concat()));
            pairs(0..0x100).chain(two).collect()
        }
        Charset::Utf32 => {
            [0, 0x41, 0xd7ff, 0xd800, 0xdfff, 0xe000, 0xffff, 0x10000, 0x10_ffff, 0x11_0000, u32::MAX]
                .iter()
                .map(|code| code.to_be_bytes().to_vec())
                .collect()
        }
        Charset::Utf8mb3 | Charset::Utf8mb4 => {
            let ends = [0x7f_u8, 0x80, 0xbf, 0xc0];
            let three =
                (0xe0..0xf0u8).flat_map(|a| (0x7f..0xc1u8).flat_map(move |b| ends.map(|c| vec![a, b, c])));
            let four = (0xf0..=0xffu8).flat_map(|a| (0x7f..0xc1u8).map(move |b| vec![a, b, 0x80, 0xbf]));
            singles
                .chain(pairs(0x80..0x100).filter(|pair| ends.contains(&pair[1])))
                .chain(three)
                .chain(four)
                .collect()
        }
        Charset::Gb18030 => {
            let four = (0x81..0xffu8)
                .flat_map(|a| (b'0'..=b'9').flat_map(move |b| [[a, b, 0x81, b'0'], [a, b, 0xfe, b'9']]));
            let first = (0x81..0xffu8).flat_map(|c| (b'0'..=b'9').map(move |d| [c, d]));
            let plane = first.flat_map(|[c, d]| {
                (0x81..=0x84u8).flat_map(move |a| (b'0'..=b'9').map(move |b| [a, b, c, d]))
            });
            singles.chain(pairs(0x80..0x100)).chain(four.chain(plane).map(|four| four.to_vec())).collect()
        }
        _ => match charset.max_len() {
            1 => singles.collect(),
            2 => singles.chain(pairs(0x80..0x100)).collect(),
            _ => {
                let three = pairs(0x80..0x100).map(|pair| [&[0x8f], pair.as_slice()].concat());
                singles.chain(pairs(0x80..0x100)).chain(three).collect()
            }
        },
    }
}

/// What the server makes of a byte string.
struct Answer {
    item: Vec<u8>,
    /// `None` where it calls the bytes invalid.
    converted: Option<Vec<u8>>,
    /// The bytes as text of their own charset: others where it has mended them.
    kept: Option<Vec<u8>>,
}

/// Makes a table of byte strings.
async fn load(connection: &mut Connection, table: &str, items: &[Vec<u8>]) {
    connection.execute(format!("CREATE TABLE {table} (b VARBINARY(4))")).await.unwrap();
    for part in items.chunks(PART) {
        let values: Vec<String> = part.iter().map(|item| format!("(x'{}')", hex(item))).collect();
        connection.execute(format!("INSERT INTO {table} VALUES {}", values.join(","))).await.unwrap();
    }
}

/// Asks what the bytes of a table, as text in `from`, are in `to`.
async fn ask(connection: &mut Connection, table: &str, from: Charset, to: &str) -> Vec<Answer> {
    let text = format!("CONVERT(b USING {from})");
    let sql =
        format!("SELECT b, CAST(CONVERT({text} USING {to}) AS BINARY), CAST({text} AS BINARY) FROM {table}");
    let mut answers = Vec::new();
    let mut rows = connection.query_stream(sql).await.unwrap();
    while let Some(row) = rows.next().await.unwrap() {
        let cell = |at| row.get(at).map(<[u8]>::to_vec);
        answers.push(Answer { item: cell(0).unwrap(), converted: cell(1), kept: cell(2) });
    }
    answers
}

/// Bytes that we call text are the same text to the server, and what we refuse is invalid to it, or has no character.
async fn reads_as_the_server_does(connection: &mut Connection, server: &str, charset: Charset) {
    let mut valid = 0;
    let table = shape(charset);
    for answer in ask(connection, table, charset, "utf8mb4").await {
        let Answer { item, converted, kept } = answer;
        match charset.to_utf8(&item) {
            Ok(text) => {
                assert_eq!(converted.as_deref(), Some(&*text), "{server}: {charset} x'{}'", hex(&item));
                valid += 1;
            }
            Err(_) => {
                // `?` or U+FFFD instead of it, mended before, or cut off there (MySQL, a lone surrogate in ucs2).
                // MariaDB shows such a surrogate as bytes that are no UTF-8.
                let utf8 = converted.as_deref().filter(|text| str::from_utf8(text).is_ok());
                let back = utf8.and_then(|text| charset.encode_utf8(text));
                let lost = kept.is_none_or(|kept| kept != item) || back.as_deref() != Some(&item);
                assert!(lost, "{server}: {charset} x'{}' is {converted:x?}", hex(&item));
            }
        }
    }
    assert!(valid > 5, "{server}: {charset}");
}

/// Every character is written as the same bytes as the server writes; what we can't write it can't write either.
async fn writes_as_the_server_does(connection: &mut Connection, server: &str, charset: Charset) {
    for answer in ask(connection, "characters", Charset::Utf8mb4, charset.name()).await {
        let Answer { item, converted, .. } = answer;
        let context = || format!("{server}: {charset} {:?}", String::from_utf8_lossy(&item));
        match charset.encode_utf8(&item) {
            Some(bytes) => assert_eq!(converted.as_deref(), Some(&*bytes), "{}", context()),
            // Servers write some characters as bytes that mean another one (tis620, one of cp932).
            None => {
                let back = converted.and_then(|bytes| Some(charset.to_utf8(&bytes).ok()?.into_owned()));
                assert_ne!(back, Some(item.clone()), "{}", context());
            }
        }
    }
}

/// The server's charsets; every one must be known.
async fn charsets(connection: &mut Connection) -> Vec<Charset> {
    let found = connection.query_rows("SHOW CHARACTER SET").await.unwrap();
    let names = found.rows.iter().map(|row| row.text(0).unwrap().to_owned());
    names.map(|name| Charset::from_name(&name).unwrap_or_else(|| panic!("charset {name}"))).collect()
}

async fn agrees(server: &str) {
    let mut connection = connect(server, &root(server)).await;
    let database = format!("charsets_{}", std::process::id());
    for sql in [
        "SET sql_log_bin = 0",
        "SET SESSION sql_mode = ''",
        &format!("CREATE DATABASE {database}"),
        &format!("USE {database}"),
    ] {
        connection.execute(sql).await.unwrap();
    }
    let known = charsets(&mut connection).await;
    let mut shapes: Vec<&str> = Vec::new();
    for charset in &known {
        if !shapes.contains(&shape(*charset)) {
            shapes.push(shape(*charset));
            load(&mut connection, shape(*charset), &sequences(*charset)).await;
        }
    }
    load(&mut connection, "characters", &characters()).await;
    assert!(known.len() >= 36, "{server}: {}", known.len());
    for charset in known.into_iter().filter(|charset| *charset != Charset::Binary) {
        reads_as_the_server_does(&mut connection, server, charset).await;
        writes_as_the_server_does(&mut connection, server, charset).await;
    }
    connection.execute(format!("DROP DATABASE {database}")).await.unwrap();
}

#[tokio::test]
async fn every_character_of_every_charset_is_mysqls() {
    agrees("mysql97").await;
}

#[tokio::test]
async fn every_character_of_every_charset_is_mariadbs() {
    agrees("mariadb1011").await;
}

#[tokio::test]
async fn every_character_of_every_charset_is_that_of_other_versions() {
    for server in ["mysql55", "mysql56", "mariadb102", "mariadb118"] {
        agrees(server).await;
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
