//! A server's record: registering, changing, listing, deleting, testing; and the same over REST.

use std::collections::BTreeMap;
use std::time::Duration;

use control_plane::app::{App, Surroundings};
use control_plane::config::Config;
use control_plane::db::Window;
use control_plane::domain::secrets::Secret;
use control_plane::domain::servers::service::ServerFilter;
use control_plane::domain::servers::{
    Check, CheckState, ConnectionState, ProbeReport, SchedulingState, ServerPatch, StatusChange, StorageOffer,
};
use control_plane::domain::sort::AgeOrName;
use control_plane::error::Error;
use mpanel_tests::databases;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{actor, code, each, fields, inventory, server_named, vm};

#[tokio::test]
async fn a_server_that_makes_no_sense_is_refused_by_field() {
    each(|books| async move {
        let mut input = server_named("-pve");
        input.region = Some("a b".into());
        input.labels = BTreeMap::from([("k y".into(), "v".into()), ("long".into(), "v".repeat(64))]);
        input.bridge = Some("a-very-long-bridge".into());
        (input.vmid_min, input.vmid_max) = (Some(99), Some(50));
        (input.cpu_threads, input.cpu_overcommit) = (Some(0), Some(f64::NAN));
        (input.memory_mib, input.pod_limit) = (Some(1), Some(1_000_000));
        let offer = |name: &str, disk_gib| StorageOffer { name: name.into(), disk_gib };
        input.storages = vec![offer("1x", None), offer("local", Some(0)), offer("local", None)];
        let error = books.servers.server_create(&actor(), input).await.unwrap_err();
        assert_eq!(
            fields(&error),
            [
                "name",
                "region",
                "labels.k y",
                "labels.long",
                "bridge",
                "vmid_min",
                "vmid_max",
                "vmid_max",
                "cpu_threads",
                "cpu_overcommit",
                "memory_mib",
                "pod_limit",
                "storages[0].name",
                "storages[1].disk_gib",
                "storages[2].name"
            ]
        );
        books.server_pending("pve1").await;
        let twice = books.servers.server_create(&actor(), server_named("pve1")).await.unwrap_err();
        assert_eq!(code(&twice), "server_name_taken", "{}", books.name);
        assert_eq!(code(&books.servers.server_show("no\0where").await.unwrap_err()), "not_found");
    })
    .await;
}

#[tokio::test]
async fn a_change_is_made_by_whoever_read_last_and_keeps_vmids_in_the_range() {
    each(|books| async move {
        let server = books.server("pve1").await;
        let patch = ServerPatch {
            name: Some("pve-one".into()),
            cpu_threads: Some(Some(4)),
            cpu_overcommit: Some(2.0),
            memory_mib: Some(Some(4096)),
            storages: Some(vec![StorageOffer { name: "other".into(), disk_gib: Some(500) }]),
            ..ServerPatch::default()
        };
        let changed = books.servers.server_update(&actor(), server.id, Some(1), patch.clone()).await.unwrap();
        assert_eq!((changed.vcpu_capacity(), changed.memory_capacity_mib(), changed.version), (8, 4096, 2));
        let offered: Vec<_> = changed.storages.iter().filter(|s| s.offered).map(|s| s.name.as_str()).collect();
        assert_eq!(offered, ["other"], "{}", books.name);
        let stale = books.servers.server_update(&actor(), server.id, Some(1), patch).await;
        assert!(matches!(stale, Err(Error::Stale)));
        let reset = ServerPatch { cpu_threads: Some(None), memory_mib: Some(None), ..ServerPatch::default() };
        let changed = books.servers.server_update(&actor(), server.id, Some(2), reset).await.unwrap();
        assert_eq!((changed.vcpu_capacity(), changed.memory_capacity_mib()), (16, 16 * 1024));

        let pod = books.pod().await;
        let mut tx = books.db.begin().await.unwrap();
        assert_eq!(books.servers.vmid_take(&mut tx, server.id, pod).await.unwrap(), 10_000);
        tx.commit().await.unwrap();
        let range = ServerPatch { vmid_min: Some(20_000), ..ServerPatch::default() };
        let error = books.servers.server_update(&actor(), server.id, None, range).await.unwrap_err();
        assert_eq!(fields(&error), ["vmid_min"]);
        assert!(error.to_string().contains("10000"), "{error}");
        assert_eq!(books.again(&server).await.vmid_min, 10_000);
    })
    .await;
}

#[tokio::test]
async fn a_server_is_deleted_only_when_nothing_is_held_on_it() {
    each(|books| async move {
        let server = books.server("pve1").await;
        let pod = books.pod().await;
        let mut tx = books.db.begin().await.unwrap();
        assert!(books.servers.reservation_hold(&mut tx, pod, server.id, "local", 1, 1, 1).await.unwrap());
        tx.commit().await.unwrap();
        let held = books.servers.server_delete(&actor(), server.id, None, None).await.unwrap_err();
        assert_eq!(code(&held), "server_in_use");
        assert!(held.to_string().contains(&pod.to_string()), "{held}");
        let mut tx = books.db.begin().await.unwrap();
        books.servers.reservation_release(&mut tx, pod).await.unwrap();
        let epoch = books.again(&server).await.seen.session_epoch;
        let mut seen = inventory(&[]);
        seen.vms.push(control_plane::domain::servers::InventoryVm { pod: Some(pod), ..vm(10_000) });
        assert!(books.servers.inventory_record(&mut tx, server.id, epoch, &seen).await.unwrap());
        tx.commit().await.unwrap();
        let held = books.servers.server_delete(&actor(), server.id, None, None).await.unwrap_err();
        assert!(held.to_string().contains("1 VM(s)"), "{held}");
        let mut tx = books.db.begin().await.unwrap();
        assert!(books.servers.inventory_record(&mut tx, server.id, epoch, &inventory(&[])).await.unwrap());
        tx.commit().await.unwrap();
        books.servers.server_delete(&actor(), server.id, Some(server.version), None).await.unwrap();
        assert_eq!(code(&books.servers.server_show("pve1").await.unwrap_err()), "not_found");
        let again = books.server("pve1").await;
        assert_ne!(again.id, server.id, "the name is free again ({})", books.name);
    })
    .await;
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    each(|books| async move {
        for (name, region, disk) in [("b", "eu", "ssd"), ("a", "us", "ssd"), ("c", "eu", "hdd")] {
            let mut input = server_named(name);
            input.region = Some(region.into());
            input.labels = BTreeMap::from([("disk.type".into(), disk.into())]);
            books.servers.server_create(&actor(), input).await.unwrap();
        }
        let list = async |filter: ServerFilter, sort| {
            let mut names = String::new();
            let mut after = None;
            loop {
                let page = books.servers.server_list(&filter, sort, Window { limit: 2, after }).await.unwrap();
                let Some(last) = page.last() else { return names };
                after = Some((last.name.clone(), last.id));
                names.extend(page.iter().map(|s| s.name.as_str()));
            }
        };
        let all = ServerFilter::default;
        assert_eq!(list(all(), AgeOrName::Name).await, "abc");
        assert_eq!(list(all(), AgeOrName::NameBackwards).await, "cba");
        assert_eq!(list(all(), AgeOrName::Oldest).await, "bac");
        assert_eq!(list(all(), AgeOrName::Newest).await, "cab");
        let eu = ServerFilter { region: Some("eu".into()), ..all() };
        assert_eq!(list(eu, AgeOrName::Name).await, "bc", "{}", books.name);
        let begins = |begin: &str| ServerFilter { name_prefix: Some(begin.into()), ..all() };
        assert_eq!(list(begins("b"), AgeOrName::NameBackwards).await, "b", "{}", books.name);
        assert_eq!(list(begins("%"), AgeOrName::Oldest).await, "", "it is no pattern");
        let ssd = ServerFilter { label: Some(("disk.type".into(), "ssd".into())), ..all() };
        assert_eq!(list(ssd, AgeOrName::Name).await, "ab", "{}", books.name);
        let online = ServerFilter { connection: Some(ConnectionState::Online), ..all() };
        assert_eq!(list(online, AgeOrName::Name).await, "");
        let open = ServerFilter { scheduling: Some(SchedulingState::Online), ..all() };
        assert_eq!(list(open, AgeOrName::Oldest).await, "bac");
    })
    .await;
}

#[tokio::test]
async fn a_status_has_a_reason_and_a_drain_a_deadline_to_come() {
    each(|books| async move {
        let server = books.server("pve1").await;
        let now = books.clock.now();
        let change = |status, deadline| StatusChange { status, reason: "disk".into(), deadline };
        for bad in [
            change(SchedulingState::Locked, Some(now.plus(Duration::from_secs(9)))),
            change(SchedulingState::Draining, Some(now)),
        ] {
            let error = books.servers.server_status_set(&actor(), server.id, None, bad).await.unwrap_err();
            assert_eq!(fields(&error), ["deadline"]);
        }
        let draining = change(SchedulingState::Draining, Some(now.plus(Duration::from_mins(1))));
        let after = books.servers.server_status_set(&actor(), server.id, Some(1), draining.clone()).await.unwrap();
        assert_eq!((after.scheduling.state, after.scheduling.reason.as_str()), (SchedulingState::Draining, "disk"));
        books.clock.advance(Duration::from_secs(1));
        let again = books.servers.server_status_set(&actor(), server.id, None, draining).await.unwrap();
        assert_eq!(again.scheduling.since, now, "repeating it is harmless ({})", books.name);
    })
    .await;
}

#[tokio::test]
async fn a_connection_test_says_what_can_be_said() {
    each(|books| async move {
        let names = |checks: &[Check]| checks.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
        let server = books.server_pending("pve1").await;
        let away = books.servers.server_test_connection(&server, vec![]).await.unwrap();
        assert_eq!(names(&away.checks), ["session", "certificate", "agent_version", "record", "agent"]);
        assert_eq!(away.state, CheckState::Fail);
        assert!(away.checks.iter().all(|c| (c.state == CheckState::Ok) == c.advice.is_empty()), "{:?}", away.checks);

        let server = books.server("pve2").await;
        let mut tx = books.db.begin().await.unwrap();
        let not_after = books.clock.now().plus(Duration::from_hours(24));
        books.servers.certificate_record(&mut tx, server.id, "01", not_after).await.unwrap();
        tx.commit().await.unwrap();
        let check = Check {
            name: "proxmox".into(),
            state: CheckState::Ok,
            took_ms: 3,
            message: "9.1.9".into(),
            advice: String::new(),
        };
        let report = ProbeReport {
            checks: vec![check],
            round_trip: Duration::from_millis(7),
            clock: Some(books.clock.now()),
            complete: true,
        };
        *books.agents.report.lock().unwrap() = Some(report.clone());
        let here = books.servers.server_test_connection(&server, vec![9000]).await.unwrap();
        let expected = ["session", "round_trip", "clock", "certificate", "agent_version", "record", "proxmox"];
        assert_eq!(names(&here.checks), expected);
        assert_eq!(here.state, CheckState::Ok, "{:?}", here.checks);
        let asked = books.agents.asked.lock().unwrap().last().cloned().unwrap();
        assert_eq!(
            (asked.storages, asked.bridges, asked.templates),
            (vec!["local".into()], vec!["vmbr0".into()], vec![9000])
        );
        *books.agents.report.lock().unwrap() = Some(ProbeReport { complete: false, ..report });
        let cut = books.servers.server_test_connection(&server, vec![]).await.unwrap();
        assert_eq!(cut.state, CheckState::Fail, "{}", books.name);
    })
    .await;
}

struct Api {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Api {
    async fn send(
        &self,
        method: Method,
        path: &str,
        tag: Option<&str>,
        body: Option<Value>,
    ) -> (StatusCode, Value, Option<String>) {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let tag = response.headers().get("etag").map(|t| t.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null), tag)
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let (status, body, _) = self.send(Method::POST, path, None, Some(body)).await;
        (status, body)
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let (status, body, _) = self.send(Method::GET, path, None, None).await;
        (status, body)
    }
}

#[tokio::test]
async fn the_books_over_rest() {
    rustls::crypto::ring::default_provider().install_default().ok();
    for database in databases().await {
        let token = "t".repeat(40);
        let mut config = Config::default();
        config.database.url.clone_from(&database.url);
        config.http.listen = ([127, 0, 0, 1], 0).into();
        config.agents.listen = ([127, 0, 0, 1], 0).into();
        let surroundings = Surroundings {
            bootstrap_token: Some(Secret::new(token.clone())),
            secret_key: Some(Secret::new("ab".repeat(32))),
            ..Surroundings::default()
        };
        let running = App::start(config, surroundings).await.unwrap();
        let api = Api { client: reqwest::Client::new(), url: running.url(), token };
        servers_over_rest(&api).await;
        catalogue_over_rest(&api).await;
        running.shutdown().await;
    }
}

async fn servers_over_rest(api: &Api) {
    let servers = "/api/platform/servers";
    let new = json!({"name": "pve1", "labels": {"disk": "ssd"}, "storages": [{"name": "local"}]});
    let (status, made) = api.post(servers, new).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert!(made["enrolment"]["command"].as_str().unwrap().starts_with("mpanel-agent enroll --control-plane https://"));
    assert_eq!(made["server"]["connection"]["state"], "pending");
    assert_eq!(made["server"]["scheduling"]["state"], "online");
    let (status, shown, tag) = api.send(Method::GET, &format!("{servers}/pve1"), None, None).await;
    assert_eq!((status, tag.as_deref()), (StatusCode::OK, Some("\"1\"")));
    assert_eq!(shown, made["server"]);
    let by_id = format!("{servers}/{}", shown["id"].as_str().unwrap());
    assert_eq!(api.get(&by_id).await.1, shown);

    let patch = Some(json!({"memory_mib": 4096, "cpu_threads": null}));
    let (status, changed, tag) = api.send(Method::PATCH, &by_id, Some("\"1\""), patch.clone()).await;
    assert_eq!((status, tag.as_deref(), &changed["memory_mib"]), (StatusCode::OK, Some("\"2\""), &json!(4096)));
    assert_eq!(api.send(Method::PATCH, &by_id, Some("\"1\""), patch).await.0, StatusCode::PRECONDITION_FAILED);
    let unknown = Some(json!({"memory_mb": 1}));
    let (status, problem, _) = api.send(Method::PATCH, &by_id, None, unknown).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("memory_mb")));
    for query in ["?label=disk=ssd&sort=-name&limit=1", "?connection=pending&scheduling=online&region=default"] {
        let (status, page) = api.get(&format!("{servers}{query}")).await;
        assert_eq!((status, &page["items"][0]["name"]), (StatusCode::OK, &json!("pve1")), "{page}");
    }
    assert_eq!(api.get(&format!("{servers}?label=disk")).await.0, StatusCode::UNPROCESSABLE_ENTITY);

    let (status, answer) = api.post(&format!("{by_id}/status"), json!({"status": "draining", "reason": "fan"})).await;
    assert_eq!((status, &answer["server"]["scheduling"]["state"]), (StatusCode::ACCEPTED, &json!("draining")));
    let (status, answer) = api.post(&format!("{by_id}/status"), json!({"status": "online"})).await;
    assert_eq!((status, &answer["server"]["scheduling"]["state"]), (StatusCode::OK, &json!("online")));
    let (status, test) = api.post(&format!("{by_id}/test-connection"), json!({})).await;
    assert_eq!((status, &test["state"]), (StatusCode::OK, &json!("fail")), "{test}");
    let (status, health) = api.get(&format!("{by_id}/health?limit=5")).await;
    assert_eq!((status, health), (StatusCode::OK, json!({"step_s": null, "items": [], "truncated": false})));
    assert_eq!(api.post(&format!("{by_id}/enrolment-token"), json!({})).await.0, StatusCode::CREATED);
    assert_eq!(api.post(&format!("{by_id}/revoke"), json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(api.send(Method::DELETE, &by_id, None, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(api.get(&by_id).await.0, StatusCode::NOT_FOUND);
}

async fn catalogue_over_rest(api: &Api) {
    let pool = json!({"name": "public", "cidr": "192.0.2.0/24", "gateway": "192.0.2.1", "dns": ["192.0.2.53"]});
    let image = json!({"name": "debian", "default_user": "debian", "template_vmid": 9000});
    let plan = json!({"name": "small", "vcpu": 1, "memory_mib": 1024, "disk_gib": 10});
    for (path, new, patch, field) in [
        ("/api/platform/ip-pools", pool, json!({"vlan": 7}), "vlan"),
        ("/api/platform/images", image, json!({"min_disk_gib": 5}), "min_disk_gib"),
        ("/api/platform/plans", plan, json!({"price_minor": 900}), "price_minor"),
    ] {
        let (status, made) = api.post(path, new.clone()).await;
        assert_eq!(status, StatusCode::CREATED, "{path}: {made}");
        assert_eq!(api.post(path, new.clone()).await.0.as_u16() / 100, 4, "{path}: twice");
        let one = format!("{path}/{}", made["name"].as_str().unwrap());
        let (status, shown, tag) = api.send(Method::GET, &one, None, None).await;
        assert_eq!((status, &shown, tag.as_deref()), (StatusCode::OK, &made, Some("\"1\"")), "{path}");
        let (status, changed, _) = api.send(Method::PATCH, &one, Some("\"1\""), Some(patch.clone())).await;
        assert_eq!((status, &changed[field]), (StatusCode::OK, &patch[field]), "{path}: {changed}");
        assert_eq!(api.send(Method::PATCH, &one, Some("\"1\""), Some(patch)).await.0, StatusCode::PRECONDITION_FAILED);
        let (_, page) = api.get(&format!("{path}?active=true&limit=1")).await;
        assert_eq!((&page["items"][0], &page["next_page_token"]), (&changed, &Value::Null), "{path}");
        if path.ends_with("ip-pools") {
            assert_eq!((&changed["size"], &changed["free"]), (&json!(253), &json!(253)));
            assert_eq!(api.get(&format!("{one}/addresses")).await.1["items"], json!([]));
        }
        assert_eq!(api.send(Method::DELETE, &one, Some("\"2\""), None).await.0, StatusCode::NO_CONTENT, "{path}");
        assert_eq!(api.get(&one).await.0, StatusCode::NOT_FOUND);
    }
    let (status, tenants) = api.get("/api/admin/tenants").await;
    assert_eq!((status, &tenants["items"][0]["name"]), (StatusCode::OK, &json!("Default")));
}
