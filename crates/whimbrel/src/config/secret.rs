//! Passwords of a file: references only.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use whimbrel_connector_mysql::wire::{ConnectOptions, Secret};

use super::tree::{Kind, Node, Place};
use super::{Mistake, Settings};
use crate::endpoints::Role;
use crate::failure::Failure;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Env(String),
    File(PathBuf),
}

impl Reference {
    /// # Errors
    /// The variable isn't set, the file can't be read.
    pub fn resolve(&self) -> Result<Secret, Failure> {
        match self {
            Self::Env(name) => std::env::var(name).map(Secret::new).map_err(|_| {
                Failure::usage(
                    "--config",
                    format!("the environment variable {name}, which holds a password, is not set"),
                )
            }),
            Self::File(path) => {
                warn_if_open(path, "a password", 0o077);
                let text = fs::read_to_string(path).map_err(|error| {
                    Failure::storage(
                        path.display().to_string(),
                        "the file with a password can't be read",
                        error,
                    )
                })?;
                // Editors end files with a line's end, which no password does.
                Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
        }
    }
}

/// Warns where others may do to a file what `mask` says: such bits shouldn't be set.
pub fn warn_if_open(path: &Path, holds: &str, mask: u32) {
    let Ok(metadata) = fs::metadata(path) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & mask != 0 {
        let path = path.display();
        eprintln!("warning: {path} holds {holds} and has mode {mode:03o}\n  to do: chmod 600 {path}");
    }
}

const LITERAL: &str = "a password must not stand in the file: write password: {env: NAME} or password: {file: PATH}, or leave it \
                       out and set WHIMBREL_SOURCE_PASSWORD or WHIMBREL_TARGET_PASSWORD";

/// An end: its URL, or `{url: .., password: ..}`. The URL is returned, the password goes to the settings.
pub fn end(
    key: &str,
    role: Role,
    node: Node,
    settings: &mut Settings,
    mistakes: &mut Vec<Mistake>,
) -> Option<Node> {
    let mut say = |place: Place, path: String, message: &str| {
        mistakes.push(Mistake { place, path, message: message.to_owned() });
    };
    let (url, path) = match node.kind {
        Kind::Map(entries) => {
            let mut url = None;
            for (name, place, value) in entries {
                let path = format!("{key}.{name}");
                match name.as_str() {
                    "url" => url = Some(value),
                    "password" => match reference(&value) {
                        Ok(reference) => settings.passwords.push((role, reference)),
                        Err(message) => say(value.place, path, message),
                    },
                    _ => say(place, path, "unknown key; an end has url and password"),
                }
            }
            if url.is_none() {
                say(node.place, key.to_owned(), "the url is missing");
            }
            (url?, format!("{key}.url"))
        }
        _ => (node, key.to_owned()),
    };
    match &url.kind {
        Kind::Scalar(text, _) => match text.parse::<ConnectOptions>() {
            Ok(options) if !options.password.is_empty() => {
                say(url.place, path, LITERAL);
                None
            }
            Ok(_) => Some(url),
            // The text isn't repeated: it may hold a password all the same.
            Err(_) => {
                say(url.place, path, "it is no URL such as mysql://user@host:port/");
                None
            }
        },
        _ => {
            say(url.place, path, "a URL is wanted here");
            None
        }
    }
}

fn reference(node: &Node) -> Result<Reference, &'static str> {
    let Kind::Map(entries) = &node.kind else { return Err(LITERAL) };
    let [(name, _, value)] = entries.as_slice() else { return Err("one of env and file is wanted") };
    let Kind::Scalar(text, _) = &value.kind else { return Err("a name is wanted") };
    match name.as_str() {
        _ if text.is_empty() => Err("a name is wanted"),
        "env" => Ok(Reference::Env(text.clone())),
        "file" => Ok(Reference::File(text.into())),
        _ => Err("one of env and file is wanted"),
    }
}
