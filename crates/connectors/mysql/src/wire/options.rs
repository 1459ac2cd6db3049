//! Where and how to connect, and the URL that says so.
//!
//! ```text
//! mysql://user:password@host:port/database?tls=prefer&tls-ca=FILE&connect-timeout=SECONDS&read-timeout=SECONDS
//! mariadb://...   oceanbase://user@tenant#cluster:password@host:2881/
//! ```
//! User and password end at the last `@` before the host and may hold any character except that the user has no
//! `:` and `%` starts a percent-encoded byte. IPv6 hosts stand in brackets.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// A password. `Debug` prints `***`, there is no `Display`, and comparison is not offered.
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself. Must not reach a log, an error or another process's arguments.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The family that the user says the server belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Mysql,
    MariaDb,
    OceanBase,
}

impl Scheme {
    /// 3306, and 2881 for OceanBase (an observer; OBProxy listens on 2883).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Mysql | Self::MariaDb => 3306,
            Self::OceanBase => 2881,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::MariaDb => "mariadb",
            Self::OceanBase => "oceanbase",
        }
    }
}

/// How much TLS is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    Off,
    /// If the server offers TLS 1.2 or 1.3; no certificate check. Protects from listeners, not from impostors.
    Prefer,
    /// Always; no certificate check.
    Require,
    /// Always; the certificate must come from a trusted authority, for whatever name.
    VerifyCa,
    /// Always; trusted authority and the host's name.
    VerifyFull,
}

/// Everything needed to open a connection. `Display` and `Debug` show no password.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    pub scheme: Scheme,
    /// Host name or address, IPv6 without brackets.
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Secret,
    /// Default database of the session.
    pub database: Option<String>,
    pub tls: TlsMode,
    /// PEM file with the trusted authorities; without it those of the system are used.
    pub tls_ca: Option<PathBuf>,
    /// Covers name lookup, TCP, TLS and login together. Default 10 s.
    pub connect_timeout: Duration,
    /// Longest silence of the server within a command; `None` (default) waits for ever, with TCP keep-alive.
    pub read_timeout: Option<Duration>,
    /// Largest packet accepted from the server, in bytes; default 1 GiB, which is also the protocol's limit.
    pub max_packet: usize,
    /// Affected rows count the matched rows instead of the changed ones (`CLIENT_FOUND_ROWS`). Default true.
    pub found_rows: bool,
    /// Several statements in one command (`CLIENT_MULTI_STATEMENTS`). Default false.
    pub multi_statements: bool,
    /// Statements may load rows from this side (`CLIENT_LOCAL_FILES`), as
    /// [`execute_multi_with`](super::Connection::execute_multi_with) does. Default false.
    pub local_files: bool,
}

/// Largest value of [`ConnectOptions::max_packet`]: the upper limit of `max_allowed_packet`.
pub(super) const PACKET_LIMIT: usize = 1 << 30;

impl ConnectOptions {
    /// Options with defaults for everything but these.
    pub fn new(
        scheme: Scheme,
        host: impl Into<String>,
        port: u16,
        user: impl Into<String>,
        password: Secret,
    ) -> Self {
        Self {
            scheme,
            host: host.into(),
            port,
            user: user.into(),
            password,
            database: None,
            tls: TlsMode::Prefer,
            tls_ca: None,
            connect_timeout: Duration::from_secs(10),
            read_timeout: None,
            max_packet: PACKET_LIMIT,
            found_rows: true,
            multi_statements: false,
            local_files: false,
        }
    }

    /// `host:port`, with brackets around an IPv6 address.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}@{}", self.scheme.name(), self.user, self.address())
    }
}

/// What is wrong with a URL. No message repeats text that could be part of the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("not a database URL: it must start with mysql://, mariadb:// or oceanbase://")]
    Scheme,
    #[error("the URL names no user: write it as {0}://user:password@host:port/")]
    NoUser(&'static str),
    #[error("the URL names no host")]
    NoHost,
    #[error("the host has an opening bracket and no closing one")]
    Brackets,
    #[error("the host is not valid: an IPv6 address stands in brackets, and no part may hold spaces")]
    Host,
    #[error("the port must be a number from 1 to 65535")]
    Port,
    #[error("the {0} holds a % that starts no percent-encoded byte: write %25 for the character itself")]
    Percent(&'static str),
    #[error("the {0} is not UTF-8 text without NUL after percent-decoding")]
    Text(&'static str),
    #[error("unknown parameter {0:?}: known are tls, tls-ca, connect-timeout and read-timeout")]
    UnknownParameter(String),
    #[error("parameter {0} is given twice")]
    Twice(&'static str),
    #[error("tls must be off, prefer, require, verify-ca or verify-full")]
    TlsMode,
    #[error("tls-ca has an effect only with tls=verify-ca or tls=verify-full")]
    CaWithoutVerification,
    #[error("tls-ca names no file")]
    CaEmpty,
    #[error("{0} must be a number of seconds from 1 to 86400")]
    Seconds(&'static str),
}

impl FromStr for ConnectOptions {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "mysql" => Scheme::Mysql,
            "mariadb" => Scheme::MariaDb,
            "oceanbase" => Scheme::OceanBase,
            _ => return Err(UrlError::Scheme),
        };
        let (rest, query) = split_query(rest);
        let (login, place) = rest.rsplit_once('@').ok_or(UrlError::NoUser(scheme.name()))?;
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (authority, database) = place.split_once('/').unwrap_or((place, ""));
        let (host, port) = split_host(authority, scheme)?;

        let user = decode(user, "user")?;
        if user.is_empty() {
            return Err(UrlError::NoUser(scheme.name()));
        }
        let mut options = Self::new(scheme, host, port, user, Secret::new(decode(password, "password")?));
        let database = decode(database.trim_end_matches('/'), "database")?;
        options.database = (!database.is_empty()).then_some(database);
        options.apply_parameters(query)?;
        Ok(options)
    }
}

impl ConnectOptions {
    fn apply_parameters(&mut self, query: &str) -> Result<(), UrlError> {
        let mut tls = None;
        let mut connect_timeout = None;
        let mut read_timeout = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "tls" => set_once(&mut tls, "tls", parse_tls(value)?)?,
                "tls-ca" => {
                    let file = decode(value, "tls-ca")?;
                    if file.is_empty() {
                        return Err(UrlError::CaEmpty);
                    }
                    set_once(&mut self.tls_ca, "tls-ca", PathBuf::from(file))?;
                }
                "connect-timeout" => {
                    set_once(&mut connect_timeout, "connect-timeout", seconds(value, "connect-timeout")?)?;
                }
                "read-timeout" => {
                    set_once(&mut read_timeout, "read-timeout", seconds(value, "read-timeout")?)?;
                }
                _ => return Err(UrlError::UnknownParameter(key.to_owned())),
            }
        }
        self.connect_timeout = connect_timeout.unwrap_or(self.connect_timeout);
        self.read_timeout = read_timeout;
        self.tls = match (tls, &self.tls_ca) {
            (None, None) => TlsMode::Prefer,
            // A given authority that went unused would be a trap, so naming one asks for the check.
            (None, Some(_)) => TlsMode::VerifyCa,
            (Some(TlsMode::Off | TlsMode::Prefer | TlsMode::Require), Some(_)) => {
                return Err(UrlError::CaWithoutVerification);
            }
            (Some(mode), _) => mode,
        };
        Ok(())
    }
}

fn set_once<T>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), UrlError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(UrlError::Twice(name)),
    }
}

/// Splits parameters off: they start at the first `?` after which nothing or `name=` stands, so that a `?` in a
/// password is no end.
fn split_query(rest: &str) -> (&str, &str) {
    for (at, _) in rest.match_indices('?') {
        let (before, query) = rest.split_at(at);
        let query = query.split_at(1).1;
        let name_len =
            query.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(query.len());
        let named = name_len > 0 && query.split_at(name_len).1.starts_with('=');
        if query.is_empty() || (named && before.contains('@')) {
            return (before, query);
        }
    }
    (rest, "")
}

fn split_host(authority: &str, scheme: Scheme) -> Result<(&str, u16), UrlError> {
    let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or(UrlError::Brackets)?;
        let port = match after.strip_prefix(':') {
            Some(port) => Some(port),
            None if after.is_empty() => None,
            None => return Err(UrlError::Host),
        };
        host.parse::<std::net::Ipv6Addr>().map_err(|_| UrlError::Host)?;
        (host, port)
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || "?#%[]\\".contains(c)) {
        return Err(UrlError::Host);
    }
    let port = match port {
        None | Some("") => scheme.default_port(),
        Some(port) if port.contains(':') => return Err(UrlError::Host),
        Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(UrlError::Port)?,
    };
    Ok((host, port))
}

fn parse_tls(value: &str) -> Result<TlsMode, UrlError> {
    match value {
        "off" => Ok(TlsMode::Off),
        "prefer" => Ok(TlsMode::Prefer),
        "require" => Ok(TlsMode::Require),
        "verify-ca" => Ok(TlsMode::VerifyCa),
        "verify-full" => Ok(TlsMode::VerifyFull),
        _ => Err(UrlError::TlsMode),
    }
}

fn seconds(value: &str, name: &'static str) -> Result<Duration, UrlError> {
    match value.parse() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err(UrlError::Seconds(name)),
    }
}

/// Decodes percent-encoded bytes of the part called `part`.
fn decode(text: &str, part: &'static str) -> Result<String, UrlError> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit =
            || bytes.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(UrlError::Percent(part));
        let value = digit()? << 4 | digit()?;
        out.push(value as u8);
    }
    match String::from_utf8(out) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(UrlError::Text(part)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(url: &str) -> ConnectOptions {
        url.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    fn refused(url: &str) -> UrlError {
        url.parse::<ConnectOptions>().expect_err(url)
    }

    #[test]
    fn reads_a_full_url() {
        let options = parse(
            "mysql://app:s%40cret@db.example:3307/shop?tls=verify-full&tls-ca=/etc/ca%20x.pem&connect-timeout=3&read-timeout=60",
        );
        assert_eq!(options.scheme, Scheme::Mysql);
        assert_eq!((options.host.as_str(), options.port), ("db.example", 3307));
        assert_eq!((options.user.as_str(), options.password.expose()), ("app", "s@cret"));
        assert_eq!(options.database.as_deref(), Some("shop"));
        assert_eq!(options.tls, TlsMode::VerifyFull);
        assert_eq!(options.tls_ca, Some(PathBuf::from("/etc/ca x.pem")));
        assert_eq!(options.connect_timeout, Duration::from_secs(3));
        assert_eq!(options.read_timeout, Some(Duration::from_secs(60)));
    }

    #[test]
    fn defaults_are_those_of_the_scheme() {
        let options = parse("mariadb://root@localhost");
        assert_eq!((options.port, options.tls, options.database), (3306, TlsMode::Prefer, None));
        assert!(options.password.is_empty() && options.found_rows && !options.multi_statements);
        assert_eq!(parse("oceanbase://root@[::1]/").port, 2881);
        assert_eq!(parse("MySQL://root@h:/?").port, 3306);
    }

    #[test]
    fn takes_raw_special_characters_in_login() {
        let options = parse("oceanbase://app@shop#obcluster:p@ss:w/or?d#1@10.0.0.1:2883/?tls=off");
        assert_eq!(options.user, "app@shop#obcluster");
        assert_eq!(options.password.expose(), "p@ss:w/or?d#1");
        assert_eq!((options.host.as_str(), options.port, options.tls), ("10.0.0.1", 2883, TlsMode::Off));
        assert_eq!(parse("mysql://u:a?b=c@h").password.expose(), "a?b=c");
        assert_eq!(parse("mysql://u:p@h/?tls-ca=/a@b.pem").tls_ca, Some(PathBuf::from("/a@b.pem")));
    }

    #[test]
    fn reads_ipv6_hosts() {
        let options = parse("mysql://u:p@[fe80::1]:3310/");
        assert_eq!((options.host.as_str(), options.port), ("fe80::1", 3310));
        assert_eq!(options.address(), "[fe80::1]:3310");
        assert_eq!(refused("mysql://u:p@[fe80::1/"), UrlError::Brackets);
        assert_eq!(refused("mysql://u:p@fe80::1/"), UrlError::Host);
        assert_eq!(refused("mysql://u:p@[nonsense]:3/"), UrlError::Host);
    }

    #[test]
    fn names_what_is_wrong() {
        assert_eq!(refused("postgres://u:p@h"), UrlError::Scheme);
        assert_eq!(refused("localhost:3306"), UrlError::Scheme);
        assert_eq!(refused("mysql://localhost"), UrlError::NoUser("mysql"));
        assert_eq!(refused("mysql://:p@localhost"), UrlError::NoUser("mysql"));
        assert_eq!(refused("mysql://u:p@/db"), UrlError::NoHost);
        for port in ["0", "65536", "x"] {
            assert_eq!(refused(&format!("mysql://u:p@h:{port}/")), UrlError::Port);
        }
        assert_eq!(refused("mysql://u:100%sure@h"), UrlError::Percent("password"));
        assert_eq!(refused("mysql://u:%ff@h"), UrlError::Text("password"));
        assert_eq!(refused("mysql://u%00:p@h"), UrlError::Text("user"));
        assert_eq!(refused("mysql://u:p@h/?tls=yes"), UrlError::TlsMode);
        assert_eq!(refused("mysql://u:p@h/?ssl=1"), UrlError::UnknownParameter("ssl".into()));
        assert_eq!(refused("mysql://u:p@h/?tls=off&tls=off"), UrlError::Twice("tls"));
        assert_eq!(refused("mysql://u:p@h/?connect-timeout=0"), UrlError::Seconds("connect-timeout"));
        assert_eq!(refused("mysql://u:p@h/?tls-ca="), UrlError::CaEmpty);
        assert_eq!(refused("mysql://u:p@h/?tls=require&tls-ca=x"), UrlError::CaWithoutVerification);
    }

    #[test]
    fn an_authority_alone_asks_for_its_check() {
        assert_eq!(parse("mysql://u:p@h/?tls-ca=x").tls, TlsMode::VerifyCa);
    }

    #[test]
    fn shows_no_password() {
        let options = parse("mysql://u:hunter2@h/");
        for text in [options.to_string(), format!("{options:?}"), format!("{:?}", options.password)] {
            assert!(!text.contains("hunter2"), "{text}");
        }
        assert_eq!(options.to_string(), "mysql://u@h:3306");
        assert!(format!("{options:?}").contains("***"));
    }

    proptest! {
        #[test]
        fn no_url_panics_and_no_error_repeats_the_password(url in "(mysql|oceanbase)://[a-z@#]{0,4}:xyzzy[?%&=@/:#]{0,3}[a-z0-9\\[\\]:%@]{0,12}(/\\?[a-z=&%-]{0,12})?") {
            if let Err(error) = url.parse::<ConnectOptions>() {
                prop_assert!(!error.to_string().contains("xyzzy"), "{}", error);
            }
        }
    }
}
