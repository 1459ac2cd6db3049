//! Every file of the corpus parses, and its canonical SQL parses to an equal tree.

mod corpus_files;

use corpus_files::{CorpusFile, corpus};
use whimbrel_mysql_ddl::{parse, parse_many};

#[test]
fn every_statement_parses_and_prints_back_to_an_equal_tree() {
    let mut failures = Vec::new();
    let mut statements = 0;
    for CorpusFile { path, sql, options } in corpus() {
        let results = parse_many(&sql, &options);
        assert!(!results.is_empty(), "{path} holds no statement");
        for result in results {
            statements += 1;
            let tree = match result {
                Ok(tree) => tree,
                Err(error) => {
                    failures.push(format!("{path}: {error}"));
                    continue;
                }
            };
            let printed = tree.to_string();
            match parse(&printed, &options) {
                Ok(again) if again == tree => {
                    if again.to_string() != printed {
                        failures.push(format!("{path}: prints differently the second time: {printed}"));
                    }
                }
                Ok(again) => failures.push(format!("{path}: {printed}\n  {tree:?}\n  {again:?}")),
                Err(error) => failures.push(format!("{path}: printed {printed}\n  {error}")),
            }
        }
    }
    assert!(failures.is_empty(), "{} of {statements}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_corpus_is_not_small() {
    assert!(corpus().len() >= 150, "{} files", corpus().len());
}
