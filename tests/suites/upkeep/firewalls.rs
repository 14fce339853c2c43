//! Pods' firewalls over REST, with real processes: what is refused, what comes to the host, and that nothing is said to be in
//! effect that is not.

use mpanel_tests::app::send;
use mpanel_tests::fleet::{DEADLINE, Fleet, PODS, Programs};
use mpanel_tests::{Answer, databases, eventually};
use reqwest::Method;
use serde_json::{Value, json};

const PROGRAMS: Programs =
    Programs { control: env!("CARGO_BIN_EXE_mpanel-faulty"), agent: env!("CARGO_BIN_EXE_mpanel-agent-faulty") };

fn web() -> Value {
    let rule = json!({ "direction": "in", "action": "accept", "protocol": "tcp", "destination_ports": "80,443" });
    json!({ "policy_in": "drop", "rules": [rule] })
}

async fn put(fleet: &Fleet, path: &str, version: Option<&str>, body: &Value) -> Answer {
    let request = fleet.api.request(Method::PUT, path).json(body);
    send(match version {
        Some(version) => request.header("If-Match", version),
        None => request,
    })
    .await
}

/// The firewall as soon as it is in effect, or not.
async fn applied(fleet: &Fleet, path: &str, wanted: bool) -> Value {
    eventually(&format!("`applied` to be {wanted}"), DEADLINE, async || {
        let firewall = fleet.api.get(path).await.expect(200);
        assert_eq!(firewall["applied"] == true, firewall["not_applied_because"].is_null(), "{firewall}");
        (firewall["applied"] == wanted).then_some(firewall)
    })
    .await
}

async fn started(database: mpanel_tests::TestDatabase) -> (Fleet, String) {
    let fleet = Fleet::start(PROGRAMS, database, 1).await;
    let id = fleet.create_answered("web-1", "once").await;
    fleet.pod_until(&id, &["active"]).await;
    let path = format!("{PODS}/{id}/firewall");
    (fleet, path)
}

#[tokio::test]
async fn a_firewall_is_set_over_rest_and_brought_to_the_host() {
    for database in databases().await {
        let name = database.name;
        let (fleet, path) = started(database).await;
        let first = fleet.api.get(&path).await;
        let tag = first.header("etag").to_owned();
        let first = first.expect(200);
        assert_eq!(
            (&first["mac_filter"], &first["ip_filter"], &first["rules"]),
            (&json!(true), &json!(true), &json!([]))
        );
        assert_eq!((&first["applied"], &first["not_applied_because"]), (&json!(true), &Value::Null), "{name}");

        for (body, field) in [
            (json!({ "policy_in": "maybe" }), "policy_in"),
            (json!({ "colour": "red" }), "colour"),
            (
                json!({ "rules": [{ "direction": "in", "action": "accept", "source": "everywhere" }] }),
                "rules[0].source",
            ),
            (json!({ "rules": [{ "direction": "in" }] }), "rules[0].action"),
            (
                json!({ "rules": [{ "direction": "in", "action": "drop", "destination_ports": "80" }] }),
                "rules[0].destination_ports",
            ),
        ] {
            assert!(!put(&fleet, &path, None, &body).await.expect_field(field).is_empty(), "{body}");
        }
        let stranger = format!("{path}?tenant_id=0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e10");
        fleet.api.get(&stranger).await.expect_problem(404, "not_found");
        put(&fleet, &stranger, None, &web()).await.expect_problem(404, "not_found");
        put(&fleet, &path, Some("\"99\""), &web()).await.expect_problem(412, "stale");
        assert_eq!(fleet.api.get(&path).await.expect(200), first, "what was refused changed nothing");

        let answer = put(&fleet, &path, Some(&tag), &web()).await.expect(202);
        assert_eq!(answer["job"]["kind"], "firewall");
        let now = applied(&fleet, &path, true).await;
        assert_eq!(
            (&now["version"], &now["policy_in"], &now["rules"][0]["destination_ports"]),
            (&json!(2), &json!("drop"), &json!("80,443"))
        );
        let sim = &fleet.hosts[0].sim;
        let vm = sim.hand().vms().into_iter().find(|vm| !vm.template).unwrap();
        assert!(vm.config["net0"].as_str().unwrap().contains("firewall=1"), "{:?}", vm.config);
        fleet.invariants().await;
    }
}

#[tokio::test]
async fn a_firewall_without_effect_is_told_with_its_cure_until_it_has_one() {
    for database in databases().await {
        let name = database.name;
        let (fleet, path) = started(database).await;
        applied(&fleet, &path, true).await;
        let hand = fleet.hosts[0].sim.hand();
        hand.datacenter_firewall(false);
        let off = applied(&fleet, &path, false).await;
        let because = off["not_applied_because"].as_str().unwrap();
        for words in ["datacenter is off", "Datacenter → Firewall → Options → Firewall"] {
            assert!(because.contains(words), "{name}: {because}");
        }
        let server = fleet.api.get("/api/platform/servers/pve1").await.expect(200);
        assert_eq!(server["host"]["datacenter_firewall"], false);
        let report = fleet.api.get("/api/platform/invariants").await.expect(200);
        let broken: Vec<_> = report["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false).collect();
        let [check] = &broken[..] else { panic!("{name}: {broken:#?}") };
        assert_eq!(
            (&check["name"], &check["items"][0]["subject"]),
            (&json!("datacenter_firewalls"), &json!("server pve1"))
        );
        assert!(check["items"][0]["since"].is_string(), "{check:#}");
        let test = fleet.api.post("/api/platform/servers/pve1/test-connection", &json!({})).await.expect(200);
        let line = test["checks"].as_array().unwrap().iter().find(|check| check["name"] == "firewall").unwrap();
        assert_eq!(line["state"], "warn", "{line}");
        assert!(line["advice"].as_str().unwrap().contains("Datacenter → Firewall"), "{line}");

        // Nobody does anything to the pod.
        hand.datacenter_firewall(true);
        let on = applied(&fleet, &path, true).await;
        assert_eq!(on["version"], off["version"], "{name}");
        fleet.invariants().await;
    }
}
