//! What only `SHOW CREATE TABLE` tells: partitions, the indexes of OceanBase, checks of MariaDB before 10.2.22.
//!
//! The text is the server's own output, one element a line between the lines `CREATE TABLE ... (` and
//! `) ...`:
//!
//! ```text
//! CREATE TABLE `t` (
//!   `a` int(11) DEFAULT '1',
//!   UNIQUE KEY `k` (`a`,`b`(5)) COMMENT 'c',
//!   CONSTRAINT `c` CHECK (`a` > 0)
//! ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
//! /*!50100 PARTITION BY HASH (`a`)
//! PARTITIONS 4 */
//! ```
//!
//! Servers escape line breaks within strings, so lines can be told apart without understanding them; the
//! exception is OceanBase's ENUM and SET members, which it prints as they are. Lines that begin no element
//! belong to the one before. Nothing here is a parser of SQL as people write it.

use whimbrel_model::schema::{Check, Key, KeyKind, KeyPart, KeyPartOn};

use super::column_type::unescape;

/// The pieces of a `SHOW CREATE TABLE` text.
#[derive(Debug)]
pub(super) struct ShowCreate {
    /// Without the comma at the end.
    elements: Vec<String>,
    /// From the closing parenthesis on.
    tail: String,
}

const STARTS: [&str; 12] = [
    "`",
    "KEY ",
    "INDEX ",
    "UNIQUE ",
    "PRIMARY ",
    "FULLTEXT ",
    "SPATIAL ",
    "VECTOR ",
    "CONSTRAINT ",
    "CHECK ",
    "FOREIGN ",
    "PERIOD ",
];

impl ShowCreate {
    /// `None` where the text has no list of elements.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut elements: Vec<String> = Vec::new();
        let mut lines = text.lines();
        lines.next().filter(|first| first.ends_with('('))?;
        let mut tail = None;
        for line in lines {
            match &mut tail {
                None if line.starts_with(')') => tail = Some(line.to_owned()),
                None => {
                    let body = line.strip_prefix("  ");
                    let begins = body.filter(|body| STARTS.iter().any(|start| body.starts_with(start)));
                    match (begins, elements.last_mut()) {
                        (Some(body), _) => elements.push(body.to_owned()),
                        (None, Some(last)) => {
                            last.push('\n');
                            last.push_str(line);
                        }
                        (None, None) => return None,
                    }
                }
                Some(tail) => {
                    tail.push('\n');
                    tail.push_str(line);
                }
            }
        }
        for element in &mut elements {
            if element.ends_with(',') {
                element.pop();
            }
        }
        Some(Self { elements, tail: tail? })
    }

    /// The `PARTITION BY` clause without MySQL's version comments, `None` for an unpartitioned table.
    pub(super) fn partitioning(&self) -> Option<String> {
        let start = find_words(&self.tail, "PARTITION BY")?;
        let clause = self.tail.get(start..)?;
        Some(without_version_comments(clause).trim().to_owned())
    }

    /// True where the column's DEFAULT is an expression in parentheses.
    pub(super) fn has_expression_default(&self, column: &str) -> bool {
        self.column(column)
            .and_then(|text| Some(text.get(find_words(text, "DEFAULT")? + "DEFAULT".len()..)?.trim_start()))
            .is_some_and(|default| default.starts_with('('))
    }

    fn column(&self, name: &str) -> Option<&str> {
        self.elements.iter().find_map(|element| {
            let (found, rest) = quoted_name(element)?;
            (found == name).then_some(rest)
        })
    }

    /// Checks of the table and of its columns; those of columns have no name.
    pub(super) fn checks(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        for element in &self.elements {
            let (name, rest) = match element.strip_prefix("CONSTRAINT ").and_then(quoted_name) {
                Some((name, rest)) => (name, rest),
                None => (String::new(), element.as_str()),
            };
            let Some(at) = find_words(rest, "CHECK") else { continue };
            let after = rest.get(at + "CHECK".len()..).unwrap_or_default();
            if let Some((expression, after)) = parenthesised(after.trim_start()) {
                let enforced = find_words(after, "NOT ENFORCED").is_none();
                checks.push(Check { name, expression: expression.to_owned(), enforced });
            }
        }
        checks
    }

    /// Keys with their name, and whether they are unique; the primary key is left out.
    pub(super) fn keys(&self) -> Vec<(Key, bool)> {
        self.elements.iter().filter_map(|element| key(element)).collect()
    }
}

fn key(element: &str) -> Option<(Key, bool)> {
    let (head, rest) = element.split_at_checked(element.find('`')?)?;
    let words: Vec<&str> = head.split_whitespace().collect();
    let (kind, unique) = match words.as_slice() {
        ["KEY" | "INDEX"] => (KeyKind::Ordered, false),
        ["UNIQUE", "KEY" | "INDEX"] => (KeyKind::Ordered, true),
        ["FULLTEXT", "KEY" | "INDEX"] => (KeyKind::FullText, false),
        ["SPATIAL", "KEY" | "INDEX"] => (KeyKind::Spatial, false),
        ["VECTOR", "KEY" | "INDEX"] => (KeyKind::Vector, false),
        _ => return None,
    };
    let (name, rest) = quoted_name(rest)?;
    let (list, options) = parenthesised(rest.trim_start())?;
    let parts = split_list(list).into_iter().map(key_part).collect::<Option<Vec<_>>>()?;
    let comment = find_words(options, "COMMENT")
        .and_then(|at| string(options.get(at + "COMMENT".len()..)?.trim_start()))
        .unwrap_or_default();
    let invisible = options.contains("INVISIBLE");
    Some((Key { name, parts, kind, parser: parser(options), invisible, comment }, unique))
}

/// `WITH PARSER ngram`, in a version comment on MySQL. What OceanBase calls `space` is its way without a parser.
fn parser(options: &str) -> Option<String> {
    const WORDS: &str = "WITH PARSER";
    let rest = options.get(find_words(options, WORDS)? + WORDS.len()..)?.trim_start();
    let name = match quoted_name(rest) {
        Some((name, _)) => name,
        None => {
            rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default().to_owned()
        }
    };
    Some(name.to_lowercase()).filter(|name| name != "space")
}

fn key_part(text: &str) -> Option<KeyPart> {
    let text = text.trim();
    if let Some((expression, rest)) = parenthesised(text) {
        let on = KeyPartOn::Expression(expression.to_owned());
        return Some(KeyPart { on, prefix: None, descending: rest.trim() == "DESC" });
    }
    let (name, rest) = quoted_name(text)?;
    let (prefix, rest) = match parenthesised(rest) {
        Some((length, rest)) => (Some(length.trim().parse().ok()?), rest),
        None => (None, rest),
    };
    Some(KeyPart { on: KeyPartOn::Column(name), prefix, descending: rest.trim() == "DESC" })
}

/// Byte positions outside of strings and quoted names, with the depth of parentheses there (a parenthesis
/// itself counts as outside of its pair).
fn walk(text: &str) -> impl Iterator<Item = (usize, char, usize)> {
    let mut quote: Option<char> = None;
    let mut escaped = false;
    let mut depth = 0usize;
    text.char_indices().filter_map(move |(at, c)| {
        if let Some(open) = quote {
            match c {
                _ if escaped => escaped = false,
                '\\' if open != '`' => escaped = true,
                _ if c == open => quote = None,
                _ => {}
            }
            return None;
        }
        match c {
            '\'' | '"' | '`' => {
                quote = Some(c);
                None
            }
            '(' => {
                depth += 1;
                Some((at, c, depth - 1))
            }
            ')' => {
                depth = depth.saturating_sub(1);
                Some((at, c, depth))
            }
            _ => Some((at, c, depth)),
        }
    })
}

/// Where the words stand, outside of strings and parentheses, in any case.
pub(super) fn find_words(text: &str, words: &str) -> Option<usize> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '`');
    walk(text).find_map(|(at, _, depth)| {
        let here = text.get(at..at + words.len())?;
        let before = text.get(..at)?.chars().next_back().is_none_or(|c| !is_word(c));
        let after = text.get(at + words.len()..)?.chars().next().is_none_or(|c| !is_word(c));
        (depth == 0 && here.eq_ignore_ascii_case(words) && before && after).then_some(at)
    })
}

/// What stands in the parentheses with which the text begins, and what follows them.
pub(super) fn parenthesised(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('(')?;
    let (end, ..) = walk(text).find(|(_, c, depth)| *c == ')' && *depth == 0)?;
    Some((text.get(1..end)?, text.get(end + 1..)?))
}

/// The pieces between commas outside of parentheses.
fn split_list(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, c, depth) in walk(text) {
        if c == ',' && depth == 0 {
            pieces.push(text.get(start..at).unwrap_or_default());
            start = at + 1;
        }
    }
    pieces.push(text.get(start..).unwrap_or_default());
    pieces
}

/// The name in backticks with which the text begins, and what follows it.
pub(super) fn quoted_name(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('`')?;
    let mut name = String::new();
    loop {
        let (part, after) = rest.split_once('`')?;
        name.push_str(part);
        match after.strip_prefix('`') {
            Some(more) => {
                name.push('`');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

/// The string in single quotes with which the text begins.
fn string(text: &str) -> Option<String> {
    let mut chars = text.strip_prefix('\'')?.chars().peekable();
    let mut out = String::new();
    loop {
        match chars.next()? {
            '\'' if chars.peek() == Some(&'\'') => {
                chars.next();
                out.push('\'');
            }
            '\'' => return Some(out),
            '\\' => out.push(unescape(chars.next()?)),
            c => out.push(c),
        }
    }
}

/// `/*!50100 text */` becomes `text`.
fn without_version_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut kept = 0;
    let mut skip_to = 0;
    for (at, c, _) in walk(text) {
        if at < skip_to {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let cut = match c {
            '/' if rest.starts_with("/*!") => {
                let digits = rest.get(3..).unwrap_or_default();
                let count = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
                3 + count
            }
            '*' if rest.starts_with("*/") => 2,
            _ => continue,
        };
        out.push_str(text.get(kept..at).unwrap_or_default());
        kept = at + cut;
        skip_to = kept;
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    single_blanks(&out)
}

/// Runs of blanks (what the comments leave) become one; strings and line breaks stay.
fn single_blanks(text: &str) -> String {
    let mut drop = Vec::new();
    let mut last: Option<(usize, char)> = None;
    for (at, c, _) in walk(text) {
        if c == ' ' && last.is_some_and(|(before, b)| b == ' ' && before + 1 == at) {
            drop.push(at);
        }
        last = Some((at, c));
    }
    text.char_indices().filter(|(at, _)| drop.binary_search(at).is_err()).map(|(_, c)| c).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ShowCreate {
        ShowCreate::read(text).expect("a SHOW CREATE TABLE text")
    }

    #[test]
    fn the_partition_clause_loses_its_version_comments_and_nothing_else() {
        let create = read(
            "CREATE TABLE `p` (\n  `id` int COMMENT 'PARTITION BY',\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB COMMENT='PARTITION BY x'\n/*!50100 PARTITION BY LINEAR KEY */ /*!50611 ALGORITHM = 1 */ /*!50100 (id)\nPARTITIONS 3 */",
        );
        assert_eq!(
            create.partitioning().unwrap(),
            "PARTITION BY LINEAR KEY ALGORITHM = 1 (id)\nPARTITIONS 3"
        );
        let maria = read(
            "CREATE TABLE `p` (\n  `a` int(11) DEFAULT NULL\n) ENGINE=InnoDB\n PARTITION BY LIST  COLUMNS(`a`)\n(PARTITION `p0` VALUES IN ('a  b','/*!c') ENGINE = InnoDB)",
        );
        assert_eq!(
            maria.partitioning().unwrap(),
            "PARTITION BY LIST COLUMNS(`a`)\n(PARTITION `p0` VALUES IN ('a  b','/*!c') ENGINE = InnoDB)"
        );
        assert_eq!(read("CREATE TABLE `p` (\n  `a` int\n) ENGINE=InnoDB").partitioning(), None);
    }

    #[test]
    fn the_indexes_of_oceanbase_are_what_was_declared() {
        let create = read(
            "CREATE TABLE `a` (\n  `e` enum('a','b'c') DEFAULT 'a',\n  UNIQUE KEY `uk` (`s2`(5), `s``1`) BLOCK_SIZE 16384 LOCAL,\n  KEY `kf` ((`i3` * 2), (lower(`s2`))) BLOCK_SIZE 16384 LOCAL,\n  FULLTEXT KEY `ft` (`t2`, `s3`) WITH PARSER ngram PARSER_PROPERTIES=(ngram_token_size=2) BLOCK_SIZE 16384 COMMENT 'it\\'s, (it)',\n  SPATIAL KEY `sp` (`p`) BLOCK_SIZE 16384 LOCAL,\n  KEY `inv` (`i3` DESC) LOCAL /*!80000 INVISIBLE */\n) ORGANIZATION INDEX",
        );
        let keys = create.keys();
        let names: Vec<_> = keys.iter().map(|(key, unique)| (key.name.as_str(), key.kind, *unique)).collect();
        assert_eq!(
            names,
            [
                ("uk", KeyKind::Ordered, true),
                ("kf", KeyKind::Ordered, false),
                ("ft", KeyKind::FullText, false),
                ("sp", KeyKind::Spatial, false),
                ("inv", KeyKind::Ordered, false),
            ]
        );
        let (uk, kf, ft, inv) = (&keys[0].0, &keys[1].0, &keys[2].0, &keys[4].0);
        assert_eq!(uk.parts[0].prefix, Some(5));
        assert_eq!(uk.parts[1].column(), Some("s`1"));
        assert_eq!(kf.parts[1].on, KeyPartOn::Expression("lower(`s2`)".into()));
        assert_eq!((ft.comment.as_str(), ft.parser.as_deref()), ("it's, (it)", Some("ngram")));
        let mysql = "FULLTEXT KEY `f` (`s`) /*!50100 WITH PARSER `ngram` */ ";
        assert_eq!(key(mysql).unwrap().0.parser.as_deref(), Some("ngram"));
        assert_eq!(key("FULLTEXT KEY `f` (`s`) WITH PARSER space BLOCK_SIZE 16384").unwrap().0.parser, None);
        assert!(inv.invisible && inv.parts[0].descending);
    }

    #[test]
    fn checks_of_columns_and_tables_are_found() {
        let create = read(
            "CREATE TABLE `t` (\n  `chk` int(11) DEFAULT NULL CHECK (`chk` > 0) COMMENT 'CHECK (x)',\n  `d` varchar(9) DEFAULT 'CHECK (1)',\n  CONSTRAINT `c1` CHECK (`s` <> 'x\\')y'),\n  CONSTRAINT `c2` CHECK ((`i4` <> 'x'))  NOT ENFORCED,\n  CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`a`)\n) ENGINE=InnoDB",
        );
        let check = |name: &str, expression: &str, enforced| Check {
            name: name.into(),
            expression: expression.into(),
            enforced,
        };
        assert_eq!(
            create.checks(),
            [
                check("", "`chk` > 0", true),
                check("c1", "`s` <> 'x\\')y'", true),
                check("c2", "(`i4` <> 'x')", false)
            ]
        );
    }

    #[test]
    fn default_expressions_are_told_from_text() {
        let create = read(
            "CREATE TABLE `t` (\n  `a` varchar(36) DEFAULT (uuid()),\n  `b` varchar(36) DEFAULT 'uuid()',\n  `c` int GENERATED ALWAYS AS (DEFAULT(`x`)) VIRTUAL\n) X",
        );
        assert!(create.has_expression_default("a"));
        assert!(!create.has_expression_default("b") && !create.has_expression_default("c"));
        assert!(ShowCreate::read("CREATE VIEW `v` AS select 1").is_none());
    }
}
