//! TLS of the agents' listener: 1.3 only, a client certificate of the agents' CA or none, no resumption. And of the calls to the
//! listener of another control plane.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::UnixTime;

use super::ca::{Authority, IssuedWithKey};
use crate::clock::{Clock, Ms};
use crate::error::{Error, Result};
use crate::ids::InstanceId;

/// The listener's certificate, which is renewed while it is in use.
#[derive(Debug)]
pub struct ServingCertificate {
    names: Vec<String>,
    provider: Arc<CryptoProvider>,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    key: Arc<CertifiedKey>,
    renew_at: Ms,
}

impl ServingCertificate {
    /// Has the first one issued, under `names`.
    pub fn new(authority: &Authority, names: Vec<String>, now: Ms) -> Result<Self> {
        let provider = Arc::new(default_provider());
        let current = RwLock::new(issue(authority, &names, &provider, now)?);
        Ok(Self { names, provider, current })
    }

    /// Replaces it once half of its life is over; says whether it did. Connections that stand keep theirs.
    pub fn renew(&self, authority: &Authority, now: Ms) -> Result<bool> {
        if now < self.current.read().unwrap_or_else(PoisonError::into_inner).renew_at {
            return Ok(false);
        }
        let renewed = issue(authority, &self.names, &self.provider, now)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(true)
    }
}

impl ResolvesServerCert for ServingCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).key.clone())
    }
}

fn issue(authority: &Authority, names: &[String], provider: &CryptoProvider, now: Ms) -> Result<Current> {
    let issued = authority.issue_to_server(names, now)?;
    let key = provider.key_provider.load_private_key(issued.key).map_err(Error::internal)?;
    let renew_at = now.plus(issued.not_after.since(now) / 2);
    Ok(Current { key: Arc::new(CertifiedKey::new(issued.chain, key)), renew_at })
}

/// The clock for the verification of certificates.
#[derive(Debug)]
struct VerificationTime(Clock);

impl TimeProvider for VerificationTime {
    fn current_time(&self) -> Option<UnixTime> {
        let since_epoch = self.0.now().since(Ms(0));
        Some(UnixTime::since_unix_epoch(since_epoch))
    }
}

/// The listener's TLS. A certificate of another CA, or an expired one, ends the handshake; none at all does not, because
/// enrolment has none.
pub fn server_config(
    authority: &Authority,
    serving: Arc<ServingCertificate>,
    clock: &Clock,
) -> Result<Arc<ServerConfig>> {
    let provider = serving.provider.clone();
    let roots = Arc::new(roots(authority)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(Error::internal)?;
    let mut config = ServerConfig::builder_with_details(provider, Arc::new(VerificationTime(clock.clone())))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(Error::internal)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(serving);
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would not look at the client's certificate again.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// What a control plane shows and trusts when it calls another.
pub(super) fn client_config(authority: &Authority, instance: InstanceId, clock: &Clock) -> Result<Arc<ClientConfig>> {
    let IssuedWithKey { chain, key, not_after: _ } = authority.issue_to_plane(instance, clock.now())?;
    let time = Arc::new(VerificationTime(clock.clone()));
    let mut config = ClientConfig::builder_with_details(Arc::new(default_provider()), time)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(Error::internal)?
        .with_root_certificates(roots(authority)?)
        .with_client_auth_cert(chain, key)
        .map_err(Error::internal)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn roots(authority: &Authority) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone()).map_err(Error::internal)?;
    Ok(roots)
}
