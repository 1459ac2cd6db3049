//! Sequences.

use whimbrel_connector::Flavor;
use whimbrel_model::TableName;
use whimbrel_model::object::Sequence;
use whimbrel_mysql_ddl::{Dialect, LexemeKind, ParseOptions, lexemes};

use super::text::{Edit, apply};
use super::{Conversion, ObjectDdl};
use crate::profile::TargetProfile;
use crate::render::quoted_table;

/// A column's default that asks a sequence, as MariaDB prints it (``nextval(`a`.`s`)``), under the sequence's name at
/// the target. `None`: it asks none. `Some(None)`: the target has no sequences that a default may ask.
pub(crate) fn default_of_sequence(
    expression: &str,
    target: &TargetProfile,
    rename: &dyn Fn(&TableName) -> TableName,
) -> Option<Option<String>> {
    let words = lexemes(expression, &ParseOptions::new(Dialect::mariadb(101_100))).ok()?;
    let asks = ["NEXTVAL", "LASTVAL", "SETVAL"];
    let begins = words.iter().position(|word| asks.iter().any(|name| word.is_word(name)))?;
    if target.flavor != Flavor::MariaDb {
        return Some(None);
    }
    let mut edits = Vec::new();
    for parts in words[begins..].windows(3) {
        if let [schema, dot, name] = parts
            && dot.kind == LexemeKind::Dot
            && let (Some(schema_name), Some(name_name)) = (schema.name(), name.name())
        {
            let renamed = rename(&TableName::new(schema_name, name_name));
            edits.push(Edit { span: schema.span.to(name.span), text: quoted_table(&renamed) });
        }
    }
    Some(Some(apply(expression, edits)))
}

impl Conversion<'_> {
    /// Also for targets that are not known to have sequences: what they say about it stands in the report then.
    pub(super) fn sequence(&mut self, sequence: &Sequence) -> ObjectDdl {
        let mariadb = self.context.target.flavor == Flavor::MariaDb;
        let within = (sequence.minimum..=sequence.maximum).contains(&sequence.next);
        // Only MariaDB can be told the value later.
        let start = if mariadb || !within { sequence.start } else { sequence.next };
        let cache = match sequence.cache {
            0 => "NOCACHE".to_owned(),
            size => format!("CACHE {size}"),
        };
        let cycle = if sequence.cycle { "CYCLE" } else { "NOCYCLE" };
        let name = quoted_table(&self.target);
        let advance = mariadb.then(|| {
            if within {
                return format!("ALTER SEQUENCE {name} RESTART WITH {}", sequence.next);
            }
            // It is used up: the last value has been taken.
            let last = if sequence.increment < 0 { sequence.minimum } else { sequence.maximum };
            format!("DO SETVAL({name}, {last}, 1)")
        });
        ObjectDdl {
            tail: format!(
                "START WITH {start} INCREMENT BY {} MINVALUE {} MAXVALUE {} {cache} {cycle}",
                sequence.increment, sequence.minimum, sequence.maximum
            ),
            advance,
            ..ObjectDdl::new("SEQUENCE", self.target.clone())
        }
    }
}
