//! VMs that somebody moved, stopped, renamed, deleted or gave another network in Proxmox.

use control_plane::db::Db;
use control_plane::fetch_one;
use mpanel_tests::fleet::{DEADLINE, Fleet, Hosts};
use mpanel_tests::several::Several;
use mpanel_tests::{TestDatabase, databases, eventually};
use serde_json::{Value, json};

use super::PROGRAMS;

/// The open differences of these kinds, once there is one of each.
async fn drift_until(fleet: &Fleet, kinds: &[&str]) -> Vec<Value> {
    let mut last = Value::Null;
    let wanted = format!("drift of the kinds {kinds:?}");
    let start = std::time::Instant::now();
    eventually(&wanted, DEADLINE * 2, async || {
        last = fleet.api.get("/api/platform/drift?limit=100").await.expect(200)["items"].clone();
        assert!(start.elapsed() < DEADLINE, "no {wanted}: {last:#}");
        let open = last.as_array()?;
        kinds.iter().all(|kind| open.iter().any(|drift| drift["kind"] == *kind)).then(|| open.clone())
    })
    .await
}

/// Waits until each agent has looked at its host twice.
async fn looks(fleet: &Fleet) {
    let faults = fleet.hosts[0].sim.faults();
    let of = |host: &str| faults.count("GET", &format!("/nodes/{host}/qemu"));
    let before = [of("pve1"), of("pve2")];
    eventually("two further looks at each host", DEADLINE, async || {
        (of("pve1") >= before[0] + 3 && of("pve2") >= before[1] + 3).then_some(())
    })
    .await;
}

/// Waits until the control plane has stored what each pod's VM is called.
async fn names_known(fleet: &Fleet) {
    const UNKNOWN: &str = "SELECT COUNT(*) FROM cloudpods WHERE vm_name IS NULL";
    let db = Db::open(&fleet.database.url).await.unwrap();
    eventually("each VM's name to be stored", DEADLINE, async || {
        let mut read = db.read().await.unwrap();
        let (unknown,) = fetch_one!(read.conn(), (i64,), UNKNOWN).unwrap();
        (unknown == 0).then_some(())
    })
    .await;
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_by_hand_is_shown_and_nothing_is_deleted_to_match() {
    for database in databases().await {
        let fleet = Several::as_applies(PROGRAMS, database, Hosts::Cluster(2), &[]).await;
        let hand = fleet.hosts[0].sim.hand();
        let mut pods = Vec::new();
        for name in ["moved", "stopped", "renamed", "deleted"] {
            let id = fleet.create_answered(name, name).await;
            let pod = fleet.pod_until(&id, &["active", "failed"]).await;
            assert_eq!(pod["state"], "active", "{pod:#}");
            pods.push((id, u32::try_from(pod["vmid"].as_u64().unwrap()).unwrap(), pod["server"]["name"].clone()));
        }
        // As they are wanted, once; what a VM is called then is what a later name differs from.
        looks(&fleet).await;
        names_known(&fleet).await;
        let [moved, stopped, renamed, deleted] = [0, 1, 2, 3].map(|n: usize| pods[n].1);
        let elsewhere = if pods[0].2 == "pve1" { "pve2" } else { "pve1" };
        assert!(hand.stop_vm(moved) && hand.move_vm(moved, elsewhere));
        assert!(hand.stop_vm(stopped));
        assert!(hand.rename_vm(renamed, "by-hand"));
        assert!(hand.delete_vm(deleted));
        let open = drift_until(&fleet, &["moved", "power", "renamed", "vm_missing"]).await;
        for drift in &open {
            assert!(drift["cure"].as_str().is_some_and(|cure| !cure.is_empty()), "{drift:#}");
        }
        // After another look at everything all of it is as the hand left it.
        looks(&fleet).await;
        assert_eq!(hand.vm(moved).map(|vm| vm.node), Some(elsewhere.to_owned()));
        assert_eq!(hand.vm(renamed).map(|vm| vm.name), Some("by-hand".to_owned()));
        assert!(hand.vm(stopped).is_some() && hand.vm(deleted).is_none());
        for (id, vmid, server) in &pods {
            let pod = fleet.pod_until(id, &["active"]).await;
            assert_eq!((pod["vmid"].as_u64(), &pod["server"]["name"]), (Some(u64::from(*vmid)), server), "{pod:#}");
        }
        let deletes = fleet.hosts[0].sim.faults().count("DELETE", "/nodes/*/qemu/*");
        assert_eq!(deletes, 0, "nothing is deleted to match");
    }
}

async fn nothing_differs(fleet: &Fleet) {
    eventually("nothing to differ", DEADLINE, async || {
        let left = fleet.api.get("/api/platform/drift").await.expect(200);
        left["items"].as_array()?.is_empty().then_some(())
    })
    .await;
}

/// Has what differs put right, until that job is over.
async fn heal(fleet: &Fleet, drift: &Value) {
    assert_eq!(drift["actions"], json!(["heal"]), "{drift:#}");
    let id = drift["id"].as_str().unwrap();
    let healed = fleet.api.post(&format!("/api/platform/drift/{id}/heal"), &json!({})).await.expect(202);
    let job = format!("/api/platform/provisioning/jobs/{}", healed["job"]["id"].as_str().unwrap());
    eventually("the job to be over", DEADLINE, async || {
        let job = fleet.api.get(&job).await.expect(200);
        assert_ne!(job["state"], "failed", "{job:#}");
        (job["state"] == "succeeded").then_some(())
    })
    .await;
}

/// A fleet that is told of its VMs every two seconds, and the VMID of its pod.
async fn with_a_pod(database: TestDatabase) -> (Fleet, u32) {
    let mut fleet = Fleet::start(PROGRAMS, database, 1).await;
    let id = fleet.create_answered("web", "web").await;
    let pod = fleet.pod_until(&id, &["active"]).await;
    let vmid = u32::try_from(pod["vmid"].as_u64().unwrap()).unwrap();
    fleet.control_restart(&[("MPANEL__AGENTS__INVENTORY_INTERVAL", "2s")]).await;
    (fleet, vmid)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_s_network_that_is_changed_by_hand_is_shown_and_put_right() {
    for database in databases().await {
        let (fleet, vmid) = with_a_pod(database).await;
        let hand = fleet.hosts[0].sim.hand();
        let card = || {
            let config = hand.vm(vmid).unwrap().config;
            let mut parts: Vec<_> = config["net0"].as_str().unwrap().split(',').map(str::to_owned).collect();
            parts.sort_unstable();
            (parts, config["net1"].is_null())
        };
        let before = card();
        assert!(before.0.contains(&"firewall=1".to_owned()), "{before:?}");
        nothing_differs(&fleet).await;

        // Another MAC address and VLAN, past the firewall, further VLANs, the plug pulled; a second card; its guest may forge what it
        // likes.
        let by_hand = "virtio=BC:24:11:AA:AA:0A,bridge=vmbr0,link_down=1,tag=7,trunks=5;8-9";
        assert!(hand.set_config(vmid, "net0", Some(by_hand)));
        assert!(hand.set_config(vmid, "net1", Some("virtio=BC:24:11:AA:AA:0B,bridge=vmbr0,firewall=1")));
        assert!(hand.set_firewall_option(vmid, "macfilter", Some("0")));
        let open = drift_until(&fleet, &["network", "firewall"]).await;
        assert_eq!(open.len(), 2, "{open:#?}");
        let of = |kind: &str| open.iter().find(|drift| drift["kind"] == kind).unwrap();
        let (network, firewall) = (of("network"), of("firewall"));
        let second = json!({ "bridge": "vmbr0", "vlan": null, "mac": "BC:24:11:AA:AA:0B" });
        let first = json!({ "vlan": 7, "mac": "BC:24:11:AA:AA:0A", "link_down": true, "trunks": "5;8-9" });
        let seen = json!({ "net0": first, "net1": second });
        assert_eq!(network["seen"], seen, "{network:#}");
        assert_eq!((&network["expected"]["net0"]["vlan"], &network["expected"]["net1"]), (&Value::Null, &Value::Null));
        assert_eq!(firewall["expected"], json!({ "mac_filter": true, "unfiltered": [] }), "{firewall:#}");
        assert_eq!(firewall["seen"], json!({ "mac_filter": false, "unfiltered": ["net0"] }));
        assert!(firewall["cure"].as_str().unwrap().contains("security"), "{firewall:#}");

        heal(&fleet, firewall).await;
        heal(&fleet, network).await;
        nothing_differs(&fleet).await;
        assert_eq!(card(), before, "as it was given to it");
        assert_eq!(hand.firewall_option(vmid, "macfilter").as_deref(), Some("1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_that_is_no_longer_to_start_with_its_host_is_shown_with_the_next_inventory() {
    for database in databases().await {
        let (fleet, vmid) = with_a_pod(database).await;
        // The agent knows the VM as it is wanted.
        let (sim, config) = (fleet.hosts[0].sim.clone(), format!("/nodes/pve1/qemu/{vmid}/config"));
        let reads = async |more: usize| {
            let before = sim.faults().count("GET", &config);
            eventually("its configuration to be read anew", DEADLINE, async || {
                (sim.faults().count("GET", &config) >= before + more).then_some(())
            })
            .await;
        };
        reads(2).await;
        assert!(sim.hand().set_config(vmid, "onboot", Some("0")));
        let open = drift_until(&fleet, &["autostart"]).await;
        assert!(open.iter().all(|drift| drift["kind"] == "autostart" && drift["vmid"] == vmid), "{open:#?}");
        assert!(sim.hand().set_config(vmid, "onboot", Some("1")));
        nothing_differs(&fleet).await;
    }
}
