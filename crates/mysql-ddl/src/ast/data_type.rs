//! Column types.

use super::name::Fragment;
use crate::token::Span;

/// What a type is, synonyms resolved (INTEGER is `Int`, DEC is `Decimal`, BOOL is `TinyInt` of length 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TypeKind {
    TinyInt,
    SmallInt,
    MediumInt,
    Int,
    BigInt,
    /// DECIMAL, NUMERIC, DEC, FIXED; MariaDB's NUMBER.
    Decimal,
    /// FLOAT, FLOAT4. With a length above 24 and no scale, servers store DOUBLE.
    Float,
    /// DOUBLE, DOUBLE PRECISION, FLOAT8, REAL.
    Double,
    Bit,
    Date,
    /// `length` is the number of fractional digits, as for `DateTime` and `Timestamp`.
    Time,
    DateTime,
    Timestamp,
    Year,
    Char,
    VarChar,
    Binary,
    VarBinary,
    TinyBlob,
    /// With a length, servers store the smallest of the four BLOB types that holds it.
    Blob,
    /// MEDIUMBLOB, LONG VARBINARY.
    MediumBlob,
    LongBlob,
    TinyText,
    /// With a length, servers store the smallest of the four TEXT types that holds it.
    Text,
    /// MEDIUMTEXT, LONG, LONG VARCHAR.
    MediumText,
    LongText,
    Enum,
    Set,
    /// JSON. MariaDB stores LONGTEXT with collation utf8mb4_bin and a check.
    Json,
    Geometry,
    Point,
    LineString,
    Polygon,
    MultiPoint,
    MultiLineString,
    MultiPolygon,
    /// GEOMETRYCOLLECTION, GEOMCOLLECTION.
    GeometryCollection,
    /// SERIAL: BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE.
    Serial,
    /// VECTOR(n). `length` is the number of dimensions.
    Vector,
    /// MariaDB.
    Uuid,
    /// MariaDB.
    Inet4,
    /// MariaDB.
    Inet6,
    /// MariaDB 12: XMLTYPE.
    XmlType,
    /// OceanBase: ROARINGBITMAP.
    RoaringBitmap,
    /// OceanBase: ARRAY(type). The element type is in `DataType::element`.
    Array,
    /// OceanBase: MAP(type, type).
    Map,
    /// OceanBase: SPARSEVECTOR.
    SparseVector,
}

/// A column's type with everything that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DataType {
    /// What it is.
    pub kind: TypeKind,
    /// The number behind the name: display width, precision, length in characters or bytes,
    /// fractional digits, dimensions.
    pub length: Option<u64>,
    /// The second number: digits behind the point.
    pub scale: Option<u64>,
    /// UNSIGNED. Also implied by `zerofill`: see [`DataType::is_unsigned`].
    pub unsigned: bool,
    /// ZEROFILL.
    pub zerofill: bool,
    /// CHARACTER SET, in lower case. ASCII is `latin1`, UNICODE is `ucs2`, BYTE is `binary`.
    pub charset: Option<String>,
    /// COLLATE, in lower case, wherever it stood in the column's definition.
    pub collation: Option<String>,
    /// The BINARY attribute: the `_bin` collation of the column's charset.
    pub binary: bool,
    /// NATIONAL, NCHAR, NVARCHAR: charset utf8mb3 whatever the table's default.
    pub national: bool,
    /// Members of ENUM and SET, decoded.
    pub members: Vec<String>,
    /// What stands in the parentheses of `Array` and `Map`.
    pub element: Option<Fragment>,
    /// Where it stands.
    pub span: Span,
}

impl DataType {
    pub(crate) fn new(kind: TypeKind, span: Span) -> Self {
        DataType {
            kind,
            length: None,
            scale: None,
            unsigned: false,
            zerofill: false,
            charset: None,
            collation: None,
            binary: false,
            national: false,
            members: Vec::new(),
            element: None,
            span,
        }
    }

    /// True for UNSIGNED, for ZEROFILL, which implies it, and for SERIAL.
    pub fn is_unsigned(&self) -> bool {
        self.unsigned || self.zerofill || self.kind == TypeKind::Serial
    }
}
