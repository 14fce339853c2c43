//! The database is full: the disk under it has no byte left until somebody makes room.

use mpanel_tests::fleet::Fleet;
use mpanel_tests::postgres::PostgresServer;
use mpanel_tests::small_disk::SmallDisk;
use mpanel_tests::{TestDatabase, eventually};

use super::{PROGRAMS, REST, active, ask, create, is_503_with_a_time_to_come_back, two_hosts};

/// Fills the disk up while pods are asked for, and makes room again when the API has said for a while that it cannot.
async fn fill_up(fleet: &Fleet, disk: &SmallDisk, room_made: impl FnOnce()) {
    const REFUSED: usize = 5;
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(create(fleet, &format!("before-{n}")).await);
    }
    disk.fill();
    let (mut asked, mut refused) = (0, Vec::new());
    eventually("the API to say that it cannot", REST, async || {
        let name = format!("during-{asked}");
        asked += 1;
        // What still fits is done as ever.
        let answer = ask(fleet, &name).await?;
        if answer.status == 202 {
            ids.push(answer.body["cloudpod"]["id"].as_str().expect("the pod's id").to_owned());
        } else {
            is_503_with_a_time_to_come_back(&answer);
            refused.push(name);
        }
        (refused.len() >= REFUSED).then_some(())
    })
    .await;
    disk.make_room();
    room_made();
    for name in refused {
        ids.push(create(fleet, &name).await);
    }
    active(fleet, &ids).await;
    let made: usize = fleet.hosts.iter().map(mpanel_tests::fleet::Host::vms_ever_made).sum();
    assert_eq!(made, ids.len(), "each VM was made once");
}

#[tokio::test(flavor = "multi_thread")]
async fn database_full_on_sqlite_the_api_says_503_and_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(16) else { return };
    let fleet = Fleet::start(PROGRAMS, TestDatabase::sqlite_in(disk.path()), 2).await;
    fill_up(&fleet, &disk, || {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn database_full_on_postgres_two_control_planes_say_503_and_go_on_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(48) else { return };
    let Some(server) = PostgresServer::start() else { return };
    let several = two_hosts(server.database_in(disk.path()).await, 2).await;
    fill_up(&several.fleet, &disk, || {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn database_full_of_its_own_log_so_that_postgres_ends_and_is_started_again_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(96) else { return };
    let Some(server) = PostgresServer::start_in(Some(disk.path())) else { return };
    let several = two_hosts(server.database().await, 2).await;
    fill_up(&several.fleet, &disk, || server.start_again()).await;
}
