//! What happens is told as it happens, to whom it concerns, and nothing of it is missed.

use std::time::Duration;

use control_plane::clock::Clock;
use control_plane::domain::access::Permission;
use control_plane::events::{Event, event_append, events_prune};
use mpanel_tests::app::Api;
use mpanel_tests::people::{member, tenant, token_of};
use mpanel_tests::signing_in::signed_in;
use mpanel_tests::{TestApp, TestDatabase, databases, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{DEADLINE, Own, owner, plan};

/// An event as a stream gives it.
#[derive(Debug)]
struct Told {
    id: i64,
    name: String,
    data: Value,
}

/// A stream that is read.
struct Watch {
    response: reqwest::Response,
    read: String,
}

impl Watch {
    async fn open(api: &Api, query: &str, last: Option<i64>) -> Self {
        let mut request = api.request(Method::GET, &format!("/api/events{query}"));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.timeout(Duration::from_mins(5)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
        Self { response, read: String::new() }
    }

    /// The next event; `None`: the stream is over.
    async fn next(&mut self) -> Option<Told> {
        tokio::time::timeout(DEADLINE, self.next_at_any_time()).await.expect("an event in time")
    }

    async fn next_at_any_time(&mut self) -> Option<Told> {
        loop {
            while let Some((block, rest)) = self.read.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read = rest;
                let field = |name: &str| {
                    block
                        .lines()
                        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(|text| text.trim().to_owned()))
                };
                if let (Some(id), Some(name), Some(data)) = (field("id"), field("event"), field("data")) {
                    let data = serde_json::from_str(&data).unwrap();
                    return Some(Told { id: id.parse().unwrap(), name, data });
                }
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) => self.read.push_str(std::str::from_utf8(&bytes).unwrap()),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// The next event, which has this name.
    async fn expect(&mut self, name: &str) -> Told {
        let told = self.next().await.expect("the stream goes on");
        assert_eq!(told.name, name, "{told:?}");
        told
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_what_happens_and_goes_on_where_it_was_cut() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let mut watch = Watch::open(&app.api, "?names=plan.*", None).await;
        watch.expect("ready").await;
        let id = plan(&app.api, "one").await;
        let one = watch.expect("plan.created").await;
        assert_eq!((&one.data["subject"], &one.data["seq"]), (&json!(id), &json!(one.id)));
        assert_eq!((&one.data["tenant_id"], &one.data["data"]["after"]["name"]), (&Value::Null, &json!("one")));
        drop(watch);
        for name in ["two", "three"] {
            plan(&app.api, name).await;
        }
        let mut watch = Watch::open(&app.api, "?names=plan.created", Some(one.id)).await;
        assert_eq!(watch.expect("ready").await.id, one.id);
        let mut seen = one.id;
        for name in ["two", "three"] {
            let told = watch.expect("plan.created").await;
            assert_eq!(told.data["data"]["after"]["name"], name);
            assert!(told.id > seen);
            seen = told.id;
        }
        plan(&app.api, "four").await;
        assert_eq!(watch.expect("plan.created").await.data["data"]["after"]["name"], "four");
        let mut from_start = Watch::open(&app.api, "?after=0&names=plan.created", None).await;
        from_start.expect("ready").await;
        for name in ["one", "two", "three", "four"] {
            assert_eq!(from_start.expect("plan.created").await.data["data"]["after"]["name"], name);
        }
        app.stop().await;
        assert!(watch.next().await.is_none(), "a stream ends when the control plane stops");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_away_for_too_long_is_told_to_read_anew() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        plan(&app.api, "one").await;
        let mut watch = Watch::open(&app.api, "?after=0&names=plan.*", None).await;
        watch.expect("ready").await;
        watch.expect("plan.created").await;
        let future = app.running.app.clock.now().plus(Duration::from_hours(1));
        let mut tx = app.running.app.db.begin().await.unwrap();
        assert!(events_prune(&mut tx, future, 1000).await.unwrap() > 0);
        tx.commit().await.unwrap();
        let pruned = Own::to(&database).await.count("SELECT pruned FROM event_head").await;
        assert!(pruned > 1, "{pruned}");
        plan(&app.api, "two").await;
        // After the last one that was deleted nothing is missed.
        let mut on_time = Watch::open(&app.api, "?names=plan.*", Some(pruned)).await;
        on_time.expect("ready").await;
        assert_eq!(on_time.expect("plan.created").await.data["data"]["after"]["name"], "two");
        for wrong in [pruned - 1, i64::MAX] {
            let mut watch = Watch::open(&app.api, "?names=plan.*", Some(wrong)).await;
            let reset = watch.expect("reset").await;
            assert!((pruned..i64::MAX).contains(&reset.id), "{reset:?}");
        }
        let wrong = app.api.request(Method::GET, "/api/events").header("Last-Event-ID", "x");
        mpanel_tests::app::send(wrong).await.expect_field("Last-Event-ID");
        app.api.get("/api/events?names=Plan").await.expect_field("names");
        app.api.get("/api/events?after=-1").await.expect_field("after");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_transaction_commits_late_is_told_all_the_same() {
    // SQLite has one writer at a time: nothing there commits late.
    for database in databases().await.into_iter().filter(|database| database.name == "postgres") {
        let app = TestApp::start_on(&database).await;
        let mut watch = Watch::open(&app.api, "?names=test.*", None).await;
        watch.expect("ready").await;
        let (db, clock) = (app.running.app.db.clone(), Clock::system());
        let event = |subject: &str| Event { tenant: None, name: "test.done", subject: subject.to_owned() };
        let mut late = db.begin().await.unwrap();
        event_append(&mut late, clock.now(), event("late"), &json!({})).await.unwrap();
        let mut early = db.begin().await.unwrap();
        event_append(&mut early, clock.now(), event("early"), &json!({})).await.unwrap();
        early.commit().await.unwrap();
        let first = watch.expect("test.done").await;
        assert_eq!(first.data["subject"], "early");
        late.commit().await.unwrap();
        let second = watch.expect("test.done").await;
        assert_eq!(second.data["subject"], "late");
        assert!(second.id > first.id);
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_events_of_many_transactions_are_each_told_once_and_in_order_by_every_control_plane() {
    for database in databases().await {
        let first = TestApp::start_on(&database).await;
        let second = if database.name == "postgres" { Some(TestApp::start_on(&database).await) } else { None };
        let planes: Vec<&TestApp> = std::iter::once(&first).chain(second.as_ref()).collect();
        let mut watches = Vec::new();
        for plane in &planes {
            let mut watch = Watch::open(&plane.api, "?names=test.*", None).await;
            watch.expect("ready").await;
            watches.push(watch);
        }
        let mut tasks = tokio::task::JoinSet::new();
        for (writer, plane) in planes.iter().cycle().take(4).enumerate() {
            let db = plane.running.app.db.clone();
            tasks.spawn(async move {
                for n in 0..50 {
                    let mut tx = db.begin().await.unwrap();
                    let event = Event { tenant: None, name: "test.done", subject: format!("{writer}-{n}") };
                    event_append(&mut tx, Clock::system().now(), event, &json!({})).await.unwrap();
                    tx.commit().await.unwrap();
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        for watch in &mut watches {
            let (mut seen, mut last) = (std::collections::BTreeSet::new(), 0);
            for _ in 0..200 {
                let told = watch.expect("test.done").await;
                assert!(told.id > last, "{told:?} after {last}");
                last = told.id;
                assert!(seen.insert(told.data["subject"].as_str().unwrap().to_owned()), "{told:?} twice");
            }
        }
        let mut own = Own::to(&database).await;
        let holes = "SELECT CAST(COUNT(*) - MAX(seq) + MIN(seq) - 1 AS BIGINT) FROM events WHERE seq IS NOT NULL";
        assert_eq!(own.count(holes).await, 0, "numbers without holes");
        drop(watches);
        first.stop().await;
        if let Some(second) = second {
            second.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_takes_nothing_is_cut_and_holds_up_nobody() {
    let database = TestDatabase::sqlite();
    let app = TestApp::start_on(&database).await;
    let mut slow = Watch::open(&app.api, "?names=test.*", None).await;
    let begin = slow.expect("ready").await.id;
    let mut quick = Watch::open(&app.api, "?names=test.last", None).await;
    quick.expect("ready").await;
    let (db, clock) = (app.running.app.db.clone(), Clock::system());
    // Far more than the sockets' buffers, the queue and the ring hold.
    let filler = "x".repeat(20_000);
    for n in 0..30 {
        let mut tx = db.begin().await.unwrap();
        for m in 0..100 {
            let event = Event { tenant: None, name: "test.done", subject: format!("{n}-{m}") };
            event_append(&mut tx, clock.now(), event, &json!({ "filler": filler })).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    let mut tx = db.begin().await.unwrap();
    let last = Event { tenant: None, name: "test.last", subject: String::new() };
    event_append(&mut tx, clock.now(), last, &json!({})).await.unwrap();
    tx.commit().await.unwrap();
    quick.expect("test.last").await;
    // It is cut where it is; resumed again and again, it gets all.
    let (mut at, mut count) = (begin, 0);
    while let Some(told) = slow.next().await {
        (at, count) = (told.id, count + 1);
        if told.name == "test.last" {
            break;
        }
    }
    assert!(count < 3001, "it was cut");
    while count < 3001 {
        slow = Watch::open(&app.api, "?names=test.*", Some(at)).await;
        slow.expect("ready").await;
        while let Some(told) = slow.next().await {
            assert!(told.id > at, "{} after {at}", told.id);
            (at, count) = (told.id, count + 1);
            if told.name == "test.last" {
                break;
            }
        }
    }
    assert_eq!(count, 3001, "nothing is left out");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_catches_up_slowly_and_may_not_read_any_more_is_cut_at_once() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let mut own = Own::to(&database).await;
        let (home, token) = owner(&mut own, "acme").await;
        let (db, clock) = (app.running.app.db.clone(), Clock::system());
        // More than the sockets' buffers hold.
        let filler = "x".repeat(20_000);
        for n in 0..20 {
            let mut tx = db.begin().await.unwrap();
            for m in 0..100 {
                let tenant = Some(home.parse().unwrap());
                let event = Event { tenant, name: "cloudpod.updated", subject: format!("{n}-{m}") };
                event_append(&mut tx, clock.now(), event, &json!({ "filler": filler })).await.unwrap();
            }
            tx.commit().await.unwrap();
        }
        eventually("the events to be numbered", DEADLINE, async || {
            (own.count("SELECT COUNT(*) FROM events WHERE seq IS NULL").await == 0).then_some(())
        })
        .await;
        let before = app.running.app.tasks.len();
        let mut watch = Watch::open(&app.api.with_token(&token), "?after=0&names=cloudpod.updated", None).await;
        watch.expect("ready").await;
        watch.expect("cloudpod.updated").await;
        own.run("UPDATE memberships SET suspended_at = 1").await.unwrap();
        // Before it would be cut for being slow, which is after 30 seconds.
        eventually("the stream to end", Duration::from_secs(25), async || {
            // Its connection stays.
            (app.running.app.tasks.len() <= before + 1).then_some(())
        })
        .await;
        let mut count = 1;
        while watch.next().await.is_some() {
            count += 1;
        }
        assert!(count < 2000, "the rest is not for him");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_caller_has_a_bounded_number_of_streams() {
    let (app, _database) = TestApp::start().await;
    let mut watches = Vec::new();
    for _ in 0..16 {
        watches.push(Watch::open(&app.api, "", None).await);
    }
    app.api.get("/api/events").await.expect_problem(429, "too_many_requests");
    watches.pop();
    // The place is free once the control plane has noticed that the reader is gone.
    eventually("a place to be free", DEADLINE, async || {
        let response = app.api.request(Method::GET, "/api/events").send().await.unwrap();
        (response.status() == 200).then_some(())
    })
    .await;
    drop(watches);
    app.stop().await;
}

/// Opens as many streams as there may be.
async fn open_all(api: &Api, count: usize, watches: &mut Vec<Watch>) {
    for _ in 0..count {
        watches.push(Watch::open(api, "", None).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_s_tokens_and_sign_ins_share_a_number_of_streams_and_so_do_a_tenant_s_people() {
    let (app, _database) = TestApp::start().await;
    let (home, other) = (tenant(&app, "home").await, tenant(&app, "other").await);
    let anna = member(&app, &home, "OWNER", "anna@home.example").await;
    let second = app.api.with_token(&token_of(&app, &anna.id, Some(&home), Permission::EventsRead).await);
    let by_sign_in = signed_in(&app, &anna.id).await;
    let mut watches = Vec::new();
    open_all(&anna.api, 8, &mut watches).await;
    open_all(&second, 4, &mut watches).await;
    open_all(&by_sign_in, 4, &mut watches).await;
    for api in [&anna.api, &second, &by_sign_in] {
        api.get("/api/events").await.expect_problem(429, "too_many_requests");
    }
    for name in ["bert", "carl", "dora"] {
        let colleague = member(&app, &home, "MEMBER", &format!("{name}@home.example")).await;
        open_all(&colleague.api, 16, &mut watches).await;
    }
    let fifth = member(&app, &home, "MEMBER", "emil@home.example").await;
    fifth.api.get("/api/events").await.expect_problem(429, "too_many_requests");
    let stranger = member(&app, &other, "OWNER", "olga@other.example").await;
    open_all(&stranger.api, 1, &mut watches).await;
    // Staff who look at that tenant take nobody's place.
    let staff = app.api.request(Method::GET, "/api/events").header("X-Tenant-Id", &home);
    mpanel_tests::app::send(staff).await.expect_status(200);
    watches.truncate(63);
    eventually("a place to be free", DEADLINE, async || {
        let response = fifth.api.request(Method::GET, "/api/events").send().await.unwrap();
        (response.status() == 200).then_some(())
    })
    .await;
    drop(watches);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_s_people_are_told_of_their_tenant_alone_and_for_as_long_as_they_belong_to_it() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let mut own = Own::to(&database).await;
        let (tenant, token) = owner(&mut own, "acme").await;
        let (other, _) = owner(&mut own, "other").await;
        let mut watch = Watch::open(&app.api.with_token(&token), "?after=0", None).await;
        watch.expect("ready").await;
        let (db, clock) = (app.running.app.db.clone(), Clock::system());
        let mut tx = db.begin().await.unwrap();
        for (tenant, name) in [
            (Some(&other), "cloudpod.created"),
            (None, "cloudpod.created"),
            (None, "plan.updated"),
            (Some(&tenant), "server.updated"),
            (Some(&tenant), "something.unknown"),
            (Some(&tenant), "cloudpod.created"),
            (Some(&tenant), "job.created"),
        ] {
            let tenant = tenant.map(|tenant| tenant.parse().unwrap());
            event_append(&mut tx, clock.now(), Event { tenant, name, subject: "x".to_owned() }, &json!({}))
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        for name in ["cloudpod.created", "job.created"] {
            assert_eq!(watch.expect(name).await.data["tenant_id"], *tenant);
        }
        own.run("UPDATE memberships SET suspended_at = 1").await.unwrap();
        assert!(watch.next().await.is_none(), "it ends when they do not belong there any more");
        app.stop().await;
    }
}
