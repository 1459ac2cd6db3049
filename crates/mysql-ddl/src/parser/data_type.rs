//! Column types.

use super::{Parsed, Parser};
use crate::ast::{DataType, TypeKind};
use crate::dialect::Family;
use crate::keyword::Kw;
use crate::token::TokenKind;

/// What may stand behind a type's name.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    /// `[(n)]` and number attributes.
    Integer,
    /// `[(m[,d])]` and number attributes.
    Real,
    /// `[(n)]`.
    Sized,
    /// `[(n)]` and charset attributes.
    Text,
    /// `('a','b')` and charset attributes.
    Members,
    /// `(type)`.
    Element,
    /// Nothing.
    Bare,
}

fn shape(kind: TypeKind) -> Shape {
    use TypeKind as T;
    match kind {
        T::TinyInt | T::SmallInt | T::MediumInt | T::Int | T::BigInt => Shape::Integer,
        T::Decimal | T::Float | T::Double => Shape::Real,
        T::Year => Shape::Integer,
        T::Bit | T::Time | T::DateTime | T::Timestamp | T::Binary | T::VarBinary | T::Blob | T::Vector => {
            Shape::Sized
        }
        T::Char | T::VarChar | T::Text | T::TinyText | T::MediumText | T::LongText => Shape::Text,
        T::Enum | T::Set => Shape::Members,
        T::Array | T::Map => Shape::Element,
        T::Date
        | T::TinyBlob
        | T::MediumBlob
        | T::LongBlob
        | T::Json
        | T::Geometry
        | T::Point
        | T::LineString
        | T::Polygon
        | T::MultiPoint
        | T::MultiLineString
        | T::MultiPolygon
        | T::GeometryCollection
        | T::Serial
        | T::Uuid
        | T::Inet4
        | T::Inet6
        | T::XmlType
        | T::RoaringBitmap
        | T::SparseVector => Shape::Bare,
    }
}

/// Types of MariaDB that have no length, but may be written with one.
fn takes_idle_length(kind: TypeKind) -> bool {
    use TypeKind as T;
    matches!(
        kind,
        T::Uuid
            | T::Inet4
            | T::Inet6
            | T::Geometry
            | T::Point
            | T::LineString
            | T::Polygon
            | T::MultiPoint
            | T::MultiLineString
            | T::MultiPolygon
            | T::GeometryCollection
    )
}

/// Types whose name is one word, synonyms included.
fn one_word(kw: Kw) -> Option<TypeKind> {
    use TypeKind as T;
    Some(match kw {
        Kw::TINYINT | Kw::INT1 => T::TinyInt,
        Kw::SMALLINT | Kw::INT2 => T::SmallInt,
        Kw::MEDIUMINT | Kw::INT3 | Kw::MIDDLEINT => T::MediumInt,
        Kw::INT | Kw::INTEGER | Kw::INT4 => T::Int,
        Kw::BIGINT | Kw::INT8 => T::BigInt,
        Kw::DECIMAL | Kw::NUMERIC | Kw::DEC | Kw::FIXED => T::Decimal,
        Kw::FLOAT | Kw::FLOAT4 => T::Float,
        Kw::FLOAT8 => T::Double,
        Kw::BIT => T::Bit,
        Kw::DATE => T::Date,
        Kw::TIME => T::Time,
        Kw::DATETIME => T::DateTime,
        Kw::TIMESTAMP => T::Timestamp,
        Kw::YEAR | Kw::SQL_TSI_YEAR => T::Year,
        Kw::BINARY => T::Binary,
        Kw::VARBINARY => T::VarBinary,
        Kw::TINYBLOB => T::TinyBlob,
        Kw::BLOB => T::Blob,
        Kw::MEDIUMBLOB => T::MediumBlob,
        Kw::LONGBLOB => T::LongBlob,
        Kw::TINYTEXT => T::TinyText,
        Kw::TEXT => T::Text,
        Kw::MEDIUMTEXT => T::MediumText,
        Kw::LONGTEXT => T::LongText,
        Kw::ENUM => T::Enum,
        Kw::SET => T::Set,
        Kw::JSON => T::Json,
        Kw::GEOMETRY => T::Geometry,
        Kw::POINT => T::Point,
        Kw::LINESTRING => T::LineString,
        Kw::POLYGON => T::Polygon,
        Kw::MULTIPOINT => T::MultiPoint,
        Kw::MULTILINESTRING => T::MultiLineString,
        Kw::MULTIPOLYGON => T::MultiPolygon,
        Kw::GEOMETRYCOLLECTION | Kw::GEOMCOLLECTION => T::GeometryCollection,
        Kw::SERIAL => T::Serial,
        Kw::VECTOR => T::Vector,
        _ => return None,
    })
}

/// Types that only one family has.
fn family_type(kw: Kw, family: Family) -> Option<TypeKind> {
    Some(match (kw, family) {
        (Kw::UUID, Family::MariaDb) => TypeKind::Uuid,
        (Kw::INET4, Family::MariaDb) => TypeKind::Inet4,
        (Kw::INET6, Family::MariaDb) => TypeKind::Inet6,
        (Kw::XMLTYPE, Family::MariaDb) => TypeKind::XmlType,
        (Kw::NUMBER, Family::MariaDb) => TypeKind::Decimal,
        (Kw::CLOB, Family::MariaDb) => TypeKind::LongText,
        (Kw::RAW, Family::MariaDb) => TypeKind::VarBinary,
        (Kw::VARCHAR2, Family::MariaDb) => TypeKind::VarChar,
        (Kw::ROARINGBITMAP, Family::OceanBase) => TypeKind::RoaringBitmap,
        (Kw::ARRAY, Family::OceanBase) => TypeKind::Array,
        (Kw::MAP, Family::OceanBase) => TypeKind::Map,
        (Kw::SPARSEVECTOR, Family::OceanBase) => TypeKind::SparseVector,
        _ => return None,
    })
}

impl Parser<'_> {
    /// True when a type begins here.
    pub(super) fn begins_data_type(&self) -> bool {
        let kw = self.kw();
        one_word(kw).is_some()
            || family_type(kw, self.family()).is_some()
            || matches!(
                kw,
                Kw::BOOL
                    | Kw::BOOLEAN
                    | Kw::CHAR
                    | Kw::CHARACTER
                    | Kw::VARCHAR
                    | Kw::VARCHARACTER
                    | Kw::NATIONAL
                    | Kw::NCHAR
                    | Kw::NVARCHAR
                    | Kw::LONG
                    | Kw::DOUBLE
                    | Kw::REAL
            )
    }

    pub(super) fn data_type(&mut self) -> Parsed<DataType> {
        let first = self.at;
        let mut data_type = self.type_name()?;
        let kind = data_type.kind;
        match shape(kind) {
            // BOOL is TINYINT(1) already, and takes neither length nor sign.
            Shape::Integer if data_type.length.is_some() => {}
            Shape::Integer => {
                data_type.length = self.type_length()?;
                self.number_attributes(&mut data_type);
            }
            Shape::Real => {
                self.precision_and_scale(&mut data_type)?;
                self.number_attributes(&mut data_type);
            }
            Shape::Sized => data_type.length = self.type_length()?,
            Shape::Text => {
                data_type.length = self.type_length()?;
                self.charset_attributes(&mut data_type)?;
            }
            Shape::Members => {
                data_type.members = self.parenthesised_list(Self::string)?;
                self.charset_attributes(&mut data_type)?;
            }
            Shape::Element => data_type.element = Some(self.parenthesised()?),
            // MariaDB reads past the length of any type that has none.
            Shape::Bare if self.family() == Family::MariaDb && takes_idle_length(kind) => {
                self.type_length()?;
            }
            Shape::Bare => {}
        }
        data_type.span = self.span_from(first);
        self.check_required_length(&data_type)?;
        Ok(data_type)
    }

    /// VARCHAR and VARBINARY have no default length: an error here is what the server says too.
    fn check_required_length(&self, data_type: &DataType) -> Parsed<()> {
        let needs = matches!(data_type.kind, TypeKind::VarChar | TypeKind::VarBinary);
        if needs && data_type.length.is_none() { Err(self.unexpected("(length)")) } else { Ok(()) }
    }

    fn type_name(&mut self) -> Parsed<DataType> {
        let kw = self.kw();
        let span = self.peek().span();
        if !self.begins_data_type() {
            return Err(self.unexpected("data type"));
        }
        self.advance();
        if let Some(kind) = one_word(kw).or_else(|| family_type(kw, self.family())) {
            return Ok(DataType::new(kind, span));
        }
        let (kind, national) = match kw {
            Kw::BOOL | Kw::BOOLEAN => {
                let mut boolean = DataType::new(TypeKind::TinyInt, span);
                boolean.length = Some(1);
                return Ok(boolean);
            }
            Kw::DOUBLE => {
                self.accept_kw(Kw::PRECISION);
                (TypeKind::Double, false)
            }
            Kw::REAL if self.options.sql_mode.real_as_float => (TypeKind::Float, false),
            Kw::REAL => (TypeKind::Double, false),
            Kw::VARCHAR | Kw::VARCHARACTER => (TypeKind::VarChar, false),
            Kw::NVARCHAR => (TypeKind::VarChar, true),
            Kw::CHAR | Kw::CHARACTER => (self.maybe_varying(), false),
            Kw::NCHAR => (self.nchar(), true),
            Kw::NATIONAL => (self.national()?, true),
            _ => (self.long(), false),
        };
        let mut data_type = DataType::new(kind, span);
        data_type.national = national;
        Ok(data_type)
    }

    fn maybe_varying(&mut self) -> TypeKind {
        if self.accept_kw(Kw::VARYING) { TypeKind::VarChar } else { TypeKind::Char }
    }

    fn nchar(&mut self) -> TypeKind {
        match self.accept_one_of(&[Kw::VARCHAR, Kw::VARCHARACTER]) {
            Some(_) => TypeKind::VarChar,
            None => self.maybe_varying(),
        }
    }

    fn national(&mut self) -> Parsed<TypeKind> {
        match self.accept_one_of(&[Kw::VARCHAR, Kw::VARCHARACTER, Kw::CHAR, Kw::CHARACTER]) {
            Some(Kw::VARCHAR | Kw::VARCHARACTER) => Ok(TypeKind::VarChar),
            Some(_) => Ok(self.maybe_varying()),
            None => Err(self.unexpected("CHAR or VARCHAR")),
        }
    }

    /// LONG [VARBINARY | VARCHAR | CHAR VARYING].
    fn long(&mut self) -> TypeKind {
        if self.accept_kw(Kw::VARBINARY) {
            return TypeKind::MediumBlob;
        }
        // All other spellings are the same type.
        if self.accept_one_of(&[Kw::VARCHAR, Kw::VARCHARACTER]).is_none()
            && self.nth_kw(1) == Kw::VARYING
            && self.accept_one_of(&[Kw::CHAR, Kw::CHARACTER]).is_some()
        {
            self.accept_kw(Kw::VARYING);
        }
        TypeKind::MediumText
    }

    fn type_length(&mut self) -> Parsed<Option<u64>> {
        // `BLOB ()` and the like are no lengths, and TEXT's index prefix never stands here.
        if !self.accept(TokenKind::Open) {
            return Ok(None);
        }
        let length = self.length_number()?;
        self.expect_close()?;
        Ok(Some(length))
    }

    /// A whole number; servers take one with a fraction too, which they cut off.
    fn length_number(&mut self) -> Parsed<u64> {
        let token = self.peek();
        if token.kind != TokenKind::Real {
            return self.integer();
        }
        let digits = self.raw_text(token)?.split(['.', 'e', 'E']).next().unwrap_or_default();
        let length = digits.parse().map_err(|_| self.unexpected("number"))?;
        self.advance();
        Ok(length)
    }

    fn precision_and_scale(&mut self, data_type: &mut DataType) -> Parsed<()> {
        if !self.accept(TokenKind::Open) {
            return Ok(());
        }
        data_type.length = Some(self.length_number()?);
        if self.accept(TokenKind::Comma) {
            data_type.scale = Some(self.integer()?);
        }
        self.expect_close()
    }

    fn number_attributes(&mut self, data_type: &mut DataType) {
        loop {
            match self.kw() {
                Kw::UNSIGNED => data_type.unsigned = true,
                Kw::SIGNED => {}
                Kw::ZEROFILL => data_type.zerofill = true,
                _ => return,
            }
            self.advance();
        }
    }

    /// `CHARACTER SET x`, `CHARSET x`, ASCII, UNICODE, BYTE, BINARY, COLLATE, in any order.
    pub(super) fn charset_attributes(&mut self, data_type: &mut DataType) -> Parsed<()> {
        loop {
            match (self.kw(), self.nth_kw(1)) {
                (Kw::CHARACTER | Kw::CHAR, Kw::SET) => {
                    self.at += 2;
                    data_type.charset = self.charset_name("charset")?;
                }
                (Kw::CHARSET, _) => {
                    self.at += 1;
                    data_type.charset = self.charset_name("charset")?;
                }
                (Kw::ASCII, _) => {
                    self.at += 1;
                    data_type.charset = Some("latin1".to_owned());
                }
                (Kw::UNICODE, _) => {
                    self.at += 1;
                    data_type.charset = Some("ucs2".to_owned());
                }
                (Kw::BYTE, _) => {
                    self.at += 1;
                    data_type.charset = Some("binary".to_owned());
                }
                (Kw::BINARY, _) => {
                    self.at += 1;
                    data_type.binary = true;
                }
                (Kw::COLLATE, _) => {
                    self.at += 1;
                    data_type.collation = self.charset_name("collation")?;
                }
                _ => return Ok(()),
            }
        }
    }
}
