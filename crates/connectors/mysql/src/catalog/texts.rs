//! What the server says about texts under a collation.

use whimbrel_connector::text::{TextAsk, TextQuestion};
use whimbrel_connector::{ConnectorError, ErrorKind, Result};
use whimbrel_model::Charset;

use super::session::Session;

pub(super) async fn ask(session: &mut Session, question: &TextQuestion) -> Result<Vec<u8>> {
    let sql = statement(question);
    let no_answer = || {
        ConnectorError::new(ErrorKind::Other, &question.collation, "the server has no answer about a text")
    };
    let row = session.first(&sql, "asking about a text").await?.ok_or_else(no_answer)?;
    let text = row.text(0).ok_or_else(no_answer)?;
    match question.ask {
        TextAsk::Compare | TextAsk::Like => Ok(text.as_bytes().to_vec()),
        TextAsk::Lower | TextAsk::Upper => unhex(text).ok_or_else(no_answer),
    }
}

fn statement(question: &TextQuestion) -> String {
    // Servers before MySQL 8 and MariaDB 10.6 know no utf8mb3.
    let charset = match question.charset {
        Charset::Utf8mb3 => "utf8",
        charset => charset.name(),
    };
    let text = |bytes: &[u8]| format!("_{charset} {} COLLATE {}", hex(bytes), question.collation);
    let left = text(&question.left);
    match question.ask {
        TextAsk::Compare => format!("SELECT STRCMP({left}, {})", text(&question.right)),
        TextAsk::Like => format!("SELECT ({left}) LIKE _utf8mb4 {} ESCAPE '|'", hex(&question.right)),
        TextAsk::Lower => format!("SELECT HEX(LOWER({left}))"),
        TextAsk::Upper => format!("SELECT HEX(UPPER({left}))"),
    }
}

/// Always `X'..'`, which is text behind an introducer even where it is empty.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("X'".to_owned(), |text, byte| text + &format!("{byte:02x}")) + "'"
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}
