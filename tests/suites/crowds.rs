//! Crowds and abuse against a real process, over https and the agents' mutual TLS: what one peer or ten thousand of them do
//! is bounded in memory, and the others do not notice.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "crowds/half_open.rs"]
mod half_open;
#[path = "crowds/http2.rs"]
mod http2;
#[path = "crowds/large.rs"]
mod large;
#[path = "crowds/reconnect.rs"]
mod reconnect;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mpanel_tests::app::{Api, TOKEN, try_send};
use mpanel_tests::daemon::Daemon;
use mpanel_tests::fleet::{DEADLINE, Ports};
use mpanel_tests::swarm::{Swarm, enrol};
use mpanel_tests::{TestDatabase, eventually};
use reqwest::Method;
use rustls::ClientConfig;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mpanel-faulty");
const SERVERS: &str = "/api/platform/servers?limit=200";

/// A control plane in a process of its own, with https, and one agent that is not to notice anything.
struct Edge {
    daemon: Daemon,
    api: Api,
    http: SocketAddr,
    grpc: SocketAddr,
    /// Trusts the API's certificate.
    https: Arc<ClientConfig>,
    /// Shows the agent's certificate.
    mutual: Arc<ClientConfig>,
    bystander: Swarm,
    database: TestDatabase,
    _dir: TempDir,
}

impl Edge {
    async fn start(database: TestDatabase, settings: &[(&str, &str)]) -> Self {
        let (dir, ports) = (tempfile::tempdir().unwrap(), Ports::free());
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let file = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(file("tls.crt"), made.cert.pem()).unwrap();
        std::fs::write(file("tls.key"), made.signing_key.serialize_pem()).unwrap();
        let mut env = ports.env();
        let own = [
            ("MPANEL__DATABASE__URL", database.url.clone()),
            ("MPANEL__SECRETS__KEY_FILE", file("secret.key")),
            ("MPANEL__HTTP__TLS_CERTIFICATE", file("tls.crt")),
            ("MPANEL__HTTP__TLS_KEY", file("tls.key")),
            ("MPANEL__AGENTS__PUBLIC_URL", format!("https://127.0.0.1:{}", ports.grpc)),
            ("MPANEL__AGENTS__HEARTBEAT_INTERVAL", "2s".to_owned()),
            ("MPANEL__LOG__FILTER", "warn".to_owned()),
            ("MPANEL_BOOTSTRAP_TOKEN", TOKEN.to_owned()),
        ];
        env.extend(own.map(|(name, value)| (name.to_owned(), value)));
        env.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut daemon = Daemon::start(dir.path(), "mpanel", PROGRAM, &["serve"], &env);
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let api = Api::trusting(&format!("https://127.0.0.1:{}", ports.http), TOKEN, &made.cert.pem());
        eventually("the control plane to be ready", DEADLINE, async || {
            assert!(daemon.is_over().is_none(), "it ended:\n{}", daemon.tail());
            try_send(api.anonymous(Method::GET, "/readyz")).await.ok().filter(|answer| answer.status == 200)
        })
        .await;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let https = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let agents = enrol(&api, at(ports.grpc), 1).await;
        let mutual = agents[0].tls.clone();
        let bystander = Swarm::start(at(ports.grpc), agents);
        let (http, grpc, https) = (at(ports.http), at(ports.grpc), Arc::new(https));
        let edge = Self { daemon, api, http, grpc, https, mutual, bystander, database, _dir: dir };
        let start = std::time::Instant::now();
        eventually("the agent's session", DEADLINE * 2, async || {
            assert!(start.elapsed() < DEADLINE, "no session: {}", edge.bystander.last_refusal());
            edge.bystander.is_complete().then_some(())
        })
        .await;
        edge
    }

    /// TLS with HTTP/2 to the API.
    async fn rest(&self) -> TlsStream<TcpStream> {
        tls(self.http, &self.https).await
    }

    /// The same to the agents' listener, with a certificate or without.
    async fn agents(&self, certificate: bool) -> TlsStream<TcpStream> {
        if certificate {
            return tls(self.grpc, &self.mutual).await;
        }
        let mut stranger = (*self.https).clone();
        stranger.dangerous().set_certificate_verifier(Arc::new(Anybody));
        tls(self.grpc, &Arc::new(stranger)).await
    }

    /// The process's memory now, and the most that it ever was, in MiB.
    fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.daemon.pid().unwrap())).unwrap();
        let of = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).expect("a line of memory");
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
        };
        (of("VmRSS:"), of("VmHWM:"))
    }

    /// Who behaves is served, the agent kept its session, and memory never grew by more than so many MiB.
    async fn unmoved(&self, before: (u64, u64), mib: u64) {
        let answer = self.api.get(SERVERS).await;
        assert_eq!(answer.status, 200, "{}\n{}", answer.text, self.daemon.tail());
        assert_eq!(self.bystander.refused(), 0, "{}\n{}", self.bystander.last_refusal(), self.daemon.tail());
        let (now, most) = self.memory();
        eprintln!("memory: {} MiB before, {now} MiB now, at most {most} MiB", before.0);
        assert!(most <= before.1.max(before.0 + mib), "it grew from {before:?} to {most} MiB");
    }
}

async fn tls(address: SocketAddr, config: &Arc<ClientConfig>) -> TlsStream<TcpStream> {
    let mut config = (**config).clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = rustls_pki_types::ServerName::IpAddress(address.ip().into());
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

/// Ends when the other side ends the connection.
async fn cut(what: &str, stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    use tokio::io::AsyncReadExt as _;
    let mut rest = vec![0; 64 * 1024];
    let reading = async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
    let ended = tokio::time::timeout(Duration::from_mins(2), reading).await;
    assert!(ended.is_ok(), "{what} is not cut");
}

/// Takes any certificate: what is tested here is not who the server is.
#[derive(Debug)]
struct Anybody;

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &rustls_pki_types::CertificateDer<'_>,
        _intermediates: &[rustls_pki_types::CertificateDer<'_>],
        _server_name: &rustls_pki_types::ServerName<'_>,
        _ocsp_response: &[u8],
        _now: rustls_pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &rustls_pki_types::CertificateDer<'_>,
        _dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &rustls_pki_types::CertificateDer<'_>,
        _dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
