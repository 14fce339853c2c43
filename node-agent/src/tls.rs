//! TLS towards the control plane: version 1.3 only, its own authority and no other.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::error::{Error, Result};
use crate::identity::{Identity, fingerprint};

/// TLS for the session: the stored authorities are the only roots, the agent shows its certificate.
///
/// # Errors
/// When key or certificates cannot be used.
pub fn mutual(identity: &Identity) -> Result<Arc<ClientConfig>> {
    let failed = |e: rustls::Error| Error::Identity(format!("the identity cannot be used for TLS: {e}"));
    let mut roots = RootCertStore::empty();
    for authority in &identity.authorities {
        roots.add(authority.clone()).map_err(failed)?;
    }
    let mut chain = vec![identity.certificate.clone()];
    chain.extend(identity.authorities.first().cloned());
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, identity.key())
        .map_err(failed)?;
    Ok(finish(config))
}

/// TLS for enrolment: the authority is known by the SHA-256 of its certificate (lower-case hexadecimal), the agent is nobody yet.
///
/// # Errors
/// When TLS cannot be set up.
pub fn pinned(ca_sha256: &str) -> Result<Arc<ClientConfig>> {
    let verifier = PinnedAuthority { ca_sha256: ca_sha256.to_owned(), provider: provider() };
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| Error::ControlPlane(format!("TLS cannot be set up: {e}")))?
        .dangerous() // rustls's word for "with a verifier of one's own"; ours trusts one authority instead of many
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(finish(config))
}

fn finish(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    // Each connection proves the identity of that moment.
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Reads a SHA-256 in hexadecimal, with or without colons, in either case.
///
/// # Errors
/// When it is none.
pub fn parse_fingerprint(text: &str) -> Result<String> {
    let digits: String = text.trim().trim_start_matches("sha256:").chars().filter(|c| *c != ':').collect();
    if digits.len() != 64 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        let cure = "copy it from the command that the control plane shows: 64 hexadecimal digits";
        return Err(Error::Config(format!("--ca-sha256 {text:?} is no SHA-256 fingerprint: {cure}")));
    }
    Ok(digits.to_ascii_lowercase())
}

/// Trusts the one authority whose certificate has this fingerprint; the server must show that certificate in its chain. The server's
/// own certificate is then checked as usual: signed by that authority, valid now, and for this name.
#[derive(Debug)]
struct PinnedAuthority {
    ca_sha256: String,
    provider: Arc<CryptoProvider>,
}

/// The chain holds no certificate with the fingerprint.
struct PinMismatch {
    shown: Option<String>,
}

impl fmt::Display for PinMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = "this is not the control plane that gave out the command (or something sits in between and breaks TLS open)";
        match &self.shown {
            Some(shown) => write!(f, "{text}: its authority's fingerprint is {shown}"),
            None => write!(f, "{text}: it shows no authority"),
        }
    }
}

// rustls shows this error by its Debug form only.
impl fmt::Debug for PinMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for PinMismatch {}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(authority) = intermediates.iter().find(|der| fingerprint(der) == self.ca_sha256) else {
            let mismatch = PinMismatch { shown: intermediates.last().map(|der| fingerprint(der)) };
            return Err(CertificateError::Other(OtherError(Arc::new(mismatch))).into());
        };
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|e| rustls::Error::General(e.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Chain {
        leaf: CertificateDer<'static>,
        authority: CertificateDer<'static>,
    }

    fn chain(name: &str) -> Chain {
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::default();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = parameters.self_signed(&authority_key).unwrap().der().clone();
        let issuer = rcgen::Issuer::from_params(&parameters, &authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        Chain { leaf: leaf.der().clone(), authority }
    }

    fn check(leaf: &CertificateDer<'_>, shown: &[CertificateDer<'_>], pin: &CertificateDer<'_>, refusal: Option<&str>) {
        let verifier = PinnedAuthority { ca_sha256: fingerprint(pin), provider: provider() };
        let name = ServerName::try_from("cp.example.net").unwrap();
        match (verifier.verify_server_cert(leaf, shown, &name, &[], UnixTime::now()), refusal) {
            (Ok(_), None) => {}
            (Err(error), Some(word)) => assert!(error.to_string().contains(word), "{error}"),
            (outcome, _) => panic!("{outcome:?}, expected {refusal:?}"),
        }
    }

    #[test]
    fn only_the_pinned_authority_and_the_right_name_are_trusted() {
        let (ours, theirs, other_name) = (chain("cp.example.net"), chain("cp.example.net"), chain("cp.example.org"));
        check(&ours.leaf, std::slice::from_ref(&ours.authority), &ours.authority, None);
        check(&theirs.leaf, std::slice::from_ref(&theirs.authority), &ours.authority, Some("fingerprint"));
        check(&ours.leaf, &[], &ours.authority, Some("no authority"));
        // Showing our authority beside a certificate that it did not sign does not help.
        check(&theirs.leaf, &[theirs.authority.clone(), ours.authority.clone()], &ours.authority, Some("BadSignature"));
        check(
            &other_name.leaf,
            std::slice::from_ref(&other_name.authority),
            &other_name.authority,
            Some("not valid for name"),
        );
    }

    #[test]
    fn fingerprints_are_read_in_the_usual_forms() {
        let digits = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        assert_eq!(parse_fingerprint(&digits).unwrap(), digits);
        assert_eq!(parse_fingerprint(&colons).unwrap(), digits);
        for bad in ["", "ab", &"zz".repeat(32)] {
            assert!(parse_fingerprint(bad).is_err(), "{bad:?}");
        }
    }
}
