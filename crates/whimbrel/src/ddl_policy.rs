//! `--ddl KIND=ACTION`: what is done about the source's statements, by kind.
//!
//! Everything is applied unless said otherwise, what destroys rows included: the target is there to be what the source
//! is, and a table that was dropped and made anew under its name can't be followed past a statement that was left out.
//! Who wants a last look says `--ddl drop-table=ask`.

use std::collections::BTreeMap;
use std::str::FromStr;

use whimbrel_dbcat::DdlKind;
use whimbrel_incr_sync::DdlPolicy;
use whimbrel_mysql_ddl::ast::Statement;

/// One `--ddl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DdlRule {
    /// `None` is `all`.
    kind: Option<DdlKind>,
    action: DdlPolicy,
}

impl FromStr for DdlRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, action) =
            text.split_once('=').ok_or_else(|| format!("{text:?} is not of the form KIND=ACTION"))?;
        let kind = match kind {
            "all" => None,
            kind => Some(kind.parse::<DdlKind>().map_err(|error| error.to_string())?),
        };
        let action = match action {
            "apply" => DdlPolicy::Apply,
            "skip" => DdlPolicy::Skip,
            "stop" => DdlPolicy::Stop,
            "ask" => DdlPolicy::Ask,
            other => return Err(format!("{other:?} is none of apply, skip, stop, ask")),
        };
        Ok(Self { kind, action })
    }
}

/// All of them. A rule for a kind comes before the one for all; of two for the same kind the last counts.
#[derive(Clone, Debug)]
pub struct DdlRules {
    kinds: BTreeMap<DdlKind, DdlPolicy>,
    other: DdlPolicy,
}

impl DdlRules {
    pub fn new(rules: &[DdlRule]) -> Self {
        let mut all = Self { kinds: BTreeMap::new(), other: DdlPolicy::Apply };
        for rule in rules {
            match rule.kind {
                Some(kind) => {
                    all.kinds.insert(kind, rule.action);
                }
                None => all.other = rule.action,
            }
        }
        all
    }

    pub fn of(&self, kind: DdlKind) -> DdlPolicy {
        self.kinds.get(&kind).copied().unwrap_or(self.other)
    }

    /// A statement with several clauses stops or waits if one of them does; clauses that are skipped are left out of it.
    pub fn of_statement(&self, statement: &Statement) -> DdlPolicy {
        let actions: Vec<DdlPolicy> =
            DdlKind::of_statement(statement).into_iter().map(|kind| self.of(kind)).collect();
        let some = |wanted: DdlPolicy| actions.contains(&wanted);
        match (some(DdlPolicy::Stop), some(DdlPolicy::Ask), some(DdlPolicy::Skip), some(DdlPolicy::Apply)) {
            (true, ..) => DdlPolicy::Stop,
            (_, true, ..) => DdlPolicy::Ask,
            (_, _, true, true) => DdlPolicy::Partly,
            (_, _, true, false) => DdlPolicy::Skip,
            _ => DdlPolicy::Apply,
        }
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_mysql_ddl::{Dialect, ParseOptions, parse};

    use super::*;

    fn policy(rules: &[&str], sql: &str) -> DdlPolicy {
        let rules: Vec<DdlRule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        DdlRules::new(&rules).of_statement(&parse(sql, &ParseOptions::new(Dialect::mysql(90_704))).unwrap())
    }

    #[test]
    fn the_strictest_clause_decides_and_skipped_ones_are_left_out() {
        let alter = "ALTER TABLE t ADD COLUMN a INT, DROP COLUMN b, ALGORITHM=INPLACE";
        assert_eq!(policy(&[], alter), DdlPolicy::Apply);
        assert_eq!(policy(&["alter-drop-column=skip"], alter), DdlPolicy::Partly);
        assert_eq!(policy(&["all=skip"], alter), DdlPolicy::Skip);
        assert_eq!(policy(&["alter-drop-column=ask", "alter-add-column=skip"], alter), DdlPolicy::Ask);
        assert_eq!(policy(&["alter-drop-column=ask", "alter-add-column=stop"], alter), DdlPolicy::Stop);
        assert_eq!(policy(&["drop-table=stop"], alter), DdlPolicy::Apply);
    }

    #[test]
    fn a_kind_comes_before_all_and_the_last_word_counts() {
        assert_eq!(policy(&["drop-table=apply", "all=stop"], "DROP TABLE t"), DdlPolicy::Apply);
        assert_eq!(policy(&["drop-table=apply", "drop-table=ask"], "DROP TABLE t"), DdlPolicy::Ask);
    }

    #[test]
    fn mistakes_name_what_there_is() {
        assert!("drop-tables=ask".parse::<DdlRule>().unwrap_err().contains("drop-table,"));
        assert!("drop-table=perhaps".parse::<DdlRule>().unwrap_err().contains("apply, skip, stop, ask"));
        assert!("drop-table".parse::<DdlRule>().unwrap_err().contains("KIND=ACTION"));
    }
}
