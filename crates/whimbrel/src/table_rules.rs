//! `--where`, `--columns`, `--rename-column`: which rows and columns of a table take part, and new names of columns.
//!
//! The left side of each is a pattern as in `--include`. Everything that fits a table counts: conditions are joined by
//! AND, lists of columns become one.

use whimbrel_filter::{ColumnChoice, TableRules};
use whimbrel_model::TableName;

use crate::failure::Failure;
use crate::rules::TablePattern;

/// The rules by pattern.
#[derive(Clone, Debug, Default)]
pub struct PatternRules {
    conditions: Vec<(TablePattern, String)>,
    columns: Vec<(TablePattern, ColumnChoice)>,
    renames: Vec<(TablePattern, (String, String))>,
}

impl PatternRules {
    /// # Errors
    /// A flag that can't be understood, named with what was expected.
    pub fn parse(conditions: &[String], columns: &[String], renames: &[String]) -> Result<Self, Failure> {
        let mut rules = Self::default();
        for text in conditions {
            let (pattern, condition) = split("--where", text)?;
            if condition.trim().is_empty() {
                return Err(Failure::usage(format!("--where {text}"), "the condition is empty"));
            }
            rules.conditions.push((pattern, condition.to_owned()));
        }
        for text in columns {
            let (pattern, list) = split("--columns", text)?;
            rules.columns.push((pattern, choice(text, list)?));
        }
        for text in renames {
            rules.renames.push(rename(text)?);
        }
        Ok(rules)
    }

    /// What is said of a table.
    pub fn of(&self, table: &TableName) -> TableRules {
        let mut rules = TableRules::default();
        let fits = |pattern: &TablePattern| pattern.matches(table);
        rules.conditions =
            self.conditions.iter().filter(|(p, _)| fits(p)).map(|(_, text)| text.clone()).collect();
        for (_, choice) in self.columns.iter().filter(|(p, _)| fits(p)) {
            rules.columns = joined(std::mem::take(&mut rules.columns), choice);
        }
        rules.renames = self.renames.iter().filter(|(p, _)| fits(p)).map(|(_, pair)| pair.clone()).collect();
        rules
    }

    /// The flags whose pattern fits none of these tables.
    pub fn unused(&self, tables: &[TableName]) -> Vec<String> {
        let used = |pattern: &TablePattern| tables.iter().any(|table| pattern.matches(table));
        let conditions = self.conditions.iter().map(|(pattern, _)| ("--where", pattern));
        let columns = self.columns.iter().map(|(pattern, _)| ("--columns", pattern));
        let renames = self.renames.iter().map(|(pattern, _)| ("--rename-column", pattern));
        let all = conditions.chain(columns).chain(renames);
        all.filter(|(_, pattern)| !used(pattern))
            .map(|(flag, pattern)| format!("{flag} {}", pattern.text()))
            .collect()
    }
}

/// Columns that all rules leave: what one leaves out stays out.
fn joined(one: ColumnChoice, other: &ColumnChoice) -> ColumnChoice {
    use ColumnChoice::{All, Only, Without};
    match (one, other) {
        (All, other) => other.clone(),
        (one, All) => one,
        (Without(mut names), Without(more)) => {
            names.extend(more.iter().cloned());
            Without(names)
        }
        (Only(mut names), Only(more)) => {
            names.extend(more.iter().cloned());
            Only(names)
        }
        (Only(names), Without(out)) => Only(minus(names, out)),
        (Without(out), Only(names)) => Only(minus(names.clone(), &out)),
    }
}

fn minus(mut names: Vec<String>, out: &[String]) -> Vec<String> {
    names.retain(|name| !out.iter().any(|one| one.to_lowercase() == name.to_lowercase()));
    names
}

/// `PATTERN=REST`, at the first `=` outside of backticks.
fn split<'a>(flag: &str, text: &'a str) -> Result<(TablePattern, &'a str), Failure> {
    let object = || format!("{flag} {text}");
    let mut quoted = false;
    let equals = text.char_indices().find(|(_, c)| {
        quoted ^= *c == '`';
        *c == '=' && !quoted
    });
    let Some((at, _)) = equals else {
        return Err(Failure::usage(object(), "it is not of the form 'schema.table=...'"));
    };
    let pattern = TablePattern::parse(text[..at].trim())
        .map_err(|error| Failure::usage(object(), error.to_string()))?;
    Ok((pattern, &text[at + 1..]))
}

/// Pieces between `separator`s outside of backticks.
fn pieces(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    let is_separator = |c: char| {
        quoted ^= c == '`';
        c == separator && !quoted
    };
    text.split(is_separator).collect()
}

fn name(text: &str) -> String {
    let text = text.trim();
    match text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
        Some(literal) => literal.replace("``", "`"),
        None => text.to_owned(),
    }
}

/// `-a,-b` or `a,b`.
fn choice(text: &str, list: &str) -> Result<ColumnChoice, Failure> {
    let refuse = |message: &str| Err(Failure::usage(format!("--columns {text}"), message));
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for piece in pieces(list, ',') {
        let (list, column) = match piece.trim().strip_prefix('-') {
            Some(rest) => (&mut without, name(rest)),
            None => (&mut with, name(piece)),
        };
        if column.is_empty() {
            return refuse("a column's name is empty");
        }
        list.push(column);
    }
    match (with.is_empty(), without.is_empty()) {
        (false, true) => Ok(ColumnChoice::Only(with)),
        (true, false) => Ok(ColumnChoice::Without(without)),
        _ => refuse("either name the columns that are moved (a,b), or those that are left out (-a,-b)"),
    }
}

/// `schema.table.old=new`.
fn rename(text: &str) -> Result<(TablePattern, (String, String)), Failure> {
    let refuse = |message: &str| Failure::usage(format!("--rename-column {text}"), message);
    let form = "it is not of the form 'schema.table.column=new'";
    let parts = pieces(text, '=');
    let [left, new] = parts.as_slice() else { return Err(refuse(form)) };
    let names = pieces(left, '.');
    let [schema, table, column] = names.as_slice() else { return Err(refuse(form)) };
    let pattern = TablePattern::parse(&format!("{}.{}", schema.trim(), table.trim()))
        .map_err(|error| refuse(&error.to_string()))?;
    let (old, new) = (name(column), name(new));
    if old.is_empty() || new.is_empty() {
        return Err(refuse("a column's name is empty"));
    }
    Ok((pattern, (old, new)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn all_that_fits_a_table_counts() {
        let rules = PatternRules::parse(
            &texts(&["shop.*=deleted = 0", "shop.orders= id > 1"]),
            &texts(&["shop.orders=-secret, -`a,b`", "*.*=-internal"]),
            &texts(&["shop.orders.old=new", "shop.`a.b`.`x=y`=z"]),
        )
        .unwrap();
        let orders = rules.of(&TableName::new("shop", "orders"));
        assert_eq!(orders.conditions, texts(&["deleted = 0", " id > 1"]));
        assert_eq!(orders.columns, ColumnChoice::Without(texts(&["secret", "a,b", "internal"])));
        assert_eq!(orders.renames, [("old".to_owned(), "new".to_owned())]);
        assert!(rules.of(&TableName::new("other", "t")).conditions.is_empty());
        assert_eq!(rules.of(&TableName::new("shop", "a.b")).renames[0].0, "x=y");
        let unused = rules.unused(&[TableName::new("shop", "orders")]);
        assert_eq!(unused, ["--rename-column shop.`a.b`"]);
    }

    #[test]
    fn a_list_of_columns_and_one_of_exceptions_become_one() {
        let rules = PatternRules::parse(&[], &texts(&["a.b=id,x,y", "a.*=-X"]), &[]).unwrap();
        assert_eq!(rules.of(&TableName::new("a", "b")).columns, ColumnChoice::Only(texts(&["id", "y"])));
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |conditions: &[&str], columns: &[&str], renames: &[&str]| {
            PatternRules::parse(&texts(conditions), &texts(columns), &texts(renames)).unwrap_err().to_string()
        };
        assert!(wrong(&["a.b"], &[], &[]).contains("--where a.b"));
        assert!(wrong(&["a.b= "], &[], &[]).contains("the condition is empty"));
        assert!(wrong(&[], &["a.b=x,-y"], &[]).contains("either name"));
        assert!(wrong(&[], &["ab=x"], &[]).contains("schema.table"));
        assert!(wrong(&[], &[], &["a.b=c"]).contains("schema.table.column=new"));
    }
}
