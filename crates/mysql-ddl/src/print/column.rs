//! Columns, types, constants.

use std::fmt::{self, Display, Formatter};

use super::{Charset, Commas, Quoted, Word, flag, optional};
use crate::ast::{
    ColumnAttribute, ColumnDef, ColumnPosition, DataType, DefaultValue, GeneratedStorage, Literal,
    LiteralKind, PrimaryKeyLayout, TypeKind,
};
use crate::text::push_hex;

impl TypeKind {
    /// The type's name, in upper case.
    pub fn name(self) -> &'static str {
        use TypeKind as T;
        match self {
            T::TinyInt => "TINYINT",
            T::SmallInt => "SMALLINT",
            T::MediumInt => "MEDIUMINT",
            T::Int => "INT",
            T::BigInt => "BIGINT",
            T::Decimal => "DECIMAL",
            T::Float => "FLOAT",
            T::Double => "DOUBLE",
            T::Bit => "BIT",
            T::Date => "DATE",
            T::Time => "TIME",
            T::DateTime => "DATETIME",
            T::Timestamp => "TIMESTAMP",
            T::Year => "YEAR",
            T::Char => "CHAR",
            T::VarChar => "VARCHAR",
            T::Binary => "BINARY",
            T::VarBinary => "VARBINARY",
            T::TinyBlob => "TINYBLOB",
            T::Blob => "BLOB",
            T::MediumBlob => "MEDIUMBLOB",
            T::LongBlob => "LONGBLOB",
            T::TinyText => "TINYTEXT",
            T::Text => "TEXT",
            T::MediumText => "MEDIUMTEXT",
            T::LongText => "LONGTEXT",
            T::Enum => "ENUM",
            T::Set => "SET",
            T::Json => "JSON",
            T::Geometry => "GEOMETRY",
            T::Point => "POINT",
            T::LineString => "LINESTRING",
            T::Polygon => "POLYGON",
            T::MultiPoint => "MULTIPOINT",
            T::MultiLineString => "MULTILINESTRING",
            T::MultiPolygon => "MULTIPOLYGON",
            T::GeometryCollection => "GEOMETRYCOLLECTION",
            T::Serial => "SERIAL",
            T::Vector => "VECTOR",
            T::Uuid => "UUID",
            T::Inet4 => "INET4",
            T::Inet6 => "INET6",
            T::XmlType => "XMLTYPE",
            T::RoaringBitmap => "ROARINGBITMAP",
            T::Array => "ARRAY",
            T::Map => "MAP",
            T::SparseVector => "SPARSEVECTOR",
        }
    }
}

impl Display for DataType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_type_without_charset(f, self)?;
        write_charset(f, self)
    }
}

fn write_type_without_charset(f: &mut Formatter<'_>, data_type: &DataType) -> fmt::Result {
    if data_type.national {
        f.write_str("NATIONAL ")?;
    }
    f.write_str(data_type.kind.name())?;
    match (data_type.length, data_type.scale, &data_type.element) {
        (Some(length), Some(scale), _) => write!(f, "({length},{scale})")?,
        (Some(length), None, _) => write!(f, "({length})")?,
        (None, _, Some(element)) => write!(f, "({element})")?,
        _ => {}
    }
    if !data_type.members.is_empty() {
        let members: Vec<Quoted<'_>> = data_type.members.iter().map(|member| Quoted(member)).collect();
        write!(f, "({})", Commas(&members))?;
    }
    flag(f, data_type.unsigned, "UNSIGNED")?;
    flag(f, data_type.zerofill, "ZEROFILL")
}

fn write_charset(f: &mut Formatter<'_>, data_type: &DataType) -> fmt::Result {
    optional(f, "CHARACTER SET", data_type.charset.as_deref().map(Charset).as_ref())?;
    flag(f, data_type.binary, "BINARY")?;
    optional(f, "COLLATE", data_type.collation.as_deref().map(Charset).as_ref())
}

impl Display for ColumnDef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.name, f)?;
        // MariaDB wants COMPRESSED between the type and its charset.
        let compressed = |attribute: &&ColumnAttribute| matches!(attribute, ColumnAttribute::Compressed(_));
        if let Some(data_type) = &self.data_type {
            f.write_str(" ")?;
            write_type_without_charset(f, data_type)?;
            self.attributes.iter().filter(compressed).try_for_each(|attribute| write!(f, " {attribute}"))?;
            write_charset(f, data_type)?;
        }
        self.attributes.iter().filter(|a| !compressed(a)).try_for_each(|attribute| write!(f, " {attribute}"))
    }
}

impl Display for ColumnPosition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ColumnPosition::First => f.write_str("FIRST"),
            ColumnPosition::After(column) => write!(f, "AFTER {column}"),
        }
    }
}

impl Display for PrimaryKeyLayout {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PrimaryKeyLayout::Clustered => "CLUSTERED",
            PrimaryKeyLayout::NonClustered => "NONCLUSTERED",
        })
    }
}

impl Display for ColumnAttribute {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        use ColumnAttribute as A;
        match self {
            A::NotNull => f.write_str("NOT NULL"),
            A::Null => f.write_str("NULL"),
            A::Default(value) => write!(f, "DEFAULT {value}"),
            A::OnUpdateNow(digits) => {
                f.write_str("ON UPDATE ")?;
                write_now(f, *digits)
            }
            A::AutoIncrement => f.write_str("AUTO_INCREMENT"),
            A::AutoRandom { shard_bits: Some(shard), range_bits: Some(range) } => {
                write!(f, "AUTO_RANDOM({shard}, {range})")
            }
            A::AutoRandom { shard_bits: Some(shard), range_bits: None } => write!(f, "AUTO_RANDOM({shard})"),
            A::AutoRandom { .. } => f.write_str("AUTO_RANDOM"),
            A::PrimaryKey(layout) => {
                f.write_str("PRIMARY KEY")?;
                optional(f, "", layout.as_ref())
            }
            A::Unique { global } => f.write_str(if *global { "UNIQUE KEY GLOBAL" } else { "UNIQUE KEY" }),
            A::Comment(text) => write!(f, "COMMENT {}", Quoted(text)),
            A::Generated { expr, storage } => {
                write!(f, "GENERATED ALWAYS AS ({expr})")?;
                f.write_str(match storage {
                    Some(GeneratedStorage::Virtual) => " VIRTUAL",
                    Some(GeneratedStorage::Stored) => " STORED",
                    None => "",
                })
            }
            A::RowStart => f.write_str("GENERATED ALWAYS AS ROW START"),
            A::RowEnd => f.write_str("GENERATED ALWAYS AS ROW END"),
            A::Visible => f.write_str("VISIBLE"),
            A::Invisible => f.write_str("INVISIBLE"),
            A::Srid(srid) => write!(f, "SRID {srid}"),
            A::Check(check) => Display::fmt(check, f),
            A::References { constraint, references } => {
                if let Some(name) = constraint {
                    write!(f, "CONSTRAINT {name} ")?;
                }
                Display::fmt(references, f)
            }
            A::ColumnFormat(format) => write!(f, "COLUMN_FORMAT {format}"),
            A::Storage(media) => write!(f, "STORAGE {media}"),
            A::Compressed(None) => f.write_str("COMPRESSED"),
            A::Compressed(Some(method)) => write!(f, "COMPRESSED={}", Word(method)),
            A::WithSystemVersioning => f.write_str("WITH SYSTEM VERSIONING"),
            A::WithoutSystemVersioning => f.write_str("WITHOUT SYSTEM VERSIONING"),
            A::EngineAttribute(text) => write!(f, "ENGINE_ATTRIBUTE={}", Quoted(text)),
            A::SecondaryEngineAttribute(text) => write!(f, "SECONDARY_ENGINE_ATTRIBUTE={}", Quoted(text)),
            A::SerialDefaultValue => f.write_str("SERIAL DEFAULT VALUE"),
            A::NotSecondary => f.write_str("NOT SECONDARY"),
            A::SkipIndex(list) => write!(f, "SKIP_INDEX{list}"),
            A::EngineOption { name, value } => write!(f, "{}={value}", Word(&name.value)),
        }
    }
}

fn write_now(f: &mut Formatter<'_>, digits: Option<u8>) -> fmt::Result {
    match digits {
        Some(digits) => write!(f, "CURRENT_TIMESTAMP({digits})"),
        None => f.write_str("CURRENT_TIMESTAMP"),
    }
}

impl Display for DefaultValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            DefaultValue::Null => f.write_str("NULL"),
            DefaultValue::Literal(literal) => Display::fmt(literal, f),
            DefaultValue::Now(digits) => write_now(f, *digits),
            DefaultValue::Expr(expr) => write!(f, "({expr})"),
            DefaultValue::BareExpr(expr) => Display::fmt(expr, f),
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            LiteralKind::String { value, introducer, national } => {
                if *national {
                    f.write_str("N")?;
                } else if let Some(charset) = introducer {
                    write!(f, "_{charset}")?;
                }
                Display::fmt(&Quoted(value), f)
            }
            LiteralKind::Number(text) => f.write_str(text),
            LiteralKind::Bytes { value, introducer } => {
                if let Some(charset) = introducer {
                    write!(f, "_{charset} ")?;
                }
                let mut hex = String::with_capacity(value.len() * 2 + 3);
                push_hex(&mut hex, value);
                f.write_str(&hex)
            }
            LiteralKind::Bits(digits) => write!(f, "b'{digits}'"),
            LiteralKind::Boolean(true) => f.write_str("TRUE"),
            LiteralKind::Boolean(false) => f.write_str("FALSE"),
            LiteralKind::Temporal { keyword, value } => write!(f, "{keyword}{}", Quoted(value)),
        }
    }
}
