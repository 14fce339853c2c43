//! Where hosts of other Proxmox clusters reach a server's Proxmox API, to send VMs there. The token is sealed, and shown to
//! nobody but the agent that is told to move a VM.

pub mod routes;
mod store;

use std::collections::HashSet;

use serde_json::json;

use super::service::Service;
use crate::clock::Ms;
use crate::db::Conn;
use crate::domain::audit::Actor;
use crate::domain::check::Checks;
use crate::domain::secrets::Secret;
use crate::domain::secrets::service::Service as Secrets;
use crate::error::{Error, Result};
use crate::ids::ServerId;

/// Where a server's Proxmox API is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A host name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// SHA-256 of its certificate, `AA:BB:…`.
    pub fingerprint: String,
    /// When it was last set.
    pub updated_at: Ms,
}

/// An endpoint as an operator sets it.
#[derive(Debug)]
pub struct EndpointInput {
    /// A host name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// SHA-256 of its certificate, `AA:BB:…`.
    pub fingerprint: String,
    /// An API token of that cluster, `user@realm!id=secret`.
    pub token: Secret<String>,
}

impl EndpointInput {
    /// The fingerprint as Proxmox wants it; every wrong field is named.
    fn check(&self) -> Result<String> {
        let mut checks = Checks::new();
        let host_ok = (1..=253).contains(&self.host.len())
            && self.host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'));
        checks.require(host_ok, "host", "must be a host name or an address, such as pve9.example.net");
        checks.require(self.port > 0, "port", "must be from 1 to 65535; Proxmox listens on 8006");
        let digits: String = self.fingerprint.chars().filter(|c| *c != ':').collect::<String>().to_ascii_uppercase();
        let hexadecimal = digits.len() == 64 && digits.chars().all(|c| c.is_ascii_hexdigit());
        checks.require(
            hexadecimal,
            "fingerprint",
            "must be the SHA-256 fingerprint of the certificate, 32 bytes as AA:BB:…; `pvenode cert info` shows it",
        );
        let token = self.token.expose();
        let parts = token.split_once('=').and_then(|(id, secret)| Some((id.split_once('!')?, secret)));
        let token_ok = parts.is_some_and(|((user, name), secret)| {
            user.contains('@') && !name.is_empty() && !secret.is_empty() && token.len() <= 512
        }) && token.chars().all(|c| c.is_ascii_graphic());
        checks.require(token_ok, "token", "must be an API token as user@realm!id=secret");
        checks.finish()?;
        let pairs: Vec<_> = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]).collect();
        Ok(pairs.join(":"))
    }
}

/// What the token is sealed under.
fn secret_name(server: ServerId) -> String {
    format!("server/{server}/migration-token")
}

impl Service {
    /// Says where VMs of other clusters may be sent to this server; replaces what was said before.
    pub async fn endpoint_set(
        &self,
        actor: &Actor,
        secrets: &Secrets,
        server: ServerId,
        input: EndpointInput,
    ) -> Result<Endpoint> {
        let fingerprint = input.check()?;
        let sealed = secrets.seal(&secret_name(server), input.token.expose().as_bytes())?;
        let EndpointInput { host, port, fingerprint: _, token: _ } = input;
        let endpoint = Endpoint { host, port, fingerprint, updated_at: self.clock.now() };
        let mut tx = self.db.begin().await?;
        super::store::server_get(tx.conn(), server).await?;
        store::endpoint_set(&mut tx, server, &endpoint, &sealed).await?;
        let detail = json!({ "host": endpoint.host, "port": endpoint.port, "fingerprint": endpoint.fingerprint });
        self.note(&mut tx, actor, "server.migration_endpoint_set", server, &detail).await?;
        tx.commit().await?;
        Ok(endpoint)
    }

    /// The server's endpoint; 404 when it has none.
    pub async fn endpoint_get(&self, server: ServerId) -> Result<Endpoint> {
        let mut read = self.db.read().await?;
        let found = store::endpoint_get(read.conn(), server).await?;
        found.map(|(endpoint, _)| endpoint).ok_or_else(|| Error::not_found("migration endpoint of the server", server))
    }

    /// Takes a server's endpoint away. Repeatable.
    pub async fn endpoint_delete(&self, actor: &Actor, server: ServerId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        if store::endpoint_delete(&mut tx, server).await? {
            self.note(&mut tx, actor, "server.migration_endpoint_deleted", server, &json!({})).await?;
        }
        tx.commit().await
    }

    /// A server's endpoint with its token, for the agent that is told to send a VM there.
    pub async fn endpoint_open(
        &self,
        conn: Conn<'_>,
        secrets: &Secrets,
        server: ServerId,
    ) -> Result<Option<(Endpoint, Secret<String>)>> {
        let Some((endpoint, sealed)) = store::endpoint_get(conn, server).await? else { return Ok(None) };
        let token = secrets.unseal(&secret_name(server), &sealed)?;
        let token = String::from_utf8(token.expose().clone()).map_err(Error::internal)?;
        Ok(Some((endpoint, Secret::new(token))))
    }

    /// The servers that VMs of other clusters may be sent to.
    pub async fn endpoints_known(&self, conn: Conn<'_>) -> Result<HashSet<ServerId>> {
        store::endpoints_known(conn).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_checked_field_by_field() {
        let input = |host: &str, fingerprint: &str, token: &str| EndpointInput {
            host: host.into(),
            port: 8006,
            fingerprint: fingerprint.into(),
            token: Secret::new(token.into()),
        };
        let (good, token) = ("ab".repeat(32), "mpanel@pve!move=0123-4567");
        let shown = input("pve9.example.net", &good, token).check().unwrap();
        assert_eq!(shown, vec!["AB"; 32].join(":"));
        assert_eq!(input("192.0.2.9", &shown, token).check().unwrap(), shown);
        for (host, fingerprint, token, field) in [
            ("", good.as_str(), token, "host"),
            ("a b", &good, token, "host"),
            ("pve9", "ab", token, "fingerprint"),
            ("pve9", &good, "root@pam", "token"),
            ("pve9", &good, "root!x=y", "token"),
            ("pve9", &good, "root@pam!x=", "token"),
        ] {
            let error = input(host, fingerprint, token).check().unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
            assert!(field != "token" || !error.contains(token), "the token is not repeated");
        }
    }
}
