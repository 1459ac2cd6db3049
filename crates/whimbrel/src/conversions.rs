//! Conversions of single columns that the project decides itself: `--convert` and `--accept-loss`.
//!
//! ```text
//! --convert 'shop.orders.total=DECIMAL(20,4)'     one column
//! --convert 'shop.*.created_at=DATETIME(6)'       patterns, as in --include
//! --convert '*.*.*:enum=VARCHAR(64)'              only columns of this type at the source
//! --accept-loss shop.orders.total                 its values may be lost
//! ```
//! Of several that name a column the most specific one counts: a column said literally before a pattern, then a table,
//! then a schema, then one that names the source's type; then the one with more literal characters.

use std::fmt;

use whimbrel_connector::{ServerInfo, Target};
use whimbrel_dbcat::overrides::{self, GivenType, Override, Overrides};
use whimbrel_dbcat::{TargetProfile, convert_table, render};
use whimbrel_model::{Column, DataType, TableName, TableSchema};

use crate::cli::Step;
use crate::failure::Failure;
use crate::migrate::Task;
use crate::precheck::Prechecked;
use crate::rules::{ColumnPattern, Rules};

impl Task {
    /// What conversion has to know of the target and of the project.
    pub fn profile(&self, target: &ServerInfo) -> TargetProfile {
        TargetProfile::new(target).with_overrides(self.conversions.clone())
    }

    /// Finds out what a target of a version that nobody has measured can do, and holds a fresh task's conversions
    /// against its tables.
    pub async fn examine_target(&self, checked: &mut Prechecked, fresh: bool) -> Result<(), Failure> {
        let makes_tables = self.has(Step::Schema) || self.has(Step::Incr);
        if makes_tables && !self.profile(&checked.target).is_measured() {
            checked.target.abilities.learn(self.target.try_abilities().await?);
        }
        if fresh {
            let (views, _) = self.views(&checked.tables)?;
            self.conversions.check(&views, &self.profile(&checked.target), &self.rules)?;
        }
        Ok(())
    }
}

/// One `--convert`.
#[derive(Debug)]
struct Conversion {
    pattern: ColumnPattern,
    /// The type that a column of the source must have, in lower case; with or without its numbers.
    of_type: Option<String>,
    chosen: Override,
}

impl Conversion {
    fn parse(text: &str) -> Result<Self, Failure> {
        let usage = |message: String| Failure::usage(format!("--convert {text}"), message);
        let (left, given) = split_outside_backticks(text, '=')
            .ok_or_else(|| usage("it is not of the form schema.table.column=TYPE".to_owned()))?;
        let (pattern, of_type) = match split_outside_backticks(left, ':') {
            Some((pattern, of_type)) => (pattern, Some(of_type.trim().to_lowercase())),
            None => (left, None),
        };
        let pattern = ColumnPattern::parse(pattern.trim()).map_err(|error| usage(error.to_string()))?;
        let given = GivenType::parse(given.trim()).map_err(|error| {
            let mut failure = usage(format!("{:?} can't be read as a type", given.trim()));
            failure.error = failure.error.with_source(error);
            failure
        })?;
        Ok(Self { pattern, of_type, chosen: Override { text: text.to_owned(), given } })
    }

    fn names(&self, table: &TableName, column: &Column) -> bool {
        self.pattern.matches(table, &column.name)
            && self.of_type.as_ref().is_none_or(|wanted| is_of_type(&column.data_type, wanted))
    }

    fn specificity(&self) -> impl Ord + use<> {
        let [schema, table, column] = self.pattern.literal_parts();
        (column, table, schema, self.of_type.is_some(), self.pattern.literal_chars())
    }
}

/// `enum`, `int unsigned` and `varchar(20)` are types of a column that the server shows as `varchar(20)`.
fn is_of_type(data_type: &DataType, wanted: &str) -> bool {
    let shown = render::data_type(data_type);
    let shown = shown.split(" character set ").next().unwrap_or_default();
    let bare = match (shown.find('('), shown.rfind(')')) {
        (Some(open), Some(close)) => format!("{}{}", &shown[..open], &shown[close + 1..]),
        _ => shown.to_owned(),
    };
    shown == wanted || bare == wanted
}

fn split_outside_backticks(text: &str, at: char) -> Option<(&str, &str)> {
    let mut quoted = false;
    let found = text.char_indices().find(|(_, c)| {
        quoted ^= *c == '`';
        *c == at && !quoted
    });
    let (left, right) = text.split_at(found?.0);
    Some((left, &right[at.len_utf8()..]))
}

/// All of a task.
#[derive(Debug, Default)]
pub struct Conversions {
    conversions: Vec<Conversion>,
    accepted: Vec<ColumnPattern>,
}

impl Overrides for Conversions {
    fn of(&self, table: &TableName, column: &Column) -> Option<&Override> {
        let named = self.conversions.iter().filter(|conversion| conversion.names(table, column));
        named.max_by_key(|conversion| conversion.specificity()).map(|conversion| &conversion.chosen)
    }

    fn accepts_loss(&self, table: &TableName, column: &str) -> bool {
        self.accepted.iter().any(|pattern| pattern.matches(table, column))
    }
}

impl Conversions {
    /// # Errors
    /// A flag that can't be understood, as a usage error.
    pub fn parse(convert: &[String], accept_loss: &[String]) -> Result<Self, Failure> {
        let accepted = accept_loss.iter().map(|text| {
            ColumnPattern::parse(text)
                .map_err(|error| Failure::usage(format!("--accept-loss {text}"), error.to_string()))
        });
        Ok(Self {
            conversions: convert.iter().map(|text| Conversion::parse(text)).collect::<Result<_, _>>()?,
            accepted: accepted.collect::<Result<_, _>>()?,
        })
    }

    /// Holds the flags against the tables that they are about.
    ///
    /// # Errors
    /// As usage errors: a flag that names no column, two that name the same one equally well, and a conversion that
    /// can't be done or loses values that nobody agreed to lose.
    pub fn check(
        &self,
        tables: &[TableSchema],
        target: &TargetProfile,
        rules: &Rules,
    ) -> Result<(), Failure> {
        let columns =
            || tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
        for conversion in &self.conversions {
            if !columns().any(|(table, column)| conversion.names(&table.name, column)) {
                let object = format!("--convert {}", conversion.chosen.text);
                return Err(Failure::usage(object, "it names no column of the tables that are moved"));
            }
        }
        for pattern in &self.accepted {
            if !columns().any(|(table, column)| pattern.matches(&table.name, &column.name)) {
                let object = format!("--accept-loss {}", pattern.text());
                return Err(Failure::usage(object, "it names no column of the tables that are moved"));
            }
        }
        if self.conversions.is_empty() {
            return Ok(());
        }
        for (table, column) in columns() {
            self.refuse_equals(table, column)?;
        }
        let refused: Vec<_> = tables.iter().flat_map(|table| overrides::check(table, target)).collect();
        if let Some(first) = refused.first() {
            let mut failure =
                Failure::usage(format!("--convert, column {}", first.column), Lines(&refused).to_string());
            failure.error = failure.error.with_hint(if refused.iter().all(|one| one.accepted_would_do) {
                "choose a type that holds every value, or agree with --accept-loss schema.table.column"
            } else {
                "choose a type that can hold the values"
            });
            return Err(failure);
        }
        self.refuse_torn_foreign_keys(tables, target, rules)
    }

    /// Two that are equally specific and say different things would be a guess.
    fn refuse_equals(&self, table: &TableSchema, column: &Column) -> Result<(), Failure> {
        let Some(best) = self.of(&table.name, column) else { return Ok(()) };
        let mut named: Vec<&Conversion> =
            self.conversions.iter().filter(|one| one.names(&table.name, column)).collect();
        named.sort_by_key(|conversion| conversion.specificity());
        let rival = named.iter().rev().nth(1).filter(|rival| {
            named.last().is_some_and(|last| last.specificity() == rival.specificity())
                && rival.chosen.given != best.given
        });
        match rival {
            None => Ok(()),
            Some(rival) => Err(Failure::usage(
                format!("--convert, column {}.{}", table.name, column.name),
                format!(
                    "{} and {} name it equally well and give different types",
                    rival.chosen.text, best.text
                ),
            )),
        }
    }

    /// The columns of a foreign key must be of one type at both ends.
    fn refuse_torn_foreign_keys(
        &self,
        tables: &[TableSchema],
        target: &TargetProfile,
        rules: &Rules,
    ) -> Result<(), Failure> {
        let rename = |name: &TableName| rules.target_name(name);
        for child in tables {
            for key in &child.foreign_keys {
                let Some(parent) = tables.iter().find(|table| table.name == key.parent) else { continue };
                let pairs: Vec<_> = key.columns.iter().zip(&key.parent_columns).collect();
                let chosen = |table: &TableSchema, name: &str| {
                    table
                        .column_index(name)
                        .is_some_and(|at| self.of(&table.name, &table.columns[at]).is_some())
                };
                if !pairs.iter().any(|(a, b)| chosen(child, a) || chosen(parent, b)) {
                    continue;
                }
                let (left, right) =
                    (convert_table(child, target, &rename), convert_table(parent, target, &rename));
                for (a, b) in pairs {
                    let of = |table: &TableSchema, name: &str| {
                        table.column_index(name).map(|at| table.columns[at].data_type.clone())
                    };
                    let (Some(x), Some(y)) = (of(&left.schema, a), of(&right.schema, b)) else { continue };
                    if !can_be_joined(&x, &y) {
                        return Err(Failure::usage(
                            format!("--convert, foreign key {} of table {}", key.name, child.name),
                            format!(
                                "it joins {}.{a}, which would be {}, with {}.{b}, which would be {}: convert both",
                                child.name,
                                render::data_type(&x),
                                parent.name,
                                render::data_type(&y)
                            ),
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

fn can_be_joined(child: &DataType, parent: &DataType) -> bool {
    match (child, parent) {
        (DataType::Int { bytes: a, unsigned: u, .. }, DataType::Int { bytes: b, unsigned: v, .. }) => {
            a == b && u == v
        }
        (
            DataType::Char { .. } | DataType::VarChar { .. },
            DataType::Char { .. } | DataType::VarChar { .. },
        ) => child.collation() == parent.collation(),
        _ => child == parent,
    }
}

struct Lines<'a>(&'a [overrides::OverrideRefused]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        for (number, refused) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{refused}", if number > 0 { "\n         " } else { "" })?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n         and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_model::Charset;

    use super::*;

    fn conversions(convert: &[&str]) -> Conversions {
        let convert: Vec<String> = convert.iter().map(|text| (*text).to_owned()).collect();
        Conversions::parse(&convert, &[]).unwrap()
    }

    fn chosen<'a>(conversions: &'a Conversions, table: &str, column: &str, of: DataType) -> Option<&'a str> {
        let column = Column::new(column, of, true);
        conversions.of(&TableName::new("shop", table), &column).map(|chosen| chosen.text.as_str())
    }

    const INT: DataType = DataType::Int { bytes: 4, unsigned: false, zerofill: None };

    #[test]
    fn the_most_specific_conversion_counts() {
        let all = [
            "*.*.*:int=BIGINT",
            "shop.*.*=TEXT",
            "shop.orders.*=JSON",
            "*.*.total=DECIMAL(20,4)",
            "shop.orders.total=DOUBLE",
            "shop.`a.b`.`x=y`=DATE",
        ];
        let set = conversions(&all);
        assert_eq!(chosen(&set, "orders", "total", INT), Some(all[4]));
        assert_eq!(chosen(&set, "lines", "total", INT), Some(all[3]));
        assert_eq!(chosen(&set, "orders", "id", INT), Some(all[2]));
        assert_eq!(chosen(&set, "lines", "id", INT), Some(all[1]));
        assert_eq!(chosen(&set, "a.b", "x=y", INT), Some(all[5]));
        let by_type = conversions(&all[..1]);
        assert_eq!(chosen(&by_type, "lines", "id", INT), Some(all[0]));
        assert_eq!(chosen(&by_type, "lines", "id", DataType::Date), None);
    }

    #[test]
    fn a_type_is_named_with_or_without_its_numbers() {
        let text =
            DataType::VarChar { chars: 20, charset: Charset::Utf8mb4, collation: "utf8mb4_bin".into() };
        let unsigned = DataType::Int { bytes: 8, unsigned: true, zerofill: None };
        let decimal = DataType::Decimal { precision: 10, scale: 2, unsigned: true };
        for (data_type, wanted, is) in [
            (&text, "varchar", true),
            (&text, "varchar(20)", true),
            (&text, "varchar(21)", false),
            (&unsigned, "bigint unsigned", true),
            (&unsigned, "bigint", false),
            (&decimal, "decimal unsigned", true),
        ] {
            assert_eq!(is_of_type(data_type, wanted), is, "{wanted}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        for (text, part) in [
            ("shop.orders.total", "schema.table.column=TYPE"),
            ("shop.total=INT", "schema.table.column"),
            ("shop.orders.total=INTT", "type"),
            ("shop.orders.total=INT NOT NULL", "type"),
        ] {
            let error = Conversions::parse(&[text.to_owned()], &[]).unwrap_err();
            assert_eq!(error.exit, crate::failure::Exit::Usage);
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
