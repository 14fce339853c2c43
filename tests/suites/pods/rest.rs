//! CloudPods over REST, with a server that is in the books but has no agent: what needs none happens, the rest waits.

use control_plane::domain::jobs::Power;
use control_plane::domain::servers::{Admission, Heartbeat, Hello, Inventory, StorageSeen};
use control_plane::ids::ServerId;
use mpanel_tests::pod_bench::{SOON, SSH_KEY, TEMPLATE, vm};
use mpanel_tests::{Api, TestApp, databases, eventually};
use serde_json::{Value, json};

const PODS: &str = "/api/admin/hosting/cloudpods";

/// A plan, an image, a pool.
async fn catalogue_make(api: &Api) {
    let plan = json!({ "name": "small", "vcpu": 2, "memory_mib": 4096, "disk_gib": 20, "price_minor": 500, "currency": "EUR" });
    api.post("/api/platform/plans", &plan).await.expect(201);
    let image = json!({ "name": "debian", "os": "Debian 13", "default_user": "debian", "min_disk_gib": 10, "template_vmid": TEMPLATE });
    api.post("/api/platform/images", &image).await.expect(201);
    let pool = json!({ "name": "public", "cidr": "192.0.2.0/24", "gateway": "192.0.2.1", "dns": ["192.0.2.53"] });
    api.post("/api/platform/ip-pools", &pool).await.expect(201);
}

/// A server that the books hold for online.
async fn server_make(app: &TestApp) -> String {
    let body = json!({ "name": "pve1", "region": "eu", "storages": [{ "name": "local", "disk_gib": 100 }] });
    let made = app.api.post("/api/platform/servers", &body).await.expect(201);
    let id = [&made["server"]["id"], &made["id"]].into_iter().find_map(Value::as_str).unwrap().to_owned();
    let server: ServerId = id.parse().unwrap();
    let running = &app.running.app;
    let mut tx = running.db.begin().await.unwrap();
    let hello = Hello { agent_version: "1".into(), boot_id: "b".into(), machine_id: "m".into() };
    let admission = running.servers.session_open(&mut tx, server, &hello, running.instance).await.unwrap();
    let Admission::Opened(epoch) = admission else { panic!("{admission:?}") };
    let vms = vec![vm(TEMPLATE, None, Power::Stopped, true)];
    let inventory = Inventory { full: true, vms, ..Inventory::default() };
    assert!(running.servers.inventory_record(&mut tx, server, epoch, &inventory).await.unwrap());
    tx.commit().await.unwrap();
    let storage = StorageSeen { name: "local".into(), active: true, holds_images: true, ..StorageSeen::default() };
    let heartbeat = Heartbeat {
        cpu_threads: 8,
        memory_total_mib: 32_768,
        storages: vec![StorageSeen { total_mib: 1 << 20, ..storage }],
        node_name: "pve1".into(),
        quorate: true,
        ..Heartbeat::default()
    };
    running.servers.heartbeat_record(server, epoch, heartbeat).await.unwrap();
    id
}

/// The server's agent is heard again, with this wrong.
async fn heard(app: &TestApp, server: &str, wrong: Heartbeat) {
    let server: ServerId = server.parse().unwrap();
    let servers = &app.running.app.servers;
    let epoch = servers.session_epoch(server).await.unwrap().expect("there is such a server");
    let (well, _) = servers.heartbeat_newest(server).expect("it was heard before");
    let Heartbeat { pve_error, ledger_error, .. } = wrong;
    let heartbeat = if pve_error.is_empty() {
        Heartbeat { ledger_error, ..well }
    } else {
        Heartbeat { pve_error, ..Heartbeat::default() }
    };
    servers.heartbeat_record(server, epoch, heartbeat).await.unwrap();
}

#[tokio::test]
async fn a_pod_is_placed_while_proxmox_is_silent_for_a_moment_and_not_where_the_agent_takes_nothing_on() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let api = &app.api;
        catalogue_make(api).await;
        let server = server_make(&app).await;
        let full = || Heartbeat { ledger_error: "No space left on device".into(), ..Heartbeat::default() };
        heard(&app, &server, full()).await;
        let refused = api.post(PODS, &wanted("web-1")).await;
        let problem = refused.expect_problem(507, "no_capacity");
        let (field, message) = (&problem["errors"][0]["field"], problem["errors"][0]["message"].as_str().unwrap());
        assert_eq!(field, "pve1", "{}", database.name);
        assert!(message.contains("accepts no commands") && message.contains("No space left on device"), "{message}");
        let preview = api
            .post("/api/platform/provisioning/placement-preview", &json!({ "plan": "small", "image": "debian" }))
            .await;
        assert_eq!(preview.expect(200)["explanation"]["considered"][0]["reasons"][0]["code"], "refuses");
        heard(&app, &server, Heartbeat::default()).await;

        heard(&app, &server, Heartbeat { pve_error: "connection refused".into(), ..Heartbeat::default() }).await;
        let shown = api.get("/api/platform/servers/pve1").await.expect(200);
        assert!(shown["problem"].as_str().unwrap().contains("connection refused"), "{shown}");
        assert!(shown["host"]["proxmox_silent_since"].is_string(), "{shown}");
        api.post(PODS, &wanted("web-1")).await.expect(202);
        app.stop().await;
    }
}

fn wanted(name: &str) -> Value {
    json!({ "name": name, "plan": "small", "image": "debian", "ssh_keys": [SSH_KEY], "ip_pools": ["public"] })
}

/// What is wrong with the request for a move is named; and there is nowhere to go.
async fn move_is_refused(api: &Api, pod: &str) {
    let migrate = format!("{pod}/migrate");
    for (body, field) in [
        (json!({ "server": "pve9" }), "server"),
        (json!({ "server": "pve1" }), "server"),
        (json!({ "storage": "no such" }), "storage"),
        (json!({ "method": "teleport" }), "method"),
        (json!({ "shutdown_s": 4 }), "shutdown_s"),
        (json!({ "allow_shutdown": "yes" }), "allow_shutdown"),
        (json!({ "online": true }), "online"),
    ] {
        assert!(!api.post(&migrate, &body).await.expect_field(field).is_empty(), "{body}");
    }
    api.post(&migrate, &json!({})).await.expect_problem(409, "no_other_server");
}

#[tokio::test]
async fn a_pod_goes_from_202_to_deleted_over_rest() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let api = &app.api;
        catalogue_make(api).await;
        let none = api.post(PODS, &wanted("web-1")).await;
        let problem = none.expect_problem(507, "no_capacity");
        assert!(
            problem["errors"][0]["message"].as_str().unwrap().starts_with("no server is registered"),
            "{}",
            none.text
        );
        let server = server_make(&app).await;

        let preview = json!({ "plan": "small", "image": "debian" });
        let preview = api.post("/api/platform/provisioning/placement-preview", &preview).await.expect(200);
        assert_eq!((&preview["server"]["id"], &preview["storage"]), (&json!(server), &json!("local")));

        let made = api.post_keyed(PODS, "once", &wanted("web-1")).await;
        let again = api.post_keyed(PODS, "once", &wanted("web-1")).await;
        assert_eq!((made.status, &made.body), (again.status, &again.body), "{}", database.name);
        let location = made.header("location").to_owned();
        let body = made.expect(202);
        assert_eq!(location, format!("/api/platform/provisioning/jobs/{}", body["job"]["id"].as_str().unwrap()));
        assert_eq!((&body["cloudpod"]["state"], &body["job"]["kind"]), (&json!("requested"), &json!("provision")));
        assert_eq!(body["job"]["steps"].as_array().unwrap().len(), 9);
        let pod = format!("{PODS}/{}", body["cloudpod"]["id"].as_str().unwrap());
        api.post(PODS, &wanted("web-1")).await.expect_problem(409, "cloudpod_name_taken");

        let waiting = eventually("the clone waits for the agent", SOON, async || {
            let job = api.get(&location).await.expect(200);
            (job["waits_for"]["server_id"] == server.as_str()).then_some(job)
        })
        .await;
        assert_eq!(waiting["step"], "clone", "{waiting}");
        let placed = api.get(&pod).await.expect(200);
        assert_eq!((&placed["server"]["name"], &placed["state"]), (&json!("pve1"), &json!("provisioning")));
        assert_eq!(placed["addresses"][0]["pool"]["name"], "public", "{placed}");
        assert_eq!(placed["vmid"], 10_000, "{placed}");
        let why = api.get(&format!("{pod}/placement")).await.expect(200);
        assert_eq!(why["explanation"]["considered"][0]["verdict"], "chosen", "{why}");
        for prefix in ["/api/provisioning/cloudpods", "/api/platform/provisioning/cloudpods", PODS] {
            let list =
                api.get(&format!("{prefix}?server_id=pve1&state=provisioning&name_prefix=web")).await.expect(200);
            assert_eq!(list["items"], json!([placed]), "{prefix}");
        }
        api.post(&format!("{pod}/start"), &json!({})).await.expect_problem(409, "cloudpod_state");
        move_is_refused(api, &pod).await;
        api.patch(&pod, &json!({ "name": "web-2" })).await.expect_problem(409, "cloudpod_state");

        let deleted = api.delete(&pod).await.expect(202);
        let repeated = api.delete(&pod).await.expect(202);
        assert_eq!(deleted["job"]["id"], repeated["job"]["id"], "a repeated DELETE gives the same job");
        let gone = eventually("the pod is gone: nothing was sent, so that no agent is needed", SOON, async || {
            let pod = api.get(&pod).await.expect(200);
            (pod["state"] == "deleted").then_some(pod)
        })
        .await;
        assert_eq!((&gone["server"], &gone["vmid"], &gone["addresses"]), (&Value::Null, &Value::Null, &json!([])));
        assert_eq!(api.get(PODS).await.expect(200)["items"], json!([]));
        let late = api.delete(&pod).await.expect(202);
        assert_eq!((&late["job"]["id"], &late["job"]["state"]), (&deleted["job"]["id"], &json!("succeeded")));
        app.stop().await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named() {
    let (app, _database) = TestApp::start().await;
    let api = &app.api;
    catalogue_make(api).await;
    let mut wrong = wanted("Web 1");
    wrong["plan"] = json!("huge");
    wrong["ssh_keys"] = json!(["hello"]);
    let answer = api.post(PODS, &wrong).await;
    for (field, says) in [("name", "DNS label"), ("plan", "huge"), ("ssh_keys[0]", "type of the key")] {
        let message = answer.expect_field(field);
        assert!(message.contains(says), "{field}: {message}");
    }
    for (change, field) in [
        (json!({ "colour": "red" }), "colour"),
        (json!({ "placement": { "rack": 1 } }), "placement.rack"),
        (json!({ "placement": { "anti_affinity": "yes" } }), "placement.anti_affinity"),
        (json!({ "name": 5 }), "name"),
        (json!({ "name": "a\u{0}" }), "name"),
    ] {
        let mut body = wanted("web-1");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let message = api.post(PODS, &body).await.expect_field(field);
        assert!(!message.is_empty());
    }
    for (query, field) in [("state=gone", "state"), ("limit=0", "limit"), ("server_id=pve9", "server_id"), ("x=1", "x")]
    {
        let message = api.get(&format!("{PODS}?{query}")).await.expect_field(field);
        assert!(!message.is_empty());
    }
    for path in ["nonsense", "0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e10"] {
        api.get(&format!("{PODS}/{path}")).await.expect_problem(404, "not_found");
        api.post(&format!("{PODS}/{path}/stop"), &json!({})).await.expect_problem(404, "not_found");
        api.post(&format!("{PODS}/{path}/migrate"), &json!({})).await.expect_problem(404, "not_found");
    }
    app.stop().await;
}
