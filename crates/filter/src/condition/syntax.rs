//! The grammar of conditions: tokens to a tree that knows nothing of columns yet.
//!
//! Precedence is that of the servers' manuals (OR, XOR, AND, NOT, comparison, `|`, `&`, shifts, sums, products, `^`,
//! signs, COLLATE). What the servers read differently by `sql_mode` (`||`, double quotes as names) isn't accepted.

use whimbrel_mysql_ddl::ast::Span;
use whimbrel_mysql_ddl::{Dialect, ExprToken, ParseOptions, expression_tokens};

use super::ConditionError;

/// How deep expressions may be nested.
const MAX_DEPTH: usize = 100;

#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub(super) enum ExprKind {
    Null,
    Bool(bool),
    Int(String),
    Real(String),
    Text(String),
    Hex(Vec<u8>),
    /// `DATE '..'` and its kin; the keyword in upper case.
    Temporal(String, String),
    Column(String),
    Not(Box<Expr>),
    Sign {
        negative: bool,
        of: Box<Expr>,
    },
    BitNot(Box<Expr>),
    Binary(Box<Expr>),
    Collate(Box<Expr>, String),
    Infix(Infix, Box<Expr>, Box<Expr>),
    Is {
        of: Box<Expr>,
        what: Is,
        negated: bool,
    },
    In {
        of: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    Between {
        of: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
    },
    Like {
        of: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<String>,
        negated: bool,
    },
    Call(String, Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    Null,
    True,
    False,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Infix {
    Or,
    Xor,
    And,
    Eq,
    NullSafeEq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    BitOr,
    BitAnd,
    ShiftLeft,
    ShiftRight,
    Add,
    Sub,
    Mul,
    Mod,
    BitXor,
}

pub(super) fn parse(text: &str) -> Result<Expr, ConditionError> {
    let options = ParseOptions::new(Dialect::mysql(90_700));
    let tokens = expression_tokens(text, &options)
        .map_err(|error| ConditionError::new(text, error.offset, error.kind.to_string()))?;
    let mut parser = Parser { text, tokens, at: 0, depth: 0 };
    let expr = parser.or()?;
    match parser.tokens.get(parser.at) {
        None => Ok(expr),
        Some((_, span)) => Err(parser.unexpected(*span, "the end, AND, OR or another operator")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(ExprToken, Span)>,
    at: usize,
    depth: usize,
}

type Parsed = Result<Expr, ConditionError>;

impl Parser<'_> {
    fn error(&self, span: Span, message: impl Into<String>) -> ConditionError {
        ConditionError::new(self.text, span.start as usize, message)
    }

    fn unexpected(&self, span: Span, expected: &str) -> ConditionError {
        let found = match span.text(self.text) {
            "" => "the end".to_owned(),
            text => format!("{text:?}"),
        };
        self.error(span, format!("expected {expected}, found {found}"))
    }

    fn here(&self) -> Span {
        let end = self.text.len() as u32;
        self.tokens.get(self.at).map_or(Span { start: end, end }, |(_, span)| *span)
    }

    /// The operator of adjacent bytes `symbol` stands here.
    fn is_symbol(&self, symbol: &[u8]) -> bool {
        let mut end = None;
        symbol.iter().enumerate().all(|(offset, byte)| match self.tokens.get(self.at + offset) {
            Some((ExprToken::Punct(found), span)) => {
                let adjacent = end.is_none_or(|end| end == span.start);
                end = Some(span.end);
                found == byte && adjacent
            }
            _ => false,
        })
    }

    fn take_symbol(&mut self, symbol: &[u8]) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.at += symbol.len();
        }
        found
    }

    fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some((ExprToken::Word(found), _)) if found.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect(&mut self, symbol: &[u8], name: &str) -> Result<(), ConditionError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected(self.here(), name)) }
    }

    fn expect_word(&mut self, word: &'static str) -> Result<(), ConditionError> {
        if self.take_word(word) { Ok(()) } else { Err(self.unexpected(self.here(), word)) }
    }

    /// `next (operator next)*`, from the left.
    fn chain(
        &mut self,
        operator: impl Fn(&mut Self) -> Option<Infix>,
        next: impl Fn(&mut Self) -> Parsed,
    ) -> Parsed {
        let mut left = next(self)?;
        while let Some(infix) = operator(self) {
            let right = next(self)?;
            let span = left.span.to(right.span);
            left = Expr { kind: ExprKind::Infix(infix, Box::new(left), Box::new(right)), span };
        }
        Ok(left)
    }

    fn or(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(self.here(), format!("nested deeper than {MAX_DEPTH}")));
        }
        if self.is_symbol(b"||") {
            return Err(self.no_pipes());
        }
        let parsed = self.chain(|p| p.take_word("OR").then_some(Infix::Or), Self::xor);
        self.depth -= 1;
        let parsed = parsed?;
        if self.is_symbol(b"||") { Err(self.no_pipes()) } else { Ok(parsed) }
    }

    fn no_pipes(&self) -> ConditionError {
        self.error(self.here(), "|| means OR or CONCAT depending on sql_mode: write OR or CONCAT()")
    }

    fn xor(&mut self) -> Parsed {
        self.chain(|p| p.take_word("XOR").then_some(Infix::Xor), Self::and)
    }

    fn and(&mut self) -> Parsed {
        self.chain(|p| (p.take_word("AND") || p.take_symbol(b"&&")).then_some(Infix::And), Self::not)
    }

    fn not(&mut self) -> Parsed {
        let start = self.here();
        if !self.take_word("NOT") {
            return self.comparison();
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(start, format!("nested deeper than {MAX_DEPTH}")));
        }
        let of = self.not()?;
        self.depth -= 1;
        let span = start.to(of.span);
        Ok(Expr { kind: ExprKind::Not(Box::new(of)), span })
    }

    fn comparison(&mut self) -> Parsed {
        let mut left = self.predicate()?;
        loop {
            if self.take_word("IS") {
                left = self.is(left)?;
                continue;
            }
            let symbols: [(&[u8], Infix); 8] = [
                (b"<=>", Infix::NullSafeEq),
                (b"<>", Infix::Ne),
                (b"!=", Infix::Ne),
                (b"<=", Infix::Le),
                (b">=", Infix::Ge),
                (b"=", Infix::Eq),
                (b"<", Infix::Lt),
                (b">", Infix::Gt),
            ];
            let Some((_, infix)) = symbols.into_iter().find(|(symbol, _)| self.take_symbol(symbol)) else {
                return Ok(left);
            };
            let right = self.predicate()?;
            let span = left.span.to(right.span);
            left = Expr { kind: ExprKind::Infix(infix, Box::new(left), Box::new(right)), span };
        }
    }

    fn is(&mut self, of: Expr) -> Parsed {
        let negated = self.take_word("NOT");
        let here = self.here();
        let words = [("NULL", Is::Null), ("TRUE", Is::True), ("FALSE", Is::False), ("UNKNOWN", Is::Unknown)];
        let Some((_, what)) = words.into_iter().find(|(word, _)| self.take_word(word)) else {
            return Err(self.unexpected(here, "NULL, TRUE, FALSE or UNKNOWN"));
        };
        let span = of.span.to(here);
        Ok(Expr { kind: ExprKind::Is { of: Box::new(of), what, negated }, span })
    }

    fn predicate(&mut self) -> Parsed {
        let left = self.bit_or()?;
        let negated = self.is_word(0, "NOT")
            && ["IN", "BETWEEN", "LIKE", "REGEXP", "RLIKE"].iter().any(|word| self.is_word(1, word));
        if negated {
            self.at += 1;
        }
        let (start, of) = (left.span, Box::new(left));
        if self.take_word("IN") {
            self.expect(b"(", "( and a list")?;
            if self.is_word(0, "SELECT") {
                return Err(self.error(self.here(), "subqueries can't be evaluated on changes"));
            }
            let list = self.list()?;
            let span = start.to(self.last());
            return Ok(Expr { kind: ExprKind::In { of, list, negated }, span });
        }
        if self.take_word("BETWEEN") {
            let low = Box::new(self.bit_or()?);
            self.expect_word("AND")?;
            let high = Box::new(self.bit_or()?);
            let span = start.to(high.span);
            return Ok(Expr { kind: ExprKind::Between { of, low, high, negated }, span });
        }
        if self.take_word("LIKE") {
            let pattern = Box::new(self.unary()?);
            let escape =
                if self.take_word("ESCAPE") { Some(self.string("the escape character")?) } else { None };
            let span = start.to(self.last());
            return Ok(Expr { kind: ExprKind::Like { of, pattern, escape, negated }, span });
        }
        if self.is_word(0, "REGEXP") || self.is_word(0, "RLIKE") {
            let message = "regular expressions differ between servers and can't be evaluated exactly: use LIKE, IN or =";
            return Err(self.error(self.here(), message));
        }
        Ok(*of)
    }

    /// Expressions up to the closing parenthesis, which is taken.
    fn list(&mut self) -> Result<Vec<Expr>, ConditionError> {
        let mut list = Vec::new();
        if self.take_symbol(b")") {
            return Ok(list);
        }
        loop {
            list.push(self.or()?);
            if self.take_symbol(b")") {
                return Ok(list);
            }
            self.expect(b",", "a comma or )")?;
        }
    }

    fn last(&self) -> Span {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(self.here(), |(_, span)| *span)
    }

    fn string(&mut self, what: &str) -> Result<String, ConditionError> {
        let here = self.here();
        match self.tokens.get(self.at) {
            Some((ExprToken::Str(bytes), _)) => {
                let text = String::from_utf8(bytes.clone())
                    .map_err(|_| self.error(here, format!("{what} is not UTF-8")))?;
                self.at += 1;
                Ok(text)
            }
            _ => Err(self.unexpected(here, what)),
        }
    }

    fn bit_or(&mut self) -> Parsed {
        let operator = |p: &mut Self| (!p.is_symbol(b"||") && p.take_symbol(b"|")).then_some(Infix::BitOr);
        self.chain(operator, Self::bit_and)
    }

    fn bit_and(&mut self) -> Parsed {
        let operator = |p: &mut Self| (!p.is_symbol(b"&&") && p.take_symbol(b"&")).then_some(Infix::BitAnd);
        self.chain(operator, Self::shift)
    }

    fn shift(&mut self) -> Parsed {
        let operator = |p: &mut Self| {
            if p.take_symbol(b"<<") {
                Some(Infix::ShiftLeft)
            } else {
                p.take_symbol(b">>").then_some(Infix::ShiftRight)
            }
        };
        self.chain(operator, Self::sum)
    }

    fn sum(&mut self) -> Parsed {
        let operator = |p: &mut Self| {
            if p.is_symbol(b"->") {
                None
            } else if p.take_symbol(b"+") {
                Some(Infix::Add)
            } else {
                p.take_symbol(b"-").then_some(Infix::Sub)
            }
        };
        let sum = self.chain(operator, Self::product)?;
        if self.is_symbol(b"->") {
            return Err(self
                .error(self.here(), "JSON can't be evaluated exactly: add a generated column and name it"));
        }
        Ok(sum)
    }

    fn product(&mut self) -> Parsed {
        let operator = |p: &mut Self| {
            if p.take_symbol(b"*") {
                Some(Infix::Mul)
            } else {
                (p.take_symbol(b"%") || p.take_word("MOD")).then_some(Infix::Mod)
            }
        };
        let product = self.chain(operator, Self::bit_xor)?;
        if self.is_symbol(b"/") || self.is_word(0, "DIV") {
            let message = "division depends on settings of the session and can't be evaluated exactly: multiply the other side";
            return Err(self.error(self.here(), message));
        }
        Ok(product)
    }

    fn bit_xor(&mut self) -> Parsed {
        self.chain(|p| p.take_symbol(b"^").then_some(Infix::BitXor), Self::unary)
    }

    fn unary(&mut self) -> Parsed {
        let start = self.here();
        let wrap: fn(Box<Expr>) -> ExprKind = if self.take_symbol(b"-") {
            |of| ExprKind::Sign { negative: true, of }
        } else if self.take_symbol(b"+") {
            |of| ExprKind::Sign { negative: false, of }
        } else if self.take_symbol(b"~") {
            ExprKind::BitNot
        } else if self.is_symbol(b"!") && !self.is_symbol(b"!=") {
            self.at += 1;
            ExprKind::Not
        } else if self.is_word(0, "BINARY") {
            self.at += 1;
            ExprKind::Binary
        } else {
            return self.collate();
        };
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(start, format!("nested deeper than {MAX_DEPTH}")));
        }
        let of = self.unary()?;
        self.depth -= 1;
        let span = start.to(of.span);
        Ok(Expr { kind: wrap(Box::new(of)), span })
    }

    fn collate(&mut self) -> Parsed {
        let mut expr = self.primary()?;
        while self.take_word("COLLATE") {
            let here = self.here();
            let name = match self.tokens.get(self.at) {
                Some((ExprToken::Word(name) | ExprToken::Quoted(name), _)) => name.clone(),
                _ => return Err(self.unexpected(here, "a collation")),
            };
            self.at += 1;
            let span = expr.span.to(here);
            expr = Expr { kind: ExprKind::Collate(Box::new(expr), name), span };
        }
        Ok(expr)
    }

    fn primary(&mut self) -> Parsed {
        let span = self.here();
        let Some((token, _)) = self.tokens.get(self.at).cloned() else {
            return Err(self.unexpected(span, "a value"));
        };
        self.at += 1;
        let kind = match token {
            ExprToken::Int(digits) => ExprKind::Int(digits),
            ExprToken::Real(text) => ExprKind::Real(text),
            ExprToken::Hex(bytes) => ExprKind::Hex(bytes),
            ExprToken::Str(_) => {
                self.at -= 1;
                ExprKind::Text(self.strings()?)
            }
            ExprToken::Quoted(name) => return self.column(name, span),
            ExprToken::Word(word) => return self.word(word, span),
            ExprToken::Punct(b'(') => {
                if self.is_word(0, "SELECT") {
                    return Err(self.error(self.here(), "subqueries can't be evaluated on changes"));
                }
                let inner = self.or()?;
                if self.is_symbol(b",") {
                    return Err(self.error(self.here(), "rows of several values are not supported: use AND"));
                }
                self.expect(b")", ")")?;
                return Ok(Expr { span: span.to(self.last()), ..inner });
            }
            ExprToken::Punct(b'@') => return Err(self.error(span, "variables have no value in a change")),
            _ => return Err(self.unexpected(span, "a value")),
        };
        Ok(Expr { kind, span: span.to(self.last()) })
    }

    /// Neighbouring strings are one.
    fn strings(&mut self) -> Result<String, ConditionError> {
        let mut text = self.string("a string")?;
        while matches!(self.tokens.get(self.at), Some((ExprToken::Str(_), _))) {
            text.push_str(&self.string("a string")?);
        }
        Ok(text)
    }

    /// `column`, or `table.column` of which the last name counts.
    fn column(&mut self, name: String, span: Span) -> Parsed {
        let mut name = name;
        while self.take_symbol(b".") {
            name = match self.tokens.get(self.at) {
                Some((ExprToken::Word(next) | ExprToken::Quoted(next), _)) => next.clone(),
                _ => return Err(self.unexpected(self.here(), "a column's name")),
            };
            self.at += 1;
        }
        Ok(Expr { kind: ExprKind::Column(name), span: span.to(self.last()) })
    }

    fn word(&mut self, word: String, span: Span) -> Parsed {
        let upper = word.to_ascii_uppercase();
        let kind = match upper.as_str() {
            "NULL" => ExprKind::Null,
            "TRUE" => ExprKind::Bool(true),
            "FALSE" => ExprKind::Bool(false),
            "DATE" | "TIME" | "TIMESTAMP"
                if matches!(self.tokens.get(self.at), Some((ExprToken::Str(_), _))) =>
            {
                ExprKind::Temporal(upper, self.string("a date or time")?)
            }
            "CASE" | "INTERVAL" | "EXISTS" | "MATCH" => {
                return Err(self.error(span, format!("{upper} is not supported in conditions")));
            }
            _ if self.is_symbol(b"(") => {
                self.at += 1;
                if upper == "CAST" {
                    return self.cast(span);
                }
                ExprKind::Call(upper, self.list()?)
            }
            _ if word.starts_with('_')
                && matches!(self.tokens.get(self.at), Some((ExprToken::Str(_), _))) =>
            {
                return Err(self.error(span, "charset introducers are not needed: strings are converted"));
            }
            _ => return self.column(word, span),
        };
        Ok(Expr { kind, span: span.to(self.last()) })
    }

    /// Behind `CAST(`: only `AS BINARY`.
    fn cast(&mut self, span: Span) -> Parsed {
        let of = self.or()?;
        self.expect_word("AS")?;
        if !self.take_word("BINARY") {
            return Err(self.error(self.here(), "only CAST(... AS BINARY) is supported"));
        }
        self.expect(b")", ")")?;
        Ok(Expr { kind: ExprKind::Binary(Box::new(of)), span: span.to(self.last()) })
    }
}
