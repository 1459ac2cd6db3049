//! Charsets by MySQL's names, and their exact conversion to UTF-8.
//!
//! A batch holds text in the column's own charset, byte for byte; conversion happens where the text leaves
//! for a server that wants UTF-8. Bytes that are no text in their charset are an error, never `?`.

use std::borrow::Cow;
use std::fmt;

use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};

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
    Cp866,
    Greek,
    Hebrew,
    Koi8r,
    Koi8u,
    Macroman,
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

const NAMES: [(&str, Charset); 33] = [
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
    ("cp866", Charset::Cp866),
    ("greek", Charset::Greek),
    ("hebrew", Charset::Hebrew),
    ("koi8r", Charset::Koi8r),
    ("koi8u", Charset::Koi8u),
    ("macroman", Charset::Macroman),
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

impl Charset {
    /// `None` where the charset is none that can be converted (`dec8`, `swe7`, ...).
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

    /// The text as UTF-8, without copying where the charset is UTF-8 already.
    ///
    /// # Errors
    /// Bytes that are no text in this charset; `Binary` always passes bytes through.
    pub fn to_utf8(self, bytes: &[u8]) -> Result<Cow<'_, [u8]>, InvalidText> {
        let invalid = InvalidText { charset: self };
        match self {
            Self::Binary => Ok(Cow::Borrowed(bytes)),
            Self::Ascii => bytes.is_ascii().then_some(Cow::Borrowed(bytes)).ok_or(invalid),
            Self::Utf8mb3 | Self::Utf8mb4 => match std::str::from_utf8(bytes) {
                Ok(_) => Ok(Cow::Borrowed(bytes)),
                Err(_) => Err(invalid),
            },
            Self::Ucs2 | Self::Utf16 => utf16(bytes, u16::from_be_bytes).ok_or(invalid),
            Self::Utf16le => utf16(bytes, u16::from_le_bytes).ok_or(invalid),
            Self::Utf32 => utf32(bytes).ok_or(invalid),
            _ => {
                let (text, failed) = self.encoding().decode_without_bom_handling(bytes);
                if failed { Err(invalid) } else { Ok(to_bytes(text)) }
            }
        }
    }

    /// UTF-8 text in this charset; `None` where a character isn't in it, or the bytes are no UTF-8.
    pub fn encode_utf8(self, text: &[u8]) -> Option<Cow<'_, [u8]>> {
        if matches!(self, Self::Binary | Self::Utf8mb4) {
            return Some(Cow::Borrowed(text));
        }
        let chars = std::str::from_utf8(text).ok()?;
        match self {
            Self::Ascii => chars.is_ascii().then_some(Cow::Borrowed(text)),
            Self::Utf8mb3 => chars.chars().all(|c| c <= '\u{ffff}').then_some(Cow::Borrowed(text)),
            Self::Ucs2 if chars.chars().any(|c| c > '\u{ffff}') => None,
            Self::Ucs2 | Self::Utf16 => Some(chars.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            Self::Utf16le => Some(chars.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            Self::Utf32 => Some(chars.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect()),
            _ => {
                let (bytes, _, unmappable) = self.encoding().encode(chars);
                (!unmappable).then_some(bytes)
            }
        }
    }

    /// The WHATWG encoding that maps like MySQL's charset. MySQL's latin1 is windows-1252 with the five
    /// holes mapped to C1 controls, as WHATWG has it.
    fn encoding(self) -> &'static Encoding {
        match self {
            Self::Latin1 => encoding_rs::WINDOWS_1252,
            Self::Latin2 => encoding_rs::ISO_8859_2,
            Self::Latin5 => encoding_rs::WINDOWS_1254,
            Self::Latin7 => encoding_rs::ISO_8859_13,
            Self::Cp1250 => encoding_rs::WINDOWS_1250,
            Self::Cp1251 => encoding_rs::WINDOWS_1251,
            Self::Cp1256 => encoding_rs::WINDOWS_1256,
            Self::Cp1257 => encoding_rs::WINDOWS_1257,
            Self::Cp866 => encoding_rs::IBM866,
            Self::Greek => encoding_rs::ISO_8859_7,
            Self::Hebrew => encoding_rs::ISO_8859_8,
            Self::Koi8r => encoding_rs::KOI8_R,
            Self::Koi8u => encoding_rs::KOI8_U,
            Self::Macroman => encoding_rs::MACINTOSH,
            Self::Tis620 => encoding_rs::WINDOWS_874,
            Self::Gbk | Self::Gb2312 => encoding_rs::GBK,
            Self::Gb18030 => encoding_rs::GB18030,
            Self::Big5 => encoding_rs::BIG5,
            Self::Sjis | Self::Cp932 => encoding_rs::SHIFT_JIS,
            Self::Ujis | Self::Eucjpms => encoding_rs::EUC_JP,
            Self::Euckr => encoding_rs::EUC_KR,
            Self::Binary | Self::Ascii | Self::Utf8mb3 | Self::Utf8mb4 => encoding_rs::UTF_8,
            Self::Ucs2 | Self::Utf16 | Self::Utf32 => encoding_rs::UTF_16BE,
            Self::Utf16le => encoding_rs::UTF_16LE,
        }
    }
}

impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn to_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Cow<'_, [u8]>> {
    let (units, rest) = bytes.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(units.iter().map(|pair| unit(*pair))).collect();
    rest.is_empty().then_some(Cow::Owned(text.ok()?.into_bytes()))
}

fn utf32(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (units, rest) = bytes.as_chunks::<4>();
    let text: Option<String> = units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect();
    rest.is_empty().then_some(Cow::Owned(text?.into_bytes()))
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
        ] {
            assert_eq!(charset.to_utf8(bytes).unwrap_err(), InvalidText { charset });
        }
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
