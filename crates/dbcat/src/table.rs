//! One table, converted.

use std::collections::HashSet;

use whimbrel_connector::Flavor;
use whimbrel_model::schema::{KeyKind, KeyPartOn};
use whimbrel_model::{Column, ColumnDefault, DataType, Key, KeyPart, TableName, TableSchema, TextSize};

use crate::collation::Use;
use crate::profile::TargetProfile;
use crate::rules::{self, Rule, TypeRule};
use crate::{Loss, Note, collation, overrides, partitioning, render};

/// A table as it will be at the target, with the statements that make it.
#[derive(Clone, Debug)]
pub struct ConvertedTable {
    pub schema: TableSchema,
    /// CREATE TABLE with primary and unique keys.
    pub create: String,
    /// Secondary indexes, for after the load.
    pub indexes: Vec<NamedDdl>,
    /// Foreign keys, for the very end.
    pub foreign_keys: Vec<NamedDdl>,
    pub notes: Vec<Note>,
}

/// A statement that makes one named thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedDdl {
    pub name: String,
    pub sql: String,
}

/// Converts a table. `rename` gives each source table its name at the target.
pub fn convert_table(
    source: &TableSchema,
    target: &TargetProfile,
    rename: &dyn Fn(&TableName) -> TableName,
) -> ConvertedTable {
    let mut notes = Vec::new();
    let schema = convert_schema(source, target, rename, &mut notes);
    let early = render::indexes_from_the_start(&schema, target);
    let create = render::create_table(&schema, target);
    let table = render::quoted_table(&schema.name);
    let indexes = schema
        .indexes
        .iter()
        .filter(|key| !early.iter().any(|early| early.name == key.name))
        .map(|key| NamedDdl { name: key.name.clone(), sql: render::add_index(&schema.name, key, target) })
        .collect();
    let foreign_keys = schema
        .foreign_keys
        .iter()
        .map(|key| NamedDdl {
            name: key.name.clone(),
            sql: format!("ALTER TABLE {table} ADD {}", render::foreign_key(key)),
        })
        .collect();
    ConvertedTable { schema, create, indexes, foreign_keys, notes }
}

fn convert_schema(
    source: &TableSchema,
    target: &TargetProfile,
    rename: &dyn Fn(&TableName) -> TableName,
    notes: &mut Vec<Note>,
) -> TableSchema {
    let mut table = source.clone();
    table.name = rename(&source.name);
    // A child's column must compare like its parent's, which is in a key.
    let children = source.foreign_keys.iter().flat_map(|key| &key.columns).map(|name| name.to_lowercase());
    let unique: HashSet<String> = source
        .primary_key
        .iter()
        .chain(&source.unique_keys)
        .flat_map(|key| &key.parts)
        .filter_map(|part| part.column().map(str::to_lowercase))
        .chain(children)
        .collect();
    for column in &mut table.columns {
        let object = format!("{}.{}", source.name, column.name);
        let in_key = unique.contains(&column.name.to_lowercase());
        overrides::apply(&source.name, column, target, in_key, &object, notes);
        convert_column(column, target, in_key, &object, notes);
        convert_sequence_default(column, target, rename, &object, notes);
    }
    table.collation = source.collation.as_deref().and_then(|name| {
        let charset = whimbrel_model::Charset::of_collation(name)?;
        // The table's default matters only for columns to come, so it needs no note.
        Some(collation::map(target, (charset, name), Use::default(), "", &mut Vec::new()).collation)
    });
    if table.collation.as_deref() == Some("binary") && target.is_oceanbase() {
        table.collation = None;
    }
    convert_keys(&mut table, source, target, notes);
    for key in &mut table.foreign_keys {
        key.parent = rename(&key.parent);
    }
    for check in &mut table.checks {
        check.expression = without_introducers(&check.expression, target);
        let counted = check.name.strip_prefix("CONSTRAINT_").is_some_and(|n| n.parse::<u32>().is_ok());
        if counted && rules::CHECK_NAMES.holds(target) {
            check.name.clear();
        }
    }
    if rules::CHECKS_LEFT_OUT.holds(target) && !table.checks.is_empty() {
        notes.push(rules::CHECKS_LEFT_OUT.note(source.name.to_string(), rules::CHECKS_LEFT_OUT.why));
        table.checks.clear();
    }
    if let Some(text) = &source.partitioning {
        table.partitioning = partitioning::convert(text, &source.name, target, notes);
    }
    if source.engine.as_deref().is_some_and(|engine| !engine.eq_ignore_ascii_case("innodb")) {
        let engine = source.engine.as_deref().unwrap_or_default();
        let text = format!("engine {engine} becomes the target's own, with transactions and row locks");
        notes.push(rules::ENGINE.note(source.name.to_string(), text));
    }
    for attribute in table.attributes.drain(..) {
        let storage = attribute.contains('=') && !attribute.to_lowercase().starts_with("encrypt");
        let loss = if storage { Loss::None } else { Loss::Behaviour };
        let note = rules::TABLE_ATTRIBUTES.note(source.name.to_string(), format!("{attribute} is left out"));
        notes.push(Note { loss, ..note });
    }
    table
}

fn convert_column(
    column: &mut Column,
    target: &TargetProfile,
    unique: bool,
    object: &str,
    notes: &mut Vec<Note>,
) {
    let mut say = |rule: &Rule| notes.push(rule.note(object, rule.why));
    if let Some((rule, converted)) = TypeRule::find(&column.data_type, target) {
        // Functions of the source's own type say nothing at the target; uuid() gives the same text everywhere.
        let own = matches!(&column.default, Some(ColumnDefault::Expression(text)) if text != "uuid()" && !render::is_bare(text));
        if own && rules::DEFAULT_OF_OWN_TYPE.holds(target) {
            say(&rules::DEFAULT_OF_OWN_TYPE);
            column.default = None;
        }
        notes.push(rule.plain_note(object));
        column.data_type = converted;
    }
    let mut say = |rule: &Rule| notes.push(rule.note(object, rule.why));
    if column.default.as_ref().is_some_and(|d| *d != ColumnDefault::Null)
        && render::is_large(&column.data_type)
        && rules::DEFAULT_OF_LARGE_TYPE.holds(target)
    {
        say(&rules::DEFAULT_OF_LARGE_TYPE);
        column.default = None;
    }
    if let Some(ColumnDefault::Literal(text)) = &column.default
        && render::is_large(&column.data_type)
        && target.flavor == Flavor::Mysql
    {
        // Rule default-in-parentheses.
        column.default = Some(ColumnDefault::Expression(render::string(text)));
    }
    if column.generated.is_some() && !column.nullable && rules::GENERATED_NULLABLE.holds(target) {
        say(&rules::GENERATED_NULLABLE);
        column.nullable = true;
    }
    if column.invisible && rules::INVISIBLE_COLUMN.holds(target) {
        say(&rules::INVISIBLE_COLUMN);
        column.invisible = false;
    }
    for expression in column.generated.iter_mut().map(|generated| &mut generated.expression) {
        *expression = without_introducers(expression, target);
    }
    if let Some(ColumnDefault::Expression(expression)) = &mut column.default {
        *expression = without_introducers(expression, target);
    }
    if let Some(collation) = column.data_type.collation().map(str::to_owned) {
        let charset = column.data_type.charset();
        let members = match &column.data_type {
            DataType::Enum { members, .. } | DataType::Set { members, .. } => members.as_slice(),
            _ => &[],
        };
        let column_use = Use { unique, members };
        let mapped = collation::map(target, (charset, &collation), column_use, object, notes);
        set_collation(&mut column.data_type, mapped);
    }
}

fn convert_sequence_default(
    column: &mut Column,
    target: &TargetProfile,
    rename: &dyn Fn(&TableName) -> TableName,
    object: &str,
    notes: &mut Vec<Note>,
) {
    let Some(ColumnDefault::Expression(expression)) = &column.default else { return };
    let Some(converted) = crate::object::default_of_sequence(expression, target, rename) else { return };
    if converted.is_none() {
        let text = format!(
            "its default {expression} is left out: the target has no sequences that a default may ask"
        );
        notes.push(rules::SEQUENCES.note(object, text));
    }
    column.default = converted.map(ColumnDefault::Expression);
}

fn set_collation(data_type: &mut DataType, mapped: collation::Mapped) {
    let widened = mapped.charset != data_type.charset();
    match data_type {
        DataType::Char { charset, collation, .. }
        | DataType::VarChar { charset, collation, .. }
        | DataType::Enum { charset, collation, .. }
        | DataType::Set { charset, collation, .. } => {
            (*charset, *collation) = (mapped.charset, mapped.collation);
        }
        DataType::Text { size, charset, collation } => {
            (*charset, *collation) = (mapped.charset, mapped.collation);
            // TEXT sizes count bytes, and the same text may take more of them in UTF-8.
            if widened {
                *size = match size {
                    TextSize::Tiny => TextSize::Regular,
                    TextSize::Regular => TextSize::Medium,
                    TextSize::Medium | TextSize::Long => TextSize::Long,
                };
            }
        }
        _ => {}
    }
}

/// Takes charset introducers off where the target stumbles over them; its sessions speak utf8mb4 anyway.
///
/// OceanBase takes `_latin1'x'` for a column's name and knows `_utf8mb4` and `_binary` only. MariaDB stores
/// `_utf8mb4'it\'s'` without the backslash and then can't read it (1064). What stands in quotes is left alone.
fn without_introducers(expression: &str, target: &TargetProfile) -> String {
    let known: &[&str] = match target.flavor {
        Flavor::OceanBase => &["_utf8mb4", "_utf8", "_utf8mb3", "_binary"],
        Flavor::MariaDb => &["_binary"],
        Flavor::Mysql => return expression.to_owned(),
    };
    let mut out = String::with_capacity(expression.len());
    // Where the word that is being read begins in `out`.
    let mut word: Option<usize> = None;
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for c in expression.chars() {
        if let Some(open) = quote {
            match c {
                _ if escaped => escaped = false,
                '\\' if open != '`' => escaped = true,
                _ if c == open => quote = None,
                _ => {}
            }
        } else if c.is_alphanumeric() || matches!(c, '_' | '$') {
            word.get_or_insert(out.len());
        } else {
            if c == '\''
                && let Some(start) = word
                && out.get(start..).is_some_and(|text| text.starts_with('_') && !known.contains(&text))
            {
                out.truncate(start);
            }
            word = None;
            if matches!(c, '\'' | '"' | '`') {
                quote = Some(c);
            }
        }
        out.push(c);
    }
    out
}

fn convert_keys(
    table: &mut TableSchema,
    source: &TableSchema,
    target: &TargetProfile,
    notes: &mut Vec<Note>,
) {
    let name = source.name.clone();
    let mut say = |rule: &Rule, key: &Key, text: &str| {
        notes.push(rule.note(format!("{name}, key {}", key.name), text));
    };
    if rules::PRIMARY_AS_UNIQUE.holds(target)
        && let Some(mut key) = table.primary_key.take_if(|key| has_prefix(key))
    {
        if key.parts.iter().any(|part| is_indexed_by_prefix_only(part, &table.columns)) {
            let text = "a primary key over a prefix becomes a unique key of the name primary_prefix";
            say(&rules::PRIMARY_AS_UNIQUE, &key, text);
            key.name = "primary_prefix".to_owned();
            table.unique_keys.insert(0, key);
        } else {
            // The whole column tells more rows apart than its prefix, so no two rows become one.
            let text = "a primary key over a prefix becomes one over the whole column";
            say(&rules::PRIMARY_WITHOUT_PREFIX, &key, text);
            key.parts.iter_mut().for_each(|part| part.prefix = None);
            table.primary_key = Some(key);
        }
    }
    for part in table.unique_keys.iter_mut().chain(&mut table.indexes).flat_map(|key| &mut key.parts) {
        if let KeyPartOn::Expression(expression) = &mut part.on {
            *expression = without_introducers(expression, target);
        }
    }
    let columns = &table.columns;
    let functional = |key: &Key| key.parts.iter().any(|part| part.column().is_none());
    let mut keep = |key: &Key| {
        if functional(key) && rules::FUNCTIONAL_KEY.holds(target) {
            say(&rules::FUNCTIONAL_KEY, key, rules::FUNCTIONAL_KEY.why);
            return false;
        }
        // MariaDB keeps a hash of a long column; nobody else has such keys (1170, OceanBase 1167).
        let whole_text = key.kind == KeyKind::Ordered
            && key.parts.iter().any(|part| part.prefix.is_none() && is_indexed_by_prefix_only(part, columns));
        if whole_text && rules::WHOLE_TEXT_KEY.holds(target) {
            say(&rules::WHOLE_TEXT_KEY, key, rules::WHOLE_TEXT_KEY.why);
            return false;
        }
        if let Some(parser) = key.parser.as_deref().filter(|parser| !target.has_full_text_parser(parser)) {
            let text =
                format!("the target has no full-text parser {parser}: it tells words apart in its own way");
            say(&rules::FULLTEXT_PARSER, key, &text);
        }
        if key.kind == KeyKind::Vector {
            say(&rules::VECTOR_KEY, key, rules::VECTOR_KEY.why);
            return false;
        }
        let bytes = key_bytes(key, columns);
        if key.kind == KeyKind::Ordered && bytes > u64::from(target.key_bytes()) {
            let limit = target.key_bytes();
            let text = format!("the key may take {bytes} bytes, and the target indexes at most {limit}");
            say(&rules::KEY_TOO_LONG, key, &text);
        }
        if key.parts.iter().any(|part| part.descending) && rules::KEY_ASCENDING.holds(target) {
            say(&rules::KEY_ASCENDING, key, rules::KEY_ASCENDING.why);
        }
        true
    };
    table.unique_keys.retain(&mut keep);
    table.indexes.retain(&mut keep);
    if let Some(key) = &table.primary_key {
        keep(key);
    }
    for key in &mut table.indexes {
        key.parser.take_if(|parser| !target.has_full_text_parser(parser));
    }
    if !target.has_descending_keys() {
        let keys = table.primary_key.iter_mut().chain(&mut table.unique_keys).chain(&mut table.indexes);
        keys.flat_map(|key| &mut key.parts).for_each(|part| part.descending = false);
    }
}

/// The bytes that a key's text and byte columns may take; numbers and times, a few bytes each, are left out.
fn key_bytes(key: &Key, columns: &[Column]) -> u64 {
    let part_bytes = |part: &KeyPart| {
        let name = part.column()?;
        let column = columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))?;
        let most = overrides::most_bytes(column.data_type.charset());
        let (length, whole) = match &column.data_type {
            DataType::Char { chars, .. } | DataType::VarChar { chars, .. } => (most, Some(*chars)),
            DataType::Text { .. } => (most, None),
            DataType::Binary { bytes } | DataType::VarBinary { bytes } => (1, Some(*bytes)),
            DataType::Blob { .. } => (1, None),
            _ => return None,
        };
        Some(length * u64::from(part.prefix.or(whole)?))
    };
    key.parts.iter().filter_map(part_bytes).sum()
}

fn has_prefix(key: &Key) -> bool {
    key.parts.iter().any(|part| part.prefix.is_some())
}

/// TEXT, BLOB and JSON can be indexed by a prefix only.
fn is_indexed_by_prefix_only(part: &KeyPart, columns: &[Column]) -> bool {
    part.column().is_some_and(|name| {
        columns.iter().any(|column| {
            column.name.eq_ignore_ascii_case(name)
                && matches!(column.data_type, DataType::Text { .. } | DataType::Blob { .. } | DataType::Json)
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use whimbrel_connector::ServerInfo;

    use super::*;

    fn target(flavor: Flavor) -> TargetProfile {
        TargetProfile::new(&ServerInfo {
            flavor,
            version: (10, 11, 0),
            version_text: String::new(),
            server: String::new(),
            variables: BTreeMap::new(),
            collations: BTreeMap::new(),
            abilities: whimbrel_connector::Abilities::default(),
        })
    }

    #[test]
    fn introducers_that_the_target_stumbles_over_go() {
        for (from, oceanbase, mariadb) in [
            ("concat(_latin1'a',`b_c`)", "concat('a',`b_c`)", "concat('a',`b_c`)"),
            ("concat(_utf8mb4'it\\'s',x_y)", "concat(_utf8mb4'it\\'s',x_y)", "concat('it\\'s',x_y)"),
            (
                "concat('_latin1','it\\'s _gbk')",
                "concat('_latin1','it\\'s _gbk')",
                "concat('_latin1','it\\'s _gbk')",
            ),
            ("`_gbk` + a_gbk 'x'", "`_gbk` + a_gbk 'x'", "`_gbk` + a_gbk 'x'"),
            ("_binary'x' = _cp850'y'", "_binary'x' = 'y'", "_binary'x' = 'y'"),
        ] {
            assert_eq!(without_introducers(from, &target(Flavor::OceanBase)), oceanbase);
            assert_eq!(without_introducers(from, &target(Flavor::MariaDb)), mariadb);
            assert_eq!(without_introducers(from, &target(Flavor::Mysql)), from);
        }
    }
}
