use std::os::unix::fs::PermissionsExt as _;

use control_plane::app::{App, Surroundings};
use control_plane::clock::Clock;
use control_plane::db::Db;
use control_plane::domain::tokens::service::Service as Tokens;
use mpanel_tests::app::{Api, TOKEN, config, send};
use mpanel_tests::people::staff;
use mpanel_tests::signing_in::signed_in;
use mpanel_tests::{TestApp, databases};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn the_first_start_makes_one_token_and_only_its_hash_is_kept() {
    for database in databases().await {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(&database, dir.path());
        let file = dir.path().join("bootstrap-token");
        config.http.bootstrap_token_file = Some(file.clone());
        let first = App::start(config.clone(), Surroundings::default()).await.unwrap();
        let token = first.bootstrap_token.as_ref().expect("the first start makes a token").expose().clone();
        assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), token);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        Api::new(&first.url(), &token).get("/metrics").await.expect(200);
        Api::new(&first.url(), &format!("{token}x")).get("/metrics").await.expect_problem(401, "unauthorized");
        first.shutdown().await;

        let second = App::start(config, Surroundings::default()).await.unwrap();
        assert!(second.bootstrap_token.is_none(), "{}: a second start makes none", database.name);
        Api::new(&second.url(), &token).get("/metrics").await.expect(200);
        second.shutdown().await;
        if let Some(dir) = database.dir() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let bytes = std::fs::read(entry.unwrap().path()).unwrap();
                assert!(
                    !bytes.windows(token.len()).any(|window| window == token.as_bytes()),
                    "the token is in the database"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_lost_token_is_replaced_and_the_old_one_ends_at_once() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        app.api.get("/metrics").await.expect(200);
        let db = Db::open(&database.url).await.unwrap();
        let new = Tokens::new(db.clone(), Clock::system()).token_rotate(None).await.unwrap();
        db.close().await;
        app.api.get("/metrics").await.expect_problem(401, "unauthorized");
        app.api.with_token(new.expose()).get("/metrics").await.expect(200);
        app.stop().await;
    }
}

#[tokio::test]
async fn starts_at_once_make_one_token() {
    for database in databases().await {
        let db = Db::open(&database.url).await.unwrap();
        let tokens = Tokens::new(db.clone(), Clock::system());
        let made = futures::future::join_all((0..8).map(|_| tokens.token_bootstrap(None, None))).await;
        let made: Vec<_> = made.into_iter().filter_map(|made| made.expect("a bootstrap")).collect();
        assert_eq!(made.len(), 1, "{}", database.name);
        assert!(tokens.token_verify(made[0].expose()).await.unwrap().is_some());
        db.close().await;
    }
}

#[tokio::test]
async fn a_chosen_token_must_not_be_guessable() {
    let (app, _database) = TestApp::start().await;
    for weak in ["", "short", &"x".repeat(31), "has a space in it has a space in it", &"x".repeat(257)] {
        let refused = app.running.app.tokens.token_bootstrap(Some(weak), None).await;
        assert!(refused.unwrap_err().to_string().starts_with("MPANEL_BOOTSTRAP_TOKEN: must be"), "{weak}");
    }
    app.api.get("/metrics").await.expect(200);
    app.stop().await;
}

#[tokio::test]
async fn only_a_bearer_s_token_counts_and_a_browser_may_only_look() {
    let (app, _database) = TestApp::start().await;
    let basic = |method: Method, path: &str| app.api.anonymous(method, path).basic_auth("anybody", Some(TOKEN));
    let page = send(basic(Method::GET, "/api/docs")).await;
    assert_eq!(page.status.as_u16(), 200);
    send(basic(Method::GET, "/api/openapi.json")).await.expect(200);
    send(basic(Method::GET, "/metrics")).await.expect_problem(401, "unauthorized");
    send(basic(Method::POST, "/api/docs")).await.expect_problem(401, "unauthorized");
    for header in ["", "Bearer", "Bearer ", "bearer", TOKEN, "Digest x", "Bearer \u{e9}"] {
        let request = app.api.anonymous(Method::GET, "/metrics").header("Authorization", header);
        send(request).await.expect_problem(401, "unauthorized");
    }
    app.stop().await;
}

#[tokio::test]
async fn an_address_that_guesses_is_slowed_down_and_shuts_out_nobody() {
    let (app, _database) = TestApp::start().await;
    let guesser = app.api.with_token("a-wrong-token-a-wrong-token-a-wrong-token");
    for _ in 0..10 {
        guesser.get("/metrics").await.expect_problem(401, "unauthorized");
    }
    let slowed = guesser.get("/metrics").await;
    slowed.expect_problem(429, "too_many_requests");
    assert!((1..=60).contains(&slowed.header("retry-after").parse::<u32>().unwrap()));
    app.api.get("/metrics").await.expect(200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_interleaving_gives_anybody_more_tokens_than_there_may_be() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let boss = staff(&app, "boss@platform.example").await;
        let api = signed_in(&app, &boss.id).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let api = api.clone();
            tasks.spawn(async move {
                let mut made = 0;
                loop {
                    let body = json!({"name": "x", "permissions": ["cloudpods:read"]});
                    let answer = api.post("/api/auth/tokens", &body).await;
                    if answer.status != 201 {
                        answer.expect_problem(409, "too_many_tokens");
                        return made;
                    }
                    made += 1;
                }
            });
        }
        let mut made = 0;
        while let Some(some) = tasks.join_next().await {
            made += some.unwrap();
        }
        assert_eq!(made, 99, "beside the one that they had, on {}", database.name);
        app.stop().await;
    }
}
