//! A syntax tree as an outline: one node a line, children indented by two spaces.
//!
//! Made from the tree's derived `Debug` form, so every node and field of [`whimbrel_mysql_ddl::ast`] shows under its
//! own name and none has to be listed here. Left out is what says nothing: places, and fields that are absent,
//! empty or false.
//!
//! ```text
//! AlterTable
//!   table: "shop"."orders"
//!   clauses
//!     DropColumn
//!       name: "note"
//! ```

use std::fmt::{Debug, Write};

#[derive(Debug, Default)]
struct Node {
    /// `field: Name`, `Name`, or a leaf's text.
    label: String,
    /// It was followed by brackets.
    is_group: bool,
    children: Vec<Node>,
}

/// The outline of a tree, with a line break at its end.
pub fn outline(tree: &impl Debug) -> String {
    let text = format!("{tree:#?}");
    let mut root = Node::default();
    read(&mut text.lines(), &mut root);
    let mut out = String::new();
    for node in root.children {
        write(&simplify(node), 0, &mut out);
    }
    out
}

/// Pretty `Debug` has every bracket at the end of a line or on a line of its own, and strings on one line.
fn read<'a>(lines: &mut impl Iterator<Item = &'a str>, parent: &mut Node) {
    while let Some(line) = lines.next() {
        let line = line.trim();
        let line = line.strip_suffix(',').unwrap_or(line);
        if matches!(line, "}" | ")" | "]") {
            return;
        }
        match line.strip_suffix(['{', '(', '[']) {
            Some(label) => {
                let mut node =
                    Node { label: label.trim_end().to_owned(), is_group: true, children: Vec::new() };
                read(lines, &mut node);
                parent.children.push(node);
            }
            None => parent.children.push(Node { label: line.to_owned(), ..Node::default() }),
        }
    }
}

/// Drops what says nothing, and joins what is one thing for a reader.
fn simplify(node: Node) -> Node {
    let mut children: Vec<Node> = node.children.into_iter().filter(says_something).map(simplify).collect();
    let mut label = node.label;
    let (field, name) = match label.split_once(": ") {
        Some((field, name)) if node.is_group => (format!("{field}: "), name.to_owned()),
        _ => (String::new(), label.clone()),
    };
    if name == "ObjectName" {
        let parts: Vec<&str> =
            children.iter().filter_map(|part| Some(part.label.split_once(": ")?.1)).collect();
        return Node { label: format!("{field}{}", parts.join(".")), is_group: true, children: Vec::new() };
    }
    if let [only] = children.as_slice() {
        let value = only.label.strip_prefix("value: ").or_else(|| only.label.strip_prefix("text: "));
        let transparent = match name.as_str() {
            "Ident" | "Fragment" => value.map(str::to_owned),
            "Some" => Some(only.label.clone()),
            // An enum's variant around a struct of its name.
            name if only.is_group && only.label.strip_suffix("Def").unwrap_or(&only.label) == name => {
                Some(only.label.clone())
            }
            _ => None,
        };
        if let Some(inner) = transparent {
            label = format!("{field}{inner}");
            let only = children.remove(0);
            return Node { label, is_group: true, children: only.children };
        }
    }
    // A list has no name of its own, and neither has a tuple.
    let label = label.strip_suffix(':').unwrap_or(&label);
    let label = if label.is_empty() { "-" } else { label }.to_owned();
    Node { label, is_group: node.is_group, children }
}

fn says_something(node: &Node) -> bool {
    if node.is_group {
        return node.label != "span: Span";
    }
    !matches!(node.label.split_once(": "), Some((_, "None" | "[]" | "false")))
}

fn write(node: &Node, depth: usize, out: &mut String) {
    // Writing to a String can't fail.
    let _ = writeln!(out, "{:indent$}{}", "", node.label, indent = depth * 2);
    for child in &node.children {
        write(child, depth + 1, out);
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_mysql_ddl::{Dialect, ParseOptions, parse};

    use super::*;

    fn of(sql: &str) -> String {
        outline(&parse(sql, &ParseOptions::new(Dialect::mysql(90_704))).unwrap().body)
    }

    #[test]
    fn an_outline_shows_names_types_and_clauses_and_no_places() {
        let expected = "AlterTable\n  table: \"shop\".\"orders\"\n  clauses\n    AddColumn\n      column: ColumnDef\n        \
                        name: \"note\"\n        data_type: DataType\n          kind: VarChar\n          length: 20\n        \
                        attributes\n          NotNull\n      position: After\n        \"id\"\n    DropIndex\n      \
                        name: \"k\"\n";
        assert_eq!(
            of("ALTER TABLE shop.orders ADD note VARCHAR(20) NOT NULL AFTER id, DROP KEY k"),
            expected
        );
    }

    #[test]
    fn brackets_and_line_breaks_in_strings_are_text() {
        let tree = of("CREATE TABLE t (a INT COMMENT 'x {\n}, (', b INT)");
        assert!(tree.contains(r#""x {\n}, (""#), "{tree}");
        assert_eq!(tree.lines().filter(|line| line.trim() == "ColumnDef").count(), 2, "{tree}");
    }
}
