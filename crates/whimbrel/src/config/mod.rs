//! `--config FILE.yaml`: a file that holds what flags hold, under the same names.
//!
//! The file becomes arguments: what it says and the command line doesn't is put before the command line's own flags, so
//! a flag of the command line overrides the file, and whatever flags exist can stand in a file. One file serves all
//! commands; each takes the keys that are flags of its own.
//!
//! Every mistake is found and named with its place before anything starts. Secrets are references: the password of an
//! end is `{env: NAME}` or `{file: PATH}`; a password that stands in the file itself is refused.
//!
//! | value | becomes |
//! |---|---|
//! | `key: text` | `--key=text` |
//! | `key: true` | `--key` |
//! | `key: [a, b]` | `--key=a --key=b` |
//! | `key: {a: b, c: [d, e]}` | `--key=a=b --key=c=d,e` |
//! | `source: {url: U, password: {env: N}}` | `--source=U`, and the password |

mod secret;
mod tree;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command, CommandFactory, Parser};

use self::tree::{Kind, Node, Place};
use crate::cli::Cli;
use crate::endpoints::{self, Role};
use crate::failure::Failure;

/// Something in a file that can't be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub place: Place,
    /// Keys from the root on, with dots between.
    pub path: String,
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mistake { place, path, message } = self;
        match path.as_str() {
            "" => write!(f, "line {}, column {}: {message}", place.line, place.column),
            path => write!(f, "line {}, column {}: {path}: {message}", place.line, place.column),
        }
    }
}

/// The command line, with the file that it names.
///
/// # Errors
/// The file can't be read, or has mistakes: all are listed. Mistakes of the command line itself end the process, as
/// clap does it.
pub fn command_line() -> Result<Cli, Failure> {
    let given: Vec<OsString> = std::env::args_os().collect();
    let Some(path) = named_file(&given) else { return Ok(Cli::parse_from(given)) };
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::storage(format!("--config {}", path.display()), "the file can't be read", error)
    })?;
    let command = given.get(1).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let settings = Settings::read(&text, &command).map_err(|mistakes| refused(&path, &mistakes))?;
    secret::warn_if_open(&path, "the settings", 0o022);
    Ok(Cli::parse_from(settings.before(given)?))
}

fn refused(path: &Path, mistakes: &[Mistake]) -> Failure {
    let list: Vec<String> = mistakes.iter().map(|mistake| format!("\n    {mistake}")).collect();
    let count = match mistakes.len() {
        1 => "a mistake".to_owned(),
        count => format!("{count} mistakes"),
    };
    let mut failure = Failure::usage(
        format!("--config {}", path.display()),
        format!("the file has {count}:{}", list.concat()),
    );
    failure.error =
        failure.error.with_hint("correct the places named; whimbrel COMMAND --help lists what can be said");
    failure
}

/// The value of `--config`.
fn named_file(arguments: &[OsString]) -> Option<PathBuf> {
    let at = arguments.iter().position(|argument| flag_name(argument).as_deref() == Some("config"))?;
    match arguments[at].to_string_lossy().split_once('=') {
        Some((_, path)) => Some(path.into()),
        None => arguments.get(at + 1).map(PathBuf::from),
    }
}

/// `name` of `--name` and `--name=value`.
fn flag_name(argument: &OsString) -> Option<String> {
    let text = argument.to_string_lossy();
    let name = text.strip_prefix("--")?;
    Some(name.split_once('=').map_or(name, |(name, _)| name).to_owned())
}

/// What a file says for one command.
#[derive(Debug, Default)]
struct Settings {
    /// Flag and what follows `=`; `None` for a flag without value.
    flags: Vec<(String, Option<String>)>,
    passwords: Vec<(Role, secret::Reference)>,
}

impl Settings {
    /// # Errors
    /// All mistakes, in the order of their places.
    fn read(text: &str, command: &str) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut settings = Self::default();
        match tree::read(text, &mut mistakes) {
            Some(Node { kind: Kind::Map(entries), .. }) => {
                let flags = Flags::new(command);
                for (key, place, node) in entries {
                    flags.take(&key, place, &node, &mut settings, &mut mistakes);
                }
            }
            Some(Node { place, .. }) => mistakes.push(Mistake {
                place,
                path: String::new(),
                message: "the file has to be a mapping: key: value".to_owned(),
            }),
            None if mistakes.is_empty() => mistakes.push(Mistake {
                place: Place { line: 1, column: 1 },
                path: String::new(),
                message: "the file is empty".to_owned(),
            }),
            None => {}
        }
        mistakes.sort_by_key(|mistake| (mistake.place.line, mistake.place.column));
        if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
    }

    /// The arguments with those of the file before the command line's own.
    ///
    /// # Errors
    /// A secret that isn't where its reference points.
    fn before(self, given: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
        let named: Vec<String> = given.iter().filter_map(flag_name).collect();
        for (role, reference) in self.passwords {
            // Another end isn't logged into with the password of the file's.
            if !named.iter().any(|name| name == role.name()) {
                endpoints::remember_password(role, reference.resolve()?);
            }
        }
        let mut arguments: Vec<OsString> = given.iter().take(2).cloned().collect();
        for (flag, value) in self.flags.into_iter().filter(|(flag, _)| !named.contains(flag)) {
            arguments.push(match value {
                Some(value) => format!("--{flag}={value}").into(),
                None => format!("--{flag}").into(),
            });
        }
        arguments.extend(given.into_iter().skip(2));
        Ok(arguments)
    }
}

/// The flags that may stand in a file.
struct Flags {
    /// Commands that take `--config`, with nothing required.
    commands: Vec<Command>,
    /// The one that runs.
    command: String,
}

impl Flags {
    fn new(command: &str) -> Self {
        let mut root = Cli::command();
        root.build();
        let configured = root
            .get_subcommands()
            .filter(|sub| long(sub, "config").is_some())
            .map(|sub| sub.clone().mut_args(|arg| arg.required(false)))
            .collect();
        Self { commands: configured, command: command.to_owned() }
    }

    fn known(&self, key: &str) -> Option<(&Command, &Arg)> {
        if matches!(key, "config" | "help" | "version") {
            return None;
        }
        let own = self.commands.iter().filter(|command| command.get_name() == self.command);
        own.chain(&self.commands).find_map(|command| Some((command, long(command, key)?)))
    }

    fn is_of_command(&self, key: &str) -> bool {
        self.commands.iter().any(|command| command.get_name() == self.command && long(command, key).is_some())
    }

    fn take(
        &self,
        key: &str,
        place: Place,
        node: &Node,
        settings: &mut Settings,
        mistakes: &mut Vec<Mistake>,
    ) {
        let mistake =
            |place: Place, path: &str, message: String| Mistake { place, path: path.to_owned(), message };
        let Some((command, arg)) = self.known(key) else {
            mistakes.push(mistake(place, key, self.unknown(key)));
            return;
        };
        let mut node = node.clone();
        if let Some(role) = Role::of_flag(key) {
            match secret::end(key, role, node, settings, mistakes) {
                Some(url) => node = url,
                None => return,
            }
        }
        let values = match values(key, arg, &node) {
            Ok(values) => values,
            Err(wrong) => {
                mistakes.push(wrong);
                return;
            }
        };
        for (value, place, path) in values {
            if let Some(text) = &value
                && let Some(message) = refusal(command, key, text)
            {
                mistakes.push(mistake(place, &path, message));
            } else if self.is_of_command(key) {
                settings.flags.push((key.to_owned(), value));
            }
        }
    }

    fn unknown(&self, key: &str) -> String {
        if key.contains("password") {
            return "unknown key; a password belongs under source or target, as password: {env: NAME} or {file: PATH}".to_owned();
        }
        let names = self.commands.iter().flat_map(Command::get_arguments).filter_map(Arg::get_long);
        let near = names
            .filter(|name| !matches!(*name, "config" | "help" | "version"))
            .map(|name| (distance(&key.to_lowercase().replace('_', "-"), name), name))
            .min();
        match near {
            Some((distance, name)) if distance <= 1 + name.len() / 3 => {
                format!("unknown key; {name:?} may be meant")
            }
            _ => "unknown key; the keys are the flags of whimbrel migrate --help".to_owned(),
        }
    }
}

fn long<'c>(command: &'c Command, name: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|arg| arg.get_long() == Some(name))
}

/// Values of a key, each with place and path.
type Values = Vec<(Option<String>, Place, String)>;

fn values(key: &str, arg: &Arg, node: &Node) -> Result<Values, Mistake> {
    let wrong = |place, path: &str, message: &str| Mistake {
        place,
        path: path.to_owned(),
        message: message.to_owned(),
    };
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        return match &node.kind {
            Kind::Scalar(text, false) if text == "true" => Ok(vec![(None, node.place, key.to_owned())]),
            Kind::Scalar(text, false) if text == "false" => Ok(Vec::new()),
            _ => Err(wrong(node.place, key, "it is true or false")),
        };
    }
    let many = matches!(arg.get_action(), ArgAction::Append);
    match &node.kind {
        Kind::Scalar(text, quoted) => {
            if !quoted && matches!(text.as_str(), "" | "~" | "null") {
                return Err(wrong(node.place, key, "a value is missing"));
            }
            Ok(vec![(Some(text.clone()), node.place, key.to_owned())])
        }
        Kind::List(_) | Kind::Map(_) if !many => Err(wrong(node.place, key, "it has one value, not several")),
        Kind::List(items) => items
            .iter()
            .enumerate()
            .map(|(number, item)| {
                let path = format!("{key}.[{}]", number + 1);
                match scalar(item) {
                    Some(text) => Ok((Some(text), item.place, path)),
                    None => Err(wrong(item.place, &path, "text is wanted here")),
                }
            })
            .collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|(name, _, value)| {
                let path = format!("{key}.{name}");
                let text = match &value.kind {
                    Kind::List(items) => {
                        items.iter().map(scalar).collect::<Option<Vec<_>>>().map(|all| all.join(","))
                    }
                    _ => scalar(value),
                };
                match text {
                    Some(text) => Ok((Some(format!("{name}={text}")), value.place, path)),
                    None => Err(wrong(value.place, &path, "text or a list of texts is wanted here")),
                }
            })
            .collect(),
        Kind::Nothing => Ok(Vec::new()),
    }
}

fn scalar(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Scalar(text, _) => Some(text.clone()),
        _ => None,
    }
}

/// Why the flag doesn't take a value: its parser is asked.
fn refusal(command: &Command, key: &str, value: &str) -> Option<String> {
    let arguments = [command.get_name().to_owned(), format!("--{key}={value}")];
    let error = command.clone().try_get_matches_from(arguments).err()?;
    let text = error.to_string();
    let first: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    Some(first.join(" ").trim_start_matches("error: ").to_owned())
}

/// Edits that make one word another (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
