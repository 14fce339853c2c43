//! TLS towards Proxmox: pinned by fingerprint, or checked against authorities; never unchecked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use url::Url;

use super::config::{BadSetting, Fingerprint, Trust};

/// The client side of TLS; `None` leaves it to the HTTP client's own check against the system's authorities.
pub(super) fn client_config(trust: &Trust) -> Result<Option<ClientConfig>, BadSetting> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::System => return Ok(None),
        Trust::Fingerprint(pinned) => {
            Arc::new(Pinned { expected: Some(*pinned), seen: Mutex::new(None), provider: provider.clone() })
        }
        Trust::CaFile(path) => {
            let bad = |cause: String| BadSetting(format!("the CA file {} cannot be used: {cause}", path.display()));
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_file_iter(path).map_err(|e| bad(e.to_string()))? {
                roots.add(certificate.map_err(|e| bad(e.to_string()))?).map_err(|e| bad(e.to_string()))?;
            }
            if roots.is_empty() {
                return Err(bad("there is no certificate in it".to_owned()));
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .map_err(|e| bad(e.to_string()))?
        }
    };
    build(provider, verifier).map(Some)
}

fn build(provider: Arc<CryptoProvider>, verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, BadSetting> {
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| BadSetting(format!("TLS cannot be set up: {e}")))?
        .dangerous() // rustls's word for "with a verifier of one's own"; ours is stricter than the usual one
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// Fetches the fingerprint of whatever certificate the server shows, for a person to compare. Nothing is sent to it.
///
/// # Errors
/// When there is no TLS server at that address within the timeout.
pub async fn fetch_fingerprint(url: &Url, timeout: Duration) -> Result<Fingerprint, BadSetting> {
    let bad = |cause: String| BadSetting(format!("no certificate could be fetched from {url}: {cause}"));
    let host = url.host_str().ok_or_else(|| bad("it names no host".to_owned()))?;
    let port = url.port_or_known_default().unwrap_or(8006);
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|e| bad(e.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let look = Arc::new(Pinned { expected: None, seen: Mutex::new(None), provider: provider.clone() });
    let connector = tokio_rustls::TlsConnector::from(Arc::new(build(provider, look.clone())?));
    let handshake = async {
        let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
        connector.connect(name, stream).await
    };
    let outcome = tokio::time::timeout(timeout, handshake).await;
    // A look ends with a refused handshake: what counts is what was seen.
    if let Some(fingerprint) = *look.seen.lock().unwrap_or_else(PoisonError::into_inner) {
        return Ok(fingerprint);
    }
    Err(bad(match outcome {
        Err(_) => format!("no answer within {timeout:?}"),
        Ok(Err(error)) => error.to_string(),
        Ok(Ok(_)) => "it showed none".to_owned(),
    }))
}

/// Accepts the one expected certificate. Without an expectation it accepts none and only remembers what it saw.
#[derive(Debug)]
struct Pinned {
    expected: Option<Fingerprint>,
    seen: Mutex<Option<Fingerprint>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = Fingerprint(Sha256::digest(end_entity.as_ref()).into());
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        match self.expected {
            Some(expected) if expected == found => Ok(ServerCertVerified::assertion()),
            Some(expected) => Err(rustls::Error::General(format!(
                "Proxmox shows a certificate with the fingerprint {found}, expected is {expected}; if the certificate was renewed, \
                 set the new fingerprint"
            ))),
            None => Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
