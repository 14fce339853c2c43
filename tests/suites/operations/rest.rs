//! Each operation over REST: accepted with its job, refused with the field or the reason, hidden from other tenants, repeated once.

use mpanel_tests::app::{Answer, send};
use mpanel_tests::fleet::{DEADLINE, Fleet, PODS};
use mpanel_tests::pod_bench::SSH_KEY;
use mpanel_tests::{Api, TestDatabase, databases, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::{furnished, over};

/// One request, below the pod.
struct Ask {
    method: Method,
    path: &'static str,
    body: Value,
    /// The kind of the job that it makes.
    job: &'static str,
    /// What is wrong with other bodies: the field.
    wrong: &'static [(&'static str, &'static str)],
}

fn ask(
    method: Method,
    path: &'static str,
    body: Value,
    job: &'static str,
    wrong: &'static [(&'static str, &'static str)],
) -> Ask {
    Ask { method, path, body, job, wrong }
}

/// Every operation, in an order in which each finds the pod as it needs it.
#[allow(clippy::too_many_lines, reason = "a table")]
fn operations() -> Vec<Ask> {
    let (post, put, delete) = (|| Method::POST, || Method::PUT, || Method::DELETE);
    let rule = json!({ "direction": "in", "action": "accept", "protocol": "tcp", "destination_ports": "22" });
    vec![
        ask(
            post(),
            "snapshots",
            json!({ "name": "before" }),
            "snapshot",
            &[
                ("{}", "name"),
                (r#"{"name":"1st"}"#, "name"),
                (r#"{"name":"current"}"#, "name"),
                (r#"{"name":"ab","colour":1}"#, "colour"),
            ],
        ),
        ask(
            post(),
            "resize",
            json!({ "vcpu": 2, "memory_mib": 512, "disk_gib": 3, "restart": true }),
            "resize",
            &[
                ("{}", "plan"),
                (r#"{"plan":"huge"}"#, "plan"),
                (r#"{"plan":"small","vcpu":2}"#, "plan"),
                (r#"{"vcpu":0}"#, "vcpu"),
                (r#"{"vcpu":"two"}"#, "vcpu"),
                (r#"{"memory_mib":1}"#, "memory_mib"),
                (r#"{"disk_gib":1}"#, "disk_gib"),
            ],
        ),
        ask(
            put(),
            "ssh-keys",
            json!({ "ssh_keys": [SSH_KEY], "reboot": true }),
            "ssh_keys",
            &[("{}", "ssh_keys"), (r#"{"ssh_keys":["hello"]}"#, "ssh_keys[0]")],
        ),
        ask(
            post(),
            "media",
            json!({ "iso": "local:iso/rescue.iso" }),
            "media",
            &[(r#"{"iso":"local:iso/../a.iso"}"#, "iso"), (r#"{"boot_from_cd":true}"#, "boot_from_cd")],
        ),
        ask(post(), "media", json!({}), "media", &[]),
        ask(
            post(),
            "rescue",
            json!({ "iso": "local:iso/rescue.iso" }),
            "rescue",
            &[("{}", "iso"), (r#"{"iso":"rescue"}"#, "iso")],
        ),
        ask(post(), "unrescue", Value::Null, "unrescue", &[]),
        ask(
            put(),
            "firewall",
            json!({ "policy_in": "drop", "rules": [rule] }),
            "firewall",
            &[
                (r#"{"policy_in":"maybe"}"#, "policy_in"),
                (r#"{"rules":[{"direction":"in","action":"accept","source":"here"}]}"#, "rules[0].source"),
                (
                    r#"{"rules":[{"direction":"in","action":"accept","protocol":"tcp","destination_ports":"0"}]}"#,
                    "rules[0].destination_ports",
                ),
            ],
        ),
        ask(
            post(),
            "backups",
            json!({ "note": "the first" }),
            "backup",
            &[(r#"{"mode":"loud"}"#, "mode"), (r#"{"keep_days":0}"#, "keep_days")],
        ),
        ask(post(), "capture", json!({ "name": "golden" }), "capture", &[("{}", "name"), (r#"{"name":""}"#, "name")]),
        ask(post(), "snapshots/before/rollback", Value::Null, "rollback", &[]),
        ask(delete(), "snapshots/before", Value::Null, "delete_snapshot", &[]),
        ask(
            post(),
            "rebuild",
            json!({ "image": "debian" }),
            "rebuild",
            &[
                ("{}", "image"),
                (r#"{"image":"none"}"#, "image"),
                (r#"{"image":"debian","ssh_keys":["x"]}"#, "ssh_keys[0]"),
                (r#"{"image":"debian","user":"A b"}"#, "user"),
            ],
        ),
        ask(
            post(),
            "suspend",
            json!({ "reason": "unpaid", "timeout_s": 5 }),
            "suspend",
            &[("{}", "reason"), (r#"{"reason":""}"#, "reason"), (r#"{"reason":"unpaid","timeout_s":1}"#, "timeout_s")],
        ),
    ]
}

fn path(pod: &str, ask: &Ask) -> String {
    format!("{PODS}/{pod}/{}", ask.path)
}

async fn request(api: &Api, method: &Method, path: &str, body: &Value, key: Option<&str>) -> Answer {
    let mut request = api.request(method.clone(), path);
    if !body.is_null() {
        request = request.json(body);
    }
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    send(request).await
}

/// An unknown pod and another tenant's are the same to who asks: there is none.
async fn hidden(api: &Api, pod: &str, ask: &Ask) {
    let unknown = uuid::Uuid::now_v7().to_string();
    request(api, &ask.method, &path(&unknown, ask), &ask.body, None).await.expect_problem(404, "not_found");
    let other = format!("{}?tenant_id={unknown}", path(pod, ask));
    request(api, &ask.method, &other, &ask.body, None).await.expect_problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_is_accepted_with_its_job_once_and_refused_with_the_reason() {
    for database in databases().await {
        let (fleet, pod) = furnished(database).await;
        let api = &fleet.api;
        let all = operations();
        for (n, ask) in all.iter().enumerate() {
            let name = format!("{} {}", ask.method, ask.path);
            hidden(api, &pod, ask).await;
            for (body, field) in ask.wrong {
                let body = serde_json::from_str(body).unwrap();
                let answer = request(api, &ask.method, &path(&pod, ask), &body, None).await;
                assert!(!answer.expect_field(field).is_empty(), "{name}: {}", answer.text);
            }
            let key = format!("operation-{n}");
            let first = request(api, &ask.method, &path(&pod, ask), &ask.body, Some(&key)).await;
            let again = request(api, &ask.method, &path(&pod, ask), &ask.body, Some(&key)).await;
            assert_eq!((first.status, &first.body), (again.status, &again.body), "{name}: the same answer again");
            assert_eq!(again.header("idempotency-replayed"), "true", "{name}");
            let location = first.header("location").to_owned();
            assert_eq!(location, again.header("location"), "{name}");
            let body = first.expect(202);
            let job = body["job"]["id"].as_str().unwrap();
            assert_eq!(location, format!("/api/platform/provisioning/jobs/{job}"), "{name}");
            assert_eq!((&body["job"]["kind"], &body["cloudpod"]["id"]), (&json!(ask.job), &json!(pod)), "{name}");
            let other = json!({ "another": "body" });
            let reused = request(api, &ask.method, &path(&pod, ask), &other, Some(&key)).await;
            assert_eq!(reused.status.as_u16(), 422, "{name}: {}", reused.text);
            let ended = over(&fleet, job).await;
            assert_eq!(ended["state"], "succeeded", "{name}: {ended:#}");
        }
        closed(&fleet, &pod, &all).await;
        let given_back = api.post(&format!("{PODS}/{pod}/unsuspend"), &json!({})).await.expect(202);
        let ended = over(&fleet, given_back["job"]["id"].as_str().unwrap()).await;
        assert_eq!(ended["state"], "succeeded", "{ended:#}");
        backups(&fleet, &pod).await;
        fleet.invariants().await;
    }
}

/// What a suspended pod is closed to.
async fn closed(fleet: &Fleet, pod: &str, all: &[Ask]) {
    for ask in all.iter().filter(|ask| !["suspend", "backups"].contains(&ask.path)) {
        let answer = request(&fleet.api, &ask.method, &path(pod, ask), &ask.body, None).await;
        // What is not there any more cannot be told from what never was.
        if !ask.path.starts_with("snapshots/") {
            answer.expect_problem(409, "cloudpod_suspended");
        }
    }
    let console = fleet.api.post(&format!("{PODS}/{pod}/console"), &json!({ "kind": "vnc" })).await;
    console.expect_problem(409, "cloudpod_suspended");
}

/// A backup from its restore to its end, and what makes the next.
async fn backups(fleet: &Fleet, pod: &str) {
    let api = &fleet.api;
    let list = api.get(&format!("{PODS}/{pod}/backups")).await.expect(200);
    let backup = list["items"][0]["id"].as_str().unwrap().to_owned();
    let one = format!("{PODS}/{pod}/backups/{backup}");
    let policy = format!("{PODS}/{pod}/backup-policy");
    let none = uuid::Uuid::now_v7().to_string();
    for path in [one.clone(), policy.clone()] {
        api.patch(&path.replace(pod, &none), &json!({})).await.expect_problem(404, "not_found");
        api.patch(&format!("{path}?tenant_id={none}"), &json!({})).await.expect_problem(404, "not_found");
    }
    api.patch(&one, &json!({ "protected": "yes" })).await.expect_field("protected");
    api.patch(&policy, &json!({ "every_hours": 0 })).await.expect_field("every_hours");
    assert_eq!(api.patch(&policy, &json!({ "every_hours": 24, "keep_last": 7 })).await.expect(200)["keep_last"], 7);
    assert_eq!(api.get(&policy).await.expect(200)["every_hours"], 24);
    assert_eq!(api.patch(&one, &json!({ "protected": true })).await.expect(200)["protected"], true);
    api.delete(&one).await.expect_problem(409, "backup_protected");
    api.patch(&one, &json!({ "protected": false })).await.expect(200);
    let unknown = format!("{PODS}/{pod}/backups/{none}");
    api.delete(&unknown).await.expect_problem(404, "not_found");
    api.post(&format!("{unknown}/restore"), &json!({})).await.expect_problem(404, "not_found");
    api.post(&format!("{one}/restore"), &json!({ "server": 1 })).await.expect_field("server");
    let recreate = format!("/api/admin/hosting/backups/{backup}/recreate");
    let body = json!({ "name": "of-a-backup" });
    api.post(&recreate.replace(&backup, &none), &body).await.expect_problem(404, "not_found");
    api.post(&format!("{recreate}?tenant_id={none}"), &body).await.expect_problem(404, "not_found");
    for (body, field) in [
        (json!({}), "name"),
        (json!({ "name": "Of_A_Backup" }), "name"),
        (json!({ "name": "x", "plan": "huge" }), "plan"),
        (json!({ "name": "x", "image": "none" }), "image"),
        (json!({ "name": "x", "placement": { "server": "pve9" } }), "placement.server"),
    ] {
        api.post(&recreate, &body).await.expect_field(field);
    }
    for (method, path, body, kind) in [
        (Method::POST, format!("{one}/restore"), Value::Null, "restore"),
        (Method::POST, recreate, body, "recreate"),
        (Method::DELETE, one.clone(), Value::Null, "delete_backup"),
    ] {
        let answer = request(api, &method, &path, &body, Some(kind)).await;
        assert_eq!(request(api, &method, &path, &body, Some(kind)).await.body, answer.body);
        let asked = answer.expect(202);
        assert_eq!(asked["job"]["kind"], kind);
        let ended = over(fleet, asked["job"]["id"].as_str().unwrap()).await;
        assert_eq!(ended["state"], "succeeded", "{ended:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_the_pods_state_is_a_conflict() {
    let (fleet, pod) = furnished(TestDatabase::sqlite()).await;
    let api = &fleet.api;
    let post = async |path: &str, body: Value| api.post(&format!("{PODS}/{pod}/{path}"), &body).await;
    post("unsuspend", json!({})).await.expect_problem(409, "cloudpod_state");
    post("unrescue", json!({})).await.expect_problem(409, "cloudpod_not_in_rescue");
    post("snapshots/none/rollback", json!({})).await.expect_problem(404, "not_found");
    for (path, body) in [("snapshots", json!({ "name": "twice" })), ("capture", json!({ "name": "twice" }))] {
        let asked = post(path, body.clone()).await.expect(202);
        over(&fleet, asked["job"]["id"].as_str().unwrap()).await;
        assert_eq!(post(path, body).await.status.as_u16(), 409, "{path}: the name is taken");
    }
    let asked = post("rescue", json!({ "iso": "local:iso/rescue.iso" })).await.expect(202);
    over(&fleet, asked["job"]["id"].as_str().unwrap()).await;
    for path in ["rescue", "media"] {
        post(path, json!({ "iso": "local:iso/rescue.iso" })).await.expect_problem(409, "cloudpod_in_rescue");
    }
    let gone = api.delete(&format!("{PODS}/{pod}")).await.expect(202);
    over(&fleet, gone["job"]["id"].as_str().unwrap()).await;
    for ask in operations().iter().filter(|ask| !ask.path.starts_with("snapshots/")) {
        let answer = request(api, &ask.method, &path(&pod, ask), &ask.body, None).await;
        answer.expect_problem(409, "cloudpod_deleted");
    }
    post("console", json!({ "kind": "vnc" })).await.expect_problem(409, "cloudpod_deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_nowhere_but_in_the_guest() {
    const GIVEN: &str = "Geheim-4711-Wort";
    for database in databases().await {
        let (fleet, pod) = furnished(database).await;
        let api = &fleet.api;
        let path = format!("{PODS}/{pod}/reset-password");
        api.post(&path, &json!({ "password": "short" })).await.expect_field("password");
        api.post(&path, &json!({ "user": "Not A User" })).await.expect_field("user");
        eventually("the guest to be up, with its agent", DEADLINE, async || {
            let asked = api.post(&path, &json!({})).await.expect(202);
            (over(&fleet, asked["job"]["id"].as_str()?).await["state"] == "succeeded").then_some(())
        })
        .await;
        let asked = api.post_keyed(&path, "given", &json!({ "password": GIVEN })).await;
        assert_eq!(api.post_keyed(&path, "given", &json!({ "password": GIVEN })).await.body, asked.body);
        assert!(!asked.text.contains(GIVEN), "a password that was given is not said back: {}", asked.text);
        let asked = asked.expect(202);
        assert_eq!(asked["password"], Value::Null);
        let made = api.post_keyed(&path, "made-up", &json!({})).await.expect(202);
        let made_up = made["password"].as_str().unwrap().to_owned();
        let mut texts = Vec::new();
        for job in [&asked, &made] {
            let job = job["job"]["id"].as_str().unwrap();
            assert_eq!(over(&fleet, job).await["state"], "succeeded");
            for rest in ["", "/log"] {
                texts.push(api.get(&format!("/api/platform/provisioning/jobs/{job}{rest}")).await.text);
            }
        }
        let vmid = u32::try_from(fleet.pod_until(&pod, &["active"]).await["vmid"].as_u64().unwrap()).unwrap();
        assert_eq!(fleet.hosts[0].sim.hand().guest_password(vmid, "debian").as_deref(), Some(made_up.as_str()));
        texts.push(api.get(&format!("{PODS}/{pod}")).await.text);
        texts.push(fleet.said());
        texts.push(stored(&fleet).await);
        for text in texts {
            assert!(!text.is_empty());
            for password in [GIVEN, &made_up] {
                assert!(!text.contains(password), "{password} is in {text}");
            }
        }
    }
}

/// All that the database holds of jobs, their logs, the audit, events and kept answers.
async fn stored(fleet: &Fleet) -> String {
    let db = control_plane::db::Db::open(&fleet.database.url).await.unwrap();
    let mut read = db.read().await.unwrap();
    let mut all = String::new();
    for sql in [
        "SELECT CAST(params AS TEXT) FROM jobs",
        "SELECT CAST(detail AS TEXT) FROM audit_records",
        "SELECT CAST(data AS TEXT) FROM events",
    ] {
        let rows = control_plane::fetch_all!(read.conn(), (String,), sql).unwrap();
        assert!(!rows.is_empty(), "{sql}");
        all.extend(rows.into_iter().map(|(text,)| text));
    }
    drop(read);
    db.close().await;
    // What a query does not name is found in the file.
    for file in fleet.database.dir().into_iter().flat_map(|dir| std::fs::read_dir(dir).unwrap()) {
        all.push_str(&String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_of_a_pod_is_hidden_from_other_tenants_and_checked() {
    let (fleet, pod) = furnished(TestDatabase::sqlite()).await;
    let api = &fleet.api;
    let other = uuid::Uuid::now_v7();
    for path in ["", "/firewall", "/traffic", "/snapshots", "/backups", "/backup-policy", "/placement"] {
        api.get(&format!("{PODS}/{pod}{path}")).await.expect(200);
        api.get(&format!("{PODS}/{pod}{path}?tenant_id={other}")).await.expect_problem(404, "not_found");
        api.get(&format!("{PODS}/{other}{path}")).await.expect_problem(404, "not_found");
        let wrong = api.get(&format!("{PODS}/{pod}{path}?colour=red")).await;
        assert!(!wrong.expect_field("colour").is_empty(), "{path}");
    }
    for months in ["0", "37", "x"] {
        api.get(&format!("{PODS}/{pod}/traffic?months={months}")).await.expect_field("months");
    }
    let console = format!("{PODS}/{pod}/console");
    let first = api.post_keyed(&console, "look", &json!({ "kind": "vnc" })).await;
    assert_eq!(api.post_keyed(&console, "look", &json!({ "kind": "vnc" })).await.body, first.expect(201));
    api.post(&console, &json!({ "kind": "photo" })).await.expect_field("kind");
    api.post(&console, &json!({})).await.expect_field("kind");
    api.post(&format!("{PODS}/{other}/console"), &json!({ "kind": "vnc" })).await.expect_problem(404, "not_found");
    api.post(&format!("{console}?tenant_id={other}"), &json!({ "kind": "vnc" })).await.expect_problem(404, "not_found");
}
