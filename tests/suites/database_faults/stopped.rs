//! The database is gone: its server is stopped without a goodbye, and started again.

use std::time::Instant;

use mpanel_tests::app::try_send;
use mpanel_tests::eventually;
use mpanel_tests::fleet::PODS;
use mpanel_tests::postgres::PostgresServer;
use reqwest::Method;

use super::{REST, active, away, create, is_503_with_a_time_to_come_back, not_ready, two_hosts};

#[tokio::test(flavor = "multi_thread")]
async fn database_gone_its_server_is_stopped_under_two_control_planes_and_nothing_is_lost() {
    let Some(server) = PostgresServer::start() else { return };
    let several = two_hosts(server.database().await, 2).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(create(&several.fleet, &format!("before-{n}")).await);
    }
    server.stop();
    let gone = Instant::now();
    for plane in &several.planes {
        not_ready(&plane.api).await;
    }
    let body = serde_json::json!({"name": "during", "plan": "small", "image": "debian"});
    while gone.elapsed() < away() {
        for plane in &several.planes {
            let create = plane.api.post_keyed(PODS, "key-during", &body).await;
            is_503_with_a_time_to_come_back(&create);
            is_503_with_a_time_to_come_back(&plane.api.get(PODS).await);
        }
    }
    server.start_again();
    ids.push(create(&several.fleet, "during").await);
    active(&several.fleet, &ids).await;
    for host in &several.fleet.hosts {
        eventually("the agent to be online", REST, async || {
            let request = several.fleet.api.request(Method::GET, &format!("/api/platform/servers/{}", host.name));
            let server = try_send(request).await.ok()?.body;
            (server["connection"]["state"] == "online").then_some(())
        })
        .await;
    }
    let made: usize = several.fleet.hosts.iter().map(mpanel_tests::fleet::Host::vms_ever_made).sum();
    assert_eq!(made, ids.len(), "each VM was made once");
}
