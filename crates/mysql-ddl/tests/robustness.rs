//! No text makes the parser panic, and no tree that it makes fails to come back.

mod corpus_files;

use corpus_files::corpus;
use proptest::prelude::*;
use whimbrel_mysql_ddl::{Dialect, ParseOptions, SqlMode, parse, parse_many};

fn all_options() -> Vec<ParseOptions> {
    let dialects = [
        Dialect::mysql(90_704),
        Dialect::mariadb(110_806),
        Dialect::tidb(80_500),
        Dialect::oceanbase(40_305),
    ];
    let modes =
        [SqlMode::default(), SqlMode { ansi_quotes: true, no_backslash_escapes: true, real_as_float: true }];
    dialects
        .into_iter()
        .flat_map(|dialect| modes.map(|sql_mode| ParseOptions { dialect, sql_mode }))
        .collect()
}

/// What parses must print to something that parses to the same, in the default mode.
fn check(sql: &[u8], options: &ParseOptions) {
    for tree in parse_many(sql, options).into_iter().flatten() {
        let printed = tree.to_string();
        let plain = ParseOptions::new(options.dialect);
        let again = parse(&printed, &plain);
        assert_eq!(again.as_ref(), Ok(&tree), "{:?} printed as {printed}", String::from_utf8_lossy(sql));
    }
}

#[test]
fn every_prefix_of_every_statement() {
    for file in corpus() {
        for end in 0..file.sql.len() {
            check(&file.sql.as_bytes()[..end], &file.options);
        }
    }
}

#[test]
fn every_statement_without_one_of_its_words() {
    for file in corpus() {
        let words: Vec<&str> = file.sql.split_inclusive(' ').collect();
        for left_out in 0..words.len() {
            let sql: String =
                words.iter().enumerate().filter(|(i, _)| *i != left_out).map(|(_, w)| *w).collect();
            check(sql.as_bytes(), &file.options);
        }
    }
}

#[test]
fn every_file_in_every_dialect_and_mode() {
    for file in corpus() {
        for options in all_options() {
            check(file.sql.as_bytes(), &options);
        }
    }
}

/// Words and signs of the corpus, to make soup of.
fn vocabulary() -> Vec<String> {
    let mut words: Vec<String> = corpus()
        .iter()
        .flat_map(|file| {
            file.sql
                .split(|c: char| c.is_whitespace() || "(),;=.".contains(c))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|word| !word.is_empty())
        .collect();
    words.extend(
        [
            "(",
            ")",
            "(",
            ")",
            ",",
            ",",
            ";",
            "=",
            ".",
            "'",
            "\"",
            "`",
            "/*",
            "*/",
            "/*!",
            "/*!50000 ",
            "@",
            "\\",
            "0x",
            "--",
            "\n",
            "\0",
            "x'",
            "é",
            "😀",
        ]
        .map(str::to_owned),
    );
    words.sort();
    words.dedup();
    words
}

fn soup() -> impl Strategy<Value = String> {
    let starts = [
        "",
        "CREATE TABLE t (",
        "ALTER TABLE t ",
        "ALTER TABLE t ADD ",
        "CREATE ",
        "DROP ",
        "CREATE TABLE t (a INT) ",
    ];
    let word = proptest::sample::select(vocabulary());
    (proptest::sample::select(starts.to_vec()), proptest::collection::vec((word, any::<bool>()), 0..24))
        .prop_map(|(start, words)| {
            words
                .into_iter()
                .fold(start.to_owned(), |text, (word, gap)| text + &word + if gap { " " } else { "" })
        })
}

/// A statement of the corpus with some of its words replaced by, or followed by, words of others.
fn edited() -> impl Strategy<Value = (String, ParseOptions)> {
    let statements: Vec<(String, ParseOptions)> = corpus()
        .into_iter()
        .flat_map(|file| {
            let trees = parse_many(&file.sql, &file.options);
            trees.into_iter().flatten().map(move |tree| (tree.to_string(), file.options)).collect::<Vec<_>>()
        })
        .collect();
    let word = proptest::sample::select(vocabulary());
    let edits = proptest::collection::vec((any::<proptest::sample::Index>(), word, any::<bool>()), 1..4);
    (proptest::sample::select(statements), edits).prop_map(|((sql, options), edits)| {
        let mut words: Vec<String> = sql.split(' ').map(str::to_owned).collect();
        for (place, word, replace) in edits {
            let at = place.index(words.len());
            if replace {
                words[at] = word;
            } else {
                words.insert(at, word);
            }
        }
        (words.join(" "), options)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn token_soup(sql in soup(), which in 0usize..8) {
        check(sql.as_bytes(), &all_options()[which]);
    }

    #[test]
    fn edited_statements((sql, options) in edited()) {
        check(sql.as_bytes(), &options);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200), which in 0usize..8) {
        check(&bytes, &all_options()[which]);
    }

    #[test]
    fn any_text_as_name_comment_and_default(name in "\\PC{1,20}", text in "(?s).{0,30}", which in 0usize..8) {
        let options = all_options()[which];
        let quoted = name.replace('`', "``");
        let mut string = text.replace('\'', "''");
        if !options.sql_mode.no_backslash_escapes {
            string = string.replace('\\', "\\\\");
        }
        let sql = format!("CREATE TABLE `{quoted}` (`{quoted}` VARCHAR(9) DEFAULT '{string}' COMMENT '{string}')");
        let tree = parse(&sql, &options).expect("any text may be quoted");
        let tables = tree.tables();
        prop_assert_eq!(&tables[0].name.value, &name);
        check(sql.as_bytes(), &options);
    }
}
