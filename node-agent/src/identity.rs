//! Who this agent is: its key, its certificate and the authority it trusts, in one file, so that a key and a certificate that do not
//! belong together can never be on disk. The key is made here and leaves the host in no form.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::{Zeroize, Zeroizing};

use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::files;

const FILE: &str = "identity.json";
/// The authority now and the one before it, so that the control plane can change its own.
const AUTHORITIES_MAX: usize = 2;

/// The agent's identity as it is used.
pub struct Identity {
    /// Where it was enrolled.
    pub control_plane: String,
    /// The server's id at the control plane.
    pub server_id: String,
    /// The server's name at the control plane, for people.
    pub server_name: String,
    /// The agent's certificate.
    pub certificate: CertificateDer<'static>,
    /// Whom it trusts; the newest first.
    pub authorities: Vec<CertificateDer<'static>>,
    /// When the certificate came, by the host's clock.
    pub obtained_ms: i64,
    /// When the certificate begins to be valid.
    pub not_before_ms: i64,
    /// When the certificate ends.
    pub not_after_ms: i64,
    key: Zeroizing<Vec<u8>>,
}

/// As it is on disk.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    control_plane: String,
    server_id: String,
    server_name: String,
    obtained_ms: i64,
    key: String,
    certificate: String,
    authorities: Vec<String>,
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// A certificate that was just issued, with the key it was asked for.
pub struct Issued {
    /// The key the request was signed with.
    pub key: NewKey,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// The authority that issued it, DER.
    pub authority: Vec<u8>,
}

/// A key that has no certificate yet.
pub struct NewKey {
    pkcs8: Zeroizing<Vec<u8>>,
    /// The signing request, DER.
    pub request: Vec<u8>,
}

impl NewKey {
    /// Makes an ECDSA P-256 key and a request for it. The name in it is for people: the control plane ignores it.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> Result<Self> {
        let failed = |e: rcgen::Error| Error::Identity(format!("no key could be made: {e}"));
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, "mpanel-agent");
        let request = parameters.serialize_request(&key).map_err(failed)?;
        Ok(Self { pkcs8: Zeroizing::new(key.serialize_der()), request: request.der().to_vec() })
    }

    fn public_key(&self) -> Result<Vec<u8>> {
        let der = PrivatePkcs8KeyDer::from(self.pkcs8.as_slice());
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)
            .map_err(|e| Error::Identity(format!("the key cannot be used: {e}")))?;
        Ok(key.public_key_raw().to_vec())
    }
}

impl Identity {
    /// Checks a fresh certificate against its key and makes it the identity.
    ///
    /// # Errors
    /// When the certificate cannot be read or is for another key.
    pub fn from_issued(control_plane: &str, server_id: &str, server_name: &str, issued: Issued) -> Result<Self> {
        let (key, certificate) = (issued.key, CertificateDer::from(issued.certificate));
        let bad = |cause: &str| Error::Identity(format!("the control plane's certificate cannot be used: {cause}"));
        let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|e| bad(&e.to_string()))?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key()?.as_slice() {
            return Err(bad("it is for another key"));
        }
        let validity = parsed.validity();
        let (not_before_ms, not_after_ms) =
            (validity.not_before.timestamp() * 1000, validity.not_after.timestamp() * 1000);
        Ok(Self {
            control_plane: control_plane.to_owned(),
            server_id: server_id.to_owned(),
            server_name: server_name.to_owned(),
            certificate,
            authorities: vec![CertificateDer::from(issued.authority)],
            obtained_ms: now_ms(),
            not_before_ms,
            not_after_ms,
            key: key.pkcs8,
        })
    }

    /// The same server with a new key and certificate.
    ///
    /// # Errors
    /// As [`Self::from_issued`].
    pub fn renewed(&self, issued: Issued) -> Result<Self> {
        let mut next = Self::from_issued(&self.control_plane, &self.server_id, &self.server_name, issued)?;
        let known = self.authorities.iter().filter(|old| !next.authorities.contains(old)).cloned();
        let known: Vec<_> = known.collect();
        next.authorities.extend(known);
        next.authorities.truncate(AUTHORITIES_MAX);
        Ok(next)
    }

    /// The private key, for TLS.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.to_vec()))
    }

    /// When half of the time that it was valid for when it came is over. Counted by the host's clock from when it came, as that clock may
    /// be off; a certificate begins some minutes in the past, which is not part of its life here.
    pub fn half_life_ms(&self) -> i64 {
        self.obtained_ms.saturating_add(self.lifetime_ms() / 2)
    }

    /// Whether it has ended at `at_ms`.
    pub fn is_expired(&self, at_ms: i64) -> bool {
        at_ms >= self.not_after_ms
    }

    /// Milliseconds that it was valid for when it came.
    pub fn lifetime_ms(&self) -> i64 {
        let is_plausible = (self.not_before_ms..self.not_after_ms).contains(&self.obtained_ms);
        let begin_ms = if is_plausible { self.obtained_ms } else { self.not_before_ms };
        self.not_after_ms.saturating_sub(begin_ms).max(0)
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let stored: Stored = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if stored.version != 1 {
            return Err(format!("it is of version {}, this agent knows version 1", stored.version));
        }
        let certificate_of = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| e.to_string());
        let certificate = certificate_of(&stored.certificate)?;
        let authorities = stored.authorities.iter().map(|pem| certificate_of(pem)).collect::<Result<Vec<_>, _>>()?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(stored.key.as_bytes()).map_err(|e| e.to_string())?;
        let (not_before_ms, not_after_ms) = {
            let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|e| e.to_string())?;
            let validity = parsed.validity();
            (validity.not_before.timestamp() * 1000, validity.not_after.timestamp() * 1000)
        };
        Ok(Self {
            control_plane: stored.control_plane.clone(),
            server_id: stored.server_id.clone(),
            server_name: stored.server_name.clone(),
            certificate,
            authorities,
            obtained_ms: stored.obtained_ms,
            not_before_ms,
            not_after_ms,
            key: Zeroizing::new(key.secret_pkcs8_der().to_vec()),
        })
    }

    fn to_text(&self) -> Result<Zeroizing<String>> {
        let stored = Stored {
            version: 1,
            control_plane: self.control_plane.clone(),
            server_id: self.server_id.clone(),
            server_name: self.server_name.clone(),
            obtained_ms: self.obtained_ms,
            key: pem("PRIVATE KEY", &self.key),
            certificate: pem("CERTIFICATE", &self.certificate),
            authorities: self.authorities.iter().map(|der| pem("CERTIFICATE", der)).collect(),
        };
        let text = serde_json::to_string_pretty(&stored);
        text.map(Zeroizing::new).map_err(|e| Error::Identity(format!("the identity cannot be written: {e}")))
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = Zeroizing::new(STANDARD.encode(der));
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text + "-----END " + label + "-----\n"
}

/// The SHA-256 of a certificate's DER, in lower-case hexadecimal.
pub fn fingerprint(der: &[u8]) -> String {
    hex(&Sha256::digest(der))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('?');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The identity on disk and the one in use, which a renewal or a new enrolment swaps while the agent runs.
pub struct IdentityStore {
    path: PathBuf,
    current: RwLock<Arc<Identity>>,
}

impl IdentityStore {
    /// Whether there is an identity in this directory.
    pub fn exists(state_dir: &Path) -> bool {
        state_dir.join(FILE).exists()
    }

    /// Reads the identity.
    ///
    /// # Errors
    /// Says how to enrol when there is none.
    pub fn open(state_dir: &Path) -> Result<Self> {
        let path = state_dir.join(FILE);
        let current = RwLock::new(Arc::new(read(&path)?));
        Ok(Self { path, current })
    }

    /// Stores an identity where none is in use yet: enrolment.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn create(state_dir: &Path, identity: &Identity) -> Result<()> {
        write(&state_dir.join(FILE), identity)
    }

    /// The identity in use.
    pub fn current(&self) -> Arc<Identity> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a renewed identity the one in use; on disk first, so that a crash leaves one that the control plane knows.
    ///
    /// # Errors
    /// When it cannot be written; the old one stays in use then.
    pub fn replace(&self, identity: Identity) -> Result<()> {
        write(&self.path, &identity)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(identity);
        Ok(())
    }

    /// Takes up what `mpanel-agent enroll` wrote while the agent runs; says whether anything changed.
    ///
    /// # Errors
    /// When the file cannot be read; the old identity stays in use then.
    pub fn reload(&self) -> Result<bool> {
        let found = read(&self.path)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_same = found.certificate == current.certificate && found.control_plane == current.control_plane;
        if !is_same {
            *current = Arc::new(found);
        }
        Ok(!is_same)
    }
}

fn read(path: &Path) -> Result<Identity> {
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let cure = "run the `mpanel-agent enroll …` command that the control plane shows for this server";
            return Err(Error::Identity(format!("this agent is not enrolled ({} is missing): {cure}", path.display())));
        }
        Err(error) => return Err(Error::Identity(format!("cannot read the identity {}: {error}", path.display()))),
    };
    Identity::parse(&text).map_err(|cause| {
        Error::Identity(format!("the identity {} is damaged ({cause}): enrol again with a new token", path.display()))
    })
}

fn write(path: &Path, identity: &Identity) -> Result<()> {
    let text = identity.to_text()?;
    files::write_private(path, text.as_bytes())
        .map_err(|e| Error::Identity(format!("cannot write the identity {}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(key: NewKey) -> Issued {
        let authority_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut parameters = CertificateParams::default();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = parameters.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::from_params(&parameters, &authority_key);
        let request = rcgen::CertificateSigningRequestParams::from_der(&key.request.clone().into()).unwrap();
        let certificate = request.signed_by(&issuer).unwrap();
        Issued { key, certificate: certificate.der().to_vec(), authority: authority.der().to_vec() }
    }

    #[test]
    fn an_identity_survives_the_disk_and_a_renewal_keeps_the_server() {
        let directory = tempfile::tempdir().unwrap();
        assert!(IdentityStore::open(directory.path()).err().unwrap().to_string().contains("not enrolled"));
        let first = Identity::from_issued("https://cp:8443", "id", "pve1", issue(NewKey::generate().unwrap())).unwrap();
        IdentityStore::create(directory.path(), &first).unwrap();
        let store = IdentityStore::open(directory.path()).unwrap();
        let read = store.current();
        assert_eq!((&read.certificate, &read.authorities), (&first.certificate, &first.authorities));
        assert_eq!((read.key(), read.server_name.as_str()), (first.key(), "pve1"));
        assert!(!store.reload().unwrap());

        let renewed = read.renewed(issue(NewKey::generate().unwrap())).unwrap();
        assert_ne!(renewed.key(), read.key());
        assert_eq!((renewed.server_id.as_str(), renewed.authorities.len()), ("id", 2));
        IdentityStore::create(directory.path(), &renewed).unwrap();
        assert!(store.reload().unwrap());
        assert_eq!(store.current().certificate, renewed.certificate);
    }

    #[test]
    fn half_of_its_life_does_not_count_what_lies_before_it_came() {
        let mut identity =
            Identity::from_issued("https://cp:8443", "id", "pve1", issue(NewKey::generate().unwrap())).unwrap();
        (identity.not_before_ms, identity.not_after_ms) = (1_000, 100_000);
        let mut check = |obtained_ms, half_life_ms| {
            identity.obtained_ms = obtained_ms;
            assert_eq!(identity.half_life_ms(), half_life_ms, "obtained at {obtained_ms}");
        };
        check(40_000, 70_000);
        // A clock that is so far off tells nothing of the certificate's age.
        check(0, 49_500);
        check(500_000, 549_500);
        assert!(identity.is_expired(100_000) && !identity.is_expired(99_999));
    }

    #[test]
    fn a_certificate_for_another_key_is_refused() {
        let mut issued = issue(NewKey::generate().unwrap());
        issued.key = NewKey::generate().unwrap();
        let error = Identity::from_issued("https://cp:8443", "id", "pve1", issued).err().unwrap();
        assert!(error.to_string().contains("another key"), "{error}");
    }

    #[test]
    fn a_damaged_file_says_so() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE), "{\"version\":1").unwrap();
        assert!(IdentityStore::open(directory.path()).err().unwrap().to_string().contains("damaged"));
    }
}
