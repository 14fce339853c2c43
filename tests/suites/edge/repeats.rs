//! Repeated requests over HTTP, also when the control plane is killed in between.

use control_plane::domain::access::Permissions;
use mpanel_tests::app::send;
use mpanel_tests::process::Setup;
use mpanel_tests::signing_in::PASSWORD;
use mpanel_tests::{Answer, Api, TestApp, databases};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const PLANS: &str = "/api/platform/plans";
const PROGRAM: &str = env!("CARGO_BIN_EXE_mpanel-faulty");

fn plan(name: &str) -> Value {
    json!({"name": name, "vcpu": 1, "memory_mib": 512, "disk_gib": 10})
}

async fn count(api: &Api, path: &str) -> usize {
    api.get(path).await.expect(200)["items"].as_array().unwrap().len()
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == "true"
}

#[tokio::test]
async fn eight_at_once_make_one_and_each_gets_its_answer() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let ask = async || {
            loop {
                let answer = app.api.post_keyed(PLANS, "click", &plan("small")).await;
                if answer.status != 409 {
                    return answer;
                }
                answer.expect_problem(409, "idempotency_running");
                assert_eq!(answer.header("retry-after"), "1");
                tokio::task::yield_now().await;
            }
        };
        let answers = futures::future::join_all((0..8).map(|_| ask())).await;
        assert_eq!(answers.iter().filter(|answer| !is_replay(answer)).count(), 1, "{}", database.name);
        let first = answers.iter().find(|answer| !is_replay(answer)).unwrap();
        for answer in &answers {
            assert_eq!(answer.status, 201, "{}", answer.text);
            assert_eq!(answer.text, first.text);
            for header in ["location", "etag", "content-type"] {
                assert_eq!(answer.header(header), first.header(header), "{header}");
            }
        }
        assert_eq!(count(&app.api, PLANS).await, 1, "{}", database.name);
        app.stop().await;
    }
}

/// What is kept of the request with this key, to know it again.
async fn kept(app: &TestApp, key: &str) -> Vec<u8> {
    const SQL: &str = "SELECT request_hash FROM idempotency_keys WHERE key = $1";
    let mut read = app.running.app.db.read().await.unwrap();
    control_plane::fetch_one!(read.conn(), (Vec<u8>,), SQL, key).unwrap().0
}

/// The same as it was kept before there was a key to it.
fn plain(path: &str, body: &Value) -> Vec<u8> {
    let (grant, body) = (Permissions::all().bits().to_be_bytes(), body.to_string());
    let parts: [&[u8]; 5] = [b"POST", path.as_bytes(), b"", &grant, body.as_bytes()];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

#[tokio::test]
async fn what_is_kept_of_a_request_lets_nobody_guess_the_password_in_it() {
    const USERS: &str = "/api/platform/users";
    const SQL: &str = "UPDATE idempotency_keys SET request_hash = $1 WHERE key = 'k'";
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let body = json!({"email": "a@example.net", "name": "A", "password": PASSWORD, "staff": true});
        let first = app.api.post_keyed(USERS, "k", &body).await;
        assert_eq!(first.status, 201, "{}", first.text);
        assert_ne!(kept(&app, "k").await, plain(USERS, &body));
        assert!(is_replay(&app.api.post_keyed(USERS, "k", &body).await));
        // A key of before an upgrade is still one.
        let mut tx = app.running.app.db.begin().await.unwrap();
        control_plane::execute!(tx.conn(), SQL, plain(USERS, &body)).unwrap();
        tx.commit().await.unwrap();
        let again = app.api.post_keyed(USERS, "k", &body).await;
        assert!(is_replay(&again) && again.text == first.text, "{}", again.text);
        let other = json!({"email": "b@example.net", "name": "A", "password": PASSWORD, "staff": true});
        app.api.post_keyed(USERS, "k", &other).await.expect_field("Idempotency-Key");
        app.stop().await;
    }
}

#[tokio::test]
async fn a_key_belongs_to_one_request_and_a_refusal_gives_it_back() {
    let (app, _database) = TestApp::start().await;
    app.api.post_keyed(PLANS, "k", &json!({"name": "a"})).await.expect_field("vcpu");
    app.api.post_keyed(PLANS, "k", &plan("a")).await.expect(201);
    for other in [plan("b"), json!({"name": "a"})] {
        assert!(
            app.api.post_keyed(PLANS, "k", &other).await.expect_field("Idempotency-Key").contains("another request")
        );
    }
    let elsewhere = app.api.post_keyed("/api/platform/images", "k", &plan("a")).await;
    assert!(elsewhere.expect_field("Idempotency-Key").contains("another request"));
    let name_taken = app.api.post_keyed(PLANS, "l", &plan("a")).await;
    assert_eq!(name_taken.status, 409, "{}", name_taken.text);
    for wrong in ["", "a b", &"x".repeat(256)] {
        let answer = app.api.post_keyed(PLANS, wrong, &plan("c")).await;
        assert!(answer.expect_field("Idempotency-Key").contains("1 to 255"), "{wrong}");
    }
    assert_eq!(count(&app.api, PLANS).await, 1);
    let again = app.api.post_keyed(PLANS, "k", &plan("a")).await;
    assert!(is_replay(&again));
    let of_another = app.api.delete(&format!("{PLANS}/{}", again.body["id"].as_str().unwrap())).await;
    assert_eq!(of_another.status, 204);
    let request = || app.api.request(Method::DELETE, &format!("{PLANS}/nothing")).header("Idempotency-Key", "m");
    send(request()).await.expect_problem(404, "not_found");
    send(request()).await.expect_problem(404, "not_found");
    app.stop().await;
}

#[tokio::test]
async fn what_is_shown_once_is_not_in_the_database() {
    let (app, database) = TestApp::start().await;
    let body = json!({"name": "pve1"});
    let first = app.api.post_keyed("/api/platform/servers", "k", &body).await;
    let shown = first.body["enrolment"]["token"].as_str().expect("a join token").to_owned();
    let again = app.api.post_keyed("/api/platform/servers", "k", &body).await;
    assert!(is_replay(&again));
    assert_eq!(again.text, first.text);
    app.stop().await;
    for entry in std::fs::read_dir(database.dir().unwrap()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(shown.len()).any(|window| window == shown.as_bytes()));
    }
}

/// Kills the control plane at a point, and repeats the request at the next one.
async fn killed_at(point: &str, path: &str, body: &Value, check: impl Fn(Answer, usize)) {
    for database in databases().await {
        let dir = tempfile::tempdir().unwrap();
        let setup = Setup { program: PROGRAM, database: &database, dir: &dir };
        let short = |command: &mut std::process::Command| {
            command.env("MPANEL__HTTP__REQUEST_TIMEOUT", "1s");
        };
        let fault = dir.path().join("fault-point");
        std::fs::write(&fault, point).unwrap();
        let mut first = setup.serve(|command| {
            short(command);
            command.env("MPANEL_FAULT_FILE", &fault);
        });
        let request = first.api.request(Method::POST, path).header("Idempotency-Key", "k").json(body);
        assert!(request.send().await.is_err(), "it was killed before it answered");
        assert!(!first.wait().success());
        let second = setup.serve(short);
        // On PostgreSQL the first might be alive on another machine: its lease has to end.
        let deadline = std::time::Duration::from_mins(1);
        let answer = mpanel_tests::eventually("the lease to end", deadline, async || {
            let answer = second.api.post_keyed(path, "k", body).await;
            (answer.body["code"] != "idempotency_running").then_some(answer)
        })
        .await;
        let made = count(&second.api, path).await;
        assert_eq!(made, 1, "{} at {point}", database.name);
        check(answer, made);
    }
}

#[tokio::test]
async fn killed_before_the_effect_the_repetition_does_it() {
    killed_at("idempotency_claimed", PLANS, &plan("small"), |answer, _| {
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert!(!is_replay(&answer));
    })
    .await;
}

#[tokio::test]
async fn killed_after_the_effect_the_repetition_finds_it() {
    killed_at("idempotency_done", PLANS, &plan("small"), |answer, _| {
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert!(is_replay(&answer));
        assert_eq!(answer.body["name"], "small");
        assert_eq!(answer.header("location"), format!("{PLANS}/{}", answer.body["id"].as_str().unwrap()));
        assert_eq!(answer.header("etag"), "\"1\"");
    })
    .await;
}

#[tokio::test]
async fn killed_after_the_effect_what_was_to_be_shown_once_is_named() {
    killed_at("idempotency_done", "/api/platform/servers", &json!({"name": "pve1"}), |answer, _| {
        let problem = answer.expect_problem(409, "idempotency_answer_lost");
        assert!(problem["detail"].as_str().unwrap().contains("new enrolment token"), "{}", answer.text);
    })
    .await;
}

#[tokio::test]
async fn who_hangs_up_finds_the_answer_when_asking_again() {
    let (app, _database) = TestApp::start().await;
    for i in 0..20 {
        let (key, body) = (format!("k{i}"), plan(&format!("p{i}")));
        let request = app.api.request(Method::POST, PLANS).header("Idempotency-Key", &key).json(&body);
        let hasty = tokio::time::timeout(std::time::Duration::from_millis(i), request.send()).await;
        drop(hasty);
        let deadline = std::time::Duration::from_secs(30);
        let answer = mpanel_tests::eventually("an answer", deadline, async || {
            let answer = app.api.post_keyed(PLANS, &key, &body).await;
            (answer.status != 409).then_some(answer)
        })
        .await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    assert_eq!(count(&app.api, PLANS).await, 20);
    app.stop().await;
}

#[tokio::test]
async fn a_lost_update_is_refused() {
    let (app, _database) = TestApp::start().await;
    let first = app.api.post_keyed(PLANS, "k", &plan("small")).await;
    let path = first.header("location").to_owned();
    let read = app.api.get(&path).await;
    assert_eq!(read.header("etag"), "\"1\"");
    let change =
        |tag: &'static str| app.api.request(Method::PATCH, &path).header("If-Match", tag).json(&json!({"vcpu": 2}));
    let changed = send(change("\"1\"")).await;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, "\"2\""), "{}", changed.text);
    for stale in ["\"1\"", "W/\"2\"", "2", "\"x\"", "\"1\", \"2\""] {
        send(change(stale)).await.expect_problem(412, "stale");
    }
    send(change("*")).await.expect(200);
    app.api.patch(&path, &json!({"vcpu": 3})).await.expect(200);
    app.stop().await;
}

#[tokio::test]
async fn pages_follow_each_other_without_gaps() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        for i in 0..7 {
            app.api.post_keyed(PLANS, &format!("k{i}"), &plan(&format!("p{i}"))).await.expect(201);
        }
        let (mut names, mut query) = (Vec::new(), "limit=3".to_owned());
        loop {
            let page = app.api.get(&format!("{PLANS}?{query}")).await.expect(200);
            names
                .extend(page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()));
            let Some(token) = page["next_page_token"].as_str() else { break };
            app.api.get(&format!("{PLANS}?active=true&page_token={token}")).await.expect_field("page_token");
            app.api.get(&format!("/api/platform/images?page_token={token}")).await.expect_field("page_token");
            query = format!("limit=3&page_token={token}");
        }
        names.sort();
        assert_eq!(names, ["p0", "p1", "p2", "p3", "p4", "p5", "p6"], "{}", database.name);
        app.stop().await;
    }
}
