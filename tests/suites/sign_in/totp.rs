use std::time::Duration;

use control_plane::clock::Clock;
use mpanel_tests::app::send;
use mpanel_tests::mailbox::Mailbox;
use mpanel_tests::signing_in::{PASSWORD, audited, person, sign_in, text, try_sign_in, try_sign_in_with};
use mpanel_tests::{Answer, Api, TestApp, TestDatabase, databases};
use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use super::passwords::reset;
use super::still;

const ANN: &str = "ann@example.net";

/// Another implementation of the reader's side than the control plane's would be no proof: this is a library's, used as an app would.
pub(super) struct Authenticator {
    secret: String,
    clock: Clock,
}

impl Authenticator {
    fn code(&self) -> String {
        let secret = Secret::try_from_base32(&self.secret).unwrap();
        let totp = Builder::new().with_secret(secret).with_account_name(ANN).build().unwrap();
        totp.generate(u64::try_from(self.clock.now().0 / 1000).unwrap()).to_string()
    }
}

async fn with(api: &Api, field: &str, value: &str) -> Answer {
    try_sign_in_with(api, json!({"email": ANN, "password": PASSWORD, field: value})).await
}

/// Enrols; the authenticator and the recovery codes.
pub(super) async fn enrolled(ann: &Api, clock: &Clock) -> (Authenticator, Vec<String>) {
    let enrolment = ann.post("/api/auth/totp/enrol", &json!({"password": PASSWORD})).await.expect(200);
    assert!(text(&enrolment, "uri").contains(text(&enrolment, "secret")));
    let authenticator = Authenticator { secret: text(&enrolment, "secret").to_owned(), clock: clock.clone() };
    let body = json!({"code": authenticator.code()});
    let codes = ann.post("/api/auth/totp/confirm", &body).await.expect(200);
    let codes: Vec<String> = serde_json::from_value(codes["recovery_codes"].clone()).unwrap();
    (authenticator, codes)
}

/// A control plane with a clock of the test's, and Ann, who has signed in.
async fn ann_at(database: &TestDatabase) -> (Clock, TestApp, Api) {
    let clock = still();
    let app = TestApp::start_at(database, clock.clone(), |_| {}).await;
    person(&app, ANN, "OWNER").await;
    let (ann, _) = sign_in(&app.api, ANN).await;
    (clock, app, ann)
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_counts_once() {
    for database in databases().await {
        let (clock, app, ann) = ann_at(&database).await;
        let (authenticator, codes) = enrolled(&ann, &clock).await;
        assert_eq!(codes.len(), 10);
        try_sign_in(&app.api, ANN, PASSWORD).await.expect_field("totp_code");
        // Whoever does not know the password is not told that there is a second factor.
        try_sign_in(&app.api, ANN, "wrong").await.expect_problem(401, "unauthorized");
        // The code by which it was confirmed is used up.
        with(&app.api, "totp_code", &authenticator.code()).await.expect_problem(401, "unauthorized");
        clock.advance(Duration::from_secs(30));
        let code = authenticator.code();
        with(&app.api, "totp_code", &code).await.expect(200);
        with(&app.api, "totp_code", &code).await.expect_problem(401, "unauthorized");
        with(&app.api, "totp_code", "000000x").await.expect_problem(401, "unauthorized");
        clock.advance(Duration::from_secs(30));
        let code = authenticator.code();
        clock.advance(Duration::from_secs(30));
        with(&app.api, "totp_code", &code).await.expect(200);
        app.stop().await;
        assert_eq!(audited(&database, "user.totp_enabled").await.len(), 1);
        assert!(audited(&database, "sign_in.refused").await[1].contains("wrong_second_factor"));
    }
}

#[tokio::test]
async fn of_many_with_the_same_code_at_once_one_gets_in() {
    for database in databases().await {
        let (clock, app, ann) = ann_at(&database).await;
        let (authenticator, codes) = enrolled(&ann, &clock).await;
        clock.advance(Duration::from_secs(30));
        let code = authenticator.code();
        for (field, value) in [("totp_code", code.as_str()), ("recovery_code", codes[0].as_str())] {
            let answers = futures::future::join_all((0..4).map(|_| with(&app.api, field, value))).await;
            let won = answers.iter().filter(|answer| answer.status == 200).count();
            assert_eq!(won, 1, "{field}: {answers:?}");
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn a_recovery_code_works_once_and_the_factor_can_be_taken_away() {
    for database in databases().await {
        let (clock, app, ann) = ann_at(&database).await;
        let (_, codes) = enrolled(&ann, &clock).await;
        with(&app.api, "recovery_code", &codes[0].to_uppercase()).await.expect(200);
        with(&app.api, "recovery_code", &codes[0]).await.expect_problem(401, "unauthorized");
        let me = ann.get("/api/auth/me").await.expect(200);
        assert_eq!(
            (me["user"]["totp_enabled"].as_bool(), me["user"]["recovery_codes_left"].as_i64()),
            (Some(true), Some(9))
        );
        let enrol = ann.post("/api/auth/totp/enrol", &json!({"password": PASSWORD})).await;
        enrol.expect_problem(409, "totp_on");
        let disable = async |body: Value| ann.post("/api/auth/totp/disable", &body).await;
        disable(json!({"password": PASSWORD})).await.expect_field("totp_code");
        disable(json!({"password": "wrong", "recovery_code": codes[1]})).await.expect_field("password");
        disable(json!({"password": PASSWORD, "recovery_code": codes[0]})).await.expect_field("totp_code");
        disable(json!({"password": PASSWORD, "recovery_code": codes[1]})).await.expect_status(204);
        disable(json!({"password": PASSWORD, "recovery_code": codes[2]})).await.expect_problem(409, "totp_off");
        sign_in(&app.api, ANN).await;
        app.stop().await;
    }
}

#[tokio::test]
async fn an_enrolment_counts_for_nothing_until_its_code_is_shown() {
    for database in databases().await {
        let (clock, app, ann) = ann_at(&database).await;
        let confirm = async |code: &str| ann.post("/api/auth/totp/confirm", &json!({"code": code})).await;
        confirm("123456").await.expect_problem(409, "totp_not_enrolled");
        ann.post("/api/auth/totp/enrol", &json!({"password": "wrong"})).await.expect_field("password");
        let first = ann.post("/api/auth/totp/enrol", &json!({"password": PASSWORD})).await.expect(200);
        sign_in(&app.api, ANN).await;
        let (_, codes) = enrolled(&ann, &clock).await;
        assert_eq!(codes.len(), 10);
        let old = Authenticator { secret: text(&first, "secret").to_owned(), clock: clock.clone() };
        clock.advance(Duration::from_secs(30));
        with(&app.api, "totp_code", &old.code()).await.expect_problem(401, "unauthorized");
        confirm(&old.code()).await.expect_problem(409, "totp_on");
        app.stop().await;
    }
}

/// Tries to sign in as Ann from one of many addresses, as our proxy tells it.
async fn guess_from(api: &Api, address: usize, password: &str, code: &str) -> Answer {
    let request =
        api.anonymous(Method::POST, "/api/auth/login").header("X-Forwarded-For", format!("192.0.2.{address}"));
    send(request.json(&json!({"email": ANN, "password": password, "totp_code": code}))).await
}

#[tokio::test]
async fn who_knows_the_password_guesses_few_second_factors_from_however_many_addresses() {
    for database in databases().await {
        let (mailbox, clock) = (Mailbox::start(&[]).await, still());
        let app = TestApp::start_at(&database, clock.clone(), |config| {
            mailbox.configure(config);
            config.http.behind_proxy = true;
        })
        .await;
        person(&app, ANN, "OWNER").await;
        let (ann, _) = sign_in(&app.api, ANN).await;
        let (authenticator, _) = enrolled(&ann, &clock).await;
        clock.advance(Duration::from_secs(30));
        // Strangers who do not know the password count for nothing here.
        for address in 0..12 {
            let answer = guess_from(&app.api, address, "wrong", "00000x").await;
            answer.expect_problem(401, "unauthorized");
        }
        for address in 100..111 {
            guess_from(&app.api, address, PASSWORD, "00000x").await.expect_problem(401, "unauthorized");
        }
        let waits = guess_from(&app.api, 111, PASSWORD, &authenticator.code()).await;
        waits.expect_problem(429, "too_many_requests");
        assert_eq!(waits.header("retry-after"), "1");
        let told = mailbox.next(ANN).await;
        assert_eq!(told["subject"], "Somebody knows your password");
        assert!(text(&told, "text").contains("192.0.2.109"), "{told}");
        clock.advance(Duration::from_secs(1));
        guess_from(&app.api, 111, PASSWORD, &authenticator.code()).await.expect(200);
        // Whoever comes in begins anew.
        guess_from(&app.api, 112, PASSWORD, "00000x").await.expect_problem(401, "unauthorized");
        guess_from(&app.api, 113, PASSWORD, "00000x").await.expect_problem(401, "unauthorized");
        app.stop().await;
        assert!(mailbox.is_empty().await, "once");
    }
}

const NEW: &str = "a new password of some length";

#[tokio::test]
async fn a_new_password_gives_no_new_guesses_at_the_second_factor() {
    for database in databases().await {
        let clock = still();
        let app = TestApp::start_at(&database, clock.clone(), |config| config.http.behind_proxy = true).await;
        person(&app, ANN, "OWNER").await;
        let (ann, _) = sign_in(&app.api, ANN).await;
        let (authenticator, _) = enrolled(&ann, &clock).await;
        clock.advance(Duration::from_secs(30));
        for address in 100..111 {
            guess_from(&app.api, address, PASSWORD, "00000x").await.expect_problem(401, "unauthorized");
        }
        // Whoever reads their mail could set one as often as they like.
        let passwords = json!({"current_password": PASSWORD, "new_password": NEW});
        ann.post("/api/auth/password", &passwords).await.expect(204);
        guess_from(&app.api, 111, NEW, &authenticator.code()).await.expect_problem(429, "too_many_requests");
        clock.advance(Duration::from_secs(1));
        guess_from(&app.api, 111, NEW, &authenticator.code()).await.expect(200);
        app.stop().await;
    }
}

#[tokio::test]
async fn staff_take_a_lost_factor_away_and_the_person_is_told() {
    for database in databases().await {
        let (mailbox, clock) = (Mailbox::start(&[]).await, still());
        let app = TestApp::start_at(&database, clock.clone(), |config| mailbox.configure(config)).await;
        let id = person(&app, ANN, "OWNER").await;
        let (ann, _) = sign_in(&app.api, ANN).await;
        let (_, codes) = enrolled(&ann, &clock).await;
        let path = format!("/api/platform/users/{id}/recover");
        ann.post(&path, &json!({})).await.expect_problem(403, "forbidden");
        let done = app.api.post(&path, &json!({})).await.expect(200);
        assert_eq!((&done["secret"], &done["account"]["totp_enabled"]), (&Value::Null, &json!(false)));
        ann.get("/api/auth/me").await.expect_problem(401, "unauthorized");
        // Without a second factor, a password that somebody else may know must not be enough: it is taken away too.
        try_sign_in(&app.api, ANN, PASSWORD).await.expect_problem(401, "unauthorized");
        with(&app.api, "recovery_code", &codes[0]).await.expect_problem(401, "unauthorized");
        let letter = mailbox.next(ANN).await;
        assert_eq!(letter["subject"], "Your sign-in was reset");
        let secret = text(&letter, "text").split_once("https://panel.example.net/reset-password#").unwrap().1;
        let secret = secret.split_whitespace().next().unwrap();
        reset(&app.api, secret, NEW).await.expect_status(204);
        try_sign_in(&app.api, ANN, NEW).await.expect(200);
        app.stop().await;
        let recovered = audited(&database, "user.recovered").await;
        assert!(recovered.len() == 1 && !recovered[0].contains(secret), "{recovered:?}");
    }
}

#[tokio::test]
async fn where_no_mails_are_sent_staff_are_shown_the_link_and_it_proves_no_address() {
    const BOB: &str = "bob@example.net";
    for database in databases().await {
        let (_, app, ann) = ann_at(&database).await;
        let token = ann.post("/api/users/invite", &json!({"email": BOB, "role": "MEMBER"})).await.expect(201);
        let body = json!({"token": token["token"], "name": "Bob", "password": PASSWORD});
        let bob = app.api.post("/api/users/invite/accept", &body).await.expect(200);
        let path = format!("/api/platform/users/{}", text(&bob, "id"));
        let done = app.api.post(&format!("{path}/recover"), &json!({})).await.expect(200);
        try_sign_in(&app.api, BOB, PASSWORD).await.expect_problem(401, "unauthorized");
        reset(&app.api, text(&done, "secret"), NEW).await.expect_status(204);
        reset(&app.api, text(&done, "secret"), PASSWORD).await.expect_field("secret");
        try_sign_in(&app.api, BOB, NEW).await.expect(200);
        assert_eq!(app.api.get(&path).await.expect(200)["email_proven"], false, "{}", database.name);
        app.stop().await;
    }
}
