//! The little SQL that is understood, in its parsed form.

use whimbrel_connector::{ConnectorError, ErrorKind, Result};
use whimbrel_model::schema::Key;
use whimbrel_model::{Charset, Column, ColumnDefault, DataType, TableName, TableSchema};

/// A constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    Null,
    Number(i128),
    Text(Vec<u8>),
}

#[derive(Clone, Debug)]
pub enum Change {
    AddColumn(Column),
    DropColumn(String),
    AddUnique(Key),
    DropUnique(String),
}

#[derive(Clone, Debug)]
pub enum Statement {
    CreateTable(Box<TableSchema>),
    DropTable(TableName),
    Truncate(TableName),
    Alter(TableName, Vec<Change>),
    CreateView { name: TableName, columns: Vec<String>, query: String },
    Insert(TableName, Vec<Vec<Literal>>),
    Update { table: TableName, set: (String, Literal), wanted: Option<(String, Literal)> },
    Delete { table: TableName, wanted: Option<(String, Literal)> },
}

impl Statement {
    pub fn is_ddl(&self) -> bool {
        !matches!(self, Self::Insert(..) | Self::Update { .. } | Self::Delete { .. })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Number(i128),
    Text(Vec<u8>),
    Sign(char),
}

fn not_understood(sql: &str) -> ConnectorError {
    let start: String = sql.chars().take(80).collect();
    ConnectorError::new(ErrorKind::UnsupportedStatement, start, "the simulated server doesn't understand it")
}

fn tokens(sql: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut chars = sql.char_indices().peekable();
    while let Some((at, first)) = chars.next() {
        let rest = sql.get(at..)?;
        let skip = |length: usize, chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>| {
            while chars.peek().is_some_and(|(next, _)| *next < at + length) {
                chars.next();
            }
        };
        if first.is_whitespace() {
            continue;
        } else if rest.starts_with("x'") {
            let end = rest.get(2..)?.find('\'')? + 2;
            let digits = rest.get(2..end)?;
            let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
            found.push(Token::Text((0..digits.len()).step_by(2).map(byte).collect::<Option<_>>()?));
            skip(end + 1, &mut chars);
        } else if first.is_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            found.push(Token::Word(rest.get(..length)?.to_owned()));
            skip(length, &mut chars);
        } else if first == '\'' {
            let end = rest.get(1..)?.find('\'')? + 1;
            found.push(Token::Text(rest.get(1..end)?.as_bytes().to_vec()));
            skip(end + 1, &mut chars);
        } else if first.is_ascii_digit()
            || (first == '-' && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            let length = rest[1..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |end| end + 1);
            found.push(Token::Number(rest.get(..length)?.parse().ok()?));
            skip(length, &mut chars);
        } else {
            found.push(Token::Sign(first));
        }
    }
    Some(found)
}

struct Parser<'a> {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    default_schema: &'a str,
}

impl Parser<'_> {
    fn word(&mut self) -> Option<String> {
        match self.tokens.next()? {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    fn at(&mut self, keyword: &str) -> bool {
        matches!(self.tokens.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword))
    }

    fn eat(&mut self, keyword: &str) -> bool {
        let there = self.at(keyword);
        if there {
            self.tokens.next();
        }
        there
    }

    fn need(&mut self, keyword: &str) -> Option<()> {
        self.eat(keyword).then_some(())
    }

    fn eat_sign(&mut self, sign: char) -> bool {
        let there = self.tokens.peek() == Some(&Token::Sign(sign));
        if there {
            self.tokens.next();
        }
        there
    }

    fn need_sign(&mut self, sign: char) -> Option<()> {
        self.eat_sign(sign).then_some(())
    }

    fn name(&mut self) -> Option<TableName> {
        let first = self.word()?;
        if self.eat_sign('.') {
            return Some(TableName::new(first, self.word()?));
        }
        Some(TableName::new(self.default_schema, first))
    }

    fn literal(&mut self) -> Option<Literal> {
        match self.tokens.next()? {
            Token::Number(number) => Some(Literal::Number(number)),
            Token::Text(text) => Some(Literal::Text(text)),
            Token::Word(word) if word.eq_ignore_ascii_case("NULL") => Some(Literal::Null),
            _ => None,
        }
    }

    /// `(a, b, ...)`.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.need_sign('(')?;
        let mut items = vec![item(self)?];
        while self.eat_sign(',') {
            items.push(item(self)?);
        }
        self.need_sign(')')?;
        Some(items)
    }

    fn length(&mut self) -> Option<u32> {
        let length = self.list(Self::literal)?;
        match length.as_slice() {
            [Literal::Number(number)] => u32::try_from(*number).ok(),
            _ => None,
        }
    }

    fn data_type(&mut self) -> Option<DataType> {
        let word = self.word()?.to_uppercase();
        let bytes = match word.as_str() {
            "TINYINT" => 1,
            "SMALLINT" => 2,
            "INT" => 4,
            "BIGINT" => 8,
            "VARCHAR" => {
                let (charset, collation) = (Charset::Utf8mb4, "utf8mb4_0900_bin".to_owned());
                return Some(DataType::VarChar { chars: self.length()?, charset, collation });
            }
            "VARBINARY" => return Some(DataType::VarBinary { bytes: self.length()? }),
            _ => return None,
        };
        Some(DataType::Int { bytes, unsigned: self.eat("UNSIGNED"), zerofill: None })
    }

    /// A column; true where it is the primary key.
    fn column(&mut self) -> Option<(Column, bool)> {
        let name = self.word()?;
        let mut column = Column::new(name, self.data_type()?, true);
        let mut primary = false;
        loop {
            if self.eat("NOT") {
                self.need("NULL")?;
                column.nullable = false;
            } else if self.eat("NULL") {
                column.nullable = true;
            } else if self.eat("DEFAULT") {
                column.default = Some(match self.literal()? {
                    Literal::Null => ColumnDefault::Null,
                    Literal::Number(number) => ColumnDefault::Literal(number.to_string()),
                    Literal::Text(text) => ColumnDefault::Literal(String::from_utf8(text).ok()?),
                });
            } else if self.eat("PRIMARY") {
                self.need("KEY")?;
                (column.nullable, primary) = (false, true);
            } else {
                return Some((column, primary));
            }
        }
    }

    fn unique(&mut self) -> Option<Key> {
        let named = if self.eat("CONSTRAINT") { Some(self.word()?) } else { None };
        self.need("UNIQUE")?;
        self.eat("KEY");
        let name = match named {
            Some(name) => name,
            None => self.word()?,
        };
        Some(Key::on_columns(name, self.list(Self::word)?))
    }

    fn create_table(&mut self) -> Option<TableSchema> {
        let name = self.name()?;
        let mut schema = TableSchema::new(name, Vec::new());
        self.list(|parser| {
            if parser.eat("PRIMARY") {
                parser.need("KEY")?;
                schema.primary_key = Some(Key::on_columns("PRIMARY", parser.list(Self::word)?));
            } else if parser.at("CONSTRAINT") || parser.at("UNIQUE") {
                schema.unique_keys.push(parser.unique()?);
            } else {
                let (column, primary) = parser.column()?;
                if primary {
                    schema.primary_key = Some(Key::on_columns("PRIMARY", [column.name.clone()]));
                }
                schema.columns.push(column);
            }
            Some(())
        })?;
        Some(schema)
    }

    fn alter(&mut self) -> Option<Statement> {
        let name = self.name()?;
        let mut changes = Vec::new();
        loop {
            if self.eat("DROP") {
                changes.push(if self.eat("INDEX") {
                    Change::DropUnique(self.word()?)
                } else {
                    self.need("COLUMN")?;
                    Change::DropColumn(self.word()?)
                });
            } else {
                self.need("ADD")?;
                changes.push(if self.eat("COLUMN") {
                    Change::AddColumn(self.column()?.0)
                } else {
                    Change::AddUnique(self.unique()?)
                });
            }
            if !self.eat_sign(',') {
                return Some(Statement::Alter(name, changes));
            }
        }
    }

    /// `WHERE column = value`, if there is one.
    fn wanted(&mut self) -> Option<Option<(String, Literal)>> {
        if self.eat("WHERE") { self.pair().map(Some) } else { Some(None) }
    }

    fn pair(&mut self) -> Option<(String, Literal)> {
        let column = self.word()?;
        self.need_sign('=')?;
        Some((column, self.literal()?))
    }

    fn statement(&mut self, sql: &str) -> Option<Statement> {
        let verb = self.word()?.to_uppercase();
        match verb.as_str() {
            "CREATE" if self.eat("TABLE") => {
                self.create_table().map(|schema| Statement::CreateTable(Box::new(schema)))
            }
            "CREATE" if self.eat("VIEW") => self.view(sql),
            "DROP" => {
                self.need("TABLE")?;
                self.name().map(Statement::DropTable)
            }
            "TRUNCATE" => {
                self.need("TABLE")?;
                self.name().map(Statement::Truncate)
            }
            "ALTER" => {
                self.need("TABLE")?;
                self.alter()
            }
            "INSERT" => {
                self.need("INTO")?;
                let name = self.name()?;
                self.need("VALUES")?;
                let mut rows = vec![self.list(Self::literal)?];
                while self.eat_sign(',') {
                    rows.push(self.list(Self::literal)?);
                }
                Some(Statement::Insert(name, rows))
            }
            "UPDATE" => {
                let table = self.name()?;
                self.need("SET")?;
                let set = self.pair()?;
                Some(Statement::Update { table, set, wanted: self.wanted()? })
            }
            "DELETE" => {
                self.need("FROM")?;
                let table = self.name()?;
                Some(Statement::Delete { table, wanted: self.wanted()? })
            }
            _ => None,
        }
    }

    /// A view is kept as its text; its columns are named before AS, or by what it selects.
    fn view(&mut self, sql: &str) -> Option<Statement> {
        let name = self.name()?;
        let given =
            if self.tokens.peek() == Some(&Token::Sign('(')) { Some(self.list(Self::word)?) } else { None };
        self.need("AS")?;
        let query = sql.split_once(" AS ")?.1.to_owned();
        let selected = query.strip_prefix("SELECT ")?.split_once(" FROM ")?.0.to_owned();
        let columns =
            given.unwrap_or_else(|| selected.split(',').map(|part| part.trim().to_owned()).collect());
        // What it reads isn't looked at.
        self.tokens.by_ref().for_each(drop);
        Some(Statement::CreateView { name, columns, query })
    }
}

/// # Errors
/// Anything that isn't of the little that is understood.
pub fn statement(default_schema: &str, sql: &str) -> Result<Statement> {
    let parse = || {
        let mut parser = Parser { tokens: tokens(sql)?.into_iter().peekable(), default_schema };
        let parsed = parser.statement(sql)?;
        parser.tokens.next().is_none().then_some(parsed)
    };
    parse().ok_or_else(|| not_understood(sql))
}
