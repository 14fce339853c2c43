use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, decode_header};
use mpanel_tests::app::send;
use mpanel_tests::signing_in::{PASSWORD, audited, person, sign_in, text, try_sign_in};
use mpanel_tests::{Answer, Api, TestApp, databases};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::still;

const ANN: &str = "ann@example.net";

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The claims of a token, unverified.
fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_without_a_signature_or_by_another_key_or_algorithm_is_refused() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        person(&app, ANN, "OWNER").await;
        let (ann, answer) = sign_in(&app.api, ANN).await;
        let token = text(&answer, "access_token");
        let (header, mut theirs) = (decode_header(token).unwrap(), claims(token));
        assert_eq!(header.alg, Algorithm::HS256);
        let kid = header.kid.unwrap();
        let [head, body, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        let none = part(&json!({"alg": "none", "kid": kid}));
        let sign = |kid: &str, key: &[u8], claims: &Value| {
            let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) };
            jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(key).unwrap()).unwrap()
        };
        let mut forged = vec![
            format!("{none}.{body}."),
            format!("{none}.{body}.{signature}"),
            format!("{}.{body}.{signature}", part(&json!({"alg": "HS384", "kid": kid}))),
            format!("{}.{body}.{signature}", part(&json!({"alg": "RS256", "kid": kid}))),
            format!("{}.{body}.{signature}", part(&json!({"alg": "HS256"}))),
            format!("{}.{body}.{signature}", part(&json!({"alg": "HS256", "kid": "999999"}))),
            format!("{head}.{body}."),
            sign(&kid, &[0; 32], &theirs),
            sign(&kid, b"mpanel", &theirs),
            sign("../../secret", &[0; 32], &theirs),
            token[..token.len() - 2].to_owned(),
        ];
        theirs["exp"] = json!(4_000_000_000_u64);
        forged.push(format!("{head}.{}.{signature}", part(&theirs)));
        for (i, token) in forged.iter().enumerate() {
            let answer = app.api.with_token(token).get("/api/auth/me").await;
            assert!([401, 429].contains(&answer.status.as_u16()), "{i}: {}", answer.text);
        }
        ann.get("/api/auth/me").await.expect(200);
        app.stop().await;
    }
}

/// All of an answer that its caller could learn something from.
fn learned(answer: &Answer) -> (StatusCode, Value, String) {
    let mut body = answer.body.clone();
    body["request_id"] = Value::Null;
    (answer.status, body, answer.header("retry-after").to_owned())
}

#[tokio::test]
async fn guessing_makes_the_next_guess_wait_and_tells_nothing_of_who_there_is() {
    for database in databases().await {
        let clock = still();
        let app = TestApp::start_at(&database, clock.clone(), |_| {}).await;
        person(&app, ANN, "OWNER").await;
        let mut wait = 0;
        for guess in 1..=9 {
            let known = try_sign_in(&app.api, ANN, "wrong").await;
            let unknown = try_sign_in(&app.api, "nobody@example.net", "wrong").await;
            assert_eq!(learned(&known), learned(&unknown), "guess {guess}");
            known.expect_problem(401, "unauthorized");
            if guess < 6 {
                continue;
            }
            wait = 1 << (guess - 6);
            // Nor does the right password get in before its time.
            let early = try_sign_in(&app.api, ANN, PASSWORD).await;
            let unknown = try_sign_in(&app.api, "nobody@example.net", PASSWORD).await;
            assert_eq!(learned(&early), learned(&unknown), "guess {guess}");
            early.expect_problem(429, "too_many_requests");
            assert_eq!(early.header("retry-after"), wait.to_string());
            if guess < 9 {
                clock.advance(Duration::from_secs(wait));
            }
        }
        clock.advance(Duration::from_secs(wait));
        sign_in(&app.api, ANN).await;
        try_sign_in(&app.api, ANN, "wrong").await.expect_problem(401, "unauthorized");
        sign_in(&app.api, ANN).await;
        app.stop().await;
        let refused = audited(&database, "sign_in.refused").await;
        assert_eq!(refused.len(), 19, "{refused:?}");
        assert!(refused.iter().all(|detail| !detail.contains("nobody") && !detail.contains("wrong\"")), "{refused:?}");
    }
}

/// Tries to sign in as ann from this address, as our proxy tells it.
async fn try_from(api: &Api, address: &str, password: &str) -> Answer {
    let request = api.anonymous(Method::POST, "/api/auth/login").header("X-Forwarded-For", address);
    send(request.json(&json!({"email": ANN, "password": password}))).await
}

#[tokio::test]
async fn who_guesses_elsewhere_keeps_an_account_s_owner_waiting_for_seconds_at_most() {
    const OWNER: &str = "198.51.100.7";
    const ELSEWHERE: &str = "198.51.100.8";
    const STRANGER: &str = "203.0.113.1";
    for database in databases().await {
        let clock = still();
        let app = TestApp::start_at(&database, clock.clone(), |config| config.http.behind_proxy = true).await;
        person(&app, ANN, "OWNER").await;
        for _ in 0..6 {
            try_from(&app.api, STRANGER, "wrong").await.expect_problem(401, "unauthorized");
        }
        try_from(&app.api, STRANGER, "wrong").await.expect_problem(429, "too_many_requests");
        try_from(&app.api, OWNER, PASSWORD).await.expect(200);
        // Nor does it let in who guesses that the owner came in meanwhile.
        try_from(&app.api, STRANGER, PASSWORD).await.expect_problem(429, "too_many_requests");
        // From so many addresses that each has guesses left, all of them together are slowed down.
        for ten in 1..=10 {
            let guesses = (0..10).map(|one| {
                let (api, address) = (app.api.clone(), format!("192.0.2.{}", ten * 10 + one));
                async move { try_from(&api, &address, "wrong").await }
            });
            for answer in futures::future::join_all(guesses).await {
                assert!([401, 429].contains(&answer.status.as_u16()), "{}", answer.text);
            }
        }
        clock.advance(Duration::from_secs(5));
        for stranger in 1..=6 {
            try_from(&app.api, &format!("192.0.3.{stranger}"), "wrong").await.expect_problem(401, "unauthorized");
            // Where the owner is signed in from they come in at once, and elsewhere a moment later.
            try_from(&app.api, OWNER, PASSWORD).await.expect(200);
            let early = try_from(&app.api, ELSEWHERE, PASSWORD).await;
            early.expect_problem(429, "too_many_requests");
            let wait: u64 = early.header("retry-after").parse().unwrap();
            assert!((1..=5).contains(&wait), "{wait}");
            clock.advance(Duration::from_secs(wait));
        }
        try_from(&app.api, ELSEWHERE, PASSWORD).await.expect(200);
        app.stop().await;
    }
}

#[tokio::test]
async fn an_address_that_tries_one_account_after_another_has_to_wait() {
    for database in databases().await {
        let app = TestApp::start_at(&database, still(), |_| {}).await;
        person(&app, ANN, "OWNER").await;
        for guess in 1..=21 {
            let answer = try_sign_in(&app.api, &format!("a{guess}@example.net"), PASSWORD).await;
            answer.expect_problem(401, "unauthorized");
        }
        for _ in 0..2 {
            try_sign_in(&app.api, ANN, PASSWORD).await.expect_problem(429, "too_many_requests");
        }
        app.stop().await;
        let told = audited(&database, "request.refused").await;
        assert_eq!(told.len(), 1, "the first of the minute: {told:?}");
    }
}

#[tokio::test]
async fn what_an_office_mistypes_over_weeks_fades() {
    for database in databases().await {
        let clock = still();
        let app = TestApp::start_at(&database, clock.clone(), |_| {}).await;
        person(&app, ANN, "OWNER").await;
        for day in 0..14 {
            for typo in 0..3 {
                let answer = try_sign_in(&app.api, &format!("{day}-{typo}@example.net"), "wrong").await;
                answer.expect_problem(401, "unauthorized");
            }
            sign_in(&app.api, ANN).await;
            clock.advance(Duration::from_hours(8));
            sign_in(&app.api, ANN).await;
            clock.advance(Duration::from_hours(15));
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn however_many_guess_at_once_no_more_are_judged_than_one_after_another() {
    for database in databases().await {
        let app = TestApp::start_at(&database, still(), |_| {}).await;
        person(&app, ANN, "OWNER").await;
        let guesses = (0..30).map(|_| try_sign_in(&app.api, ANN, "wrong"));
        let answers = futures::future::join_all(guesses).await;
        let judged = answers.iter().filter(|answer| answer.status == StatusCode::UNAUTHORIZED).count();
        let waiting = answers.iter().filter(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS).count();
        assert!(judged <= 6 && judged + waiting == 30, "{judged} and {waiting}");
        app.stop().await;
        assert_eq!(audited(&database, "sign_in.refused").await.len(), judged);
    }
}

#[tokio::test]
async fn passwords_to_be_hashed_do_not_keep_the_others_waiting() {
    let (app, _database) = TestApp::start().await;
    person(&app, ANN, "OWNER").await;
    let (ann, _) = sign_in(&app.api, ANN).await;
    let flood = async {
        let guesses = (0..60).map(|i| {
            let api: Api = app.api.clone();
            async move { try_sign_in(&api, &format!("a{i}@example.net"), "wrong").await }
        });
        futures::future::join_all(guesses).await
    };
    let work = async {
        for _ in 0..20 {
            ann.get("/api/auth/me").await.expect(200);
        }
    };
    let (answers, ()) = tokio::join!(flood, work);
    for answer in answers {
        assert!([401, 429].contains(&answer.status.as_u16()), "{}", answer.text);
    }
    // One of any length is no work at all.
    try_sign_in(&app.api, ANN, &"x".repeat(100_000)).await.expect_field("password");
    app.stop().await;
}

#[tokio::test]
async fn what_is_typed_wrong_is_named() {
    let (app, _database) = TestApp::start().await;
    for (body, field) in [
        (json!({"email": "", "password": "x"}), "email"),
        (json!({"email": "x".repeat(300), "password": "x"}), "email"),
        (json!({"email": ANN, "password": ""}), "password"),
        (json!({"email": ANN}), "password"),
        (json!({"email": ANN, "password": "x", "staff": true}), "staff"),
        (json!({"email": ANN, "password": "x", "totp_code": "1", "recovery_code": "a"}), "recovery_code"),
        (json!({"email": ANN, "password": "x", "totp_code": "1".repeat(100)}), "totp_code"),
    ] {
        mpanel_tests::signing_in::try_sign_in_with(&app.api, body).await.expect_field(field);
    }
    for token in ["", "x", "mpanel_refresh_", "mpanel_refresh_AAAA"] {
        mpanel_tests::signing_in::refresh(&app.api, token).await.expect_problem(401, "unauthorized");
    }
    // The platform's own token has no account.
    app.api.post("/api/auth/logout", &()).await.expect_problem(409, "sign_in_needed");
    assert!(app.api.get("/api/auth/me").await.expect(200)["user"].is_null());
    app.stop().await;
}
