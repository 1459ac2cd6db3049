//! From a host name to a session: TCP, greeting, TLS, login, all within one deadline.

use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::auth::Plugin;
use super::cursor::{Cursor, push_lenenc, push_lenenc_bytes};
use super::error::WireError;
use super::framing::Framing;
use super::options::{ConnectOptions, PACKET_LIMIT, TlsMode};
use super::packet::{self, Greeting, OkInfo, StatusFlags, capability, parse_err, trim_scramble};
use super::tls;

/// `utf8mb4_general_ci`, which every server since 5.5.3 has.
const UTF8MB4: u8 = 45;
/// Greetings are about a hundred bytes; more in the first packet is another protocol.
const GREETING_MAX: usize = 8192;
/// Longest exchange of any login method, with room to spare.
const LOGIN_ROUNDS: usize = 16;

/// A session after login.
pub(super) struct Session {
    pub(super) framing: Framing,
    pub(super) version: String,
    pub(super) connection_id: u32,
    pub(super) deprecate_eof: bool,
    pub(super) status: StatusFlags,
    /// Why a connection with `tls=prefer` is in clear although the server offers TLS.
    pub(super) tls_warning: Option<String>,
}

struct Deadline {
    at: Instant,
    after: Duration,
    server: Arc<str>,
}

impl Deadline {
    async fn within<T>(
        &self,
        stage: &'static str,
        work: impl Future<Output = Result<T, WireError>>,
    ) -> Result<T, WireError> {
        match timeout_at(self.at, work).await {
            Ok(done) => done,
            Err(_) => {
                Err(WireError::ConnectTimeout { server: Arc::clone(&self.server), after: self.after, stage })
            }
        }
    }
}

/// Opens a session.
pub(super) async fn open(options: &ConnectOptions) -> Result<Session, WireError> {
    let deadline = Deadline {
        at: Instant::now() + options.connect_timeout,
        after: options.connect_timeout,
        server: options.address().into(),
    };
    let first = attempt(options, &deadline, options.tls != TlsMode::Off).await;
    match first {
        Err(
            error @ (WireError::Tls { .. } | WireError::TlsTooOld { .. } | WireError::TlsCertificate { .. }),
        ) if options.tls == TlsMode::Prefer => {
            let warning = describe(&error);
            tracing::warn!(server = %deadline.server, reason = %warning, "no TLS: continuing in clear");
            let mut session = attempt(options, &deadline, false).await?;
            session.tls_warning = Some(warning);
            Ok(session)
        }
        done => done,
    }
}

/// The error and its causes in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

async fn attempt(
    options: &ConnectOptions,
    deadline: &Deadline,
    want_tls: bool,
) -> Result<Session, WireError> {
    let stream = deadline.within("connecting", connect_tcp(options, &deadline.server)).await?;
    let max_packet = options.max_packet.min(PACKET_LIMIT);
    let mut framing = Framing::new(stream, Arc::clone(&deadline.server), max_packet);
    let greeting = deadline.within("waiting for the server's greeting", read_greeting(&mut framing)).await?;

    if greeting.capabilities & capability::PROTOCOL_41 == 0
        || greeting.capabilities & capability::SECURE_CONNECTION == 0
    {
        let what = "it speaks only the protocol from before MySQL 4.1";
        return Err(WireError::ServerTooOld { server: framing.server(), what });
    }
    let mut capabilities = wanted_capabilities(options) & greeting.capabilities | capability::LONG_PASSWORD;
    if want_tls && greeting.capabilities & capability::SSL != 0 {
        capabilities |= capability::SSL;
        let upgrade = Box::pin(upgrade(&mut framing, options, capabilities));
        deadline.within("agreeing on TLS", upgrade).await?;
    } else if options.tls != TlsMode::Off && options.tls != TlsMode::Prefer {
        return Err(WireError::TlsNotOffered { server: framing.server() });
    }
    let logged_in =
        deadline.within("logging in", log_in(&mut framing, options, &greeting, capabilities)).await?;
    framing.set_read_timeout(options.read_timeout);
    Ok(Session {
        framing,
        version: greeting.version,
        connection_id: greeting.connection_id,
        deprecate_eof: capabilities & capability::DEPRECATE_EOF != 0,
        status: logged_in.status,
        tls_warning: None,
    })
}

async fn connect_tcp(options: &ConnectOptions, server: &Arc<str>) -> Result<TcpStream, WireError> {
    let failed = |source| WireError::Io { action: "connecting", server: Arc::clone(server), source };
    let stream = TcpStream::connect((options.host.as_str(), options.port)).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    // A dead peer is noticed after about a minute and a half, also while nobody sends.
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10))
        .with_retries(6);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive).map_err(failed)?;
    Ok(stream)
}

async fn read_greeting(framing: &mut Framing) -> Result<Greeting, WireError> {
    let server = framing.server();
    let first = framing.first_bytes().await?;
    let plausible = match first {
        [a, b, c, 0, 9 | 10 | packet::ERR, ..] => {
            usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16 <= GREETING_MAX
        }
        _ => false,
    };
    if !plausible {
        return Err(WireError::NotMysql { server, got: printable(first) });
    }
    let span = framing.packet().await?;
    match framing.bytes(span) {
        [packet::ERR, ..] => Err(parse_err(framing.bytes(span))),
        [9, ..] => {
            Err(WireError::ServerTooOld { server, what: "it greets with protocol 9, from before MySQL 4.1" })
        }
        payload => Ok(Greeting::parse(payload)?),
    }
}

/// The beginning of foreign bytes, for an error message.
fn printable(bytes: &[u8]) -> String {
    let head = bytes.get(..48).unwrap_or(bytes);
    format!("\"{}\"", head.escape_ascii())
}

fn wanted_capabilities(options: &ConnectOptions) -> u32 {
    let mut wanted = capability::LONG_FLAG
        | capability::PROTOCOL_41
        | capability::TRANSACTIONS
        | capability::SECURE_CONNECTION
        | capability::MULTI_RESULTS
        | capability::PLUGIN_AUTH
        | capability::PLUGIN_AUTH_LENENC
        | capability::CONNECT_ATTRS
        | capability::DEPRECATE_EOF;
    if options.found_rows {
        wanted |= capability::FOUND_ROWS;
    }
    if options.multi_statements {
        wanted |= capability::MULTI_STATEMENTS;
    }
    if options.local_files {
        wanted |= capability::LOCAL_FILES;
    }
    if options.database.is_some() {
        wanted |= capability::CONNECT_WITH_DB;
    }
    wanted
}

/// What the TLS request and the login packet begin with: 4 capabilities, 4 largest packet, 1 collation, 23 zeros.
fn response_head(capabilities: u32) -> Vec<u8> {
    let mut head = Vec::with_capacity(256);
    head.extend_from_slice(&capabilities.to_le_bytes());
    head.extend_from_slice(&(PACKET_LIMIT as u32).to_le_bytes());
    head.push(UTF8MB4);
    head.resize(32, 0);
    head
}

async fn upgrade(
    framing: &mut Framing,
    options: &ConnectOptions,
    capabilities: u32,
) -> Result<(), WireError> {
    framing.send(&response_head(capabilities), &[]).await?;
    let stream = framing.take_plain()?;
    let stream = tls::upgrade(stream, options, &framing.server()).await?;
    framing.set_tls(stream);
    Ok(())
}

/// ```text
/// 32 head   s user, NUL   n length and s answer   [s database, NUL]   [s plugin, NUL]   [n length and s attributes]
/// ```
fn login_packet(
    options: &ConnectOptions,
    capabilities: u32,
    plugin: Plugin,
    answer: &[u8],
) -> Result<Vec<u8>, WireError> {
    let mut out = response_head(capabilities);
    out.extend_from_slice(options.user.as_bytes());
    out.push(0);
    if capabilities & capability::PLUGIN_AUTH_LENENC != 0 {
        push_lenenc_bytes(&mut out, answer);
    } else {
        let len = u8::try_from(answer.len()).map_err(|_| WireError::AuthPlugin {
            plugin: plugin.name().to_owned(),
            reason: "the password is too long for this server".to_owned(),
        })?;
        out.push(len);
        out.extend_from_slice(answer);
    }
    if let Some(database) = &options.database
        && capabilities & capability::CONNECT_WITH_DB != 0
    {
        out.extend_from_slice(database.as_bytes());
        out.push(0);
    }
    if capabilities & capability::PLUGIN_AUTH != 0 {
        out.extend_from_slice(plugin.name().as_bytes());
        out.push(0);
    }
    if capabilities & capability::CONNECT_ATTRS != 0 {
        let mut attributes = Vec::new();
        for (key, value) in [("_client_name", "whimbrel"), ("_client_version", env!("CARGO_PKG_VERSION"))] {
            push_lenenc_bytes(&mut attributes, key.as_bytes());
            push_lenenc_bytes(&mut attributes, value.as_bytes());
        }
        push_lenenc(&mut out, attributes.len() as u64);
        out.extend_from_slice(&attributes);
    }
    Ok(out)
}

async fn log_in(
    framing: &mut Framing,
    options: &ConnectOptions,
    greeting: &Greeting,
    capabilities: u32,
) -> Result<OkInfo, WireError> {
    let tls = framing.is_tls();
    let mut scramble = greeting.scramble.clone();
    // The server names its default, which may differ from the account's; it then asks to switch. Clear text is
    // answered only to such a request, never volunteered.
    let named = Plugin::by_name(&greeting.plugin).filter(|plugin| *plugin != Plugin::Clear);
    let mut plugin = named.unwrap_or(Plugin::Native);
    let answer = plugin.answer(&options.password, &scramble, tls)?;
    framing.send(&login_packet(options, capabilities, plugin, &answer)?, &[]).await?;

    for _ in 0..LOGIN_ROUNDS {
        let span = framing.packet().await?;
        let answer = match framing.bytes(span) {
            payload @ [packet::OK, ..] => return Ok(OkInfo::parse(payload)?),
            payload @ [packet::ERR, ..] => return Err(parse_err(payload)),
            [packet::EOF] => {
                return Err(WireError::AuthPlugin {
                    plugin: "mysql_old_password".to_owned(),
                    reason:
                        "the account's password is stored in the format from before MySQL 4.1; set it anew"
                            .to_owned(),
                });
            }
            [packet::EOF, switch @ ..] => {
                let mut cursor = Cursor::new(switch);
                let name = String::from_utf8_lossy(cursor.nul_terminated("login method")?).into_owned();
                plugin = Plugin::by_name(&name).ok_or_else(|| WireError::AuthPlugin {
                    plugin: name,
                    reason: "this login method is not supported".to_owned(),
                })?;
                scramble = trim_scramble(cursor.rest()).to_vec();
                Some(plugin.answer(&options.password, &scramble, tls)?)
            }
            [packet::MORE_AUTH_DATA, more @ ..] => {
                plugin.answer_more(more, &options.password, &scramble, tls)?
            }
            _ => return Err(WireError::Protocol { what: "answer to the login", at: 0 }),
        };
        if let Some(answer) = answer {
            framing.send(&answer, &[]).await?;
        }
    }
    Err(WireError::Protocol { what: "login that never ends", at: 0 })
}
