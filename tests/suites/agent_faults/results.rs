//! Results that come late, and undos that cannot finish, as an operator sees them.

use std::process::Command;

use mpanel_tests::app::TOKEN;
use mpanel_tests::databases;
use mpanel_tests::eventually;
use mpanel_tests::fleet::{DEADLINE, Fleet, Hosts, PODS};
use mpanel_tests::several::Several;
use pve_sim::{Action, Fault, TaskAction};
use serde_json::{Value, json};

use super::{CLONE, PROGRAMS, active_once, job_until};

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_comes_again_is_acknowledged_ignored_and_counted() {
    for database in databases().await {
        let mut fleet = Several::as_applies(PROGRAMS, database, Hosts::Apart(1), &[]).await;
        // A control plane dies once the clone's result is stored and before the agent is told so: the agent tells it again, where
        // there is another one, to that.
        fleet.dies_at("result.stored");
        fleet.create_answered("pod", "key").await;
        let dead = fleet.died().await;
        let id = fleet.create_answered("pod", "key").await;
        active_once(&fleet, &id, 1, 1).await;
        fleet.returns(dead).await;
        let late = "mpanel_results_late_total";
        eventually("the late result to be counted", DEADLINE, async || {
            (fleet.counted(late).await >= 1.0).then_some(())
        })
        .await;
        // Acknowledged: it is not told a third time.
        let before = fleet.counted(late).await;
        let second = fleet.create_answered("second", "second").await;
        active_once(&fleet, &second, 2, 2).await;
        assert!((fleet.counted(late).await - before).abs() < 0.5, "it is told again and again");
        assert_eq!(fleet.hosts[0].sim.faults().count("POST", CLONE), 2);
    }
}

/// What the command line prints of it.
fn mpanel(fleet: &Fleet, line: &str) -> String {
    let mut command = Command::new(PROGRAMS.control);
    command.env_clear().env("HOME", "/nonexistent").env("MPANEL_URL", &fleet.api.url).env("MPANEL_TOKEN", TOKEN);
    let output = command.args(line.split(' ')).output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["checks"].as_array().expect("checks").iter().find(|check| check["name"] == name).expect("the check")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_that_fails_for_good_is_stuck_shown_and_retryable_and_what_it_holds_stays_held() {
    for database in databases().await {
        let settings = [("MPANEL__JOBS__RETRY_MAX", "200ms")];
        let fleet = Several::as_applies(PROGRAMS, database, Hosts::Apart(1), &settings).await;
        let faults = fleet.hosts[0].sim.faults();
        // The clone is made, its configuration is refused, and its VM cannot be removed.
        let refused = Action::Status { status: 400, reason: "Parameter verification failed.".to_owned() };
        faults.next("PUT", "/nodes/*/qemu/*/config", 50, refused.clone());
        faults.next("POST", "/nodes/*/qemu/*/config", 50, refused);
        let broken = Action::Status { status: 500, reason: "unable to remove: device is busy".to_owned() };
        let (method, path) = (Some("DELETE".to_owned()), "/nodes/*/qemu/*".to_owned());
        faults.add(Fault { method, path, skip: 0, times: None, action: broken });
        let id = fleet.create_answered("pod", "pod").await;
        let job = job_until(&fleet, &id, "is stuck", |job| job["state"] == "stuck").await;
        let job_id = job["id"].as_str().unwrap().to_owned();
        assert_eq!(job["retryable"], true, "{job:#}");
        assert!(
            job["error"]["detail"].as_str().unwrap().contains("Parameter verification"),
            "the first cause: {job:#}"
        );
        // Alerted.
        for plane in &fleet.planes {
            assert!((plane.api.metric("mpanel_jobs{state=\"stuck\"").await - 1.0).abs() < 0.5);
        }
        assert!(fleet.counted("mpanel_jobs_ended_total{kind=\"provision\",state=\"stuck\"").await >= 1.0);
        let report = fleet.api.get("/api/platform/invariants").await.expect(200);
        let stuck = check(&report, "jobs_stuck");
        assert_eq!((&report["ok"], &stuck["ok"]), (&json!(false), &json!(false)), "{report:#}");
        assert!(stuck["items"].to_string().contains(&job_id), "{stuck:#}");
        // Held, and listed.
        let pod = fleet.api.get(&format!("{PODS}/{id}")).await.expect(200);
        assert!(pod["vmid"].is_u64() && pod["server"]["name"] == "pve1", "{pod:#}");
        assert_eq!(fleet.api.get("/api/platform/ip-pools/lan").await.expect(200)["allocated"], 1);
        assert_eq!(fleet.api.get("/api/platform/servers/pve1").await.expect(200)["reserved"]["pods"], 1);
        assert!(check(&report, "capacity")["ok"] == true && check(&report, "addresses")["ok"] == true, "{report:#}");
        // On the command line.
        assert!(mpanel(&fleet, "job list --stuck").contains(&job_id), "{}", mpanel(&fleet, "job list --stuck"));
        assert!(mpanel(&fleet, &format!("job log {job_id}")).contains("device is busy"));
        assert!(mpanel(&fleet, "invariants").contains("stuck"), "{}", mpanel(&fleet, "invariants"));
        // Somebody mends the host, and has it tried again.
        faults.clear();
        let said = mpanel(&fleet, &format!("job retry {job_id} --wait"));
        let pod = fleet.pod_until(&id, &["failed"]).await;
        assert!(pod["failure"].as_str().unwrap().contains("Parameter verification"), "{pod:#}");
        job_until(&fleet, &id, "ends", |job| job["state"] == "failed").await;
        assert_eq!(fleet.invariants().await, 0, "{said}");
        assert!(fleet.counted("mpanel_jobs{state=\"stuck\"").await.abs() < 0.5);
        let log = mpanel(&fleet, &format!("job log {job_id} --limit 1000"));
        let of = |which: &str, words: &str| log.lines().any(|line| line.contains(which) && line.contains(words));
        assert!(of(" undo clone #2  ", "device is busy"), "each line says which try it is of: {log}");
        assert!(of(" undo clone #1, retry 1  ", ""), "and which retry: {log}");
        assert!(of(" configure #1  ", "Parameter verification"), "{log}");
        let again = fleet.create_answered("again", "again").await;
        fleet.hosts[0].sim.faults().next_task("qmclone", TaskAction::Warnings { count: 1 });
        fleet.pod_until(&again, &["active"]).await;
    }
}
