//! What a browser sees.

use control_plane::domain::access::Role;
use mpanel_tests::browser::Browser;
use mpanel_tests::fleet::{Fleet, Hosts, PODS};
use mpanel_tests::several::Several;
use mpanel_tests::{TestDatabase, bearers, databases, eventually};
use pve_sim::TaskAction;
use serde_json::{Value, json};

use super::{PROGRAMS, SOON, address, all_closed, ask, books, pod};

/// Opens a screen and looks at it.
async fn screen(at: &mpanel_tests::Api, pod: &str) -> Browser {
    let mut browser = Browser::open(address(at), &ask(at, pod, "vnc").await).await.unwrap();
    let opened = browser.said().await;
    assert_eq!((&opened["type"], &opened["kind"]), (&json!("opened"), &json!("vnc")), "{opened}");
    assert_eq!(browser.vnc(opened["password"].as_str().unwrap()).await, "web-1");
    browser
}

/// Opens a terminal and types.
async fn terminal(at: &mpanel_tests::Api, pod: &str) -> Browser {
    let mut browser = Browser::open(address(at), &ask(at, pod, "terminal").await).await.unwrap();
    assert_eq!(browser.said().await, json!({ "type": "opened", "kind": "terminal", "password": "" }));
    browser.shows("web-1 login: ").await;
    browser.send(b"1:132:43:0:10:stty size\r").await;
    browser.shows("stty size\r\n43 132\r\nweb-1 login: ").await;
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn the_screen_and_the_terminal_go_from_the_browser_to_the_guest_and_back() {
    for database in databases().await {
        let fleet = Fleet::start(PROGRAMS, database, 1).await;
        let id = pod(&fleet).await;
        let mut browser = screen(&fleet.api, &id).await;
        // One picture, as large as it was asked for.
        browser.send(&[3, 0, 0, 0, 0, 0, 0, 64, 0, 64]).await;
        assert_eq!(browser.bytes::<4>().await, [0, 0, 0, 1], "a picture of one rectangle");
        browser.bytes::<{ 12 + 64 * 64 * 4 }>().await;
        // The guest's clipboard, which the simulated screen says back.
        browser.send(b"\x06\0\0\0\0\0\0\x05hello").await;
        assert_eq!(&browser.bytes::<13>().await, b"\x03\0\0\0\0\0\0\x05hello");
        browser.close().await;
        terminal(&fleet.api, &id).await.close().await;
        assert_eq!(all_closed(&fleet).await, ["closed by its user", "closed by its user"]);
        let each = ["console.asked", "console.opened", "console.closed"];
        assert_eq!(books(&fleet).await.1, [each, each].concat());
        // Nothing of it is left on the host.
        fleet.hosts[0].sim.hand().wait_idle().await;
        fleet.invariants().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_shows_nothing_and_the_guests_end_is_told() {
    let fleet = Fleet::start(PROGRAMS, TestDatabase::sqlite(), 1).await;
    let id = pod(&fleet).await;
    let mut browser = Browser::open(address(&fleet.api), &ask(&fleet.api, &id, "vnc").await).await.unwrap();
    browser.said().await;
    browser.bytes::<12>().await;
    browser.send(b"RFB 003.008\n").await;
    browser.bytes::<2>().await;
    browser.send(&[2]).await;
    let challenge = browser.bytes::<16>().await;
    browser.send(&pve_sim::vnc_response("guessed!", challenge)).await;
    assert_eq!(browser.bytes::<4>().await, [0, 0, 0, 1], "refused");
    assert!(browser.closed().await.starts_with("closed by the host"));

    let mut browser = terminal(&fleet.api, &id).await;
    let vmid = fleet.pod_until(&id, &["active"]).await["vmid"].as_u64().unwrap();
    fleet.hosts[0].sim.hand().stop_vm(u32::try_from(vmid).unwrap());
    browser.send(b"0:1:x").await;
    assert!(browser.closed().await.starts_with("closed by the host"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_ends_with_the_right_of_who_opened_it() {
    for database in databases().await {
        let mut fleet = Fleet::start(PROGRAMS, database, 1).await;
        fleet.control_restart(&[("MPANEL__CONSOLES__RECHECK", "1s")]).await;
        let id = pod(&fleet).await;
        let db = control_plane::db::Db::open(&fleet.database.url).await.unwrap();
        let tenant =
            fleet.api.get(&format!("{PODS}/{id}")).await.expect(200)["tenant_id"].as_str().unwrap().parse().unwrap();
        let somebody = bearers::member(&db, tenant, Role::Member).await;
        let own = fleet.api.with_token(&somebody.token);
        let (theirs, kept) = (terminal(&own, &id).await, terminal(&fleet.api, &id).await);
        let ticket = ask(&own, &id, "vnc").await;
        bearers::suspend(&db, somebody.user).await;
        let refused = Browser::open(address(&own), &ticket).await.unwrap_err();
        assert_eq!(refused, (401, "unauthorized".to_owned()), "a ticket is worth what its owner may do now");
        assert_eq!(theirs.closed().await, "it may not be used any more", "{}", fleet.database.name);
        kept.close().await;
        assert_eq!(all_closed(&fleet).await, ["it may not be used any more", "closed by its user"]);
        db.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_ends_with_the_suspension_of_its_pod_and_its_ticket_opens_none() {
    for database in databases().await {
        let mut fleet = Fleet::start(PROGRAMS, database, 1).await;
        fleet.control_restart(&[("MPANEL__CONSOLES__RECHECK", "1s")]).await;
        let id = pod(&fleet).await;
        let seen = terminal(&fleet.api, &id).await;
        let ticket = ask(&fleet.api, &id, "vnc").await;
        // Its guest takes its time.
        fleet.hosts[0].sim.faults().next_task("qmshutdown", TaskAction::Hold);
        fleet.api.post(&format!("{PODS}/{id}/suspend"), &json!({ "reason": "unpaid" })).await.expect(202);
        fleet.pod_until(&id, &["suspended"]).await;
        let refused = Browser::open(address(&fleet.api), &ticket).await.unwrap_err();
        assert_eq!(refused, (401, "unauthorized".to_owned()), "{}", fleet.database.name);
        assert_eq!(seen.closed().await, "it may not be used any more", "{}", fleet.database.name);
        fleet.hosts[0].sim.faults().release();
    }
}

async fn two() -> Option<(Several, String)> {
    let Some(database) = TestDatabase::postgres().await else {
        eprintln!("MPANEL_TEST_POSTGRES_URL is not set: several control planes need PostgreSQL (tests/run sets it)");
        return None;
    };
    let several = Several::start(PROGRAMS, database, Hosts::Apart(1), 2).await;
    // The agent goes to the first and stays there.
    several.grpc.out(1);
    let api = several.fleet.api.clone();
    eventually("the agent to be at the first control plane", SOON, async || {
        let server: Value = api.get("/api/platform/servers/pve1").await.expect(200);
        let url = holder(&several).await?;
        (server["connection"]["state"] == "online" && url == several.planes[0].internal_url()).then_some(())
    })
    .await;
    let pod = pod(&several.fleet).await;
    Some((several, pod))
}

/// Where the control plane is that holds the agent's session.
async fn holder(several: &Several) -> Option<String> {
    const SQL: &str = "SELECT i.internal_url FROM servers s JOIN instances i ON i.id = s.session_owner";
    let db = control_plane::db::Db::open(&several.fleet.database.url).await.unwrap();
    let found = control_plane::fetch_optional!(db.read().await.unwrap().conn(), (String,), SQL).unwrap();
    db.close().await;
    found.map(|(url,)| url)
}

#[tokio::test(flavor = "multi_thread")]
async fn any_control_plane_serves_any_console() {
    let Some((several, pod)) = two().await else { return };
    for plane in &several.planes {
        screen(&plane.api, &pod).await.close().await;
        terminal(&plane.api, &pod).await.close().await;
    }
    // A ticket of one counts at the other, once.
    let asked = ask(&several.planes[0].api, &pod, "vnc").await;
    let browser = Browser::open(address(&several.planes[1].api), &asked).await.unwrap();
    for plane in &several.planes {
        let refused = Browser::open(address(&plane.api), &asked).await.unwrap_err();
        assert_eq!(refused, (401, "unauthorized".to_owned()));
    }
    browser.close().await;
    assert_eq!(all_closed(&several.fleet).await, ["closed by its user"; 5]);
    several.fleet.hosts[0].sim.hand().wait_idle().await;
    several.fleet.invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_vanishes_ends_its_consoles_and_no_others() {
    let Some((mut several, pod)) = two().await else { return };
    // The one that has the browser: the host's end is closed, and the other says so in the books within a lease.
    let lost = screen(&several.planes[1].api, &pod).await;
    let mut kept = terminal(&several.planes[0].api, &pod).await;
    several.daemon(1).kill().await;
    eventually("the console's end on the host", SOON, async || {
        let tasks = several.fleet.hosts[0].sim.hand().tasks();
        (tasks.iter().filter(|(_, end)| end.is_none()).count() == 1).then_some(())
    })
    .await;
    eventually("its end in the books", SOON, async || {
        (books(&several.fleet).await.0[0].as_deref()? == "the control plane that relayed it is gone").then_some(())
    })
    .await;
    kept.send(b"0:2:ok").await;
    kept.shows("ok").await;
    kept.close().await;
    drop(lost);

    // The one that has the agent: the browser is told at once.
    several.plane_restart(1).await;
    let browser = terminal(&several.planes[1].api, &pod).await;
    several.daemon(0).kill().await;
    assert_eq!(browser.closed().await, "the agent's connection broke off");
    let ends = all_closed(&several.fleet).await;
    assert_eq!(ends[1..], ["closed by its user", "the agent's connection broke off"]);
    several.fleet.hosts[0].sim.hand().wait_idle().await;
}
