//! The API's certificate, read from files and read again on request.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::clock::Ms;
use crate::config::Http;
use crate::error::{Error, Result};

/// TLS 1.2 and 1.3 with the configured certificate.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Current>,
}

#[derive(Clone, Debug)]
struct Current {
    config: Arc<ServerConfig>,
    valid: (Ms, Ms),
}

impl Tls {
    /// Reads the configured files; `None` when none are configured.
    pub fn load(config: &Http) -> Result<Option<Arc<Self>>> {
        let (Some(certificate), Some(key)) = (config.tls_certificate.clone(), config.tls_key.clone()) else {
            return Ok(None);
        };
        let current = RwLock::new(read(&certificate, &key)?);
        Ok(Some(Arc::new(Self { certificate, key, current })))
    }

    /// Reads the files again. What is wrong with them leaves the present certificate in place.
    pub fn reload(&self) -> Result<()> {
        let renewed = read(&self.certificate, &self.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    /// The certificate's file.
    pub fn file(&self) -> &Path {
        &self.certificate
    }

    /// From when until when the certificate that is shown is valid.
    pub fn valid(&self) -> (Ms, Ms) {
        self.current().valid
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current().config)
    }

    fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Current> {
    let wrong = |field: &str, file: &Path, cause: String| {
        Error::invalid(format!("http.{field}"), format!("{}: {cause}", file.display()))
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong("tls_certificate", certificate, error.to_string()))?;
    let Some(first) = chain.first() else {
        return Err(wrong("tls_certificate", certificate, "holds no certificate".to_owned()));
    };
    let (_, parsed) =
        X509Certificate::from_der(first).map_err(|error| wrong("tls_certificate", certificate, error.to_string()))?;
    let valid = (parsed.validity().not_before, parsed.validity().not_after);
    let valid = (moment(valid.0.timestamp()), moment(valid.1.timestamp()));
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong("tls_key", key, error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| wrong("tls_key", key, error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Current { config: Arc::new(config), valid })
}

fn moment(seconds: i64) -> Ms {
    Ms(seconds.saturating_mul(1000))
}
