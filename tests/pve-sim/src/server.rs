//! Listening: TLS with the server's own certificate, and the control port without.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::http::{Handler, serve};
use crate::sim::StartError;
use crate::store::Store;

/// How long a client has for its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// First byte of a TLS handshake.
const TLS_HANDSHAKE_BYTE: u8 = 0x16;

/// A certificate and its key, as PEM.
pub(crate) struct Identity {
    pub(crate) certificate_pem: String,
    key_pem: String,
    /// SHA-256 over the certificate, as `AB:CD:…`.
    pub(crate) fingerprint: String,
}

impl Identity {
    /// A node's certificate in the state directory, under this file name, made at first start; without a directory a fresh one.
    pub(crate) fn load_or_make(store: Option<&Store>, node: &str, file: &str) -> Result<Self, StartError> {
        if let Some(store) = store
            && let (Some(certificate), Some(key)) =
                (store.read_file(&format!("{file}.pem"))?, store.read_file(&format!("{file}.key"))?)
        {
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            return Self::new(text(certificate), text(key));
        }
        let names = vec![node.to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).map_err(|err| StartError::Tls(err.to_string()))?;
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        if let Some(store) = store {
            store.write_file(&format!("{file}.key"), key.as_bytes())?;
            store.write_file(&format!("{file}.pem"), certificate.as_bytes())?;
        }
        Self::new(certificate, key)
    }

    fn new(certificate_pem: String, key_pem: String) -> Result<Self, StartError> {
        let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes());
        let der = der.map_err(|err| StartError::Tls(err.to_string()))?;
        let hex = clock::hex(&Sha256::digest(&der)).to_uppercase();
        let pairs: Vec<String> =
            hex.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned()).collect();
        Ok(Self { certificate_pem, key_pem, fingerprint: pairs.join(":") })
    }

    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, StartError> {
        let tls = |err: &dyn std::fmt::Display| StartError::Tls(err.to_string());
        let certificate = CertificateDer::from_pem_slice(self.certificate_pem.as_bytes()).map_err(|err| tls(&err))?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(self.key_pem.as_bytes()).map_err(|err| tls(&err))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|err| tls(&err))?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(key))
            .map_err(|err| tls(&err))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// What an accept loop needs.
pub(crate) struct Listening<H> {
    pub(crate) listener: TcpListener,
    /// `None` speaks plain HTTP.
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) handler: Arc<H>,
    pub(crate) idle: Duration,
    pub(crate) stop: CancellationToken,
    pub(crate) tracker: TaskTracker,
}

/// Accepts until stopped.
pub(crate) async fn accept<H: Handler>(listening: Listening<H>) {
    loop {
        let accepted = tokio::select! {
            () = listening.stop.cancelled() => break,
            accepted = listening.listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(err) => {
                // Out of file descriptors, for example: give the others time to close.
                tracing::warn!(%err, "no connection could be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if let Err(err) = stream.set_nodelay(true) {
            tracing::debug!(%err, "TCP_NODELAY could not be set");
        }
        let (handler, tls) = (Arc::clone(&listening.handler), listening.tls.clone());
        let (idle, stop) = (listening.idle, listening.stop.clone());
        listening.tracker.spawn(async move {
            match tls {
                Some(tls) => secured(stream, tls, handler, idle, stop).await,
                None => serve(stream, handler, idle, stop).await,
            }
        });
    }
}

async fn secured<H: Handler>(
    mut stream: TcpStream,
    tls: TlsAcceptor,
    handler: Arc<H>,
    idle: Duration,
    stop: CancellationToken,
) {
    let mut first = [0];
    let peeked = tokio::select! {
        () = stop.cancelled() => return,
        peeked = tokio::time::timeout(HANDSHAKE, stream.peek(&mut first)) => peeked,
    };
    if !matches!(peeked, Ok(Ok(1))) {
        return;
    }
    if first[0] != TLS_HANDSHAKE_BYTE {
        redirect(&mut stream).await;
        return;
    }
    let handshake = tokio::select! {
        () = stop.cancelled() => return,
        handshake = tokio::time::timeout(HANDSHAKE, tls.accept(stream)) => handshake,
    };
    match handshake {
        Ok(Ok(stream)) => serve(stream, handler, idle, stop).await,
        Ok(Err(err)) => tracing::debug!(%err, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}

/// Plain HTTP on the TLS port is sent to HTTPS.
async fn redirect(stream: &mut TcpStream) {
    use tokio::io::AsyncReadExt;
    let mut buffer = vec![0; 4096];
    let read = tokio::time::timeout(HANDSHAKE, stream.read(&mut buffer)).await;
    let Ok(Ok(length)) = read else { return };
    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
    let target = text.split(' ').nth(1).unwrap_or("/");
    let host = text.lines().find_map(|line| line.strip_prefix("Host: ")).unwrap_or("localhost").trim();
    let answer = format!(
        "HTTP/1.1 301 Moved Permanently\r\nLocation: https://{host}{target}\r\nServer: pve-api-daemon/3.0\r\n\
         Content-Length: 17\r\n\r\nMoved Permanently"
    );
    if let Err(err) = stream.write_all(answer.as_bytes()).await {
        tracing::debug!(%err, "the redirect could not be sent");
    }
}
