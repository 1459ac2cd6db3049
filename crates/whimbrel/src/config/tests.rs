use super::*;

fn read(text: &str, command: &str) -> Result<Vec<String>, Vec<String>> {
    match Settings::read(text, command) {
        Ok(settings) => Ok(settings
            .flags
            .into_iter()
            .map(|(flag, value)| value.map_or(flag.clone(), |value| format!("{flag}={value}")))
            .collect()),
        Err(mistakes) => Err(mistakes.iter().map(ToString::to_string).collect()),
    }
}

const SAMPLE: &str = include_str!("../../../../docs/sample-config.yaml");

/// The sample says what it is for to every command that takes a file.
#[test]
fn the_sample_file_is_read_by_every_command() {
    let migrate = read(SAMPLE, "migrate").unwrap();
    for expected in [
        "include=shop.*",
        "where=shop.orders=created >= '2024-01-01' AND status <> 'draft'",
        "columns=shop.customers=-password_hash,-notes",
        "rename-column=shop.orders.amt=amount",
        "steps=schema",
        "follow",
        "workers=4",
    ] {
        assert!(migrate.iter().any(|flag| flag == expected), "{expected} is not in {migrate:?}");
    }
    let verify = read(SAMPLE, "verify").unwrap();
    assert!(verify.iter().any(|flag| flag == "include=shop.*"));
    assert!(!verify.iter().any(|flag| flag == "follow"), "verify has no --follow: {verify:?}");
    read(SAMPLE, "plan").unwrap();
    read(SAMPLE, "check").unwrap();
}

#[test]
fn all_mistakes_are_listed_with_their_places() {
    let text = "\
source: mysql://root:geheim@db/
target:
  url: oceanbase://u@h:2881/
  password: geheim
inclde: ['a.*']
apply: fast
workers: 400
follow: yes
steps: [schema, vull]
rate-limit: [1, 2]
where:
  a.b:
    c: d
apply: transaction
";
    let mistakes = read(text, "migrate").unwrap_err();
    let places: Vec<&str> = mistakes.iter().map(|text| text.split(": ").next().unwrap_or_default()).collect();
    let expected = [
        "line 1, column 9",
        "line 4, column 13",
        "line 5, column 1",
        "line 6, column 8",
        "line 7, column 10",
        "line 8, column 9",
        "line 9, column 17",
        "line 10, column 13",
        "line 13, column 5",
        "line 14, column 1",
    ];
    assert_eq!(places, expected, "{mistakes:#?}");
    let all = mistakes.join("\n");
    assert!(!all.contains("geheim"), "a secret is shown: {all}");
    for says in [
        "\"include\" may be meant",
        "password: {env: NAME}",
        "possible values: transaction, convergent",
        "steps.[2]",
        "there twice",
    ] {
        assert!(all.contains(says), "{says:?} is not in {all}");
    }
}

#[test]
fn what_is_no_yaml_is_said_with_its_place() {
    let mistakes = read("include: [a.*\nexclude: b", "migrate").unwrap_err();
    assert!(mistakes[0].starts_with("line 2") && mistakes[0].contains("not YAML"), "{mistakes:?}");
    assert!(read("", "migrate").unwrap_err()[0].contains("empty"));
    assert!(read("- a", "migrate").unwrap_err()[0].contains("mapping"));
    assert!(read("include: &x [a.b]\nexclude: *x", "migrate").is_err());
    assert!(read("follow: true\n---\nfollow: true", "migrate").unwrap_err()[0].contains("second document"));
}

#[test]
fn flags_of_the_command_line_win() {
    let settings = Settings::read("include: [a.b]\nname: file\nfollow: true", "migrate").unwrap();
    let given = ["whimbrel", "migrate", "--config", "f", "--name=flag"].map(OsString::from).to_vec();
    let merged = settings.before(given).unwrap();
    let merged: Vec<String> = merged.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    assert_eq!(merged, ["whimbrel", "migrate", "--include=a.b", "--follow", "--config", "f", "--name=flag"]);
}

#[test]
fn distances_are_edits() {
    assert_eq!((distance("inclde", "include"), distance("", "ab"), distance("abc", "abc")), (1, 2, 0));
}
