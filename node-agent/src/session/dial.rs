//! Connections to the control plane, and the calls that need one for a moment only: enrolment and renewal.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use proto::agent::v1::agent_client::AgentClient;
use proto::agent::v1::enrolment_client::EnrolmentClient;
use proto::agent::v1::{EnrollRequest, RenewRequest};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status};
use tower::service_fn;
use url::{Host, Url};

use crate::config::{ControlPlaneSection, control_plane_url};
use crate::error::{Error, Result, chain};
use crate::identity::{Identity, Issued, NewKey, fingerprint};
use crate::tls;

/// Requests that wait inside a connection. There is one stream and now and then a call.
const BUFFERED_MAX: usize = 16;
/// How long enrolment or renewal may take once connected.
const CALL_MAX: Duration = Duration::from_secs(30);

/// Connects and shakes hands.
///
/// # Errors
/// Names the address and every cause down to the one at the bottom.
pub(super) async fn connect(url: &Url, tls: Arc<ClientConfig>, settings: &ControlPlaneSection) -> Result<Channel> {
    let failed = |cause: String| Error::ControlPlane(format!("cannot connect to {url}: {cause}"));
    let (host, name) = match url.host() {
        Some(Host::Domain(name)) => {
            (name.to_owned(), ServerName::try_from(name.to_owned()).map_err(|e| failed(e.to_string()))?)
        }
        Some(Host::Ipv4(ip)) => (ip.to_string(), ServerName::from(std::net::IpAddr::from(ip))),
        Some(Host::Ipv6(ip)) => (ip.to_string(), ServerName::from(std::net::IpAddr::from(ip))),
        None => return Err(failed("it names no host".to_owned())),
    };
    let port = url.port_or_known_default().unwrap_or(443);
    let limit = Duration::from_secs(settings.connect_timeout_s);
    let connector = service_fn(move |_: Uri| {
        let (host, name, tls) = (host.clone(), name.clone(), TlsConnector::from(tls.clone()));
        async move {
            let handshake = async {
                let stream = TcpStream::connect((host.as_str(), port)).await?;
                stream.set_nodelay(true)?;
                tls.connect(name, stream).await
            };
            match tokio::time::timeout(limit, handshake).await {
                Ok(stream) => stream.map(TokioIo::new),
                Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {limit:?}"))),
            }
        }
    });
    let endpoint = Endpoint::from_shared(url.to_string())
        .and_then(|endpoint| endpoint.user_agent(concat!("mpanel-agent/", env!("CARGO_PKG_VERSION"))))
        .map_err(|e| failed(chain(&e)))?
        .buffer_size(BUFFERED_MAX)
        .http2_keep_alive_interval(Duration::from_secs(settings.keepalive_interval_s))
        .keep_alive_timeout(Duration::from_secs(settings.keepalive_timeout_s))
        .keep_alive_while_idle(true);
    endpoint.connect_with_connector(connector).await.map_err(|e| failed(chain(&e)))
}

/// Where this agent's control plane is: as configured, else as enrolled.
pub(super) fn target(settings: &ControlPlaneSection, identity: &Identity) -> Result<Url> {
    let text = if settings.url.is_empty() { &identity.control_plane } else { &settings.url };
    control_plane_url(text)
}

/// Exchanges a join token for an identity.
///
/// # Errors
/// The control plane's refusal in its own words, or why it could not be reached or trusted.
pub async fn enroll(url: &Url, ca_sha256: &str, token: &str, settings: &ControlPlaneSection) -> Result<Identity> {
    let channel = connect(url, tls::pinned(ca_sha256)?, settings).await?;
    let key = NewKey::generate()?;
    let request = EnrollRequest {
        token: token.to_owned(),
        csr_der: key.request.clone().into(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let answer = timed("enrolment", EnrolmentClient::new(channel).enroll(request)).await?;
    if fingerprint(&answer.ca_der) != ca_sha256 {
        let found = fingerprint(&answer.ca_der);
        return Err(Error::ControlPlane(format!(
            "the control plane issued the certificate with another authority ({found}) than the one in the command"
        )));
    }
    let issued = Issued { key, certificate: answer.certificate_der.to_vec(), authority: answer.ca_der.to_vec() };
    Identity::from_issued(url.as_str().trim_end_matches('/'), &answer.server_id, &answer.server_name, issued)
}

/// Asks for a fresh certificate with a fresh key, over a connection of its own: the session's may be authenticated by a certificate
/// that has ended meanwhile.
///
/// # Errors
/// As [`enroll`].
pub(super) async fn renew(identity: &Identity, settings: &ControlPlaneSection) -> Result<Identity> {
    let channel = connect(&target(settings, identity)?, tls::mutual(identity)?, settings).await?;
    let key = NewKey::generate()?;
    let request = RenewRequest { csr_der: key.request.clone().into() };
    let answer = timed("renewal", AgentClient::new(channel).renew(request)).await?;
    let issued = Issued { key, certificate: answer.certificate_der.to_vec(), authority: answer.ca_der.to_vec() };
    identity.renewed(issued)
}

async fn timed<T>(what: &str, call: impl Future<Output = Result<tonic::Response<T>, Status>>) -> Result<T> {
    match tokio::time::timeout(CALL_MAX, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => {
            Err(Error::ControlPlane(format!("the control plane refused the {what}: {}", words(&status))))
        }
        Err(_) => Err(Error::ControlPlane(format!("the control plane did not answer the {what} within {CALL_MAX:?}"))),
    }
}

/// A refusal in words: the control plane's, or what happened on the way.
pub(super) fn words(status: &Status) -> String {
    let text = match status.message() {
        "" => status.code().description().to_owned(),
        message => message.to_owned(),
    };
    match std::error::Error::source(status) {
        Some(cause) => format!("{text}: {}", chain(cause)),
        None => text,
    }
}

/// Whether the control plane, or TLS, says that this identity will not do: coming back soon is of no use.
pub(super) fn is_refusal(code: Code, text: &str) -> bool {
    // rustls has no other way to tell of an alert through hyper and tonic than its words.
    let alerts = ["CertificateExpired", "CertificateRevoked", "CertificateUnknown", "UnknownCA", "AccessDenied"];
    matches!(code, Code::Unauthenticated | Code::PermissionDenied)
        || alerts.iter().any(|alert| text.contains(&format!("received fatal alert: {alert}")))
}

/// Connects as this agent and asks for a method that does not exist: whoever answers that has accepted the certificate, and nothing
/// has happened. Opening a session instead would end that of the running agent.
///
/// # Errors
/// As [`enroll`].
pub async fn knock(identity: &Identity, settings: &ControlPlaneSection) -> Result<Url> {
    let url = target(settings, identity)?;
    let mut channel = connect(&url, tls::mutual(identity)?, settings).await?;
    let request = http::Request::post("/mpanel.agent.v1.Agent/Knock")
        .header(http::header::CONTENT_TYPE, "application/grpc")
        .header("te", "trailers")
        .body(tonic::body::Body::empty())
        .map_err(|e| Error::ControlPlane(format!("cannot ask {url}: {e}")))?;
    let call = async {
        std::future::poll_fn(|cx| tower::Service::poll_ready(&mut channel, cx)).await?;
        tower::Service::call(&mut channel, request).await
    };
    let answer = match tokio::time::timeout(CALL_MAX, call).await {
        Ok(answer) => answer.map_err(|e| Error::ControlPlane(format!("{url} does not answer: {}", chain(&e))))?,
        Err(_) => return Err(Error::ControlPlane(format!("{url} did not answer within {CALL_MAX:?}"))),
    };
    match Status::from_header_map(answer.headers()) {
        Some(status) if is_refusal(status.code(), status.message()) => {
            Err(Error::ControlPlane(format!("{url} refuses this agent: {}", words(&status))))
        }
        _ => Ok(url),
    }
}
