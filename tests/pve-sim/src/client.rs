//! The little of an HTTPS client that a migration to another cluster needs: one request a connection, and a web socket.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::clock;
use crate::websocket::Wire;

const ANSWER_BYTES_MAX: usize = 1 << 20;
const CONNECT: Duration = Duration::from_secs(10);

/// Another server and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What stands in `Authorization`: `PVEAPIToken=user@realm!id=secret`.
    pub(crate) token: String,
    /// SHA-256 of its certificate as hexadecimal digits; nobody is trusted without.
    pub(crate) fingerprint: Option<String>,
}

/// An answer's status, reason and body.
struct Answer {
    status: u16,
    reason: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Remote {
    /// `apitoken=…,host=…,port=…,fingerprint=…`; the error names the part.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts: BTreeMap<&str, &str> = BTreeMap::new();
        for item in text.split(',').filter(|item| !item.is_empty()) {
            let (key, value) = item.split_once('=').ok_or_else(|| format!("'{item}' has no value"))?;
            if !["apitoken", "host", "port", "fingerprint"].contains(&key) {
                let text = "property is not defined in schema and the schema does not allow additional properties";
                return Err(format!("{key}: {text}"));
            }
            parts.insert(key, value);
        }
        let required = |key: &str| {
            let found = parts.get(key).filter(|value| !value.is_empty());
            found
                .map(|value| (*value).to_owned())
                .ok_or_else(|| format!("{key}: property is missing and it is not optional"))
        };
        let port = parts.get("port").map_or(Ok(8006), |text| text.parse());
        let port = port.map_err(|_| format!("port: type check ('integer') failed - got '{}'", parts["port"]))?;
        let fingerprint = parts.get("fingerprint").map(|text| text.replace(':', "").to_lowercase());
        Ok(Self { host: required("host")?, port, token: required("apitoken")?, fingerprint })
    }

    async fn connect(&self) -> Result<TlsStream<TcpStream>, String> {
        let place = format!("{}:{}", self.host, self.port);
        let failed = |err: &dyn std::fmt::Display| format!("Can't connect to {place} ({err})");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Pinned { fingerprint: self.fingerprint.clone(), provider: Arc::clone(&provider) };
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|err| failed(&err))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        let name = ServerName::try_from(self.host.clone()).map_err(|err| failed(&err))?;
        let connect = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            TlsConnector::from(Arc::new(config)).connect(name, stream).await
        };
        let connected = tokio::time::timeout(CONNECT, connect).await;
        connected.map_err(|err| failed(&err))?.map_err(|err| failed(&err))
    }

    fn head(&self, method: &str, path: &str, more: &str) -> String {
        let Self { host, port, token, .. } = self;
        format!("{method} /api2/json{path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: {token}\r\n{more}\r\n")
    }

    /// Posts a form; the answer's data, or its status and reason.
    pub(crate) async fn post(&self, path: &str, form: &str) -> Result<Value, String> {
        let mut stream = self.connect().await?;
        let kind = "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n";
        let head = self.head("POST", path, &format!("{kind}Content-Length: {}\r\n", form.len()));
        let text = format!("{head}{form}");
        let lost = |err: std::io::Error| format!("connection to {}: {err}", self.host);
        stream.write_all(text.as_bytes()).await.map_err(lost)?;
        let mut answer = self.read_head(&mut stream).await?;
        let length = answer.headers.get("content-length").and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
        while answer.body.len() < length.min(ANSWER_BYTES_MAX) {
            if stream.read_buf(&mut answer.body).await.map_err(lost)? == 0 {
                break;
            }
        }
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status == 200 {
            return Ok(body["data"].clone());
        }
        let causes = body["errors"].as_object().map(|errors| {
            let texts = errors.iter().map(|(key, text)| format!("{key}: {}", text.as_str().unwrap_or_default().trim()));
            texts.collect::<Vec<_>>().join(", ")
        });
        Err([format!("{} {}", answer.status, answer.reason), causes.unwrap_or_default()]
            .join(" ")
            .trim_end()
            .to_owned())
    }

    /// Opens a web socket.
    pub(crate) async fn socket(&self, path: &str) -> Result<Wire, String> {
        let mut stream = self.connect().await?;
        let key = generate_key();
        let more = format!(
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\
             Sec-WebSocket-Protocol: binary\r\n"
        );
        let lost = |err: std::io::Error| format!("connection to {}: {err}", self.host);
        stream.write_all(self.head("GET", path, &more).as_bytes()).await.map_err(lost)?;
        let answer = self.read_head(&mut stream).await?;
        let accepted = answer.headers.get("sec-websocket-accept") == Some(&derive_accept_key(key.as_bytes()));
        if answer.status != 101 || !accepted {
            return Err(format!("failed to upgrade to a websocket: {} {}", answer.status, answer.reason));
        }
        Ok(Wire::client(Box::new(stream), answer.body).await)
    }

    async fn read_head(&self, stream: &mut TlsStream<TcpStream>) -> Result<Answer, String> {
        let mut buffer = Vec::new();
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut parsed = httparse::Response::new(&mut headers);
            let status = parsed.parse(&buffer).map_err(|err| format!("answer of {}: {err}", self.host))?;
            if let httparse::Status::Complete(length) = status {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let headers = parsed.headers.iter().map(|header| (header.name.to_lowercase(), text(header.value)));
                let headers = headers.collect();
                let (status, reason) = (parsed.code.unwrap_or(0), parsed.reason.unwrap_or_default().to_owned());
                return Ok(Answer { status, reason, headers, body: buffer.split_off(length) });
            }
            let read =
                stream.read_buf(&mut buffer).await.map_err(|err| format!("connection to {}: {err}", self.host))?;
            if read == 0 || buffer.len() > ANSWER_BYTES_MAX {
                return Err(format!("connection to {}: no answer", self.host));
            }
        }
    }
}

/// Trusts one certificate, known by its fingerprint.
#[derive(Debug)]
struct Pinned {
    fingerprint: Option<String>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = clock::hex(&Sha256::digest(certificate));
        if self.fingerprint.as_ref() == Some(&shown) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::General(format!("certificate verify failed: its fingerprint is {shown}")))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
