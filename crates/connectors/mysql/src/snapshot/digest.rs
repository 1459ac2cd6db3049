//! Digests computed by the server: which tables they prove equal, and how.
//!
//! A row becomes one text that no other row of the table's columns has, and the digest of a range is the number of
//! its rows and the sum of 60 bits of the texts' hashes:
//!
//! ```text
//! COUNT(*), SUM(CAST(CONV(LEFT(SHA2(text,224),15),16,10) AS UNSIGNED))
//! text = CONCAT_WS('#', part, part, ...)
//! ```
//!
//! | column | parts |
//! |---|---|
//! | numbers, temporal values, BIT | the value's text: `a`, `a+0` (drops zeros of ZEROFILL), `a*1e0` (FLOAT) |
//! | CHAR, VARCHAR, TINYTEXT, ENUM, SET | `LENGTH(a)`, `a`: without the length, `x#` and `y` would be `x` and `#y` |
//! | BINARY, VARBINARY, TINYBLOB | `HEX(a)` |
//! | larger TEXT and BLOB | `SHA2(a,224)`: a text longer than `max_allowed_packet` would be NULL, and so not counted |
//!
//! NULL is `-`, which is no value's text. A sum and not XOR, because two equal rows would cancel each other. SHA-224
//! costs about as much as two CRC32 (which together still are no 64-bit hash, because a CRC is linear), and MD5 is
//! only in a component in MySQL 9.6 and later.
//!
//! Comparable, by types and charsets (proved on MySQL 9.7, MariaDB 10.11 and seekdb 1.4 by the conformance suite and by
//! copies between the servers): everything in the table above with the same type on both sides, text in a form of UTF-8
//! or latin1. Not comparable: FLOAT and DOUBLE of MySQL, which shows them in expressions with too few digits to tell
//! two values apart (`CONCAT(-1.3475090132806154e-197)` has 15); other charsets (what a server converts to UTF-8 may
//! lose a difference); JSON and geometry (stored in different forms); UUID, INET and VECTOR.

use whimbrel_connector::{ConnectorError, ErrorKind, Flavor, RangeDigest, Result};
use whimbrel_model::{Charset, Column, DataType, TableSchema, TextSize};

use crate::wire::{Row, push_identifier};

/// Types whose digest parts are equal for equal values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Integer,
    Decimal {
        scale: u8,
    },
    Float,
    Double,
    Bit,
    Date,
    Time {
        fsp: u8,
    },
    /// DATETIME and TIMESTAMP show alike in UTC.
    DateTime {
        fsp: u8,
    },
    Year,
    Text {
        hashed: bool,
    },
    Member,
    Bytes {
        hashed: bool,
    },
    /// Padded with zeros to its width.
    Binary {
        width: u32,
    },
}

/// `None` for types without digest on a server of this flavour.
fn class(data_type: &DataType, flavor: Flavor) -> Option<Class> {
    let hashed = |size: &TextSize| *size != TextSize::Tiny;
    let class = match data_type {
        DataType::Int { .. } | DataType::Bool => Class::Integer,
        DataType::Decimal { scale, .. } => Class::Decimal { scale: *scale },
        DataType::Float { .. } if flavor != Flavor::Mysql => Class::Float,
        DataType::Double { .. } if flavor != Flavor::Mysql => Class::Double,
        DataType::Bit { .. } => Class::Bit,
        DataType::Date => Class::Date,
        DataType::Time { fsp } => Class::Time { fsp: *fsp },
        DataType::DateTime { fsp } | DataType::Timestamp { fsp } => Class::DateTime { fsp: *fsp },
        DataType::Year => Class::Year,
        DataType::Char { .. } | DataType::VarChar { .. } => Class::Text { hashed: false },
        DataType::Text { size, .. } => Class::Text { hashed: hashed(size) },
        DataType::Enum { .. } | DataType::Set { .. } => Class::Member,
        DataType::Binary { bytes } => Class::Binary { width: *bytes },
        DataType::VarBinary { .. } => Class::Bytes { hashed: false },
        DataType::Blob { size } => Class::Bytes { hashed: hashed(size) },
        DataType::Float { .. }
        | DataType::Double { .. }
        | DataType::Json
        | DataType::Geometry { .. }
        | DataType::Vector { .. }
        | DataType::Uuid
        | DataType::Inet4
        | DataType::Inet6 => return None,
    };
    let charset = data_type.charset();
    (charset == Charset::Binary || charset.is_utf8() || charset == Charset::Latin1).then_some(class)
}

/// True where both servers give the same digest for equal rows.
pub(super) fn comparable(
    table: &TableSchema,
    flavor: Flavor,
    other: &TableSchema,
    other_flavor: Flavor,
) -> bool {
    // Measured for these three and no others, so that a new flavour has to be thought about here.
    let proved = |flavor| matches!(flavor, Flavor::Mysql | Flavor::MariaDb | Flavor::OceanBase);
    let pairs = table.columns.iter().filter(|column| column.generated.is_none()).filter_map(|column| {
        let found = &other.columns[other.column_index(&column.name)?];
        found.generated.is_none().then_some((column, found))
    });
    proved(flavor)
        && proved(other_flavor)
        && pairs.into_iter().all(|(ours, theirs)| {
            let class = class(&ours.data_type, flavor);
            class.is_some() && class == self::class(&theirs.data_type, other_flavor)
        })
}

/// Appends the two aggregates.
///
/// # Errors
/// A column that the table doesn't have, or of a type without digest.
pub(super) fn push_expression(
    sql: &mut Vec<u8>,
    table: &TableSchema,
    flavor: Flavor,
    columns: &[String],
) -> Result<()> {
    sql.extend_from_slice(b"COUNT(*),SUM(CAST(CONV(LEFT(SHA2(CONCAT_WS('#'");
    for name in columns {
        let column = table.column_index(name).map(|index| &table.columns[index]);
        let found = column.and_then(|column| Some((column, class(&column.data_type, flavor)?)));
        let (column, class) = found.ok_or_else(|| {
            ConnectorError::new(
                ErrorKind::Configuration,
                table.name.to_string(),
                format!("column {name} has no digest that other servers would share"),
            )
        })?;
        push_parts(sql, column, class);
    }
    sql.extend_from_slice(b"),224),15),16,10) AS UNSIGNED))");
    Ok(())
}

fn push_parts(sql: &mut Vec<u8>, column: &Column, class: Class) {
    match class {
        Class::Text { hashed: false } | Class::Member => {
            push_part(sql, column, "LENGTH(", ")", "'-'");
            push_part(sql, column, "", "", "''");
        }
        Class::Text { hashed: true } | Class::Bytes { hashed: true } => {
            push_part(sql, column, "SHA2(", ",224)", "'-'");
        }
        Class::Bytes { hashed: false } | Class::Binary { .. } => push_part(sql, column, "HEX(", ")", "'-'"),
        Class::Integer | Class::Decimal { .. } | Class::Bit => push_part(sql, column, "(", "+0)", "'-'"),
        Class::Float | Class::Double => push_part(sql, column, "(", "*1e0)", "'-'"),
        Class::Date | Class::Time { .. } | Class::DateTime { .. } | Class::Year => {
            push_part(sql, column, "", "", "'-'");
        }
    }
}

fn push_part(sql: &mut Vec<u8>, column: &Column, before: &str, after: &str, null: &str) {
    sql.push(b',');
    if column.nullable {
        sql.extend_from_slice(b"IFNULL(");
    }
    sql.extend_from_slice(before.as_bytes());
    let convert = column.data_type.charset() == Charset::Latin1;
    if convert {
        sql.extend_from_slice(b"CONVERT(");
    }
    push_identifier(sql, &column.name);
    if convert {
        sql.extend_from_slice(b" USING utf8mb4)");
    }
    sql.extend_from_slice(after.as_bytes());
    if column.nullable {
        sql.push(b',');
        sql.extend_from_slice(null.as_bytes());
        sql.push(b')');
    }
}

/// Reads the two aggregates. `None` where the server has no SHA2 (MySQL 5.5 built without TLS).
pub(super) fn read(row: &Row) -> Option<RangeDigest> {
    let rows = row.parse(0)?;
    let sum = match row.bytes(1) {
        None if rows == 0 => 0,
        _ => row.parse(1)?,
    };
    Some(RangeDigest { rows, sum })
}

#[cfg(test)]
mod tests {
    use whimbrel_model::TableName;

    use super::*;

    fn table(columns: Vec<Column>) -> TableSchema {
        TableSchema::new(TableName::new("d", "t"), columns)
    }

    fn varchar(charset: Charset) -> DataType {
        DataType::VarChar { chars: 10, charset, collation: String::new() }
    }

    #[test]
    fn only_what_is_equal_for_equal_values_is_compared() {
        let of = |data_type: DataType| table(vec![Column::new("a", data_type, true)]);
        let same = |ours: DataType, theirs: DataType| {
            comparable(&of(ours), Flavor::MariaDb, &of(theirs), Flavor::OceanBase)
        };
        assert!(same(varchar(Charset::Latin1), varchar(Charset::Utf8mb4)));
        assert!(same(DataType::Timestamp { fsp: 3 }, DataType::DateTime { fsp: 3 }));
        assert!(same(DataType::Bool, DataType::Int { bytes: 1, unsigned: false, zerofill: None }));
        assert!(!same(DataType::DateTime { fsp: 3 }, DataType::DateTime { fsp: 6 }));
        assert!(!same(varchar(Charset::Gbk), varchar(Charset::Utf8mb4)));
        assert!(!same(DataType::Json, DataType::Json));
        let double = || DataType::Double { digits: None, unsigned: false };
        assert!(same(double(), double()));
        assert!(!comparable(&of(double()), Flavor::OceanBase, &of(double()), Flavor::Mysql));
        assert!(!same(DataType::Binary { bytes: 4 }, DataType::VarBinary { bytes: 4 }));
        assert!(!same(
            DataType::Decimal { precision: 9, scale: 1, unsigned: false },
            DataType::Decimal { precision: 9, scale: 2, unsigned: false }
        ));
    }

    #[test]
    fn a_column_that_only_one_side_has_is_not_looked_at() {
        let one = table(vec![Column::new("a", DataType::Date, true), Column::new("j", DataType::Json, true)]);
        let other = table(vec![Column::new("A", DataType::Date, true)]);
        assert!(comparable(&one, Flavor::Mysql, &other, Flavor::OceanBase));
        assert!(comparable(&other, Flavor::OceanBase, &one, Flavor::Mysql));
    }

    #[test]
    fn the_expression_says_what_the_table_above_says() {
        let table = table(vec![
            Column::new("i", DataType::Bool, false),
            Column::new("t", varchar(Charset::Latin1), true),
            Column::new("b", DataType::Blob { size: TextSize::Long }, false),
            Column::new("j", DataType::Json, false),
        ]);
        let mut sql = Vec::new();
        push_expression(&mut sql, &table, Flavor::Mysql, &["i", "t", "b"].map(str::to_owned)).unwrap();
        assert_eq!(
            String::from_utf8(sql).unwrap(),
            "COUNT(*),SUM(CAST(CONV(LEFT(SHA2(CONCAT_WS('#',(`i`+0),IFNULL(LENGTH(CONVERT(`t` USING utf8mb4)),'-'),\
             IFNULL(CONVERT(`t` USING utf8mb4),''),SHA2(`b`,224)),224),15),16,10) AS UNSIGNED))"
        );
        let error = push_expression(&mut Vec::new(), &table, Flavor::Mysql, &["j".to_owned()]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Configuration);
    }
}
