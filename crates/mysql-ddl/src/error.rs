//! What could not be read, and where.

use crate::token::Span;

/// Why a text could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// The grammar wants something else here.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What may stand here, in words.
        expected: &'static str,
        /// The text that stands here, cut to 40 characters, or `end of statement`.
        found: String,
    },
    /// No statement of the family begins with these words.
    #[error("unknown statement {found}")]
    UnknownStatement {
        /// The first word.
        found: String,
    },
    /// The text holds no statement: it is empty, or comments only.
    #[error("no statement")]
    Empty,
    /// A string, quoted identifier or comment has no end.
    #[error("{what} has no end")]
    Unterminated {
        /// `string`, `quoted identifier`, `comment`.
        what: &'static str,
    },
    /// A hex or bit literal holds something else.
    #[error("malformed {what} literal")]
    MalformedLiteral {
        /// `hex` or `bit`.
        what: &'static str,
    },
    /// A number doesn't fit what it stands for.
    #[error("number {found} is out of range")]
    NumberOutOfRange {
        /// The digits.
        found: String,
    },
    /// A name or a string that has to be text is not UTF-8.
    #[error("{what} is not valid utf-8")]
    NotUtf8 {
        /// `identifier` or `string`.
        what: &'static str,
    },
    /// Parentheses are nested deeper than [`crate::MAX_DEPTH`].
    #[error("parentheses are nested deeper than {limit}", limit = crate::MAX_DEPTH)]
    TooDeep,
    /// The text is longer than offsets can say (4 GiB).
    #[error("text of {bytes} bytes is too long")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

/// A text that could not be read: the reason, the place, and the statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at line {line} column {column} (byte {offset}) of statement: {statement}")]
pub struct ParseError {
    /// The reason.
    pub kind: ParseErrorKind,
    /// Offset of the byte where it was noticed, from the start of the parsed text.
    pub offset: usize,
    /// Line of the offset, from 1.
    pub line: usize,
    /// Column of the offset in characters, from 1.
    pub column: usize,
    /// The beginning of the statement, cut to 80 characters, white space made single.
    pub statement: String,
}

/// A reason and a place, before the place is counted in lines.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ParseErrorKind,
    pub(crate) at: u32,
}

impl Failure {
    pub(crate) fn new(kind: ParseErrorKind, at: u32) -> Self {
        Failure { kind, at }
    }

    /// Counts the place in `source` and names the statement under `statement`.
    pub(crate) fn locate(self, source: &[u8], statement: Span) -> ParseError {
        let offset = self.at as usize;
        let before = source.get(..offset).unwrap_or(source);
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let column =
            String::from_utf8_lossy(before.get(line_start..).unwrap_or_default()).chars().count() + 1;
        let statement = excerpt(statement.of(source), 80);
        ParseError { kind: self.kind, offset, line, column, statement }
    }
}

/// The first `limit` characters, white space made single, for a message.
pub(crate) fn excerpt(text: &[u8], limit: usize) -> String {
    // A character has at most 4 bytes; white space that is dropped may need more, which only shortens.
    let text = text.get(..limit.saturating_mul(8)).unwrap_or(text);
    let text = String::from_utf8_lossy(text);
    let mut out = String::new();
    let mut count = 0;
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
            count += 1;
        }
        for c in word.chars() {
            if count >= limit {
                out.push('…');
                return out;
            }
            out.push(c);
            count += 1;
        }
    }
    out
}
