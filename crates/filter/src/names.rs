//! Column names within SQL expressions of a table: generated columns, checks, defaults, partitions, functional keys.

use std::collections::{HashMap, HashSet};

use whimbrel_mysql_ddl::ast::Span;
use whimbrel_mysql_ddl::{Dialect, ExprToken, ParseOptions, expression_tokens};

/// Column names as they compare: without regard to case.
pub(crate) fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// Places of the names that stand for columns. `None` where the text can't be read.
fn columns(text: &str) -> Option<Vec<(String, Span)>> {
    let tokens = expression_tokens(text, &ParseOptions::new(Dialect::mysql(90_700))).ok()?;
    let punct = |at: Option<usize>, byte: u8| {
        let token = at.and_then(|at| tokens.get(at));
        matches!(token, Some((ExprToken::Punct(found), _)) if *found == byte)
    };
    let names_partition = |at: Option<usize>| {
        let word = match at.and_then(|at| tokens.get(at)) {
            Some((ExprToken::Word(word), _)) => word.as_str(),
            _ => "",
        };
        ["PARTITION", "SUBPARTITION", "COLLATE", "CHARSET", "USING"]
            .iter()
            .any(|one| word.eq_ignore_ascii_case(one))
    };
    let mut found = Vec::new();
    for (at, (token, span)) in tokens.iter().enumerate() {
        let before = at.checked_sub(1);
        let name = match token {
            ExprToken::Quoted(name) => name,
            ExprToken::Word(word) if !punct(Some(at + 1), b'(') => word,
            _ => continue,
        };
        if !punct(Some(at + 1), b'.') && !punct(before, b'@') && !names_partition(before) {
            found.push((folded(name), *span));
        }
    }
    Some(found)
}

/// True where the expression uses one of the columns, or can't be read.
pub(crate) fn mentions(text: &str, names: &HashSet<String>) -> bool {
    !names.is_empty() && columns(text).is_none_or(|found| found.iter().any(|(name, _)| names.contains(name)))
}

/// The expression with other names for columns.
pub(crate) fn renamed(text: &str, renames: &HashMap<String, String>) -> String {
    if renames.is_empty() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (name, span) in columns(text).unwrap_or_default() {
        let Some(new) = renames.get(&name) else { continue };
        out.push_str(text.get(at..span.start as usize).unwrap_or_default());
        out.push_str(&format!("`{}`", new.replace('`', "``")));
        at = span.end as usize;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_columns_are_renamed() {
        let renames =
            HashMap::from([("a".to_owned(), "x y".to_owned()), ("year".to_owned(), "jahr".to_owned())]);
        for (from, to) in [
            ("`a` + 1", "`x y` + 1"),
            ("concat(A,'a',`b`)", "concat(`x y`,'a',`b`)"),
            ("year(`year`)", "year(`jahr`)"),
            ("`t`.`a` > 0", "`t`.`x y` > 0"),
            ("`a`.`b`", "`a`.`b`"),
            (
                "PARTITION BY HASH (`a`) (PARTITION `a`, PARTITION b)",
                "PARTITION BY HASH (`x y`) (PARTITION `a`, PARTITION b)",
            ),
        ] {
            assert_eq!(renamed(from, &renames), to);
        }
        let names = HashSet::from(["a".to_owned()]);
        assert!(mentions("f(`A`)", &names) && !mentions("a(`b`)", &names) && mentions("'open", &names));
    }
}
