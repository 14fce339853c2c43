//! What the description says against what is answered: Schemathesis makes thousands of requests of it, right ones and wrong ones, for
//! what there is and what there is not. No answer may be a 5xx, or one that the description does not have.

use std::fmt::Write as _;

use mpanel_tests::app::TOKEN;
use mpanel_tests::fleet::{Fleet, PODS};
use mpanel_tests::python::python;
use mpanel_tests::signing_in::{PASSWORD, try_sign_in};
use mpanel_tests::{Api, TestDatabase};
use serde_json::{Value, json};

use super::{PROGRAMS, over};

/// What the paths' parameters stand for: which operations, and the parameters there. The first that fits counts.
type Known = Vec<(String, Vec<(&'static str, String)>)>;

#[track_caller]
fn id(made: &Value) -> String {
    made["id"].as_str().unwrap_or_else(|| panic!("no id in {made}")).to_owned()
}

/// The ids of all that there is.
async fn ids(api: &Api, path: &str) -> Vec<String> {
    api.get(path).await.expect(200)["items"].as_array().expect("a list").iter().map(id).collect()
}

/// Two hosts, of which the second has no pod: agents are revoked and servers drained there.
async fn fleet(database: TestDatabase) -> Fleet {
    let fleet = Fleet::start(PROGRAMS, database, 2).await;
    for server in ["pve1", "pve2"] {
        fleet
            .api
            .patch(&format!("/api/platform/servers/{server}"), &json!({ "backup_storage": "local" }))
            .await
            .expect(200);
    }
    fleet
}

/// Things of every kind; of what can be deleted, one for that, so that the others stay.
async fn known(fleet: &Fleet) -> Known {
    let api = &fleet.api;
    let mut pods = Vec::new();
    for name in ["web-1", "web-2"] {
        let asked = json!({ "name": name, "plan": "small", "image": "debian", "placement": { "server": "pve1" } });
        let pod = id(&api.post(PODS, &asked).await.expect(202)["cloudpod"]);
        fleet.pod_until(&pod, &["active"]).await;
        pods.push(pod);
    }
    let of_pod = |what: &str| format!("{PODS}/{}/{what}", pods[0]);
    let mut job = String::new();
    for name in ["before", "spare"] {
        job = id(&api.post(&of_pod("snapshots"), &json!({ "name": name })).await.expect(202)["job"]);
        over(fleet, &job).await;
        over(fleet, &id(&api.post(&of_pod("backups"), &json!({})).await.expect(202)["job"])).await;
    }
    let backups = ids(api, &of_pod("backups")).await;
    let tenant = id(&api.post("/api/admin/tenants", &json!({ "name": "spare" })).await.expect(201));
    let asked =
        json!({ "email": "bob@spare.example", "name": "Bob", "tenant_id": home(fleet).await, "role": "MEMBER" });
    let user = id(&api.post("/api/platform/users", &asked).await.expect(201));
    for name in ["hook", "spare"] {
        let asked = json!({ "name": name, "url": "https://hook.example.net/" });
        api.post("/api/admin/webhooks", &asked).await.expect(201);
    }
    let webhooks = ids(api, "/api/admin/webhooks").await;
    let asked =
        json!({ "name": "spare", "vcpu": 1, "memory_mib": 256, "disk_gib": 2, "price_minor": 1, "currency": "EUR" });
    let plan = id(&api.post("/api/platform/plans", &asked).await.expect(201));
    let (images, pools) = (ids(api, "/api/platform/images").await, ids(api, "/api/platform/ip-pools").await);
    let of = |name: &'static str, value: &str| (name, value.to_owned());
    let all = [
        ("DELETE", PODS, "/{id}", vec![of("id", &pods[1])]),
        ("DELETE", PODS, "/{id}/snapshots/{name}", vec![of("id", &pods[0]), of("name", "spare")]),
        ("DELETE", PODS, "/{id}/backups/{backup}", vec![of("id", &pods[0]), of("backup", &backups[1])]),
        ("DELETE", "/api/admin/webhooks", "/{id}", vec![of("id", &webhooks[1])]),
        ("", PODS, "/{id}/snapshots/{name}", vec![of("id", &pods[0]), of("name", "before")]),
        ("", PODS, "/{id}/backups/{backup}", vec![of("id", &pods[0]), of("backup", &backups[0])]),
        ("", "", "/cloudpods/{id}", vec![of("id", &pods[0])]),
        ("", "", "/backups/{backup}", vec![of("backup", &backups[0])]),
        ("", "", "/jobs/{id}", vec![of("id", &job)]),
        ("", "", "/servers/{id}", vec![of("id", "pve2")]),
        ("", "", "/tenants/{id}", vec![of("id", &tenant)]),
        ("", "", "/customers/{tenant_id}", vec![of("tenant_id", &tenant)]),
        ("", "", "/users/{id}", vec![of("id", &user)]),
        ("", "", "/webhooks/{id}", vec![of("id", &webhooks[0])]),
        ("", "", "/plans/{id}", vec![of("id", &plan)]),
        ("", "", "/images/{id}", vec![of("id", &images[0])]),
        ("", "", "/ip-pools/{id}", vec![of("id", &pools[0])]),
    ];
    let which = |method: &str, prefix: &str, path: &str| match method {
        "" => format!("include-path-regex = '{}'", format!("{prefix}{path}").replace('{', "\\{").replace('}', "\\}")),
        method => format!("include-name = '{method} {prefix}{path}'"),
    };
    all.into_iter().map(|(method, prefix, path, of)| (which(method, prefix, path), of)).collect()
}

fn configuration(known: &Known) -> String {
    let mut text = String::new();
    for (which, parameters) in known {
        let parameters: Vec<String> =
            parameters.iter().map(|(name, value)| format!("\"path.{name}\" = \"{value}\"")).collect();
        writeln!(text, "[[operations]]\n{which}\nparameters = {{ {} }}\n", parameters.join(", ")).expect("text");
    }
    text
}

/// Has Schemathesis try everything with this token.
///
/// # Panics
/// Where it finds an answer that is wrong, with what it says of it.
async fn tried(fleet: &Fleet, token: &str, configuration: &str) {
    let python = tokio::task::spawn_blocking(python).await.expect("python");
    let program = python.parent().expect("bin/").join("schemathesis");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("schemathesis.toml");
    std::fs::write(&file, configuration).expect("the configuration");
    let seed = std::env::var("MPANEL_TEST_SEED").unwrap_or_else(|_| "1".to_owned());
    let mut command = tokio::process::Command::new(program);
    command.current_dir(dir.path()).kill_on_drop(true).env_remove("PYTHONPATH");
    command.args(["--config-file", file.to_str().expect("a path"), "--no-color", "run"]);
    command.arg(format!("{}/api/openapi.json", fleet.api.url)).args(["-H", &format!("Authorization: Bearer {token}")]);
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                  response_schema_conformance";
    command.args(["--checks", checks, "--phases", "examples,coverage,fuzzing", "--continue-on-failure"]);
    // It has no end; and nothing is kept from one run to the next.
    command.args(["--exclude-path", "/api/events", "--generation-database", "none", "--seed", &seed, "-n", "5"]);
    let output = command.output().await.expect("schemathesis starts");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "seed {seed}\n{said}\n{}", fleet.said());
    let tested = said.lines().find_map(|line| line.trim().strip_prefix("Tested:")?.trim().parse::<u32>().ok());
    assert!(tested.is_some_and(|tested| tested > 150), "{tested:?} operations were tried:\n{said}");
}

/// The id of the tenant whose the pods are.
async fn home(fleet: &Fleet) -> String {
    id(&fleet.api.get("/api/admin/tenants").await.expect(200)["items"][0])
}

/// That tenant's owner, signed in.
async fn owner(fleet: &Fleet) -> String {
    let (api, email) = (&fleet.api, "ann@home.example");
    let asked =
        json!({ "email": email, "name": "Ann", "tenant_id": home(fleet).await, "role": "OWNER", "password": PASSWORD });
    api.post("/api/platform/users", &asked).await.expect(201);
    try_sign_in(api, email, PASSWORD).await.expect(200)["access_token"].as_str().expect("a token").to_owned()
}

async fn staff_are_answered_as_described(database: TestDatabase) {
    let fleet = fleet(database).await;
    let known = configuration(&known(&fleet).await);
    tried(&fleet, TOKEN, &known).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_are_answered_as_described_on_sqlite() {
    staff_are_answered_as_described(TestDatabase::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_are_answered_as_described_on_postgres() {
    let Some(database) = TestDatabase::postgres().await else { return };
    staff_are_answered_as_described(database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_is_answered_as_described() {
    let fleet = fleet(TestDatabase::sqlite()).await;
    let known = configuration(&known(&fleet).await);
    let token = owner(&fleet).await;
    tried(&fleet, &token, &known).await;
}
