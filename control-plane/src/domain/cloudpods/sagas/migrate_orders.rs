//! What a move orders of the agents on both sides, and what it reads in their answers. See [`super::migrate`].

use std::time::Duration;

use super::migrate::MigrateParams;
use super::{Books, params_of, pod_of};
use crate::db::Tx;
use crate::domain::cloudpods::CloudPod;
use crate::domain::jobs::command::{Copying, Migrate, RemoteMigrate};
use crate::domain::jobs::{Action, AgentCommand, CommandKind, CommandOutput, Job, Presence};
use crate::domain::servers::{Method, Move, Sighting};
use crate::error::{Error, Result};

/// An order about the VM on the source.
pub(super) fn at_source(under_way: &Move, kind: CommandKind, timeout: Duration) -> Action {
    let Move { pod, source: server, source_vmid: vmid, .. } = *under_way;
    Action::Command(AgentCommand { server, pod, vmid, kind, timeout })
}

/// An order about the VM on the target.
pub(super) fn at_target(under_way: &Move, kind: CommandKind, timeout: Duration) -> Result<Action> {
    let Move { pod, target: server, .. } = *under_way;
    let vmid = vmid_there(under_way)?;
    Ok(Action::Command(AgentCommand { server, pod, vmid, kind, timeout }))
}

/// The VM's number on the target.
pub(super) fn vmid_there(under_way: &Move) -> Result<u32> {
    let Move { pod, vmid, .. } = *under_way;
    vmid.ok_or_else(|| Error::internal(format!("the move of CloudPod {pod} has no VMID on its target")))
}

/// What an agent saw on its host. A VM that it sees on another node of the cluster is not on its own. That it does not know is
/// a try that has to be repeated.
pub(super) fn sighting(output: &CommandOutput, side: &str) -> Result<Sighting> {
    match output.presence {
        Presence::Present if !output.node.is_empty() => Ok(Sighting::Absent),
        Presence::Present => Ok(Sighting::Present(output.power)),
        Presence::Absent => Ok(Sighting::Absent),
        Presence::Unknown => {
            Err(Error::retry(format!("the agent of the {side} does not know whether the VM is there")))
        }
    }
}

/// From where to where the disk goes.
fn copying(pod: &CloudPod, under_way: &Move) -> Copying {
    Copying { source_storage: pod.storage.clone().unwrap_or_default(), target: under_way.target }
}

/// The move within the cluster, as it is now meant.
pub(super) async fn local_move(tx: &mut Tx, books: &Books, job: &Job, under_way: &Move) -> Result<Migrate> {
    let target = books.servers.server_get(tx.conn(), under_way.target).await?;
    let MigrateParams { with_local_disks, .. } = params_of(job)?;
    let target_node = target.seen.node_name.ok_or_else(|| {
        Error::retry(format!("the agent of {} has not told yet what Proxmox calls its host", target.name))
    })?;
    Ok(Migrate {
        target_node,
        online: under_way.method == Method::Live,
        with_local_disks,
        target_storage: under_way.storage.clone(),
        bandwidth_mibps: books.move_bandwidth_mibps,
        copy: copying(&pod_of(tx, job).await?, under_way),
    })
}

/// The bridge that all cards of a VM are put at by a move to another cluster.
pub(super) async fn remote_bridge(tx: &mut Tx, books: &Books, under_way: &Move) -> Result<String> {
    let target = books.servers.server_get(tx.conn(), under_way.target).await?;
    let addresses = books.ipam.addresses_of(tx.conn(), under_way.pod).await?;
    Ok(addresses.into_iter().find_map(|address| address.bridge).unwrap_or(target.bridge))
}

/// The move to another cluster, as it is now meant.
pub(super) async fn remote_move(tx: &mut Tx, books: &Books, pod: &CloudPod, under_way: &Move) -> Result<CommandKind> {
    let target = books.servers.server_get(tx.conn(), under_way.target).await?;
    let opened = books.servers.endpoint_open(tx.conn(), &books.secrets, target.id).await?;
    let (endpoint, token) = opened.ok_or_else(|| {
        Error::conflict(
            "no_migration_endpoint",
            format!("{} is in another Proxmox cluster and has no migration endpoint any more", target.name),
        )
    })?;
    let bridge = remote_bridge(tx, books, under_way).await?;
    Ok(CommandKind::RemoteMigrate(Box::new(RemoteMigrate {
        target_host: endpoint.host,
        target_port: endpoint.port,
        target_token: token.expose().clone(),
        target_fingerprint: endpoint.fingerprint,
        target_vmid: under_way.vmid.unwrap_or(under_way.source_vmid),
        target_bridge: bridge,
        target_storage: under_way.storage.clone(),
        online: under_way.was_running && !under_way.shut_down,
        copy: copying(pod, under_way),
    })))
}
