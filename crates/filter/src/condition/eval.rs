//! Values of a condition's nodes on a row, in three-valued logic.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;

use whimbrel_connector::text::TextQuestion;
use whimbrel_model::{Charset, Date, DateTime, RowRef, ValueRef};

use super::EvalError;
use super::node::{Bits, Func, How, Math, Node, Op, Range};
use super::number::Exact;

/// What the server has said about texts. Bounded: the oldest knowledge goes as a whole.
#[derive(Debug, Default)]
pub struct Answers {
    known: HashMap<TextQuestion, Vec<u8>>,
}

/// Answers that are kept.
const MOST_ANSWERS: usize = 20_000;

impl Answers {
    pub fn put(&mut self, question: TextQuestion, answer: Vec<u8>) {
        if self.known.len() >= MOST_ANSWERS {
            self.known.clear();
        }
        self.known.insert(question, answer);
    }

    pub(super) fn get(&self, question: TextQuestion) -> Result<Vec<u8>, EvalError> {
        self.known.get(&question).cloned().ok_or(EvalError::Ask(question))
    }
}

/// A value that isn't NULL.
#[derive(Clone, Debug, PartialEq)]
enum Value<'a> {
    Exact(Exact),
    Real(f64),
    /// Text in its charset, or bytes.
    Text(Cow<'a, [u8]>),
    /// Moments packed as in [`DateTime::to_bits`], times of day in microseconds.
    Temporal(i64),
}

impl Value<'_> {
    fn exact(self) -> Option<Exact> {
        match self {
            Self::Exact(exact) => Some(exact),
            _ => None,
        }
    }
}

type Evaluated<'a> = Result<Option<Value<'a>>, EvalError>;

/// What a condition says of a row.
pub(super) fn truth(node: &Node, row: RowRef<'_>, answers: &Answers) -> Result<Option<bool>, EvalError> {
    Evaluator { row, answers }.truth(node)
}

#[derive(Clone, Copy)]
struct Evaluator<'a> {
    row: RowRef<'a>,
    answers: &'a Answers,
}

impl<'a> Evaluator<'a> {
    fn truth(self, node: &'a Node) -> Result<Option<bool>, EvalError> {
        Ok(match self.value(node)? {
            None => None,
            Some(Value::Exact(exact)) => Some(!exact.is_zero()),
            Some(Value::Real(real)) => Some(real != 0.0),
            // The checker lets only numbers be conditions.
            Some(Value::Text(_) | Value::Temporal(_)) => None,
        })
    }

    fn value(self, node: &'a Node) -> Evaluated<'a> {
        match node {
            Node::Null => Ok(None),
            Node::Number(exact) => Ok(Some(Value::Exact(*exact))),
            Node::Real(_, real) => Ok(Some(Value::Real(*real))),
            Node::Text { bytes, .. } | Node::Bytes(bytes) => Ok(Some(Value::Text(Cow::Borrowed(bytes)))),
            Node::Moment { value, .. } => Ok(Some(Value::Temporal(value.to_bits() as i64))),
            Node::Clock(time) => Ok(Some(Value::Temporal(time.micros()))),
            Node::Column { at, name, members, zeros_to } => {
                let value = self.column(*at, name, members.as_deref())?;
                Ok(value.map(|value| with_zeros(value, *zeros_to)))
            }
            Node::Collated(of, _) | Node::Binary(of) => self.value(of),
            Node::Not(of) => Ok(boolean(self.truth(of)?.map(|truth| !truth))),
            Node::And(left, right) => self.both(left, right, false),
            Node::Or(left, right) => self.both(left, right, true),
            Node::Xor(left, right) => {
                Ok(boolean(self.truth(left)?.zip(self.truth(right)?).map(|(left, right)| left != right)))
            }
            Node::Compare { op, how, left, right } => Ok(boolean(self.compare(*op, how, left, right)?)),
            Node::In { of, list } => self.is_in(of, list),
            Node::Between { how, of, low, high } => {
                let above = self.compare(Op::Ge, &how.0, of, low)?;
                let below = self.compare(Op::Le, &how.1, of, high)?;
                Ok(boolean(and(above, below)))
            }
            Node::IsNull(of) => Ok(boolean(Some(self.value(of)?.is_none()))),
            Node::IsTruth(of, wanted) => Ok(boolean(Some(self.truth(of)? == *wanted))),
            Node::Like { of, pattern, rule } => {
                let Some(Value::Text(text)) = self.value(of)? else { return Ok(None) };
                Ok(boolean(Some(match rule {
                    Some(rule) => rule.like(&text, pattern, self.answers)?,
                    None => pattern.matches_bytes(&text),
                })))
            }
            Node::Negate { .. } | Node::Math { .. } | Node::Bits(..) | Node::BitNot(_) => {
                Ok(self.number(node)?.map(Value::Exact))
            }
            Node::Cased { of, upper, rule } => {
                let Some(Value::Text(text)) = self.value(of)? else { return Ok(None) };
                Ok(Some(Value::Text(Cow::Owned(rule.cased(&text, *upper, self.answers)?))))
            }
            Node::Call(func, arguments) => self.call(*func, arguments),
        }
    }

    /// AND where `decisive` is false, OR where it is true: the side that decides needn't be joined by the other.
    fn both(self, left: &'a Node, right: &'a Node, decisive: bool) -> Evaluated<'a> {
        let left = self.truth(left)?;
        if left == Some(decisive) {
            return Ok(boolean(left));
        }
        let right = self.truth(right)?;
        let joined = match (left, right) {
            (_, Some(truth)) if truth == decisive => Some(decisive),
            (None, _) | (_, None) => None,
            _ => Some(!decisive),
        };
        Ok(boolean(joined))
    }

    fn column(self, at: usize, name: &str, members: Option<&'a [Vec<u8>]>) -> Evaluated<'a> {
        let exact = |value: i128| Some(Value::Exact(Exact::int(value)));
        Ok(match self.row.get(at) {
            ValueRef::Null => None,
            ValueRef::Unknown => return Err(EvalError::Unknown(name.to_owned())),
            ValueRef::Int(value) => exact(value.into()),
            ValueRef::UInt(value) | ValueRef::Bit(value) => exact(value.into()),
            ValueRef::Year(value) => exact(value.into()),
            ValueRef::Float(value) => Some(Value::Real(value.into())),
            ValueRef::Double(value) => Some(Value::Real(value)),
            ValueRef::Decimal(text) => Some(Value::Exact(Exact::parse(text).ok_or(EvalError::OutOfRange)?)),
            ValueRef::Date(date) => Some(Value::Temporal(midnight(date))),
            ValueRef::DateTime(value) | ValueRef::Timestamp(value) => {
                Some(Value::Temporal(value.to_bits() as i64))
            }
            ValueRef::Time(value) => Some(Value::Temporal(value.micros())),
            ValueRef::Text(bytes) | ValueRef::Bytes(bytes) => Some(Value::Text(Cow::Borrowed(bytes))),
            ValueRef::Enum(number) => {
                let member = usize::from(number).checked_sub(1).and_then(|at| members?.get(at));
                Some(Value::Text(member.map_or(Cow::Borrowed(&[]), |text| Cow::Borrowed(text.as_slice()))))
            }
            ValueRef::Set(bits) => {
                let chosen = members.unwrap_or_default().iter().enumerate();
                let chosen = chosen.filter(|(at, _)| *at < 64 && bits >> at & 1 == 1);
                let texts: Vec<&[u8]> = chosen.map(|(_, text)| text.as_slice()).collect();
                Some(Value::Text(Cow::Owned(texts.join(&b','))))
            }
            // The checker refuses such columns.
            ValueRef::Json(_) | ValueRef::Geometry(_) => None,
        })
    }

    fn compare(self, op: Op, how: &How, left: &'a Node, right: &'a Node) -> Result<Option<bool>, EvalError> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        let (left, right) = match (left, right) {
            (Some(left), Some(right)) => (left, right),
            (left, right) if op == Op::NullSafeEq => return Ok(Some(left.is_none() && right.is_none())),
            _ => return Ok(None),
        };
        let wants_order = !matches!(op, Op::Eq | Op::NullSafeEq | Op::Ne);
        let Some(order) = self.order(how, &left, &right, wants_order)? else { return Ok(Some(op == Op::Ne)) };
        Ok(Some(match op {
            Op::Eq | Op::NullSafeEq => order == Ordering::Equal,
            Op::Ne => order != Ordering::Equal,
            Op::Lt => order == Ordering::Less,
            Op::Le => order != Ordering::Greater,
            Op::Gt => order == Ordering::Greater,
            Op::Ge => order != Ordering::Less,
        }))
    }

    /// `None` for numbers that have no order.
    fn order(
        self,
        how: &How,
        left: &Value<'_>,
        right: &Value<'_>,
        wants_order: bool,
    ) -> Result<Option<Ordering>, EvalError> {
        Ok(match (how, left, right) {
            (How::Text(rule), Value::Text(left), Value::Text(right)) => {
                Some(rule.compare(left, right, wants_order, self.answers)?)
            }
            (_, Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
            (_, Value::Temporal(left), Value::Temporal(right)) => Some(left.cmp(right)),
            (How::Exact, Value::Exact(left), Value::Exact(right)) => Some(left.compare(*right)),
            (_, left, right) => {
                real(left).zip(real(right)).and_then(|(left, right)| left.partial_cmp(&right))
            }
        })
    }

    fn is_in(self, of: &'a Node, list: &'a [(How, Node)]) -> Evaluated<'a> {
        let mut unknown = false;
        for (how, item) in list {
            match self.compare(Op::Eq, how, of, item)? {
                Some(true) => return Ok(boolean(Some(true))),
                Some(false) => {}
                None => unknown = true,
            }
        }
        Ok(boolean((!unknown).then_some(false)))
    }

    fn exact(self, node: &'a Node) -> Result<Option<Exact>, EvalError> {
        Ok(self.value(node)?.and_then(Value::exact))
    }

    fn number(self, node: &'a Node) -> Result<Option<Exact>, EvalError> {
        match node {
            Node::Negate { of, int } => {
                let Some(value) = self.exact(of)? else { return Ok(None) };
                let range = if *int { Range::Signed } else { Range::Decimal };
                in_range(Exact { mantissa: -value.mantissa, ..value }, range).map(Some)
            }
            Node::Math { op, left, right, result } => {
                let Some((left, right)) = self.exact(left)?.zip(self.exact(right)?) else { return Ok(None) };
                let value = match op {
                    Math::Add => left.add(right),
                    Math::Sub => left.sub(right),
                    Math::Mul => left.mul(right),
                    Math::Mod if right.is_zero() => return Ok(None),
                    Math::Mod => left.rem(right),
                };
                in_range(value.ok_or(EvalError::OutOfRange)?, *result).map(Some)
            }
            Node::Bits(op, left, right) => {
                let Some((left, right)) = self.exact(left)?.zip(self.exact(right)?) else { return Ok(None) };
                let (left, right) = (bits(left), bits(right));
                let shift = u32::try_from(right).unwrap_or(u32::MAX);
                let value = match op {
                    Bits::Or => left | right,
                    Bits::And => left & right,
                    Bits::Xor => left ^ right,
                    Bits::Left => left.checked_shl(shift).unwrap_or(0),
                    Bits::Right => left.checked_shr(shift).unwrap_or(0),
                };
                Ok(Some(Exact::int(value.into())))
            }
            Node::BitNot(of) => Ok(self.exact(of)?.map(|value| Exact::int((!bits(value)).into()))),
            _ => self.exact(node),
        }
    }

    fn call(self, func: Func, arguments: &'a [Node]) -> Evaluated<'a> {
        if func == Func::Coalesce {
            for argument in arguments {
                if let Some(value) = self.value(argument)? {
                    return Ok(Some(value));
                }
            }
            return Ok(None);
        }
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            match self.value(argument)? {
                Some(value) => values.push(value),
                None => return Ok(None),
            }
        }
        let int = |value: i128| Ok(Some(Value::Exact(Exact::int(value))));
        match (func, values.as_slice()) {
            (Func::Length, [Value::Text(text)]) => int(text.len() as i128),
            (Func::CharLength(charset), [Value::Text(text)]) => int(characters(charset, text)?.len() as i128),
            (
                Func::Substring(charset) | Func::Left(charset) | Func::Right(charset),
                [Value::Text(text), rest @ ..],
            ) => {
                let chars = characters(charset, text)?;
                let numbers: Vec<i128> = rest
                    .iter()
                    .filter_map(|value| value.clone().exact())
                    .map(|exact| exact.mantissa)
                    .collect();
                let part: Vec<u8> = cut(func, &chars, &numbers).concat();
                Ok(Some(Value::Text(Cow::Owned(part))))
            }
            (Func::Concat, texts) => {
                let parts: Vec<&[u8]> = texts
                    .iter()
                    .filter_map(|value| match value {
                        Value::Text(text) => Some(text.as_ref()),
                        _ => None,
                    })
                    .collect();
                Ok(Some(Value::Text(Cow::Owned(parts.concat()))))
            }
            (Func::Abs(range), [Value::Exact(value)]) => {
                in_range(Exact { mantissa: value.mantissa.abs(), ..*value }, range)
                    .map(Value::Exact)
                    .map(Some)
            }
            (Func::Crc32, [Value::Text(text)]) => int(crc32fast::hash(text).into()),
            (Func::Crc32, [Value::Exact(value)]) => {
                int(crc32fast::hash(value.mantissa.to_string().as_bytes()).into())
            }
            (_, [Value::Temporal(packed)]) => Ok(part_of(func, *packed)),
            _ => Ok(None),
        }
    }
}

/// Fields of a moment.
fn part_of(func: Func, packed: i64) -> Option<Value<'static>> {
    let moment = DateTime::from_bits(packed as u64)?;
    let int = |value: i128| Some(Value::Exact(Exact::int(value)));
    match func {
        Func::Year => int(moment.date().year().into()),
        Func::Month => int(moment.date().month().into()),
        Func::Day => int(moment.date().day().into()),
        Func::Hour => int(moment.hour().into()),
        Func::Minute => int(moment.minute().into()),
        Func::Second => int(moment.second().into()),
        Func::Date => Some(Value::Temporal(midnight(moment.date()))),
        _ => None,
    }
}

/// The part of `chars` that SUBSTRING, LEFT or RIGHT gives. Positions count from 1, negative ones from the end.
fn cut<'c>(func: Func, chars: &'c [Vec<u8>], numbers: &[i128]) -> &'c [Vec<u8>] {
    let total = chars.len() as i128;
    let (from, length) = match (func, numbers) {
        (Func::Left(_), [length]) => (0, *length),
        (Func::Right(_), [length]) => ((total - (*length).max(0)).max(0), *length),
        (_, [position]) => (start(*position, total), total),
        (_, [position, length]) => (start(*position, total), *length),
        _ => (total, 0),
    };
    let from = if from < 0 { total } else { from.min(total) };
    let until = (from + length.clamp(0, total)).min(total);
    chars.get(from as usize..until as usize).unwrap_or_default()
}

/// From 0; negative where there is none.
fn start(position: i128, total: i128) -> i128 {
    match position {
        0 => -1,
        1.. => position - 1,
        _ => total + position,
    }
}

/// The characters, each in the charset's bytes.
fn characters(charset: Charset, text: &[u8]) -> Result<Vec<Vec<u8>>, EvalError> {
    if charset == Charset::Binary {
        return Ok(text.iter().map(|byte| vec![*byte]).collect());
    }
    let utf8 = charset.to_utf8(text).map_err(|_| EvalError::InvalidText)?;
    let utf8 = std::str::from_utf8(&utf8).map_err(|_| EvalError::InvalidText)?;
    let mut buffer = [0; 4];
    let encode = |c: char| {
        let bytes = charset.encode_utf8(c.encode_utf8(&mut buffer).as_bytes()).map(Cow::into_owned);
        bytes.ok_or(EvalError::InvalidText)
    };
    utf8.chars().map(encode).collect()
}

fn boolean<'a>(truth: Option<bool>) -> Option<Value<'a>> {
    truth.map(|truth| Value::Exact(Exact::int(truth.into())))
}

fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn with_zeros(value: Value<'_>, length: usize) -> Value<'_> {
    match value {
        Value::Text(text) if text.len() < length => {
            let mut padded = text.into_owned();
            padded.resize(length, 0);
            Value::Text(Cow::Owned(padded))
        }
        value => value,
    }
}

fn midnight(date: Date) -> i64 {
    (u64::from(date.to_bits()) << 37) as i64
}

fn real(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Real(real) => Some(*real),
        Value::Exact(exact) => Some(exact.to_real()),
        _ => None,
    }
}

/// Two's complement of 64 bits.
fn bits(value: Exact) -> u64 {
    value.mantissa as u64
}

fn in_range(value: Exact, range: Range) -> Result<Exact, EvalError> {
    let fits = match range {
        Range::Signed => i64::try_from(value.mantissa).is_ok(),
        Range::Unsigned => u64::try_from(value.mantissa).is_ok(),
        Range::Decimal => true,
    };
    if fits { Ok(value) } else { Err(EvalError::OutOfRange) }
}
