//! What waits for a webhook is bounded, shared out fairly, and given up in the end.

use control_plane::clock::Ms;
use control_plane::events::events_prune;
use mpanel_tests::{TestApp, databases, eventually};
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::support::{DEADLINE, Own, plan};
use super::webhooks::{HOOKS, allow, delivery, hook, tried, verified};

/// Lets so many deliveries wait for the webhook until `run_at`, since long ago.
async fn fill(own: &mut Own, webhook: &str, count: u32, run_at: i64) {
    let (id, webhook) = match own {
        Own::Sqlite(_) => ("randomblob(16)", format!("X'{}'", webhook.replace('-', ""))),
        Own::Postgres(_) => ("gen_random_uuid()", format!("CAST('{webhook}' AS UUID)")),
    };
    own.run(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO webhook_deliveries (id, webhook_id, message_id, event_name, body, state, attempt, run_at, created_at)
         SELECT {id}, {webhook}, 'msg_' || i, 'test.filled', '{{}}', 'pending', 0, {run_at}, 1 FROM n"
    ))
    .await
    .unwrap();
}

fn in_an_hour(app: &TestApp) -> i64 {
    app.running.app.clock.now().0 + 3_600_000
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_for_which_too_much_waits_takes_no_more_and_says_what_it_missed() {
    for database in databases().await {
        let app = TestApp::start_with(&database, allow).await;
        let receiver = Receiver::start().await;
        let (id, _) = hook(&app.api, &receiver.url, &["plan.created"]).await;
        let path = format!("{HOOKS}/{id}");
        let mut own = Own::to(&database).await;
        fill(&mut own, &id, 10_000, in_an_hour(&app)).await;
        for name in ["small", "large"] {
            plan(&app.api, name).await;
        }
        let full = eventually("what is dropped to be counted", DEADLINE, async || {
            let hook = app.api.get(&path).await.expect(200);
            (hook["dropped"] == 2).then_some(hook)
        })
        .await;
        assert!(full["dropped_since"].is_string() && full["active"] == true, "{full}");
        app.api.post(&format!("{path}/test"), &json!({})).await.expect_problem(409, "deliveries_full");
        let page = app.api.get(&format!("{path}/deliveries")).await.expect(200);
        let again = format!("{path}/deliveries/{}/redeliver", page["items"][0]["id"].as_str().unwrap());
        app.api.post(&again, &json!({})).await.expect_problem(409, "deliveries_full");
        assert_eq!(own.count("SELECT CAST(COUNT(*) AS BIGINT) FROM webhook_deliveries").await, 10_000);
        assert!(receiver.got().is_empty());
        // Where there is room again it goes on.
        own.run("DELETE FROM webhook_deliveries WHERE message_id = 'msg_7'").await.unwrap();
        plan(&app.api, "huge").await;
        assert!(receiver.wait(1).await[0].body.contains("plan.created"));
        let since = app.api.get(&path).await.expect(200);
        assert_eq!((&since["dropped"], &since["dropped_since"]), (&json!(2), &full["dropped_since"]));
        let anew = app.api.patch(&path, &json!({"active": true})).await.expect(200);
        assert_eq!((&anew["dropped"], &anew["dropped_since"]), (&json!(0), &Value::Null));
        assert_eq!(app.api.get(&path).await.expect(200)["dropped"], 0);
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_are_under_way_to_one_webhook_at_once_and_hold_up_no_other() {
    const UNDER_WAY: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM webhook_deliveries
                             WHERE event_name = 'test.filled' AND lease_until IS NOT NULL";
    for database in databases().await {
        let first = TestApp::start_with(&database, allow).await;
        let second = if database.name == "postgres" { Some(TestApp::start_with(&database, allow).await) } else { None };
        let planes: Vec<&TestApp> = std::iter::once(&first).chain(second.as_ref()).collect();
        // It takes connections, and never answers.
        let stuck = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?key=value", stuck.local_addr().unwrap());
        let (id, _) = hook(&first.api, &url, &["cloudpod.created"]).await;
        let quick = Receiver::start().await;
        hook(&first.api, &quick.url, &["plan.created"]).await;
        let mut own = Own::to(&database).await;
        fill(&mut own, &id, 40, 1).await;
        for _ in 0..10 {
            let sends = planes.iter().map(|plane| plane.running.app.webhooks.deliveries_send());
            for sent in futures::future::join_all(sends).await {
                sent.unwrap();
            }
            let under_way = own.count(UNDER_WAY).await;
            assert!(under_way <= 4, "{under_way} on {}", database.name);
        }
        plan(&first.api, "small").await;
        quick.wait(1).await;
        eventually("as many as may be to be under way", DEADLINE, async || {
            let under_way = own.count(UNDER_WAY).await;
            assert!(under_way <= 4, "{under_way} on {}", database.name);
            (under_way == 4).then_some(())
        })
        .await;
        drop(stuck);
        first.stop().await;
        if let Some(second) = second {
            second.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_took_who_died_is_sent_by_another_once_his_lease_is_over() {
    for database in databases().await {
        let app = TestApp::start_with(&database, allow).await;
        let receiver = Receiver::start().await;
        let (id, secret) = hook(&app.api, &receiver.url, &["cloudpod.created"]).await;
        let mut own = Own::to(&database).await;
        let later = in_an_hour(&app);
        fill(&mut own, &id, 2, later).await;
        let leased = |message: &str, until: i64| {
            format!(
                "UPDATE webhook_deliveries SET run_at = 1, attempt = 1, lease_until = {until} WHERE message_id = '{message}'"
            )
        };
        own.run(&leased("msg_1", later)).await.unwrap();
        own.run(&leased("msg_2", 1)).await.unwrap();
        let message = receiver.wait(1).await.remove(0);
        assert!(verified(&secret, &message));
        assert_eq!(message.headers["webhook-id"], "msg_2");
        let told = delivery(&app.api, &id, "delivered").await;
        assert_eq!((&told["delivery"]["message_id"], &told["delivery"]["attempt"]), (&json!("msg_2"), &json!(2)));
        let others = "SELECT attempt FROM webhook_deliveries WHERE message_id = 'msg_1' AND state = 'pending'";
        assert_eq!(own.count(others).await, 1, "it is another's");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_however_old_keeps_nothing_from_being_deleted() {
    for database in databases().await {
        let app = TestApp::start_with(&database, allow).await;
        let receiver = Receiver::start().await;
        let (id, _) = hook(&app.api, &receiver.url, &["plan.created"]).await;
        let mut own = Own::to(&database).await;
        fill(&mut own, &id, 5, in_an_hour(&app)).await;
        plan(&app.api, "small").await;
        delivery(&app.api, &id, "delivered").await;
        own.run("UPDATE webhook_deliveries SET created_at = 2 WHERE state = 'delivered'").await.unwrap();
        let future = app.running.app.clock.now().plus(std::time::Duration::from_hours(2));
        let mut tx = app.running.app.db.begin().await.unwrap();
        assert_eq!(app.running.app.webhooks.deliveries_prune(&mut tx, Ms(1000), 2).await.unwrap(), 1);
        assert!(events_prune(&mut tx, future, 1000).await.unwrap() > 0);
        tx.commit().await.unwrap();
        assert_eq!(own.count("SELECT CAST(COUNT(*) AS BIGINT) FROM webhook_deliveries").await, 5);
        // And made inactive, it has nothing that waits.
        app.api.patch(&format!("{HOOKS}/{id}"), &json!({"active": false})).await.expect(200);
        let mut tx = app.running.app.db.begin().await.unwrap();
        assert_eq!(app.running.app.webhooks.deliveries_prune(&mut tx, Ms(1000), 100).await.unwrap(), 5);
        tx.commit().await.unwrap();
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_signed_is_a_try_that_failed_and_comes_once_it_can() {
    for database in databases().await {
        let app = TestApp::start_with(&database, allow).await;
        let receiver = Receiver::start().await;
        let (id, _) = hook(&app.api, &receiver.url, &["plan.created"]).await;
        let mut own = Own::to(&database).await;
        let spoilt = if database.name == "sqlite" { "zeroblob(64)" } else { "decode(repeat('00', 64), 'hex')" };
        own.run(&format!("UPDATE webhook_secrets SET sealed = {spoilt}")).await.unwrap();
        plan(&app.api, "small").await;
        let error = tried(&app.api, &id).await;
        assert!(error.contains("rotate-secret"), "{error}");
        assert!(receiver.got().is_empty(), "nothing is sent unsigned");
        let rotated = app.api.post(&format!("{HOOKS}/{id}/rotate-secret"), &json!({})).await.expect(200);
        own.run("UPDATE webhook_deliveries SET run_at = 1").await.unwrap();
        let message = receiver.wait(1).await.remove(0);
        assert!(verified(rotated["secret"].as_str().unwrap(), &message), "{message:?}");
        app.stop().await;
    }
}
