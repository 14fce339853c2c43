//! What comes back to a server that is opened again.

use super::*;

/// A rig of which a first drain moved two pods before it was cancelled, and a second one the rest.
async fn emptied_by_two(database: &TestDatabase) -> Rig {
    let rig = Rig::new(database, 5).await;
    rig.bench.server("pve2", 32).await;
    rig.bench.agents.hold("migrate");
    rig.drain().await;
    rig.until("moves to be under way", |plan| count(plan, PodState::Moving) == 2).await;
    rig.bench.out("migrate").await;
    rig.drains.drain_cancel(&actor(), rig.first).await.unwrap();
    rig.bench.agents.release("migrate");
    let first = rig.until_state(DrainState::Cancelled).await;
    let moved = count(&first, PodState::Moved);
    assert!((1..=2).contains(&moved), "{}: {moved}", rig.database);
    rig.drain().await;
    let second = rig.until_state(DrainState::Done).await;
    assert_eq!(moved + count(&second, PodState::Moved), 5, "{}", rig.database);
    rig
}

#[tokio::test]
async fn what_a_cancelled_drain_and_the_one_after_it_moved_comes_back() {
    for database in databases().await {
        let rig = emptied_by_two(&database).await;
        // Somebody else's wish for one of them is newer than the drain's.
        let third = rig.bench.server("pve3", 32).await;
        let input = control_plane::domain::cloudpods::moves::Migrate {
            server: Some("pve3".into()),
            storage: None,
            method: None,
            with_local_disks: true,
            allow_shutdown: false,
            shutdown_s: 60,
        };
        let elsewhere = rig.pods[4];
        let (_, job) = rig.bench.pods.cloudpod_migrate(&actor(), Scope::Platform, elsewhere, input).await.unwrap();
        assert_eq!(rig.bench.over(job.id).await.state, JobState::Succeeded);

        rig.status(SchedulingState::Online, None, options(), true).await;
        let back = rig.until_state(DrainState::Done).await;
        assert_eq!((back.drain.kind, count(&back, PodState::Moved)), (Kind::FillBack, 4), "{}", database.name);
        for pod in &rig.pods {
            let at = rig.bench.pod(*pod).await.pod.server.unwrap().id;
            assert_eq!(at, if *pod == elsewhere { third } else { rig.first }, "{}", database.name);
        }
    }
}

#[tokio::test]
async fn what_was_left_elsewhere_at_an_opening_stays_there_at_the_next() {
    for database in databases().await {
        let rig = emptied_by_two(&database).await;
        rig.status(SchedulingState::Online, None, options(), false).await;
        rig.status(SchedulingState::Locked, None, options(), false).await;
        rig.drain().await;
        rig.until_state(DrainState::Done).await;
        rig.status(SchedulingState::Online, None, options(), true).await;
        let back = rig.until_state(DrainState::Done).await;
        assert_eq!((back.drain.kind, back.pods.len()), (Kind::FillBack, 0), "{}", database.name);
        // The opening before may still be made up for, as long as no other drain came between.
        let rig = emptied_by_two(&TestDatabase::sqlite()).await;
        rig.status(SchedulingState::Online, None, options(), false).await;
        rig.status(SchedulingState::Online, None, options(), true).await;
        let back = rig.until_state(DrainState::Done).await;
        assert_eq!(count(&back, PodState::Moved), 5);
    }
}

#[tokio::test]
async fn what_is_on_its_way_when_the_server_is_opened_comes_back_after_that() {
    for database in databases().await {
        let rig = Rig::new(&database, 4).await;
        rig.bench.server("pve2", 32).await;
        rig.bench.agents.hold("migrate");
        rig.drain().await;
        rig.until("two to be moved", |plan| count(plan, PodState::Moving) == 2).await;
        rig.bench.out("migrate").await;
        let away = rig.migrations();
        rig.status(SchedulingState::Online, None, options(), true).await;
        let waits = rig.until("it to wait for them", |plan| !plan.drain.note.is_empty()).await;
        assert_eq!((waits.drain.kind, waits.drain.state), (Kind::FillBack, DrainState::Running), "{}", database.name);
        rig.bench.agents.release("migrate");
        rig.until_state(DrainState::Done).await;
        for pod in &rig.pods {
            assert_eq!(rig.bench.pod(*pod).await.pod.server.unwrap().id, rig.first, "{}", database.name);
        }
        assert_eq!(rig.migrations() % 2, 0, "there and back: {away} were out");
    }
}
