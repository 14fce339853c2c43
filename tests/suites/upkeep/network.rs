//! Network cards and firewalls that somebody changed by hand: shown, and put right where they were given by mPanel.

use std::sync::Arc;
use std::time::Duration;

use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::operations::{FirewallPut, Resize};
use control_plane::domain::cloudpods::upkeep::CloudPodAdopt;
use control_plane::domain::drift::service::Service;
use control_plane::domain::drift::{Kind, Policy};
use control_plane::domain::firewall::Policy as FirewallPolicy;
use control_plane::domain::ipam::IpPoolPatch;
use control_plane::domain::jobs::Power;
use control_plane::domain::jobs::command::{Configure, Nic};
use control_plane::domain::servers::{Card, FirewallOptions, InventoryVm};
use control_plane::ids::CloudPodId;
use mpanel_tests::databases;
use mpanel_tests::pod_bench::{PodBench, actor, vm};

use super::drift::{kinds, open, over, placed};

/// What the host of the pod's VM tells of its network, as it was given to it.
fn network_told(bench: &PodBench, id: CloudPodId, seen: &InventoryVm) -> InventoryVm {
    let (_, _, made) = bench.agents.vms().into_iter().find(|(.., vm)| vm.pod == Some(id)).unwrap();
    let (configure, firewall) = (made.configure.unwrap(), made.firewall.unwrap());
    let card = |nic: &Nic| Card {
        index: nic.index,
        bridge: nic.bridge.clone(),
        vlan: nic.vlan,
        mac: made.macs.get(&nic.index).cloned().unwrap_or_default(),
        firewall: true,
        link_down: false,
        trunks: String::new(),
    };
    let options = FirewallOptions {
        enabled: firewall.enabled,
        policy_in: Some(firewall.policy_in),
        policy_out: Some(firewall.policy_out),
        mac_filter: firewall.mac_filter,
        ip_filter: firewall.ip_filter,
    };
    let cards = Some(configure.nics.iter().map(card).collect());
    InventoryVm { cards, firewall: Some(options), ..seen.clone() }
}

fn card_changed(seen: &InventoryVm, change: impl Fn(&mut Card)) -> InventoryVm {
    let mut changed = seen.clone();
    change(&mut changed.cards.as_mut().unwrap()[0]);
    changed
}

#[tokio::test]
async fn another_network_is_shown_and_put_right_also_while_the_pod_is_suspended() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (id, server, seen) = placed(&bench, "web-1").await;
        let told = network_told(&bench, id, &seen);
        let (_, _, made) = bench.agents.vms().into_iter().find(|(.., vm)| vm.pod == Some(id)).unwrap();
        assert!(made.configure.unwrap().exact_nics, "what other cards its template has is not its own");
        let own = &told.cards.as_ref().unwrap()[0];
        assert!(!own.mac.is_empty(), "{told:?}");
        bench.inventory(server, vec![told.clone()]).await;
        assert_eq!(open(&bench).await, [], "{}: as it was given", database.name);

        let forging = FirewallOptions { mac_filter: false, ..told.firewall.unwrap() };
        for (changed, kind) in [
            (card_changed(&told, |card| card.bridge = "vmbr7".into()), Kind::Network),
            (card_changed(&told, |card| card.vlan = Some(7)), Kind::Network),
            (card_changed(&told, |card| card.mac = "BC:24:11:FF:FF:01".into()), Kind::Network),
            (card_changed(&told, |card| card.link_down = true), Kind::Network),
            (card_changed(&told, |card| card.trunks = "5;7-9".into()), Kind::Network),
            (InventoryVm { cards: Some(Vec::new()), ..told.clone() }, Kind::Network),
            (card_changed(&told, |card| card.firewall = false), Kind::Firewall),
            (InventoryVm { firewall: Some(forging), ..told.clone() }, Kind::Firewall),
        ] {
            bench.inventory(server, vec![changed.clone()]).await;
            assert_eq!(kinds(&bench).await, [kind], "{} {changed:?}", database.name);
            assert_eq!(bench.drift.reconcile().await.unwrap().healed, 0, "not by itself, unless so configured");
            let drift = open(&bench).await.remove(0);
            let refused = bench.drift.drift_accept(&actor(), drift.id).await.unwrap_err();
            assert_eq!(refused.code(), "drift_action", "nobody wants that by a click");
            bench.inventory(server, vec![told.clone()]).await;
            assert_eq!(kinds(&bench).await, []);
            // An agent of before says nothing of it.
            bench.inventory(server, vec![seen.clone()]).await;
            assert_eq!(kinds(&bench).await, []);
        }

        let (_, suspend) = bench.pods.cloudpod_suspend(&actor(), Scope::Platform, id, "unpaid", 60).await.unwrap();
        over(&bench, &suspend).await;
        let off = InventoryVm { power: Power::Stopped, start_on_boot: false, firewall: Some(forging), ..told.clone() };
        bench.inventory(server, vec![card_changed(&off, |card| card.bridge = "vmbr7".into())]).await;
        assert_eq!(kinds(&bench).await, [Kind::Network, Kind::Firewall], "{}", database.name);
        bench.agents.vm_change(id, |vm| (vm.configure, vm.firewall) = (None, None));
        for (drift, kind) in open(&bench).await.iter().zip(["network", "firewall"]) {
            let (_, job) = bench.drift.drift_heal(&actor(), drift.id).await.unwrap();
            assert_eq!(job.kind, kind);
            over(&bench, &job).await;
        }
        let (_, _, vm) = bench.agents.vms().remove(0);
        let Configure { vcpu, memory_mib, nics, exact_nics, exact, start_on_boot, .. } = vm.configure.unwrap();
        assert_eq!((vcpu, memory_mib, exact_nics, exact, start_on_boot), (0, 0, true, false, false), "the cards alone");
        assert_eq!((&nics[0].bridge, nics[0].vlan, &nics[0].mac), (&own.bridge, own.vlan, &own.mac));
        assert!(!nics[0].addresses.is_empty(), "{nics:?}");
        assert!(vm.firewall.unwrap().mac_filter);
    }
}

#[tokio::test]
async fn a_network_that_is_not_told_leaves_what_differed_as_it_was_with_its_tries() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (id, server, seen) = placed(&bench, "web-1").await;
        let told = network_told(&bench, id, &seen);
        let forging = FirewallOptions { mac_filter: false, ..told.firewall.unwrap() };
        let elsewhere = card_changed(&told, |card| {
            card.bridge = "vmbr7".into();
            card.firewall = false;
        });
        let changed = InventoryVm { firewall: Some(forging), ..elsewhere };
        bench.inventory(server, vec![changed.clone()]).await;
        assert_eq!(kinds(&bench).await, [Kind::Network, Kind::Firewall], "{}", database.name);
        let (network, job) = bench.drift.drift_heal(&actor(), open(&bench).await[0].id).await.unwrap();
        over(&bench, &job).await;
        let before = open(&bench).await;
        assert_eq!(
            (before[0].id, before[0].heal_tries),
            (network.id, 1),
            "{}: it did not help: {before:#?}",
            database.name
        );
        for untold in [
            InventoryVm { cards: None, firewall: None, ..changed.clone() },
            // Its cards lead past a firewall whose options nobody knows.
            InventoryVm { firewall: None, ..changed.clone() },
            InventoryVm { cards: None, ..changed.clone() },
        ] {
            bench.inventory(server, vec![untold.clone()]).await;
            bench.drift.reconcile().await.unwrap();
            assert_eq!(open(&bench).await, before, "{}: {untold:?}", database.name);
            bench.inventory(server, vec![changed.clone()]).await;
            assert_eq!(open(&bench).await, before, "{}: the same as before {untold:?}", database.name);
        }
        bench.inventory(server, vec![told]).await;
        assert_eq!(kinds(&bench).await, [], "{}", database.name);
    }
}

#[tokio::test]
async fn a_network_is_put_right_by_itself_only_where_that_is_configured() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (id, server, seen) = placed(&bench, "web-1").await;
        let told = network_told(&bench, id, &seen);
        let forging = FirewallOptions { ip_filter: false, ..told.firewall.unwrap() };
        bench.inventory(server, vec![InventoryVm { firewall: Some(forging), ..told }]).await;
        let policy = Policy { grace: Duration::ZERO, heal_power: false, heal_network: true, heal_tries: 1 };
        let (pods, jobs) = (Arc::new(bench.pods.clone()), Arc::new(bench.jobs.clone()));
        let healing =
            Service::new(bench.db.clone(), bench.clock.clone(), bench.books.servers.clone(), pods, jobs, policy);
        assert_eq!(bench.drift.reconcile().await.unwrap().healed, 0, "{}", database.name);
        assert_eq!(healing.reconcile().await.unwrap().healed, 1, "{}", database.name);
        let drift = open(&bench).await.remove(0);
        let (job, _) = bench.jobs.job_get(Scope::Platform, drift.heal_job.unwrap()).await.unwrap();
        assert_eq!((drift.kind, job.kind.as_str()), (Kind::Firewall, "firewall"));
        over(&bench, &job).await;
        assert_eq!(healing.reconcile().await.unwrap().healed, 0, "so often and no more");
    }
}

#[tokio::test]
async fn a_network_that_a_job_changes_or_that_a_vm_came_with_is_no_drift() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (id, server, seen) = placed(&bench, "web-1").await;
        let told = network_told(&bench, id, &seen);
        let off = FirewallOptions { enabled: false, mac_filter: false, ..told.firewall.unwrap() };
        bench.agents.hold("set_firewall");
        let put =
            FirewallPut { policy: FirewallPolicy::default(), mac_filter: None, ip_filter: None, may_filter: false };
        let (_, job) = bench.pods.firewall_put(&actor(), Scope::Platform, id, None, put).await.unwrap();
        bench.out("set_firewall").await;
        let moved = card_changed(&told, |card| card.bridge = "vmbr7".into());
        bench.inventory(server, vec![InventoryVm { firewall: Some(off), ..moved.clone() }]).await;
        assert_eq!(kinds(&bench).await, [], "{}: a job may be doing it", database.name);
        bench.agents.release("set_firewall");
        over(&bench, &job).await;
        bench.inventory(server, vec![told.clone()]).await;
        assert_eq!(kinds(&bench).await, []);

        // A pod may be given other cards by its next job: that is what differs from then on.
        let pools = ["public", "public6"];
        for pool in pools {
            let bridge = IpPoolPatch { vlan: Some(Some(9)), ..IpPoolPatch::default() };
            bench.books.ipam.pool_update(&actor(), pool, None, bridge).await.unwrap();
        }
        bench.inventory(server, vec![told.clone()]).await;
        assert_eq!(kinds(&bench).await, [], "{}: it was not given to it yet", database.name);
        let resize = Resize { vcpu: Some(1), ..Resize::default() };
        let (_, job) = bench.pods.cloudpod_resize(&actor(), Scope::Platform, id, &resize).await.unwrap();
        over(&bench, &job).await;
        let given = InventoryVm { vcpu: 1, ..network_told(&bench, id, &seen) };
        assert_eq!(given.cards.as_ref().unwrap()[0].vlan, Some(9));
        bench.inventory(server, vec![given]).await;
        assert_eq!(kinds(&bench).await, []);

        let theirs = 150;
        bench.agents.foreign_vm(server, theirs);
        let foreign = vm(theirs, None, Power::Running, false);
        bench.inventory(server, vec![InventoryVm { vcpu: 1, ..told.clone() }, foreign.clone()]).await;
        let adopt = CloudPodAdopt {
            name: "ours".into(),
            server: "pve1".into(),
            vmid: theirs,
            plan: "small".into(),
            image: "debian".into(),
            ..CloudPodAdopt::default()
        };
        let (adopted, job) = bench.pods.cloudpod_adopt(&actor(), Scope::Platform, adopt).await.unwrap();
        over(&bench, &job).await;
        let resize = Resize { vcpu: Some(1), ..Resize::default() };
        let asked = bench.pods.cloudpod_resize(&actor(), Scope::Platform, adopted.pod.id, &resize).await;
        over(&bench, &asked.unwrap().1).await;
        let ours =
            InventoryVm { pod: Some(adopted.pod.id), vcpu: 1, firewall: Some(off), cards: moved.cards, ..foreign };
        bench.inventory(server, vec![ours]).await;
        let open = open(&bench).await;
        assert!(open.iter().all(|drift| drift.pod == id), "{}: {open:?}", database.name);
    }
}
