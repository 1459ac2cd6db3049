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
        // Inside of an executable comment there is no second level of code: servers treat `/*!` there
        // as a plain comment.
        let opening =
            if self.code_comment.is_some() { Opening::Plain } else { classify(rest, self.options.dialect) };
        match opening {
            Opening::Code(length) => {
                self.code_comment = Some(start);
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

/// The version digits behind `/*!` or `/*M!`: five or six, or none.
fn version_digits(rest: &[u8]) -> Option<(u32, usize)> {
    let digits = rest.iter().take(6).take_while(|b| b.is_ascii_digit()).count();
    if digits < 5 {
        return None;
    }
    let version = rest.iter().take(digits).fold(0u32, |n, b| n * 10 + u32::from(b - b'0'));
    Some((version, digits))
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
    let Some((version, digits)) = version_digits(behind) else { return Opening::Code(prefix) };
    let runs = match dialect.family {
        // TiDB and OceanBase read past the digits whatever they say.
        Family::TiDb | Family::OceanBase => true,
        Family::Mysql => version <= dialect.version,
        // Versions from 5.7 to 9.99.99 are MySQL's: MariaDB went from 5.5 to 10.0.
        Family::MariaDb => {
            version <= dialect.version && (mariadb_only || !(50_700..=99_999).contains(&version))
        }
    };
    if runs { Opening::Code(prefix + digits) } else { Opening::Dropped }
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
