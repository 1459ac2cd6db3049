//! A type as a person writes it: `BIGINT UNSIGNED`, `VARCHAR(64) CHARACTER SET latin1`, `DATETIME(6)`.

use whimbrel_model::{Charset, Column, DataType, TextSize};
use whimbrel_mysql_ddl::ast::{self, Body, CreateTableBody, TableElement, TypeKind};
use whimbrel_mysql_ddl::{Dialect, ParseError, ParseOptions};

use super::collation_for;
use crate::profile::TargetProfile;

/// A type for a column, with a charset only where one was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenType {
    data_type: DataType,
    charset: Option<Charset>,
    collation: Option<String>,
}

/// Why a text is no type.
#[derive(Debug, thiserror::Error)]
pub enum TypeError {
    #[error("it is no type")]
    Parse(#[source] Box<ParseError>),
    #[error("{0} says more than a type, its charset and its collation")]
    More(String),
    #[error("no column of a migration can have the type {0}")]
    Kind(String),
    #[error("{0} is out of range for the type")]
    Number(u64),
    #[error("the type needs a length")]
    NoLength,
    #[error("character set {0} is not known")]
    Charset(String),
}

impl GivenType {
    /// Reads a type in the words that MySQL, MariaDB and OceanBase share.
    ///
    /// # Errors
    /// What isn't understood is named; attributes such as NOT NULL are none of the type.
    pub fn parse(text: &str) -> Result<Self, TypeError> {
        let more = || TypeError::More(text.to_owned());
        // The line's end closes a comment in which the rest of the statement would vanish.
        let sql = format!("CREATE TABLE t (c {text}\n)");
        let read = |dialect| whimbrel_mysql_ddl::parse(&sql, &ParseOptions::new(dialect));
        let statement = read(Dialect::mysql(90_700)).or_else(|error| {
            read(Dialect::mariadb(110_800)).map_err(|_| TypeError::Parse(Box::new(error)))
        })?;
        let Body::CreateTable(create) = statement.body else { return Err(more()) };
        let CreateTableBody::Definition(definition) = create.body else { return Err(more()) };
        let [TableElement::Column(column)] = definition.elements.as_slice() else { return Err(more()) };
        if !column.attributes.is_empty() || definition.partitioning.is_some() {
            return Err(more());
        }
        let Some(given) = &column.data_type else { return Err(more()) };
        Self::read(given, text)
    }

    fn read(given: &ast::DataType, text: &str) -> Result<Self, TypeError> {
        let charset = match (&given.charset, given.national) {
            (None, true) => Some("utf8mb3"),
            (name, _) => name.as_deref(),
        };
        let named = |name: &str| Charset::from_name(name).ok_or_else(|| TypeError::Charset(name.to_owned()));
        let mut charset = charset.map(named).transpose()?;
        if let Some(collation) = &given.collation {
            let of = named(collation.split('_').next().unwrap_or(collation))?;
            if *charset.get_or_insert(of) != of {
                return Err(TypeError::More(text.to_owned()));
            }
        }
        let mut collation = given.collation.clone();
        if given.binary && collation.is_none() {
            collation = Some(format!("{}_bin", charset.unwrap_or(Charset::Utf8mb4)));
        }
        let data_type = data_type(given, charset, text)?;
        Ok(Self { data_type, charset, collation })
    }

    /// The type as a column of the target has it: text takes the charset and collation of the source's column unless
    /// others were given.
    pub(crate) fn resolve(&self, source: &Column, unique: bool, target: &TargetProfile) -> DataType {
        let mut resolved = self.data_type.clone();
        let own = source.data_type.collation().map(|_| source.data_type.charset());
        let wanted = self.charset.or(own).filter(|charset| *charset != Charset::Binary);
        let wanted = wanted.unwrap_or(Charset::Utf8mb4);
        if let DataType::Char { charset, collation, .. }
        | DataType::VarChar { charset, collation, .. }
        | DataType::Text { charset, collation, .. }
        | DataType::Enum { charset, collation, .. }
        | DataType::Set { charset, collation, .. } = &mut resolved
        {
            *charset = wanted;
            *collation = self
                .collation
                .clone()
                .unwrap_or_else(|| collation_for(target, wanted, &source.data_type, unique));
        }
        resolved
    }
}

fn data_type(given: &ast::DataType, charset: Option<Charset>, text: &str) -> Result<DataType, TypeError> {
    use TypeKind as K;
    let unsigned = given.is_unsigned();
    let binary = charset == Some(Charset::Binary);
    let integer = |bytes: u8| -> Result<DataType, TypeError> {
        let width = number(given.length, 0, 0..=255)?;
        let zerofill = given.zerofill.then_some(if width == 0 { 10 } else { width });
        Ok(DataType::Int { bytes, unsigned, zerofill })
    };
    let fsp = || number(given.length, 0, 0..=6);
    let (charset, collation) = (Charset::Utf8mb4, String::new());
    let sized = |size: TextSize| {
        if binary {
            DataType::Blob { size }
        } else {
            DataType::Text { size, charset, collation: String::new() }
        }
    };
    Ok(match given.kind {
        K::TinyInt if given.length == Some(1) && !unsigned => DataType::Bool,
        K::TinyInt => integer(1)?,
        K::SmallInt => integer(2)?,
        K::MediumInt => integer(3)?,
        K::Int => integer(4)?,
        K::BigInt => integer(8)?,
        K::Decimal => {
            let precision: u8 = number(given.length, 10, 1..=65)?;
            let scale = number(given.scale, 0, 0..=u64::from(precision.min(30)))?;
            DataType::Decimal { precision, scale, unsigned }
        }
        K::Float if given.scale.is_none() && given.length.unwrap_or(0) > 24 => {
            DataType::Double { digits: None, unsigned }
        }
        K::Float => DataType::Float { digits: digits(given)?, unsigned },
        K::Double => DataType::Double { digits: digits(given)?, unsigned },
        K::Bit => DataType::Bit { bits: number(given.length, 1, 1..=64)? },
        K::Date => DataType::Date,
        K::Time => DataType::Time { fsp: fsp()? },
        K::DateTime => DataType::DateTime { fsp: fsp()? },
        K::Timestamp => DataType::Timestamp { fsp: fsp()? },
        K::Year => DataType::Year,
        K::Char if binary => DataType::Binary { bytes: number(given.length, 1, 0..=255)? },
        K::Binary => DataType::Binary { bytes: number(given.length, 1, 0..=255)? },
        K::Char => DataType::Char { chars: number(given.length, 1, 0..=255)?, charset, collation },
        K::VarChar | K::VarBinary if given.length.is_none() => return Err(TypeError::NoLength),
        K::VarChar if !binary => {
            DataType::VarChar { chars: number(given.length, 0, 0..=262_144)?, charset, collation }
        }
        K::VarChar | K::VarBinary => DataType::VarBinary { bytes: number(given.length, 0, 0..=1_048_576)? },
        K::TinyText => sized(TextSize::Tiny),
        K::Text => sized(TextSize::Regular),
        K::MediumText => sized(TextSize::Medium),
        K::LongText => sized(TextSize::Long),
        K::TinyBlob => DataType::Blob { size: TextSize::Tiny },
        K::Blob => DataType::Blob { size: TextSize::Regular },
        K::MediumBlob => DataType::Blob { size: TextSize::Medium },
        K::LongBlob => DataType::Blob { size: TextSize::Long },
        K::Enum => DataType::Enum { members: given.members.clone(), charset, collation },
        K::Set => DataType::Set { members: given.members.clone(), charset, collation },
        K::Json => DataType::Json,
        K::Vector => {
            let dimensions = number(Some(given.length.ok_or(TypeError::NoLength)?), 0, 1..=16_383)?;
            DataType::Vector { dimensions }
        }
        K::Uuid => DataType::Uuid,
        K::Inet4 => DataType::Inet4,
        K::Inet6 => DataType::Inet6,
        kind => match geometry(kind) {
            Some(kind) => DataType::Geometry { kind: kind.to_owned(), srid: None },
            None => return Err(TypeError::Kind(text.to_owned())),
        },
    })
}

fn geometry(kind: TypeKind) -> Option<&'static str> {
    Some(match kind {
        TypeKind::Geometry => "geometry",
        TypeKind::Point => "point",
        TypeKind::LineString => "linestring",
        TypeKind::Polygon => "polygon",
        TypeKind::MultiPoint => "multipoint",
        TypeKind::MultiLineString => "multilinestring",
        TypeKind::MultiPolygon => "multipolygon",
        TypeKind::GeometryCollection => "geomcollection",
        _ => return None,
    })
}

/// The `(M,D)` of FLOAT and DOUBLE. `FLOAT(n)` alone says nothing that a server keeps.
fn digits(given: &ast::DataType) -> Result<Option<(u8, u8)>, TypeError> {
    if given.scale.is_none() {
        return Ok(None);
    }
    let whole = number(given.length, 10, 1..=255)?;
    Ok(Some((whole, number(given.scale, 0, 0..=30)?)))
}

fn number<T: TryFrom<u64>>(
    given: Option<u64>,
    absent: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<T, TypeError> {
    let number = given.unwrap_or(absent);
    if given.is_some() && !range.contains(&number) {
        return Err(TypeError::Number(number));
    }
    T::try_from(number).map_err(|_| TypeError::Number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_people_write_them() {
        let int = |bytes, unsigned| DataType::Int { bytes, unsigned, zerofill: None };
        for (text, expected) in [
            ("bigint unsigned", int(8, true)),
            ("INT(11)", int(4, false)),
            ("BOOL", DataType::Bool),
            ("NUMERIC(20,4)", DataType::Decimal { precision: 20, scale: 4, unsigned: false }),
            ("datetime(6)", DataType::DateTime { fsp: 6 }),
            ("VARCHAR(10) CHARACTER SET binary", DataType::VarBinary { bytes: 10 }),
            ("float(53)", DataType::Double { digits: None, unsigned: false }),
            ("GEOMETRYCOLLECTION", DataType::Geometry { kind: "geomcollection".into(), srid: None }),
            ("uuid", DataType::Uuid),
        ] {
            assert_eq!(GivenType::parse(text).unwrap().data_type, expected, "{text}");
        }
        let given = GivenType::parse("varchar(20) charset latin1 collate latin1_bin").unwrap();
        assert_eq!((given.charset, given.collation.as_deref()), (Some(Charset::Latin1), Some("latin1_bin")));
    }

    #[test]
    fn what_is_no_type_is_refused_with_a_reason() {
        for (text, part) in [
            ("INTT", "no type"),
            ("INT NOT NULL", "more than a type"),
            ("INT, d INT", "more than a type"),
            ("INT) ENGINE=InnoDB -- ", "no type"),
            ("VARCHAR", "length"),
            ("DATETIME(7)", "out of range"),
            ("DECIMAL(10,11)", "out of range"),
            ("VARCHAR(5) CHARACTER SET klingon", "not known"),
            ("SERIAL", "can have the type"),
        ] {
            let error = GivenType::parse(text).unwrap_err();
            let chain = format!("{error} {:?}", std::error::Error::source(&error).map(ToString::to_string));
            // Some of these are errors of the parser, whose own words are its business.
            assert!(chain.contains(part) || matches!(error, TypeError::Parse(_)), "{text}: {chain}");
        }
    }
}
