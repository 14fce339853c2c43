//! Events reach their receivers, signed, once or more, and nobody makes the control plane speak to what is inside.

use control_plane::clock::Clock;
use control_plane::config::Config;
use control_plane::events::{Event, event_append};
use mpanel_tests::app::Api;
use mpanel_tests::process::Setup;
use mpanel_tests::{TestApp, databases, eventually};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use super::receiver::{Message, Receiver};
use super::support::{DEADLINE, Own, owner, plan};

pub const HOOKS: &str = "/api/admin/webhooks";

pub fn allow(config: &mut Config) {
    config.webhooks.allow_private = true;
}

fn allow_tenants(config: &mut Config) {
    config.webhooks.allow_tenants = vec!["127.0.0.0/8".parse().unwrap()];
}

/// Makes a webhook; its id and its secret.
pub async fn hook(api: &Api, url: &str, events: &[&str]) -> (String, String) {
    let made = api.post(HOOKS, &json!({"name": "test", "url": url, "events": events})).await;
    let location = made.header("location").to_owned();
    let made = made.expect(201);
    let id = made["webhook"]["id"].as_str().unwrap().to_owned();
    assert_eq!(location, format!("{HOOKS}/{id}"));
    (id, made["secret"].as_str().unwrap().to_owned())
}

/// Whether the signature is right, by an implementation that is not ours.
pub fn verified(secret: &str, message: &Message) -> bool {
    let mut headers = http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, message.headers[name].parse().unwrap());
    }
    Webhook::new(secret).unwrap().verify(message.body.as_bytes(), &headers).is_ok()
}

/// Waits for a delivery of the webhook to be in this state.
pub async fn delivery(api: &Api, id: &str, state: &str) -> Value {
    let path = format!("{HOOKS}/{id}/deliveries?state={state}");
    eventually("a delivery in its state", DEADLINE, async || {
        let page = api.get(&path).await.expect(200);
        let first = page["items"][0]["id"].as_str()?;
        Some(api.get(&format!("{HOOKS}/{id}/deliveries/{first}")).await.expect(200))
    })
    .await
}

/// Waits for the newest delivery of the webhook to have been tried in vain, and without any answer; why.
pub async fn tried(api: &Api, id: &str) -> String {
    eventually("the first try", DEADLINE, async || {
        let page = api.get(&format!("{HOOKS}/{id}/deliveries")).await.expect(200);
        let first = page["items"][0]["id"].as_str()?;
        let told = api.get(&format!("{HOOKS}/{id}/deliveries/{first}")).await.expect(200);
        let error = told["attempts"][0]["error"].as_str()?.to_owned();
        assert_eq!(told["attempts"][0]["status"], Value::Null);
        Some(error)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_sent_signed_to_whom_it_is_wanted_by() {
    for database in databases().await {
        let app = TestApp::start_with(&database, allow).await;
        let (wanting, other) = (Receiver::start().await, Receiver::start().await);
        let (id, secret) = hook(&app.api, &wanting.url, &["plan.*"]).await;
        hook(&app.api, &other.url, &["cloudpod.created"]).await;
        let plan_id = plan(&app.api, "small").await;
        let message = wanting.wait(1).await.remove(0);
        assert!(verified(&secret, &message), "{message:?}");
        let mut altered = message.clone();
        altered.body.push(' ');
        assert!(!verified(&secret, &altered));
        let body: Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!((&body["type"], &body["data"]["subject"]), (&json!("plan.created"), &json!(plan_id)));
        assert!(body["timestamp"].is_string() && message.headers["content-type"] == "application/json");
        let told = delivery(&app.api, &id, "delivered").await;
        assert_eq!(
            (&told["delivery"]["message_id"], &told["body"]),
            (&json!(message.headers["webhook-id"]), &json!(message.body))
        );
        assert_eq!((&told["attempts"][0]["status"], &told["attempts"][0]["error"]), (&json!(204), &Value::Null));
        // A test goes to whoever asks, whatever he wants otherwise.
        app.api.post(&format!("{HOOKS}/{id}/test"), &json!({})).await.expect(202);
        let messages = wanting.wait(2).await;
        assert!(verified(&secret, &messages[1]) && messages[1].body.contains("webhook.test"), "{messages:?}");
        // The same message again, under the same id.
        let first = told["delivery"]["id"].as_str().unwrap();
        app.api.post(&format!("{HOOKS}/{id}/deliveries/{first}/redeliver"), &json!({})).await.expect(202);
        let again = wanting.wait(3).await.remove(2);
        assert_eq!((&again.body, &again.headers["webhook-id"]), (&message.body, &message.headers["webhook-id"]));
        assert!(verified(&secret, &again) && other.got().is_empty());
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_shown_once_kept_sealed_and_changed_without_a_gap() {
    for database in databases().await {
        let app = TestApp::start_with(&database, allow).await;
        let receiver = Receiver::start().await;
        let (id, old) = hook(&app.api, &receiver.url, &["plan.created"]).await;
        let rotated = app.api.post(&format!("{HOOKS}/{id}/rotate-secret"), &json!({})).await.expect(200);
        let new = rotated["secret"].as_str().unwrap();
        assert_ne!(new, old);
        plan(&app.api, "small").await;
        let message = receiver.wait(1).await.remove(0);
        assert!(verified(new, &message) && verified(&old, &message), "both for a day: {message:?}");
        for path in
            [format!("{HOOKS}/{id}"), HOOKS.to_owned(), "/api/admin/audit".to_owned(), "/api/openapi.json".to_owned()]
        {
            let text = app.api.get(&path).await.text;
            assert!(!text.contains(new) && !text.contains(&old), "{path}");
        }
        let mut own = Own::to(&database).await;
        let sealed = "SELECT CAST(COUNT(*) AS BIGINT) FROM webhook_secrets WHERE length(sealed) > 60";
        assert_eq!(own.count(sealed).await, 2);
        own.run("UPDATE webhook_secrets SET expires_at = 1 WHERE expires_at IS NOT NULL").await.unwrap();
        plan(&app.api, "large").await;
        let message = receiver.wait(2).await.remove(1);
        assert!(verified(new, &message) && !verified(&old, &message), "{message:?}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_is_tried_again_and_one_that_is_gone_is_left_alone() {
    for database in databases().await {
        let app = TestApp::start_with(&database, allow).await;
        let receiver = Receiver::start().await;
        receiver.answer(&["500 Internal Server Error\r\n", "204 No Content\r\n", "410 Gone\r\n"]);
        let (id, secret) = hook(&app.api, &receiver.url, &["plan.created"]).await;
        plan(&app.api, "small").await;
        let messages = receiver.wait(2).await;
        assert_eq!(messages[0].headers["webhook-id"], messages[1].headers["webhook-id"], "the same message");
        assert!(messages.iter().all(|message| verified(&secret, message)));
        let told = delivery(&app.api, &id, "delivered").await;
        let tries: Vec<_> = told["attempts"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
        assert_eq!(tries, [500, 204]);
        assert!(told["attempts"][0]["error"].as_str().unwrap().contains("500"), "{told}");
        assert_eq!(told["attempts"][0]["answer"], "hello");
        assert_eq!(app.api.get(&format!("{HOOKS}/{id}")).await.expect(200)["failing_since"], Value::Null);
        plan(&app.api, "large").await;
        let disabled = eventually("the webhook to be made inactive", DEADLINE, async || {
            let hook = app.api.get(&format!("{HOOKS}/{id}")).await.expect(200);
            (hook["active"] == false).then_some(hook)
        })
        .await;
        assert!(disabled["disabled_reason"].as_str().unwrap().contains("410"), "{disabled}");
        let records = app.api.get("/api/admin/audit?action=webhook.disabled").await.expect(200);
        assert_eq!(records["items"].as_array().unwrap().len(), 1);
        plan(&app.api, "huge").await;
        let active = app.api.patch(&format!("{HOOKS}/{id}"), &json!({"active": true})).await.expect(200);
        assert_eq!((&active["active"], &active["disabled_reason"]), (&json!(true), &Value::Null));
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_has_failed_for_days_is_made_inactive() {
    for database in databases().await {
        let app = TestApp::start_with(&database, allow).await;
        let receiver = Receiver::start().await;
        receiver.answer(&["503 Service Unavailable\r\n"; 5]);
        let (id, _) = hook(&app.api, &receiver.url, &["plan.created"]).await;
        let mut own = Own::to(&database).await;
        let four_days_ago = app.running.app.clock.now().0 - 4 * 86_400_000;
        own.run(&format!("UPDATE webhooks SET failing_since = {four_days_ago}")).await.unwrap();
        plan(&app.api, "small").await;
        let disabled = eventually("the webhook to be made inactive", DEADLINE, async || {
            let hook = app.api.get(&format!("{HOOKS}/{id}")).await.expect(200);
            (hook["active"] == false).then_some(hook)
        })
        .await;
        assert!(disabled["disabled_reason"].as_str().unwrap().contains("3 days"), "{disabled}");
        delivery(&app.api, &id, "failed").await;
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_inside_by_whatever_way() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        for url in [
            "http://hooks.example.com/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://10.0.0.1/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest/meta-data/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://user:password@hooks.example.com/",
            "ftp://hooks.example.com/",
            "hooks.example.com",
            "https://[fd00:ec2::254]/",
        ] {
            let answer = app.api.post(HOOKS, &json!({"name": "test", "url": url})).await;
            answer.expect_field("url");
        }
        app.stop().await;
        // Without TLS, so that it would be heard if it came; a name that leads inside is found out when it is resolved.
        let some = |config: &mut Config| config.webhooks.allow = vec!["192.0.2.0/24".parse().unwrap()];
        let app = TestApp::start_with(&database, some).await;
        let inside = Receiver::start().await;
        let url = inside.url.replace("127.0.0.1", "localhost");
        let (id, _) = hook(&app.api, &url, &["plan.created"]).await;
        plan(&app.api, "small").await;
        let error = tried(&app.api, &id).await;
        assert!(error.contains("is no public address"), "{error}");
        assert!(inside.got().is_empty());
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_platform_s_webhooks_may_reach_those_of_tenants_may_not() {
    for database in databases().await {
        let inside = Receiver::start().await;
        let app = TestApp::start_with(&database, |config| {
            config.webhooks.allow_private = true;
            config.webhooks.allow = vec!["127.0.0.0/8".parse().unwrap()];
        })
        .await;
        let mut own = Own::to(&database).await;
        let (tenant, token) = owner(&mut own, "acme").await;
        let body = json!({"name": "test", "url": inside.url});
        let theirs = app.api.with_token(&token);
        theirs.post(HOOKS, &body).await.expect_field("url");
        // Staff who make one for the tenant make it the tenant's.
        app.api.post(&format!("{HOOKS}?tenant_id={tenant}"), &body).await.expect_field("url");
        let public = json!({"name": "test", "url": "https://hooks.example.com/", "events": ["cloudpod.created"]});
        let made = theirs.post(HOOKS, &public).await.expect(201);
        let id = made["webhook"]["id"].as_str().unwrap();
        theirs.patch(&format!("{HOOKS}/{id}"), &json!({"url": inside.url})).await.expect_field("url");
        // One from before is not sent either, and the platform's is all the same.
        own.run(&format!("UPDATE webhooks SET url = '{}'", inside.url)).await.unwrap();
        theirs.post(&format!("{HOOKS}/{id}/test"), &json!({})).await.expect(202);
        let error = tried(&theirs, id).await;
        assert!(error.contains("must begin with https://"), "{error}");
        assert!(inside.got().is_empty());
        hook(&app.api, &inside.url, &["plan.created"]).await;
        plan(&app.api, "small").await;
        assert!(inside.wait(1).await[0].body.contains("plan.created"));
        app.stop().await;
        // The other way round it is the same.
        let app = TestApp::start_with(&database, allow_tenants).await;
        let theirs = app.api.with_token(&token);
        app.api.post(HOOKS, &body).await.expect_field("url");
        hook(&theirs, &inside.url, &["cloudpod.created"]).await;
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_which_webhook_it_was_and_nothing_that_its_url_may_hold() {
    let (database, dir) = (mpanel_tests::TestDatabase::sqlite(), tempfile::tempdir().unwrap());
    let setup = Setup { program: env!("CARGO_BIN_EXE_mpanel-faulty"), database: &database, dir: &dir };
    let log = dir.path().join("log");
    let file = std::fs::File::create(&log).unwrap();
    let process = setup.serve(|command| {
        command.env("MPANEL__WEBHOOKS__ALLOW_PRIVATE", "true").env("MPANEL__LOG__FILTER", "debug").stderr(file);
    });
    let receiver = Receiver::start().await;
    receiver.answer(&["500 Internal Server Error\r\n", "410 Gone\r\n"]);
    let (id, _) = hook(&process.api, &receiver.url, &["plan.created"]).await;
    plan(&process.api, "small").await;
    eventually("the webhook to be made inactive", DEADLINE, async || {
        (process.api.get(&format!("{HOOKS}/{id}")).await.expect(200)["active"] == false).then_some(())
    })
    .await;
    let said = eventually("it to be logged", DEADLINE, async || {
        let said = std::fs::read_to_string(&log).unwrap();
        said.contains("a webhook was made inactive").then_some(said)
    })
    .await;
    let line = said.lines().find(|line| line.contains("a webhook was made inactive")).unwrap();
    assert!(line.contains(&id) && line.contains("127.0.0.1"), "{line}");
    let told: Vec<_> = said.lines().filter(|line| line.contains("key=value") || line.contains("/hook")).collect();
    assert!(told.is_empty(), "{told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_leads_nowhere() {
    let database = mpanel_tests::TestDatabase::sqlite();
    let app = TestApp::start_with(&database, allow).await;
    let (receiver, inside) = (Receiver::start().await, Receiver::start().await);
    let redirect = format!("302 Found\r\nLocation: {}\r\n", inside.url);
    receiver.answer(&[&redirect]);
    let (id, _) = hook(&app.api, &receiver.url, &["plan.created"]).await;
    plan(&app.api, "small").await;
    receiver.wait(2).await;
    let told = delivery(&app.api, &id, "delivered").await;
    assert!(told["attempts"][0]["error"].as_str().unwrap().contains("redirects are not followed"), "{told}");
    assert!(inside.got().is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_changed_listed_bounded_and_deleted() {
    for database in databases().await {
        let app = TestApp::start_with(&database, allow).await;
        let tenants = app.api.get("/api/admin/tenants").await.expect(200);
        let tenant = tenants["items"][0]["id"].as_str().unwrap();
        let body = json!({"name": "theirs", "url": "https://hooks.example.com/"});
        let theirs = app.api.post(&format!("{HOOKS}?tenant_id={tenant}"), &body).await.expect(201);
        assert_eq!(theirs["webhook"]["tenant_id"], tenant);
        let (id, _) = hook(&app.api, "https://hooks.example.com/", &[]).await;
        let own = app.api.get(&format!("{HOOKS}?tenant_id={tenant}")).await.expect(200);
        assert_eq!(own["items"].as_array().unwrap().len(), 1);
        assert_eq!(app.api.get(HOOKS).await.expect(200)["items"].as_array().unwrap().len(), 2);
        app.api.get(&format!("{HOOKS}/{id}?tenant_id={tenant}")).await.expect_problem(404, "not_found");
        app.api
            .post(HOOKS, &json!({"name": "x", "url": "https://x.example", "events": ["Bad"]}))
            .await
            .expect_field("events");
        app.api.post(HOOKS, &json!({"name": "", "url": "https://x.example"})).await.expect_field("name");
        app.api
            .post(HOOKS, &json!({"name": "x", "url": "https://x.example", "tenant": 1}))
            .await
            .expect_field("tenant");
        let stale = app.api.request(reqwest::Method::PATCH, &format!("{HOOKS}/{id}")).header("If-Match", "\"7\"");
        mpanel_tests::app::send(stale.json(&json!({"name": "y"}))).await.expect_problem(412, "stale");
        let changed = app.api.patch(&format!("{HOOKS}/{id}"), &json!({"events": ["job.*"]})).await.expect(200);
        assert_eq!((&changed["events"], &changed["version"]), (&json!(["job.*"]), &json!(2)));
        for _ in 1..20 {
            hook(&app.api, "https://hooks.example.com/", &[]).await;
        }
        app.api.post(HOOKS, &body).await.expect_problem(409, "webhooks_full");
        assert_eq!(app.api.delete(&format!("{HOOKS}/{id}")).await.status, 204);
        app.api.get(&format!("{HOOKS}/{id}")).await.expect_problem(404, "not_found");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_interleaving_gives_anybody_more_webhooks_than_there_may_be() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let mut own = Own::to(&database).await;
        let (_, token) = owner(&mut own, "acme").await;
        for api in [app.api.clone(), app.api.with_token(&token)] {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let api = api.clone();
                tasks.spawn(async move {
                    let body =
                        json!({"name": "x", "url": "https://hooks.example.com/", "events": ["cloudpod.created"]});
                    let mut made = 0;
                    loop {
                        let answer = api.post(HOOKS, &body).await;
                        if answer.status != 201 {
                            answer.expect_problem(409, "webhooks_full");
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
            assert_eq!(made, 20, "on {}", database.name);
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_s_webhook_is_sent_what_is_the_tenant_s_and_is_nobody_else_s_to_touch() {
    for database in databases().await {
        let app = TestApp::start_with(&database, allow_tenants).await;
        let mut own = Own::to(&database).await;
        let (tenant, token) = owner(&mut own, "acme").await;
        let (other, others) = owner(&mut own, "other").await;
        let (api, others) = (app.api.with_token(&token), app.api.with_token(&others));
        let receiver = Receiver::start().await;
        let (id, _) = hook(&api, &receiver.url, &[]).await;
        let (db, clock) = (app.running.app.db.clone(), Clock::system());
        let mut tx = db.begin().await.unwrap();
        for (tenant, name) in [
            (Some(&other), "cloudpod.created"),
            (None, "plan.updated"),
            (Some(&tenant), "server.updated"),
            (Some(&tenant), "cloudpod.created"),
        ] {
            let tenant = tenant.map(|tenant| tenant.parse().unwrap());
            event_append(&mut tx, clock.now(), Event { tenant, name, subject: "x".to_owned() }, &json!({}))
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        let own_events = eventually("the tenant's events to come", DEADLINE, async || {
            let got: Vec<Value> = receiver.got().iter().map(|one| serde_json::from_str(&one.body).unwrap()).collect();
            got.iter().any(|one: &Value| one["type"] == "cloudpod.created").then_some(got)
        })
        .await;
        // That it was made is an event, too.
        let types: Vec<_> = own_events.iter().map(|one| one["type"].as_str().unwrap().to_owned()).collect();
        assert!(types.iter().all(|name| name == "cloudpod.created" || name == "webhook.created"), "{types:?}");
        assert!(own_events.iter().all(|one| one["data"]["tenant_id"] == *tenant), "{own_events:?}");
        others.get(&format!("{HOOKS}/{id}")).await.expect_problem(404, "not_found");
        others.delete(&format!("{HOOKS}/{id}")).await.expect_problem(404, "not_found");
        others.post(&format!("{HOOKS}/{id}/rotate-secret"), &json!({})).await.expect_problem(404, "not_found");
        others.get(&format!("{HOOKS}/{id}/deliveries")).await.expect_problem(404, "not_found");
        assert_eq!(others.get(HOOKS).await.expect(200)["items"], json!([]));
        app.stop().await;
    }
}
