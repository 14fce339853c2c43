//! Lost hosts with real processes: a control plane, agents, and simulated Proxmox VE. What an operator does goes through the CLI.

use mpanel_tests::app::try_send;
use mpanel_tests::fleet::{DEADLINE, Fleet, PODS, Programs};
use mpanel_tests::{TestDatabase, eventually};
use serde_json::{Value, json};

const PROGRAMS: Programs =
    Programs { control: env!("CARGO_BIN_EXE_mpanel-faulty"), agent: env!("CARGO_BIN_EXE_mpanel-agent-faulty") };

async fn server_until(fleet: &Fleet, server: &str, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    eventually(what, DEADLINE, async || {
        let request = fleet.api.request(reqwest::Method::GET, &format!("/api/platform/servers/{server}"));
        let answer = try_send(request).await.ok()?;
        (answer.status == 200 && so(&answer.body)).then_some(answer.body)
    })
    .await
}

async fn drifts(fleet: &Fleet) -> Vec<Value> {
    let page = fleet.api.get("/api/platform/drift").await.expect(200);
    page["items"].as_array().expect("items").clone()
}

/// The open difference of this kind on a server, once it is there.
async fn drift_until(fleet: &Fleet, kind: &str, server: &str) -> Value {
    eventually("the difference to be listed", DEADLINE, async || {
        drifts(fleet).await.into_iter().find(|drift| drift["kind"] == kind && drift["server"]["name"] == server)
    })
    .await
}

fn vmid_of(pod: &Value) -> u32 {
    pod["vmid"].as_u64().and_then(|vmid| u32::try_from(vmid).ok()).expect("a VMID")
}

/// A pod on the first host.
async fn pod(fleet: &Fleet, name: &str) -> Value {
    let id = fleet.create_answered(name, name).await;
    let pod = fleet.pod_until(&id, &["active"]).await;
    assert_eq!(pod["server"]["name"], "pve1", "{pod}");
    pod
}

async fn shown(fleet: &Fleet, pod: &Value) -> Value {
    fleet.api.get(&format!("{PODS}/{}", pod["id"].as_str().expect("an id"))).await.expect(200)
}

/// The first host's agent is stopped and, once the host counts as offline, killed.
async fn falls_silent(fleet: &mut Fleet) {
    fleet.hosts[0].agent.signal("STOP");
    for state in ["suspect", "offline"] {
        server_until(fleet, "pve1", state, |server| server["connection"]["state"] == state).await;
    }
    fleet.hosts[0].agent.kill().await;
}

/// Each database has a test of its own, so that they run beside each other.
macro_rules! on_each_database {
    ($($case:ident: $sqlite:ident, $postgres:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $sqlite() {
            $case(TestDatabase::sqlite()).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn $postgres() {
            match TestDatabase::postgres().await {
                Some(database) => $case(database).await,
                None => eprintln!("MPANEL_TEST_POSTGRES_URL is not set: nothing was tested (tests/run sets it)"),
            }
        }
    )*};
}

on_each_database! {
    returns_and_is_fenced:
        a_host_that_was_declared_lost_and_returns_stops_its_stale_copies_before_anything_else,
        a_host_that_was_declared_lost_and_returns_stops_its_stale_copies_before_anything_else_on_postgresql;
    comes_up_elsewhere:
        a_vm_on_shared_storage_is_taken_where_somebody_brought_it_up_and_stays_there,
        a_vm_on_shared_storage_is_taken_where_somebody_brought_it_up_and_stays_there_on_postgresql;
}

#[allow(clippy::too_many_lines, reason = "one story, told from its beginning to its end")]
async fn returns_and_is_fenced(database: TestDatabase) {
    let mut fleet = Fleet::start_cluster(PROGRAMS, database, 2).await;
    fleet.cli("server lock pve2").await.ok();
    let (kept, bare) = (pod(&fleet, "web-1").await, pod(&fleet, "web-2").await);
    fleet.cli("server online pve2").await.ok();
    fleet.cli("backup make web-1 --storage shared --wait").await.ok();
    let refused = fleet.cli("server declare-lost pve1 --reason burnt --confirm pve1").await.fails(3);
    assert!(refused.contains("is connected"), "{refused}");

    // Its agent is cut off. With a longer heartbeat there is time to see it suspected.
    fleet.control_restart(&[("MPANEL__AGENTS__HEARTBEAT_INTERVAL", "3s")]).await;
    server_until(&fleet, "pve1", "the agent to be back", |server| server["connection"]["state"] == "online").await;
    falls_silent(&mut fleet).await;
    let reboot = fleet.api.post(&format!("{PODS}/{}/reboot", kept["id"].as_str().expect("an id")), &json!({})).await;
    let reboot = reboot.expect(202)["job"]["id"].as_str().expect("a job").to_owned();
    let waiting = server_until(&fleet, "pve1", "what waits for it", |server| server["waiting_jobs"] == 1).await;
    assert_eq!(waiting["lost_at"], Value::Null);

    let mistyped = fleet.cli("server declare-lost pve1 --reason burnt --confirm pve2").await.fails(3);
    assert!(mistyped.contains("confirm: must be pve1"), "{mistyped}");
    fleet.cli("server declare-lost pve1 --reason burnt --confirm pve1").await.ok();
    let ended = eventually("what waited for it to end", DEADLINE, async || {
        let job = fleet.api.get(&format!("/api/platform/provisioning/jobs/{reboot}")).await.expect(200);
        (job["state"] == "failed").then_some(job)
    })
    .await;
    assert_eq!(ended["error"]["code"], "server_lost", "{ended}");
    assert_eq!(
        (shown(&fleet, &kept).await["state"].as_str(), shown(&fleet, &bare).await["state"].as_str()),
        (Some("failed"), Some("failed"))
    );
    fleet.cli("backup restore web-1 latest --yes --wait").await.ok();
    let restored = shown(&fleet, &kept).await;
    assert_eq!((&restored["state"], &restored["server"]["name"]), (&json!("active"), &json!("pve2")), "{restored}");
    assert_eq!(restored["addresses"], kept["addresses"]);
    assert_ne!(restored["vmid"], kept["vmid"]);

    // Meanwhile somebody has taken the stamp off the VM of the other pod.
    let (stale, unmarked) = (vmid_of(&kept), vmid_of(&bare));
    let sim = fleet.hosts[0].sim.clone();
    let hand = sim.hand();
    let stamp = hand.vm(unmarked).expect("it is there").config["description"].as_str().expect("a stamp").to_owned();
    assert!(hand.set_config(unmarked, "description", Some("my web server")));
    assert!(hand.vm(stale).is_some_and(|vm| vm.running), "the host was not lost at all");
    sim.faults().forget_calls();
    fleet.hosts[0].agent_start(&[]);
    let back = server_until(&fleet, "pve1", "it to be fenced", |server| server["lost_at"].is_null()).await;
    let done: Vec<_> = sim.faults().calls().into_iter().filter(|call| call.method != "GET").collect();
    let first = done.iter().find(|call| call.path.starts_with("/nodes/pve1/")).expect("something was done");
    assert_eq!(first.path, format!("/nodes/pve1/qemu/{stale}/status/stop"), "before anything else: {done:?}");
    assert!(hand.vm(stale).is_some_and(|vm| !vm.running), "the stale copy is stopped");
    assert!(hand.vm(vmid_of(&restored)).is_some_and(|vm| vm.running && vm.node == "pve2"), "the good one runs");
    assert!(hand.vm(unmarked).is_some_and(|vm| vm.running), "who bears no stamp is left alone");
    let problem = back["problem"].as_str().unwrap_or_default();
    assert!(problem.contains("was not stopped") && problem.contains(&unmarked.to_string()), "{back}");

    // The host has work again: the copy is listed, and goes when somebody says so.
    let copy = drift_until(&fleet, "duplicate", "pve1").await;
    assert_eq!((&copy["vmid"], &copy["actions"]), (&json!(stale), &json!(["release", "destroy"])));
    let destroy = format!("drift destroy {} --confirm pve1/{stale} --yes --wait", copy["id"].as_str().expect("an id"));
    fleet.cli(&destroy).await.ok();
    assert!(hand.vm(stale).is_none());
    // With its stamp it is known again, and fenced when the agent comes the next time.
    assert!(hand.set_config(unmarked, "description", Some(&stamp)));
    fleet.hosts[0].agent.kill().await;
    fleet.hosts[0].agent_start(&[]);
    server_until(&fleet, "pve1", "nothing to be wrong", |server| {
        server["problem"].is_null() && server["connection"]["state"] == "online"
    })
    .await;
    assert!(hand.vm(unmarked).is_some_and(|vm| !vm.running));
    let orphan = drift_until(&fleet, "orphan", "pve1").await;
    fleet.cli(&format!("drift accept {} --wait", orphan["id"].as_str().expect("an id"))).await.ok();
    let again = shown(&fleet, &bare).await;
    assert_eq!((&again["state"], &again["vmid"]), (&json!("active"), &bare["vmid"]), "{again}");
    fleet.cli("pod start web-2 --wait").await.ok();
    eventually("nothing to differ", DEADLINE, async || drifts(&fleet).await.is_empty().then_some(())).await;
    assert_eq!(fleet.invariants().await, 2);
}

async fn comes_up_elsewhere(database: TestDatabase) {
    let mut fleet = Fleet::start_cluster(PROGRAMS, database, 3).await;
    for server in ["pve1", "pve2", "pve3"] {
        let storages = json!({ "storages": [{ "name": "local" }, { "name": "shared" }] });
        fleet.api.patch(&format!("/api/platform/servers/{server}"), &storages).await.expect(200);
    }
    let wanted = json!({ "name": "web-1", "plan": "small", "image": "debian", "placement": { "server": "pve1", "storage": "shared" } });
    let made = fleet.api.post(PODS, &wanted).await.expect(202);
    let made = fleet.pod_until(made["cloudpod"]["id"].as_str().expect("an id"), &["active"]).await;
    assert_eq!((&made["server"]["name"], &made["storage"]), (&json!("pve1"), &json!("shared")), "{made}");
    let vmid = vmid_of(&made);

    // The node is gone; the operator has made sure that it stays off, and moves the VM's configuration.
    let sim = fleet.hosts[0].sim.clone();
    let hand = sim.hand();
    fleet.hosts[0].agent.kill().await;
    assert!(hand.unreachable("pve1", true));
    server_until(&fleet, "pve1", "it to be offline", |server| server["connection"]["state"] == "offline").await;
    assert!(hand.move_vm(vmid, "pve2") && hand.stop_vm(vmid) && hand.start_vm(vmid));
    let moved = drift_until(&fleet, "moved", "pve2").await;
    assert_eq!(moved["actions"], json!(["accept"]));
    fleet.cli("server declare-lost pve1 --reason burnt --confirm pve1").await.ok();
    let orphan = drift_until(&fleet, "orphan", "pve2").await;
    fleet.cli(&format!("drift accept {} --wait", orphan["id"].as_str().expect("an id"))).await.ok();
    let taken = shown(&fleet, &made).await;
    assert_eq!((&taken["state"], &taken["server"]["name"]), (&json!("active"), &json!("pve2")), "{taken}");
    for same in ["vmid", "storage", "addresses"] {
        assert_eq!(taken[same], made[same], "{same}");
    }

    // The old host returns: the VM is not its any more, and is not touched.
    assert!(hand.unreachable("pve1", false));
    fleet.hosts[0].agent_start(&[]);
    server_until(&fleet, "pve1", "it to be back", |server| {
        server["lost_at"].is_null() && server["problem"].is_null() && server["connection"]["state"] == "online"
    })
    .await;
    let vm = hand.vm(vmid).expect("it is there");
    assert!(vm.running && vm.node == "pve2", "{vm:?}");
    fleet.cli("pod reboot web-1 --wait").await.ok();
    eventually("nothing to differ", DEADLINE, async || drifts(&fleet).await.is_empty().then_some(())).await;
    assert_eq!(fleet.invariants().await, 1);
}
