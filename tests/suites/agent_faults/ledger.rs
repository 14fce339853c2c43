//! The disk under the agent's ledger: full, read-only, or no longer holding what was written.

use mpanel_tests::daemon::Daemon;
use mpanel_tests::fleet::{DEADLINE, Fleet, Hosts, PODS};
use mpanel_tests::several::Several;
use mpanel_tests::small_disk::SmallDisk;
use mpanel_tests::{databases, eventually};
use serde_json::{Value, json};

use super::{CLONE, PROGRAMS, active_once, agent_says, check_of, held_clone, job_until, server_until};

/// More than a job's tries.
const REFUSALS: usize = 12;
/// Before it was tried to write, and after.
const FULL: &[&str] = &["MiB are free", "No space left on device"];

fn waits_for_ledger(job: &Value) -> bool {
    job["state"] == "queued" && job["error"]["code"] == "agent_ledger"
}

/// A fleet whose agent has its state on a small disk; `None`: there can be none here.
async fn on_a_small_disk(database: mpanel_tests::TestDatabase) -> Option<(Several, SmallDisk)> {
    let disk = SmallDisk::mount(32)?;
    let settings = [("MPANEL__JOBS__RETRY_MAX", "300ms")];
    let mut fleet = Several::as_applies(PROGRAMS, database, Hosts::Apart(1), &settings).await;
    let host = &mut fleet.hosts[0];
    host.agent.kill().await;
    let copied = std::process::Command::new("cp").arg("-a").arg(host.state_dir.join(".")).arg(disk.path()).status();
    assert!(copied.unwrap().success());
    disk.path().clone_into(&mut host.state_dir);
    host.agent_start(&[]);
    server_until(&fleet, "is online", |server| server["connection"]["state"] == "online").await;
    Some((fleet, disk))
}

/// The agent takes nothing on, and says so wherever it is asked.
async fn says_why(fleet: &Fleet, whys: &[&str]) {
    let why = |text: &Value| text.as_str().is_some_and(|text| whys.iter().any(|why| text.contains(why)));
    server_until(fleet, "is there and shows that it takes nothing on, and why", |server| {
        server["problem"].as_str().is_some_and(|text| text.contains("accepts no commands"))
            && why(&server["problem"])
            && server["connection"]["state"] == "online"
    })
    .await;
    let check = check_of(fleet, "ledger").await;
    assert_eq!(check["state"], "fail", "{check:#}");
    assert!(why(&check["message"]), "{check:#}");
    assert!(check["advice"].as_str().unwrap().contains("free space"), "{check:#}");
}

/// A pod that was there before.
async fn settled(fleet: &Fleet) -> String {
    let id = fleet.create_answered("old", "key-old").await;
    fleet.pod_until(&id, &["active"]).await;
    id
}

/// No new pod is placed there, and the answer says why.
async fn takes_no_pods(fleet: &Fleet, whys: &[&str]) {
    let answer = fleet.api.post(PODS, &json!({ "name": "new", "plan": "small", "image": "debian" })).await;
    let problem = answer.expect_problem(507, "no_capacity").to_string();
    assert!(problem.contains("accepts no commands") && whys.iter().any(|why| problem.contains(why)), "{problem}");
}

/// Something that is asked for meanwhile waits.
async fn stop_asked(fleet: &Fleet, pod: &str) {
    fleet.api.post(&format!("{PODS}/{pod}/stop"), &json!({})).await.expect(202);
    job_until(fleet, pod, "waits", waits_for_ledger).await;
}

async fn is_well(fleet: &Fleet) {
    server_until(fleet, "is well", |server| server["problem"].is_null() && server["connection"]["state"] == "online")
        .await;
    assert_eq!(check_of(fleet, "ledger").await["state"], "ok");
}

/// Waits until the agent has refused more commands than a job has tries.
async fn refused_again_and_again(fleet: &Fleet) {
    let before = fleet.hosts[0].agent.times_said("refused");
    agent_says(fleet, "refused", before + REFUSALS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_full_disk_the_agent_takes_nothing_on_says_why_and_goes_on_when_there_is_room() {
    for database in databases().await {
        let Some((mut fleet, disk)) = on_a_small_disk(database).await else { return };
        let old = settled(&fleet).await;
        let under_way = held_clone(&fleet, "under-way").await;
        disk.fill();
        says_why(&fleet, FULL).await;
        takes_no_pods(&fleet, FULL).await;
        stop_asked(&fleet, &old).await;
        // What Proxmox does already comes to its end, and is told.
        fleet.hosts[0].sim.faults().release();
        let job = job_until(&fleet, &under_way, "waits with its next step", waits_for_ledger).await;
        assert!(job["progress"].as_u64().unwrap() > 0, "{job:#}");
        refused_again_and_again(&fleet).await;
        let host = &mut fleet.hosts[0];
        host.agent.kill().await;
        host.agent_start(&[]);
        says_why(&fleet, FULL).await;
        refused_again_and_again(&fleet).await;
        for id in [&under_way, &old] {
            assert!(job_until(&fleet, id, "still waits", waits_for_ledger).await["attempt"].as_u64() < Some(8));
        }
        disk.make_room();
        is_well(&fleet).await;
        fleet.pod_until(&under_way, &["active", "failed"]).await;
        job_until(&fleet, &old, "is done", |job| job["state"] == "succeeded").await;
        active_once(&fleet, &under_way, 2, 2).await;
        assert_eq!(fleet.hosts[0].sim.faults().count("POST", CLONE), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_read_only_disk_the_agent_takes_nothing_on_says_why_and_goes_on_when_it_can_write() {
    for database in databases().await {
        let Some((mut fleet, disk)) = on_a_small_disk(database).await else { return };
        let old = settled(&fleet).await;
        let under_way = held_clone(&fleet, "under-way").await;
        fleet.hosts[0].agent.kill().await;
        disk.read_only();
        fleet.hosts[0].agent_start(&[]);
        says_why(&fleet, &["Read-only"]).await;
        fleet.hosts[0].sim.faults().release();
        takes_no_pods(&fleet, &["Read-only"]).await;
        stop_asked(&fleet, &old).await;
        refused_again_and_again(&fleet).await;
        disk.writable();
        is_well(&fleet).await;
        fleet.pod_until(&under_way, &["active", "failed"]).await;
        job_until(&fleet, &old, "is done", |job| job["state"] == "succeeded").await;
        active_once(&fleet, &under_way, 2, 2).await;
        assert_eq!(fleet.hosts[0].sim.faults().count("POST", CLONE), 2);
    }
}

/// What becomes of the file; `None`: it is gone.
type Damage = fn(Vec<u8>) -> Option<Vec<u8>>;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_torn_ledger_lost_is_looked_up_in_proxmox() {
    let damages: [(&str, Damage); 5] = [
        ("tail torn off", |mut file| {
            file.truncate(file.len() / 2);
            Some(file)
        }),
        ("last page torn", |mut file| {
            file.truncate(file.len() - 4096);
            Some(file)
        }),
        ("garbled", |file| Some(file.iter().map(|byte| byte ^ 0x5a).collect())),
        ("empty", |_| Some(Vec::new())),
        ("gone", |_| None),
    ];
    for database in databases().await {
        let mut fleet = Fleet::start(PROGRAMS, database, 1).await;
        for (n, (damage, apply)) in damages.into_iter().enumerate() {
            let id = held_clone(&fleet, &format!("pod-{n}")).await;
            let host = &mut fleet.hosts[0];
            host.agent.kill().await;
            let found =
                |agent: &Daemon| agent.times_said("INFO started ") + agent.times_said("goes on after a restart");
            let before = found(&host.agent);
            let path = host.state_dir.join("ledger.redb");
            match apply(std::fs::read(&path).unwrap()) {
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            host.agent_start(&[]);
            // The command comes again, and its clone, which still runs, is found.
            let agent = &fleet.hosts[0].agent;
            eventually(damage, DEADLINE, async || (found(agent) > before).then_some(())).await;
            fleet.hosts[0].sim.faults().release();
            active_once(&fleet, &id, n + 1, n + 1).await;
            assert_eq!(fleet.hosts[0].sim.faults().count("POST", CLONE), n + 1, "{damage}");
        }
    }
}
