//! The typed tree of a condition.

use std::sync::Arc;

use whimbrel_model::{Charset, DateTime, Time};

use super::number::Exact;
use super::text::{Pattern, TextRule};

/// A checked expression. What a node yields is fixed when it is made.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Null,
    Number(Exact),
    /// A floating point constant, as written.
    Real(String, f64),
    /// A string, in UTF-8 and in the charset of what it meets.
    Text {
        utf8: String,
        bytes: Vec<u8>,
    },
    Bytes(Vec<u8>),
    /// A constant of the calendar; without a time of day where `date`.
    Moment {
        value: DateTime,
        date: bool,
    },
    Clock(Time),
    Column {
        at: usize,
        name: Arc<str>,
        /// Texts of an ENUM's or SET's members, in the column's charset.
        members: Option<Arc<[Vec<u8>]>>,
        /// BINARY(n): followed by zeros up to this length.
        zeros_to: usize,
    },
    /// The same text, compared by another collation.
    Collated(Box<Node>, String),
    /// The bytes of a text.
    Binary(Box<Node>),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Xor(Box<Node>, Box<Node>),
    Compare {
        op: Op,
        how: How,
        left: Box<Node>,
        right: Box<Node>,
    },
    In {
        of: Box<Node>,
        list: Vec<(How, Node)>,
    },
    Between {
        how: (How, How),
        of: Box<Node>,
        low: Box<Node>,
        high: Box<Node>,
    },
    IsNull(Box<Node>),
    /// IS TRUE, IS FALSE, IS UNKNOWN.
    IsTruth(Box<Node>, Option<bool>),
    Like {
        of: Box<Node>,
        pattern: Pattern,
        /// `None`: bytes.
        rule: Option<TextRule>,
    },
    Negate {
        of: Box<Node>,
        int: bool,
    },
    Math {
        op: Math,
        left: Box<Node>,
        right: Box<Node>,
        result: Range,
    },
    Bits(Bits, Box<Node>, Box<Node>),
    BitNot(Box<Node>),
    /// LOWER, UPPER.
    Cased {
        of: Box<Node>,
        upper: bool,
        rule: TextRule,
    },
    Call(Func, Vec<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    NullSafeEq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// How two values compare.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum How {
    /// One side is the constant NULL.
    Null,
    Exact,
    Real,
    Text(TextRule),
    Bytes,
    /// Moments, or times of day.
    Temporal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Math {
    Add,
    Sub,
    Mul,
    Mod,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bits {
    Or,
    And,
    Xor,
    Left,
    Right,
}

/// What a result must lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    Signed,
    Unsigned,
    Decimal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Func {
    Length,
    CharLength(Charset),
    Substring(Charset),
    Left(Charset),
    Right(Charset),
    Concat,
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Date,
    Abs(Range),
    Crc32,
    Coalesce,
}

impl Func {
    pub fn name(self) -> &'static str {
        match self {
            Self::Length => "LENGTH",
            Self::CharLength(_) => "CHAR_LENGTH",
            Self::Substring(_) => "SUBSTRING",
            Self::Left(_) => "LEFT",
            Self::Right(_) => "RIGHT",
            Self::Concat => "CONCAT",
            Self::Year => "YEAR",
            Self::Month => "MONTH",
            Self::Day => "DAYOFMONTH",
            Self::Hour => "HOUR",
            Self::Minute => "MINUTE",
            Self::Second => "SECOND",
            Self::Date => "DATE",
            Self::Abs(_) => "ABS",
            Self::Crc32 => "CRC32",
            Self::Coalesce => "COALESCE",
        }
    }
}

impl Node {
    pub fn each_column(&self, visit: &mut impl FnMut(usize)) {
        match self {
            Self::Column { at, .. } => visit(*at),
            Self::Null
            | Self::Number(_)
            | Self::Real(..)
            | Self::Text { .. }
            | Self::Bytes(_)
            | Self::Moment { .. }
            | Self::Clock(_) => {}
            Self::Collated(of, _)
            | Self::Binary(of)
            | Self::Not(of)
            | Self::IsNull(of)
            | Self::IsTruth(of, _)
            | Self::Like { of, .. }
            | Self::Cased { of, .. }
            | Self::Negate { of, .. }
            | Self::BitNot(of) => of.each_column(visit),
            Self::And(left, right)
            | Self::Or(left, right)
            | Self::Xor(left, right)
            | Self::Compare { left, right, .. }
            | Self::Math { left, right, .. }
            | Self::Bits(_, left, right) => {
                left.each_column(visit);
                right.each_column(visit);
            }
            Self::In { of, list } => {
                of.each_column(visit);
                list.iter().for_each(|(_, item)| item.each_column(visit));
            }
            Self::Between { of, low, high, .. } => {
                [of, low, high].into_iter().for_each(|node| node.each_column(visit));
            }
            Self::Call(_, arguments) => arguments.iter().for_each(|node| node.each_column(visit)),
        }
    }
}
