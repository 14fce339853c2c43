//! Each operation of the API, as its description lists them, is tried by everybody who should not get through and everybody who
//! should. A new operation is covered without being named here.

use control_plane::config::Config;
use control_plane::domain::access::{Permission, Permissions, Role};
use control_plane::execute;
use control_plane::ids::{CloudPodId, JobId};
use mpanel_tests::app::Api;
use mpanel_tests::people::{self, member, staff, tenant};
use mpanel_tests::signing_in::signed_in;
use mpanel_tests::{TestApp, databases};
use reqwest::Method;
use serde_json::{Value, json};

/// The operations that answer without a token. This list may only shrink, or grow with a review of what is behind it.
pub const OPEN: &[&str] = &[
    "GET /healthz",
    "GET /readyz",
    "POST /api/users/invite/accept",
    "POST /api/auth/login",
    "POST /api/auth/refresh",
    "POST /api/auth/password/forgot",
    "POST /api/auth/password/reset",
    "GET /api/auth/oidc",
    "GET /api/auth/oidc/{name}/start",
    "GET /api/auth/oidc/{name}/callback",
];

/// An operation, and a request to it that its handler can read.
pub struct Operation {
    /// Method and path as the description has them.
    pub name: String,
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Option<Value>,
    /// Whether its description has `?tenant_id=`.
    takes_tenant: bool,
    /// What it needs; `None`: it is open.
    pub permission: Option<Permission>,
}

impl Operation {
    fn is_platform(&self) -> bool {
        self.path.starts_with("/api/platform/") || self.path == "/metrics"
    }

    /// What its answer's status is for this caller, who names this tenant as the path wants it. The body is not waited for: it may
    /// be one that does not end.
    async fn status(&self, api: &Api, named: Option<&str>) -> u16 {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query);
        let mut header = None;
        match named {
            Some(tenant) if self.path.starts_with("/api/admin/") => {
                query.append_pair("tenant_id", tenant);
            }
            named => header = named,
        }
        let mut request = api.request(self.method.clone(), &format!("{}?{}", self.path, query.finish()));
        if let Some(tenant) = header {
            request = request.header("X-Tenant-Id", tenant);
        }
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        request.send().await.expect("an answer").status().as_u16()
    }
}

/// Every operation of the description.
pub async fn operations(api: &Api) -> Vec<Operation> {
    let document = api.get("/api/openapi.json").await.expect(200);
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, about) in item.as_object().expect("operations") {
            if !["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                continue;
            }
            let name = format!("{} {path}", method.to_uppercase());
            let permission = about["x-permission"].as_str().map(|text| {
                serde_json::from_value(json!(text)).unwrap_or_else(|_| panic!("{name}: {text} is no permission"))
            });
            assert_eq!(permission.is_none(), OPEN.contains(&name.as_str()), "{name}: is it open, and is that wanted?");
            assert_eq!(permission.is_none(), about["security"] == json!([]), "{name}: what is its security?");
            let schema = &about["requestBody"]["content"]["application/json"]["schema"];
            all.push(Operation {
                method: method.to_uppercase().parse().expect("a method"),
                path: filled(path),
                query: required(about, &document),
                takes_tenant: parameters(about).any(|one| one["in"] == "query" && one["name"] == "tenant_id"),
                body: (!schema.is_null()).then(|| example(schema, &document)),
                permission,
                name,
            });
        }
    }
    assert!(all.len() > 90, "only {} operations", all.len());
    all
}

/// A path with ids that nothing has.
fn filled(path: &str) -> String {
    let parts =
        path.split('/').map(|part| if part.starts_with('{') { "0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e10" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn parameters(about: &Value) -> impl Iterator<Item = &Value> {
    about["parameters"].as_array().into_iter().flatten()
}

/// The query's parameters that have to be there.
fn required(about: &Value, document: &Value) -> Vec<(String, String)> {
    let needed = parameters(about).filter(|one| one["in"] == "query" && one["required"] == true);
    let pair = |one: &Value| {
        let value = example(&one["schema"], document);
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (one["name"].as_str().expect("a name").to_owned(), text)
    };
    needed.map(pair).collect()
}

/// The least that a schema allows.
fn example(schema: &Value, document: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return example(document.pointer(reference.trim_start_matches('#')).expect("a schema"), document);
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let chosen = choices.iter().find(|one| one["type"] != "null").expect("a choice");
            return example(chosen, document);
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut all = serde_json::Map::new();
        for part in parts {
            all.extend(example(part, document).as_object().cloned().unwrap_or_default());
        }
        return Value::Object(all);
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kind {
        Some("string") if schema["format"] == "uuid" => json!("0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e10"),
        Some("string") if schema["example"].is_string() => schema["example"].clone(),
        Some("string") => json!("x"),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(false),
        Some("array") if schema["minItems"].as_u64().is_some_and(|least| least > 0) => {
            json!([example(&schema["items"], document)])
        }
        Some("array") => json!([]),
        _ => {
            let needed = schema["required"].as_array().cloned().unwrap_or_default();
            let field = |name: &Value| {
                let name = name.as_str().expect("a name").to_owned();
                let value = example(&schema["properties"][&name], document);
                (name, value)
            };
            Value::Object(needed.iter().map(field).collect())
        }
    }
}

/// Tries each operation as this caller; `expected` says what must come of it, or `None` for anything that is no refusal.
async fn walk<'a>(
    operations: impl IntoIterator<Item = &'a Operation>,
    who: &str,
    api: &Api,
    named: Option<&str>,
    expected: impl Fn(&Operation, Permission) -> Option<u16>,
) {
    let mut wrong = Vec::new();
    for operation in operations {
        let Some(permission) = operation.permission else { continue };
        let status = operation.status(api, named).await;
        let fine = match expected(operation, permission) {
            Some(expected) => status == expected,
            None => ![401, 403, 429].contains(&status) && status < 500,
        };
        if !fine {
            wrong.push(format!("{} needs {permission} and answers {status}", operation.name));
        }
    }
    assert!(wrong.is_empty(), "as {who}:\n{}", wrong.join("\n"));
}

/// What somebody of this role is answered.
fn by_role(role: Role) -> impl Fn(&Operation, Permission) -> Option<u16> {
    move |operation, permission| {
        let allowed = !operation.is_platform() && role.permissions().has(permission);
        (!allowed).then_some(403)
    }
}

#[tokio::test]
async fn nobody_gets_through_without_a_token_and_nobody_beyond_their_role() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let operations = operations(&app.api).await;
        let home = tenant(&app, "home").await;
        for operation in operations.iter().filter(|one| one.permission.is_some()) {
            let request = app.api.anonymous(operation.method.clone(), &operation.path);
            assert_eq!(request.send().await.expect("an answer").status(), 401, "{}", operation.name);
        }
        for role in Role::ALL {
            let email = format!("{role}@home.example");
            let person = member(&app, &home, role.as_str(), &email).await;
            walk(&operations, &format!("{role} on {}", database.name), &person.api, None, by_role(role)).await;
            let named = operations.iter().filter(|one| one.takes_tenant || !one.path.starts_with("/api/admin/"));
            walk(named, &format!("{role} who names the tenant"), &person.api, Some(&home), by_role(role)).await;
        }
        let boss = staff(&app, "boss@platform.example").await;
        walk(&operations, "staff", &boss.api, None, |_, _| None).await;
        app.stop().await;
    }
}

/// What somebody of this role is answered while the tenant is suspended.
fn by_role_reading(role: Role) -> impl Fn(&Operation, Permission) -> Option<u16> {
    move |operation, permission| {
        let allowed = !operation.is_platform() && role.permissions().reading().has(permission);
        (!allowed).then_some(403)
    }
}

#[tokio::test]
async fn the_people_of_a_suspended_tenant_read_what_their_roles_show_and_change_nothing() {
    let (app, _database) = TestApp::start().await;
    let operations = operations(&app.api).await;
    let home = tenant(&app, "home").await;
    let mut people = Vec::new();
    for role in Role::ALL {
        people.push((role, member(&app, &home, role.as_str(), &format!("{role}@home.example")).await));
    }
    let suspend = format!("/api/admin/tenants/{home}/suspend");
    app.api.post(&suspend, &json!({ "reason": "unpaid" })).await.expect(200);
    for (role, person) in people {
        walk(&operations, &format!("{role} of a suspended tenant"), &person.api, None, by_role_reading(role)).await;
    }
    app.stop().await;
}

#[tokio::test]
async fn a_stranger_learns_of_no_tenant_and_whoever_is_out_is_out_everywhere() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let operations = operations(&app.api).await;
        let (home, other) = (tenant(&app, "home").await, tenant(&app, "other").await);
        member(&app, &home, "OWNER", "owner@home.example").await;
        let stranger = member(&app, &other, "OWNER", "owner@other.example").await;
        let refused = |one: &Operation, _: Permission| Some(if one.is_platform() { 403 } else { 404 });
        walk(&operations, "a stranger", &stranger.api, Some(&home), refused).await;
        let nowhere = "0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e11";
        walk(&operations, "somebody who names no tenant that there is", &stranger.api, Some(nowhere), refused).await;

        let suspended = member(&app, &home, "OWNER", "suspended@home.example").await;
        people::shut_out(&app, &suspended.id).await;
        walk(&operations, "a suspended user", &suspended.api, None, |_, _| Some(401)).await;
        walk(&operations, "a suspended user who names the tenant", &suspended.api, Some(&home), |_, _| Some(401)).await;
        app.stop().await;
    }
}

/// A tenant's pod and job, in the books alone; their ids.
async fn pod_and_job(app: &TestApp, tenant: &str) -> (String, String) {
    const POD: &str = "INSERT INTO cloudpods (id, tenant_id, name, state, desired_power, observed_power, plan_id, image_id, vcpu,
                                              memory_mib, disk_gib, placement, ssh_keys, cloud_init_user, version, created_at,
                                              updated_at)
                       VALUES ($1, $2, 'web', 'failed', 'stopped', 'unknown', $3, $4, 1, 256, 2, '{}', '{\"keys\": []}', 'debian',
                               1, 1, 1)";
    const JOB: &str = "INSERT INTO jobs (id, tenant_id, kind, pod_id, state, params, step, step_count, attempt, attempts_max, run_at,
                                         epoch, cancel_requested, step_progress, created_by, created_at, finished_at, updated_at)
                       VALUES ($1, $2, 'provision', $3, 'failed', '{}', 0, 8, 1, 8, 1, 9, FALSE, 0, 'test', 1, 2, 2)";
    let plan =
        json!({"name": "small", "vcpu": 1, "memory_mib": 256, "disk_gib": 2, "price_minor": 500, "currency": "EUR"});
    let plan = app.api.post("/api/platform/plans", &plan).await.expect(201);
    let image =
        json!({"name": "debian", "os": "debian", "default_user": "debian", "min_disk_gib": 1, "template_vmid": 9000});
    let image = app.api.post("/api/platform/images", &image).await.expect(201);
    let id = |made: &Value| made["id"].as_str().unwrap().parse::<uuid::Uuid>().unwrap();
    let (tenant, plan, image) = (tenant.parse::<uuid::Uuid>().unwrap(), id(&plan), id(&image));
    let (pod, job) = (CloudPodId::generate(), JobId::generate());
    let mut tx = app.running.app.db.begin().await.unwrap();
    execute!(tx.conn(), POD, pod, tenant, plan, image).unwrap();
    execute!(tx.conn(), JOB, job, tenant, pod).unwrap();
    tx.commit().await.unwrap();
    (pod.to_string(), job.to_string())
}

/// A backup of the pod, its snapshot `before` and an image of the tenant's, in the books alone; the ids of backup and image.
async fn data_of(app: &TestApp, tenant: &str, pod: &str) -> (String, String) {
    const SERVER: &str = "INSERT INTO servers (id, name, region, labels, bridge, vmid_space, vmid_min, vmid_max, cpu_overcommit,
                                               scheduling, scheduling_since, connection, connection_since, version, created_at,
                                               updated_at)
                          VALUES ($1, 'pve1', 'eu', '{}', 'vmbr0', 'lab', 100, 999, 1.0, 'online', 1, 'offline', 1, 1, 1, 1)";
    const BACKUP: &str = "INSERT INTO backups (id, tenant_id, pod_id, server_id, storage, vmid, volid, mode, note, scheduled,
                                               protected, state, created_at)
                          VALUES ($1, $2, $3, $4, 'local', 100, 'local:backup/1', 'snapshot', '', FALSE, FALSE, 'ready', 1)";
    const SNAPSHOT: &str = "INSERT INTO snapshots (pod_id, name, description, memory, state, created_at)
                            VALUES ($1, 'before', '', FALSE, 'ready', 1)";
    const IMAGE: &str = "UPDATE images SET tenant_id = $1 WHERE id = $2";
    let image =
        json!({"name": "theirs", "os": "debian", "default_user": "debian", "min_disk_gib": 1, "template_vmid": 9001});
    let image = app.api.post("/api/platform/images", &image).await.expect(201)["id"].as_str().unwrap().to_owned();
    let id = |text: &str| text.parse::<uuid::Uuid>().unwrap();
    let (tenant, pod, server, backup) = (id(tenant), id(pod), uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    let mut tx = app.running.app.db.begin().await.unwrap();
    execute!(tx.conn(), SERVER, server).unwrap();
    execute!(tx.conn(), BACKUP, backup, tenant, pod, server).unwrap();
    execute!(tx.conn(), SNAPSHOT, pod).unwrap();
    execute!(tx.conn(), IMAGE, tenant, id(&image)).unwrap();
    tx.commit().await.unwrap();
    (backup.to_string(), image)
}

/// What a path names, and one of the tenant's for it.
async fn one_of_each(app: &TestApp, home: &str, owner: &people::Person) -> Vec<(&'static str, String)> {
    let (pod, job) = pod_and_job(app, home).await;
    let (backup, image) = data_of(app, home, &pod).await;
    let id = |value: &Value| value["id"].as_str().expect("an id").to_owned();
    let invite = json!({"email": "anna@home.example", "role": "MEMBER"});
    let invitation = owner.api.post("/api/users/invite", &invite).await.expect(201);
    let tokens = owner.api.get("/api/auth/tokens").await.expect(200);
    let sessions = signed_in(app, &owner.id).await.get("/api/auth/sessions").await.expect(200);
    let hook = json!({"name": "theirs", "url": "http://127.0.0.1:9/", "events": []});
    let hook = owner.api.post("/api/admin/webhooks", &hook).await.expect(201);
    let hook = id(&hook["webhook"]);
    let delivery = owner.api.post(&format!("/api/admin/webhooks/{hook}/test"), &json!({})).await.expect(202);
    let records = owner.api.get("/api/admin/audit").await.expect(200);
    vec![
        ("/cloudpods/{id}", pod),
        ("/jobs/{id}", job),
        ("/users/{id}", owner.id.clone()),
        ("/invitations/{id}", id(&invitation["invitation"])),
        ("/tokens/{id}", id(&tokens["items"][0])),
        ("/sessions/{id}", id(&sessions["items"][0])),
        ("/sessions/{session_id}", id(&sessions["items"][0])),
        ("/webhooks/{id}", hook),
        ("/deliveries/{delivery}", id(&delivery)),
        ("/records/{id}", id(&records["items"][0])),
        ("/tenants/{id}", home.to_owned()),
        ("/images/{id}", image),
        ("/backups/{backup}", backup),
        ("/snapshots/{name}", "before".to_owned()),
    ]
}

#[tokio::test]
async fn what_belongs_to_another_tenant_is_not_there_by_its_id_either() {
    for database in databases().await {
        let inside = |config: &mut Config| config.webhooks.allow_tenants = vec!["127.0.0.0/8".parse().unwrap()];
        let app = TestApp::start_with(&database, inside).await;
        let (home, other) = (tenant(&app, "home").await, tenant(&app, "other").await);
        let owner = member(&app, &home, "OWNER", "owner@home.example").await;
        let stranger = member(&app, &other, "OWNER", "owner@other.example").await;
        let kinds = one_of_each(&app, &home, &owner).await;
        let (mut reads, mut seen) = (0, Vec::new());
        for mut operation in operations(&app.api).await {
            let template = operation.name.split_once(' ').expect("a path").1.to_owned();
            let is_owner_s = operation.permission.is_some_and(|one| Role::Owner.permissions().has(one));
            if operation.is_platform() || !is_owner_s || !template.contains('{') {
                continue;
            }
            let mut path = template.clone();
            for (kind, id) in &kinds {
                let (noun, _) = kind.split_once('{').expect("a parameter");
                if path.contains(kind) {
                    seen.push(*kind);
                }
                path = path.replace(kind, &format!("{noun}{id}"));
            }
            // One that is not here is tried by nobody: say what it is of.
            assert!(!path.contains('{'), "{}: what is this of?", operation.name);
            operation.path = path;
            let status = operation.status(&stranger.api, None).await;
            let is_read = operation.method == Method::GET;
            // What cannot be meant is refused before anything is looked for.
            assert!(status == 404 || (status == 422 && !is_read), "{}: {status}", operation.name);
            reads += usize::from(is_read);
        }
        assert!(reads >= 16 && kinds.iter().all(|(kind, _)| seen.contains(kind)), "{reads} {seen:?}");
        // They are there, for who may see them.
        for path in owner_s(&kinds) {
            owner.api.get(&path).await.expect(200);
        }
        app.stop().await;
    }
}

/// Where the tenant's own people read some of these.
fn owner_s(kinds: &[(&str, String)]) -> Vec<String> {
    let of = |kind: &str| kinds.iter().find(|(one, _)| *one == kind).expect("it is one").1.as_str();
    let hook = of("/webhooks/{id}");
    vec![
        format!("/api/provisioning/cloudpods/{}", of("/cloudpods/{id}")),
        format!("/api/provisioning/jobs/{}", of("/jobs/{id}")),
        format!("/api/users/{}", of("/users/{id}")),
        format!("/api/admin/webhooks/{hook}"),
        format!("/api/admin/webhooks/{hook}/deliveries/{}", of("/deliveries/{delivery}")),
        format!("/api/admin/audit/records/{}", of("/records/{id}")),
        format!("/api/admin/tenants/{}", of("/tenants/{id}")),
    ]
}

#[tokio::test]
async fn a_token_counts_for_its_time_and_for_what_it_names() {
    let (app, _database) = TestApp::start().await;
    let operations = operations(&app.api).await;
    let home = tenant(&app, "home").await;
    let late = member(&app, &home, "OWNER", "late@home.example").await;
    people::tokens_expire(&app, &late.id).await;
    walk(&operations, "an expired token", &late.api, None, |_, _| Some(401)).await;

    let owner = member(&app, &home, "OWNER", "owner@home.example").await;
    let boss = staff(&app, "boss@platform.example").await;
    for (who, user, tenant) in [("an owner", &owner.id, Some(home.as_str())), ("staff", &boss.id, None)] {
        for permission in [Permission::OpenapiRead, Permission::AccountRead] {
            let token = people::token_of(&app, user, tenant, permission).await;
            let narrow = app.api.with_token(&token);
            let only = |_: &Operation, needed: Permission| (needed != permission).then_some(403);
            walk(&operations, &format!("{who} with a token for {permission}"), &narrow, None, only).await;
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn every_permission_is_needed_somewhere() {
    let (app, _database) = TestApp::start().await;
    let needed: Permissions = operations(&app.api).await.iter().filter_map(|one| one.permission).collect();
    // The description does not describe itself.
    let unused = Permissions::all().without(needed).without(Permissions::NONE.with(Permission::OpenapiRead));
    assert_eq!(unused, Permissions::NONE, "take them out of the table");
    app.stop().await;
}
