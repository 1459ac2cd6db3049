//! A column as a statement defines it, with what the server adds.

use whimbrel_model::{Charset, Column, ColumnDefault, DataType, Generated, TextSize};
use whimbrel_mysql_ddl::ast::{
    ColumnAttribute, ColumnDef, DataType as AstType, DefaultValue, GeneratedStorage, LiteralKind, References,
    TypeKind,
};

use super::SchemaError;
use super::charsets::{ServerDefaults, charset_name, charset_of, resolve};
use crate::binlog::SessionState;

/// What decides a column besides its definition.
#[derive(Clone, Copy)]
pub(super) struct ColumnContext<'a> {
    pub(super) server: &'a ServerDefaults,
    pub(super) session: &'a SessionState,
    /// The table's default collation.
    pub(super) collation: &'a str,
}

/// A column and what its definition says beyond it.
pub(super) struct Defined {
    pub(super) column: Column,
    pub(super) primary: bool,
    pub(super) unique: bool,
    /// NOT NULL or NULL was said.
    pub(super) null_said: bool,
    pub(super) checks: Vec<(Option<String>, String, bool)>,
    pub(super) references: Option<(Option<String>, References)>,
}

pub(super) fn define(def: &ColumnDef, context: ColumnContext<'_>) -> Result<Defined, SchemaError> {
    let name = def.name.value.clone();
    let Some(ast_type) = &def.data_type else {
        return Err(SchemaError::Unsupported("a column without a type (system versioning, or of a query)"));
    };
    let data_type = data_type(ast_type, context)?;
    let serial = ast_type.kind == TypeKind::Serial;
    let mut defined = Defined {
        column: Column::new(name, data_type, !serial),
        primary: false,
        unique: serial,
        null_said: serial,
        checks: Vec::new(),
        references: None,
    };
    defined.column.auto_increment = serial;
    // MariaDB adds the check itself from 10.4.3 on.
    let checked = context.server.mariadb && context.server.version >= (10, 4, 3);
    if checked && ast_type.kind == TypeKind::Json {
        defined.checks.push((None, format!("json_valid(`{}`)", defined.column.name), true));
    }
    for attribute in &def.attributes {
        defined.apply(attribute);
    }
    defined.imply(context);
    Ok(defined)
}

impl Defined {
    fn apply(&mut self, attribute: &ColumnAttribute) {
        let column = &mut self.column;
        match attribute {
            ColumnAttribute::NotNull => (column.nullable, self.null_said) = (false, true),
            ColumnAttribute::Null => (column.nullable, self.null_said) = (true, true),
            ColumnAttribute::Default(value) => column.default = default(value, &column.data_type),
            ColumnAttribute::OnUpdateNow(digits) => column.on_update = Some(current_time(*digits)),
            ColumnAttribute::AutoIncrement => column.auto_increment = true,
            ColumnAttribute::PrimaryKey(_) => self.primary = true,
            ColumnAttribute::Unique { .. } => self.unique = true,
            ColumnAttribute::SerialDefaultValue => {
                (column.auto_increment, column.nullable, self.unique) = (true, false, true);
            }
            ColumnAttribute::Comment(text) => column.comment.clone_from(text),
            ColumnAttribute::Generated { expr, storage } => {
                let stored = *storage == Some(GeneratedStorage::Stored);
                column.generated = Some(Generated { expression: expr.text.clone(), stored });
            }
            ColumnAttribute::Visible => column.invisible = false,
            ColumnAttribute::Invisible => column.invisible = true,
            ColumnAttribute::Srid(number) => {
                if let DataType::Geometry { srid, .. } = &mut column.data_type {
                    *srid = u32::try_from(*number).ok();
                }
            }
            ColumnAttribute::Check(check) => {
                let name = check.constraint.as_ref().map(|name| name.value.clone());
                self.checks.push((name, check.expr.text.clone(), check.enforced.unwrap_or(true)));
            }
            ColumnAttribute::References { constraint, references } => {
                let name = constraint.as_ref().map(|name| name.value.clone());
                self.references = Some((name, references.clone()));
            }
            // None of these changes what a row holds or how it is read.
            ColumnAttribute::AutoRandom { .. }
            | ColumnAttribute::RowStart
            | ColumnAttribute::RowEnd
            | ColumnAttribute::ColumnFormat(_)
            | ColumnAttribute::Storage(_)
            | ColumnAttribute::Compressed(_)
            | ColumnAttribute::WithSystemVersioning
            | ColumnAttribute::WithoutSystemVersioning
            | ColumnAttribute::EngineAttribute(_)
            | ColumnAttribute::SecondaryEngineAttribute(_)
            | ColumnAttribute::NotSecondary
            | ColumnAttribute::SkipIndex(_)
            | ColumnAttribute::EngineOption { .. } => {}
        }
    }

    /// NOT NULL of keys and AUTO_INCREMENT, and of TIMESTAMP without explicit defaults.
    fn imply(&mut self, context: ColumnContext<'_>) {
        let column = &mut self.column;
        if self.primary || column.auto_increment {
            column.nullable = false;
        }
        let explicit =
            context.session.explicit_timestamp_defaults.unwrap_or(context.server.explicit_timestamp_defaults);
        if matches!(column.data_type, DataType::Timestamp { .. })
            && !explicit
            && !self.null_said
            && column.generated.is_none()
        {
            column.nullable = false;
        }
        // MariaDB's REF_SYSTEM_ID isn't in its catalogue.
        if let (true, DataType::Geometry { srid, .. }) = (context.server.mariadb, &mut column.data_type) {
            *srid = None;
        }
    }
}

/// Gives TIMESTAMP columns of a new table the defaults that servers without `explicit_defaults_for_timestamp`
/// give: the current time, set again on each update, for the first, and zero for the others. `said` tells per
/// column whether a default or ON UPDATE was given.
pub(super) fn implicit_timestamp_defaults(columns: &mut [Column], context: ColumnContext<'_>) {
    let explicit =
        context.session.explicit_timestamp_defaults.unwrap_or(context.server.explicit_timestamp_defaults);
    if explicit {
        return;
    }
    let mut first = true;
    for column in columns {
        let DataType::Timestamp { fsp } = column.data_type else { continue };
        let bare = column.default.is_none() && column.on_update.is_none() && !column.nullable;
        if bare && column.generated.is_none() {
            if first {
                let now = current_time((fsp > 0).then_some(fsp));
                column.default = Some(ColumnDefault::Expression(now.clone()));
                column.on_update = Some(now);
            } else {
                let mut zero = "0000-00-00 00:00:00".to_owned();
                if fsp > 0 {
                    zero.push('.');
                    zero.extend(std::iter::repeat_n('0', usize::from(fsp)));
                }
                column.default = Some(ColumnDefault::Literal(zero));
            }
        }
        first = false;
    }
}

fn current_time(digits: Option<u8>) -> String {
    match digits.unwrap_or(0) {
        0 => "CURRENT_TIMESTAMP".to_owned(),
        digits => format!("CURRENT_TIMESTAMP({digits})"),
    }
}

pub(super) fn default(value: &DefaultValue, data_type: &DataType) -> Option<ColumnDefault> {
    Some(match value {
        DefaultValue::Null => return None,
        DefaultValue::Now(digits) => ColumnDefault::Expression(current_time(*digits)),
        DefaultValue::Expr(text) | DefaultValue::BareExpr(text) => {
            ColumnDefault::Expression(text.text.clone())
        }
        DefaultValue::Literal(literal) => match &literal.kind {
            LiteralKind::String { value, .. } | LiteralKind::Temporal { value, .. } => {
                ColumnDefault::Literal(value.clone())
            }
            LiteralKind::Number(text) => ColumnDefault::Literal(number(text, data_type)),
            LiteralKind::Boolean(value) => ColumnDefault::Literal(u8::from(*value).to_string()),
            LiteralKind::Bits(digits) => match data_type {
                DataType::Bit { .. } => ColumnDefault::Expression(format!("b'{digits}'")),
                _ => ColumnDefault::Expression(format!("0b{digits}")),
            },
            LiteralKind::Bytes { value, .. } => match std::str::from_utf8(value) {
                Ok(text) if data_type.charset() != Charset::Binary => ColumnDefault::Literal(text.to_owned()),
                _ => {
                    let digits: String = value.iter().map(|byte| format!("{byte:02X}")).collect();
                    ColumnDefault::Expression(format!("0x{digits}"))
                }
            },
        },
    })
}

/// A number as the catalogue shows it: decimals with all digits of the scale.
fn number(text: &str, data_type: &DataType) -> String {
    let DataType::Decimal { scale, .. } = data_type else { return text.trim_start_matches('+').to_owned() };
    let text = text.trim_start_matches('+');
    if *scale == 0 || text.contains(['e', 'E']) {
        return text.to_owned();
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let missing = usize::from(*scale).saturating_sub(fraction.len());
    format!("{}.{fraction}{}", if whole.is_empty() { "0" } else { whole }, "0".repeat(missing))
}

/// Bytes of the longest character of a charset.
pub(super) fn max_char_len(charset: Charset) -> u64 {
    u64::from(charset.max_len())
}

fn data_type(ast: &AstType, context: ColumnContext<'_>) -> Result<DataType, SchemaError> {
    let unsigned = ast.is_unsigned();
    let int = |bytes: u8, width: u8| DataType::Int {
        bytes,
        unsigned,
        zerofill: ast.zerofill.then(|| ast.length.and_then(|n| u8::try_from(n).ok()).unwrap_or(width)),
    };
    let small =
        |value: Option<u64>, default: u8| value.map_or(default, |n| u8::try_from(n).unwrap_or(u8::MAX));
    let digits = ast.length.zip(ast.scale).map(|(m, d)| (small(Some(m), 0), small(Some(d), 0)));
    let fsp = small(ast.length, 0).min(6);
    let length = |default: u32| ast.length.map_or(default, |n| u32::try_from(n).unwrap_or(u32::MAX));
    Ok(match ast.kind {
        TypeKind::TinyInt if ast.length == Some(1) && !unsigned => DataType::Bool,
        TypeKind::TinyInt => int(1, 3),
        TypeKind::SmallInt => int(2, 5),
        TypeKind::MediumInt => int(3, 8),
        TypeKind::Int => int(4, 10),
        TypeKind::BigInt | TypeKind::Serial => int(8, 20),
        TypeKind::Decimal => {
            let precision = match small(ast.length, 10) {
                0 => 10,
                precision => precision,
            };
            DataType::Decimal { precision, scale: small(ast.scale, 0), unsigned }
        }
        TypeKind::Float if digits.is_none() && ast.length.is_some_and(|n| n > 24) => {
            DataType::Double { digits: None, unsigned }
        }
        TypeKind::Float => DataType::Float { digits, unsigned },
        TypeKind::Double => DataType::Double { digits, unsigned },
        TypeKind::Bit => DataType::Bit { bits: small(ast.length, 1) },
        TypeKind::Date => DataType::Date,
        TypeKind::Time => DataType::Time { fsp },
        TypeKind::DateTime => DataType::DateTime { fsp },
        TypeKind::Timestamp => DataType::Timestamp { fsp },
        TypeKind::Year => DataType::Year,
        TypeKind::Binary => DataType::Binary { bytes: length(1) },
        TypeKind::VarBinary if length(0) > 65_535 => DataType::Blob { size: size_for(u64::from(length(0))) },
        TypeKind::VarBinary => DataType::VarBinary { bytes: length(0) },
        TypeKind::TinyBlob => DataType::Blob { size: TextSize::Tiny },
        TypeKind::Blob => DataType::Blob { size: ast.length.map_or(TextSize::Regular, size_for) },
        TypeKind::MediumBlob => DataType::Blob { size: TextSize::Medium },
        TypeKind::LongBlob => DataType::Blob { size: TextSize::Long },
        TypeKind::Json if context.server.mariadb => DataType::Text {
            size: TextSize::Long,
            charset: Charset::Utf8mb4,
            collation: "utf8mb4_bin".to_owned(),
        },
        TypeKind::Json => DataType::Json,
        TypeKind::Vector => DataType::Vector { dimensions: length(2048) },
        TypeKind::Uuid => DataType::Uuid,
        TypeKind::Inet4 => DataType::Inet4,
        TypeKind::Inet6 => DataType::Inet6,
        TypeKind::Char
        | TypeKind::VarChar
        | TypeKind::TinyText
        | TypeKind::Text
        | TypeKind::MediumText
        | TypeKind::LongText
        | TypeKind::Enum
        | TypeKind::Set => text_type(ast, context)?,
        TypeKind::XmlType
        | TypeKind::RoaringBitmap
        | TypeKind::Array
        | TypeKind::Map
        | TypeKind::SparseVector => {
            return Err(SchemaError::Unsupported("a column of a type that is not known"));
        }
        geometry => DataType::Geometry { kind: geometry_name(geometry).to_owned(), srid: None },
    })
}

fn geometry_name(kind: TypeKind) -> &'static str {
    match kind {
        TypeKind::Point => "point",
        TypeKind::LineString => "linestring",
        TypeKind::Polygon => "polygon",
        TypeKind::MultiPoint => "multipoint",
        TypeKind::MultiLineString => "multilinestring",
        TypeKind::MultiPolygon => "multipolygon",
        TypeKind::GeometryCollection => "geomcollection",
        _ => "geometry",
    }
}

fn text_type(ast: &AstType, context: ColumnContext<'_>) -> Result<DataType, SchemaError> {
    let charset = if ast.national { Some("utf8mb3") } else { ast.charset.as_deref() };
    let collation =
        resolve(charset, ast.collation.as_deref(), context.collation, context.server, context.session);
    let collation = if ast.binary && ast.collation.is_none() && collation != "binary" {
        context.server.spelled(&format!("{}_bin", charset_name(&collation)))
    } else {
        collation
    };
    let charset = charset_of(&collation)?;
    let chars = |default: u32| ast.length.map_or(default, |n| u32::try_from(n).unwrap_or(u32::MAX));
    let text = |size| match charset {
        Charset::Binary => DataType::Blob { size },
        _ => DataType::Text { size, charset, collation: collation.clone() },
    };
    Ok(match ast.kind {
        TypeKind::Enum => DataType::Enum { members: members(ast, charset), charset, collation },
        TypeKind::Set => DataType::Set { members: members(ast, charset), charset, collation },
        TypeKind::TinyText => text(TextSize::Tiny),
        TypeKind::MediumText => text(TextSize::Medium),
        TypeKind::LongText => text(TextSize::Long),
        TypeKind::Text => {
            text(ast.length.map_or(TextSize::Regular, |n| size_for(n.saturating_mul(max_char_len(charset)))))
        }
        TypeKind::Char if charset == Charset::Binary => DataType::Binary { bytes: chars(1) },
        TypeKind::Char => DataType::Char { chars: chars(1), charset, collation },
        _ => varchar(chars(0), charset, collation),
    })
}

/// VARCHAR, or the TEXT type that a server without strict mode makes of one that is too long.
pub(super) fn varchar(chars: u32, charset: Charset, collation: String) -> DataType {
    let bytes = u64::from(chars) * max_char_len(charset);
    match (bytes > 65_535, charset) {
        (true, Charset::Binary) => DataType::Blob { size: size_for(bytes) },
        (true, _) => DataType::Text { size: size_for(bytes), charset, collation },
        (false, Charset::Binary) => DataType::VarBinary { bytes: chars },
        (false, _) => DataType::VarChar { chars, charset, collation },
    }
}

/// The smallest TEXT or BLOB type for so many bytes.
pub(super) fn size_for(bytes: u64) -> TextSize {
    match bytes {
        0..=0xff => TextSize::Tiny,
        0x100..=0xffff => TextSize::Regular,
        0x1_0000..=0xff_ffff => TextSize::Medium,
        _ => TextSize::Long,
    }
}

/// Members, without the blanks at their ends that servers drop.
fn members(ast: &AstType, charset: Charset) -> Vec<String> {
    let trim = |member: &String| match charset {
        Charset::Binary => member.clone(),
        _ => member.trim_end_matches(' ').to_owned(),
    };
    ast.members.iter().map(trim).collect()
}
