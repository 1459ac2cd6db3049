//! Which tables a task moves, and what they are called at the target.
//!
//! A pattern is `schema.table`; each half may hold `*` (any run of characters), `?` (one) and `[a-z0-9]`,
//! `[!...]` (one of, none of). A half in backticks is taken literally, so names may hold dots and stars.

use std::collections::HashSet;

use whimbrel_model::TableName;

/// A rule that can't be understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RuleError {
    #[error("{0:?} is not of the form schema.table")]
    NoDot(String),
    #[error("{0:?} is not of the form schema.table.column")]
    NoColumn(String),
    #[error("{0:?} has a [ without its ]")]
    OpenBracket(String),
    #[error("{0:?} is not of the form FROM=TO")]
    NoEquals(String),
    #[error("{rule:?} has {right} * at the right of = but {left} at the left")]
    StarCount { rule: String, left: usize, right: usize },
    #[error("{0:?} has ? or [ at the right of =, where only names and * can stand")]
    ClassAtRight(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(char),
    Any,
    One,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// A pattern for one name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(Vec<Token>);

impl Pattern {
    fn parse(text: &str, rule: &str) -> Result<Self, RuleError> {
        if let Some(literal) = text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
            return Ok(Self(literal.chars().map(Token::Literal).collect()));
        }
        let mut tokens = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' => Token::Any,
                '?' => Token::One,
                '[' => {
                    let rest = chars.as_str();
                    let end = rest.find(']').filter(|end| *end > 0);
                    let end = end.ok_or_else(|| RuleError::OpenBracket(rule.to_owned()))?;
                    let body: Vec<char> = rest[..end].chars().collect();
                    chars = rest[end + 1..].chars();
                    class(&body)
                }
                literal => Token::Literal(literal),
            });
        }
        Ok(Self(tokens))
    }

    fn stars(&self) -> usize {
        self.0.iter().filter(|token| **token == Token::Any).count()
    }

    /// What each `*` matched, or `None`.
    fn captures(&self, name: &str) -> Option<Vec<String>> {
        let name: Vec<char> = name.chars().collect();
        let (failed, captures) = (HashSet::new(), Vec::new());
        let mut matching = Matching { tokens: &self.0, name: &name, failed, captures };
        matching.fits(0, 0).then_some(matching.captures)
    }

    /// The name that this pattern makes of captures; only literals and stars.
    fn fill(&self, captures: &mut impl Iterator<Item = String>) -> String {
        let mut name = String::new();
        for token in &self.0 {
            match token {
                Token::Literal(c) => name.push(*c),
                _ => name.extend(captures.next()),
            }
        }
        name
    }
}

fn class(body: &[char]) -> Token {
    let (negated, body) = match body {
        ['!' | '^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut ranges = Vec::new();
    let mut rest = body;
    while let [first, tail @ ..] = rest {
        if let ['-', last, tail @ ..] = tail {
            ranges.push((*first, *last));
            rest = tail;
        } else {
            ranges.push((*first, *first));
            rest = tail;
        }
    }
    Token::Class { negated, ranges }
}

/// A pattern against a name. Each star takes as little as it can.
struct Matching<'a> {
    tokens: &'a [Token],
    name: &'a [char],
    /// Rests of pattern and name (where they begin) that don't fit: tried once, or many stars would take for ever.
    failed: HashSet<(usize, usize)>,
    captures: Vec<String>,
}

impl Matching<'_> {
    fn fits(&mut self, token: usize, at: usize) -> bool {
        let (tokens, name) = (self.tokens, self.name);
        let Some(first) = tokens.get(token) else { return at == name.len() };
        if self.failed.contains(&(token, at)) {
            return false;
        }
        let fits = match first {
            Token::Any => {
                let depth = self.captures.len();
                (at..=name.len()).any(|end| {
                    self.captures.truncate(depth);
                    self.captures.push(name[at..end].iter().collect());
                    self.fits(token + 1, end)
                })
            }
            one => name.get(at).is_some_and(|c| one.takes(*c)) && self.fits(token + 1, at + 1),
        };
        if !fits {
            self.failed.insert((token, at));
        }
        fits
    }
}

impl Token {
    /// True where a token other than a star stands for this character.
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Literal(literal) => *literal == c,
            Self::One | Self::Any => true,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| *low <= c && c <= *high) != *negated
            }
        }
    }
}

/// A pattern for a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePattern {
    text: String,
    schema: Pattern,
    table: Pattern,
}

impl TablePattern {
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let (schema, table) = halves(text).ok_or_else(|| RuleError::NoDot(text.to_owned()))?;
        Ok(Self {
            text: text.to_owned(),
            schema: Pattern::parse(schema, text)?,
            table: Pattern::parse(table, text)?,
        })
    }

    /// As the user wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn matches(&self, name: &TableName) -> bool {
        self.captures(name).is_some()
    }

    /// True where some table of this schema might match.
    pub fn matches_schema(&self, schema: &str) -> bool {
        self.schema.captures(schema).is_some()
    }

    fn captures(&self, name: &TableName) -> Option<Vec<String>> {
        let mut captures = self.schema.captures(&name.schema)?;
        captures.extend(self.table.captures(&name.table)?);
        Some(captures)
    }
}

/// A pattern for a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnPattern {
    text: String,
    parts: [Pattern; 3],
}

impl ColumnPattern {
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let bad = || RuleError::NoColumn(text.to_owned());
        let (schema, rest) = halves(text).ok_or_else(bad)?;
        let (table, column) = halves(rest).ok_or_else(bad)?;
        let parse = |part| Pattern::parse(part, text);
        Ok(Self { text: text.to_owned(), parts: [parse(schema)?, parse(table)?, parse(column)?] })
    }

    /// As the user wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Names of columns compare without regard to case, as on the servers.
    pub fn matches(&self, table: &TableName, column: &str) -> bool {
        let [for_schema, for_table, for_column] = &self.parts;
        let fits = |pattern: &Pattern, name: &str| pattern.captures(name).is_some();
        fits(for_schema, &table.schema)
            && fits(for_table, &table.table)
            && (fits(for_column, column) || fits(for_column, &column.to_lowercase()))
    }

    /// Whether schema, table and column are names and not patterns.
    pub fn literal_parts(&self) -> [bool; 3] {
        self.parts.each_ref().map(|part| part.0.iter().all(|token| matches!(token, Token::Literal(_))))
    }

    pub fn literal_chars(&self) -> usize {
        let literal = |token: &&Token| matches!(token, Token::Literal(_));
        self.parts.iter().map(|part| part.0.iter().filter(literal).count()).sum()
    }
}

/// Splits at the first dot outside of backticks.
fn halves(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let dot = text.char_indices().find(|(_, c)| {
        quoted ^= *c == '`';
        *c == '.' && !quoted
    });
    let (schema, table) = text.split_at(dot?.0);
    let table = table.strip_prefix('.')?;
    (!schema.is_empty() && !table.is_empty()).then_some((schema, table))
}

/// `FROM=TO`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MapRule {
    from: TablePattern,
    to: TablePattern,
}

/// Includes, excludes and new names of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    include: Vec<TablePattern>,
    exclude: Vec<TablePattern>,
    map: Vec<MapRule>,
}

impl Rules {
    pub fn parse(include: &[String], exclude: &[String], map: &[String]) -> Result<Self, RuleError> {
        let patterns = |texts: &[String]| {
            texts.iter().map(|text| TablePattern::parse(text)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            include: patterns(include)?,
            exclude: patterns(exclude)?,
            map: map.iter().map(|rule| map_rule(rule)).collect::<Result<_, _>>()?,
        })
    }

    pub fn includes(&self) -> &[TablePattern] {
        &self.include
    }

    /// True where the task moves this table.
    pub fn selects(&self, name: &TableName) -> bool {
        self.include.iter().any(|pattern| pattern.matches(name)) && !self.excludes(name)
    }

    pub fn excludes(&self, name: &TableName) -> bool {
        self.exclude.iter().any(|pattern| pattern.matches(name))
    }

    /// True where the rule that names a table may give other tables the same name: it leaves out what a `*`, `?` or
    /// `[]` stands for.
    pub fn may_merge(&self, name: &TableName) -> bool {
        let rule = self.map.iter().find(|rule| rule.from.matches(name));
        rule.is_some_and(|rule| {
            let open =
                |pattern: &Pattern| pattern.0.iter().filter(|t| !matches!(t, Token::Literal(_))).count();
            open(&rule.from.schema) + open(&rule.from.table) > rule.to.schema.stars() + rule.to.table.stars()
        })
    }

    /// What a table is called at the target: the first rule that fits, else its own name.
    pub fn target_name(&self, name: &TableName) -> TableName {
        for rule in &self.map {
            if let Some(captures) = rule.from.captures(name) {
                let from_schema = rule.from.schema.stars();
                let to_schema = rule.to.schema.stars();
                // `a.*=b.*`, `a_*.*=b.*`: the right side's table stars take the left side's table captures, where
                // a half has as many as its counterpart; otherwise all are taken in order.
                let paired = from_schema == to_schema
                    || (to_schema == 0 && rule.from.table.stars() == rule.to.table.stars());
                let mut all = captures.clone().into_iter();
                let schema = rule.to.schema.fill(&mut all);
                let table = if paired {
                    rule.to.table.fill(&mut captures.into_iter().skip(from_schema))
                } else {
                    rule.to.table.fill(&mut all)
                };
                return TableName { schema, table };
            }
        }
        name.clone()
    }
}

fn map_rule(rule: &str) -> Result<MapRule, RuleError> {
    let (from, to) = rule.split_once('=').ok_or_else(|| RuleError::NoEquals(rule.to_owned()))?;
    let (from, to) = (TablePattern::parse(from.trim())?, TablePattern::parse(to.trim())?);
    let classes = |pattern: &Pattern| pattern.0.iter().any(|t| matches!(t, Token::One | Token::Class { .. }));
    if classes(&to.schema) || classes(&to.table) {
        return Err(RuleError::ClassAtRight(rule.to_owned()));
    }
    let left = from.schema.stars() + from.table.stars();
    let right = to.schema.stars() + to.table.stars();
    if right > left {
        return Err(RuleError::StarCount { rule: rule.to_owned(), left, right });
    }
    Ok(MapRule { from, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(pattern: &str, schema: &str, table: &str) -> bool {
        TablePattern::parse(pattern).unwrap().matches(&TableName::new(schema, table))
    }

    #[test]
    fn patterns_match_as_in_oms() {
        assert!(selects("shop.*", "shop", "orders"));
        assert!(!selects("shop.*", "shop2", "orders"));
        assert!(selects("shop?.order_[0-9]", "shop2", "order_7"));
        assert!(!selects("shop.order_[!0-9]", "shop", "order_7"));
        assert!(selects("*.*", "a", "b"));
        assert!(selects("s.a*b*c", "s", "aXbYbc"));
        assert!(selects("`a.b`.`*`", "a.b", "*"));
        assert!(!selects("`a.b`.`*`", "a.b", "x"));
        assert!(selects("库.表*", "库", "表一"));
    }

    #[test]
    fn many_stars_take_no_longer() {
        let pattern = format!("s.{}b", "*a".repeat(40));
        assert!(!selects(&pattern, "s", &"a".repeat(64)));
        assert!(selects(&pattern, "s", &("a".repeat(63) + "b")));
    }

    #[test]
    fn bad_patterns_say_why() {
        assert_eq!(TablePattern::parse("orders"), Err(RuleError::NoDot("orders".into())));
        assert_eq!(TablePattern::parse("a."), Err(RuleError::NoDot("a.".into())));
        assert_eq!(TablePattern::parse("a.[b"), Err(RuleError::OpenBracket("a.[b".into())));
        let map = |rule: &str| Rules::parse(&[], &[], &[rule.to_owned()]).unwrap_err();
        assert_eq!(map("a.b"), RuleError::NoEquals("a.b".into()));
        assert!(matches!(map("a.b=c.*"), RuleError::StarCount { left: 0, right: 1, .. }));
        assert!(matches!(map("a.*=c.?"), RuleError::ClassAtRight(_)));
    }

    #[test]
    fn excludes_win_and_maps_rename() {
        let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let rules = Rules::parse(
            &texts(&["a.*"]),
            &texts(&["a.tmp_*"]),
            &texts(&["a.log_*=archive.old_*", "*.*=new_*.*"]),
        )
        .unwrap();
        assert!(rules.selects(&TableName::new("a", "t")));
        assert!(!rules.selects(&TableName::new("a", "tmp_1")));
        assert_eq!(rules.target_name(&TableName::new("a", "log_x")), TableName::new("archive", "old_x"));
        assert_eq!(rules.target_name(&TableName::new("a", "t")), TableName::new("new_a", "t"));
        assert!(
            !rules.may_merge(&TableName::new("a", "log_x")) && !rules.may_merge(&TableName::new("a", "t"))
        );
    }

    #[test]
    fn a_rule_that_leaves_out_what_a_pattern_stands_for_may_merge() {
        for (rule, schema, table, target) in [
            ("shop.orders_*=shop.orders", "shop", "orders_1", "shop.orders"),
            ("shop_*.orders=shop.orders", "shop_7", "orders", "shop.orders"),
            ("shop_*.*=shop.*", "shop_7", "orders", "shop.orders"),
            ("shop_?.*_[0-9]=shop.*", "shop_7", "orders_1", "shop.orders"),
        ] {
            let rules = Rules::parse(&["*.*".into()], &[], &[rule.into()]).unwrap();
            let name = TableName::new(schema, table);
            assert!(rules.may_merge(&name), "{rule}");
            assert_eq!(rules.target_name(&name).to_string(), target, "{rule}");
            assert!(!rules.may_merge(&TableName::new("other", "t")), "{rule}");
        }
    }
}
