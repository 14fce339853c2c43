//! What several sagas say of a pod's VM: its whole configuration, its network cards, its number.

use std::collections::BTreeMap;

use super::Books;
use crate::db::Tx;
use crate::domain::cloudpods::cards::given;
use crate::domain::cloudpods::{CloudPod, GivenCard, State, store};
use crate::domain::ipam::{AllocatedAddress, NetworkFacts};
use crate::domain::jobs::command::{Configure, Nic};
use crate::domain::jobs::{Action, CommandOutput, Power, Verdict};
use crate::domain::tenants::quotas;
use crate::error::{Error, Result};
use crate::ids::ServerId;

pub(super) fn server_of(pod: &CloudPod) -> Result<ServerId> {
    pod.server.as_ref().map(|server| server.id).ok_or_else(|| not_placed(pod))
}

pub(super) fn not_placed(pod: &CloudPod) -> Error {
    Error::internal(format!("the pod {} is not placed, though a step needs its server", pod.id))
}

/// Gives a placed pod its addresses, within the quota of its tenant, which is held; in words. Repeatable.
pub(super) async fn addresses_take(
    tx: &mut Tx,
    books: &Books,
    tenant: &quotas::Held,
    pod: &CloudPod,
) -> Result<String> {
    let server = books.servers.server_get(tx.conn(), server_of(pod)?).await?;
    let network = NetworkFacts { region: server.region, bridge: server.bridge, bridges: server.seen.bridges };
    let before = books.ipam.addresses_of(tx.conn(), pod.id).await?.len();
    let addresses = books.ipam.addresses_allocate(tx, pod.id, &network, &pod.wish.pools).await?;
    tenant.require_addresses_taken(tx, addresses.len().saturating_sub(before) as u64).await?;
    let shown: Vec<_> = addresses.iter().map(|a| format!("{} from pool {}", a.address, a.pool_name)).collect();
    Ok(if shown.is_empty() { "none: by DHCP".to_owned() } else { shown.join(", ") })
}

/// The whole configuration of a pod's VM, as its row has it: a command that configures has to repeat all of it. Of a VM that was adopted
/// the books know neither the network cards nor the user: they are left as they are.
/// Notes the network cards: what the VM has else, once the job is over, is drift.
pub(super) async fn configuration_of(tx: &mut Tx, books: &Books, pod: &CloudPod) -> Result<Configure> {
    let configure = Configure {
        vcpu: pod.vcpu,
        memory_mib: pod.memory_mib,
        ssh_keys: pod.ssh_keys.clone(),
        // It may be about to come back suspended.
        start_on_boot: pod.start_on_boot && pod.state != State::Suspended && pod.condition.suspension.is_none(),
        ..Configure::default()
    };
    if pod.condition.as_found {
        return Ok(configure);
    }
    let server = books.servers.server_get(tx.conn(), server_of(pod)?).await?;
    let addresses = books.ipam.addresses_of(tx.conn(), pod.id).await?;
    let mut nics = nics(&addresses, &server.bridge);
    if pod.condition.rebuilding {
        // A clone has others, by which DHCP would know another machine.
        let mut macs = store::pod_macs(tx.conn(), pod.id).await?;
        for nic in &mut nics {
            nic.mac = macs.remove(&nic.index).unwrap_or_default();
        }
    }
    let before = store::pod_cards(tx.conn(), pod.id).await?.unwrap_or_default();
    store::pod_cards_set(tx, pod.id, Some(given(before, &nics))).await?;
    Ok(Configure {
        cloud_init_user: pod.cloud_init_user.clone(),
        exact_ssh_keys: true,
        nics,
        nameservers: nameservers(&addresses),
        ..configure
    })
}

/// The network cards alone that a pod's VM was given, with their MAC addresses, and no others.
pub(super) async fn cards_of(tx: &mut Tx, books: &Books, pod: &CloudPod) -> Result<Configure> {
    let before = store::pod_cards(tx.conn(), pod.id).await?.unwrap_or_default();
    let Configure { mut nics, start_on_boot, .. } = configuration_of(tx, books, pod).await?;
    for GivenCard { index, bridge, vlan, mac } in before {
        let mac = mac.unwrap_or_default();
        match nics.iter_mut().find(|nic| nic.index == index) {
            Some(nic) => nic.mac = mac,
            None => nics.push(Nic { index, bridge, vlan, mac, ..Nic::default() }),
        }
    }
    Ok(Configure { nics, exact_nics: true, start_on_boot, ..Configure::default() })
}

/// Notes the MAC addresses that the host has chosen for the cards that a command gave the pod's VM.
pub(super) async fn macs_note(tx: &mut Tx, pod: &CloudPod, output: &CommandOutput) -> Result<()> {
    let Some(mut cards) = store::pod_cards(tx.conn(), pod.id).await? else { return Ok(()) };
    for card in cards.iter_mut().filter(|card| card.mac.is_none()) {
        card.mac = output.macs.get(&card.index).cloned();
    }
    store::pod_cards_set(tx, pod.id, Some(cards)).await
}

/// Notes that all cards of the pod's VM are at this bridge now.
pub(super) async fn bridge_note(tx: &mut Tx, pod: &CloudPod, bridge: &str) -> Result<()> {
    let Some(mut cards) = store::pod_cards(tx.conn(), pod.id).await? else { return Ok(()) };
    for card in &mut cards {
        bridge.clone_into(&mut card.bridge);
    }
    store::pod_cards_set(tx, pod.id, Some(cards)).await
}

/// What is left to undo of a pod that another job has brought back since this one failed: nothing. Where it is now, and under which
/// number, is not this one's to take away.
pub(super) fn brought_back(pod: &CloudPod) -> Option<Action> {
    let there = matches!(pod.state, State::Active | State::Suspended);
    there.then(|| Action::Done("another job brought the pod back: what it has now is not this one's".to_owned()))
}

/// Whether its host has told that the pod's VM is not there: then there is nothing to stop, or to start again.
pub(super) async fn vm_missing(tx: &mut Tx, books: &Books, pod: &CloudPod) -> Result<bool> {
    let (Some(server), Some(vmid), Power::Unknown) = (&pod.server, pod.vmid, pod.observed_power) else {
        return Ok(false);
    };
    Ok(books.servers.vm_seen(tx.conn(), server.id, vmid).await?.is_none())
}

/// Somebody made a VM of the pod's number by hand: it is theirs from now on, and the pod takes another.
pub(super) async fn vmid_replace(tx: &mut Tx, books: &Books, pod: &CloudPod) -> Result<Verdict> {
    let (server, now) = (server_of(pod)?, books.clock.now());
    if let Some(vmid) = pod.vmid {
        books.servers.vmid_mark_foreign(tx, server, vmid, pod.id).await?;
        store::pod_vmid_set(tx, pod.id, None, now).await?;
    }
    match books.servers.vmid_take(tx, server, pod.id).await {
        Ok(vmid) => {
            store::pod_vmid_set(tx, pod.id, Some(vmid), now).await?;
            Ok(Verdict::Retry)
        }
        Err(Error::NoCapacity(_) | Error::Conflict { .. }) => Ok(Verdict::Fail),
        Err(error) => Err(error),
    }
}

/// One network card for each network that the addresses are in: those with IPv4 first, the oldest pool first. Without addresses one card
/// on the server's bridge: the guest asks DHCP.
pub(super) fn nics(addresses: &[AllocatedAddress], bridge_default: &str) -> Vec<Nic> {
    let mut by_network: BTreeMap<(String, Option<u16>), Vec<&AllocatedAddress>> = BTreeMap::new();
    for address in addresses {
        let bridge = address.bridge.clone().unwrap_or_else(|| bridge_default.to_owned());
        by_network.entry((bridge, address.vlan)).or_default().push(address);
    }
    if by_network.is_empty() {
        by_network.insert((bridge_default.to_owned(), None), Vec::new());
    }
    let mut networks: Vec<_> = by_network.into_iter().collect();
    // Not by the names of bridges, which differ from server to server: a card keeps its number where its VM is moved to.
    networks.sort_by_key(|(_, addresses)| {
        (!addresses.iter().any(|a| a.family == 4), addresses.iter().map(|address| address.pool).min())
    });
    let gateway = |addresses: &[&AllocatedAddress], family| {
        addresses.iter().find(|a| a.family == family).map(|a| a.gateway.to_string()).unwrap_or_default()
    };
    networks
        .into_iter()
        .zip(0..)
        .map(|(((bridge, vlan), addresses), index)| Nic {
            index,
            bridge,
            vlan: vlan.map(u32::from),
            mac: String::new(),
            addresses: addresses.iter().map(|a| format!("{}/{}", a.address, a.prefix_length)).collect(),
            gateway4: gateway(&addresses, 4),
            gateway6: gateway(&addresses, 6),
            rate_mbps: 0.0,
        })
        .collect()
}

fn nameservers(addresses: &[AllocatedAddress]) -> Vec<String> {
    let mut servers: Vec<String> = Vec::new();
    for server in addresses.iter().flat_map(|a| &a.dns) {
        let server = server.to_string();
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    servers
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::clock::Ms;
    use crate::ids::IpPoolId;

    fn address(pool: u128, address: &str, bridge: Option<&str>) -> AllocatedAddress {
        AllocatedAddress {
            pool: IpPoolId(Uuid::from_u128(pool)),
            pool_name: format!("pool-{pool}"),
            family: if address.contains(':') { 6 } else { 4 },
            address: address.parse().unwrap(),
            prefix_length: 24,
            gateway: address.parse().unwrap(),
            dns: Vec::new(),
            bridge: bridge.map(str::to_owned),
            vlan: None,
            allocated_at: Ms(0),
        }
    }

    #[test]
    fn a_card_keeps_its_number_on_a_server_whose_bridge_has_another_name() {
        let held = [
            address(3, "2001:db8::7", Some("vmbr8")),
            address(2, "192.0.2.7", Some("vmbr1")),
            address(1, "198.51.100.7", None),
        ];
        for (bridge, bridges) in [("vmbr0", ["vmbr0", "vmbr1", "vmbr8"]), ("vmbr9", ["vmbr9", "vmbr1", "vmbr8"])] {
            let cards = nics(&held, bridge);
            let found: Vec<_> = cards.iter().map(|card| card.bridge.as_str()).collect();
            assert_eq!(found, bridges);
            let addresses: Vec<_> = cards.iter().map(|card| card.addresses[0].as_str()).collect();
            assert_eq!(addresses, ["198.51.100.7/24", "192.0.2.7/24", "2001:db8::7/24"], "{bridge}");
        }
    }
}
