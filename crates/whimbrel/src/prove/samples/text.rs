//! Text of every charset, and JSON documents.

use whimbrel_model::{Charset, Value};

use super::{LONGEST, Sample};

/// Rows of the class that has every character; a charset with more of them is thinned out evenly.
const ROWS: usize = 24;
/// Characters of one of those rows.
const ROW_CHARS: usize = 500;

/// For CHAR: as [`varying`], but servers cut spaces at the end.
pub(super) fn fixed(charset: Charset, chars: usize) -> Vec<Sample> {
    let spaces = encoded(charset, " ");
    let ends_in_space = |value: &Value| match (value, &spaces) {
        (Value::Text(text), Some(space)) => text.ends_with(space),
        _ => false,
    };
    varying(charset, chars, usize::MAX).into_iter().filter(|sample| !ends_in_space(&sample.value)).collect()
}

/// For text of at most so many characters and bytes.
pub(super) fn varying(charset: Charset, chars: usize, bytes: usize) -> Vec<Sample> {
    let fits = |text: &[u8], count: usize| count <= chars && text.len() <= bytes;
    let mut samples = Vec::new();
    let mut add = |class, text: &str| {
        if let Some(own) = encoded(charset, text).filter(|own| fits(own, text.chars().count())) {
            samples.push(Sample::new(class, Value::Text(own)));
        }
    };
    add("empty", "");
    add("space", " ");
    add("spaces at the end", "a  ");
    add("quotes and backslashes", "'\"\\`%_");
    add("control characters", "\0\u{8}\t\n\r\u{1a}\u{7f}");
    add("beyond U+FFFF", "😀𝒳𠮷");
    add("highest code point", "\u{10ffff}");
    add("combining characters", "e\u{301}");
    add("written from right to left", "שלום");
    add("Chinese", "数据库");
    add("euro", "€");
    for row in characters(charset, chars.min(ROW_CHARS), bytes) {
        samples.push(Sample::new("every character", Value::Text(row)));
    }
    if let Some(item) = without_character(charset) {
        samples.push(Sample::new("bytes without a character", Value::Text(item)));
    }
    if let Some(longest) = longest(charset, chars, bytes.min(LONGEST)) {
        samples.push(Sample::new("longest", Value::Text(longest)));
    }
    samples
}

fn encoded(charset: Charset, text: &str) -> Option<Vec<u8>> {
    Some(charset.encode_utf8(text.as_bytes())?.into_owned())
}

/// Texts of all characters of a charset, or of every so many-th if that would be more than [`ROWS`].
fn characters(charset: Charset, chars: usize, bytes: usize) -> Vec<Vec<u8>> {
    let per_row = chars.min(bytes / charset.max_len() as usize).max(1);
    let all: Vec<Vec<u8>> = (1..0x2_0000u32)
        .filter_map(char::from_u32)
        .filter(|character| *character != ' ')
        .filter_map(|character| encoded(charset, character.encode_utf8(&mut [0; 4])))
        .collect();
    let rows: Vec<Vec<u8>> = all.chunks(per_row).map(<[Vec<u8>]>::concat).collect();
    let step = rows.len().div_ceil(ROWS).max(1);
    rows.into_iter().step_by(step).collect()
}

/// A byte that such a column may hold and that stands for nothing: what a server shows as `?`.
fn without_character(charset: Charset) -> Option<Vec<u8>> {
    if charset.max_len() != 1 || charset == Charset::Binary {
        return None;
    }
    (0x80..=u8::MAX).map(|byte| vec![byte]).find(|item| charset.to_utf8(item).is_err())
}

/// As many of the largest characters as fit.
fn longest(charset: Charset, chars: usize, bytes: usize) -> Option<Vec<u8>> {
    let candidates = ["😀", "数", "é", "x"].into_iter().filter_map(|text| encoded(charset, text));
    let widest = candidates.max_by_key(Vec::len)?;
    let count = chars.min(bytes / widest.len());
    Some(widest.repeat(count))
}

/// Documents as MySQL shows them.
pub(super) fn documents() -> Vec<Sample> {
    let deep = format!("{}1{}", "[".repeat(90), "]".repeat(90));
    let long = format!("\"{}\"", "é".repeat(40_000));
    let documents: [(&'static str, &str); 16] = [
        ("null", "null"),
        ("empty object", "{}"),
        ("empty array", "[]"),
        ("empty string", "\"\""),
        ("true and false", "[true, false]"),
        ("largest integers", "[18446744073709551615, -9223372036854775808]"),
        ("largest double", "1.7976931348623157e308"),
        ("smallest double", "5e-324"),
        ("whole double", "1.0"),
        ("decimal of 38 digits", "12345678901234567890.123456789012345678"),
        ("escapes", r#""\"\\\b\f\n\r\t\u0001""#),
        ("beyond U+FFFF", "\"😀\""),
        ("keys", r#"{"": 1, "a": 2, "B": 3, "aa": 4, "é": 5}"#),
        ("nested", r#"{"a": [1, {"b": null}], "c": {"d": [[], {}]}}"#),
        ("deep", &deep),
        ("long", &long),
    ];
    documents
        .into_iter()
        .map(|(class, text)| Sample::new(class, Value::Json(text.as_bytes().to_vec())))
        .collect()
}
