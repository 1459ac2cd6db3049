//! Questions about a row as SQL conditions, in words that MySQL, MariaDB and OceanBase share.
//!
//! A condition is true, false or NULL for each row; NULL counts as false. `None` where no condition can tell.

use whimbrel_connector::inspect::Question;
use whimbrel_model::{Charset, DataType, TableSchema, TextSize};

use crate::wire::{push_identifier, push_string};

/// The condition of a question about a row of the table.
pub(super) fn condition(table: &TableSchema, question: &Question) -> Option<String> {
    match question {
        Question::DoesNotFit { column, to } => {
            let column = &table.columns[table.column_index(column)?];
            does_not_fit(&identifier(&column.name), &column.data_type, to)
        }
        Question::UnrealDate { column } => {
            let c = identifier(column);
            // LAST_DAY of 30 February is 28 February under ALLOW_INVALID_DATES, else NULL.
            Some(format!(
                "(MONTH({c}) = 0 OR DAYOFMONTH({c}) = 0 OR ({c} IS NOT NULL AND LAST_DAY({c}) IS NULL) \
                 OR DAYOFMONTH({c}) > DAYOFMONTH(LAST_DAY({c})))"
            ))
        }
        Question::InvalidText { column } => {
            let charset = table.columns[table.column_index(column)?].data_type.charset();
            let c = identifier(column);
            let bytes = format!("CAST({c} AS BINARY)");
            Some(format!(
                "NOT ({bytes} <=> CAST(CONVERT(CONVERT({bytes} USING {charset}) USING {charset}) AS BINARY))"
            ))
        }
        // They are two units of two bytes in UTF-16, all others are one.
        Question::FourByteCharacter { column } => {
            let c = identifier(column);
            Some(format!("LENGTH(CONVERT({c} USING utf16)) > 2 * CHAR_LENGTH({c})"))
        }
        Question::SpatialReference { column } => Some(format!("ST_SRID({}) <> 0", identifier(column))),
        Question::LargerThan { bytes } => {
            let stored = table.columns.iter().filter(|column| column.generated.is_none());
            let lengths: Vec<String> =
                stored.map(|column| format!("COALESCE(LENGTH({}), 0)", identifier(&column.name))).collect();
            (!lengths.is_empty()).then(|| format!("{} > {bytes}", lengths.join(" + ")))
        }
    }
}

fn does_not_fit(c: &str, from: &DataType, to: &DataType) -> Option<String> {
    use DataType as D;
    match (from, to) {
        (_, D::Char { .. } | D::VarChar { .. } | D::Text { .. }) => text(c, from, to),
        (_, D::Binary { bytes } | D::VarBinary { bytes }) => Some(format!("LENGTH({c}) > {bytes}")),
        (_, D::Blob { size }) => Some(format!("LENGTH({c}) > {}", bytes(*size))),
        (D::Char { .. } | D::VarChar { .. } | D::Text { .. }, D::Json) => {
            Some(format!("NOT JSON_VALID({c})"))
        }
        (D::Enum { .. } | D::Char { .. } | D::VarChar { .. }, D::Enum { members, .. }) => {
            let list: Vec<String> = members.iter().map(|member| string(member)).collect();
            Some(format!("CAST({c} AS CHAR) NOT IN ({})", list.join(", ")))
        }
        (D::Date | D::DateTime { .. }, D::Timestamp { .. }) => {
            Some(format!("({c} < '1970-01-01 00:00:01' OR {c} > '2038-01-19 03:14:07.999999')"))
        }
        (D::DateTime { .. } | D::Timestamp { .. }, D::Date) => Some(format!("TIME({c}) <> '00:00:00'")),
        (
            D::Time { .. } | D::DateTime { .. } | D::Timestamp { .. },
            D::Time { fsp } | D::DateTime { fsp } | D::Timestamp { fsp },
        ) => Some(format!("MICROSECOND({c}) % {} <> 0", 10u32.pow(6 - u32::from(*fsp).min(6)))),
        _ if is_number(from) => number(c, to),
        _ => None,
    }
}

fn is_number(data_type: &DataType) -> bool {
    use DataType as D;
    matches!(
        data_type,
        D::Int { .. }
            | D::Bool
            | D::Decimal { .. }
            | D::Float { .. }
            | D::Double { .. }
            | D::Bit { .. }
            | D::Year
    )
}

/// A number that another type of numbers can't hold.
fn number(c: &str, to: &DataType) -> Option<String> {
    let c = format!("({c} + 0)");
    let outside = |low: i128, high: i128| format!("({c} < {low} OR {c} > {high} OR {c} <> ROUND({c}))");
    match to {
        DataType::Bool => Some(outside(-128, 127)),
        DataType::Int { bytes, unsigned: true, .. } => {
            Some(outside(0, (1i128 << (8 * u32::from(*bytes))) - 1))
        }
        DataType::Int { bytes, .. } => {
            let half = 1i128 << (8 * u32::from(*bytes) - 1);
            Some(outside(-half, half - 1))
        }
        DataType::Year => Some(format!("({c} <> 0 AND ({c} < 1901 OR {c} > 2155))")),
        DataType::Decimal { precision, scale, unsigned } => {
            let most = format!("1{}", "0".repeat(usize::from(precision.saturating_sub(*scale))));
            let sign = if *unsigned { format!(" OR {c} < 0") } else { String::new() };
            Some(format!("(ABS({c}) >= {most} OR {c} <> ROUND({c}, {scale}){sign})"))
        }
        _ => None,
    }
}

/// Text that is too long, ends with spaces that a CHAR drops, or has characters that the charset lacks.
fn text(c: &str, from: &DataType, to: &DataType) -> Option<String> {
    let charset = to.charset();
    let is_text = from.collation().is_some();
    let shown = if is_text { c.to_owned() } else { format!("CAST({c} AS CHAR)") };
    let mut conditions = vec![match to {
        DataType::Char { chars, .. } | DataType::VarChar { chars, .. } => {
            format!("CHAR_LENGTH({shown}) > {chars}")
        }
        DataType::Text { size, .. } => format!("LENGTH(CONVERT({shown} USING {charset})) > {}", bytes(*size)),
        _ => return None,
    }];
    if matches!((from, to), (DataType::VarChar { .. }, DataType::Char { .. })) {
        conditions.push(format!("{c} LIKE '% '"));
    }
    if is_text && from.charset() != charset && charset != Charset::Utf8mb4 {
        conditions.push(format!(
            "NOT (CAST(CONVERT({c} USING utf8mb4) AS BINARY) <=> \
             CAST(CONVERT(CONVERT({c} USING {charset}) USING utf8mb4) AS BINARY))"
        ));
    }
    Some(format!("({})", conditions.join(" OR ")))
}

fn bytes(size: TextSize) -> u64 {
    match size {
        TextSize::Tiny => 0xff,
        TextSize::Regular => 0xffff,
        TextSize::Medium => 0xff_ffff,
        TextSize::Long => 0xffff_ffff,
    }
}

/// A name in backticks.
pub(super) fn identifier(name: &str) -> String {
    let mut out = Vec::with_capacity(name.len() + 2);
    push_identifier(&mut out, name);
    String::from_utf8(out).unwrap_or_default()
}

fn string(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    push_string(&mut out, text.as_bytes());
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIGINT: DataType = DataType::Int { bytes: 8, unsigned: false, zerofill: None };

    #[test]
    fn a_condition_says_what_a_type_cannot_hold() {
        let int = DataType::Int { bytes: 4, unsigned: false, zerofill: None };
        let decimal = DataType::Decimal { precision: 6, scale: 2, unsigned: true };
        let char = DataType::Char { chars: 5, charset: Charset::Latin1, collation: "latin1_bin".into() };
        let varchar =
            DataType::VarChar { chars: 9, charset: Charset::Utf8mb4, collation: "utf8mb4_bin".into() };
        let text = |from: &DataType, to: &DataType| does_not_fit("`c`", from, to);
        assert_eq!(
            text(&BIGINT, &int).unwrap(),
            "((`c` + 0) < -2147483648 OR (`c` + 0) > 2147483647 OR (`c` + 0) <> ROUND((`c` + 0)))"
        );
        assert_eq!(
            text(&BIGINT, &decimal).unwrap(),
            "(ABS((`c` + 0)) >= 10000 OR (`c` + 0) <> ROUND((`c` + 0), 2) OR (`c` + 0) < 0)"
        );
        let condition = text(&varchar, &char).unwrap();
        for part in ["CHAR_LENGTH(`c`) > 5", "LIKE '% '", "USING latin1"] {
            assert!(condition.contains(part), "{condition}");
        }
        assert_eq!(text(&DataType::Json, &int), None);
    }
}
