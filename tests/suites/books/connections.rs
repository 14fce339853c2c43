//! Sessions, heartbeats, health, identity.

use std::time::Duration;

use control_plane::domain::servers::{
    Admission, CloseReason, ConnectionState, Heartbeat, Inventory, Redemption, Server,
};
use control_plane::ids::ServerId;

use crate::{Books, HEARTBEAT, actor, each, heartbeat, inventory, vm};

async fn redeem(books: &Books, token: &str) -> Result<ServerId, &'static str> {
    let mut tx = books.db.begin().await.unwrap();
    let redemption = books.servers.enrolment_token_redeem(&mut tx, token).await.unwrap();
    tx.commit().await.unwrap();
    match redemption {
        Redemption::Granted(server) => Ok(server.id),
        Redemption::Refused(reason) => Err(reason),
    }
}

async fn audited(books: &Books, server: &Server, action: &str) -> i64 {
    #[derive(sqlx::FromRow)]
    struct Count {
        count: i64,
    }
    const SQL: &str = "SELECT COUNT(*) AS count FROM audit_records WHERE target_id = $1 AND action = $2";
    let mut read = books.db.read().await.unwrap();
    control_plane::fetch_one!(read.conn(), Count, SQL, server.id.to_string(), action).unwrap().count
}

fn state(server: &Server) -> ConnectionState {
    server.connection.state
}

#[tokio::test]
async fn a_join_token_enrols_one_server_once_within_its_hour() {
    each(|books| async move {
        let server = books.server_pending("pve1").await;
        let first = books.servers.enrolment_token_create(&actor(), server.id).await.unwrap();
        let command = format!(
            "mpanel-agent enroll --control-plane https://cp.example.net:8443 --token {} --ca-sha256 {}",
            first.token,
            "ab".repeat(32)
        );
        assert_eq!(first.command, command);
        assert!(!format!("{first:?}").contains(&first.token), "a token must not reach a log");
        let second = books.servers.enrolment_token_create(&actor(), server.id).await.unwrap();
        assert_eq!(redeem(&books, &first.token).await, Err("no such join token"), "a newer one voids it");
        let (id, _) = second.token.split_once('.').unwrap();
        for wrong in ["", "x", ".", "a.b", &format!("{id}.{}", "A".repeat(43)), &format!("{id}.")] {
            assert!(redeem(&books, wrong).await.is_err(), "{wrong}");
        }
        assert_eq!(audited(&books, &server, "server.enrolment_refused").await, 2, "with a known id: {}", books.name);
        assert_eq!(redeem(&books, &second.token).await, Ok(server.id));
        assert_eq!(redeem(&books, &second.token).await, Err("it was used before"));
        let third = books.servers.enrolment_token_create(&actor(), server.id).await.unwrap();
        books.clock.advance(Duration::from_hours(1));
        assert_eq!(redeem(&books, &third.token).await, Err("it has expired"));
        assert_eq!(audited(&books, &server, "server.enrolled").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_certificate_counts_until_it_ends_is_revoked_or_its_host_enrols_again() {
    each(|books| async move {
        let (server, other) = (books.server("pve1").await, books.server("pve2").await);
        let valid = async |serial: &str, server: ServerId| {
            let mut read = books.db.read().await.unwrap();
            books.servers.certificate_is_valid(read.conn(), serial, server).await.unwrap()
        };
        let record = async |serial: &str| {
            let not_after = books.clock.now().plus(Duration::from_hours(24));
            let mut tx = books.db.begin().await.unwrap();
            books.servers.certificate_record(&mut tx, server.id, serial, not_after).await.unwrap();
            tx.commit().await.unwrap();
        };
        record("01").await;
        assert!(valid("01", server.id).await);
        assert!(!valid("01", other.id).await, "it is another server's");
        assert!(!valid("02", server.id).await, "never issued");
        let token = books.servers.enrolment_token_create(&actor(), server.id).await.unwrap().token;
        assert_eq!(redeem(&books, &token).await, Ok(server.id));
        assert!(!valid("01", server.id).await, "one identity, one host");
        record("03").await;
        books.servers.certificates_revoke(&actor(), server.id).await.unwrap();
        assert!(!valid("03", server.id).await);
        assert_eq!(*books.agents.closed.lock().unwrap(), [(server.id, CloseReason::Revoked)]);
        assert_eq!(state(&books.again(&server).await), ConnectionState::Offline);
        record("04").await;
        books.clock.advance(Duration::from_hours(24));
        assert!(!valid("04", server.id).await, "it has ended");
        assert_eq!(
            books.servers.identities_prune(books.clock.now().plus(Duration::from_secs(1))).await.unwrap(),
            5,
            "{}",
            books.name
        );
    })
    .await;
}

#[tokio::test]
async fn a_newer_session_takes_over_and_the_older_one_s_end_changes_nothing() {
    each(|books| async move {
        let server = books.server_pending("pve1").await;
        assert_eq!(state(&server), ConnectionState::Pending);
        let first = books.session(server.id, "machine-1").await;
        let second = books.session(server.id, "machine-1").await;
        assert_eq!(second, first + 1);
        books.servers.session_close(server.id, first).await.unwrap();
        assert_eq!(state(&books.again(&server).await), ConnectionState::Online, "{}", books.name);
        assert_eq!(books.again(&server).await.problem, "");
        books.servers.session_close(server.id, second).await.unwrap();
        assert_eq!(state(&books.again(&server).await), ConnectionState::Offline);
    })
    .await;
}

#[tokio::test]
async fn another_machine_is_kept_out_until_the_server_is_enrolled_anew() {
    each(|books| async move {
        let server = books.server_pending("pve1").await;
        let nobody = books.session(server.id, "").await;
        let own = books.session(server.id, "machine-1").await;
        assert_eq!(own, nobody + 1, "a host that told no machine may tell it later");
        for machine in ["machine-2", "", "machine-2"] {
            let refused = books.session_ask(server.id, machine).await;
            let Admission::OtherMachine(text) = refused else { panic!("{refused:?}") };
            assert!(text.contains("machine-1") && text.contains("mpanel server token pve1"), "{text}");
            let shown = books.again(&server).await;
            assert_eq!(shown.problem, text, "shown until the operator has decided ({})", books.name);
            assert_eq!((state(&shown), shown.seen.session_epoch), (ConnectionState::Online, own));
            assert_eq!(shown.seen.machine_id.as_deref(), Some("machine-1"));
        }
        let again = books.session(server.id, "machine-1").await;
        assert_eq!(again, own + 1);
        books.servers.certificates_revoke(&actor(), server.id).await.unwrap();
        assert_eq!(books.again(&server).await.problem, "");
        books.session(server.id, "machine-2").await;
        assert_eq!(books.again(&server).await.seen.machine_id.as_deref(), Some("machine-2"));
    })
    .await;
}

#[tokio::test]
async fn a_server_that_falls_silent_is_offline_and_back_when_it_is_heard() {
    each(|books| async move {
        let (server, quiet) = (books.server("pve1").await, books.server("pve2").await);
        let epoch = books.again(&server).await.seen.session_epoch;
        books.servers.health_run().await.unwrap();
        for _ in 0..3 {
            books.clock.advance(HEARTBEAT);
            books.servers.heartbeat_record(server.id, epoch, heartbeat("pve1", "")).await.unwrap();
            assert_eq!(books.servers.health_run().await.unwrap().lost, 0);
        }
        books.clock.advance(Duration::from_millis(1));
        let report = books.servers.health_run().await.unwrap();
        assert_eq!(report.lost, 1, "{}", books.name);
        assert_eq!(state(&books.again(&server).await), ConnectionState::Online);
        let lost = books.again(&quiet).await;
        assert_eq!((lost.connection.state, lost.connection.since), (ConnectionState::Offline, books.clock.now()));

        books.servers.heartbeat_record(quiet.id, lost.seen.session_epoch, heartbeat("pve2", "")).await.unwrap();
        assert_eq!(books.servers.health_run().await.unwrap().back, 1);
        assert_eq!(state(&books.again(&quiet).await), ConnectionState::Online);
    })
    .await;
}

/// Both would wait for the other, where each holds one of two servers.
#[tokio::test]
async fn who_looks_for_silent_servers_passes_by_what_somebody_writes_to() {
    const WRITE: &str = "UPDATE servers SET last_seen_at = last_seen_at WHERE id = $1";
    each(|books| async move {
        // SQLite has one writer.
        if books.db.is_embedded() {
            return;
        }
        let written = books.server("pve1").await;
        books.server("pve2").await;
        books.servers.health_run().await.unwrap();
        books.clock.advance(HEARTBEAT * 100);
        let mut tx = books.db.begin().await.unwrap();
        control_plane::execute!(tx.conn(), WRITE, written.id).unwrap();
        assert_eq!(books.servers.health_run().await.unwrap().lost, 1);
        assert_eq!(state(&books.again(&written).await), ConnectionState::Online);
        tx.commit().await.unwrap();
        assert_eq!(books.servers.health_run().await.unwrap().lost, 1);
        assert_eq!(state(&books.again(&written).await), ConnectionState::Offline);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_another_control_plane_has_taken_over_is_closed_here() {
    each(|books| async move {
        let server = books.server("pve1").await;
        let epoch = books.again(&server).await.seen.session_epoch;
        let elsewhere = Books::over(books.database.clone()).await;
        elsewhere.session(server.id, "machine-1").await;
        books.servers.heartbeat_record(server.id, epoch, heartbeat("late", "")).await.unwrap();
        assert_eq!(books.servers.health_run().await.unwrap().fenced, 1, "{}", books.name);
        assert_eq!(*books.agents.closed.lock().unwrap(), [(server.id, CloseReason::Superseded { epoch })]);
        assert_eq!(books.again(&server).await.seen.node_name.as_deref(), Some("pve1"));
    })
    .await;
}

#[tokio::test]
async fn heartbeats_are_kept_in_memory_and_sampled() {
    each(|books| async move {
        let server = books.server("pve1").await;
        let epoch = books.again(&server).await.seen.session_epoch;
        for i in 0..7 {
            books.clock.advance(HEARTBEAT);
            let load = Heartbeat { cpu_load: f64::from(i) / 10.0, ..heartbeat("pve1", "") };
            books.servers.heartbeat_record(server.id, epoch, load).await.unwrap();
        }
        let newest = books.servers.heartbeat_newest(server.id).unwrap();
        assert_eq!((newest.0.cpu_load, newest.1), (0.6, books.clock.now()));
        let mut read = books.db.read().await.unwrap();
        let (from, to) = (books.clock.now().minus(HEARTBEAT * 100), books.clock.now().plus(HEARTBEAT));
        let samples = books.servers.server_health(read.conn(), server.id, from, to, 10).await.unwrap();
        let loads: Vec<_> = samples.iter().map(|s| s.cpu_load).collect();
        assert_eq!(loads, [0.5, 0.2, 0.5], "the first, and one each 30 s ({})", books.name);
        let last = books.servers.server_health(read.conn(), server.id, from, to, 1).await.unwrap();
        assert_eq!(last[0].at, samples[2].at, "the newest where there are too many");
        drop(read);
        assert_eq!(books.servers.health_prune(samples[2].at, 1).await.unwrap(), 1);
        assert_eq!(books.servers.health_prune(samples[2].at, 10).await.unwrap(), 1);
        assert_eq!(books.servers.health_prune(samples[2].at, 10).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn when_proxmox_does_not_answer_the_figures_stay_and_the_problem_is_shown() {
    each(|books| async move {
        let server = books.server("pve1").await;
        let epoch = books.again(&server).await.seen.session_epoch;
        let mute = Heartbeat { pve_error: "connection refused\0".into(), ..Heartbeat::default() };
        books.servers.heartbeat_record(server.id, epoch, mute).await.unwrap();
        let after = books.again(&server).await;
        assert!(after.problem.contains("connection refused"), "{}", after.problem);
        assert_eq!((after.vcpu_capacity(), after.memory_capacity_mib()), (8, 16 * 1024));
        assert_eq!(after.vmid_space, server.vmid_space);
        assert!(after.storages.iter().all(|s| s.active), "what was known counts for a while");
        assert!(after.seen.proxmox_silent_since.is_some());
        books.servers.heartbeat_record(server.id, epoch, heartbeat("pve1", "c1")).await.unwrap();
        let after = books.again(&server).await;
        assert_eq!((after.problem.as_str(), after.vmid_space.as_str()), ("", "c1"), "{}", books.name);
        assert_eq!(after.seen.proxmox_silent_since, None);
        let without = Heartbeat { storages: Vec::new(), ..heartbeat("pve1", "c1") };
        books.servers.heartbeat_record(server.id, epoch, without).await.unwrap();
        let after = books.again(&server).await;
        assert!(after.storages.iter().all(|s| !s.active), "what Proxmox lists no more is gone");
    })
    .await;
}

#[tokio::test]
async fn for_how_long_proxmox_has_been_silent_is_known_from_its_last_answer_on() {
    each(|books| async move {
        let server = books.server("pve1").await;
        let epoch = books.again(&server).await.seen.session_epoch;
        let silent = async || {
            let mut read = books.db.read().await.unwrap();
            let all = books.servers.server_snapshot(read.conn()).await.unwrap();
            let found = all.into_iter().find(|s| s.id == server.id).unwrap();
            (found.proxmox_silent.map(|silent| silent.as_secs()), found.is_stale())
        };
        let mute = || Heartbeat { pve_error: "connection refused".into(), ..Heartbeat::default() };
        assert_eq!(silent().await, (None, false), "{}", books.name);
        books.servers.heartbeat_record(server.id, epoch, mute()).await.unwrap();
        books.clock.advance(Duration::from_mins(2));
        let other = Heartbeat { pve_error: "timed out".into(), ..mute() };
        books.servers.heartbeat_record(server.id, epoch, other).await.unwrap();
        assert_eq!(silent().await, (Some(120), false), "another cause is no answer");
        let newer = books.session(server.id, "machine-1").await;
        books.clock.advance(Duration::from_secs(1));
        books.servers.heartbeat_record(server.id, newer, mute()).await.unwrap();
        assert_eq!(silent().await, (Some(121), true), "nor is another session");
        books.servers.heartbeat_record(server.id, newer, heartbeat("pve1", "")).await.unwrap();
        assert_eq!(silent().await, (None, false));
    })
    .await;
}

#[tokio::test]
async fn bridges_that_change_between_two_full_inventories_are_known_at_once() {
    each(|books| async move {
        let server = books.server("pve1").await;
        let epoch = books.again(&server).await.seen.session_epoch;
        for (told, known) in [(vec!["vmbr0", "vmbr1"], vec!["vmbr0", "vmbr1"]), (vec![], vec!["vmbr0", "vmbr1"])] {
            let bridges = told.into_iter().map(str::to_owned).collect();
            let changes = Inventory { full: false, bridges, ..Inventory::default() };
            let mut tx = books.db.begin().await.unwrap();
            assert!(books.servers.inventory_record(&mut tx, server.id, epoch, &changes).await.unwrap());
            tx.commit().await.unwrap();
            assert_eq!(books.again(&server).await.seen.bridges, known, "{}", books.name);
        }
    })
    .await;
}

#[tokio::test]
async fn an_inventory_of_an_older_session_changes_nothing() {
    each(|books| async move {
        let server = books.server("pve1").await;
        let older = books.again(&server).await.seen.session_epoch;
        let newer = books.session(server.id, "machine-1").await;
        for full in [true, false] {
            let late = Inventory { full, ..inventory(&[100]) };
            for (epoch, taken) in [(older, false), (newer + 1, false), (newer, true)] {
                let before = books.again(&server).await.seen.inventory_at;
                books.clock.advance(Duration::from_secs(1));
                let mut tx = books.db.begin().await.unwrap();
                let recorded = books.servers.inventory_record(&mut tx, server.id, epoch, &late).await.unwrap();
                assert_eq!(recorded, taken, "{full} {epoch} ({})", books.name);
                tx.commit().await.unwrap();
                assert_eq!(books.again(&server).await.seen.inventory_at != before, taken);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_inventory_is_whole_or_what_changed() {
    each(|books| async move {
        let server = books.server_pending("pve1").await;
        let epoch = books.session(server.id, "m").await;
        books.servers.heartbeat_record(server.id, epoch, heartbeat("pve1", "")).await.unwrap();
        let record = async |inventory: Inventory| {
            let mut tx = books.db.begin().await.unwrap();
            assert!(books.servers.inventory_record(&mut tx, server.id, epoch, &inventory).await.unwrap());
            tx.commit().await.unwrap();
        };
        let templates = async || {
            let mut read = books.db.read().await.unwrap();
            let seen = books.servers.templates_seen(read.conn()).await.unwrap();
            let mut vmids: Vec<_> = seen.into_values().flatten().map(|t| t.vmid).collect();
            vmids.sort_unstable();
            vmids
        };
        let mut template = vm(9001);
        template.template = true;
        let change = Inventory { full: false, vms: vec![template.clone()], ..Inventory::default() };
        record(change.clone()).await;
        assert!(!books.again(&server).await.is_known(), "a change alone does not make the host known");
        record(inventory(&[100])).await;
        assert!(books.again(&server).await.is_known(), "{}", books.name);
        assert_eq!(templates().await, [9000], "what a whole inventory does not list does not exist");
        record(change).await;
        assert_eq!(templates().await, [9000, 9001]);
        record(Inventory { full: false, gone: vec![9000], ..Inventory::default() }).await;
        assert_eq!(templates().await, [9001]);
        assert_eq!(books.again(&server).await.seen.bridges, ["vmbr0"]);
    })
    .await;
}

#[tokio::test]
async fn vmids_move_with_their_server_into_a_cluster() {
    each(|books| async move {
        let server = books.server("pve1").await;
        let pod = books.pod().await;
        let take = async |server: ServerId, pod| {
            let mut tx = books.db.begin().await.unwrap();
            let vmid = books.servers.vmid_take(&mut tx, server, pod).await.unwrap();
            tx.commit().await.unwrap();
            vmid
        };
        assert_eq!(take(server.id, pod).await, 10_000);
        let other = books.server_pending("pve2").await;
        books.connect(other.id, heartbeat("pve2", "c1"), inventory(&[])).await;
        let epoch = books.again(&server).await.seen.session_epoch;
        books.servers.heartbeat_record(server.id, epoch, heartbeat("pve1", "c1")).await.unwrap();
        let second = books.pod().await;
        assert_eq!(take(other.id, second).await, 10_001, "10000 is taken in the cluster now ({})", books.name);
    })
    .await;
}
