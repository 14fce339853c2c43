//! What a tenant's people may not do with what is the platform's: its jobs, its hosts, its networks; over REST, with tokens of a
//! MEMBER, an OWNER and the staff.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "boundaries/hosts.rs"]
mod hosts;
#[path = "boundaries/jobs.rs"]
mod jobs;
#[path = "boundaries/pools.rs"]
mod pools;

use control_plane::clock::Clock;
use control_plane::config::Config;
use control_plane::domain::access::Role;
use control_plane::domain::jobs::Power;
use control_plane::domain::servers::{Admission, Heartbeat, Hello, Inventory, StorageSeen};
use control_plane::execute;
use control_plane::ids::{ServerId, TenantId};
use mpanel_tests::bearers::{member, staff};
use mpanel_tests::pod_bench::{SOON, TEMPLATE, vm};
use mpanel_tests::{Answer, Api, TestApp, TestDatabase, eventually};
use reqwest::Method;
use serde_json::{Value, json};

const PODS: &str = "/api/admin/hosting/cloudpods";
const JOBS: &str = "/api/provisioning/jobs";

/// A control plane with a host `pve1` that is in the books but has no agent: what is asked of it is stored, and waits.
struct Stage {
    app: TestApp,
    staff: Api,
    member: Api,
    owner: Api,
    tenant: String,
}

impl Stage {
    async fn new(database: &TestDatabase, change: impl FnOnce(&mut Config)) -> Self {
        let app = TestApp::start_with(database, change).await;
        let tenants = app.api.get("/api/admin/tenants").await.expect(200);
        let tenant = tenants["items"][0]["id"].as_str().unwrap().to_owned();
        let (db, of): (_, TenantId) = (&app.running.app.db, tenant.parse().unwrap());
        let api = async |bearer: mpanel_tests::bearers::Bearer| app.api.with_token(&bearer.token);
        let staff = api(staff(db).await).await;
        let (member, owner) =
            (api(member(db, of, Role::Member).await).await, api(member(db, of, Role::Owner).await).await);
        for (name, vcpu) in [("small", 1), ("large", 2), ("huge", 512)] {
            let plan = json!({ "name": name, "vcpu": vcpu, "memory_mib": 1024, "disk_gib": 20, "price_minor": 500, "currency": "EUR" });
            staff.post("/api/platform/plans", &plan).await.expect(201);
        }
        let image = json!({ "name": "debian", "os": "Debian 13", "default_user": "debian", "template_vmid": TEMPLATE });
        staff.post("/api/platform/images", &image).await.expect(201);
        let stage = Self { app, staff, member, owner, tenant };
        stage.host("pve1").await;
        stage
    }

    /// A server that the books hold for online.
    async fn host(&self, name: &str) {
        let body = json!({ "name": name, "region": "eu", "storages": [{ "name": "local", "disk_gib": 200 }] });
        let made = self.staff.post("/api/platform/servers", &body).await.expect(201);
        let server: ServerId = made["server"]["id"].as_str().unwrap().parse().unwrap();
        let running = &self.app.running.app;
        let mut tx = running.db.begin().await.unwrap();
        let hello = Hello { agent_version: "1".into(), boot_id: name.into(), machine_id: name.into() };
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
            node_name: name.into(),
            quorate: true,
            ..Heartbeat::default()
        };
        running.servers.heartbeat_record(server, epoch, heartbeat).await.unwrap();
    }

    /// A pod of the tenant's that waits for its host to clone its template; what was answered.
    async fn asked(&self, name: &str) -> Value {
        let asked = self.member.post(PODS, &wanted(name)).await.expect(202);
        self.waits(&asked).await;
        asked
    }

    /// A pod of the tenant's of which the books say that it runs; its path.
    async fn runs(&self, name: &str) -> String {
        const ENDED: &str =
            "UPDATE jobs SET state = 'succeeded', finished_at = $1, waits_for = NULL, command_id = NULL,
                                    command_server = NULL, lease_owner = NULL, lease_until = NULL, epoch = epoch + 1
                              WHERE finished_at IS NULL";
        const RUNS: &str = "UPDATE cloudpods SET state = 'active', observed_power = 'running' WHERE name = $1";
        let asked = self.asked(name).await;
        let mut tx = self.app.running.app.db.begin().await.unwrap();
        execute!(tx.conn(), ENDED, Clock::system().now()).unwrap();
        execute!(tx.conn(), RUNS, name).unwrap();
        tx.commit().await.unwrap();
        format!("{PODS}/{}", asked["cloudpod"]["id"].as_str().unwrap())
    }

    /// Waits until the job of an answer waits for its host.
    async fn waits(&self, asked: &Value) {
        let job = format!("{JOBS}/{}", job_of(asked));
        eventually("the job to wait for its host", SOON, async || {
            let job = self.member.get(&job).await.expect(200);
            (!job["waits_for"].is_null()).then_some(())
        })
        .await;
    }

    /// The tenant's people, each with the name of their role.
    fn people(&self) -> [(&'static str, &Api); 2] {
        [("MEMBER", &self.member), ("OWNER", &self.owner)]
    }
}

fn wanted(name: &str) -> Value {
    json!({ "name": name, "plan": "small", "image": "debian" })
}

fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// The id of the job of an answer.
fn job_of(asked: &Value) -> String {
    asked["job"]["id"].as_str().unwrap().to_owned()
}

async fn put(api: &Api, path: &str, body: &Value) -> Answer {
    mpanel_tests::app::send(api.request(Method::PUT, path).json(body)).await
}

/// Proves that it was forbidden, and that this was said.
#[track_caller]
fn forbidden(answer: &Answer, says: &str) {
    let detail = answer.expect_problem(403, "forbidden")["detail"].as_str().unwrap();
    assert!(detail.contains(says), "{detail}");
}
