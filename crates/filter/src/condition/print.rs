//! A condition as SQL that every session reads alike: every operand in parentheses, strings with their charset.

use whimbrel_model::TableSchema;

use super::node::{Bits, Math, Node, Op};
use super::number::Exact;
use super::text::ESCAPE;

pub(super) fn sql(node: &Node, table: &TableSchema) -> String {
    let mut out = String::new();
    Printer { table, out: &mut out }.node(node);
    out
}

struct Printer<'a> {
    table: &'a TableSchema,
    out: &'a mut String,
}

impl Printer<'_> {
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn infix(&mut self, left: &Node, operator: &str, right: &Node) {
        self.push("(");
        self.node(left);
        self.push(operator);
        self.node(right);
        self.push(")");
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Null => self.push("NULL"),
            Node::Number(exact) => self.push(&number(*exact)),
            Node::Real(text, _) => self.push(&format!("({text})")),
            Node::Text { utf8, .. } => self.push(&string(utf8)),
            Node::Bytes(bytes) => self.push(&format!("_binary X'{}'", hex(bytes))),
            Node::Moment { value, date: true } => self.push(&format!("DATE'{}'", value.date())),
            Node::Moment { value, date: false } => {
                let mut text = Vec::new();
                value.write(&mut text, 6);
                self.push(&format!("TIMESTAMP'{}'", String::from_utf8_lossy(&text)));
            }
            Node::Clock(time) => {
                let mut text = Vec::new();
                time.write(&mut text, 6);
                self.push(&format!("TIME'{}'", String::from_utf8_lossy(&text)));
            }
            Node::Column { at, .. } => {
                let name = self.table.columns[*at].name.replace('`', "``");
                self.push(&format!("`{name}`"));
            }
            Node::Collated(of, collation) => {
                self.push("(");
                self.node(of);
                self.push(&format!(" COLLATE {collation})"));
            }
            Node::Binary(of) => {
                self.push("CAST(");
                self.node(of);
                self.push(" AS BINARY)");
            }
            Node::Not(of) => {
                self.push("(NOT ");
                self.node(of);
                self.push(")");
            }
            Node::And(left, right) => self.infix(left, " AND ", right),
            Node::Or(left, right) => self.infix(left, " OR ", right),
            Node::Xor(left, right) => self.infix(left, " XOR ", right),
            Node::Compare { op, left, right, .. } => self.infix(left, operator(*op), right),
            _ => self.other(node),
        }
    }

    fn other(&mut self, node: &Node) {
        match node {
            Node::In { of, list } => {
                self.push("(");
                self.node(of);
                self.push(" IN ");
                self.list("", list.iter().map(|(_, item)| item));
                self.push(")");
            }
            Node::Between { of, low, high, .. } => {
                self.push("(");
                self.node(of);
                self.push(" BETWEEN ");
                self.node(low);
                self.push(" AND ");
                self.node(high);
                self.push(")");
            }
            Node::IsNull(of) => self.is(of, "NULL"),
            Node::IsTruth(of, Some(true)) => self.is(of, "TRUE"),
            Node::IsTruth(of, Some(false)) => self.is(of, "FALSE"),
            Node::IsTruth(of, None) => self.is(of, "UNKNOWN"),
            Node::Like { of, pattern, .. } => {
                self.push("(");
                self.node(of);
                self.push(&format!(" LIKE {} ESCAPE '{ESCAPE}')", string(&pattern.canonical())));
            }
            Node::Negate { of, .. } => {
                self.push("(-");
                self.node(of);
                self.push(")");
            }
            Node::Math { op, left, right, .. } => {
                let operator = match op {
                    Math::Add => " + ",
                    Math::Sub => " - ",
                    Math::Mul => " * ",
                    Math::Mod => " % ",
                };
                self.infix(left, operator, right);
            }
            Node::Bits(op, left, right) => {
                let operator = match op {
                    Bits::Or => " | ",
                    Bits::And => " & ",
                    Bits::Xor => " ^ ",
                    Bits::Left => " << ",
                    Bits::Right => " >> ",
                };
                self.infix(left, operator, right);
            }
            Node::BitNot(of) => {
                self.push("(~");
                self.node(of);
                self.push(")");
            }
            Node::Cased { of, upper, .. } => self.list(if *upper { "UPPER" } else { "LOWER" }, [of.as_ref()]),
            Node::Call(func, arguments) => self.list(func.name(), arguments),
            plain => self.node(plain),
        }
    }

    fn is(&mut self, of: &Node, what: &str) {
        self.push("(");
        self.node(of);
        self.push(&format!(" IS {what})"));
    }

    fn list<'n>(&mut self, name: &str, nodes: impl IntoIterator<Item = &'n Node>) {
        self.push(name);
        self.push("(");
        for (number, node) in nodes.into_iter().enumerate() {
            if number > 0 {
                self.push(", ");
            }
            self.node(node);
        }
        self.push(")");
    }
}

fn operator(op: Op) -> &'static str {
    match op {
        Op::Eq => " = ",
        Op::NullSafeEq => " <=> ",
        Op::Ne => " <> ",
        Op::Lt => " < ",
        Op::Le => " <= ",
        Op::Gt => " > ",
        Op::Ge => " >= ",
    }
}

fn number(exact: Exact) -> String {
    let digits = exact.mantissa.unsigned_abs().to_string();
    let scale = exact.scale as usize;
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    let sign = if exact.mantissa < 0 { "-" } else { "" };
    match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

/// Plain text stays readable; anything that a session might read otherwise is in hexadecimal.
fn string(text: &str) -> String {
    let plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && !matches!(byte, b'\'' | b'\\'));
    if plain { format!("_utf8mb4'{text}'") } else { format!("_utf8mb4 X'{}'", hex(text.as_bytes())) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
