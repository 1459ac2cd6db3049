//! The corpus: `tests/corpus/FAMILY/*.sql`, one feature per file.
//!
//! Each statement was prepared (parsed, not run) on MySQL 9.7.4, MariaDB 11.8.9 and seekdb 1.4.0, as was its
//! canonical form. MySQL and MariaDB took all but the files whose names end in what they need: `_55`, `_57`,
//! `_12` (the version), `_oracle_mode`. seekdb is a cut-down OceanBase: the files about column groups,
//! tablegroups, tenants, sequences, external tables and placement are from OceanBase's documentation. TiDB's
//! are from its grammar.

use std::path::Path;

use whimbrel_mysql_ddl::{Dialect, ParseOptions};

/// One file.
pub struct CorpusFile {
    pub path: String,
    pub sql: String,
    pub options: ParseOptions,
}

/// All files, in the order of their paths.
pub fn corpus() -> Vec<CorpusFile> {
    let families = [
        ("mysql", Dialect::mysql(90_704)),
        ("mariadb", Dialect::mariadb(110_806)),
        ("tidb", Dialect::tidb(80_500)),
        ("oceanbase", Dialect::oceanbase(40_305)),
    ];
    let mut files = Vec::new();
    for (family, dialect) in families {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(family);
        for entry in std::fs::read_dir(&folder).expect("the corpus is part of the crate") {
            let path = entry.expect("the folder can be listed").path();
            let sql = std::fs::read_to_string(&path).expect("corpus files are utf-8");
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            files.push(CorpusFile {
                path: format!("{family}/{name}"),
                sql,
                options: ParseOptions::new(dialect),
            });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}
