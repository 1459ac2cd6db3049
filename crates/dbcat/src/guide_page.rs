//! The user guide's page on what changes, made of the rule tables.
//!
//! `docs/what-changes.md` is the committed text; a test of this crate fails where it isn't what [`render`] gives, and
//! says how to write it anew.

use std::fmt::Write;

use whimbrel_connector::Flavor;

use crate::rules::{Effort, table};
use crate::{Loss, Rule};

/// Every direction of the page, in its order.
const DIRECTIONS: [(Flavor, Flavor); 6] = [
    (Flavor::Mysql, Flavor::OceanBase),
    (Flavor::MariaDb, Flavor::OceanBase),
    (Flavor::MariaDb, Flavor::Mysql),
    (Flavor::Mysql, Flavor::MariaDb),
    (Flavor::Mysql, Flavor::Mysql),
    (Flavor::MariaDb, Flavor::MariaDb),
];

const INTRODUCTION: &str = "\
# What changes when you move to OceanBase, MySQL or MariaDB

Whatever no table below names is at the target as it is at the source: types with sign, length and digits, NULL, defaults,
generated columns, comments, AUTO_INCREMENT with its next value, keys, foreign keys with their actions, checks, partitions.

A rule holds only where the target needs it. Whimbrel asks the target, and tries what it doesn't tell, before it judges by
the version. `whimbrel plan` shows the rules that a migration will follow, column by column; `whimbrel assess` says what is to
be done about each, and looks into the data.

**Loss**: *none*, the same thing in other words; *behaviour*, the same rows, but something behaves differently; *data*, some
values or objects can't be carried over.

";

/// The page, in Markdown.
pub fn render() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("**Effort**, the work that is left to people:\n\n");
    for effort in [Effort::None, Effort::Low, Effort::Medium, Effort::High] {
        let _ = writeln!(page, "- *{}*: {}.", effort.word(), effort.meaning());
    }
    page.push_str(
        "\nA single column can be given another type with `--convert 'db.table.column=TYPE'` \
         ([user guide](guide.md#converting-columns-by-choice)).\n",
    );
    for (source, target) in DIRECTIONS {
        direction(source, target, &mut page);
    }
    page
}

fn direction(source: Flavor, target: Flavor, page: &mut String) {
    let rules = table(source, target);
    let _ = writeln!(page, "\n## {} to {}", name(source), name(target));
    let mut aspect = None;
    for rule in rules {
        if aspect != Some(rule.aspect) {
            aspect = Some(rule.aspect);
            let _ = writeln!(
                page,
                "\n**{}**\n\n| at the source | when | at the target | loss | effort | why, and what to do |\n\
                 |---|---|---|---|---|---|",
                rule.aspect.title()
            );
        }
        row(rule, page);
    }
}

fn row(rule: &Rule, page: &mut String) {
    let loss = match rule.loss {
        Loss::None => "none",
        Loss::Behaviour => "behaviour",
        Loss::Data => "data",
    };
    let to_do = if rule.to_do.is_empty() { String::new() } else { format!(". *To do:* {}", rule.to_do) };
    let _ = writeln!(
        page,
        "| {} | {} | {} | {loss} | {} | {}{} |",
        cell(rule.from),
        cell(rule.when),
        cell(rule.to),
        rule.effort.word(),
        cell(rule.why),
        cell(&to_do)
    );
}

/// Text in a cell: a bar would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn name(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::Mysql => "MySQL",
        Flavor::MariaDb => "MariaDB",
        Flavor::OceanBase => "OceanBase",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// `WHIMBREL_WRITE_DOCS=1 cargo test -p whimbrel-dbcat guide_page` writes the page anew.
    #[test]
    fn the_committed_page_is_what_the_rules_say() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/what-changes.md");
        let page = render();
        if std::env::var_os("WHIMBREL_WRITE_DOCS").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        let line = page.lines().zip(committed.lines()).find(|(new, old)| new != old);
        assert!(
            page == committed,
            "docs/what-changes.md is out of date (first at {line:?}); run WHIMBREL_WRITE_DOCS=1 cargo test -p \
             whimbrel-dbcat guide_page"
        );
    }
}
