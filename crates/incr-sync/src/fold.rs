//! When two values are equal for a unique key of the target, told without asking the target.
//!
//! The conflict graph must see every pair of changes that could meet on a unique key; seeing one too many
//! costs only parallelism. So a value is folded to bytes such that *values that are equal at the target fold
//! to the same bytes*, and where that can't be promised the value is [`Folding::Opaque`], which conflicts
//! with every row of its table.
//!
//! Text is the hard part: under `utf8mb4_0900_ai_ci`, `e`, `E`, `é` and `e` followed by an ignorable
//! character are one value; under a PAD SPACE collation so is `e ` with trailing spaces. Collations that
//! [`Equality`] knows (`general_ci` and the binary ones, which is all that seekdb has) fold exactly. For those
//! listed in [`NEUTRAL`] printable ASCII folds by letter case alone, and CJK unified ideographs are equal only
//! to themselves *among such characters*; every other character (accented letters, ligatures, full-width
//! forms, combining and ignorable characters, anything beyond the BMP) makes the value opaque. Under a
//! binary collation text folds to its own UTF-8 bytes without trailing spaces. Collations that aren't known
//! (language tailorings, contractions) are opaque.

use std::borrow::Cow;

use whimbrel_model::{CellKind, Charset, DataType, Equality, RawCell};

/// Collations, with or without their charset, that treat printable ASCII apart from letter case as distinct
/// characters, have no contractions, and give every CJK unified ideograph a weight of its own.
const NEUTRAL: [&str; 12] = [
    "unicode_ci",
    "unicode_nopad_ci",
    "unicode_520_ci",
    "unicode_520_nopad_ci",
    "0900_ai_ci",
    "0900_as_ci",
    "0900_as_cs",
    "uca1400_ai_ci",
    "uca1400_as_ci",
    "uca1400_as_cs",
    "latin1_swedish_ci",
    "latin1_general_ci",
];

/// How the values of one key column fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// Equal at the target only if the cell bytes are.
    Exact,
    /// Bytes that a `BINARY(n)` pads with zeros.
    Bytes,
    /// Both zeros are equal.
    Float,
    /// Text under a collation whose equality is known.
    Text(Charset, Equality),
    /// Text under another binary collation.
    BinaryText(Charset),
    /// Text under a collation of [`NEUTRAL`].
    NeutralText(Charset),
    Opaque,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folding {
    /// Its bytes were appended.
    Done,
    /// NULL meets nothing.
    Null,
    /// It might meet any value.
    Opaque,
}

impl Fold {
    /// How values of a source column fold that are compared in a column of the target.
    pub fn new(source: &DataType, target: &DataType) -> Self {
        if source.cell_kind() == CellKind::Text {
            return text_fold(source, target);
        }
        match (source, target) {
            (DataType::Int { .. } | DataType::Bool, DataType::Int { .. } | DataType::Bool)
            | (DataType::Date, DataType::Date)
            | (DataType::Year, DataType::Year)
            | (DataType::Uuid, DataType::Uuid)
            | (DataType::Bit { .. }, DataType::Bit { .. })
            | (DataType::Inet4, DataType::Inet4)
            | (DataType::Inet6, DataType::Inet6) => Self::Exact,
            (DataType::Decimal { scale: a, .. }, DataType::Decimal { scale: b, .. }) if a <= b => Self::Exact,
            (DataType::Time { fsp: a }, DataType::Time { fsp: b })
            | (DataType::DateTime { fsp: a }, DataType::DateTime { fsp: b })
            | (DataType::Timestamp { fsp: a }, DataType::Timestamp { fsp: b })
                if a <= b =>
            {
                Self::Exact
            }
            (DataType::Float { digits: a, .. }, DataType::Float { digits: b, .. })
            | (DataType::Double { digits: a, .. }, DataType::Double { digits: b, .. })
                if a == b =>
            {
                Self::Float
            }
            (DataType::Enum { members: a, .. }, DataType::Enum { members: b, .. })
            | (DataType::Set { members: a, .. }, DataType::Set { members: b, .. })
                if b.starts_with(a) =>
            {
                Self::Exact
            }
            (
                DataType::Binary { .. } | DataType::VarBinary { .. } | DataType::Blob { .. },
                DataType::Binary { .. } | DataType::VarBinary { .. } | DataType::Blob { .. },
            ) => Self::Bytes,
            _ => Self::Opaque,
        }
    }

    /// Appends a cell's folded bytes, with their length so that columns can't run into one another.
    pub fn append(self, cell: RawCell<'_>, out: &mut Vec<u8>) -> Folding {
        let bytes = match cell {
            RawCell::Null => return Folding::Null,
            RawCell::Unknown => return Folding::Opaque,
            RawCell::Bytes(bytes) => bytes,
        };
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        let folding = match self {
            Self::Exact => {
                out.extend_from_slice(bytes);
                Folding::Done
            }
            Self::Bytes => {
                out.extend_from_slice(trim(bytes, 0));
                Folding::Done
            }
            Self::Float => {
                out.extend_from_slice(positive_zero(bytes));
                Folding::Done
            }
            Self::Text(charset, equality) => append_text(charset, bytes, out, |text, out| {
                let Ok(text) = std::str::from_utf8(text) else { return Folding::Opaque };
                equality.fold(text, out);
                Folding::Done
            }),
            Self::BinaryText(charset) => append_text(charset, bytes, out, |text, out| {
                out.extend_from_slice(trim(text, b' '));
                Folding::Done
            }),
            Self::NeutralText(charset) => append_text(charset, bytes, out, append_neutral),
            Self::Opaque => Folding::Opaque,
        };
        let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
        if let Some(place) = out.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        folding
    }
}

fn text_fold(source: &DataType, target: &DataType) -> Fold {
    let (Some(collation), CellKind::Text) = (target.collation(), target.cell_kind()) else {
        return Fold::Opaque;
    };
    let charset = source.charset();
    if let Some(equality) = Equality::of(collation) {
        return Fold::Text(charset, equality);
    }
    if collation == "binary" || collation.ends_with("_bin") {
        return Fold::BinaryText(charset);
    }
    let bare = collation.split_once('_').map_or(collation, |(_, rest)| rest);
    if NEUTRAL.contains(&bare) || NEUTRAL.contains(&collation) {
        Fold::NeutralText(charset)
    } else {
        Fold::Opaque
    }
}

fn append_text(
    charset: Charset,
    bytes: &[u8],
    out: &mut Vec<u8>,
    append: impl Fn(&[u8], &mut Vec<u8>) -> Folding,
) -> Folding {
    let text = if charset.is_utf8() { Ok(Cow::Borrowed(bytes)) } else { charset.to_utf8(bytes) };
    match text {
        Ok(text) => append(&text, out),
        Err(_) => Folding::Opaque,
    }
}

fn append_neutral(text: &[u8], out: &mut Vec<u8>) -> Folding {
    let text = trim(text, b' ');
    if text.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        out.extend(text.iter().map(u8::to_ascii_lowercase));
        return Folding::Done;
    }
    let plain = |c: char| matches!(c, ' '..='~' | '\u{4e00}'..='\u{9fff}');
    match std::str::from_utf8(text) {
        Ok(text) if text.chars().all(plain) => {
            out.extend(text.bytes().map(|byte| byte.to_ascii_lowercase()));
            Folding::Done
        }
        _ => Folding::Opaque,
    }
}

fn trim(bytes: &[u8], padding: u8) -> &[u8] {
    let keep = bytes.iter().rposition(|byte| *byte != padding).map_or(0, |last| last + 1);
    bytes.get(..keep).unwrap_or(bytes)
}

/// Float cells are their IEEE bits, little endian, trailing zero bytes kept or not: -0.0 is all zeros but for the
/// sign.
fn positive_zero(bytes: &[u8]) -> &[u8] {
    match bytes.split_last() {
        Some((0x80, rest)) if rest.iter().all(|byte| *byte == 0) => &[],
        _ => trim(bytes, 0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use whimbrel_model::RowBatch;

    use super::*;

    fn varchar(charset: Charset, collation: &str) -> DataType {
        DataType::VarChar { chars: 50, charset, collation: collation.into() }
    }

    fn folded(fold: Fold, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        (fold.append(RawCell::Bytes(bytes), &mut out) == Folding::Done).then_some(out)
    }

    #[test]
    fn text_that_a_collation_calls_equal_folds_to_the_same_or_is_opaque() {
        let source = varchar(Charset::Utf8mb4, "utf8mb4_bin");
        let ci = Fold::new(&source, &varchar(Charset::Utf8mb4, "utf8mb4_0900_ai_ci"));
        assert_eq!(folded(ci, b"Abc"), folded(ci, b"aBC  "));
        assert_ne!(folded(ci, b"abc"), folded(ci, b"abd"));
        assert!(folded(ci, "中文".as_bytes()).is_some());
        assert_ne!(folded(ci, "中".as_bytes()), folded(ci, "文".as_bytes()));
        for opaque in ["é", "ß", "ａ", "a\u{301}", "a\u{200b}", "a\u{1}", "😀", "Å"] {
            assert_eq!(folded(ci, opaque.as_bytes()), None, "{opaque:?}");
        }
        assert_eq!(folded(ci, b"\xff"), None);
    }

    #[test]
    fn general_ci_folds_every_character() {
        let source = varchar(Charset::Utf8mb4, "utf8mb4_bin");
        let ci = Fold::new(&source, &varchar(Charset::Utf8mb4, "utf8mb4_general_ci"));
        assert_eq!(folded(ci, "é😀 ".as_bytes()), folded(ci, "E😁".as_bytes()));
        assert_ne!(folded(ci, "ß".as_bytes()), folded(ci, b"ss"));
        assert_eq!(folded(ci, b"\xff"), None);
    }

    #[test]
    fn binary_collations_tell_case_apart_but_not_padding() {
        let source = varchar(Charset::Utf8mb4, "utf8mb4_general_ci");
        let bin = Fold::new(&source, &varchar(Charset::Utf8mb4, "utf8mb4_bin"));
        assert_ne!(folded(bin, b"a"), folded(bin, b"A"));
        assert_eq!(folded(bin, b"a"), folded(bin, b"a "));
    }

    #[test]
    fn other_charsets_fold_as_what_the_target_will_hold() {
        let latin = varchar(Charset::Latin1, "latin1_swedish_ci");
        let bin = Fold::new(&latin, &varchar(Charset::Utf8mb4, "utf8mb4_bin"));
        let utf8 = Fold::new(&varchar(Charset::Utf8mb4, "x"), &varchar(Charset::Utf8mb4, "utf8mb4_bin"));
        assert_eq!(folded(bin, b"\xe9"), folded(utf8, "é".as_bytes()));
    }

    #[test]
    fn unknown_collations_and_narrower_types_are_opaque() {
        let source = varchar(Charset::Utf8mb4, "utf8mb4_bin");
        for collation in ["utf8mb4_swedish_ci", "utf8mb4_ja_0900_as_cs", "utf8mb4_lithuanian_ci"] {
            assert_eq!(Fold::new(&source, &varchar(Charset::Utf8mb4, collation)), Fold::Opaque);
        }
        let (fine, coarse) = (DataType::DateTime { fsp: 6 }, DataType::DateTime { fsp: 0 });
        assert_eq!(Fold::new(&fine, &coarse), Fold::Opaque);
        assert_eq!(Fold::new(&coarse, &fine), Fold::Exact);
        assert_eq!(Fold::new(&source, &DataType::Binary { bytes: 50 }), Fold::Opaque);
    }

    #[test]
    fn both_zeros_of_a_float_are_one_value() {
        let float = DataType::Double { digits: None, unsigned: false };
        let fold = Fold::new(&float, &float);
        let cell = |value: f64| {
            let mut batch = RowBatch::new([CellKind::Double].into());
            batch.push_double(value);
            batch.end_row();
            let mut out = Vec::new();
            assert_eq!(fold.append(batch.row(0).raw(0), &mut out), Folding::Done);
            out
        };
        assert_eq!(cell(0.0), cell(-0.0));
        assert_ne!(cell(1.0), cell(-1.0));
        assert_ne!(cell(2.0), cell(0.0));
    }

    proptest! {
        #[test]
        fn columns_never_run_into_one_another(a in "[a-z]{0,6}", b in "[a-z]{0,6}", c in "[a-z]{0,6}", d in "[a-z]{0,6}") {
            let fold = |x: &str, y: &str| {
                let mut out = Vec::new();
                Fold::Exact.append(RawCell::Bytes(x.as_bytes()), &mut out);
                Fold::Exact.append(RawCell::Bytes(y.as_bytes()), &mut out);
                out
            };
            prop_assert_eq!(fold(&a, &b) == fold(&c, &d), a == c && b == d);
        }
    }
}
