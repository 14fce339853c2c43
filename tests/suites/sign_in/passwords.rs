use std::time::Duration;

use mpanel_tests::app::send;
use mpanel_tests::mailbox::Mailbox;
use mpanel_tests::signing_in::{PASSWORD, audited, person, refresh, sign_in, text, try_sign_in};
use mpanel_tests::{Answer, Api, TestApp, databases};
use reqwest::Method;
use serde_json::json;

use super::still;

const ANN: &str = "ann@example.net";
const PODS: &str = "/api/provisioning/cloudpods";
const NEW: &str = "a new password of some length";

#[tokio::test]
async fn another_password_ends_the_other_sign_ins() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        person(&app, ANN, "OWNER").await;
        let (laptop, _) = sign_in(&app.api, ANN).await;
        let (phone, of_phone) = sign_in(&app.api, ANN).await;
        let change = async |current: &str, new: &str| {
            laptop.post("/api/auth/password", &json!({"current_password": current, "new_password": new})).await
        };
        change("wrong", NEW).await.expect_field("current_password");
        change(PASSWORD, "short").await.expect_field("new_password");
        change(PASSWORD, ANN).await.expect_field("new_password");
        phone.get("/api/auth/me").await.expect(200);
        change(PASSWORD, NEW).await.expect_status(204);
        laptop.get("/api/auth/me").await.expect(200);
        phone.get("/api/auth/me").await.expect_problem(401, "unauthorized");
        refresh(&app.api, text(&of_phone, "refresh_token")).await.expect_problem(401, "unauthorized");
        try_sign_in(&app.api, ANN, PASSWORD).await.expect_problem(401, "unauthorized");
        try_sign_in(&app.api, ANN, NEW).await.expect(200);
        app.stop().await;
        assert_eq!(audited(&database, "user.password_changed").await.len(), 1);
        let ended = audited(&database, "session.ended").await;
        assert!(ended.len() == 1 && ended[0].contains("password_changed"), "{ended:?}");
    }
}

pub async fn forgot(api: &Api, email: &str) -> Answer {
    send(api.anonymous(Method::POST, "/api/auth/password/forgot").json(&json!({"email": email}))).await
}

pub async fn reset(api: &Api, secret: &str, password: &str) -> Answer {
    let body = json!({"secret": secret, "password": password});
    send(api.anonymous(Method::POST, "/api/auth/password/reset").json(&body)).await
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_a_link_that_works_once() {
    for database in databases().await {
        let (mailbox, clock) = (Mailbox::start(&[]).await, still());
        let app = TestApp::start_at(&database, clock.clone(), |config| mailbox.configure(config)).await;
        person(&app, ANN, "OWNER").await;
        let (ann, _) = sign_in(&app.api, ANN).await;
        let (known, unknown) =
            (forgot(&app.api, "Ann@example.net").await, forgot(&app.api, "nobody@example.net").await);
        assert_eq!((known.status.as_u16(), &known.text), (202, &String::new()));
        assert_eq!((known.status, &known.text), (unknown.status, &unknown.text));
        let first = mailbox.next_secret(ANN).await;
        forgot(&app.api, ANN).await.expect_status(202);
        let secret = mailbox.next_secret(ANN).await;
        reset(&app.api, &format!("{secret}x"), NEW).await.expect_field("secret");
        reset(&app.api, &secret, "short").await.expect_field("password");
        let answers = futures::future::join_all((0..4).map(|_| reset(&app.api, &secret, NEW))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 204).count(), 1, "{answers:?}");
        assert_eq!(mailbox.next(ANN).await["subject"], "Your password was changed");
        reset(&app.api, &first, NEW).await.expect_field("secret");
        ann.get("/api/auth/me").await.expect_problem(401, "unauthorized");
        try_sign_in(&app.api, ANN, PASSWORD).await.expect_problem(401, "unauthorized");
        try_sign_in(&app.api, ANN, NEW).await.expect(200);
        // One that is not used ends by itself, and no more than some are sent.
        forgot(&app.api, ANN).await.expect_status(202);
        let late = mailbox.next_secret(ANN).await;
        clock.advance(Duration::from_hours(1));
        reset(&app.api, &late, NEW).await.expect_field("secret");
        app.stop().await;
        assert!(mailbox.is_empty().await, "nobody else was written to");
        assert_eq!(audited(&database, "user.password_link_sent").await.len(), 3);
        assert!(!audited(&database, "user.password_changed").await[0].contains(NEW));
    }
}

/// A client with an API token of theirs.
async fn token_of(person: &Api) -> Api {
    let wish = json!({"name": "nightly", "permissions": ["cloudpods:read"]});
    let made = person.post("/api/auth/tokens", &wish).await.expect(201);
    person.with_token(text(&made, "secret"))
}

#[tokio::test]
async fn a_password_that_is_reset_ends_api_tokens_too() {
    for database in databases().await {
        let mailbox = Mailbox::start(&[]).await;
        let app = TestApp::start_with(&database, |config| mailbox.configure(config)).await;
        person(&app, ANN, "OWNER").await;
        person(&app, "bob@example.net", "OWNER").await;
        let mut tokens = Vec::new();
        for _ in 0..2 {
            tokens.push(token_of(&sign_in(&app.api, ANN).await.0).await);
        }
        let of_bob = token_of(&sign_in(&app.api, "bob@example.net").await.0).await;
        forgot(&app.api, ANN).await.expect_status(202);
        let secret = mailbox.next_secret(ANN).await;
        tokens[0].get(PODS).await.expect(200);
        reset(&app.api, &secret, NEW).await.expect_status(204);
        for token in &tokens {
            token.get(PODS).await.expect_problem(401, "unauthorized");
        }
        of_bob.get(PODS).await.expect(200);
        let letter = mailbox.next(ANN).await;
        assert!(letter["text"].as_str().unwrap().contains("API tokens (2)"), "{letter}");
        app.stop().await;
        let changed = audited(&database, "user.password_changed").await;
        assert!(changed.len() == 1 && changed[0].replace(' ', "").contains("\"tokens_ended\":2"), "{changed:?}");
    }
}

#[tokio::test]
async fn who_changes_the_password_may_end_api_tokens_with_it() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        person(&app, ANN, "OWNER").await;
        let (ann, _) = sign_in(&app.api, ANN).await;
        let token = token_of(&ann).await;
        let change = json!({"current_password": PASSWORD, "new_password": NEW});
        ann.post("/api/auth/password", &change).await.expect_status(204);
        token.get(PODS).await.expect(200);
        let change = json!({"current_password": NEW, "new_password": PASSWORD, "end_tokens": true});
        ann.post("/api/auth/password", &change).await.expect_status(204);
        token.get(PODS).await.expect_problem(401, "unauthorized");
        ann.get("/api/auth/me").await.expect(200);
        app.stop().await;
    }
}

#[tokio::test]
async fn links_are_asked_for_a_few_times_and_then_later() {
    for database in databases().await {
        let (mailbox, clock) = (Mailbox::start(&[]).await, still());
        let app = TestApp::start_at(&database, clock.clone(), |config| mailbox.configure(config)).await;
        person(&app, ANN, "OWNER").await;
        for _ in 0..3 {
            forgot(&app.api, ANN).await.expect_status(202);
        }
        forgot(&app.api, ANN).await.expect_problem(429, "too_many_requests");
        forgot(&app.api, "nobody@example.net").await.expect_status(202);
        // Whoever has to wait for a link may still sign in.
        sign_in(&app.api, ANN).await;
        app.stop().await;
    }
}

#[tokio::test]
async fn where_no_mails_are_sent_nobody_is_promised_one() {
    let (app, _database) = TestApp::start().await;
    person(&app, ANN, "OWNER").await;
    for email in [ANN, "nobody@example.net"] {
        forgot(&app.api, email).await.expect_problem(409, "mail_off");
    }
    app.stop().await;
}
