//! Types of a condition's expressions, and what may meet what.
//!
//! The rule: two values compare only where all servers compare them alike and without converting a column. So numbers
//! compare with numbers, texts with texts of the same charset under one collation, times with times. A string beside a
//! column of another type becomes a constant of that type here, or is refused.

mod functions;

use std::sync::Arc;

use whimbrel_model::{Charset, DataType, Date, DateTime, TableSchema, Time};
use whimbrel_mysql_ddl::ast::Span;

use super::ConditionError;
use super::node::{Bits, How, Math, Node, Op, Range};
use super::number::{Exact, MAX_DIGITS};
use super::syntax::{Expr, ExprKind, Infix, Is};
use super::text::{Pattern, TextRule};

/// What a node yields.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Null,
    Int {
        unsigned: bool,
    },
    /// A YEAR column.
    Year,
    /// What YEAR() gives: servers disagree about its sign, so it isn't calculated with.
    YearOf,
    Decimal {
        digits: u32,
        scale: u32,
    },
    Real,
    /// A string constant that hasn't met a column.
    Literal(String),
    Text {
        charset: Charset,
        collation: String,
        explicit: bool,
    },
    Bytes,
    Moment,
    Clock,
}

impl Kind {
    fn is_exact(&self) -> bool {
        matches!(self, Self::Int { .. } | Self::Year | Self::YearOf | Self::Decimal { .. })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Int { .. } | Self::Decimal { .. } => "a number",
            Self::Year | Self::YearOf => "a year",
            Self::Real => "a floating point number",
            Self::Literal(_) => "a string",
            Self::Text { .. } => "a text",
            Self::Bytes => "bytes",
            Self::Moment => "a date",
            Self::Clock => "a time of day",
        }
    }
}

struct Typed {
    node: Node,
    kind: Kind,
    span: Span,
}

type Checked = Result<Typed, ConditionError>;

pub(super) fn check(text: &str, table: &TableSchema, expr: &Expr) -> Result<Node, ConditionError> {
    let checker = Checker { text, table };
    let typed = checker.check(expr)?;
    checker.truth(typed)
}

struct Checker<'a> {
    text: &'a str,
    table: &'a TableSchema,
}

const INT: Kind = Kind::Int { unsigned: false };

impl Checker<'_> {
    fn error(&self, span: Span, message: impl Into<String>) -> ConditionError {
        ConditionError::new(self.text, span.start as usize, message)
    }

    fn check(&self, expr: &Expr) -> Checked {
        let span = expr.span;
        let done = |node, kind| Ok(Typed { node, kind, span });
        match &expr.kind {
            ExprKind::Null => done(Node::Null, Kind::Null),
            ExprKind::Bool(value) => done(Node::Number(Exact::int((*value).into())), INT),
            ExprKind::Int(digits) => self.integer(digits, span),
            ExprKind::Real(text) => self.fraction(text, span),
            ExprKind::Text(text) => {
                done(Node::Text { utf8: text.clone(), bytes: Vec::new() }, Kind::Literal(text.clone()))
            }
            ExprKind::Hex(bytes) => done(Node::Bytes(bytes.clone()), Kind::Bytes),
            ExprKind::Temporal(keyword, text) => self.temporal(keyword, text, span),
            ExprKind::Column(name) => self.column(name, span),
            ExprKind::Not(of) => done(Node::Not(Box::new(self.condition(of)?)), INT),
            ExprKind::Sign { negative, of } => self.sign(*negative, of, span),
            ExprKind::BitNot(of) => {
                let of = self.bits_operand(of)?;
                done(Node::BitNot(Box::new(of)), Kind::Int { unsigned: true })
            }
            ExprKind::Binary(of) => self.binary(of, span),
            ExprKind::Collate(of, collation) => self.collate(of, collation, span),
            ExprKind::Infix(infix, left, right) => self.infix(*infix, left, right, span),
            ExprKind::Is { of, what, negated } => {
                let node = match what {
                    Is::Null => Node::IsNull(Box::new(self.check(of)?.node)),
                    Is::True => Node::IsTruth(Box::new(self.condition(of)?), Some(true)),
                    Is::False => Node::IsTruth(Box::new(self.condition(of)?), Some(false)),
                    Is::Unknown => Node::IsTruth(Box::new(self.condition(of)?), None),
                };
                done(negate(node, *negated), INT)
            }
            ExprKind::In { of, list, negated } => self.is_in(of, list, *negated, span),
            ExprKind::Between { of, low, high, negated } => self.between(of, low, high, *negated, span),
            ExprKind::Like { of, pattern, escape, negated } => {
                let node = self.like(of, pattern, escape.as_deref())?;
                done(negate(node, *negated), INT)
            }
            ExprKind::Call(name, arguments) => self.call(name, arguments, span),
        }
    }

    /// An expression that stands where a condition must.
    fn condition(&self, expr: &Expr) -> Result<Node, ConditionError> {
        self.truth(self.check(expr)?)
    }

    fn truth(&self, typed: Typed) -> Result<Node, ConditionError> {
        match typed.kind {
            Kind::Int { .. } | Kind::Null => Ok(typed.node),
            other => Err(self.error(typed.span, format!("{} is no condition: compare it", other.name()))),
        }
    }

    fn integer(&self, digits: &str, span: Span) -> Checked {
        let exact = Exact::parse(digits.as_bytes())
            .ok_or_else(|| self.error(span, format!("a number has more than {MAX_DIGITS} digits")))?;
        let kind = if exact.mantissa <= i128::from(i64::MAX) {
            INT
        } else if exact.mantissa <= i128::from(u64::MAX) {
            Kind::Int { unsigned: true }
        } else {
            Kind::Decimal { digits: digits.len() as u32, scale: 0 }
        };
        Ok(Typed { node: Node::Number(exact), kind, span })
    }

    fn fraction(&self, text: &str, span: Span) -> Checked {
        if text.contains(['e', 'E']) {
            let real = text.parse().map_err(|_| self.error(span, "not a number"))?;
            return Ok(Typed { node: Node::Real(text.to_owned(), real), kind: Kind::Real, span });
        }
        let exact = Exact::parse(text.as_bytes()).filter(|exact| exact.scale <= 30);
        let exact = exact.ok_or_else(|| {
            self.error(span, format!("a number has more than {MAX_DIGITS} digits, or 30 behind the point"))
        })?;
        let digits = text.bytes().filter(u8::is_ascii_digit).count() as u32;
        Ok(Typed { node: Node::Number(exact), kind: Kind::Decimal { digits, scale: exact.scale }, span })
    }

    fn temporal(&self, keyword: &str, text: &str, span: Span) -> Checked {
        let (node, kind) = match keyword {
            "DATE" => (parse_date(text).map(|value| Node::Moment { value, date: true }), Kind::Moment),
            "TIMESTAMP" => {
                (parse_moment(text).map(|value| Node::Moment { value, date: false }), Kind::Moment)
            }
            _ => (Time::parse(text.as_bytes()).map(Node::Clock), Kind::Clock),
        };
        let node = node.ok_or_else(|| self.error(span, format!("{text:?} is no {keyword} that exists")))?;
        Ok(Typed { node, kind, span })
    }

    fn column(&self, name: &str, span: Span) -> Checked {
        let at = self
            .table
            .column_index(name)
            .ok_or_else(|| self.error(span, format!("table {} has no column {name}", self.table.name)))?;
        let column = &self.table.columns[at];
        let refuse = |why: &str| Err(self.error(span, format!("column {}: {why}", column.name)));
        let (mut members, mut zeros_to) = (None, 0);
        let kind = match &column.data_type {
            DataType::Bool => INT,
            DataType::Int { unsigned, .. } => Kind::Int { unsigned: *unsigned },
            DataType::Bit { .. } => Kind::Int { unsigned: true },
            DataType::Year => Kind::Year,
            DataType::Decimal { precision, scale, .. } if u32::from(*precision) <= MAX_DIGITS => {
                Kind::Decimal { digits: (*precision).into(), scale: (*scale).into() }
            }
            DataType::Decimal { .. } => return refuse("decimals of more than 38 digits can't be evaluated"),
            DataType::Float { digits: None, .. } | DataType::Double { digits: None, .. } => Kind::Real,
            DataType::Float { .. } | DataType::Double { .. } => {
                return refuse(
                    "FLOAT(M,D) and DOUBLE(M,D) compare with a tolerance, which can't be evaluated exactly",
                );
            }
            DataType::Date | DataType::DateTime { .. } | DataType::Timestamp { .. } => Kind::Moment,
            DataType::Time { .. } => Kind::Clock,
            DataType::Binary { bytes } => {
                zeros_to = *bytes as usize;
                Kind::Bytes
            }
            DataType::VarBinary { .. } | DataType::Blob { .. } => Kind::Bytes,
            DataType::Char { charset, collation, .. }
            | DataType::VarChar { charset, collation, .. }
            | DataType::Text { charset, collation, .. } => {
                Kind::Text { charset: *charset, collation: collation.clone(), explicit: false }
            }
            DataType::Enum { members: texts, charset, collation }
            | DataType::Set { members: texts, charset, collation } => {
                let encoded =
                    texts.iter().map(|text| Some(charset.encode_utf8(text.as_bytes())?.into_owned()));
                let Some(encoded) = encoded.collect::<Option<Vec<_>>>() else {
                    return refuse("its members can't be written in its charset");
                };
                members = Some(encoded.into());
                Kind::Text { charset: *charset, collation: collation.clone(), explicit: false }
            }
            DataType::Json
            | DataType::Geometry { .. }
            | DataType::Vector { .. }
            | DataType::Uuid
            | DataType::Inet4
            | DataType::Inet6 => {
                return refuse("only IS NULL would be exact for this type; filter by another column");
            }
        };
        let name: Arc<str> = column.name.as_str().into();
        Ok(Typed { node: Node::Column { at, name, members, zeros_to }, kind, span })
    }

    fn sign(&self, negative: bool, of: &Expr, span: Span) -> Checked {
        let of = self.check(of)?;
        if !negative {
            return Ok(Typed { span, ..of });
        }
        let kind = match (&of.kind, &of.node) {
            // 9223372036854775808 with its sign is the smallest integer.
            (Kind::Int { .. }, Node::Number(exact)) if exact.mantissa <= 1 << 63 => INT,
            (Kind::Int { unsigned: true }, Node::Number(_)) => Kind::Decimal { digits: 20, scale: 0 },
            (Kind::Int { .. }, _) => INT,
            (Kind::Decimal { .. } | Kind::Null, _) => of.kind.clone(),
            (Kind::Real, _) => {
                if let Node::Real(text, real) = &of.node {
                    let node = Node::Real(format!("-{text}"), -real);
                    return Ok(Typed { node, kind: Kind::Real, span });
                }
                return Err(self.no_real_arithmetic(span));
            }
            (other, _) => return Err(self.error(span, format!("{} has no sign", other.name()))),
        };
        let node = match of.node {
            Node::Number(exact) => Node::Number(Exact { mantissa: -exact.mantissa, ..exact }),
            node => Node::Negate { of: Box::new(node), int: matches!(kind, Kind::Int { .. }) },
        };
        Ok(Typed { node, kind, span })
    }

    fn no_real_arithmetic(&self, span: Span) -> ConditionError {
        self.error(
            span,
            "arithmetic on floating point numbers can't be evaluated exactly: compare the column itself",
        )
    }

    fn binary(&self, of: &Expr, span: Span) -> Checked {
        let of = self.check(of)?;
        let node = match (of.kind, of.node) {
            (Kind::Literal(text), _) => Node::Bytes(text.into_bytes()),
            (Kind::Text { .. }, node) => Node::Binary(Box::new(node)),
            (Kind::Bytes | Kind::Null, node) => node,
            (other, _) => {
                return Err(self.error(span, format!("{} as BINARY is not supported", other.name())));
            }
        };
        Ok(Typed { node, kind: Kind::Bytes, span })
    }

    fn collate(&self, of: &Expr, collation: &str, span: Span) -> Checked {
        let of = self.check(of)?;
        let Kind::Text { charset, .. } = of.kind else {
            return Err(self.error(span, "COLLATE is supported behind a column's text only"));
        };
        // The server knows utf8mb3 by two names.
        let plain = collation.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !plain || Charset::of_collation(collation) != Some(charset) {
            let message = format!("collation {collation} is not one of charset {}", charset.name());
            return Err(self.error(span, message));
        }
        let node = Node::Collated(Box::new(of.node), collation.to_owned());
        let kind = Kind::Text { charset, collation: collation.to_owned(), explicit: true };
        Ok(Typed { node, kind, span })
    }

    fn infix(&self, infix: Infix, left: &Expr, right: &Expr, span: Span) -> Checked {
        let op = match infix {
            Infix::Eq => Op::Eq,
            Infix::NullSafeEq => Op::NullSafeEq,
            Infix::Ne => Op::Ne,
            Infix::Lt => Op::Lt,
            Infix::Le => Op::Le,
            Infix::Gt => Op::Gt,
            Infix::Ge => Op::Ge,
            Infix::Or | Infix::Xor | Infix::And => {
                let (left, right) = (Box::new(self.condition(left)?), Box::new(self.condition(right)?));
                let node = match infix {
                    Infix::Or => Node::Or(left, right),
                    Infix::And => Node::And(left, right),
                    _ => Node::Xor(left, right),
                };
                return Ok(Typed { node, kind: INT, span });
            }
            Infix::Add => return self.math(Math::Add, left, right, span),
            Infix::Sub => return self.math(Math::Sub, left, right, span),
            Infix::Mul => return self.math(Math::Mul, left, right, span),
            Infix::Mod => return self.math(Math::Mod, left, right, span),
            Infix::BitOr => return self.bits(Bits::Or, left, right, span),
            Infix::BitAnd => return self.bits(Bits::And, left, right, span),
            Infix::BitXor => return self.bits(Bits::Xor, left, right, span),
            Infix::ShiftLeft => return self.bits(Bits::Left, left, right, span),
            Infix::ShiftRight => return self.bits(Bits::Right, left, right, span),
        };
        let (mut left, mut right) = (self.check(left)?, self.check(right)?);
        let how = self.meet(&mut left, &mut right, span)?;
        let (left, right) = (Box::new(left.node), Box::new(right.node));
        Ok(Typed { node: Node::Compare { op, how, left, right }, kind: INT, span })
    }

    /// How two values compare; a string takes the type of what it meets.
    fn meet(&self, left: &mut Typed, right: &mut Typed, span: Span) -> Result<How, ConditionError> {
        self.adapt(left, right)?;
        self.adapt(right, left)?;
        for (year, other) in [(&*left, &*right), (&*right, &*left)] {
            if let (Kind::Year, Node::Number(exact)) = (&year.kind, &other.node)
                && !(1901..=2155).contains(&exact.mantissa)
            {
                return Err(self.error(other.span, "a year is compared with a number from 1901 to 2155"));
            }
        }
        Ok(match (&left.kind, &right.kind) {
            (Kind::Null, _) | (_, Kind::Null) => How::Null,
            (a, b) if a.is_exact() && b.is_exact() => How::Exact,
            (Kind::Real, b) | (b, Kind::Real) if b.is_exact() || *b == Kind::Real => How::Real,
            (Kind::Moment, Kind::Moment) | (Kind::Clock, Kind::Clock) => How::Temporal,
            (Kind::Bytes, Kind::Bytes) => How::Bytes,
            (
                Kind::Text { charset, collation, explicit },
                Kind::Text { charset: other_charset, collation: other, explicit: other_explicit },
            ) => {
                if charset != other_charset {
                    return Err(self.error(span, "texts of different charsets can't be compared exactly"));
                }
                let collation = match (explicit, other_explicit) {
                    _ if collation.eq_ignore_ascii_case(other) => collation,
                    (true, false) => collation,
                    (false, true) => other,
                    _ => {
                        let message =
                            format!("collations {collation} and {other} differ: add COLLATE to one side");
                        return Err(self.error(span, message));
                    }
                };
                How::Text(TextRule::new(*charset, collation))
            }
            (Kind::Literal(_), Kind::Literal(_)) => {
                return Err(self.error(span, "two constants are compared: name a column"));
            }
            (a, b) => return Err(self.error(span, unlike(a, b))),
        })
    }

    /// Gives a string constant the type of what it meets.
    fn adapt(&self, literal: &mut Typed, other: &Typed) -> Result<(), ConditionError> {
        let Kind::Literal(text) = &literal.kind else { return Ok(()) };
        let refuse = |message: String| Err(self.error(literal.span, message));
        let (node, kind) = match &other.kind {
            Kind::Text { charset, collation, .. } => {
                let Some(bytes) = charset.encode_utf8(text.as_bytes()) else {
                    return refuse(format!(
                        "the string can't be written in the column's charset {}",
                        charset.name()
                    ));
                };
                let kind = Kind::Text { charset: *charset, collation: collation.clone(), explicit: false };
                (Node::Text { utf8: text.clone(), bytes: bytes.into_owned() }, kind)
            }
            Kind::Bytes => (Node::Bytes(text.clone().into_bytes()), Kind::Bytes),
            Kind::Moment => match (parse_date(text), parse_moment(text)) {
                (Some(value), _) => (Node::Moment { value, date: true }, Kind::Moment),
                (_, Some(value)) => (Node::Moment { value, date: false }, Kind::Moment),
                _ => {
                    return refuse(format!(
                        "{text:?} is no date that exists: write 'YYYY-MM-DD' or 'YYYY-MM-DD hh:mm:ss.ffffff'"
                    ));
                }
            },
            Kind::Clock => match Time::parse(text.as_bytes()) {
                Some(time) => (Node::Clock(time), Kind::Clock),
                None => return refuse(format!("{text:?} is no time: write 'hh:mm:ss.ffffff'")),
            },
            Kind::Null | Kind::Literal(_) => return Ok(()),
            other if other.is_exact() || *other == Kind::Real => {
                return refuse(
                    "a number is compared with a string: write the number without quotes".to_owned(),
                );
            }
            other => return refuse(unlike(other, &literal.kind)),
        };
        (literal.node, literal.kind) = (node, kind);
        Ok(())
    }

    fn is_in(&self, of: &Expr, list: &[Expr], negated: bool, span: Span) -> Checked {
        if list.is_empty() {
            return Err(self.error(span, "the list is empty"));
        }
        let mut of = self.check(of)?;
        let mut items = Vec::with_capacity(list.len());
        let mut first: Option<How> = None;
        for item in list {
            let mut item = self.check(item)?;
            let how = self.meet(&mut of, &mut item, span)?;
            self.same_way(&mut first, &how, item.span)?;
            items.push((how, item.node));
        }
        let node = Node::In { of: Box::new(of.node), list: items };
        Ok(Typed { node: negate(node, negated), kind: INT, span })
    }

    /// Servers compare all values of a list in one way, which may not be the way of each pair.
    fn same_way(&self, first: &mut Option<How>, how: &How, span: Span) -> Result<(), ConditionError> {
        match first {
            _ if *how == How::Null => Ok(()),
            None => {
                *first = Some(how.clone());
                Ok(())
            }
            Some(first) if first == how => Ok(()),
            Some(_) => Err(self.error(span, "values of different kinds are mixed")),
        }
    }

    fn between(&self, of: &Expr, low: &Expr, high: &Expr, negated: bool, span: Span) -> Checked {
        let (mut of, mut low, mut high) = (self.check(of)?, self.check(low)?, self.check(high)?);
        let mut first = None;
        let above = self.meet(&mut of, &mut low, span)?;
        self.same_way(&mut first, &above, low.span)?;
        let below = self.meet(&mut of, &mut high, span)?;
        self.same_way(&mut first, &below, high.span)?;
        let node = Node::Between {
            how: (above, below),
            of: Box::new(of.node),
            low: Box::new(low.node),
            high: Box::new(high.node),
        };
        Ok(Typed { node: negate(node, negated), kind: INT, span })
    }

    fn like(&self, of: &Expr, pattern: &Expr, escape: Option<&str>) -> Result<Node, ConditionError> {
        let ExprKind::Text(text) = &pattern.kind else {
            return Err(self.error(pattern.span, "the pattern has to be a string"));
        };
        let mut chars = escape.unwrap_or("\\").chars();
        let (escape, None) = (chars.next(), chars.next()) else {
            return Err(self.error(pattern.span, "the escape is one character"));
        };
        let pattern_error = || self.error(pattern.span, "the pattern ends with its escape character");
        let parsed = Pattern::parse(text, escape).ok_or_else(pattern_error)?;
        let of = self.check(of)?;
        let rule = match &of.kind {
            Kind::Text { charset, collation, .. } => {
                if charset.encode_utf8(text.as_bytes()).is_none() {
                    let message = format!("the pattern can't be written in charset {}", charset.name());
                    return Err(self.error(pattern.span, message));
                }
                Some(TextRule::new(*charset, collation))
            }
            Kind::Bytes => None,
            other => return Err(self.error(of.span, format!("{} is not LIKE a text", other.name()))),
        };
        Ok(Node::Like { of: Box::new(of.node), pattern: parsed, rule })
    }

    fn math(&self, op: Math, left: &Expr, right: &Expr, span: Span) -> Checked {
        let (left, right) = (self.check(left)?, self.check(right)?);
        let kind = match (&left.kind, &right.kind) {
            (Kind::Null, _) | (_, Kind::Null) => {
                return Ok(Typed { node: Node::Null, kind: Kind::Null, span });
            }
            (Kind::Real, _) | (_, Kind::Real) => return Err(self.no_real_arithmetic(span)),
            (Kind::Int { unsigned: a }, Kind::Int { unsigned: b }) => {
                Kind::Int { unsigned: if op == Math::Mod { *a } else { *a || *b } }
            }
            // MariaDB's remainder may be a negative zero, which equals no other.
            _ if op == Math::Mod => {
                return Err(self.error(span, "the remainder of decimals differs between servers"));
            }
            (a, b) => match (size(a), size(b)) {
                (Some(a), Some(b)) => self.decimal(op, a, b, span)?,
                (None, _) => return Err(self.error(left.span, format!("{} in arithmetic", a.name()))),
                _ => return Err(self.error(right.span, format!("{} in arithmetic", b.name()))),
            },
        };
        let result = match kind {
            Kind::Int { unsigned: true } => Range::Unsigned,
            Kind::Int { unsigned: false } => Range::Signed,
            _ => Range::Decimal,
        };
        let (left, right) = (Box::new(left.node), Box::new(right.node));
        Ok(Typed { node: Node::Math { op, left, right, result }, kind, span })
    }

    /// The size of a decimal result, which mustn't be cut.
    fn decimal(
        &self,
        op: Math,
        (a, a_scale): (u32, u32),
        (b, b_scale): (u32, u32),
        span: Span,
    ) -> Result<Kind, ConditionError> {
        let (whole, scale) = match op {
            Math::Mul => (a - a_scale + b - b_scale, a_scale + b_scale),
            _ => ((a - a_scale).max(b - b_scale) + 1, a_scale.max(b_scale)),
        };
        if whole + scale > MAX_DIGITS || scale > 30 {
            return Err(self.error(span, format!("the result may have more than {MAX_DIGITS} digits")));
        }
        Ok(Kind::Decimal { digits: whole + scale, scale })
    }

    fn bits_operand(&self, expr: &Expr) -> Result<Node, ConditionError> {
        let typed = self.check(expr)?;
        match typed.kind {
            Kind::Int { .. } | Kind::Null => Ok(typed.node),
            other => {
                Err(self.error(typed.span, format!("{} has no bits: only integers do here", other.name())))
            }
        }
    }

    fn bits(&self, op: Bits, left: &Expr, right: &Expr, span: Span) -> Checked {
        let (left, right) = (Box::new(self.bits_operand(left)?), Box::new(self.bits_operand(right)?));
        Ok(Typed { node: Node::Bits(op, left, right), kind: Kind::Int { unsigned: true }, span })
    }
}

fn negate(node: Node, negated: bool) -> Node {
    if negated { Node::Not(Box::new(node)) } else { node }
}

fn unlike(a: &Kind, b: &Kind) -> String {
    format!("{} and {} can't be compared exactly", a.name(), b.name())
}

/// Digits and scale of exact numbers that may stand in decimal arithmetic.
fn size(kind: &Kind) -> Option<(u32, u32)> {
    match kind {
        Kind::Int { .. } => Some((20, 0)),
        Kind::Decimal { digits, scale } => Some(((*digits).max(*scale), *scale)),
        _ => None,
    }
}

fn parse_date(text: &str) -> Option<DateTime> {
    let date = Date::parse(text.as_bytes()).filter(|date| exists(*date))?;
    DateTime::new(date, 0, 0, 0, 0)
}

fn parse_moment(text: &str) -> Option<DateTime> {
    DateTime::parse(text.as_bytes()).filter(|moment| exists(moment.date()))
}

/// True for days of the calendar; zero dates and the 30th of February are values of columns, but servers disagree
/// about such constants.
fn exists(date: Date) -> bool {
    let leap = date.year().is_multiple_of(4)
        && (!date.year().is_multiple_of(100) || date.year().is_multiple_of(400));
    let days = match date.month() {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    date.year() > 0 && (1..=days).contains(&date.day())
}
