//! Keys, foreign keys and checks out of `information_schema`.

use std::collections::BTreeMap;

use whimbrel_connector::Flavor;
use whimbrel_model::schema::{Check, KeyKind, KeyPartOn};
use whimbrel_model::{ForeignKey, Key, KeyPart, TableName};

use super::column::unescaped;
use super::session::Identity;

/// Columns of the query over `STATISTICS`, in this order.
pub(super) fn statistics_list(identity: &Identity) -> String {
    let oceanbase = identity.flavor == Flavor::OceanBase;
    let visible = match identity.flavor {
        Flavor::MariaDb if identity.version >= (10, 6, 0) => "IF(IGNORED = 'YES', 'NO', 'YES')",
        _ if oceanbase || identity.is_mysql((8, 0, 0)) => "IS_VISIBLE",
        _ => "'YES'",
    };
    let expression = if oceanbase || identity.is_mysql((8, 0, 13)) { "EXPRESSION" } else { "NULL" };
    format!(
        "TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, COLLATION, SUB_PART, INDEX_TYPE, INDEX_COMMENT, \
         {visible}, {expression}"
    )
}

/// A row of that query behind the table's name.
pub(super) struct RawKeyPart<'a> {
    pub(super) key: &'a str,
    pub(super) unique: bool,
    pub(super) column: Option<&'a str>,
    /// `D` for descending.
    pub(super) direction: Option<&'a str>,
    pub(super) prefix: Option<u32>,
    pub(super) index_type: &'a str,
    pub(super) comment: &'a str,
    pub(super) visible: bool,
    pub(super) expression: Option<&'a str>,
}

/// A table's keys in the making, in the server's order.
#[derive(Debug, Default)]
pub(super) struct Keys {
    keys: Vec<(Key, bool)>,
}

impl Keys {
    /// Adds a part; parts of one key come in order, one after the other.
    pub(super) fn add(&mut self, raw: &RawKeyPart<'_>) {
        if self.keys.last().is_none_or(|(key, _)| key.name != raw.key) {
            let kind = match raw.index_type {
                "FULLTEXT" => KeyKind::FullText,
                "SPATIAL" | "RTREE" => KeyKind::Spatial,
                "VECTOR" => KeyKind::Vector,
                _ => KeyKind::Ordered,
            };
            let key = Key {
                name: raw.key.to_owned(),
                parts: Vec::new(),
                kind,
                parser: None,
                invisible: !raw.visible,
                comment: raw.comment.to_owned(),
            };
            self.keys.push((key, raw.unique));
        }
        let Some((key, _)) = self.keys.last_mut() else { return };
        let on = match (raw.column, raw.expression) {
            (Some(column), _) => KeyPartOn::Column(column.to_owned()),
            (None, expression) => KeyPartOn::Expression(unescaped(expression.unwrap_or_default())),
        };
        // The server's own prefix of a spatial key is no prefix that anyone declared.
        let prefix = raw.prefix.filter(|_| key.kind == KeyKind::Ordered);
        key.parts.push(KeyPart { on, prefix, descending: raw.direction == Some("D") });
    }

    /// True where a part is a column that the table doesn't show: OceanBase's hidden columns behind
    /// functional, multi-valued, full-text and spatial indexes.
    pub(super) fn use_hidden_columns(&self, is_column: impl Fn(&str) -> bool) -> bool {
        self.keys.iter().flat_map(|(key, _)| &key.parts).filter_map(KeyPart::column).any(|c| !is_column(c))
    }

    /// There is a full-text key, whose parser only SHOW CREATE TABLE tells.
    pub(super) fn have_full_text(&self) -> bool {
        self.keys.iter().any(|(key, _)| key.kind == KeyKind::FullText)
    }

    /// Takes the parsers of keys of the same names.
    pub(super) fn take_parsers(&mut self, keys: Vec<(Key, bool)>) {
        for (from, _) in keys {
            if let Some((key, _)) = self.keys.iter_mut().find(|(key, _)| key.name == from.name) {
                key.parser = from.parser;
            }
        }
    }

    /// Puts other keys in the place of all but the primary one.
    pub(super) fn replace_secondary(&mut self, keys: Vec<(Key, bool)>) {
        self.keys.retain(|(key, _)| key.name == "PRIMARY");
        self.keys.extend(keys);
    }

    /// Primary key, unique keys, other indexes.
    pub(super) fn split(self) -> (Option<Key>, Vec<Key>, Vec<Key>) {
        let (mut primary, mut unique_keys, mut indexes) = (None, Vec::new(), Vec::new());
        for (mut key, unique) in self.keys {
            if key.name == "PRIMARY" {
                // OceanBase shows the table's comment here.
                key.comment.clear();
                primary = Some(key);
            } else if unique {
                unique_keys.push(key);
            } else {
                indexes.push(key);
            }
        }
        (primary, unique_keys, indexes)
    }
}

/// A row of `KEY_COLUMN_USAGE` with a referenced table.
pub(super) struct RawReference<'a> {
    pub(super) table: &'a str,
    pub(super) name: &'a str,
    pub(super) column: &'a str,
    pub(super) parent: TableName,
    pub(super) parent_column: &'a str,
}

/// Foreign keys by table and name.
#[derive(Debug, Default)]
pub(super) struct ForeignKeys {
    by_name: BTreeMap<(String, String), ForeignKey>,
}

impl ForeignKeys {
    /// Adds a pair of columns; those of one key come in order.
    pub(super) fn add(&mut self, raw: RawReference<'_>) {
        let entry = self.by_name.entry((raw.table.to_owned(), raw.name.to_owned()));
        let key = entry.or_insert_with(|| ForeignKey {
            name: raw.name.to_owned(),
            columns: Vec::new(),
            parent: raw.parent,
            parent_columns: Vec::new(),
            on_update: "NO ACTION".to_owned(),
            on_delete: "NO ACTION".to_owned(),
        });
        key.columns.push(raw.column.to_owned());
        key.parent_columns.push(raw.parent_column.to_owned());
    }

    pub(super) fn set_actions(&mut self, table: &str, name: &str, on_update: &str, on_delete: &str) {
        if let Some(key) = self.by_name.get_mut(&(table.to_owned(), name.to_owned())) {
            on_update.clone_into(&mut key.on_update);
            on_delete.clone_into(&mut key.on_delete);
        }
    }

    /// With the table of each.
    pub(super) fn into_iter(self) -> impl Iterator<Item = (String, ForeignKey)> {
        self.by_name.into_iter().map(|((table, _), key)| (table, key))
    }
}

/// A check's clause as its server shows it.
pub(super) fn check(name: &str, clause: &str, enforced: bool, identity: &Identity) -> Check {
    let escaped = identity.is_mysql((8, 0, 0));
    let expression = if escaped { unescaped(clause) } else { clause.to_owned() };
    Check { name: name.to_owned(), expression, enforced }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part<'a>(key: &'a str, column: Option<&'a str>) -> RawKeyPart<'a> {
        RawKeyPart {
            key,
            unique: false,
            column,
            direction: Some("A"),
            prefix: None,
            index_type: "BTREE",
            comment: "",
            visible: true,
            expression: None,
        }
    }

    #[test]
    fn parts_become_keys_of_every_kind() {
        let mut keys = Keys::default();
        keys.add(&RawKeyPart {
            unique: true,
            direction: Some("D"),
            comment: "tab",
            ..part("PRIMARY", Some("id"))
        });
        keys.add(&RawKeyPart { unique: true, prefix: Some(5), ..part("uk", Some("s")) });
        keys.add(&RawKeyPart { unique: true, ..part("uk", Some("t")) });
        keys.add(&RawKeyPart { index_type: "SPATIAL", prefix: Some(32), ..part("sp", Some("p")) });
        keys.add(&RawKeyPart {
            expression: Some(r"concat(`a`,_utf8mb4\'x\')"),
            visible: false,
            ..part("f", None)
        });
        assert!(!keys.use_hidden_columns(|name| ["id", "s", "t", "p"].contains(&name)));
        assert!(keys.use_hidden_columns(|name| name != "p"));
        let (primary, unique, indexes) = keys.split();
        let primary = primary.unwrap();
        assert!(primary.parts[0].descending && primary.comment.is_empty());
        assert_eq!(unique[0].parts.iter().map(|part| part.prefix).collect::<Vec<_>>(), [Some(5), None]);
        assert_eq!((indexes[0].kind, indexes[0].parts[0].prefix), (KeyKind::Spatial, None));
        assert_eq!(indexes[1].parts[0].on, KeyPartOn::Expression("concat(`a`,_utf8mb4'x')".into()));
        assert!(indexes[1].invisible);
    }

    #[test]
    fn foreign_keys_gather_their_columns_and_actions() {
        let mut keys = ForeignKeys::default();
        for (column, parent_column) in [("a", "x"), ("b", "y")] {
            let parent = TableName::new("d", "p");
            keys.add(RawReference { table: "c", name: "fk", column, parent, parent_column });
        }
        keys.set_actions("c", "fk", "CASCADE", "SET NULL");
        let (table, key) = keys.into_iter().next().unwrap();
        assert_eq!(
            (table.as_str(), key.columns, key.parent_columns),
            ("c", vec!["a".into(), "b".into()], vec!["x".into(), "y".into()])
        );
        assert_eq!((key.on_update.as_str(), key.on_delete.as_str()), ("CASCADE", "SET NULL"));
    }
}
