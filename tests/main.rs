//! End-to-end tests: the real binary between real servers.
//!
//! They need `dev/servers up mysql97 mariadb1011 seekdb` (`make test` does it) and fail without. Every test has
//! databases of its own, so they run in parallel; whatever they compare, they compare by statements of their own
//! (`harness/compare.rs`), not by Whimbrel's verification.
//!
//! `WHIMBREL_E2E_SEED` repeats a random test with the seed that its failure shows, `WHIMBREL_E2E_KEEP=1` keeps the databases
//! of a test.

#![expect(clippy::panic, reason = "a harness fails the test that uses it by a panic")]

mod harness;

mod assess;
mod bad_input;
mod chaos;
mod charsets;
mod column_types;
mod columns;
mod config;
mod convert;
mod ddl;
mod ddl_crash;
mod ddl_parse;
mod ddl_policy;
mod ddl_tools;
mod fail_points;
mod filters;
mod keyless;
mod keys;
mod live_writes;
mod merging;
mod names;
mod objects;
mod options;
mod parked;
mod plan;
mod prove;
mod refusals;
mod resume;
mod source_versions;
mod statements;
mod status_page;
mod structures;
mod type_tables;
mod verification;

/// A file that nobody declares would silently test nothing.
#[test]
fn every_file_is_wired_in() {
    let dir = harness::servers::root_dir().join("tests");
    for (folder, declared_in) in [("", "main.rs"), ("harness", "harness/mod.rs")] {
        let text = std::fs::read_to_string(dir.join(declared_in)).expect("the file of declarations");
        for entry in std::fs::read_dir(dir.join(folder)).expect("the folder of tests") {
            let path = entry.expect("an entry of the folder").path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let is_module = path.extension().is_some_and(|extension| extension == "rs")
                && stem != "main"
                && stem != "mod";
            assert!(
                !is_module || text.contains(&format!("mod {stem};")),
                "{} is not declared",
                path.display()
            );
        }
    }
}
