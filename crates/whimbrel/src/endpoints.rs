//! Both ends of a task, from their URLs. The only place that knows concrete connectors.

use std::io::{IsTerminal, stdin};
use std::sync::{Arc, OnceLock};

use whimbrel_connector::{ConnectorError, ErrorKind, Policy};
use whimbrel_connector_mysql::MysqlEndpoint;
use whimbrel_connector_mysql::wire::{ConnectOptions, Secret, WireError};

use crate::failure::Failure;

/// Which end an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Source,
    Target,
}

impl Role {
    /// The end that a flag, without its dashes, names.
    pub fn of_flag(name: &str) -> Option<Self> {
        [Self::Source, Self::Target].into_iter().find(|role| role.name() == name)
    }

    /// The flag without its dashes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Self::Source => "--source",
            Self::Target => "--target",
        }
    }

    fn password_variable(self) -> &'static str {
        match self {
            Self::Source => "WHIMBREL_SOURCE_PASSWORD",
            Self::Target => "WHIMBREL_TARGET_PASSWORD",
        }
    }
}

/// An end that can be both source and target.
pub type Endpoint = Arc<MysqlEndpoint>;

/// Reads a URL. A password that isn't in it comes from the environment, or is asked for at a terminal.
///
/// # Errors
/// The URL can't be understood; it is never repeated, since it may hold a password.
pub fn open(url: &str, role: Role) -> Result<Endpoint, Failure> {
    let mut options: ConnectOptions = url.parse().map_err(|error| {
        let mut failure = Failure::usage(role.flag(), "the URL can't be understood");
        failure.error = failure
            .error
            .with_source(error)
            .with_hint("write it as mysql://user:password@host:port/, mariadb://... or oceanbase://...");
        failure
    })?;
    if options.password.is_empty() {
        options.password = password(&options, role)?;
    }
    Ok(Arc::new(MysqlEndpoint::new(options)))
}

/// Passwords that a `--config` file refers to, source and target. Read once at the start and never passed on as
/// arguments.
static REFERRED: [OnceLock<Secret>; 2] = [OnceLock::new(), OnceLock::new()];

/// The password of an end whose URL has none; only the first one of an end counts.
pub fn remember_password(role: Role, password: Secret) {
    let _ = REFERRED[role as usize].set(password);
}

/// What a server said when it refused a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerRefusal {
    /// The server's own error number.
    pub code: u16,
    pub message: String,
}

/// The refusal behind an error; `None` where the server didn't refuse, or where it may take the statement later.
pub fn server_refusal(error: &ConnectorError) -> Option<ServerRefusal> {
    if error.policy() == Policy::Retry || error.kind == ErrorKind::Fenced {
        return None;
    }
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(WireError::Server { code, message, .. }) = error.downcast_ref() {
            return Some(ServerRefusal { code: *code, message: message.clone() });
        }
        cause = error.source();
    }
    None
}

fn password(options: &ConnectOptions, role: Role) -> Result<Secret, Failure> {
    if let Some(password) = REFERRED[role as usize].get() {
        return Ok(password.clone());
    }
    if let Ok(password) = std::env::var(role.password_variable()) {
        return Ok(Secret::new(password));
    }
    if !stdin().is_terminal() {
        return Ok(Secret::default());
    }
    let typed = rpassword::prompt_password(format!("Password for {options}: "));
    typed.map(Secret::new).map_err(|error| Failure::storage("terminal", "the password can't be read", error))
}
