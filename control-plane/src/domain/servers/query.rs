//! Something to look at on a host at once, without a job: the agent answers, or does not within the time.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Ms;
use crate::ids::ServerId;

/// What Proxmox says of moving one VM within its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrateCheck {
    /// The VM.
    pub vmid: u32,
    /// Proxmox's names of the nodes that it may be moved to.
    pub allowed_nodes: Vec<String>,
    /// What keeps it from being moved at all.
    pub blockers: Vec<String>,
    /// What would have to be copied, in MiB.
    pub local_disk_mib: u64,
    /// It runs.
    pub running: bool,
    /// Why it could not be looked at; empty: it could.
    pub error: String,
}

/// Something on a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Proxmox's name of it, such as `local:iso/rescue.iso`.
    pub volid: String,
    /// `iso`, `backup`, `images`.
    pub content: String,
    /// In bytes.
    pub size_bytes: u64,
    /// When it was made, by the host's clock.
    pub created_at: Ms,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// The agent is not connected.
    NotConnected,
    /// It did not answer in time.
    Silent,
    /// It could not look.
    Failed(String),
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("its agent is not connected"),
            Self::Silent => f.write_str("its agent did not answer in time"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// Lets an agent look at its host; the gRPC sessions implement it.
#[async_trait]
pub trait Querier: Send + Sync {
    /// Asks what keeps each VM from being moved to any node of its cluster.
    async fn migrate_checks(
        &self,
        server: ServerId,
        vmids: Vec<u32>,
        within: Duration,
    ) -> Result<Vec<MigrateCheck>, QueryError>;

    /// Asks what is on a storage (empty: on all of the node's), of one kind: `iso`, `backup`, `images`.
    async fn storage_content(
        &self,
        server: ServerId,
        storage: &str,
        content: &str,
        within: Duration,
    ) -> Result<Vec<Volume>, QueryError>;
}
