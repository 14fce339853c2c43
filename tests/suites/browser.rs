//! The web console as people use it, in a browser: Playwright in the machine's Chromium, against a real control plane with real agents and
//! the simulated Proxmox VE. What is done there is in `tests/console`; its pictures are left in `target/console-screenshots`.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::path::Path;
use std::process::Stdio;

use control_plane::domain::oidc;
use mpanel_tests::app::{TOKEN, TestApp};
use mpanel_tests::daemon::free_port;
use mpanel_tests::fleet::{Fleet, PODS, Programs};
use mpanel_tests::node::installed;
use mpanel_tests::oidc_provider::OidcProvider;
use mpanel_tests::populated::populate;
use mpanel_tests::signing_in::PASSWORD;
use mpanel_tests::{TestDatabase, assert_invariants};
use pve_sim::Sim;
use serde_json::json;

const PROGRAMS: Programs =
    Programs { control: env!("CARGO_BIN_EXE_mpanel-faulty"), agent: env!("CARGO_BIN_EXE_mpanel-agent-faulty") };

/// Where the machine's browser is.
fn chromium() -> &'static str {
    let known = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    known
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("Chromium: tests/run installs it (on Debian: apt-get install chromium)")
}

/// Two hosts with a pod each, a third that is not registered yet, somebody of the staff and somebody who may only look.
async fn stage(fleet: &Fleet) {
    let home = fleet.api.get("/api/admin/tenants").await.expect(200)["items"][0]["id"].clone();
    let staff = json!({ "email": "sam@staff.example", "name": "Sam Staff", "staff": true, "password": PASSWORD });
    fleet.api.post("/api/platform/users", &staff).await.expect(201);
    for (role, email) in [("OWNER", "ann@home.example"), ("BILLING", "bill@home.example")] {
        let asked = json!({ "email": email, "name": role, "tenant_id": home, "role": role, "password": PASSWORD });
        fleet.api.post("/api/platform/users", &asked).await.expect(201);
    }
    for (pod, server) in [("db-1", "pve1"), ("db-2", "pve2")] {
        let asked = json!({ "name": pod, "plan": "small", "image": "debian", "placement": { "server": server } });
        let made = fleet.api.post(PODS, &asked).await.expect(202);
        fleet.pod_until(made["cloudpod"]["id"].as_str().expect("an id"), &["active"]).await;
    }
}

/// What Playwright is to do at the control plane `url`, and where it leaves pictures.
async fn played(project: &str, url: &str) -> tokio::process::Command {
    let folder = tokio::task::spawn_blocking(|| installed("console")).await.expect("the packages");
    let screenshots = folder.parent().expect("target/").join("console-screenshots");
    let mut command = tokio::process::Command::new("node");
    command.args(["node_modules/@playwright/test/cli.js", "test", "--project", project]).current_dir(&folder);
    command.env("MPANEL_URL", url).env("MPANEL_TOKEN", TOKEN).env("MPANEL_PASSWORD", PASSWORD);
    command.env("MPANEL_SCREENSHOTS", &screenshots).env("CHROMIUM", chromium()).env("CI", "1");
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Waits for it, and fails for what it failed for; `more` is told then.
async fn passes(mut command: tokio::process::Command, more: impl FnOnce() -> String) {
    let output = command.output().await.expect("node runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{}", more());
    eprintln!("{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_works_in_a_browser() {
    let mut fleet = Fleet::start(PROGRAMS, TestDatabase::sqlite(), 2).await;
    stage(&fleet).await;
    // What waits for its next try is looked at for longer than elsewhere.
    fleet.control_restart(&[("MPANEL__JOBS__RETRY_FIRST", "10s")]).await;
    let third = Sim::builder().node("pve9").control("127.0.0.1:0").start().await.expect("the third host");
    third.hand().datacenter_firewall(true);
    let (control, control_token) = third.control().expect("its control port");
    let agent_config = fleet.host_configure("pve9", &third);
    let mut command = played("hosts", &fleet.api.url).await;
    command.env("AGENT", PROGRAMS.agent).env("AGENT_CONFIG", agent_config);
    command.env("SIM_CONTROL_URL", format!("http://{control}")).env("SIM_CONTROL_TOKEN", control_token);
    passes(command, || fleet.said()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_servers_and_ten_thousand_pods_are_shown_page_by_page() {
    let (app, _database) = TestApp::start().await;
    populate(&app.running.app.db, app.running.app.clock.now(), 1_000).await;
    let sam = json!({ "email": "sam@staff.example", "name": "Sam Staff", "staff": true, "password": PASSWORD });
    app.api.post("/api/platform/users", &sam).await.expect(201);
    assert_invariants(&app.api).await;
    passes(played("fleet", &app.api.url).await, String::new).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_in_a_browser_by_a_provider() {
    let here = format!("http://127.0.0.1:{}", free_port());
    let provider = OidcProvider::start("mpanel", "s3cret", &format!("{here}/api/auth/oidc/corp/callback")).await;
    let dir = tempfile::tempdir().expect("a folder");
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "s3cret\n").expect("the client's secret");
    let database = TestDatabase::sqlite();
    let app = TestApp::start_with(&database, |config| {
        config.http.listen = here.trim_start_matches("http://").parse().expect("an address");
        config.http.public_url = Some(here.clone());
        config.oidc = vec![oidc::Config {
            name: "corp".to_owned(),
            issuer: provider.issuer.clone(),
            client_id: "mpanel".to_owned(),
            client_secret_file: Some(secret),
            ca_certificate: None,
            email_domains: Vec::new(),
            staff: false,
        }];
    });
    let app = app.await;
    let home = app.api.get("/api/admin/tenants").await.expect(200)["items"][0]["id"].clone();
    let ann = json!({ "email": "ann@home.example", "name": "Ann", "tenant_id": home, "role": "OWNER" });
    app.api.post("/api/platform/users", &ann).await.expect(201);
    let mut command = played("provider", &here).await;
    command.env("PROVIDER", &provider.issuer);
    passes(command, String::new).await;
    app.stop().await;
}

/// The console's types are made of the API's description: `npm run types` makes them anew.
#[tokio::test]
async fn the_consoles_types_fit_the_description() {
    let (app, _database) = TestApp::start().await;
    let description = app.api.get("/api/openapi.json").await.expect(200);
    let dir = tempfile::tempdir().expect("a folder");
    let (document, made) = (dir.path().join("openapi.json"), dir.path().join("schema.d.ts"));
    std::fs::write(&document, description.to_string()).expect("the description");
    let console = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("control-plane/ui");
    let mut command = tokio::process::Command::new("node");
    command.arg("scripts/types.mjs").args([&document, &made]).current_dir(&console);
    let output = command.output().await.expect("node runs");
    assert!(
        output.status.success(),
        "deploy/console fetches what it needs: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let (made, kept) =
        (std::fs::read_to_string(made).expect("types"), std::fs::read_to_string(console.join("src/api/schema.d.ts")));
    let kept = kept.expect("src/api/schema.d.ts");
    let differs = made.lines().zip(kept.lines()).find(|(made, kept)| made != kept);
    assert!(made == kept, "run `npm run types` in control-plane/ui; the first line that differs: {differs:?}");
}
