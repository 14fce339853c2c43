//! Pods that are moved from one server to another, and what interrupts that.

use control_plane::domain::cloudpods::moves::Migrate;
use control_plane::domain::jobs::CommandKind;
use control_plane::domain::secrets::Secret;
use control_plane::domain::servers::Method;
use control_plane::domain::servers::endpoint::EndpointInput;
use control_plane::ids::{JobId, ServerId};
use mpanel_tests::scripted_agent::ScriptedVm;

use control_plane::domain::jobs::Job;
use control_plane::error::Result;

use super::*;

/// A move to wherever it fits best.
pub(super) fn anywhere() -> Migrate {
    Migrate { server: None, storage: None, method: None, with_local_disks: true, allow_shutdown: false, shutdown_s: 60 }
}

async fn migrate(bench: &PodBench, pod: CloudPodId, input: Migrate) -> Result<Job> {
    Ok(bench.pods.cloudpod_migrate(&actor(), Scope::Platform, pod, input).await?.1)
}

/// A pod on the first of two servers of a cluster.
async fn on_the_first(bench: &PodBench) -> (CloudPodId, ServerId, ServerId) {
    let first = bench.server("pve1", 8).await;
    let pod = bench.active("web-1").await;
    (pod, first, bench.server("pve2", 8).await)
}

async fn place(bench: &PodBench, pod: CloudPodId) -> ServerId {
    bench.pod(pod).await.pod.server.expect("it is placed").id
}

/// Where the pod's VM is, which there is one of, and whether it runs.
fn only_vm(bench: &PodBench) -> (ServerId, u32, Power) {
    let vms = bench.agents.vms();
    assert_eq!(vms.len(), 1, "one VM");
    (vms[0].0, vms[0].1, vms[0].2.power)
}

/// How many pods each server holds room for.
async fn rooms(bench: &PodBench, servers: &[ServerId]) -> Vec<u64> {
    let mut held = Vec::new();
    for server in servers {
        let mut read = bench.db.read().await.unwrap();
        held.push(bench.books.servers.server_get(read.conn(), *server).await.unwrap().reserved.pods);
    }
    held
}

async fn cancel(bench: &PodBench, job: JobId) -> Result<Job> {
    bench.jobs.job_cancel(&actor(), Scope::Platform, job).await
}

fn count(bench: &PodBench, command: &str) -> usize {
    bench.agents.orders().into_iter().filter(|name| *name == command).count()
}

#[tokio::test]
async fn a_running_pod_is_moved_live_and_both_sides_have_said_so() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let (pod, first, second) = on_the_first(&bench).await;
        let before = bench.pod(pod).await;
        let made = bench.agents.orders().len();
        bench.agents.hold("migrate");
        let job = migrate(&bench, pod, anywhere()).await.unwrap();
        bench.out("migrate").await;
        assert_eq!(rooms(&bench, &[first, second]).await, [1, 1], "{}: room on both", database.name);
        let shown = bench.pod(pod).await.pod;
        assert_eq!((shown.server.unwrap().id, shown.moving_to.unwrap().id), (first, second), "not there yet");
        bench.agents.release("migrate");
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        assert_eq!(
            bench.agents.orders()[made..],
            ["inspect", "check_migrate", "migrate", "inspect", "inspect", "set_firewall"]
        );
        let asked: Vec<_> = bench.agents.sent()[made..].iter().map(|order| order.command.server).collect();
        assert_eq!(asked, [first, first, first, second, first, second], "the target confirms, then the source");
        let sent = bench.agents.sent().remove(made + 2);
        let CommandKind::Migrate(order) = sent.command.kind else { panic!("not a migrate") };
        assert_eq!((order.target_node.as_str(), order.online, order.bandwidth_mibps), ("pve2", true, 100));

        let Detail { pod: after, addresses } = bench.pod(pod).await;
        assert_eq!((after.server.unwrap().id, after.moving_to), (second, None));
        assert_eq!((after.vmid, after.observed_power), (before.pod.vmid, Power::Running));
        assert_eq!(addresses, before.addresses);
        assert_eq!(only_vm(&bench), (second, after.vmid.unwrap(), Power::Running));
        assert_eq!((bench.held().await, rooms(&bench, &[first, second]).await), (ONE_POD, vec![0, 1]));
        let (why, _) = bench.pods.placement_get(Scope::Platform, pod).await.unwrap();
        assert_eq!(why.server, Some(second), "and why is stored");

        done(&bench, "stop", pod).await;
        let back = Migrate { server: Some("pve1".into()), ..anywhere() };
        let job = migrate(&bench, pod, back).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded, "a stopped one is moved as it is");
        assert_eq!(only_vm(&bench), (first, after.vmid.unwrap(), Power::Stopped));
        done(&bench, "destroy", pod).await;
        assert_eq!(bench.held().await, NOTHING);
    }
}

#[tokio::test]
async fn after_an_order_whose_end_is_not_known_the_target_is_looked_at_before_another() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let (pod, first, second) = on_the_first(&bench).await;
        for kind in [FailureKind::Timeout, FailureKind::Lost, FailureKind::Unavailable] {
            for (when, orders) in [(Fail::After, 1), (Fail::Before, 2)] {
                let what = format!("{} {kind:?} {when:?}", database.name);
                let to = if place(&bench, pod).await == first { second } else { first };
                let (before, moves) = (bench.agents.sent().len(), count(&bench, "migrate"));
                bench.agents.fail("migrate", 1, when, kind);
                let job = migrate(&bench, pod, anywhere()).await.unwrap();
                let job = bench.over(job.id).await;
                assert_eq!(job.state, JobState::Succeeded, "{what}: {:?}", job.error);
                assert_eq!(count(&bench, "migrate") - moves, orders, "{what}");
                let sent = bench.agents.sent().split_off(before);
                let ordered = sent.iter().position(|order| order.command.kind.name() == "migrate").unwrap();
                let next = &sent[ordered + 1].command;
                assert_eq!((next.kind.name(), next.server), ("inspect", to), "{what}");
                assert_eq!((only_vm(&bench).0, place(&bench, pod).await), (to, to), "{what}");
            }
        }
        done(&bench, "destroy", pod).await;
        assert_eq!(bench.held().await, NOTHING);
    }
}

#[tokio::test]
async fn a_move_that_fails_or_is_cancelled_leaves_the_pod_where_it_is_known_to_be() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let (pod, first, second) = on_the_first(&bench).await;
        bench.agents.hold("migrate");
        let job = migrate(&bench, pod, anywhere()).await.unwrap();
        bench.out("migrate").await;
        cancel(&bench, job.id).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Cancelled, "{}", database.name);
        assert_eq!((place(&bench, pod).await, only_vm(&bench).0), (first, first));
        assert_eq!((bench.held().await, rooms(&bench, &[first, second]).await), (ONE_POD, vec![1, 0]));
        bench.agents.release("migrate");

        bench.agents.fail("migrate", 1, Fail::Before, FailureKind::TaskFailed);
        let job = migrate(&bench, pod, anywhere()).await.unwrap();
        let job = bench.over(job.id).await;
        assert_eq!((job.state, job.error.unwrap().code.as_str()), (JobState::Failed, "proxmox_task_failed"));
        assert_eq!((place(&bench, pod).await, only_vm(&bench).0), (first, first));
        assert_eq!(rooms(&bench, &[first, second]).await, [1, 0]);

        // It came to its end all the same.
        bench.agents.fail("migrate", 1, Fail::After, FailureKind::Deadline);
        let job = migrate(&bench, pod, anywhere()).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Failed);
        assert_eq!((place(&bench, pod).await, only_vm(&bench).0), (second, second));
        assert_eq!((bench.held().await, rooms(&bench, &[first, second]).await), (ONE_POD, vec![0, 1]));

        // Cancelled too late.
        bench.agents.hold("migrate");
        let job = migrate(&bench, pod, anywhere()).await.unwrap();
        bench.out("migrate").await;
        bench.agents.hold("inspect");
        bench.agents.release("migrate");
        bench.out("inspect").await;
        assert_eq!(cancel(&bench, job.id).await.unwrap_err().code(), "job_past_return");
        bench.agents.release("inspect");
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        assert_eq!((place(&bench, pod).await, only_vm(&bench).0), (first, first));
    }
}

#[tokio::test]
async fn what_only_one_side_can_tell_stays_held_and_nothing_else_touches_the_vm() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let (pod, first, second) = on_the_first(&bench).await;
        bench.agents.vague();
        bench.agents.fail("migrate", 1, Fail::Before, FailureKind::TaskFailed);
        let job = migrate(&bench, pod, anywhere()).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Stuck, "{}", database.name);
        assert_eq!(rooms(&bench, &[first, second]).await, [1, 1], "room on both stays held");
        for kind in ["stop", "migrate", "destroy"] {
            let (_, refused) = ask(&bench, kind, Some(pod), "").await.unwrap();
            let refused = bench.over(refused.id).await;
            assert_eq!(refused.state, JobState::Failed, "{kind}");
            let code = refused.error.unwrap().code;
            // A pod that is being deleted is not moved in any case.
            assert!(code == "cloudpod_moving" || code == "cloudpod_state", "{kind}: {code}");
        }
        assert_eq!(only_vm(&bench), (first, only_vm(&bench).1, Power::Running));
        bench.agents.heal();
        bench.jobs.job_retry(&actor(), Scope::Platform, job.id).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Failed);
        assert_eq!(rooms(&bench, &[first, second]).await, [1, 0], "{}", database.name);
        done(&bench, "destroy", pod).await;
        assert_eq!(bench.held().await, NOTHING);
    }
}

#[tokio::test]
async fn an_inventory_in_the_midst_of_a_move_is_no_news() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let (pod, first, second) = on_the_first(&bench).await;
        let vmid = bench.pod(pod).await.pod.vmid.unwrap();
        bench.agents.hold("migrate");
        let job = migrate(&bench, pod, anywhere()).await.unwrap();
        bench.out("migrate").await;
        bench.inventory(first, Vec::new()).await;
        bench.inventory(second, vec![vm(vmid, Some(pod), Power::Stopped, false)]).await;
        let shown = bench.pod(pod).await.pod;
        assert_eq!((shown.observed_power, shown.server.unwrap().id), (Power::Running, first), "{}", database.name);
        bench.agents.release("migrate");
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        bench.inventory(second, vec![vm(vmid, Some(pod), Power::Paused, false)]).await;
        assert_eq!(bench.pod(pod).await.pod.observed_power, Power::Paused, "from now on the target speaks for it");
    }
}

#[tokio::test]
async fn what_cannot_be_moved_says_why_and_is_shut_down_only_where_that_was_allowed() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let first = bench.server("pve1", 8).await;
        let pod = bench.active("web-1").await;
        let refused = migrate(&bench, pod, anywhere()).await.unwrap_err();
        assert_eq!(refused.code(), "no_other_server", "{}: {refused}", database.name);
        let here = Migrate { server: Some("pve1".into()), ..anywhere() };
        assert!(migrate(&bench, pod, here).await.unwrap_err().to_string().starts_with("server: is the one"));
        let small = bench.server("pve2", 1).await;
        let refused = migrate(&bench, pod, anywhere()).await.unwrap_err();
        assert_eq!(refused.code(), "no_capacity");
        assert!(refused.to_string().contains("pve2: CPU: 2 needed, 1 free"), "{refused}");
        let second = bench.server("pve3", 8).await;
        let offline = Migrate { method: Some(Method::Offline), ..anywhere() };
        let job = migrate(&bench, pod, offline).await.unwrap();
        assert_eq!(bench.over(job.id).await.error.unwrap().code, "cloudpod_running");

        bench.agents.pin(pod);
        let job = migrate(&bench, pod, anywhere()).await.unwrap();
        let error = bench.over(job.id).await.error.unwrap();
        assert!(error.detail.contains("passed-through"), "{error:?}");
        assert_eq!(only_vm(&bench), (first, only_vm(&bench).1, Power::Running), "it runs on");

        let allowed = Migrate { allow_shutdown: true, ..anywhere() };
        bench.agents.fail("migrate", 1, Fail::Before, FailureKind::NoSpace);
        let job = migrate(&bench, pod, allowed.clone()).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Failed);
        assert_eq!(only_vm(&bench), (first, only_vm(&bench).1, Power::Running), "it is started again where it is");
        let job = migrate(&bench, pod, allowed).await.unwrap();
        let job = bench.over(job.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
        assert_eq!(only_vm(&bench), (second, only_vm(&bench).1, Power::Running), "and where it came to");
        assert_eq!(bench.pod(pod).await.pod.observed_power, Power::Running);
        assert_eq!(rooms(&bench, &[first, small, second]).await, [0, 0, 1]);
    }
}

#[tokio::test]
async fn a_guest_that_was_shut_down_for_its_move_runs_again_whatever_fails_then() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let (pod, ..) = on_the_first(&bench).await;
        let offline = || Migrate { method: Some(Method::Offline), allow_shutdown: true, ..anywhere() };
        for (command, when, failure) in [
            ("set_firewall", Fail::Before, FailureKind::Permission),
            ("migrate", Fail::Before, FailureKind::TaskFailed),
            ("migrate", Fail::After, FailureKind::Deadline),
        ] {
            let what = format!("{} {command} {when:?}", database.name);
            bench.agents.fail(command, 1, when, failure);
            let shutdowns = count(&bench, "shutdown");
            let job = migrate(&bench, pod, offline()).await.unwrap();
            let job = bench.over(job.id).await;
            assert_eq!((job.state, job.error.unwrap().code.as_str()), (JobState::Failed, failure.code()), "{what}");
            assert_eq!(count(&bench, "shutdown"), shutdowns + 1, "{what}");
            let (at, _, power) = only_vm(&bench);
            assert_eq!((at, power), (place(&bench, pod).await, Power::Running), "{what}");
            assert_eq!(bench.pod(pod).await.pod.observed_power, Power::Running, "{what}: and that is shown");
            let lack = bench.pods.firewall_get(Scope::Platform, pod).await.unwrap().lack;
            assert_eq!(lack.is_some(), command == "set_firewall", "{what}: {lack:?}");
            done(&bench, "firewall", pod).await;
        }
        done(&bench, "stop", pod).await;
        bench.agents.fail("set_firewall", 1, Fail::Before, FailureKind::Permission);
        let job = migrate(&bench, pod, offline()).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Failed);
        assert_eq!(only_vm(&bench).2, Power::Stopped, "{}: one that was wanted stopped stays so", database.name);
    }
}

/// A storage on every server: of the host alone, or one that their cluster shares.
async fn storage(bench: &PodBench, name: &str, shared: bool) {
    const SQL: &str = "INSERT INTO server_storages (server_id, name, offered, disk_gib, active, shared)
                       SELECT id, $1, TRUE, 1000, TRUE, $2 FROM servers WHERE TRUE
                       ON CONFLICT (server_id, name) DO UPDATE SET shared = excluded.shared";
    let mut tx = bench.db.begin().await.unwrap();
    control_plane::execute!(tx.conn(), SQL, name, shared).unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_disk_on_shared_storage_stays_on_it_within_its_cluster() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let (pod, first, second) = on_the_first(&bench).await;
        storage(&bench, "local", true).await;
        storage(&bench, "fast", false).await;
        let onto = |storage: &str, server: Option<&str>, method| Migrate {
            storage: Some(storage.into()),
            server: server.map(Into::into),
            method,
            ..anywhere()
        };
        for (server, method) in [(None, None), (Some("pve2"), None), (None, Some(Method::Live))] {
            let refused = migrate(&bench, pod, onto("fast", server, method)).await.unwrap_err();
            let text = refused.to_string();
            assert!(text.starts_with("storage: ") && text.contains("`local`"), "{}: {text}", database.name);
            assert!(text.contains("leave it out"), "{text}");
        }
        let job = migrate(&bench, pod, onto("local", None, None)).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        let shown = bench.pod(pod).await.pod;
        assert_eq!((shown.server.unwrap().id, shown.storage.as_deref()), (second, Some("local")));

        // What only its host has is copied to wherever it is wanted.
        storage(&bench, "local", false).await;
        let job = migrate(&bench, pod, onto("fast", None, None)).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        let shown = bench.pod(pod).await.pod;
        assert_eq!((shown.server.unwrap().id, shown.storage.as_deref()), (first, Some("fast")));
    }
}

pub(super) fn endpoint(host: &str) -> EndpointInput {
    EndpointInput {
        host: host.into(),
        port: 8006,
        fingerprint: "ab".repeat(32),
        token: Secret::new("mpanel@pve!move=s3cret-of-the-test".into()),
    }
}

#[tokio::test]
async fn a_pod_goes_to_another_cluster_where_that_is_configured() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let first = bench.server_in("lab", "pve1", 8).await;
        let pod = bench.active("web-1").await;
        let before = bench.pod(pod).await.pod;
        let second = bench.server_in("attic", "pve9", 8).await;
        let refused = migrate(&bench, pod, anywhere()).await.unwrap_err();
        assert!(refused.to_string().contains("no migration endpoint"), "{}: {refused}", database.name);
        let (servers, secrets) = (&bench.books.servers, &bench.books.secrets);
        servers.endpoint_set(&actor(), secrets, second, endpoint("pve9")).await.unwrap();
        let job = migrate(&bench, pod, anywhere()).await.unwrap();
        let job = bench.over(job.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
        let after = bench.pod(pod).await.pod;
        assert_eq!(after.server.unwrap().id, second);
        assert_eq!(only_vm(&bench), (second, after.vmid.unwrap(), Power::Running));
        assert_eq!((bench.held().await, rooms(&bench, &[first, second]).await), (ONE_POD, vec![0, 1]));
        let sent = bench.agents.sent().into_iter().find(|order| order.command.kind.name() == "remote_migrate").unwrap();
        assert!(!format!("{sent:?}").contains("s3cret"), "the token is in no log");
        assert!(!job.params.to_string().contains("s3cret"));
        let CommandKind::RemoteMigrate(order) = sent.command.kind else { panic!("not remote") };
        assert_eq!((order.target_token.as_str(), order.online), ("mpanel@pve!move=s3cret-of-the-test", true));
        assert_eq!((Some(sent.command.vmid), Some(order.target_vmid)), (before.vmid, after.vmid));
        done(&bench, "destroy", pod).await;
        assert_eq!(bench.held().await, NOTHING);
    }
}

#[tokio::test]
async fn a_broken_move_to_another_cluster_leaves_one_copy_the_one_that_runs() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let first = bench.server_in("lab", "pve1", 8).await;
        let pod = bench.active("web-1").await;
        let second = bench.server_in("attic", "pve9", 8).await;
        let (servers, secrets) = (&bench.books.servers, &bench.books.secrets);
        servers.endpoint_set(&actor(), secrets, second, endpoint("pve9")).await.unwrap();
        let broken = async |copy: Power| {
            bench.agents.hold("remote_migrate");
            let job = migrate(&bench, pod, anywhere()).await.unwrap();
            bench.out("remote_migrate").await;
            let sent = bench.agents.sent().pop().unwrap();
            let CommandKind::RemoteMigrate(order) = sent.command.kind else { panic!("not remote") };
            assert_eq!(bench.held().await, [1, 2, 2, 1], "{}: a VMID on either side", database.name);
            bench.agents.put(
                second,
                order.target_vmid,
                ScriptedVm { power: copy, ..ScriptedVm::new(Some(pod), "copy") },
            );
            cancel(&bench, job.id).await.unwrap();
            let over = bench.over(job.id).await;
            bench.agents.release("remote_migrate");
            (over, order.target_vmid)
        };
        let (job, _) = broken(Power::Stopped).await;
        assert_eq!(job.state, JobState::Cancelled, "{}", database.name);
        assert_eq!((place(&bench, pod).await, only_vm(&bench).0), (first, first), "the copy is gone");
        assert_eq!((bench.held().await, rooms(&bench, &[first, second]).await), (ONE_POD, vec![1, 0]));

        let (job, vmid) = broken(Power::Running).await;
        assert_eq!(job.state, JobState::Stuck, "two that run: nobody but a person decides");
        assert!(job.error.is_some());
        assert_eq!(bench.agents.vms().len(), 2, "nothing was removed");
        assert_eq!(rooms(&bench, &[first, second]).await, [1, 1]);
        bench.agents.remove(second, vmid);
        bench.jobs.job_retry(&actor(), Scope::Platform, job.id).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Cancelled, "both sides are looked at anew");
        assert_eq!((place(&bench, pod).await, only_vm(&bench).0), (first, first));
        assert_eq!((bench.held().await, rooms(&bench, &[first, second]).await), (ONE_POD, vec![1, 0]));
    }
}

#[tokio::test]
async fn the_last_room_is_given_to_one_of_two() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 8).await;
        let (one, two) = (bench.active("web-1").await, bench.active("web-2").await);
        let target = bench.server("pve2", 2).await;
        let first = migrate(&bench, one, anywhere()).await.unwrap();
        let second = migrate(&bench, two, anywhere()).await.unwrap();
        let states = [bench.over(first.id).await, bench.over(second.id).await];
        let lost: Vec<_> = states.iter().filter(|job| job.state == JobState::Failed).collect();
        assert_eq!(lost.len(), 1, "{}: {states:?}", database.name);
        assert_eq!(lost[0].error.as_ref().unwrap().code, "no_capacity");
        assert_eq!(rooms(&bench, &[target]).await, [1]);
        bench.held().await;
    }
}

#[tokio::test]
async fn a_disk_that_stays_on_an_overfull_shared_storage_keeps_no_move_back() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let (pod, _, second) = on_the_first(&bench).await;
        storage(&bench, "local", true).await;
        let mut tx = bench.db.begin().await.unwrap();
        control_plane::execute!(tx.conn(), "UPDATE server_storages SET disk_gib = 1 WHERE name = 'local'").unwrap();
        tx.commit().await.unwrap();
        let job = migrate(&bench, pod, anywhere()).await.unwrap();
        let job = bench.over(job.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{}: {:?}", database.name, job.error);
        assert_eq!(place(&bench, pod).await, second);
    }
}
