//! How texts compare: by bytes, or without regard to the case of ASCII letters, as far as that is exact. What a
//! collation does to anything else only a server knows, and is asked (see [`TextQuestion`]).
//!
//! | collation | compared here | asked |
//! |---|---|---|
//! | `binary`, `*_bin` of UTF-8 and of charsets of one byte | everything | |
//! | `*_general_ci` of UTF-8, `latin1_swedish_ci`, `ascii_general_ci` | ASCII | the rest |
//! | Unicode's (`*_unicode_ci`, `*_0900_*`, `*_uca1400_*`) | whether ASCII without control characters is equal | order, the rest |
//! | any other | | everything |

use std::cmp::Ordering;

use whimbrel_connector::text::{TextAsk, TextQuestion};
use whimbrel_model::Charset;

use super::EvalError;
use super::eval::Answers;

/// A collation, by what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextRule {
    pub charset: Charset,
    pub collation: String,
    order: Order,
    /// Trailing spaces don't count.
    pad: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// By bytes.
    Bytes,
    /// ASCII by upper-case letters.
    Upper,
    /// ASCII is equal but for case.
    UpperEquality,
    /// ASCII is equal only where it is the same.
    ExactEquality,
    Unknown,
}

impl TextRule {
    pub fn new(charset: Charset, collation: &str) -> Self {
        let name = collation.to_ascii_lowercase();
        let utf8 = charset.is_utf8();
        let one_byte = !matches!(
            charset,
            Charset::Gbk
                | Charset::Gb2312
                | Charset::Gb18030
                | Charset::Big5
                | Charset::Sjis
                | Charset::Cp932
                | Charset::Ujis
                | Charset::Eucjpms
                | Charset::Euckr
                | Charset::Ucs2
                | Charset::Utf16
                | Charset::Utf16le
                | Charset::Utf32
        );
        let unicode = ["_unicode_", "_0900_", "_uca1400_"].iter().any(|part| name.contains(part));
        let general = utf8 && (name.ends_with("_general_ci") || name.ends_with("_general_nopad_ci"));
        let swedish = matches!(name.as_str(), "latin1_swedish_ci" | "latin1_swedish_nopad_ci");
        let root = |suffixes: &[&str]| utf8 && unicode && suffixes.iter().any(|end| name.ends_with(end));
        let order = if (utf8 || one_byte) && name.ends_with("_bin") {
            Order::Bytes
        } else if general || swedish {
            Order::Upper
        } else if root(&["mb3_unicode_ci", "mb4_unicode_ci", "utf8_unicode_ci"])
            || root(&["_unicode_520_ci", "_0900_ai_ci", "_0900_as_ci"])
            || root(&["_uca1400_ai_ci", "_uca1400_as_ci", "_uca1400_nopad_ai_ci", "_uca1400_nopad_as_ci"])
        {
            Order::UpperEquality
        } else if root(&["_0900_as_cs", "_uca1400_as_cs", "_uca1400_ai_cs"]) {
            Order::ExactEquality
        } else {
            Order::Unknown
        };
        let pad = !name.contains("_0900_") && !name.contains("nopad");
        Self { charset, collation: collation.to_owned(), order, pad }
    }

    fn question(&self, ask: TextAsk, left: &[u8], right: &[u8]) -> TextQuestion {
        TextQuestion {
            charset: self.charset,
            collation: self.collation.clone(),
            ask,
            left: left.to_vec(),
            right: right.to_vec(),
        }
    }

    /// `order`: more than whether they are equal is wanted.
    pub fn compare(
        &self,
        left: &[u8],
        right: &[u8],
        order: bool,
        answers: &Answers,
    ) -> Result<Ordering, EvalError> {
        let known = match self.order {
            Order::Bytes => true,
            Order::Upper => left.is_ascii() && right.is_ascii(),
            Order::UpperEquality | Order::ExactEquality => !order && is_plain(left) && is_plain(right),
            Order::Unknown => false,
        };
        if known {
            return Ok(match self.order {
                Order::Bytes | Order::ExactEquality => padded(left, right, self.pad, |byte| byte),
                _ => padded(left, right, self.pad, |byte| byte.to_ascii_uppercase()),
            });
        }
        match answers.get(self.question(TextAsk::Compare, left, right))?.as_slice() {
            b"-1" => Ok(Ordering::Less),
            b"0" => Ok(Ordering::Equal),
            _ => Ok(Ordering::Greater),
        }
    }

    pub fn like(&self, value: &[u8], pattern: &Pattern, answers: &Answers) -> Result<bool, EvalError> {
        let fold: fn(char) -> char = match self.order {
            Order::Bytes => |c| c,
            Order::ExactEquality if is_plain(value) && pattern.is_plain() => |c| c,
            Order::Upper | Order::UpperEquality if is_plain(value) && pattern.is_plain() => {
                |c| c.to_ascii_uppercase()
            }
            _ => {
                let text = pattern.canonical();
                let answer = answers.get(self.question(TextAsk::Like, value, text.as_bytes()))?;
                return Ok(answer == b"1");
            }
        };
        let text = self.charset.to_utf8(value).map_err(|_| EvalError::InvalidText)?;
        let text = std::str::from_utf8(&text).map_err(|_| EvalError::InvalidText)?;
        let chars: Vec<char> = text.chars().map(fold).collect();
        Ok(matches(&pattern.0, &chars, fold))
    }

    /// LOWER or UPPER.
    pub fn cased(&self, value: &[u8], upper: bool, answers: &Answers) -> Result<Vec<u8>, EvalError> {
        let ascii_stays_ascii = self.charset.is_utf8() || self.charset == Charset::Latin1;
        if value.is_ascii() && ascii_stays_ascii {
            return Ok(if upper { value.to_ascii_uppercase() } else { value.to_ascii_lowercase() });
        }
        answers.get(self.question(if upper { TextAsk::Upper } else { TextAsk::Lower }, value, b""))
    }
}

/// Printable ASCII, which no collation ignores.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| (0x20..0x7f).contains(byte))
}

/// Compares byte by byte; with `pad` the shorter one is followed by spaces.
fn padded(left: &[u8], right: &[u8], pad: bool, weight: fn(u8) -> u8) -> Ordering {
    let common = left.len().min(right.len());
    let (head, tail) = left.split_at(common);
    let (other_head, other_tail) = right.split_at(common);
    let by_head = head.iter().map(|b| weight(*b)).cmp(other_head.iter().map(|b| weight(*b)));
    let beyond = |tail: &[u8]| {
        if !pad && !tail.is_empty() {
            return Ordering::Greater;
        }
        tail.iter().find(|byte| **byte != b' ').map_or(Ordering::Equal, |byte| weight(*byte).cmp(&b' '))
    };
    by_head.then_with(|| beyond(tail)).then_with(|| beyond(other_tail).reverse())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wild {
    Char(char),
    One,
    Any,
}

/// The pattern of a LIKE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(pub Vec<Wild>);

/// What [`Pattern::canonical`] escapes with.
pub(crate) const ESCAPE: char = '|';

impl Pattern {
    /// `None` where the escape character is the last one.
    pub fn parse(text: &str, escape: Option<char>) -> Option<Self> {
        let mut out = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            out.push(match c {
                c if Some(c) == escape => Wild::Char(chars.next()?),
                '%' => Wild::Any,
                '_' => Wild::One,
                c => Wild::Char(c),
            });
        }
        Some(Self(out))
    }

    fn is_plain(&self) -> bool {
        self.0.iter().all(|wild| !matches!(wild, Wild::Char(c) if !(' '..'\u{7f}').contains(c)))
    }

    /// The same pattern with [`ESCAPE`] as its escape character.
    pub fn canonical(&self) -> String {
        let mut text = String::new();
        for wild in &self.0 {
            match wild {
                Wild::Any => text.push('%'),
                Wild::One => text.push('_'),
                Wild::Char(c) => {
                    if matches!(*c, '%' | '_' | ESCAPE) {
                        text.push(ESCAPE);
                    }
                    text.push(*c);
                }
            }
        }
        text
    }

    /// Matches bytes, each of which is a character.
    pub fn matches_bytes(&self, value: &[u8]) -> bool {
        // Characters of the pattern above 0x7F are several bytes.
        let mut wilds = Vec::new();
        for wild in &self.0 {
            match wild {
                Wild::Char(c) => {
                    let mut buffer = [0; 4];
                    let bytes = c.encode_utf8(&mut buffer).as_bytes();
                    wilds.extend(bytes.iter().map(|byte| Wild::Char(char::from(*byte))));
                }
                other => wilds.push(*other),
            }
        }
        let chars: Vec<char> = value.iter().map(|byte| char::from(*byte)).collect();
        matches(&wilds, &chars, |c| c)
    }
}

/// Without recursion: the last `%` is where a mismatch goes back to.
fn matches(pattern: &[Wild], text: &[char], fold: fn(char) -> char) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Wild::Any) => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(Wild::One) => (p, t) = (p + 1, t + 1),
            Some(Wild::Char(c)) if Some(fold(*c)) == text.get(t).copied() => (p, t) = (p + 1, t + 1),
            _ => match retry {
                Some((behind, from)) => {
                    (p, t) = (behind, from + 1);
                    retry = Some((behind, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|wild| *wild == Wild::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_counts_only_where_the_collation_pads() {
        let none = Answers::default();
        let rule = |name: &str| TextRule::new(Charset::Utf8mb4, name);
        let compare = |name: &str, a: &str, b: &str| {
            rule(name).compare(a.as_bytes(), b.as_bytes(), false, &none).unwrap()
        };
        assert_eq!(compare("utf8mb4_bin", "a ", "a"), Ordering::Equal);
        assert_eq!(compare("utf8mb4_bin", "a\t", "a"), Ordering::Less);
        assert_eq!(compare("utf8mb4_0900_bin", "a ", "a"), Ordering::Greater);
        assert_eq!(compare("utf8mb4_general_ci", "ABC", "abc  "), Ordering::Equal);
        assert_ne!(compare("utf8mb4_0900_ai_ci", "abc ", "ABC"), Ordering::Equal);
        assert_eq!(compare("utf8mb4_0900_ai_ci", "abc", "ABC"), Ordering::Equal);
    }

    #[test]
    fn what_isnt_known_here_becomes_a_question() {
        let rule = TextRule::new(Charset::Utf8mb4, "utf8mb4_general_ci");
        let asked = rule.compare("é".as_bytes(), b"e", false, &Answers::default());
        assert!(matches!(asked, Err(EvalError::Ask(_))));
    }

    #[test]
    fn patterns_match_as_like_does() {
        let like = |pattern: &str, text: &str| {
            let chars: Vec<char> = text.chars().collect();
            matches(&Pattern::parse(pattern, Some('\\')).unwrap().0, &chars, |c| c)
        };
        assert!(like("a%c", "abbc") && like("%", "") && like("_%_", "ab") && like("a\\%", "a%"));
        assert!(!like("a%c", "abcd") && !like("_", "") && !like("a\\%", "ab") && like("%ab%ab", "abxabyab"));
        assert_eq!(Pattern::parse("a\\", Some('\\')), None);
        assert_eq!(Pattern::parse("50|%", Some('\\')).unwrap().canonical(), "50||%");
    }
}
