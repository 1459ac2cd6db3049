//! Charsets by MySQL's names, and their exact conversion to UTF-8 and back.
//!
//! A batch holds text in the column's own charset, byte for byte; conversion happens where the text leaves
//! for a server that wants UTF-8. Bytes that are no text in their charset are an error, never `?`: neither
//! bytes that the server would refuse, nor such as it stores and has no character for (`x'80'` in ascii).
//!
//! MySQL 9.7 and MariaDB 10.11 agree on every character of every charset that they share; gb18030
//! is MySQL's alone. (MariaDB also stores lone surrogates in utf8, ucs2 and utf32, which no other server takes.)

mod table;
mod unicode;

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use table::Table;

pub(crate) use table::code_points;

/// A charset of the MySQL family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Charset {
    Binary,
    Ascii,
    Utf8mb3,
    Utf8mb4,
    Latin1,
    Latin2,
    Latin5,
    Latin7,
    Cp1250,
    Cp1251,
    Cp1256,
    Cp1257,
    Cp850,
    Cp852,
    Cp866,
    Armscii8,
    Dec8,
    Geostd8,
    Greek,
    Hebrew,
    Hp8,
    Keybcs2,
    Koi8r,
    Koi8u,
    Macce,
    Macroman,
    Swe7,
    Tis620,
    Gbk,
    Gb2312,
    Gb18030,
    Big5,
    Sjis,
    Cp932,
    Ujis,
    Eucjpms,
    Euckr,
    Ucs2,
    Utf16,
    Utf16le,
    Utf32,
}

/// Bytes that are no text in their charset.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("bytes are not valid {charset} text")]
pub struct InvalidText {
    pub charset: Charset,
}

const NAMES: [(&str, Charset); 42] = [
    ("binary", Charset::Binary),
    ("ascii", Charset::Ascii),
    ("utf8mb3", Charset::Utf8mb3),
    ("utf8", Charset::Utf8mb3),
    ("utf8mb4", Charset::Utf8mb4),
    ("latin1", Charset::Latin1),
    ("latin2", Charset::Latin2),
    ("latin5", Charset::Latin5),
    ("latin7", Charset::Latin7),
    ("cp1250", Charset::Cp1250),
    ("cp1251", Charset::Cp1251),
    ("cp1256", Charset::Cp1256),
    ("cp1257", Charset::Cp1257),
    ("cp850", Charset::Cp850),
    ("cp852", Charset::Cp852),
    ("cp866", Charset::Cp866),
    ("armscii8", Charset::Armscii8),
    ("dec8", Charset::Dec8),
    ("geostd8", Charset::Geostd8),
    ("greek", Charset::Greek),
    ("hebrew", Charset::Hebrew),
    ("hp8", Charset::Hp8),
    ("keybcs2", Charset::Keybcs2),
    ("koi8r", Charset::Koi8r),
    ("koi8u", Charset::Koi8u),
    ("macce", Charset::Macce),
    ("macroman", Charset::Macroman),
    ("swe7", Charset::Swe7),
    ("tis620", Charset::Tis620),
    ("gbk", Charset::Gbk),
    ("gb2312", Charset::Gb2312),
    ("gb18030", Charset::Gb18030),
    ("big5", Charset::Big5),
    ("sjis", Charset::Sjis),
    ("cp932", Charset::Cp932),
    ("ujis", Charset::Ujis),
    ("eucjpms", Charset::Eucjpms),
    ("euckr", Charset::Euckr),
    ("ucs2", Charset::Ucs2),
    ("utf16", Charset::Utf16),
    ("utf16le", Charset::Utf16le),
    ("utf32", Charset::Utf32),
];

/// A function that finds the table of a charset, read when it is first needed.
macro_rules! tables {
    ($($charset:ident $file:literal,)*) => {
        fn table(charset: Charset) -> Option<&'static Table> {
            match charset {
                $(Charset::$charset => {
                    static TABLE: LazyLock<Option<Table>> =
                        LazyLock::new(|| Table::parse(include_str!(concat!("charset/tables/", $file))));
                    TABLE.as_ref()
                })*
                _ => None,
            }
        }
    };
}

tables! {
    Latin1 "latin1.txt",
    Latin2 "latin2.txt",
    Latin5 "latin5.txt",
    Latin7 "latin7.txt",
    Cp1250 "cp1250.txt",
    Cp1251 "cp1251.txt",
    Cp1256 "cp1256.txt",
    Cp1257 "cp1257.txt",
    Cp850 "cp850.txt",
    Cp852 "cp852.txt",
    Cp866 "cp866.txt",
    Armscii8 "armscii8.txt",
    Dec8 "dec8.txt",
    Geostd8 "geostd8.txt",
    Greek "greek.txt",
    Hebrew "hebrew.txt",
    Hp8 "hp8.txt",
    Keybcs2 "keybcs2.txt",
    Koi8r "koi8r.txt",
    Koi8u "koi8u.txt",
    Macce "macce.txt",
    Macroman "macroman.txt",
    Swe7 "swe7.txt",
    Tis620 "tis620.txt",
    Gbk "gbk.txt",
    Gb2312 "gb2312.txt",
    Gb18030 "gb18030.txt",
    Big5 "big5.txt",
    Sjis "sjis.txt",
    Cp932 "cp932.txt",
    Ujis "ujis.txt",
    Eucjpms "eucjpms.txt",
    Euckr "euckr.txt",
}

impl Charset {
    /// `None` where no server of the family has such a charset.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, charset)| *charset)
    }

    /// The charset of a collation: what stands before the first underscore of its name.
    pub fn of_collation(collation: &str) -> Option<Self> {
        Self::from_name(collation.split('_').next().unwrap_or(collation))
    }

    /// MySQL's name, `utf8mb3` for the old `utf8`.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, charset)| *charset == self).map_or("binary", |(name, _)| name)
    }

    /// True where text of this charset is UTF-8 as it stands.
    pub fn is_utf8(self) -> bool {
        matches!(self, Self::Utf8mb4 | Self::Utf8mb3 | Self::Ascii)
    }

    /// True where text of ASCII bytes alone is the same in UTF-8, and is written as the same bytes. Not so in `swe7`,
    /// in `sjis` (servers write a backslash as `x'815f'`), and where every character takes two or four bytes.
    pub fn keeps_ascii(self) -> bool {
        self.is_utf8() || table(self).is_some_and(Table::is_ascii)
    }

    /// Bytes of the longest character, which servers reserve for each.
    pub fn max_len(self) -> u32 {
        match self {
            Self::Utf8mb3 | Self::Ujis | Self::Eucjpms => 3,
            Self::Utf8mb4 | Self::Utf16 | Self::Utf16le | Self::Utf32 | Self::Gb18030 => 4,
            Self::Ucs2 | Self::Gbk | Self::Gb2312 | Self::Big5 | Self::Sjis | Self::Cp932 | Self::Euckr => 2,
            _ => 1,
        }
    }

    /// Every charset, in no order that means something.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().filter(|(name, charset)| *name == charset.name()).map(|(_, charset)| *charset)
    }

    /// The text as UTF-8, without copying where it is UTF-8 already.
    ///
    /// # Errors
    /// Bytes that are no text in this charset; `Binary` always passes bytes through.
    pub fn to_utf8(self, bytes: &[u8]) -> Result<Cow<'_, [u8]>, InvalidText> {
        let text = match self {
            Self::Binary => return Ok(Cow::Borrowed(bytes)),
            Self::Ascii => bytes.is_ascii().then_some(Cow::Borrowed(bytes)),
            Self::Utf8mb3 => {
                let text = std::str::from_utf8(bytes).ok();
                text.filter(|text| unicode::is_first_plane(text)).map(|_| Cow::Borrowed(bytes))
            }
            Self::Utf8mb4 => std::str::from_utf8(bytes).ok().map(|_| Cow::Borrowed(bytes)),
            Self::Ucs2 => unicode::decode_ucs2(bytes).map(owned),
            Self::Utf16 => unicode::decode_utf16(bytes, u16::from_be_bytes).map(owned),
            Self::Utf16le => unicode::decode_utf16(bytes, u16::from_le_bytes).map(owned),
            Self::Utf32 => unicode::decode_utf32(bytes).map(owned),
            _ => table(self).and_then(|table| {
                if table.is_ascii() && bytes.is_ascii() {
                    Some(Cow::Borrowed(bytes))
                } else {
                    table.decode(bytes).map(owned)
                }
            }),
        };
        text.ok_or(InvalidText { charset: self })
    }

    /// UTF-8 text in this charset; `None` where a character isn't in it, or the bytes are no UTF-8. Where several
    /// bytes mean the same character (cp932 has 396 of these), it is written as servers write it.
    pub fn encode_utf8(self, text: &[u8]) -> Option<Cow<'_, [u8]>> {
        if matches!(self, Self::Binary | Self::Utf8mb4) {
            return Some(Cow::Borrowed(text));
        }
        let chars = std::str::from_utf8(text).ok()?;
        match self {
            Self::Ascii => chars.is_ascii().then_some(Cow::Borrowed(text)),
            Self::Utf8mb3 => unicode::is_first_plane(chars).then_some(Cow::Borrowed(text)),
            Self::Ucs2 => unicode::encode_ucs2(chars).map(Cow::Owned),
            Self::Utf16 => Some(Cow::Owned(unicode::encode_utf16(chars, u16::to_be_bytes))),
            Self::Utf16le => Some(Cow::Owned(unicode::encode_utf16(chars, u16::to_le_bytes))),
            Self::Utf32 => Some(Cow::Owned(unicode::encode_utf32(chars))),
            _ => {
                let table = table(self)?;
                if table.is_ascii() && text.is_ascii() {
                    return Some(Cow::Borrowed(text));
                }
                table.encode(chars).map(Cow::Owned)
            }
        }
    }
}

impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn owned<'a>(text: String) -> Cow<'a, [u8]> {
    Cow::Owned(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_utf8_exactly() {
        for (charset, bytes, text) in [
            (Charset::Latin1, &b"caf\xe9 \x80"[..], "café €"),
            (Charset::Gbk, b"\xc4\xe3\xba\xc3", "你好"),
            (Charset::Utf16, b"\xd8\x3d\xde\x00", "😀"),
            (Charset::Utf32, b"\x00\x01\xf6\x00", "😀"),
            (Charset::Sjis, b"\x83\x65", "テ"),
            (Charset::Utf8mb4, "ü".as_bytes(), "ü"),
            (Charset::Swe7, b"sm|rg}s", "smörgås"),
            (Charset::Latin1, b"\x81\x8d", "\u{81}\u{8d}"),
            (Charset::Gb18030, b"a\x81\x40\x94\x39\xda\x33", "a丂💩"),
            (Charset::Ujis, b"\x8f\xb0\xa1\x8e\xb1", "丂ｱ"),
            (Charset::Ucs2, b"\x20\xac", "€"),
        ] {
            assert_eq!(charset.to_utf8(bytes).unwrap(), text.as_bytes(), "{charset}");
            assert_eq!(charset.encode_utf8(text.as_bytes()).unwrap(), bytes, "{charset}");
        }
        assert_eq!(Charset::Latin1.encode_utf8("你".as_bytes()), None);
        assert_eq!(Charset::Ucs2.encode_utf8("😀".as_bytes()), None);
    }

    #[test]
    fn bytes_that_are_no_text_are_an_error() {
        for (charset, bytes) in [
            (Charset::Utf8mb4, &b"\xff"[..]),
            (Charset::Ascii, b"\x80"),
            (Charset::Utf16, b"\xd8\x00\x00\x41"),
            (Charset::Utf16, b"\x00"),
            (Charset::Gbk, b"\xff\xff"),
            (Charset::Gbk, b"a\xc4"),
            (Charset::Gbk, b"\x80"),
            (Charset::Tis620, b"\xdb"),
            (Charset::Big5, b"\xa1\x5a"),
            (Charset::Ucs2, b"\xd8\x3d\xde\x00"),
            (Charset::Utf8mb3, "😀".as_bytes()),
            (Charset::Utf32, b"\x00\x11\x00\x00"),
        ] {
            assert_eq!(charset.to_utf8(bytes).unwrap_err(), InvalidText { charset });
        }
    }

    #[test]
    fn bytes_that_mean_the_same_are_written_as_servers_do() {
        assert_eq!(Charset::Cp932.to_utf8(b"\xee\xef\xfa\x40").unwrap(), "ⅰⅰ".as_bytes());
        assert_eq!(Charset::Cp932.encode_utf8("ⅰ".as_bytes()).unwrap(), &b"\xfa\x40"[..]);
        assert_eq!(Charset::Sjis.to_utf8(b"\x5c\x81\x5f").unwrap(), &b"\\\\"[..]);
        assert_eq!(Charset::Sjis.encode_utf8(b"\\").unwrap(), &b"\x81\x5f"[..]);
    }

    #[test]
    fn every_table_is_read_and_turns_around() {
        for charset in Charset::all().filter(|charset| table(*charset).is_some()) {
            let mut seen = 0;
            for code in (0..0x11_0000).filter_map(char::from_u32) {
                let text = code.to_string();
                if let Some(bytes) = charset.encode_utf8(text.as_bytes()) {
                    assert_eq!(charset.to_utf8(&bytes).unwrap(), text.as_bytes(), "{charset}: {code:?}");
                    assert!(bytes.len() <= charset.max_len() as usize, "{charset}");
                    seen += 1;
                }
            }
            assert!(seen > 100, "{charset}: {seen}");
        }
        assert_eq!(Charset::all().filter(|charset| table(*charset).is_some()).count(), 33);
    }

    #[test]
    fn every_charset_has_a_name_that_finds_it() {
        for (_, charset) in NAMES {
            assert_eq!(Charset::from_name(charset.name()), Some(charset));
        }
        assert_eq!(Charset::of_collation("utf8mb4_0900_ai_ci"), Some(Charset::Utf8mb4));
        assert_eq!(Charset::of_collation("utf8_general_ci"), Some(Charset::Utf8mb3));
    }
}
