//! Functions of conditions.

use whimbrel_model::Charset;
use whimbrel_mysql_ddl::ast::Span;

use super::{Checked, Checker, INT, Kind, Typed, size, unlike};
use crate::condition::ConditionError;
use crate::condition::node::{Func, Math, Node, Range};
use crate::condition::syntax::Expr;
use crate::condition::text::TextRule;

impl Checker<'_> {
    pub(super) fn call(&self, name: &str, arguments: &[Expr], span: Span) -> Checked {
        match name {
            "MOD" => {
                let [left, right] = arguments else { return Err(self.count(name, "two", span)) };
                return self.math(Math::Mod, left, right, span);
            }
            "ISNULL" => {
                let [of] = arguments else { return Err(self.count(name, "one", span)) };
                return Ok(Typed { node: Node::IsNull(Box::new(self.check(of)?.node)), kind: INT, span });
            }
            _ => {}
        }
        let typed: Vec<Typed> =
            arguments.iter().map(|argument| self.check(argument)).collect::<Result<_, _>>()?;
        match name {
            "COALESCE" | "IFNULL" => self.coalesce(name, typed, span),
            "CONCAT" => self.concat(typed, span),
            "SUBSTRING" | "SUBSTR" | "MID" | "LEFT" | "RIGHT" => self.part(name, typed, span),
            _ => self.of_one(name, typed, span),
        }
    }

    fn count(&self, name: &str, count: &str, span: Span) -> ConditionError {
        self.error(span, format!("{name} takes {count} argument(s)"))
    }

    fn of_one(&self, name: &str, arguments: Vec<Typed>, span: Span) -> Checked {
        let known = [
            "LENGTH",
            "OCTET_LENGTH",
            "CHAR_LENGTH",
            "CHARACTER_LENGTH",
            "LOWER",
            "LCASE",
            "UPPER",
            "UCASE",
            "ABS",
            "CRC32",
            "YEAR",
            "MONTH",
            "DAY",
            "DAYOFMONTH",
            "HOUR",
            "MINUTE",
            "SECOND",
            "DATE",
        ];
        if !known.contains(&name) {
            let list = "ABS, CHAR_LENGTH, COALESCE, CONCAT, CRC32, DATE, DAY, HOUR, IFNULL, ISNULL, LEFT, LENGTH, LOWER, \
                        MINUTE, MOD, MONTH, RIGHT, SECOND, SUBSTRING, UPPER, YEAR";
            let message =
                format!("function {name} can't be evaluated exactly on changes; supported are {list}");
            return Err(self.error(span, message));
        }
        let Ok([of]) = <[Typed; 1]>::try_from(arguments) else { return Err(self.count(name, "one", span)) };
        let unsupported =
            |kind: &Kind| Err(self.error(span, format!("{name} of {} is not supported", kind.name())));
        let (func, kind) = match (name, &of.kind) {
            ("LENGTH" | "OCTET_LENGTH", Kind::Text { .. } | Kind::Bytes) => (Func::Length, INT),
            ("CHAR_LENGTH" | "CHARACTER_LENGTH", Kind::Text { charset, .. }) => {
                (Func::CharLength(*charset), INT)
            }
            ("LOWER" | "LCASE" | "UPPER" | "UCASE", Kind::Text { charset, collation, .. }) => {
                let rule = TextRule::new(*charset, collation);
                let upper = name.starts_with('U');
                let node = Node::Cased { of: Box::new(of.node), upper, rule };
                return Ok(Typed { node, kind: of.kind, span });
            }
            ("ABS", Kind::Int { unsigned: false }) => (Func::Abs(Range::Signed), INT),
            ("ABS", Kind::Int { .. }) => (Func::Abs(Range::Unsigned), of.kind.clone()),
            ("ABS", Kind::Decimal { .. }) => (Func::Abs(Range::Decimal), of.kind.clone()),
            ("CRC32", Kind::Text { .. } | Kind::Bytes | Kind::Int { .. }) => {
                (Func::Crc32, Kind::Int { unsigned: true })
            }
            ("DATE", Kind::Moment) => (Func::Date, Kind::Moment),
            (_, Kind::Moment) => match moment_part(name) {
                Some(Func::Year) => (Func::Year, Kind::YearOf),
                Some(func) => (func, INT),
                None => return unsupported(&of.kind),
            },
            (_, kind) => return unsupported(kind),
        };
        Ok(Typed { node: Node::Call(func, vec![of.node]), kind, span })
    }

    fn part(&self, name: &str, arguments: Vec<Typed>, span: Span) -> Checked {
        let counts = if matches!(name, "LEFT" | "RIGHT") { 2..=2 } else { 2..=3 };
        if !counts.contains(&arguments.len()) {
            return Err(self.count(name, "a text and its number", span));
        }
        let mut arguments = arguments.into_iter();
        let Some(of) = arguments.next() else { return Err(self.count(name, "two", span)) };
        let charset = match &of.kind {
            Kind::Text { charset, .. } => *charset,
            Kind::Bytes => Charset::Binary,
            other => return Err(self.error(of.span, format!("{name} of {} is not supported", other.name()))),
        };
        let mut nodes = vec![of.node];
        for number in arguments {
            if !matches!(number.kind, Kind::Int { .. }) {
                return Err(self.error(number.span, "an integer is wanted"));
            }
            nodes.push(number.node);
        }
        let func = match name {
            "LEFT" => Func::Left(charset),
            "RIGHT" => Func::Right(charset),
            _ => Func::Substring(charset),
        };
        Ok(Typed { node: Node::Call(func, nodes), kind: of.kind, span })
    }

    fn concat(&self, arguments: Vec<Typed>, span: Span) -> Checked {
        let Some(text) = arguments.iter().find(|typed| matches!(typed.kind, Kind::Text { .. })) else {
            return Err(self.error(span, "CONCAT wants a column's text among its arguments"));
        };
        let model = Typed { node: Node::Null, kind: text.kind.clone(), span };
        let mut nodes = Vec::with_capacity(arguments.len());
        for mut argument in arguments {
            self.adapt(&mut argument, &model)?;
            let same = match (&argument.kind, &model.kind) {
                (
                    Kind::Text { charset, collation, .. },
                    Kind::Text { charset: wanted, collation: wanted_collation, .. },
                ) => charset == wanted && collation.eq_ignore_ascii_case(wanted_collation),
                _ => false,
            };
            if !same {
                let message = "CONCAT is supported for strings and texts of one charset and collation";
                return Err(self.error(argument.span, message));
            }
            nodes.push(argument.node);
        }
        Ok(Typed { node: Node::Call(Func::Concat, nodes), kind: model.kind, span })
    }

    fn coalesce(&self, name: &str, mut arguments: Vec<Typed>, span: Span) -> Checked {
        if arguments.is_empty() || (name == "IFNULL" && arguments.len() != 2) {
            return Err(self.count(name, "two", span));
        }
        let model = arguments.iter().find(|typed| !matches!(typed.kind, Kind::Null | Kind::Literal(_)));
        let model = model.map(|typed| Typed { node: Node::Null, kind: typed.kind.clone(), span });
        let Some(model) = model else { return Err(self.error(span, format!("{name} wants a column"))) };
        let mut kind = model.kind.clone();
        for argument in &mut arguments {
            self.adapt(argument, &model)?;
            kind = match (&kind, &argument.kind) {
                (kind, Kind::Null) => kind.clone(),
                (Kind::Int { unsigned: a }, Kind::Int { unsigned: b }) if a == b => kind,
                (Kind::Text { .. }, Kind::Text { .. }) if kind == argument.kind => kind,
                (Kind::Moment, Kind::Moment) | (Kind::Clock, Kind::Clock) | (Kind::Bytes, Kind::Bytes) => {
                    kind
                }
                // A constant that isn't negative is at home among unsigned ones.
                (Kind::Int { unsigned: true }, Kind::Int { .. }) if is_natural(&argument.node) => kind,
                (kind, other) => match (size(kind), size(other)) {
                    (Some(a), Some(b)) => self.decimal(Math::Add, a, b, span)?,
                    _ => return Err(self.error(argument.span, unlike(kind, other))),
                },
            };
        }
        let nodes = arguments.into_iter().map(|typed| typed.node).collect();
        Ok(Typed { node: Node::Call(Func::Coalesce, nodes), kind, span })
    }
}

fn is_natural(node: &Node) -> bool {
    matches!(node, Node::Number(exact) if exact.mantissa >= 0)
}

fn moment_part(name: &str) -> Option<Func> {
    Some(match name {
        "YEAR" => Func::Year,
        "MONTH" => Func::Month,
        "DAY" | "DAYOFMONTH" => Func::Day,
        "HOUR" => Func::Hour,
        "MINUTE" => Func::Minute,
        "SECOND" => Func::Second,
        _ => return None,
    })
}
