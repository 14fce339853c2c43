//! Clock off by 10 minutes on a host, and jumping back on the control plane: shown as skew; not as offline; no lease misjudged.

use std::time::Duration;

use mpanel_tests::app::try_send;
use mpanel_tests::fleet::Fleet;
use mpanel_tests::several::Several;
use mpanel_tests::wall_clock::WallClock;
use mpanel_tests::{Api, TestDatabase, databases, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Client, PROGRAMS, REST, come_to_rest, several};

const TEN_MINUTES_S: i64 = 600;
/// Far longer than this machine may keep anybody from renewing, and far shorter than a clock is off.
const LEASE: (&str, &str) = ("MPANEL__JOBS__LEASE", "60s");

async fn server(api: &Api, name: &str) -> Value {
    api.get(&format!("/api/platform/servers/{name}")).await.expect(200)
}

async fn online(api: &Api, name: &str) -> Value {
    eventually("the agent to be online", REST, async || {
        let request = api.request(Method::GET, &format!("/api/platform/servers/{name}"));
        let server = try_send(request).await.ok().filter(|answer| answer.status == 200)?.body;
        (server["connection"]["state"] == "online").then_some(server)
    })
    .await
}

/// What the connection test says of the host's clock.
async fn clock_check(api: &Api, host: &str) -> Value {
    let path = format!("/api/platform/servers/{host}/test-connection");
    let report = api.post(&path, &json!({})).await.expect(200);
    let checks = report["checks"].as_array().expect("checks").clone();
    checks.into_iter().find(|check| check["name"] == "clock").unwrap_or_else(|| panic!("no check of it: {report:#}"))
}

/// That every result came in time says that nobody took over what another still held: no lease was misjudged.
async fn nothing_was_late(api: &Api) {
    let metrics = api.get("/metrics").await;
    assert_eq!(metrics.status, 200, "{}", metrics.text);
    let late = metrics.text.lines().find(|line| line.starts_with("mpanel_results_late_total"));
    assert!(late.is_none_or(|line| line.ends_with(" 0")), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_off_by_10_minutes_on_a_host_is_shown_as_skew_and_not_as_offline() {
    for database in databases().await {
        let mut fleet = Fleet::start(PROGRAMS, database, 2).await;
        let mut pods = 0;
        for seconds in [TEN_MINUTES_S, -TEN_MINUTES_S] {
            let clock = WallClock::ahead_by(seconds);
            fleet.hosts[0].agent.kill().await;
            eventually("the session to be over", REST, async || {
                (server(&fleet.api, "pve1").await["connection"]["state"] == "offline").then_some(())
            })
            .await;
            fleet.hosts[0].agent_start(&clock.env());
            let since = online(&fleet.api, "pve1").await["connection"]["since"].clone();
            let check = clock_check(&fleet.api, "pve1").await;
            assert_eq!(check["state"], "fail", "{check:#}");
            let shown = check["message"].as_str().expect("a message");
            assert!(shown.contains("600.") || shown.contains("599."), "{shown}");
            assert_eq!(clock_check(&fleet.api, "pve2").await["state"], "ok");
            let client = Client { api: fleet.api.clone(), answered: 0.into() };
            pods += client.create_many(&format!("off-{}", seconds > 0), 6).await.len();
            come_to_rest(&fleet, pods).await;
            let after = server(&fleet.api, "pve1").await;
            assert_eq!(after["connection"]["state"], "online", "{after:#}");
            assert_eq!(after["connection"]["since"], since, "it was online all the time");
            // Back to the right time while it runs.
            clock.set(0);
            let api = &fleet.api;
            eventually("the skew to be gone", REST, async || {
                (clock_check(api, "pve1").await["state"] == "ok").then_some(())
            })
            .await;
        }
        nothing_was_late(&fleet.api).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_jumping_back_on_the_only_control_plane_misjudges_no_lease() {
    let clock = WallClock::ahead_by(0);
    let mut fleet = Fleet::start(PROGRAMS, TestDatabase::sqlite(), 2).await;
    let env = clock.env();
    fleet.control_restart(&[env[0], env[1], LEASE]).await;
    let mut since = Vec::new();
    for host in ["pve1", "pve2"] {
        since.push(online(&fleet.api, host).await["connection"]["since"].clone());
    }
    let client = Client { api: fleet.api.clone(), answered: 0.into() };
    let mut pods = 0;
    for seconds in [-TEN_MINUTES_S, TEN_MINUTES_S, 0] {
        let (before, after) = (format!("before-{seconds}"), format!("after-{seconds}"));
        pods += client.create_many(&before, 4).await.len();
        clock.set(seconds);
        pods += client.create_many(&after, 4).await.len();
        come_to_rest(&fleet, pods).await;
    }
    for (host, since) in ["pve1", "pve2"].into_iter().zip(since) {
        let after = server(&fleet.api, host).await;
        assert_eq!((&after["connection"]["state"], &after["connection"]["since"]), (&json!("online"), &since));
    }
    nothing_was_late(&fleet.api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_off_by_10_minutes_and_jumping_back_on_one_of_two_control_planes_misjudges_no_lease() {
    let Some(mut several): Option<Several> = several(2, 2).await else { return };
    let clock = WallClock::ahead_by(TEN_MINUTES_S);
    let env = clock.env();
    for (plane, more) in [(0, vec![LEASE]), (1, vec![env[0], env[1], LEASE])] {
        several.daemon(plane).stop(Duration::from_mins(1)).await;
        several.plane_start(plane, &more);
        several.plane_ready(plane).await;
    }
    for host in ["pve1", "pve2"] {
        online(&several.fleet.api, host).await;
    }
    let client = Client::of(&several);
    let mut pods = 0;
    for seconds in [TEN_MINUTES_S, -TEN_MINUTES_S, 0] {
        let (before, after) = (format!("before-{seconds}"), format!("after-{seconds}"));
        pods += client.create_many(&before, 4).await.len();
        clock.set(seconds);
        pods += client.create_many(&after, 4).await.len();
        come_to_rest(&several.fleet, pods).await;
    }
    for plane in &several.planes {
        nothing_was_late(&plane.api).await;
        for host in ["pve1", "pve2"] {
            assert_eq!(server(&plane.api, host).await["connection"]["state"], "online");
        }
    }
}
