//! Sequences.

use whimbrel_connector::Flavor;
use whimbrel_model::object::Sequence;

use super::{Conversion, ObjectDdl};
use crate::render::quoted_table;

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
