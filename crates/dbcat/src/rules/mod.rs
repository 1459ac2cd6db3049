//! Conversion rules as data: what a source has, what the target gets instead, what is lost, and why.
//!
//! A [`Rule`] is one row of a table; [`table`] gives the rows of one direction, from which the user guide's page and the
//! report of an assessment are made. Whatever `convert_table` changes or leaves out, it says with the rule that was
//! followed ([`Note::rule`](crate::Note)), so no rule is at work that stands in no table.
//!
//! | file | rules of |
//! |---|---|
//! | `data_types.rs` | types of columns, with the function that finds the new type |
//! | `columns.rs` | charsets, collations, defaults and other attributes of columns |
//! | `keys.rs` | keys and indexes |
//! | `tables.rs` | partitions, checks and options of tables |
//! | `objects.rs` | views, triggers, routines, events, sequences, accounts |
//! | `servers.rs` | what no conversion can change: how the target's server behaves |
//!
//! A type, attribute or key that no rule names is carried over as it is.

mod columns;
mod data_types;
mod keys;
mod objects;
mod servers;
mod tables;

pub(crate) use columns::*;
pub(crate) use data_types::TypeRule;
pub(crate) use keys::*;
pub(crate) use objects::{OBJECT_TEXT, SEQUENCES};
pub(crate) use tables::*;

use serde::Serialize;
use whimbrel_connector::Flavor;

use crate::profile::TargetProfile;
use crate::{Loss, Note};

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    Type,
    Charset,
    Column,
    Key,
    Partitioning,
    Table,
    /// Views, triggers, routines, events, sequences, accounts.
    Object,
    /// The server's own ways, which hold whatever is moved.
    Server,
}

impl Aspect {
    /// For headings.
    pub fn title(self) -> &'static str {
        match self {
            Self::Type => "Types",
            Self::Charset => "Charsets and collations",
            Self::Column => "Defaults and other attributes of columns",
            Self::Key => "Keys and indexes",
            Self::Partitioning => "Partitions",
            Self::Table => "Tables",
            Self::Object => "Views, triggers, routines, events, sequences, accounts",
            Self::Server => "The server itself",
        }
    }
}

/// The work that a difference leaves to people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Nothing to do: the same thing in other words.
    #[default]
    None,
    /// To be read and agreed to; an application notices it in rare cases only.
    Low,
    /// To be looked at by somebody who knows the application, and perhaps answered by a change of a query or by
    /// `--convert`.
    Medium,
    /// Can't be moved as it is: something has to be built anew, or data to be put right first.
    High,
}

impl Effort {
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// What the grade means, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::None => "nothing to do: the same thing in other words",
            Self::Low => "to be read and agreed to; an application notices it in rare cases only",
            Self::Medium => {
                "to be looked at by somebody who knows the application, and perhaps answered by a change of a query or \
                 by --convert"
            }
            Self::High => {
                "can't be moved as it is: something has to be built anew, or data to be put right first"
            }
        }
    }
}

/// One row of the conversion table. The texts are for people; `holds` decides for a probed target.
#[derive(Debug)]
pub struct Rule {
    /// Stable name: reports and scripts refer to it.
    pub id: &'static str,
    pub aspect: Aspect,
    /// Which kinds of source can have it.
    pub sources: &'static [Flavor],
    /// For which kinds of target it can hold.
    pub targets: &'static [Flavor],
    pub from: &'static str,
    pub when: &'static str,
    pub to: &'static str,
    pub loss: Loss,
    pub effort: Effort,
    pub why: &'static str,
    /// What a person can do about it; empty where nothing needs to be done.
    pub to_do: &'static str,
    /// Whether a target, as it was probed, needs this rule.
    holds: fn(&TargetProfile) -> bool,
}

impl Rule {
    /// True where this target needs the rule.
    pub fn holds(&self, target: &TargetProfile) -> bool {
        self.targets.contains(&target.flavor) && (self.holds)(target)
    }

    /// The note that this rule was followed for an object.
    pub(crate) fn note(&self, object: impl Into<String>, text: impl Into<String>) -> Note {
        Note { rule: self.id, loss: self.loss, object: object.into(), text: text.into() }
    }

    /// As [`Rule::note`], in the rule's own words.
    pub(crate) fn plain_note(&self, object: impl Into<String>) -> Note {
        self.note(object, format!("{} becomes {}: {}", self.from, self.to, self.why))
    }

    fn is_of(&self, source: Flavor, target: Flavor) -> bool {
        self.sources.contains(&source) && self.targets.contains(&target)
    }
}

const MYSQL: &[Flavor] = &[Flavor::Mysql];
const MARIADB: &[Flavor] = &[Flavor::MariaDb];
const OCEANBASE: &[Flavor] = &[Flavor::OceanBase];
const NOT_OCEANBASE: &[Flavor] = &[Flavor::Mysql, Flavor::MariaDb];
const NOT_MARIADB: &[Flavor] = &[Flavor::Mysql, Flavor::OceanBase];
const NOT_MYSQL: &[Flavor] = &[Flavor::MariaDb, Flavor::OceanBase];
const ANY: &[Flavor] = &[Flavor::Mysql, Flavor::MariaDb, Flavor::OceanBase];

/// All rules.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    let places = [columns::RULES, keys::RULES, tables::RULES, objects::RULES, servers::RULES]
        .into_iter()
        .flatten()
        .copied();
    data_types::RULES.iter().map(|rule| &rule.rule).chain(places)
}

/// The rules that can hold when `source` moves to `target`, by aspect.
pub fn table(source: Flavor, target: Flavor) -> Vec<&'static Rule> {
    let mut rules: Vec<_> = all().filter(|rule| rule.is_of(source, target)).collect();
    rules.sort_by_key(|rule| rule.aspect);
    rules
}

/// A rule by its name.
pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own_and_says_what_it_does() {
        let mut seen = HashSet::new();
        for rule in all() {
            assert!(seen.insert(rule.id), "two rules are called {}", rule.id);
            assert!(find(rule.id).is_some_and(|found| std::ptr::eq(found, rule)));
            for text in [rule.from, rule.when, rule.to, rule.why] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{}: {text:?}", rule.id);
            }
            assert!(!rule.sources.is_empty() && !rule.targets.is_empty(), "{}", rule.id);
            assert!(
                rule.effort < Effort::Medium || !rule.to_do.is_empty(),
                "{} leaves people alone",
                rule.id
            );
            assert!(rule.loss != Loss::Data || rule.effort >= Effort::Medium, "{}", rule.id);
        }
    }

    #[test]
    fn a_direction_has_only_rules_of_its_two_ends() {
        let ids = |source, target| table(source, target).iter().map(|rule| rule.id).collect::<Vec<_>>();
        let mysql = ids(Flavor::Mysql, Flavor::OceanBase);
        assert!(mysql.contains(&"srid-dropped") && !mysql.contains(&"uuid-as-text"), "{mysql:?}");
        assert!(ids(Flavor::MariaDb, Flavor::OceanBase).contains(&"uuid-as-text"));
        assert!(!ids(Flavor::MariaDb, Flavor::Mysql).contains(&"primary-without-prefix"));
        assert!(ids(Flavor::Mysql, Flavor::MariaDb).contains(&"json-as-text"));
    }
}
