//! TLS 1.2 and 1.3 on a connection that began in clear.
//!
//! The crypto provider is given explicitly, so no process-wide default has to be installed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, ClientConfig, DigitallySignedStruct, Error, InvalidMessage, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::WireError;
use super::options::{ConnectOptions, TlsMode};

/// Wraps `stream` into TLS as the options say.
pub(super) async fn upgrade(
    stream: TcpStream,
    options: &ConnectOptions,
    server: &Arc<str>,
) -> Result<TlsStream<TcpStream>, WireError> {
    let config = client_config(options).await?;
    let name = match ServerName::try_from(options.host.clone()) {
        Ok(name) => name,
        Err(error) if options.tls == TlsMode::VerifyFull => {
            let source = io::Error::new(io::ErrorKind::InvalidInput, error);
            return Err(WireError::TlsCertificate { server: Arc::clone(server), source });
        }
        // Hosts with an underscore are no names to TLS; where the name is not checked that does not matter.
        Err(_) => ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into()),
    };
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.map_err(|source| classify(source, Arc::clone(server)))
}

fn classify(source: io::Error, server: Arc<str>) -> WireError {
    match source.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(_)) => WireError::TlsCertificate { server, source },
        Some(
            Error::PeerIncompatible(_)
            | Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure)
            | Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion),
        ) => WireError::TlsTooOld { server, source },
        _ => WireError::Tls { server, source },
    }
}

async fn client_config(options: &ConnectOptions) -> Result<ClientConfig, WireError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the ring provider has suites for TLS 1.2 and 1.3");
    let config = match options.tls {
        TlsMode::Off | TlsMode::Prefer | TlsMode::Require => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate { provider }))
        }
        TlsMode::VerifyCa => {
            let authorities = authorities(options.tls_ca.as_deref()).await?;
            let verifier = TrustedIssuer { roots: root_store(&authorities), pinned: authorities, provider };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
        TlsMode::VerifyFull => {
            let authorities = authorities(options.tls_ca.as_deref()).await?;
            builder.with_root_certificates(root_store(&authorities))
        }
    };
    Ok(config.with_no_client_auth())
}

/// Certificates of a PEM file, or those that the system trusts.
async fn authorities(file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, WireError> {
    let Some(file) = file else {
        let loaded = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
        let certificates = loaded.map(|result| result.certs).unwrap_or_default();
        return non_empty(certificates, PathBuf::from("the system's certificate store"));
    };
    let failed = |source| WireError::TlsAuthorities { from: file.to_owned(), source };
    let text = tokio::fs::read(file).await.map_err(failed)?;
    let certificates = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error.to_string())))?;
    non_empty(certificates, file.to_owned())
}

fn non_empty(
    certificates: Vec<CertificateDer<'static>>,
    from: PathBuf,
) -> Result<Vec<CertificateDer<'static>>, WireError> {
    if certificates.is_empty() {
        let source = io::Error::new(io::ErrorKind::InvalidData, "no certificate found");
        return Err(WireError::TlsAuthorities { from, source });
    }
    Ok(certificates)
}

fn root_store(authorities: &[CertificateDer<'static>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // Stores of systems hold a few certificates that rustls cannot use; the others must still work.
    let (_, unusable) = roots.add_parsable_certificates(authorities.iter().cloned());
    if unusable > 0 {
        tracing::debug!(unusable, "some certificate authorities cannot be used");
    }
    roots
}

/// `prefer` and `require`: any certificate will do. Signatures are not checked either, because without a trusted
/// key they prove nothing, and servers with version 1 certificates (MySQL 5.7's own) could not be reached.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// `verify-ca`: a chain to a trusted authority, whatever name the certificate bears. A certificate that stands in the
/// authorities' file itself is trusted as it is, which is how self-signed servers are used.
#[derive(Debug)]
struct TrustedIssuer {
    roots: RootCertStore,
    pinned: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for TrustedIssuer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.pinned.iter().any(|known| known.as_ref() == end_entity.as_ref()) {
            return Ok(ServerCertVerified::assertion());
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
