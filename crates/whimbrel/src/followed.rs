//! Which tables a task follows: those that the rules select, and the shadow tables of online schema changes on them.
//!
//! gh-ost, pt-online-schema-change and their kin build a copy of a table under a name of their own, fill it, keep it
//! up to date, and let it change places with the table. All of that is in the log. So where the rules select
//! `shop.orders`, `shop._orders_gho` and the like are followed too, whatever the rules say of their names: made at the
//! target when the log makes them, filled by the tool's own row changes, and renamed with the others. Nothing has to be
//! guessed, and what the tool did to the rows (filled a column, dropped duplicates) is what the target gets.
//!
//! A table of such a name that was there before the task began, and that the rules don't select, isn't followed: its
//! rows were never copied. Nor is the shadow of a table that shares its target with others: what takes its place at the
//! source must not take theirs at the target.
//!
//! | tool | copy | table afterwards | not needed |
//! |---|---|---|---|
//! | gh-ost | `_T_gho` | `_T_del`, `_T_14DIGITS_del` | `_T_ghc` |
//! | pt-online-schema-change | `_T_new`, more underscores where the name is taken | `_T_old`, likewise | triggers on T |

use std::collections::BTreeSet;
use std::sync::Arc;

use whimbrel_connector::{Catalog, Result};
use whimbrel_model::TableName;

use crate::merging::Merging;
use crate::rules::Rules;

/// Longest name of a table, in characters. Tools cut the table's part of a longer one; those are not recognised.
const LONGEST_NAME: usize = 64;
/// pt-online-schema-change tries as many underscores.
const UNDERSCORES: usize = 10;

/// What a task follows.
#[derive(Clone, Debug)]
pub struct Followed {
    pub rules: Arc<Rules>,
    pub merging: Merging,
    /// Tables with names of shadow tables that were there at the start; `None`: shadow tables aren't followed.
    outside: Option<BTreeSet<TableName>>,
}

impl Followed {
    /// `outside`: as [`outsiders`] found them at the task's start, `None` for a task that was begun without.
    pub fn new(merging: Merging, rules: Arc<Rules>, outside: Option<Vec<TableName>>) -> Self {
        Self { rules, merging, outside: outside.map(|names| names.into_iter().collect()) }
    }

    /// True where other followed tables have the same target.
    pub fn merges(&self, name: &TableName) -> bool {
        self.rules.selects(name) && self.merging.merges(name)
    }

    pub fn follows(&self, name: &TableName) -> bool {
        self.rules.selects(name) || self.original(name).is_some()
    }

    /// The name at the target; `None` where the table isn't followed.
    pub fn target(&self, name: &TableName) -> Option<TableName> {
        if self.rules.selects(name) {
            return Some(self.rules.target_name(name));
        }
        let shadow = self.original(name)?;
        let original = self.rules.target_name(&TableName::new(&name.schema, shadow.original));
        let table = format!("{}{}{}", shadow.before, original.table, shadow.after);
        Some(TableName::new(original.schema, table.chars().take(LONGEST_NAME).collect::<String>()))
    }

    /// The name at the target of a table that leaves the migration and stays there.
    pub fn away(&self, name: &TableName) -> TableName {
        self.target(name).unwrap_or_else(|| self.rules.target_name(name))
    }

    fn original<'n>(&self, name: &'n TableName) -> Option<Shadow<'n>> {
        let outside = self.outside.as_ref()?;
        if outside.contains(name) {
            return None;
        }
        shadows(&name.table).find(|shadow| {
            let original = TableName::new(&name.schema, shadow.original);
            self.rules.selects(&original) && !self.merging.merges(&original)
        })
    }
}

/// The parts of a shadow table's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shadow<'n> {
    before: &'n str,
    original: &'n str,
    after: &'n str,
}

/// What a name may be the shadow of: the table's own name may begin with underscores too.
fn shadows(name: &str) -> impl Iterator<Item = Shadow<'_>> {
    let end = ["_gho", "_del", "_new", "_old"].into_iter().find_map(|suffix| name.strip_suffix(suffix));
    let end = end.map_or(0, |rest| match rest.rsplit_once('_') {
        // gh-ost --timestamp-old-table
        Some((table, time))
            if name.ends_with("_del")
                && time.len() == 14
                && time.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            table.len()
        }
        _ => rest.len(),
    });
    let underscores = name.bytes().take_while(|byte| *byte == b'_').count().min(UNDERSCORES);
    (1..=underscores).filter(move |start| *start < end).map(move |start| Shadow {
        before: &name[..start],
        original: &name[start..end],
        after: &name[end..],
    })
}

/// Tables that are there, that the rules don't select, and that have the name of a shadow table of one that they do.
pub async fn outsiders(catalog: &mut dyn Catalog, rules: &Arc<Rules>) -> Result<Vec<TableName>> {
    let everything = Followed::new(Merging::new(rules.clone(), []), rules.clone(), Some(Vec::new()));
    let mut found = Vec::new();
    for schema in catalog.schemas().await? {
        if rules.includes().iter().any(|pattern| pattern.matches_schema(&schema)) {
            let tables = catalog.tables(&schema).await?;
            let names = tables.into_iter().map(|table| table.name);
            found.extend(names.filter(|name| !rules.selects(name) && everything.follows(name)));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(include: &str, exclude: &[&str], map: &[&str]) -> Followed {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let rules = Rules::parse(&texts(&[include]), &texts(exclude), &texts(map)).unwrap();
        let rules = Arc::new(rules);
        let merging = Merging::new(rules.clone(), []);
        Followed::new(merging, rules, Some(vec![TableName::new("shop", "_old_one_new")]))
    }

    #[test]
    fn shadow_tables_of_selected_tables_are_followed_under_the_targets_name() {
        let followed = followed("shop.orders", &["shop._*"], &["shop.orders=store.sales"]);
        let target = |name: &str| {
            followed.target(&TableName::new("shop", name)).map(|name| name.to_string()).unwrap_or_default()
        };
        assert_eq!(target("orders"), "store.sales");
        assert_eq!(target("_orders_gho"), "store._sales_gho");
        assert_eq!(target("_orders_del"), "store._sales_del");
        assert_eq!(target("_orders_20260101120000_del"), "store._sales_20260101120000_del");
        assert_eq!(target("_orders_new"), "store._sales_new");
        assert_eq!(target("___orders_old"), "store.___sales_old");
        for other in
            ["_orders_ghc", "orders_new", "_order_new", "_new", "__gho", "_orders_2026_del", "_customers_gho"]
        {
            assert_eq!(target(other), "", "{other}");
        }
    }

    #[test]
    fn what_was_there_before_the_task_is_left_alone() {
        let followed = followed("shop.*", &["shop._*"], &[]);
        assert!(!followed.follows(&TableName::new("shop", "_old_one_new")));
        assert!(followed.follows(&TableName::new("shop", "_other_new")));
        let without = Followed::new(followed.merging, followed.rules, None);
        assert!(!without.follows(&TableName::new("shop", "_other_new")));
    }

    #[test]
    fn the_shadow_of_a_merged_table_is_not_followed() {
        let followed = followed("shop.orders_*", &["shop._*"], &["shop.orders_*=shop.orders"]);
        assert!(followed.merges(&TableName::new("shop", "orders_1")));
        assert!(!followed.follows(&TableName::new("shop", "_orders_1_gho")));
    }

    #[test]
    fn a_selected_name_is_no_shadow() {
        let followed = followed("shop.*", &[], &["shop.*=store.*"]);
        let name = TableName::new("shop", "_t_gho");
        assert_eq!(followed.target(&name), Some(TableName::new("store", "_t_gho")));
        assert_eq!(followed.away(&TableName::new("other", "t")), TableName::new("other", "t"));
    }
}
