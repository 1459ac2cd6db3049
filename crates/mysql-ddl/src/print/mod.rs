//! Canonical SQL: identifiers in backticks, strings in single quotes, keywords in upper case, one space
//! between words, one spelling per meaning. For the default `sql_mode`.

mod alter;
mod column;
mod index;
mod partition;
mod statement;
mod table;

use std::fmt::{self, Display, Formatter, Write};

use crate::ast::{Fragment, Ident, ObjectName};
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

/// A name of a charset, engine or method: bare if it is a plain word, else quoted.
struct Word<'a>(&'a str);

impl Display for Word<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plain = !self.0.is_empty()
            && self.0.bytes().all(crate::lexer::is_word_byte)
            && !self.0.bytes().all(|b| b.is_ascii_digit());
        if plain { f.write_str(self.0) } else { write_identifier(f, self.0) }
    }
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
