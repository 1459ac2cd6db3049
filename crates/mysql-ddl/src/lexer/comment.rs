//! Comments, and which of them are code.

use super::Lexer;
use crate::dialect::{Dialect, Family};
use crate::error::{Failure, ParseErrorKind};

/// TiDB's feature ids (`pingcap/tidb`, parser/tidb/features.go); a comment that names any other is dropped.
const TIDB_FEATURES: [&[u8]; 9] = [
    b"auto_rand",
    b"auto_id_cache",
    b"auto_rand_base",
    b"clustered_index",
    b"force_inc",
    b"placement",
    b"ttl",
    b"global_index",
    b"pre_split",
];

/// What opens a comment.
enum Opening {
    Plain,
    /// Code behind this many bytes.
    Code(usize),
    /// Executable for another server or version.
    Dropped,
}

impl Lexer<'_> {
    /// At `/*`.
    pub(super) fn comment(&mut self) -> Result<(), Failure> {
        let start = self.here();
        let rest = self.source.get(self.at..).unwrap_or_default();
        let opening = classify(rest, self.options.dialect);
        match opening {
            Opening::Code(length) => {
                // One inside another has no end of its own: the first `*/` ends both.
                self.code_comment.get_or_insert(start);
                self.at += length;
                Ok(())
            }
            Opening::Plain => self.skip_comment(start, 0),
            // A dropped comment may hold one level of plain comments.
            Opening::Dropped => self.skip_comment(start, 1),
        }
    }

    fn skip_comment(&mut self, start: u32, mut nested_levels: usize) -> Result<(), Failure> {
        self.at += 2;
        let mut open = 1usize;
        while let Some(byte) = self.peek(0) {
            match (byte, self.peek(1)) {
                (b'*', Some(b'/')) => {
                    self.at += 2;
                    open -= 1;
                    if open == 0 {
                        return Ok(());
                    }
                    nested_levels += 1;
                }
                (b'/', Some(b'*')) if nested_levels > 0 => {
                    self.at += 2;
                    open += 1;
                    nested_levels -= 1;
                }
                _ => self.at += 1,
            }
        }
        Err(Failure::new(ParseErrorKind::Unterminated { what: "comment" }, start))
    }
}

/// The version behind `/*!` or `/*M!`, and its length.
fn version_digits(rest: &[u8], family: Family) -> Option<(u32, usize)> {
    let digits = rest.iter().take(6).take_while(|b| b.is_ascii_digit()).count();
    if digits < 5 {
        return None;
    }
    // MySQL 9.7 takes six digits only with white space behind them, else the first five.
    let six = digits == 6 && (family != Family::Mysql || rest.get(6).is_some_and(u8::is_ascii_whitespace));
    let length = if six { 6 } else { 5 };
    let version = rest.iter().take(length).fold(0u32, |n, b| n * 10 + u32::from(b - b'0'));
    Some((version, length))
}

fn classify(rest: &[u8], dialect: Dialect) -> Opening {
    let Some(behind) = rest.get(2..) else { return Opening::Plain };
    if let Some(behind) = behind.strip_prefix(b"!") {
        return bang(behind, 3, dialect, false);
    }
    match dialect.family {
        Family::MariaDb => match behind.strip_prefix(b"M!") {
            Some(behind) => bang(behind, 4, dialect, true),
            None => Opening::Plain,
        },
        Family::TiDb => match behind.strip_prefix(b"T!") {
            Some(behind) => tidb(behind),
            None => Opening::Plain,
        },
        Family::Mysql | Family::OceanBase => Opening::Plain,
    }
}

fn bang(behind: &[u8], prefix: usize, dialect: Dialect, mariadb_only: bool) -> Opening {
    if dialect.family == Family::OceanBase {
        return oceanbase(behind, prefix);
    }
    let Some((version, digits)) = version_digits(behind, dialect.family) else {
        return Opening::Code(prefix);
    };
    let runs = match dialect.family {
        // TiDB reads past the digits whatever they say.
        Family::TiDb | Family::OceanBase => true,
        Family::Mysql => version <= dialect.version,
        // Versions from 5.7 to 9.99.99 are MySQL's: MariaDB went from 5.5 to 10.0.
        Family::MariaDb => {
            version <= dialect.version && (mariadb_only || !(50_700..=99_999).contains(&version))
        }
    };
    if runs { Opening::Code(prefix + digits) } else { Opening::Dropped }
}

/// Code without digits or with exactly five, whatever they say (seekdb 1.4); else a plain comment.
fn oceanbase(behind: &[u8], prefix: usize) -> Opening {
    match behind.iter().take_while(|b| b.is_ascii_digit()).count() {
        digits @ (0 | 5) => Opening::Code(prefix + digits),
        _ => Opening::Plain,
    }
}

/// `/*T! code */` or `/*T![feature,feature] code */`.
fn tidb(behind: &[u8]) -> Opening {
    let Some(list) = behind.strip_prefix(b"[") else { return Opening::Code(4) };
    let Some(end) = list.iter().position(|b| *b == b']') else { return Opening::Dropped };
    let known = list
        .get(..end)
        .unwrap_or_default()
        .split(|b| *b == b',')
        .all(|feature| TIDB_FEATURES.contains(&feature.trim_ascii()));
    if known { Opening::Code(4 + 1 + end + 1) } else { Opening::Dropped }
}
