//! How a command fails: what is printed, and the exit code.

use std::error::Error;
use std::fmt;

use whimbrel_connector::{ConnectorError, ErrorKind};

/// Exit codes of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Different = 3,
    Precheck = 4,
}

/// A command's error, printed once at the end.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub error: ConnectorError,
}

impl Failure {
    /// A flag or URL that can't be understood.
    pub fn usage(object: impl Into<String>, message: impl Into<String>) -> Self {
        let error = ConnectorError::new(ErrorKind::Configuration, object, message)
            .with_hint("see whimbrel --help and correct the flag");
        Self { exit: Exit::Usage, error }
    }

    /// Settings that can't work.
    pub fn configuration(
        object: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let error = ConnectorError::new(ErrorKind::Configuration, object, message).with_hint(hint);
        Self { exit: Exit::Failed, error }
    }

    pub fn storage(
        object: impl Into<String>,
        message: impl Into<String>,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        let error = ConnectorError::new(ErrorKind::LocalStorage, object, message).with_source(cause);
        Self { exit: Exit::Failed, error }
    }

    pub fn corrupt(object: impl Into<String>, message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, error: ConnectorError::new(ErrorKind::LocalCorrupt, object, message) }
    }

    pub fn precheck(error: ConnectorError) -> Self {
        Self { exit: Exit::Precheck, error }
    }
}

impl From<ConnectorError> for Failure {
    fn from(error: ConnectorError) -> Self {
        Self { exit: Exit::Failed, error }
    }
}

/// Code, object, cause chain and what to do: four lines for a person.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}: {}", self.error.code(), self.error.object)?;
        write!(f, "\n  cause: {}", self.error.chain())?;
        write!(f, "\n  to do: {}", self.error.hint())
    }
}

impl Error for Failure {}
