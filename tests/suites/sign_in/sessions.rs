use std::time::Duration;

use control_plane::clock::Clock;
use mpanel_tests::app::send;
use mpanel_tests::people::tenant;
use mpanel_tests::signing_in::{audited, person, refresh, sign_in, signed_in, suspend, text, try_sign_in};
use mpanel_tests::{TestApp, databases};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::still;
use mpanel_tests::signing_in::PASSWORD;

const ANN: &str = "ann@example.net";

#[tokio::test]
async fn a_person_signs_in_refreshes_and_signs_out() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let id = person(&app, ANN, "OWNER").await;
        let (ann, first) = sign_in(&app.api, " Ann@Example.NET ").await;
        let me = ann.get("/api/auth/me").await.expect(200);
        assert_eq!(
            (me["user"]["id"].as_str(), me["user"]["email"].as_str()),
            (Some(id.to_string().as_str()), Some(ANN))
        );
        assert_eq!((me["staff"].as_bool(), me["memberships"][0]["role"].as_str()), (Some(false), Some("OWNER")));
        assert_eq!(me["memberships"][0]["tenant_name"], "Default");
        assert_eq!(me["session_id"], first["session_id"]);
        let second = refresh(&app.api, text(&first, "refresh_token")).await.expect(200);
        assert_eq!((&second["session_id"], &second["expires_at"]), (&first["session_id"], &first["expires_at"]));
        assert_ne!(second["refresh_token"], first["refresh_token"]);
        let ann = app.api.with_token(text(&second, "access_token"));
        ann.post("/api/auth/logout", &()).await.expect_status(204);
        ann.get("/api/auth/me").await.expect_problem(401, "unauthorized");
        refresh(&app.api, text(&second, "refresh_token")).await.expect_problem(401, "unauthorized");
        app.stop().await;
        assert_eq!(audited(&database, "session.started").await.len(), 1, "{}", database.name);
        let ended = audited(&database, "session.ended").await;
        assert!(ended.len() == 1 && ended[0].contains("signed_out"), "{ended:?}");
    }
}

#[tokio::test]
async fn an_access_token_lasts_ten_minutes_and_a_sign_in_thirty_days() {
    for database in databases().await {
        let clock = still();
        let app = TestApp::start_at(&database, clock.clone(), |_| {}).await;
        person(&app, ANN, "MEMBER").await;
        let (ann, first) = sign_in(&app.api, ANN).await;
        clock.advance(Duration::from_mins(10) - Duration::from_secs(1));
        ann.get("/api/auth/me").await.expect(200);
        clock.advance(Duration::from_secs(1));
        ann.get("/api/auth/me").await.expect_problem(401, "unauthorized");
        let mut answer = refresh(&app.api, text(&first, "refresh_token")).await.expect(200);
        // Its key is replaced meanwhile, which nobody notices.
        for _ in 0..29 {
            clock.advance(Duration::from_hours(24));
            answer = refresh(&app.api, text(&answer, "refresh_token")).await.expect(200);
            app.api.with_token(text(&answer, "access_token")).get("/api/auth/me").await.expect(200);
        }
        clock.advance(Duration::from_hours(24));
        refresh(&app.api, text(&answer, "refresh_token")).await.expect_problem(401, "unauthorized");
        app.stop().await;
    }
}

#[tokio::test]
async fn a_suspended_person_is_out_at_once() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let id = person(&app, ANN, "OWNER").await;
        let (ann, answer) = sign_in(&app.api, ANN).await;
        suspend(&app, id).await;
        ann.get("/api/auth/me").await.expect_problem(401, "unauthorized");
        refresh(&app.api, text(&answer, "refresh_token")).await.expect_problem(401, "unauthorized");
        try_sign_in(&app.api, ANN, PASSWORD).await.expect_problem(401, "unauthorized");
        app.stop().await;
    }
}

#[tokio::test]
async fn a_suspension_ends_sign_ins_for_good() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let id = person(&app, ANN, "OWNER").await;
        person(&app, "bob@example.net", "OWNER").await;
        let (bob, _) = sign_in(&app.api, "bob@example.net").await;
        let (ann, answer) = sign_in(&app.api, ANN).await;
        for change in ["suspend", "reactivate"] {
            bob.post(&format!("/api/users/{id}/{change}"), &()).await.expect(200);
        }
        ann.get("/api/auth/me").await.expect_problem(401, "unauthorized");
        refresh(&app.api, text(&answer, "refresh_token")).await.expect_problem(401, "unauthorized");
        sign_in(&app.api, ANN).await.0.get("/api/auth/me").await.expect(200);
        bob.get("/api/auth/me").await.expect(200);
        app.stop().await;
        let ended = audited(&database, "session.ended").await;
        assert!(ended.len() == 1 && ended[0].contains("suspended"), "{ended:?}");
    }
}

#[tokio::test]
async fn a_suspension_ends_no_sign_in_that_counts_elsewhere() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let id = person(&app, ANN, "OWNER").await;
        let other = tenant(&app, "other").await;
        let wish = json!({"email": ANN, "name": "Ann", "tenant_id": other, "role": "MEMBER"});
        app.api.post("/api/platform/users", &wish).await.expect(201);
        let (ann, answer) = sign_in(&app.api, ANN).await;
        let here = async |change: &str| {
            app.api.post(&format!("/api/admin/users/{id}/{change}?tenant_id={other}"), &()).await.expect(200);
        };
        let users = format!("/api/admin/users?tenant_id={other}");
        here("suspend").await;
        ann.get("/api/auth/me").await.expect(200);
        let refused = ann.get(&users).await;
        assert!([401, 403, 404].contains(&refused.status.as_u16()), "{}", refused.text);
        refresh(&app.api, text(&answer, "refresh_token")).await.expect(200);
        here("reactivate").await;
        app.stop().await;
        assert!(audited(&database, "session.ended").await.is_empty());
    }
}

#[tokio::test]
async fn of_too_many_sign_ins_the_oldest_ends() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let id = person(&app, ANN, "OWNER").await;
        let (first, _) = sign_in(&app.api, ANN).await;
        let second = signed_in(&app, &id.to_string()).await;
        for _ in 2..100 {
            signed_in(&app, &id.to_string()).await;
        }
        first.get("/api/auth/me").await.expect(200);
        sign_in(&app.api, ANN).await;
        first.get("/api/auth/me").await.expect_problem(401, "unauthorized");
        let page = second.get("/api/auth/sessions?limit=200").await.expect(200);
        assert_eq!(page["items"].as_array().unwrap().len(), 100, "{}", database.name);
        app.stop().await;
        let ended = audited(&database, "session.ended").await;
        assert!(ended.len() == 1 && ended[0].contains("too_many"), "{ended:?}");
    }
}

#[tokio::test]
async fn a_sign_in_s_address_is_what_the_nearest_proxy_of_ours_saw() {
    let database = mpanel_tests::TestDatabase::sqlite();
    let app = TestApp::start_with(&database, |config| config.http.behind_proxy = true).await;
    person(&app, ANN, "OWNER").await;
    for (forwarded, seen) in [
        ("203.0.113.9", "203.0.113.9"),
        ("192.0.2.66, 203.0.113.9", "203.0.113.9"),
        ("192.0.2.66, 203.0.113.9, 127.0.0.2", "203.0.113.9"),
        ("127.0.0.3, 127.0.0.2", "127.0.0.3"),
        ("nobody", "127.0.0.1"),
    ] {
        let request = app.api.anonymous(Method::POST, "/api/auth/login").header("X-Forwarded-For", forwarded);
        let answer = send(request.json(&json!({"email": ANN, "password": PASSWORD}))).await.expect(200);
        let ann = app.api.with_token(text(&answer, "access_token"));
        let page = ann.get("/api/auth/sessions").await.expect(200);
        let own = page["items"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
        assert_eq!(own["address"], seen, "{forwarded}");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_refresh_token_that_is_shown_again_ends_its_family() {
    for database in databases().await {
        let clock = still();
        let app = TestApp::start_at(&database, clock.clone(), |_| {}).await;
        person(&app, ANN, "OWNER").await;
        let (other, _) = sign_in(&app.api, ANN).await;
        for replay_after in [1, 2] {
            let (_, first) = sign_in(&app.api, ANN).await;
            let mut newest = first.clone();
            for _ in 0..replay_after {
                newest = refresh(&app.api, text(&newest, "refresh_token")).await.expect(200);
                clock.advance(Duration::from_secs(10));
            }
            let ann = app.api.with_token(text(&newest, "access_token"));
            ann.get("/api/auth/me").await.expect(200);
            refresh(&app.api, text(&first, "refresh_token")).await.expect_problem(401, "unauthorized");
            ann.get("/api/auth/me").await.expect_problem(401, "unauthorized");
            refresh(&app.api, text(&newest, "refresh_token")).await.expect_problem(401, "unauthorized");
        }
        other.get("/api/auth/me").await.expect(200);
        app.stop().await;
        let ended = audited(&database, "session.ended").await;
        assert!(ended.len() == 2 && ended.iter().all(|detail| detail.contains("replayed")), "{ended:?}");
    }
}

#[tokio::test]
async fn of_many_refreshes_at_once_one_wins_and_the_sign_in_goes_on() {
    for database in databases().await {
        let first = TestApp::start_on(&database).await;
        // A second control plane, where there may be two.
        let second = if database.name == "postgres" { Some(TestApp::start_on(&database).await) } else { None };
        person(&first, ANN, "OWNER").await;
        let (_, mut answer) = sign_in(&first.api, ANN).await;
        for _ in 0..3 {
            let token = text(&answer, "refresh_token").to_owned();
            let planes = [&first.api, second.as_ref().map_or(&first.api, |second| &second.api)];
            let tries = (0..8).map(|i| refresh(planes[i % 2], &token));
            let answers = futures::future::join_all(tries).await;
            let won: Vec<&Value> =
                answers.iter().filter(|one| one.status == StatusCode::OK).map(|one| &one.body).collect();
            assert_eq!(won.len(), 1, "{answers:?}");
            for lost in answers.iter().filter(|one| one.status != StatusCode::OK) {
                lost.expect_problem(409, "refresh_raced");
            }
            answer = won[0].clone();
            for api in planes {
                api.with_token(text(&answer, "access_token")).get("/api/auth/me").await.expect(200);
            }
        }
        first.stop().await;
        if let Some(second) = second {
            second.stop().await;
        }
    }
}

#[tokio::test]
async fn one_sees_and_ends_one_s_own_sign_ins_and_nobody_else_s() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        person(&app, ANN, "OWNER").await;
        person(&app, "bob@example.net", "OWNER").await;
        let (laptop, first) = sign_in(&app.api, ANN).await;
        let (phone, second) = sign_in(&app.api, ANN).await;
        let (bob, _) = sign_in(&app.api, "bob@example.net").await;
        let page = laptop.get("/api/auth/sessions?limit=1").await.expect(200);
        assert_eq!(
            (&page["items"][0]["id"], page["items"][0]["current"].as_bool()),
            (&first["session_id"], Some(true))
        );
        let next = format!("/api/auth/sessions?limit=1&page_token={}", text(&page, "next_page_token"));
        let page = laptop.get(&next).await.expect(200);
        assert_eq!(
            (&page["items"][0]["id"], page["items"][0]["current"].as_bool()),
            (&second["session_id"], Some(false))
        );
        assert!(page["next_page_token"].is_null() && page["items"][0]["address"] == "127.0.0.1", "{page}");
        let of_phone = format!("/api/auth/sessions/{}", text(&second, "session_id"));
        bob.delete(&of_phone).await.expect_problem(404, "not_found");
        laptop.delete(&of_phone).await.expect_status(204);
        laptop.delete(&of_phone).await.expect_problem(404, "not_found");
        phone.get("/api/auth/me").await.expect_problem(401, "unauthorized");
        laptop.get("/api/auth/me").await.expect(200);
        app.stop().await;
    }
}

#[tokio::test]
async fn what_is_long_over_is_deleted() {
    for database in databases().await {
        let clock = still();
        let app = TestApp::start_at(&database, clock.clone(), |_| {}).await;
        person(&app, ANN, "OWNER").await;
        sign_in(&app.api, ANN).await;
        try_sign_in(&app.api, "nobody@example.net", "wrong").await.expect_problem(401, "unauthorized");
        prune(&app, &clock).await;
        // Of her the account, of nobody that and the account from there, and the address of both.
        assert_eq!(counted(&app).await, (1, 4), "{}", database.name);
        clock.advance(Duration::from_hours(61 * 24));
        prune(&app, &clock).await;
        assert_eq!(counted(&app).await, (0, 0), "{}", database.name);
        app.stop().await;
    }
}

async fn prune(app: &TestApp, clock: &Clock) {
    let mut tx = app.running.app.db.begin().await.unwrap();
    let before = clock.now().minus(Duration::from_hours(30 * 24));
    app.running.app.sessions.sessions_prune(&mut tx, before, 100).await.unwrap();
    tx.commit().await.unwrap();
}

/// Sign-ins, and subjects of failures.
async fn counted(app: &TestApp) -> (i64, i64) {
    const SESSIONS: &str = "SELECT CAST(count(*) AS BIGINT) FROM sessions";
    const FAILURES: &str = "SELECT CAST(count(*) AS BIGINT) FROM sign_in_failures";
    let mut read = app.running.app.db.read().await.unwrap();
    let (sessions,) = control_plane::fetch_one!(read.conn(), (i64,), SESSIONS).unwrap();
    let (failures,) = control_plane::fetch_one!(read.conn(), (i64,), FAILURES).unwrap();
    (sessions, failures)
}
