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

use crate::Note;
use crate::profile::TargetProfile;
use crate::rules::{self, Rule};

/// The clause at the target; `None` where the table can't be partitioned there.
pub(crate) fn convert(
    text: &str,
    table: &TableName,
    target: &TargetProfile,
    notes: &mut Vec<Note>,
) -> Option<String> {
    let mut say = |rule: &Rule| notes.push(rule.note(table.to_string(), rule.why));
    let Some(mut clause) = read(text) else {
        say(&rules::PARTITIONS_UNREAD);
        return None;
    };
    if clause.method_suffix.is_some() || clause.update_indexes.is_some() {
        say(&rules::PARTITIONS_OF_OTHERS);
        return None;
    }
    if matches!(clause.method, PartitionMethod::SystemTime(_) | PartitionMethod::None) {
        say(&rules::PARTITIONS_BY_SYSTEM_TIME);
        return None;
    }
    let has_default = clause.definitions.iter().any(|d| d.values == PartitionValues::Default);
    if has_default && rules::PARTITION_DEFAULT.holds(target) {
        say(&rules::PARTITION_DEFAULT);
        return None;
    }
    if rules::PARTITION_LINEAR.holds(target) {
        let mut linear = plain_method(&mut clause.method);
        if let Some(sub) = &mut clause.subpartitioning {
            linear |= plain_method(&mut sub.method);
        }
        if linear {
            say(&rules::PARTITION_LINEAR);
        }
    } else if let PartitionMethod::Key { algorithm, .. } = &mut clause.method
        && target.flavor == Flavor::MariaDb
    {
        // Which hash is used shows nowhere but in where a row lies.
        *algorithm = None;
    }
    let oceanbase = target.is_oceanbase();
    let no_comments = rules::PARTITION_COMMENTS.holds(target);
    let mut commented = false;
    let mut trim = |options: &mut TableOptions| {
        commented |= no_comments && options.comment().is_some();
        // Everything but the comment is a matter of the source's storage (rule partition-options).
        options.0.retain(|option| option.name == "COMMENT" && !no_comments);
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
        say(&rules::PARTITION_COMMENTS);
    }
    Some(clause.to_string())
}

/// Makes a method one that OceanBase has; true where it was LINEAR.
fn plain_method(method: &mut PartitionMethod) -> bool {
    match method {
        PartitionMethod::Hash { linear, .. } => std::mem::take(linear),
        PartitionMethod::Key { linear, algorithm, .. } => {
            *algorithm = None;
            std::mem::take(linear)
        }
        _ => false,
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
            abilities: whimbrel_connector::Abilities::default(),
        })
    }

    fn converted(flavor: Flavor, text: &str) -> (Option<String>, Vec<String>) {
        let mut notes = Vec::new();
        let clause = convert(text, &TableName::new("d", "t"), &target(flavor), &mut notes);
        (clause, notes.into_iter().map(|note| note.rule.to_owned()).collect())
    }

    #[test]
    fn oceanbase_gets_neither_options_nor_linear_methods() {
        let range = "PARTITION BY RANGE (to_days(`d`))\nSUBPARTITION BY HASH (`id`)\nSUBPARTITIONS 2\n(PARTITION p0 VALUES LESS THAN (737425) COMMENT = 'it\\'s ENGINE = InnoDB' ENGINE = InnoDB,\n PARTITION p1 VALUES LESS THAN MAXVALUE ENGINE = InnoDB)";
        let (clause, notes) = converted(Flavor::OceanBase, range);
        let clause = clause.unwrap();
        assert!(!clause.contains("COMMENT") && !clause.contains("ENGINE"), "{clause}");
        assert!(clause.contains("SUBPARTITIONS 2") && clause.contains("LESS THAN MAXVALUE"), "{clause}");
        assert_eq!(notes, ["partition-comments"]);
        let (clause, notes) = converted(Flavor::Mysql, range);
        assert!(clause.unwrap().contains("ENGINE = InnoDB'") && notes.is_empty());
        let (clause, notes) =
            converted(Flavor::OceanBase, "PARTITION BY LINEAR KEY ALGORITHM = 1 (id)\nPARTITIONS 3");
        assert_eq!(clause.unwrap(), "PARTITION BY KEY (`id`) PARTITIONS 3");
        assert_eq!(notes, ["partition-linear"]);
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
