//! The identity of a server's agent: one-time join tokens and certificates.

mod store;

pub(super) use store::certificate_not_after;

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::service::Service;
use super::{CloseReason, Server};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::audit::{Actor, Record, audit_append};
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::{EnrolmentTokenId, ServerId};

/// How long a join token can be used.
const TOKEN_LIFE: Duration = Duration::from_hours(1);

/// Of a join token: 256 bits cannot be guessed, so a plain hash keeps them.
const SECRET_BYTES: usize = 32;

/// What to paste on a host. Shown once.
#[derive(Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct EnrolmentCommand {
    /// The whole command.
    pub command: String,
    /// The one-time join token in it.
    pub token: String,
    /// Where agents connect to.
    pub control_plane: String,
    /// SHA-256 of the CA certificate, in hexadecimal.
    pub ca_sha256: String,
    /// The token is worth nothing afterwards.
    pub expires_at: Ms,
}

// Written by hand, because a token must not reach a log.
impl std::fmt::Debug for EnrolmentCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnrolmentCommand").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// The certificate of a server's agent, as the books hold it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AgentCertificate)]
pub struct Certificate {
    /// In hexadecimal.
    pub serial: String,
    /// When it was issued.
    pub issued_at: Ms,
    /// Until when it is good; the agent has it renewed long before.
    pub not_after: Ms,
}

/// What became of a join token. The transaction is to be committed in either case: a refusal is audited in it.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Redemption {
    /// Used up now, for this server.
    Granted(Box<Server>),
    /// Worth nothing. Whoever sent it hears no more than that; the reason is for the log.
    Refused(&'static str),
}

impl Service {
    /// The newest certificate that was not revoked of each of these servers; a server that has none is left out.
    pub async fn certificates_newest(
        &self,
        conn: Conn<'_>,
        servers: &[ServerId],
    ) -> Result<HashMap<ServerId, Certificate>> {
        store::certificates_newest(conn, servers).await
    }

    /// Makes a new join token for a server; those made before and not used are void.
    pub async fn enrolment_token_create(&self, actor: &Actor, server: ServerId) -> Result<EnrolmentCommand> {
        let mut tx = self.db.begin().await?;
        let server = super::store::server_get(tx.conn(), server).await?;
        let command = self.token_issue(&mut tx, actor, &server).await?;
        tx.commit().await?;
        Ok(command)
    }

    pub(super) async fn token_issue(&self, tx: &mut Tx, actor: &Actor, server: &Server) -> Result<EnrolmentCommand> {
        let now = self.clock.now();
        let expires_at = now.plus(TOKEN_LIFE);
        let id = EnrolmentTokenId::generate();
        let secret = secret_generate()?;
        store::tokens_void(tx, server.id).await?;
        store::token_insert(tx, id, server.id, &hash(&secret), now, expires_at).await?;
        self.note(tx, actor, "server.enrolment_token_created", server.id, &serde_json::json!({ "token_id": id }))
            .await?;
        let token = format!("{id}.{secret}");
        let (control_plane, ca_sha256) = (self.facts.agents_url.clone(), self.facts.ca_sha256.clone());
        Ok(EnrolmentCommand {
            command: format!(
                "mpanel-agent enroll --control-plane {control_plane} --token {token} --ca-sha256 {ca_sha256}"
            ),
            token,
            control_plane,
            ca_sha256,
            expires_at,
        })
    }

    /// Uses up a join token. An unknown one costs a read and is not audited, so that strangers cannot fill the audit.
    pub async fn enrolment_token_redeem(&self, tx: &mut Tx, token: &str) -> Result<Redemption> {
        let Some((id, secret)) = token_parse(token) else { return Ok(Redemption::Refused("not a join token")) };
        let Some(row) = store::token_get(tx.conn(), id).await? else {
            return Ok(Redemption::Refused("no such join token"));
        };
        let now = self.clock.now();
        let refusal = if !bool::from(hash(secret).as_slice().ct_eq(&row.secret_hash)) {
            Some("its secret is wrong")
        } else if row.used_at.is_some() {
            Some("it was used before")
        } else if row.expires_at <= now {
            Some("it has expired")
        } else if !store::token_use(tx, id, now).await? {
            Some("it is being used by somebody else")
        } else {
            None
        };
        let actor = Actor::system("enrolment");
        if let Some(refusal) = refusal {
            let detail = serde_json::json!({ "token_id": id, "reason": refusal });
            self.note(tx, &actor, "server.enrolment_refused", row.server_id, &detail).await?;
            return Ok(Redemption::Refused(refusal));
        }
        let server = match super::store::server_get(tx.conn(), row.server_id).await {
            Ok(server) => server,
            Err(Error::NotFound { .. }) => return Ok(Redemption::Refused("its server was deleted")),
            Err(error) => return Err(error),
        };
        // One identity, one host: what was enrolled before, perhaps on another machine, counts no more.
        store::certificates_revoke(tx, server.id, now).await?;
        store::session_fence(tx, server.id, now).await?;
        self.note(tx, &actor, "server.enrolled", server.id, &serde_json::json!({ "token_id": id })).await?;
        Ok(Redemption::Granted(Box::new(server)))
    }

    /// Remembers a certificate that was issued to a server's agent.
    pub async fn certificate_record(&self, tx: &mut Tx, server: ServerId, serial: &str, not_after: Ms) -> Result<()> {
        store::certificate_insert(tx, server, serial, self.clock.now(), not_after).await
    }

    /// Whether a certificate was issued to this server, is not over and not revoked, and the server still is one.
    pub async fn certificate_is_valid(&self, conn: Conn<'_>, serial: &str, server: ServerId) -> Result<bool> {
        store::certificate_is_valid(conn, serial, server, self.clock.now()).await
    }

    /// When the newest certificate of a server's agent ends that is not revoked.
    pub async fn certificate_ends_at(&self, conn: Conn<'_>, server: ServerId) -> Result<Option<Ms>> {
        store::certificate_not_after(conn, server).await
    }

    /// Voids every certificate and join token of a server and ends its session. Its agent has to enrol again with a new token.
    pub async fn certificates_revoke(&self, actor: &Actor, server: ServerId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let server = super::store::server_get(tx.conn(), server).await?;
        self.identity_void(&mut tx, actor, server.id).await?;
        tx.commit().await?;
        self.session_drop(server.id, CloseReason::Revoked);
        Ok(())
    }

    pub(super) async fn identity_void(&self, tx: &mut Tx, actor: &Actor, server: ServerId) -> Result<()> {
        let now = self.clock.now();
        let certificates = store::certificates_revoke(tx, server, now).await?;
        store::tokens_void(tx, server).await?;
        // Wherever the session is held, it is of an older epoch from now on.
        store::session_fence(tx, server, now).await?;
        self.note(tx, actor, "server.revoked", server, &serde_json::json!({ "certificates": certificates })).await
    }

    /// Forgets join tokens and certificates that ended before `before`; how many.
    pub async fn identities_prune(&self, before: Ms) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let gone = store::identities_prune(&mut tx, before).await?;
        tx.commit().await?;
        Ok(gone)
    }

    /// An audit record and an event of the same name about a server.
    pub(super) async fn note(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        name: &'static str,
        server: ServerId,
        detail: &serde_json::Value,
    ) -> Result<()> {
        let (at, id) = (self.clock.now(), server.to_string());
        let record = Record { actor, tenant: None, action: name, target_kind: "server", target_id: id.clone() };
        audit_append(tx, at, record, detail).await?;
        event_append(tx, at, Event { tenant: None, name, subject: id }, detail).await
    }
}

fn secret_generate() -> Result<String> {
    let mut bytes = [0_u8; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

fn token_parse(token: &str) -> Option<(EnrolmentTokenId, &str)> {
    let (id, secret) = token.trim().split_once('.')?;
    if secret.len() > 128 {
        return None;
    }
    Some((id.parse().ok()?, secret))
}
