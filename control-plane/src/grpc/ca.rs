//! The certificate authority of the agents: built in, or the operator's own.
//!
//! It issues three kinds of certificate: to agents (their one name is `spiffe://<trust domain>/server/<id>`, for clients
//! only), to the control plane's own listener (its host names, for servers only), and to the control plane itself for its calls to
//! others (`spiffe://<trust domain>/control-plane/<id>`, for clients only).

use std::path::Path;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{Config, identity};
use crate::clock::Ms;
use crate::domain::secrets::{Secret, service::Service as Secrets};
use crate::error::{Error, Result};
use crate::ids::{InstanceId, ServerId};

/// Under which name the CA's key is kept.
const SECRET_NAME: &str = "agent_ca";
/// How long the built-in CA is valid.
const CA_LIFETIME: Duration = Duration::from_hours(20 * 365 * 24);
/// How long the listener's own certificate is valid; it is renewed at half of it, and made anew at every start.
const SERVER_LIFETIME: Duration = Duration::from_hours(720);
/// How long a control plane's certificate for a call to another is valid: it is shown once, at once.
const PLANE_LIFETIME: Duration = Duration::from_mins(10);
/// Certificates are valid from a little before now, because the clocks of hosts differ.
const BACKDATED: Duration = Duration::from_hours(1);
/// A request for a certificate is small; more is refused unread.
const CSR_BYTES_MAX: usize = 16 * 1024;

/// The authority. Its key stays in memory and in `sealed_secrets`.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The issuing certificate first, then those above it where the operator gave them.
    chain: Vec<CertificateDer<'static>>,
    not_before: Ms,
    not_after: Ms,
    trust_domain: String,
    agent_lifetime: Duration,
}

/// A certificate that was issued.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// Its serial number in lower-case hexadecimal.
    pub serial: String,
    /// Until when it is valid.
    pub not_after: Ms,
}

/// A certificate of the control plane's own, with its key.
pub struct IssuedWithKey {
    /// The certificate, then the CA's: an enrolling agent finds the CA that it was told to trust in it.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
    /// Until when it is valid.
    pub not_after: Ms,
}

impl Authority {
    /// The configured CA, otherwise the built-in one, which the first start makes.
    pub async fn load(config: &Config, secrets: &Secrets, now: Ms) -> Result<Self> {
        if let (Some(certificate), Some(key)) = (&config.ca_certificate, &config.ca_key) {
            return Self::external(config, certificate, key, now);
        }
        let kept = if let Some(kept) = secrets.secret_get(SECRET_NAME).await? {
            kept
        } else {
            let (key, certificate) = built_in(&config.trust_domain, now)?;
            secrets.secret_put(SECRET_NAME, &key, &certificate).await?
        };
        let key = KeyPair::try_from(kept.secret.expose().as_slice()).map_err(Error::internal)?;
        Self::new(config, vec![CertificateDer::from(kept.public)], key, now)
    }

    fn external(config: &Config, certificate: &Path, key: &Path, now: Ms) -> Result<Self> {
        let wrong = |field: &str, file: &Path, cause: String| {
            Error::invalid(format!("agents.{field}"), format!("{}: {cause}", file.display()))
        };
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| wrong("ca_certificate", certificate, error.to_string()))?;
        let pem = std::fs::read_to_string(key).map(Secret::new).map_err(|e| wrong("ca_key", key, e.to_string()))?;
        let pair = KeyPair::from_pem(pem.expose()).map_err(|error| {
            wrong("ca_key", key, format!("{error}; it must be a PEM of PKCS #8 (`openssl pkcs8 -topk8 -nocrypt`)"))
        })?;
        Self::new(config, chain, pair, now).map_err(|error| wrong("ca_certificate", certificate, error.to_string()))
    }

    fn new(config: &Config, chain: Vec<CertificateDer<'static>>, key: KeyPair, now: Ms) -> Result<Self> {
        let unusable = |cause: &str| Error::conflict("ca_unusable", format!("the CA cannot be used: {cause}"));
        let first = chain.first().ok_or_else(|| unusable("no certificate found"))?;
        let (_, parsed) = X509Certificate::from_der(first).map_err(|error| unusable(&error.to_string()))?;
        if !parsed.is_ca() {
            return Err(unusable("its certificate is not that of a CA (basicConstraints CA:TRUE is missing)"));
        }
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(unusable("key and certificate do not belong together"));
        }
        let [not_before, not_after] = [parsed.validity().not_before, parsed.validity().not_after]
            .map(|at| Ms(at.timestamp().saturating_mul(1000)));
        if not_after <= now {
            return Err(unusable("its certificate has expired"));
        }
        let issuer = Issuer::from_ca_cert_der(first, key).map_err(|error| unusable(&error.to_string()))?;
        Ok(Self {
            issuer,
            chain,
            not_before,
            not_after,
            trust_domain: config.trust_domain.clone(),
            agent_lifetime: config.certificate_lifetime,
        })
    }

    /// The issuing certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }

    /// SHA-256 of the issuing certificate's DER in lower-case hexadecimal: what an enrolling agent pins.
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(self.certificate()))
    }

    /// From when until when it is valid.
    pub fn valid(&self) -> (Ms, Ms) {
        (self.not_before, self.not_after)
    }

    /// The trust domain of the identities that it issues.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// Issues a certificate to the agent of `server` for the key of a signing request.
    pub fn issue_to_agent(&self, request: &SigningRequest, server: ServerId, now: Ms) -> Result<Issued> {
        let uri = identity::spiffe_id(&self.trust_domain, server);
        let (mut params, serial, not_after) = self.params(self.agent_lifetime, now)?;
        params.subject_alt_names = vec![SanType::URI(uri.try_into().map_err(Error::internal)?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&request.0.public_key, &self.issuer).map_err(Error::internal)?;
        Ok(Issued { certificate: certificate.der().clone(), serial, not_after })
    }

    /// Issues a certificate for the control plane's listener under `names` (host names and IP addresses).
    pub fn issue_to_server(&self, names: &[String], now: Ms) -> Result<IssuedWithKey> {
        let (mut params, _serial, not_after) = self.params(SERVER_LIFETIME, now)?;
        params.subject_alt_names = CertificateParams::new(names)
            .map_err(|error| Error::invalid("agents.names", error.to_string()))?
            .subject_alt_names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.signed_with_key(&params, not_after)
    }

    /// Issues a certificate to the control plane `instance` for a call to another.
    pub fn issue_to_plane(&self, instance: InstanceId, now: Ms) -> Result<IssuedWithKey> {
        let uri = identity::plane_spiffe_id(&self.trust_domain, instance);
        let (mut params, _serial, not_after) = self.params(PLANE_LIFETIME, now)?;
        params.subject_alt_names = vec![SanType::URI(uri.try_into().map_err(Error::internal)?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.signed_with_key(&params, not_after)
    }

    fn signed_with_key(&self, params: &CertificateParams, not_after: Ms) -> Result<IssuedWithKey> {
        let key = KeyPair::generate().map_err(Error::internal)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(Error::internal)?;
        let mut chain = vec![certificate.der().clone()];
        chain.extend(self.chain.iter().cloned());
        Ok(IssuedWithKey { chain, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(), not_after })
    }

    /// What all its certificates have in common, the serial number and the end.
    fn params(&self, lifetime: Duration, now: Ms) -> Result<(CertificateParams, String, Ms)> {
        // A certificate counts whole seconds.
        let not_after = Ms(now.plus(lifetime).min(self.not_after).0 / 1000 * 1000);
        if not_after <= now {
            return Err(Error::unavailable("the CA's certificate has expired: replace it"));
        }
        let serial = serial_number()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "mPanel");
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.not_before = moment(now.minus(BACKDATED))?;
        params.not_after = moment(not_after)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        Ok((params, hex(&serial), not_after))
    }
}

/// A request for a certificate, signed by the key that it is about. The names that it asks for are ignored.
pub struct SigningRequest(CertificateSigningRequestParams);

impl SigningRequest {
    /// Reads PKCS #10 and verifies its signature.
    pub fn parse(der: &[u8]) -> Result<Self> {
        if der.len() > CSR_BYTES_MAX {
            return Err(Error::invalid("csr_der", format!("must be at most {CSR_BYTES_MAX} bytes")));
        }
        CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der))
            .map(Self)
            .map_err(|error| Error::invalid("csr_der", format!("is no acceptable PKCS #10 request: {error}")))
    }
}

/// A new CA: its key and its certificate.
fn built_in(trust_domain: &str, now: Ms) -> Result<(Secret<Vec<u8>>, Vec<u8>)> {
    let key = KeyPair::generate().map_err(Error::internal)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("mPanel agents {trust_domain}"));
    params.serial_number = Some(SerialNumber::from_slice(&serial_number()?));
    params.not_before = moment(now.minus(BACKDATED))?;
    params.not_after = moment(now.plus(CA_LIFETIME))?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).map_err(Error::internal)?;
    Ok((Secret::new(key.serialize_der()), certificate.der().to_vec()))
}

/// 16 random bytes: positive, and without leading zeros, so that its text is the same wherever it is read.
fn serial_number() -> Result<[u8; 16]> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(Error::internal)?;
    serial[0] = serial[0] & 0x3f | 0x40;
    Ok(serial)
}

fn moment(at: Ms) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000)).map_err(Error::internal)
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
