//! PARTITION BY clauses in the target's words.
//!
//! The clause is read and written again, never edited as text. What no target needs (engines, directories,
//! tablespaces of partitions) goes; what a target hasn't got is replaced by the nearest thing that holds the same
//! rows, or the table is made without partitions, and a note says so.

use whimbrel_connector::Flavor;
use whimbrel_model::TableName;
use whimbrel_mysql_ddl::ast::{
    Body, CreateTableBody, Fragment, PartitionMethod, PartitionValues, Partitioning, Span, TableOptions,
};
use whimbrel_mysql_ddl::{Dialect, ParseOptions};

use crate::profile::TargetProfile;
use crate::{Loss, Note};

/// The clause at the target; `None` where the table can't be partitioned there.
pub(crate) fn convert(
    text: &str,
    table: &TableName,
    target: &TargetProfile,
    notes: &mut Vec<Note>,
) -> Option<String> {
    let mut say = |text: &str| {
        notes.push(Note { loss: Loss::Behaviour, object: table.to_string(), text: text.to_owned() });
    };
    let Some(mut clause) = read(text) else {
        say("its partitions are described in a way that isn't understood: no partitions at the target");
        return None;
    };
    if clause.method_suffix.is_some() || clause.update_indexes.is_some() {
        say("its partitioning is the source's own: no partitions at the target");
        return None;
    }
    if matches!(clause.method, PartitionMethod::SystemTime(_) | PartitionMethod::None) {
        say(
            "partitions by system time hold old row versions, which aren't moved: no partitions at the target",
        );
        return None;
    }
    let has_default = clause.definitions.iter().any(|d| d.values == PartitionValues::Default);
    if has_default && target.flavor == Flavor::Mysql {
        say(
            "MySQL has no DEFAULT partition, and rows without a partition would be refused: no partitions at the target",
        );
        return None;
    }
    if target.is_oceanbase() {
        plain_method(&mut clause.method, &mut say);
        if let Some(sub) = &mut clause.subpartitioning {
            plain_method(&mut sub.method, &mut say);
        }
    } else if let PartitionMethod::Key { algorithm, .. } = &mut clause.method
        && target.flavor == Flavor::MariaDb
    {
        // Which hash is used shows nowhere but in where a row lies.
        *algorithm = None;
    }
    let oceanbase = target.is_oceanbase();
    let mut commented = false;
    let mut trim = |options: &mut TableOptions| {
        commented |= oceanbase && options.comment().is_some();
        options.0.retain(|option| option.name == "COMMENT" && !oceanbase);
    };
    for definition in &mut clause.definitions {
        trim(&mut definition.options);
        definition.subpartitions.iter_mut().for_each(|sub| trim(&mut sub.options));
        if oceanbase && definition.values == PartitionValues::Default {
            let text = "DEFAULT".to_owned();
            definition.values = PartitionValues::In(Fragment { text, span: Span::default() });
        }
    }
    if commented {
        say("comments of partitions are left out");
    }
    Some(clause.to_string())
}

/// OceanBase spreads rows by HASH and KEY in one way only.
fn plain_method(method: &mut PartitionMethod, say: &mut impl FnMut(&str)) {
    match method {
        PartitionMethod::Hash { linear, .. } if *linear => {
            *linear = false;
            say("LINEAR HASH partitioning becomes HASH");
        }
        PartitionMethod::Key { linear, algorithm, .. } => {
            if *linear {
                say("LINEAR KEY partitioning becomes KEY");
            }
            (*linear, *algorithm) = (false, None);
        }
        _ => {}
    }
}

fn read(text: &str) -> Option<Partitioning> {
    let sql = format!("CREATE TABLE t (a INT) {text}");
    let dialects = [Dialect::mysql(90_700), Dialect::mariadb(110_800), Dialect::oceanbase(40_305)];
    dialects.into_iter().find_map(|dialect| {
        let statement = whimbrel_mysql_ddl::parse(&sql, &ParseOptions::new(dialect)).ok()?;
        let Body::CreateTable(create) = statement.body else { return None };
        match create.body {
            CreateTableBody::Definition(definition) => definition.partitioning,
            CreateTableBody::Like(_) => None,
        }
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
            version: (11, 8, 0),
            version_text: String::new(),
            server: String::new(),
            variables: BTreeMap::new(),
            collations: BTreeMap::new(),
        })
    }

    fn converted(flavor: Flavor, text: &str) -> (Option<String>, Vec<String>) {
        let mut notes = Vec::new();
        let clause = convert(text, &TableName::new("d", "t"), &target(flavor), &mut notes);
        (clause, notes.into_iter().map(|note| note.text).collect())
    }

    #[test]
    fn oceanbase_gets_neither_options_nor_linear_methods() {
        let range = "PARTITION BY RANGE (to_days(`d`))\nSUBPARTITION BY HASH (`id`)\nSUBPARTITIONS 2\n(PARTITION p0 VALUES LESS THAN (737425) COMMENT = 'it\\'s ENGINE = InnoDB' ENGINE = InnoDB,\n PARTITION p1 VALUES LESS THAN MAXVALUE ENGINE = InnoDB)";
        let (clause, notes) = converted(Flavor::OceanBase, range);
        let clause = clause.unwrap();
        assert!(!clause.contains("COMMENT") && !clause.contains("ENGINE"), "{clause}");
        assert!(clause.contains("SUBPARTITIONS 2") && clause.contains("LESS THAN MAXVALUE"), "{clause}");
        assert_eq!(notes, ["comments of partitions are left out"]);
        let (clause, notes) = converted(Flavor::Mysql, range);
        assert!(clause.unwrap().contains("ENGINE = InnoDB'") && notes.is_empty());
        let (clause, notes) =
            converted(Flavor::OceanBase, "PARTITION BY LINEAR KEY ALGORITHM = 1 (id)\nPARTITIONS 3");
        assert_eq!(clause.unwrap(), "PARTITION BY KEY (`id`) PARTITIONS 3");
        assert_eq!(notes, ["LINEAR KEY partitioning becomes KEY"]);
    }

    #[test]
    fn default_partitions_are_said_in_each_targets_way() {
        let list = "PARTITION BY LIST (`id`) (PARTITION p0 VALUES IN (1,2), PARTITION p1 DEFAULT)";
        let (clause, _) = converted(Flavor::OceanBase, list);
        assert!(clause.unwrap().contains("`p1` VALUES IN (DEFAULT)"));
        assert!(converted(Flavor::MariaDb, list).0.unwrap().contains("DEFAULT"));
        let (clause, notes) = converted(Flavor::Mysql, list);
        assert_eq!((clause, notes.len()), (None, 1));
    }

    #[test]
    fn what_is_not_understood_is_left_out_with_a_word() {
        for text in
            ["PARTITION BY MAGIC", "PARTITION BY SYSTEM_TIME (PARTITION p0 HISTORY, PARTITION p1 CURRENT)"]
        {
            let (clause, notes) = converted(Flavor::OceanBase, text);
            assert_eq!((clause, notes.len()), (None, 1), "{text}");
        }
    }
}
