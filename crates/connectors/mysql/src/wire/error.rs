//! Errors of the protocol layer: one variant for each thing that a caller can act on.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::cursor::Malformed;
use super::packet::OkInfo;

/// What went wrong on a connection. No variant carries a password or a statement's text.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The socket failed.
    #[error("i/o failed while {action} ({server})")]
    Io {
        /// What was being done, as in "sending a command".
        action: &'static str,
        /// `host:port`.
        server: Arc<str>,
        #[source]
        source: io::Error,
    },
    /// The connection was not ready within [`super::ConnectOptions::connect_timeout`].
    #[error("{server} was not ready within {after:?} while {stage}")]
    ConnectTimeout {
        server: Arc<str>,
        after: Duration,
        /// The step that took too long. Servers of other protocols that wait for the client to speak first
        /// (HTTP, PostgreSQL) end here, in "waiting for the server's greeting".
        stage: &'static str,
    },
    /// The server sent nothing for [`super::ConnectOptions::read_timeout`].
    #[error("{server} sent nothing for {after:?}")]
    ReadTimeout { server: Arc<str>, after: Duration },
    /// The binlog stream was silent for longer than the idle limit of the dump.
    #[error("no binlog event and no heartbeat from {server} for {after:?}")]
    HeartbeatTimeout { server: Arc<str>, after: Duration },
    /// The peer greets in another protocol.
    #[error("{server} does not speak the MySQL protocol: it greets with {got}")]
    NotMysql {
        server: Arc<str>,
        /// The first bytes, made printable.
        got: String,
    },
    /// The server speaks the protocol from before MySQL 4.1.
    #[error("{server} is too old: {what}")]
    ServerTooOld { server: Arc<str>, what: &'static str },
    /// A packet does not have the layout it must have.
    #[error("malformed packet from the server: {what} at byte {at}")]
    Protocol {
        what: &'static str,
        /// Byte offset in the packet's payload.
        at: usize,
    },
    /// Packets arrived out of order; one was lost or belongs to another command.
    #[error("packet out of order: expected sequence number {expected}, got {got}")]
    Sequence { expected: u8, got: u8 },
    /// The server refused with an ERR packet.
    #[error("server error {code} ({sqlstate}): {message}")]
    Server { code: u16, sqlstate: String, message: String },
    /// The account wants a login method that is not available here.
    #[error("cannot log in by {plugin}: {reason}")]
    AuthPlugin { plugin: String, reason: String },
    /// TLS was required and the server does not offer it.
    #[error("{server} does not offer TLS")]
    TlsNotOffered { server: Arc<str> },
    /// The server offers TLS, but nothing that both sides accept.
    #[error("{server} offers TLS, but neither TLS 1.2 nor 1.3 with a common cipher")]
    TlsTooOld {
        server: Arc<str>,
        #[source]
        source: io::Error,
    },
    /// The server's certificate was refused: unknown issuer, expired, or another name.
    #[error("the certificate of {server} was refused")]
    TlsCertificate {
        server: Arc<str>,
        #[source]
        source: io::Error,
    },
    /// Any other failure of the TLS handshake.
    #[error("TLS handshake with {server} failed")]
    Tls {
        server: Arc<str>,
        #[source]
        source: io::Error,
    },
    /// The trust anchors could not be read.
    #[error("cannot load certificate authorities from {}", from.display())]
    TlsAuthorities {
        from: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A packet is larger than [`super::ConnectOptions::max_packet`].
    #[error("packet of at least {size} bytes exceeds the limit of {limit} bytes")]
    PacketTooLarge { size: usize, limit: usize },
    /// The server ended the connection.
    #[error("{server} closed the connection{}", if *mid_packet { " in the middle of a packet" } else { "" })]
    Closed { server: Arc<str>, mid_packet: bool },
    /// The server asked for a local file. It was refused and the connection is still good.
    #[error("the server asked for a local file that no statement spoke of")]
    LocalInfile,
    /// An earlier command on this connection was cancelled or failed in the middle.
    #[error("connection is not usable: an earlier command did not run to its end")]
    Poisoned,
}

impl WireError {
    /// True if the session is gone, so that a new connection may succeed where this one failed.
    pub fn is_connection_lost(&self) -> bool {
        match self {
            Self::Io { .. }
            | Self::ConnectTimeout { .. }
            | Self::ReadTimeout { .. }
            | Self::HeartbeatTimeout { .. }
            | Self::Closed { .. }
            | Self::Poisoned => true,
            // Shutdown, aborted connections, network errors seen by the server, killed connection (MariaDB 1927,
            // OceanBase 5066), idle disconnect (MySQL 4031).
            Self::Server { code, .. } => {
                matches!(code, 1053 | 1077 | 1079 | 1080 | 1152 | 1158..=1161 | 1184 | 1927 | 4031 | 5066)
            }
            _ => false,
        }
    }

    /// The server's error number, if the server refused.
    pub fn server_code(&self) -> Option<u16> {
        match self {
            Self::Server { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// True if the command failed but the connection is in step with the server.
    pub(super) fn leaves_in_step(&self) -> bool {
        matches!(self, Self::Server { .. } | Self::LocalInfile)
    }
}

impl From<Malformed> for WireError {
    fn from(malformed: Malformed) -> Self {
        Self::Protocol { what: malformed.what, at: malformed.at }
    }
}

/// A statement of a multi-statement command failed; those before it have taken effect.
#[derive(Debug, thiserror::Error)]
#[error("statement {index} of the command failed")]
pub struct StatementError {
    /// Index of the failing statement, from 0.
    pub index: usize,
    /// Results of the statements before it.
    pub done: Vec<OkInfo>,
    #[source]
    pub source: WireError,
}

impl From<StatementError> for WireError {
    fn from(error: StatementError) -> Self {
        error.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_lost_connections_from_refused_statements() {
        let refused = |code| WireError::Server { code, sqlstate: "HY000".into(), message: String::new() };
        assert!(!refused(1062).is_connection_lost());
        assert!(refused(1053).is_connection_lost());
        assert!(refused(1927).is_connection_lost());
        assert_eq!(refused(1062).server_code(), Some(1062));
        let closed = WireError::Closed { server: "h:1".into(), mid_packet: true };
        assert!(closed.is_connection_lost());
        assert_eq!(closed.server_code(), None);
        assert_eq!(closed.to_string(), "h:1 closed the connection in the middle of a packet");
        assert!(!WireError::LocalInfile.is_connection_lost());
    }
}
