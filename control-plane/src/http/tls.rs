//! The API's certificate, read from files and read again on request.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::Http;
use crate::error::{Error, Result};

/// TLS 1.2 and 1.3 with the configured certificate.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<ServerConfig>>,
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

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>> {
    let wrong = |field: &str, file: &Path, cause: String| {
        Error::invalid(format!("http.{field}"), format!("{}: {cause}", file.display()))
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong("tls_certificate", certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong("tls_certificate", certificate, "holds no certificate".to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong("tls_key", key, error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| wrong("tls_key", key, error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
