//! Questions to agents that are answered at once.

use std::time::Duration;

use async_trait::async_trait;
use proto::agent::v1 as wire;
use proto::agent::v1::agent_message::Body;

use super::ask::Replies;
use super::hub::SessionHub;
use crate::clock::Ms;
use crate::domain::servers::query::{MigrateCheck, Querier, QueryError, Volume};
use crate::ids::ServerId;

impl SessionHub {
    async fn query(
        &self,
        server: ServerId,
        kind: wire::query::Kind,
        within: Duration,
    ) -> Result<wire::QueryResult, QueryError> {
        let deadline_ms = self.now().plus(within).0;
        let message = |nonce| wire::ControlMessage {
            body: Some(wire::control_message::Body::Query(wire::Query { nonce, deadline_ms, kind: Some(kind) })),
        };
        let replies = self.ask(server, message, within).await.map_err(|_| QueryError::NotConnected)?;
        let Replies { bodies, first_after: _, complete: _ } = replies;
        let answer = bodies.into_iter().find_map(|body| match body {
            Body::QueryResult(result) => Some(result),
            _ => None,
        });
        match answer {
            None => Err(QueryError::Silent),
            Some(result) if !result.error.is_empty() => Err(QueryError::Failed(result.error)),
            Some(result) => Ok(result),
        }
    }
}

#[async_trait]
impl Querier for SessionHub {
    async fn migrate_checks(
        &self,
        server: ServerId,
        vmids: Vec<u32>,
        within: Duration,
    ) -> Result<Vec<MigrateCheck>, QueryError> {
        let asked = wire::MigrateChecks { vmids, target_node: String::new() };
        let result = self.query(server, wire::query::Kind::MigrateChecks(asked), within).await?;
        Ok(result.migrate_checks.into_iter().map(check).collect())
    }

    async fn storage_content(
        &self,
        server: ServerId,
        storage: &str,
        content: &str,
        within: Duration,
    ) -> Result<Vec<Volume>, QueryError> {
        let asked = wire::StorageContent { storage: storage.to_owned(), content: content.to_owned() };
        let result = self.query(server, wire::query::Kind::StorageContent(asked), within).await?;
        Ok(result.volumes.into_iter().map(volume).collect())
    }
}

fn check(check: wire::MigrateCheck) -> MigrateCheck {
    let wire::MigrateCheck { vmid, allowed_nodes, blockers, local_disk_mib, running, error } = check;
    MigrateCheck { vmid, allowed_nodes, blockers, local_disk_mib, running, error }
}

fn volume(volume: wire::Volume) -> Volume {
    let wire::Volume { volid, content, size_bytes, created_ms } = volume;
    Volume { volid, content, size_bytes, created_at: Ms(created_ms) }
}
