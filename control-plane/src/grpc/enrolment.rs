//! Enrolment: a one-time join token and a signing request for a certificate. The one service without a client certificate.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::agent::v1 as wire;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::ca::{Authority, Issued, SigningRequest};
use super::identity::Peer;
use super::limits::Attempts;
use super::status_of;
use crate::clock::Clock;
use crate::db::Db;
use crate::domain::servers::{CloseReason, Redemption, service::Service as Servers};
use crate::domain::throttle::network;
use crate::error::Error;

/// Enrolments at once, all peers together.
const AT_ONCE_MAX: usize = 16;
/// Refused enrolments of one address within [`WINDOW`].
const FAILURES_MAX: u32 = 20;
const WINDOW: Duration = Duration::from_mins(1);
const ADDRESSES_MAX: usize = 10_000;
/// The same for every reason: a stranger learns nothing of the tokens that there are.
const TOKEN_REFUSED: &str = "the join token was refused; make a new one with `mpanel server token NAME`";
/// A token is some eighty characters.
const TOKEN_BYTES_MAX: usize = 256;

/// See the module.
pub(super) struct Enrolment {
    db: Db,
    clock: Clock,
    servers: Arc<Servers>,
    authority: Arc<Authority>,
    at_once: Semaphore,
    attempts: Attempts<IpAddr>,
}

impl Enrolment {
    pub(super) fn new(db: Db, clock: Clock, servers: Arc<Servers>, authority: Arc<Authority>) -> Self {
        Self {
            db,
            clock,
            servers,
            authority,
            at_once: Semaphore::new(AT_ONCE_MAX),
            attempts: Attempts::new(FAILURES_MAX, WINDOW, ADDRESSES_MAX),
        }
    }

    /// Redeems the token and issues the certificate, or does neither.
    async fn enrol(&self, request: wire::EnrollRequest) -> Result<wire::EnrollResponse, Refused> {
        let wire::EnrollRequest { token, csr_der, agent_version } = request;
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refused::peer(Status::invalid_argument(
                "token: too long; paste the enrolment command as it was shown",
            )));
        }
        let csr = SigningRequest::parse(&csr_der).map_err(|error| Refused::peer(status_of(&error)))?;
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let server = match self.servers.enrolment_token_redeem(&mut tx, &token).await? {
            Redemption::Granted(server) => server,
            Redemption::Refused(reason) => {
                // The refusal itself is audited.
                tx.commit().await?;
                return Err(Refused {
                    status: Status::permission_denied(TOKEN_REFUSED),
                    reason: Some(reason),
                    by_peer: true,
                });
            }
        };
        let Issued { certificate, serial, not_after } = self.authority.issue_to_agent(&csr, server.id, now)?;
        self.servers.certificate_record(&mut tx, server.id, &serial, not_after).await?;
        tx.commit().await?;
        // What was enrolled before, perhaps on another machine, is sent away at once.
        self.servers.session_drop(server.id, CloseReason::Revoked);
        tracing::info!(server = %server.id, name = server.name, agent_version, serial, "an agent enrolled");
        Ok(wire::EnrollResponse {
            server_id: server.id.to_string(),
            server_name: server.name,
            certificate_der: certificate.to_vec().into(),
            ca_der: self.authority.certificate().to_vec().into(),
            not_after_ms: not_after.0,
        })
    }

    fn wait(&self, address: IpAddr) -> Result<(), Status> {
        match self.attempts.wait(&network(address), self.clock.now()) {
            None => Ok(()),
            Some(wait) => Err(Status::resource_exhausted(format!(
                "too many refused enrolments from {address}; try again in {} s",
                wait.as_secs() + 1
            ))),
        }
    }
}

/// Why an enrolment failed, and whether it counts against the peer.
struct Refused {
    status: Status,
    /// What the peer is not told.
    reason: Option<&'static str>,
    by_peer: bool,
}

impl Refused {
    fn peer(status: Status) -> Self {
        Self { status, reason: None, by_peer: true }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { status: status_of(&error), reason: None, by_peer: false }
    }
}

#[tonic::async_trait]
impl wire::enrolment_server::Enrolment for Enrolment {
    async fn enroll(&self, request: Request<wire::EnrollRequest>) -> Result<Response<wire::EnrollResponse>, Status> {
        let peer = request.extensions().get::<Peer>().ok_or_else(|| Status::internal("a request without a peer"))?;
        let address = peer.address;
        self.wait(address)?;
        let _one = self.at_once.acquire().await.map_err(|_| Status::unavailable("shutting down"))?;
        let answer = self.enrol(request.into_inner()).await;
        let outcome = match &answer {
            Ok(_) => "granted",
            Err(Refused { by_peer: true, .. }) => "refused",
            Err(Refused { by_peer: false, .. }) => "failed",
        };
        metrics::counter!("mpanel_agent_enrolments_total", "outcome" => outcome).increment(1);
        answer.map(Response::new).map_err(|Refused { status, reason, by_peer }| {
            if by_peer {
                let reason = reason.unwrap_or(status.message());
                tracing::warn!(%address, reason, "an enrolment was refused");
                self.attempts.note(network(address), self.clock.now());
            }
            status
        })
    }
}
