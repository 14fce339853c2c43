//! Consoles from the browser's WebSocket to the agent's stream, over a whole control plane: REST, mutual TLS, the database.

use std::time::Duration;

use control_plane::clock::{Clock, Ms};
use control_plane::domain::audit::Actor;
use control_plane::domain::servers::ServerCreate;
use control_plane::ids::{CloudPodId, ConsoleId, ServerId};
use mpanel_tests::browser::Browser;
use mpanel_tests::channel::{Agent, Identity, client_tls, connect, hello, signing_request};
use mpanel_tests::daemon::free_port;
use mpanel_tests::{TestApp, TestDatabase, databases, eventually};
use proto::agent::v1 as wire;
use proto::agent::v1::console_frame::Body as FrameBody;
use proto::agent::v1::control_message::Body as Down;
use proto::agent::v1::enrolment_client::EnrolmentClient;
use proto::agent::v1::relay_client::RelayClient;
use rcgen::KeyPair;
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::tungstenite::Message;
use tonic::Streaming;

const SOON: Duration = Duration::from_secs(20);
const VMID: u32 = 10_000;

/// A control plane with a pod on a server whose agent is connected.
struct Rig {
    app: TestApp,
    pod: CloudPodId,
    agent: Agent,
    identity: Identity,
}

async fn enrolled(app: &TestApp, name: &str) -> (ServerId, Identity) {
    let input = ServerCreate {
        name: name.into(),
        region: None,
        labels: std::collections::BTreeMap::new(),
        bridge: None,
        vmid_min: None,
        vmid_max: None,
        cpu_threads: None,
        cpu_overcommit: None,
        memory_mib: None,
        pod_limit: None,
        backup_storage: None,
        storages: Vec::new(),
    };
    let running = &app.running.app;
    let (server, command) = running.servers.server_create(&Actor::system("test"), input).await.unwrap();
    let key = KeyPair::generate().unwrap();
    let csr_der = signing_request(&key, "ignored.example").into();
    let stranger = client_tls(running.authority.certificate(), None, &Clock::system());
    let mut client = EnrolmentClient::new(connect(app.running.agents_address, stranger).await.unwrap());
    let request = wire::EnrollRequest { token: command.token, csr_der, agent_version: "test".into() };
    let answer = client.enroll(request).await.unwrap().into_inner();
    let chain = vec![CertificateDer::from(answer.certificate_der.to_vec())];
    (server.id, Identity::new(&key, chain, Ms(answer.not_after_ms)))
}

async fn dialled(app: &TestApp, identity: &Identity) -> tonic::transport::Channel {
    let tls = client_tls(app.running.app.authority.certificate(), Some(identity), &Clock::system());
    connect(app.running.agents_address, tls).await.unwrap()
}

/// A pod that is active on that server, in the books.
async fn pod_insert(app: &TestApp, server: ServerId) -> CloudPodId {
    const SQL: &str = "INSERT INTO cloudpods (id, tenant_id, name, state, desired_power, observed_power, plan_id, image_id, vcpu,
                              memory_mib, disk_gib, placement, ssh_keys, cloud_init_user, server_id, storage, vmid, version,
                              created_at, updated_at)
                       SELECT $1, t.id, 'web-1', 'active', 'running', 'running', p.id, i.id, 1, 1024, 10, $2, $3, 'debian', $4,
                              'local', 10000, 1, 0, 0
                         FROM tenants t, plans p, images i";
    let plan =
        json!({ "name": "small", "vcpu": 1, "memory_mib": 1024, "disk_gib": 10, "price_minor": 1, "currency": "EUR" });
    app.api.post("/api/platform/plans", &plan).await.expect(201);
    let image = json!({ "name": "debian", "os": "", "default_user": "debian", "template_vmid": 9000 });
    app.api.post("/api/platform/images", &image).await.expect(201);
    let pod = CloudPodId::generate();
    let mut tx = app.running.app.db.begin().await.unwrap();
    let (placement, keys) = (sqlx::types::Json(json!({})), sqlx::types::Json(json!({ "keys": [] })));
    let made = control_plane::execute!(tx.conn(), SQL, pod, placement.clone(), keys.clone(), server).unwrap();
    assert_eq!(made, 1);
    tx.commit().await.unwrap();
    pod
}

impl Rig {
    async fn start(database: &TestDatabase, change: impl FnOnce(&mut control_plane::config::Config)) -> Self {
        let app = TestApp::start_with(database, |config| {
            config.agents.names = vec!["127.0.0.1".into()];
            change(config);
        })
        .await;
        let (server, identity) = enrolled(&app, "pve1").await;
        let (agent, _) = Agent::open(dialled(&app, &identity).await, hello("machine")).await.unwrap();
        let pod = pod_insert(&app, server).await;
        Self { app, pod, agent, identity }
    }

    fn path(&self) -> String {
        format!("/api/admin/hosting/cloudpods/{}/console", self.pod)
    }

    async fn ask(&self, kind: &str) -> Value {
        self.app.api.post(&self.path(), &json!({ "kind": kind })).await.expect(201)
    }

    /// What the agent is told to open.
    async fn told(&mut self) -> wire::OpenConsole {
        match self.agent.next().await {
            Ok(Some(Down::OpenConsole(open))) => open,
            other => panic!("expected a console to open, got {other:?}"),
        }
    }

    /// Asks for a console, opens it and lets the agent open it too.
    async fn opened(&mut self) -> (ConsoleId, Browser, Host) {
        let asked = self.ask("vnc").await;
        let mut socket = Browser::open(self.app.running.address, &asked).await.unwrap();
        let open = self.told().await;
        let host = Host::open(dialled(&self.app, &self.identity).await, &open.console_id, "geheim", "").await;
        assert_eq!(socket.said().await, json!({ "type": "opened", "kind": "vnc", "password": "geheim" }));
        (asked["id"].as_str().unwrap().parse().unwrap(), socket, host)
    }

    /// Waits until the console is closed: why.
    async fn closed(&self, console: ConsoleId) -> String {
        const SQL: &str = "SELECT closed_why FROM consoles WHERE id = $1 AND closed_at IS NOT NULL";
        eventually("the console is closed", SOON, async || {
            let mut read = self.app.running.app.db.read().await.unwrap();
            control_plane::fetch_optional!(read.conn(), (String,), SQL, console).unwrap()
        })
        .await
        .0
    }

    async fn audited(&self) -> Vec<String> {
        const SQL: &str = "SELECT action FROM audit_records WHERE action LIKE 'console.%' ORDER BY id";
        let mut read = self.app.running.app.db.read().await.unwrap();
        let rows = control_plane::fetch_all!(read.conn(), (String,), SQL).unwrap();
        rows.into_iter().map(|(action,)| action).collect()
    }

    async fn stop(self) {
        let Self { app, agent, .. } = self;
        drop(agent);
        app.stop().await;
    }
}

/// The agent's end of a console.
struct Host {
    up: mpsc::Sender<wire::ConsoleFrame>,
    down: Streaming<wire::ConsoleFrame>,
}

impl Host {
    async fn open(channel: tonic::transport::Channel, secret: &str, password: &str, error: &str) -> Self {
        let (up, frames) = mpsc::channel(16);
        let (password, error) = (password.to_owned(), error.to_owned());
        let opened = FrameBody::Opened(wire::ConsoleOpened { password, error });
        for body in [FrameBody::ConsoleId(secret.to_owned()), opened] {
            up.send(wire::ConsoleFrame { body: Some(body) }).await.unwrap();
        }
        let answer = timeout(SOON, RelayClient::new(channel).console(ReceiverStream::new(frames))).await;
        Self { up, down: answer.expect("an answer in time").unwrap().into_inner() }
    }

    async fn say(&self, body: FrameBody) {
        self.up.send(wire::ConsoleFrame { body: Some(body) }).await.unwrap();
    }

    /// The next frame; `None`: the stream ended.
    async fn next(&mut self) -> Option<FrameBody> {
        let frame = timeout(SOON, self.down.message()).await.expect("a frame or an end in time");
        frame.ok().flatten().map(|frame| frame.body.unwrap())
    }
}

#[tokio::test]
async fn a_console_goes_from_its_ticket_to_the_host_and_back_once() {
    for database in databases().await {
        let mut rig = Rig::start(&database, |_| {}).await;
        let asked = rig.ask("vnc").await;
        assert_eq!(asked["kind"], "vnc");
        assert_eq!(asked["protocols"][1], format!("ticket.{}", asked["ticket"].as_str().unwrap()));
        let address = rig.app.running.address;
        let mut socket = Browser::open(address, &asked).await.unwrap();
        let open = rig.told().await;
        assert_eq!((open.vmid, open.pod_id, open.kind), (VMID, rig.pod.to_string(), wire::ConsoleKind::Vnc.into()));
        let channel = dialled(&rig.app, &rig.identity).await;
        let mut host = Host::open(channel.clone(), &open.console_id, "geheim", "").await;
        assert_eq!(socket.said().await, json!({ "type": "opened", "kind": "vnc", "password": "geheim" }));
        host.say(FrameBody::Data("RFB 003.008\n".into())).await;
        assert_eq!(socket.heard().await, Message::Binary("RFB 003.008\n".into()), "{}", database.name);
        for i in 0..100_u8 {
            socket.send(&[i; 1000]).await;
            assert_eq!(host.next().await, Some(FrameBody::Data(vec![i; 1000].into())));
        }
        assert_eq!(
            Browser::open(address, &asked).await.unwrap_err(),
            (401, "unauthorized".into()),
            "its ticket is spent"
        );
        let mut second = Host::open(channel, &open.console_id, "", "").await;
        assert_eq!(second.next().await, Some(FrameBody::Closed("nobody waits for this console".into())));

        socket.close().await;
        assert_eq!(host.next().await, Some(FrameBody::Closed("closed by its user".into())));
        assert_eq!(host.next().await, None);
        let console = asked["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(rig.closed(console).await, "closed by its user");
        assert_eq!(rig.audited().await, ["console.asked", "console.opened", "console.closed"]);
        drop((host, second));
        rig.stop().await;
    }
}

#[tokio::test]
async fn only_the_right_ticket_in_time_opens_a_console() {
    const OLD: &str = "UPDATE consoles SET expires_at = created_at";
    for database in databases().await {
        let mut rig = Rig::start(&database, |config| config.consoles.per_tenant = 2).await;
        let address = rig.app.running.address;
        let asked = rig.ask("terminal").await;
        let path = asked["url"].as_str().unwrap();
        let unknown = format!("/api/console/{}", ConsoleId::generate());
        for path in [path, &unknown] {
            assert_eq!(
                Browser::attach(address, path, "wrong").await.unwrap_err(),
                (401, "unauthorized".into()),
                "{}",
                database.name
            );
        }
        rig.ask("vnc").await;
        let full = rig.app.api.post(&rig.path(), &json!({ "kind": "vnc" })).await;
        full.expect_problem(409, "console_limit");
        let mut tx = rig.app.running.app.db.begin().await.unwrap();
        control_plane::execute!(tx.conn(), OLD).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(Browser::open(address, &asked).await.unwrap_err(), (401, "unauthorized".into()), "it is too old");
        // A spent ticket holds no place, and the right one still counts after wrong ones.
        let asked = rig.ask("terminal").await;
        let mut socket = Browser::open(address, &asked).await.unwrap();
        let open = rig.told().await;

        // Another server's agent knows the secret and gets nothing by it.
        let (_, other) = enrolled(&rig.app, "pve2").await;
        let mut thief = Host::open(dialled(&rig.app, &other).await, &open.console_id, "", "").await;
        assert_eq!(thief.next().await, Some(FrameBody::Closed("nobody waits for this console".into())));
        let host = Host::open(dialled(&rig.app, &rig.identity).await, &open.console_id, "", "").await;
        assert_eq!(socket.said().await, json!({ "type": "opened", "kind": "terminal", "password": "" }));

        rig.app.api.post(&rig.path(), &json!({ "kind": "photo" })).await.expect_field("kind");
        let stranger = format!("{}?tenant_id={}", rig.path(), uuid::Uuid::now_v7());
        rig.app.api.post(&stranger, &json!({ "kind": "vnc" })).await.expect_problem(404, "not_found");
        drop((thief, host, socket));
        rig.stop().await;
    }
}

#[tokio::test]
async fn what_the_host_says_against_it_is_told_to_the_browser() {
    let database = TestDatabase::sqlite();
    let mut rig = Rig::start(&database, |_| {}).await;
    let asked = rig.ask("vnc").await;
    let mut socket = Browser::open(rig.app.running.address, &asked).await.unwrap();
    let open = rig.told().await;
    let host = Host::open(dialled(&rig.app, &rig.identity).await, &open.console_id, "", "VM 10000 not running").await;
    let told = socket.said().await;
    assert_eq!((&told["type"], &told["code"]), (&json!("error"), &json!("console_refused")));
    assert!(told["detail"].as_str().unwrap().contains("VM 10000 not running"), "{told}");
    assert!(matches!(socket.heard().await, Message::Close(_)));
    assert!(rig.closed(asked["id"].as_str().unwrap().parse().unwrap()).await.contains("VM 10000 not running"));
    drop((host, socket));

    // The host closes an open one.
    let (console, mut socket, host) = rig.opened().await;
    host.say(FrameBody::Closed("the VM was stopped".into())).await;
    assert!(matches!(socket.heard().await, Message::Close(_)));
    assert_eq!(rig.closed(console).await, "closed by the host: the VM was stopped");

    // Its agent is gone.
    let path = rig.path();
    let Rig { app, pod, agent, identity } = rig;
    drop((agent, socket, host));
    eventually("the agent is seen to be gone", SOON, async || {
        let answer = app.api.post(&path, &json!({ "kind": "vnc" })).await;
        (answer.status == 503).then_some(())
    })
    .await;
    drop((pod, identity));
    app.stop().await;
}

#[tokio::test]
async fn a_console_on_which_nothing_moves_is_closed_and_shutdown_closes_all() {
    let database = TestDatabase::sqlite();
    let mut rig = Rig::start(&database, |config| config.consoles.idle = Duration::from_secs(1)).await;
    let (console, mut socket, mut host) = rig.opened().await;
    assert!(matches!(socket.heard().await, Message::Close(_)));
    assert!(matches!(host.next().await, Some(FrameBody::Closed(_))));
    assert_eq!(rig.closed(console).await, "nothing moved for 1 s");
    drop((socket, host));
    rig.stop().await;

    let mut rig = Rig::start(&TestDatabase::sqlite(), |_| {}).await;
    let (_, mut socket, mut host) = rig.opened().await;
    let browser = async {
        assert!(matches!(socket.heard().await, Message::Close(_)));
    };
    let agent = async { while host.next().await.is_some() {} };
    // It proves that no task is left.
    tokio::join!(rig.stop(), browser, agent);
}

/// A second control plane over a PostgreSQL, which is no agent's.
async fn second(database: &TestDatabase) -> TestApp {
    TestApp::start_with(database, |config| config.agents.listen = listener()).await
}

/// An address of its own, which the others learn.
fn listener() -> std::net::SocketAddr {
    ([127, 0, 0, 1], free_port()).into()
}

#[tokio::test]
async fn a_browser_may_come_to_another_control_plane_than_the_agent() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let mut rig = Rig::start(&database, |config| config.agents.listen = listener()).await;
    let other = second(&database).await;
    let asked = other.api.post(&rig.path(), &json!({ "kind": "vnc" })).await.expect(201);
    let mut socket = Browser::open(other.running.address, &asked).await.unwrap();
    let open = rig.told().await;
    assert_eq!((open.vmid, open.pod_id), (VMID, rig.pod.to_string()));
    let mut host = Host::open(dialled(&rig.app, &rig.identity).await, &open.console_id, "geheim", "").await;
    assert_eq!(socket.said().await, json!({ "type": "opened", "kind": "vnc", "password": "geheim" }));
    for i in 0..100_u8 {
        socket.send(&[i; 1000]).await;
        assert_eq!(host.next().await, Some(FrameBody::Data(vec![i; 1000].into())));
        host.say(FrameBody::Data(vec![i; 2000].into())).await;
        assert_eq!(socket.bytes::<2000>().await, [i; 2000]);
    }
    for address in [rig.app.running.address, other.running.address] {
        assert_eq!(Browser::open(address, &asked).await.unwrap_err(), (401, "unauthorized".into()), "it is spent");
    }
    socket.close().await;
    assert_eq!(host.next().await, Some(FrameBody::Closed("closed by its user".into())));
    let console = asked["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(rig.closed(console).await, "closed by its user");
    assert_eq!(rig.audited().await, ["console.asked", "console.opened", "console.closed"]);

    // What the host says against it comes as it is, and so does the host's end of one.
    let asked = other.api.post(&rig.path(), &json!({ "kind": "terminal" })).await.expect(201);
    let mut socket = Browser::open(other.running.address, &asked).await.unwrap();
    let open = rig.told().await;
    let refusing =
        Host::open(dialled(&rig.app, &rig.identity).await, &open.console_id, "", "VM 10000 not running").await;
    let told = socket.said().await;
    assert_eq!((&told["type"], &told["code"]), (&json!("error"), &json!("console_refused")), "{told}");
    assert!(told["detail"].as_str().unwrap().ends_with("the host cannot open it: VM 10000 not running"), "{told}");
    let asked = other.api.post(&rig.path(), &json!({ "kind": "vnc" })).await.expect(201);
    let mut socket = Browser::open(other.running.address, &asked).await.unwrap();
    let open = rig.told().await;
    let ending = Host::open(dialled(&rig.app, &rig.identity).await, &open.console_id, "", "").await;
    socket.said().await;
    ending.say(FrameBody::Closed("the VM was stopped".into())).await;
    assert_eq!(socket.closed().await, "closed by the host: the VM was stopped");
    drop((host, refusing, ending));
    other.stop().await;
    rig.stop().await;
}

#[tokio::test]
async fn where_no_control_plane_says_how_to_reach_it_the_browser_is_told_what_is_missing() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let mut rig = Rig::start(&database, |_| {}).await;
    let other = TestApp::start_on(&database).await;
    let asked = other.api.post(&rig.path(), &json!({ "kind": "vnc" })).await.expect(201);
    let refused = Browser::open(other.running.address, &asked).await.unwrap_err();
    assert_eq!(refused, (503, "agent_elsewhere".into()));
    let mut socket = Browser::open(rig.app.running.address, &asked).await.expect("its ticket is not spent");
    let open = rig.told().await;
    let host = Host::open(dialled(&rig.app, &rig.identity).await, &open.console_id, "pw", "").await;
    assert_eq!(socket.said().await["password"], "pw");
    drop((socket, host));
    other.stop().await;
    rig.stop().await;
}

#[tokio::test]
async fn a_control_plane_that_is_no_longer_there_or_is_another_one_is_no_way_to_the_agent() {
    const MOVED: &str = "UPDATE instances SET internal_url = $1 WHERE id = $2";
    let Some(database) = TestDatabase::postgres().await else { return };
    let rig = Rig::start(&database, |config| config.agents.listen = listener()).await;
    let other = second(&database).await;
    // To itself, which is not the one that holds the session, and to nobody.
    for to in [other.running.agents_address, listener()] {
        let (to, holder) = (format!("https://{to}"), rig.app.running.app.instance);
        let mut tx = rig.app.running.app.db.begin().await.unwrap();
        assert_eq!(control_plane::execute!(tx.conn(), MOVED, to.as_str(), holder).unwrap(), 1, "{to}");
        tx.commit().await.unwrap();
        let asked = other.api.post(&rig.path(), &json!({ "kind": "vnc" })).await.expect(201);
        let mut socket = Browser::open(other.running.address, &asked).await.unwrap();
        let told = socket.said().await;
        assert_eq!((&told["type"], &told["code"]), (&json!("error"), &json!("unavailable")), "{told}");
        assert!(told["detail"].as_str().unwrap().contains("cannot be reached from this one"), "{told}");
        assert!(matches!(socket.heard().await, Message::Close(_)));
    }
    other.stop().await;
    rig.stop().await;
}

#[tokio::test]
async fn consoles_of_a_control_plane_that_died_are_closed_by_those_that_live() {
    const DIED: &str = "UPDATE consoles SET redeemed_at = created_at, instance_id = $2 WHERE id = $1";
    for database in databases().await {
        let rig = Rig::start(&database, |_| {}).await;
        let asked = rig.ask("vnc").await;
        let console: ConsoleId = asked["id"].as_str().unwrap().parse().unwrap();
        let mut tx = rig.app.running.app.db.begin().await.unwrap();
        control_plane::execute!(tx.conn(), DIED, console, control_plane::ids::InstanceId::generate()).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(rig.app.running.app.consoles.consoles_abandoned_close().await.unwrap(), 1, "{}", database.name);
        assert_eq!(rig.closed(console).await, "the control plane that relayed it is gone");
        assert_eq!(rig.app.running.app.consoles.consoles_abandoned_close().await.unwrap(), 0);
        assert_eq!(rig.audited().await, ["console.asked", "console.closed"]);
        rig.stop().await;
    }
}
