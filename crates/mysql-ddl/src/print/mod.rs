//! Canonical SQL: identifiers in backticks, strings in single quotes, keywords in upper case, one space
//! between words, one spelling per meaning. For the default `sql_mode`.

mod alter;
mod column;
mod index;
mod partition;
mod statement;
mod table;

pub(crate) use table::stands_behind_partitions;

use std::fmt::{self, Display, Formatter, Write};

use crate::ast::{Fragment, Ident, ObjectName};
use crate::keyword::Kw;
use crate::parser::PLAIN_VALUES;
use crate::text::{write_identifier, write_string};

impl Display for Ident {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_identifier(f, &self.value)
    }
}

impl Display for ObjectName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        Display::fmt(&self.name, f)
    }
}

impl Display for Fragment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A string as a literal.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_string(f, self.0)
    }
}

/// A name of an engine or method, or an option's value: bare if it is a plain word, else quoted.
struct Word<'a>(&'a str);

impl Display for Word<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kw = Kw::of(self.0.as_bytes());
        write_word(f, self.0, !kw.is_reserved() || PLAIN_VALUES.contains(&kw))
    }
}

/// A name of a charset or collation, or DEFAULT.
struct Charset<'a>(&'a str);

impl Display for Charset<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kw = Kw::of(self.0.as_bytes());
        write_word(f, self.0, !kw.is_reserved() || matches!(kw, Kw::BINARY | Kw::DEFAULT))
    }
}

fn write_word(f: &mut Formatter<'_>, word: &str, may_be_bare: bool) -> fmt::Result {
    let plain = !word.is_empty()
        && word.bytes().all(crate::lexer::is_word_byte)
        && !word.bytes().all(|b| b.is_ascii_digit());
    if plain && may_be_bare { f.write_str(word) } else { write_identifier(f, word) }
}

/// Items with commas between them.
struct Commas<'a, T>(&'a [T]);

impl<T: Display> Display for Commas<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            Display::fmt(item, f)?;
        }
        Ok(())
    }
}

/// `text` and a space in front, when `there` is true.
fn flag(f: &mut Formatter<'_>, there: bool, text: &str) -> fmt::Result {
    if there {
        f.write_char(' ')?;
        f.write_str(text)?;
    }
    Ok(())
}

/// ` label value`, when there is one.
fn optional(f: &mut Formatter<'_>, label: &str, value: Option<&impl Display>) -> fmt::Result {
    match value {
        Some(value) if label.is_empty() => write!(f, " {value}"),
        Some(value) => write!(f, " {label} {value}"),
        None => Ok(()),
    }
}

fn if_exists(f: &mut Formatter<'_>, there: bool) -> fmt::Result {
    flag(f, there, "IF EXISTS")
}

fn if_not_exists(f: &mut Formatter<'_>, there: bool) -> fmt::Result {
    flag(f, there, "IF NOT EXISTS")
}
