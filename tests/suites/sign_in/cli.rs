use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use mpanel_tests::TestApp;
use mpanel_tests::signing_in::{PASSWORD, person, text};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::totp::enrolled;

const ANN: &str = "ann@example.net";

/// Somebody's home, and the command line in it.
struct Home {
    dir: TempDir,
    url: String,
}

impl Home {
    fn new(app: &TestApp) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), url: app.api.url.clone() }
    }

    async fn run(&self, args: &[&str], typed: &str) -> Output {
        self.run_in(&[], args, typed).await
    }

    /// With this in its environment.
    async fn run_in(&self, variables: &[(&str, &str)], args: &[&str], typed: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mpanel-faulty"));
        command.env_clear().env("HOME", self.dir.path()).env("MPANEL_URL", &self.url).args(args);
        command.envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // It may have ended without reading.
        let _ = stdin.write_all(typed.as_bytes()).await;
        drop(stdin);
        child.wait_with_output().await.unwrap()
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join(".local/state/mpanel/sessions.json")
    }

    fn kept(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.file()).unwrap()).unwrap()
    }

    /// Lets the access token that is kept be over.
    fn age(&self) -> String {
        let mut kept = self.kept();
        let session = kept["sessions"].as_object_mut().unwrap().values_mut().next().unwrap();
        session["access_expires_at"] = json!("2020-01-01T00:00:00Z");
        let refresh = session["refresh_token"].as_str().unwrap().to_owned();
        std::fs::write(self.file(), kept.to_string()).unwrap();
        refresh
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn a_person_signs_in_on_the_command_line_and_stays_so() {
    let (app, _database) = TestApp::start().await;
    person(&app, ANN, "OWNER").await;
    let home = Home::new(&app);
    let out = home.run(&["whoami"], "").await;
    assert!(out.status.code() == Some(3) && said(&out).contains("mpanel login"), "{}", said(&out));
    let out = home.run(&["login", ANN], "wrong\n").await;
    assert!(out.status.code() == Some(3) && !said(&out).contains("hint: "), "a token is none of it: {}", said(&out));
    let out = home.run(&["login"], &format!("{ANN}\n{PASSWORD}\n")).await;
    assert!(out.status.success() && !said(&out).contains(PASSWORD), "{}", said(&out));
    assert_eq!(std::fs::metadata(home.file()).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!home.kept().to_string().contains(PASSWORD));
    let out = home.run(&["whoami", "--json"], "").await;
    let me: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(text(&me["user"], "email"), ANN);
    // Several at once refresh once, and all go on.
    let before = home.age();
    let several = futures::future::join_all((0..4).map(|_| home.run(&["whoami", "--quiet"], ""))).await;
    for out in several {
        assert!(out.status.success() && said(&out) == format!("{ANN}\n"), "{}", said(&out));
    }
    assert_ne!(home.kept()["sessions"].as_object().unwrap().values().next().unwrap()["refresh_token"], json!(before));
    let out = home.run(&["logout"], "").await;
    assert!(out.status.success(), "{}", said(&out));
    assert_eq!(home.kept(), json!({"sessions": {}}));
    assert_eq!(home.run(&["whoami"], "").await.status.code(), Some(3));
    app.stop().await;
}

#[tokio::test]
async fn a_token_of_the_environment_goes_before_the_sign_in_and_that_is_said() {
    let (app, _database) = TestApp::start().await;
    person(&app, ANN, "OWNER").await;
    let home = Home::new(&app);
    let token = [("MPANEL_TOKEN", mpanel_tests::app::TOKEN)];
    let out = home.run_in(&token, &["login", ANN], &format!("{PASSWORD}\n")).await;
    assert!(out.status.success() && said(&out).contains("as the token from MPANEL_TOKEN"), "{}", said(&out));
    assert!(said(&out).contains("unset MPANEL_TOKEN"), "{}", said(&out));
    assert!(said(&home.run_in(&token, &["whoami"], "").await).contains("the platform's own"));
    assert!(said(&home.run(&["whoami", "-q"], "").await).contains(ANN));
    let out = home.run_in(&token, &["logout"], "").await;
    assert!(out.status.success() && said(&out).contains("as the token from MPANEL_TOKEN"), "{}", said(&out));
    assert_eq!(home.kept(), json!({"sessions": {}}), "the sign-in is over all the same");
    app.stop().await;
}

#[tokio::test]
async fn who_belongs_to_two_tenants_lists_them_and_names_one() {
    let (app, _database) = TestApp::start().await;
    let (ann, other) = (person(&app, ANN, "MEMBER").await, mpanel_tests::people::tenant(&app, "other").await);
    mpanel_tests::people::tenant(&app, "strangers").await;
    let body = json!({"email": ANN, "name": "Ann", "tenant_id": other, "role": "OWNER"});
    app.api.post("/api/platform/users", &body).await.expect(201);
    let home = Home::new(&app);
    assert!(home.run(&["login", ANN], &format!("{PASSWORD}\n")).await.status.success());
    let out = home.run(&["tenant", "list", "--quiet"], "").await;
    assert!(out.status.success() && said(&out) == "other\n", "where her role may read it: {}", said(&out));
    let out = home.run(&["user", "list"], "").await;
    assert!(out.status.code() == Some(3) && said(&out).contains("--tenant NAME"), "{}", said(&out));
    let out = home.run(&["user", "list", "--tenant", "other", "--role", "owner", "--json"], "").await;
    let list: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", said(&out)));
    assert_eq!((&list["items"][0]["id"], &list["items"][0]["tenant_id"]), (&json!(ann), &json!(other)));
    let out = home.run(&["user", "list", "--tenant", "nowhere"], "").await;
    assert!(out.status.code() == Some(4) && said(&out).contains("no such tenant: nowhere"), "{}", said(&out));
    let variable = [("MPANEL_TENANT", "other")];
    let out = home.run_in(&variable, &["user", "list"], "").await;
    assert!(out.status.success() && said(&out).contains("TENANT"), "{}", said(&out));
    assert!(home.run_in(&variable, &["whoami"], "").await.status.success());
    app.stop().await;
}

#[tokio::test]
async fn a_tenant_s_people_see_what_pods_are_made_of() {
    let (app, _database) = TestApp::start().await;
    person(&app, ANN, "MEMBER").await;
    let plan =
        json!({"name": "small", "vcpu": 1, "memory_mib": 1024, "disk_gib": 8, "price_minor": 1, "currency": "EUR"});
    app.api.post("/api/platform/plans", &plan).await.expect(201);
    let image = json!({"name": "debian", "os": "debian", "default_user": "debian", "template_vmid": 9000});
    app.api.post("/api/platform/images", &image).await.expect(201);
    let home = Home::new(&app);
    assert!(home.run(&["login", ANN], &format!("{PASSWORD}\n")).await.status.success());
    for (noun, name) in [("plan", "small"), ("image", "debian")] {
        let out = home.run(&[noun, "list", "--quiet"], "").await;
        assert!(out.status.success() && said(&out) == format!("{name}\n"), "{}", said(&out));
        let out = home.run(&[noun, "show", name], "").await;
        assert!(out.status.success() && said(&out).contains(name), "{}", said(&out));
        assert_eq!(home.run(&[noun, "show", "nothing"], "").await.status.code(), Some(4));
        let out = home.run(&[noun, "remove", name, "--yes"], "").await;
        assert!(out.status.code() == Some(3) && !said(&out).contains("this token"), "{}", said(&out));
    }
    app.stop().await;
}

#[tokio::test]
async fn people_are_made_invited_and_join_on_the_command_line() {
    let (app, _database) = TestApp::start().await;
    let tenant = mpanel_tests::people::tenant(&app, "acme").await;
    let home = Home::new(&app);
    let file = home.dir.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let token = home.dir.path().join("token");
    std::fs::write(&token, mpanel_tests::app::TOKEN).unwrap();
    let (file, token) = (file.to_str().unwrap(), token.to_str().unwrap());
    let make = ["user", "create-owner", ANN, "--tenant", &tenant, "--password-file", file, "--token-file", token];
    let out = home.run(&make, "").await;
    assert!(out.status.success(), "{}", said(&out));
    assert!(home.run(&["login", ANN], &format!("{PASSWORD}\n")).await.status.success());
    let out = home.run(&["user", "invite", "bob@acme.example"], "").await;
    assert!(out.status.success() && said(&out).contains("mpanel user accept"), "{}", said(&out));
    let secret = String::from_utf8(out.stdout).unwrap();
    let guest = Home::new(&app);
    let out = guest.run(&["user", "accept"], &secret).await;
    assert_eq!(out.status.code(), Some(3), "{}", said(&out));
    let typed = format!("https://panel.example.net/accept-invitation#{secret}{PASSWORD}\n");
    let out = guest.run(&["user", "accept", "--name", "Bob"], &typed).await;
    assert!(out.status.success() && !said(&out).contains(PASSWORD), "{}", said(&out));
    assert!(guest.run(&["login", "bob@acme.example"], &format!("{PASSWORD}\n")).await.status.success());
    // By the account that there is now.
    let other = mpanel_tests::people::tenant(&app, "other").await;
    let wish = json!({"email": "bob@acme.example", "role": "ADMIN"});
    let made = app.api.post(&format!("/api/admin/users/invite?tenant_id={other}"), &wish).await.expect(201);
    let out = guest.run(&["user", "accept"], &format!("{}\n", text(&made, "token"))).await;
    assert!(out.status.success() && said(&out).contains(&other), "{}", said(&out));
    // What is read as a stream shows the sign-in too.
    let out = home.run(&["audit", "export"], "").await;
    assert!(out.status.success() && said(&out).contains("invitation.accepted"), "{}", said(&out));
    app.stop().await;
}

#[tokio::test]
async fn staff_decide_over_accounts_on_the_command_line() {
    let (app, _database) = TestApp::start().await;
    person(&app, ANN, "OWNER").await;
    let home = Home::new(&app);
    let token = home.dir.path().join("token");
    std::fs::write(&token, mpanel_tests::app::TOKEN).unwrap();
    let token = ["--token-file", token.to_str().unwrap()];
    let run = async |args: &[&str]| {
        let out = home.run(&[&["user", "account"][..], args, &token[..]].concat(), "").await;
        assert!(out.status.success(), "{args:?}: {}", said(&out));
        String::from_utf8(out.stdout).unwrap()
    };
    assert_eq!(run(&["list", "--staff", "--quiet"]).await, "");
    assert!(run(&["staff", ANN, "--yes"]).await.contains("true"));
    assert_eq!(run(&["list", "--staff", "--quiet"]).await, format!("{ANN}\n"));
    let last = [&["user", "account", "staff", ANN, "--remove", "--yes"][..], &token[..]].concat();
    assert!(said(&home.run(&last, "").await).contains("last of the platform's staff"));
    assert!(run(&["recover", ANN, "--yes"]).await.trim().len() > 40, "what ends the link");
    person(&app, "boss@example.net", "MEMBER").await;
    run(&["staff", "boss@example.net", "--yes"]).await;
    assert!(run(&["suspend", ANN, "--yes"]).await.contains("suspended"));
    assert!(run(&["show", ANN]).await.contains("suspended"));
    assert!(run(&["reactivate", ANN]).await.contains("active"));
    run(&["staff", ANN, "--remove", "--yes"]).await;
    assert_eq!(run(&["list", "--staff", "--quiet"]).await, "boss@example.net\n");
    app.stop().await;
}

#[tokio::test]
async fn a_sign_in_that_was_ended_elsewhere_is_forgotten() {
    let (app, _database) = TestApp::start().await;
    person(&app, ANN, "OWNER").await;
    let home = Home::new(&app);
    assert!(home.run(&["login", ANN], &format!("{PASSWORD}\n")).await.status.success());
    let (ann, _) = mpanel_tests::signing_in::sign_in(&app.api, ANN).await;
    let sessions = ann.get("/api/auth/sessions").await.expect(200);
    for session in sessions["items"].as_array().unwrap().iter().filter(|session| session["current"] == false) {
        ann.delete(&format!("/api/auth/sessions/{}", text(session, "id"))).await.expect_status(204);
    }
    let out = home.run(&["whoami"], "").await;
    assert!(out.status.code() == Some(3) && said(&out).contains("sign in again"), "{}", said(&out));
    home.age();
    assert_eq!(home.run(&["whoami"], "").await.status.code(), Some(3));
    assert_eq!(home.kept(), json!({"sessions": {}}));
    assert!(home.run(&["logout"], "").await.status.success());
    app.stop().await;
}

#[tokio::test]
async fn the_command_line_asks_for_a_second_factor() {
    let (app, _database) = TestApp::start().await;
    person(&app, ANN, "OWNER").await;
    let (ann, _) = mpanel_tests::signing_in::sign_in(&app.api, ANN).await;
    let (_, codes) = enrolled(&ann, &app.running.app.clock).await;
    let home = Home::new(&app);
    let out = home.run(&["login", ANN], &format!("{PASSWORD}\n")).await;
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
    let out = home.run(&["login", ANN], &format!("{PASSWORD}\n{}\n", codes[0])).await;
    assert!(out.status.success(), "{}", said(&out));
    assert!(said(&home.run(&["whoami"], "").await).contains("Second factor"));
    app.stop().await;
}

#[tokio::test]
async fn no_secret_crosses_the_network_in_the_clear_unless_that_is_asked_for() {
    let (app, _database) = TestApp::start().await;
    person(&app, ANN, "OWNER").await;
    // Another name of this machine's, of which nobody knows that it is this machine.
    let home = Home { url: app.api.url.replace("127.0.0.1", "0.0.0.0"), ..Home::new(&app) };
    let password = format!("{PASSWORD}\n");
    for args in [&["login", ANN][..], &["whoami", "--token", "x"], &["user", "accept"]] {
        let out = home.run(args, &password).await;
        assert!(out.status.code() == Some(2) && said(&out).contains("--plain-http"), "{args:?}: {}", said(&out));
    }
    let out = home.run(&["login", ANN, "--plain-http"], &password).await;
    assert!(out.status.success() && said(&out).contains("warning: "), "{}", said(&out));
    let out = home.run(&["whoami"], "").await;
    assert!(out.status.code() == Some(2) && said(&out).contains("--plain-http"), "{}", said(&out));
    assert!(home.run(&["whoami", "--plain-http"], "").await.status.success());
    app.stop().await;
}
