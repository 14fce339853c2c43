//! Firewalls, filters against forged addresses, and traffic by month.

use std::time::Duration;

use control_plane::clock::{Clock, Ms};
use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::State;
use control_plane::domain::cloudpods::moves::Migrate;
use control_plane::domain::cloudpods::operations::FirewallPut;
use control_plane::domain::firewall::{Direction, Policy, Protocol, Rule};
use control_plane::domain::ipam::IpPoolPatch;
use control_plane::domain::jobs::command::FirewallAction;
use control_plane::domain::jobs::{FailureKind, JobState};
use control_plane::domain::servers::Method;
use control_plane::domain::traffic::service::Service as Counters;
use control_plane::domain::traffic::{Month, Sample};
use control_plane::ids::{CloudPodId, ServerId, TenantId};
use mpanel_tests::databases;
use mpanel_tests::pod_bench::{PodBench, actor, staff};
use mpanel_tests::scripted_agent::{Fail, ScriptedVm};

use super::proofs::{ask, done};
use super::{NOTHING, backups, moves, snapshots};

/// Lets in the web alone.
pub fn web() -> FirewallPut {
    let rule = Rule {
        direction: Direction::In,
        action: FirewallAction::Accept,
        protocol: Some(Protocol::Tcp),
        source: None,
        destination: None,
        source_ports: None,
        destination_ports: Some("80,443".into()),
        comment: Some("web".into()),
    };
    let policy = Policy { policy_in: FirewallAction::Drop, rules: vec![rule], ..Policy::default() };
    FirewallPut { policy, mac_filter: None, ip_filter: None, may_filter: false }
}

fn the_vm(bench: &PodBench) -> ScriptedVm {
    let mut vms = bench.agents.vms();
    assert_eq!(vms.len(), 1);
    vms.remove(0).2
}

#[tokio::test]
async fn a_new_pod_sends_from_its_own_addresses_alone() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let own: Vec<_> = bench.pod(pod).await.addresses.iter().map(|a| a.address.to_string()).collect();
        let firewall = the_vm(&bench).firewall.unwrap();
        assert_eq!((firewall.enabled, firewall.mac_filter, firewall.ip_filter), (true, true, true));
        assert_eq!(firewall.addresses, [(0, own)], "{}", database.name);
        assert_eq!((firewall.policy_in, firewall.rules.len()), (FirewallAction::Accept, 0));
        let kept = bench.pods.firewall_get(Scope::Platform, pod).await.unwrap().kept;
        assert_eq!((kept.policy, kept.version, kept.applied_version), (Policy::default(), 1, 1));
        done(&bench, "destroy", pod).await;

        for pool in ["public", "public6"] {
            let closed = IpPoolPatch { active: Some(false), ..IpPoolPatch::default() };
            bench.books.ipam.pool_update(&actor(), pool, None, closed).await.unwrap();
        }
        bench.active("web-2").await;
        let firewall = the_vm(&bench).firewall.unwrap();
        assert_eq!((firewall.mac_filter, firewall.ip_filter), (true, false), "nobody knows what DHCP gives it");
    }
}

#[tokio::test]
async fn a_firewall_is_kept_as_a_whole_and_brought_to_the_host() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let id = bench.active("web-1").await;
        done(&bench, "firewall", id).await;
        let kept = bench.pods.firewall_get(Scope::Platform, id).await.unwrap().kept;
        assert_eq!((&kept.policy, kept.version, kept.applied_version), (&web().policy, 2, 2), "{}", database.name);
        let firewall = the_vm(&bench).firewall.unwrap();
        assert_eq!((firewall.policy_in, firewall.policy_out), (FirewallAction::Drop, FirewallAction::Accept));
        assert_eq!((firewall.mac_filter, firewall.ip_filter), (true, true));
        let [rule] = &firewall.rules[..] else { panic!("{:?}", firewall.rules) };
        assert_eq!((rule.inbound, rule.protocol.as_str(), rule.destination_ports.as_str()), (true, "tcp", "80,443"));

        let put = async |scope, version, put| bench.pods.firewall_put(&actor(), scope, id, version, put).await;
        assert_eq!(put(Scope::Platform, Some(1), web()).await.unwrap_err().code(), "stale");
        let mut wrong = web();
        wrong.policy.rules[0].source = Some("everywhere".into());
        let error = put(Scope::Platform, Some(2), wrong).await.unwrap_err().to_string();
        assert!(error.starts_with("rules[0].source: must be an address or a network"), "{error}");
        let own = Scope::Tenant(bench.pod(id).await.pod.tenant);
        let forging = || FirewallPut { ip_filter: Some(false), ..web() };
        assert_eq!(put(own, None, forging()).await.unwrap_err().code(), "forbidden");
        let stranger = Scope::Tenant(TenantId::generate());
        assert_eq!(put(stranger, None, web()).await.unwrap_err().code(), "not_found");
        assert_eq!(bench.pods.firewall_get(stranger, id).await.unwrap_err().code(), "not_found");
        let (_, job) = put(own, Some(2), web()).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded, "its own rules are a tenant's to change");

        bench.agents.fail("set_firewall", 1, Fail::Before, FailureKind::Permission);
        let (_, job) = put(Scope::Platform, Some(3), FirewallPut { may_filter: true, ..forging() }).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Failed);
        let kept = bench.pods.firewall_get(Scope::Platform, id).await.unwrap().kept;
        assert_eq!((kept.version, kept.applied_version, kept.policy.ip_filter), (4, 3, false), "it is still wanted");
        done(&bench, "rebuild", id).await;
        let kept = bench.pods.firewall_get(Scope::Platform, id).await.unwrap().kept;
        assert_eq!(kept.applied_version, 4);
        let firewall = the_vm(&bench).firewall.unwrap();
        assert_eq!((firewall.ip_filter, firewall.addresses.len(), firewall.rules.len()), (false, 0, 1));
    }
}

#[tokio::test]
async fn an_agent_that_knows_no_firewalls_makes_pods_all_the_same() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        bench.agents.fail("set_firewall", 9, Fail::Before, FailureKind::Unsupported);
        let pod = bench.active("web-1").await;
        assert_eq!(bench.pod(pod).await.pod.state, State::Active, "{}", database.name);
        let kept = bench.pods.firewall_get(Scope::Platform, pod).await.unwrap().kept;
        assert_eq!((kept.version, kept.applied_version), (1, 0), "and it is said that the host has none");
        let (_, job) = ask(&bench, "firewall", Some(pod), "").await.unwrap();
        assert_eq!(bench.over(job.id).await.error.unwrap().code, "agent_unsupported");
    }
}

/// The wanted firewall is at the pod's VM, wherever that is, and came there before anything was started.
async fn assert_holds(bench: &PodBench, pod: CloudPodId, since: usize, what: &str) {
    let kept = bench.pods.firewall_get(Scope::Platform, pod).await.unwrap();
    assert_eq!((kept.lack, kept.kept.applied_version), (None, kept.kept.version), "{what}");
    let firewall = the_vm(bench).firewall.unwrap_or_else(|| panic!("{what}: there is none"));
    let own: Vec<_> = bench.pod(pod).await.addresses.iter().map(|a| a.address.to_string()).collect();
    assert_eq!((firewall.policy_in, firewall.rules.len()), (FirewallAction::Drop, 1), "{what}");
    assert_eq!((firewall.mac_filter, firewall.addresses), (true, vec![(0, own)]), "{what}");
    let orders = bench.agents.orders().split_off(since);
    let applied = orders.iter().rposition(|name| *name == "set_firewall").unwrap();
    let started = orders.iter().position(|name| *name == "start");
    assert!(started.is_none_or(|started| started > applied), "{what}: {orders:?}");
}

#[tokio::test]
async fn a_firewall_holds_wherever_the_pod_s_vm_comes_to_be() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let second = bench.server("pve2", 16).await;
        let id = bench.active("web-1").await;
        // Older than what is wanted afterwards.
        backups::made(&bench, id).await;
        snapshots::taken(&bench, id, "old").await;
        done(&bench, "firewall", id).await;
        for kind in ["migrate", "rollback", "restore", "rebuild", "rehome"] {
            let what = format!("{} {kind}", database.name);
            let since = bench.agents.orders().len();
            if kind == "rehome" {
                // Whoever gave it another number left its firewall behind.
                bench.agents.vm_change(id, |vm| vm.firewall = None);
            }
            done(&bench, kind, id).await;
            assert_holds(&bench, id, since, &what).await;
        }
        let since = bench.agents.orders().len();
        let offline = Migrate { method: Some(Method::Offline), allow_shutdown: true, ..moves::anywhere() };
        let (_, job) = bench.pods.cloudpod_migrate(&actor(), Scope::Platform, id, offline).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        assert_holds(&bench, id, since, "offline").await;
        for tries in [0, 2] {
            let since = bench.agents.orders().len();
            bench.agents.fail("migrate", 1, Fail::After, FailureKind::Deadline);
            bench.agents.fail("set_firewall", tries, Fail::Before, FailureKind::Permission);
            let (_, job) = ask(&bench, "migrate", Some(id), "").await.unwrap();
            assert_eq!(bench.over(job.id).await.state, JobState::Failed, "it is undone, and had arrived");
            assert_holds(&bench, id, since, &format!("undone after {tries} tries")).await;
        }

        let backup = backups::newest(&bench, id).await.id;
        let at = bench.pod(id).await.pod;
        bench.agents.vm_remove(at.server.unwrap().id, at.vmid.unwrap());
        bench.lose(id).await;
        let since = bench.agents.orders().len();
        let asked = bench.pods.backup_restore(&actor(), staff(), id, backup, Some("pve2")).await;
        let job = bench.over(asked.unwrap().1.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
        assert_eq!(bench.pod(id).await.pod.server.unwrap().id, second);
        assert_holds(&bench, id, since, "restored elsewhere").await;
    }
}

#[tokio::test]
async fn a_firewall_follows_to_another_cluster_or_is_said_to_be_missing() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server_in("lab", "pve1", 8).await;
        let id = bench.active("web-1").await;
        done(&bench, "firewall", id).await;
        let second = bench.server_in("attic", "pve9", 8).await;
        let (servers, secrets) = (&bench.books.servers, &bench.books.secrets);
        servers.endpoint_set(&actor(), secrets, second, moves::endpoint("pve9")).await.unwrap();
        bench.agents.fail("set_firewall", 1, Fail::Before, FailureKind::Permission);
        let (_, job) = ask(&bench, "migrate", Some(id), "").await.unwrap();
        let job = bench.over(job.id).await;
        assert_eq!((job.state, job.error.unwrap().code.as_str()), (JobState::Failed, "proxmox_permission"));
        assert_eq!(bench.pod(id).await.pod.server.unwrap().id, second, "{}: it is there all the same", database.name);
        let shown = bench.pods.firewall_get(Scope::Platform, id).await.unwrap();
        assert!(shown.lack.unwrap().contains("has not taken the firewall"));
        let mut at = bench.db.snapshot().await.unwrap();
        let found = bench.pods.firewalls_check(at.conn()).await.unwrap();
        assert_eq!(found.items.len(), 1, "{found:?}");
        assert_eq!(found.items[0].subject, format!("cloudpod {id}"));
        drop(at);

        let since = bench.agents.orders().len();
        done(&bench, "firewall", id).await;
        assert_holds(&bench, id, since, "set again").await;
        let mut at = bench.db.snapshot().await.unwrap();
        assert!(bench.pods.firewalls_check(at.conn()).await.unwrap().is_ok());
        drop(at);

        let first = bench.books.servers.server_show("pve1").await.unwrap().id;
        servers.endpoint_set(&actor(), secrets, first, moves::endpoint("pve1")).await.unwrap();
        let since = bench.agents.orders().len();
        done(&bench, "migrate", id).await;
        assert_holds(&bench, id, since, "back").await;
    }
}

#[tokio::test]
async fn a_move_that_is_undone_ends_also_where_the_target_takes_no_firewall() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let first = bench.server("pve1", 8).await;
        let id = bench.active("web-1").await;
        done(&bench, "firewall", id).await;
        let second = bench.server("pve2", 8).await;
        bench.agents.fail("migrate", 1, Fail::After, FailureKind::Deadline);
        bench.agents.fail("set_firewall", 3, Fail::Before, FailureKind::Permission);
        let (_, job) = ask(&bench, "migrate", Some(id), "").await.unwrap();
        let job = bench.over(job.id).await;
        assert_eq!((job.state, job.error.unwrap().code.as_str()), (JobState::Failed, FailureKind::Deadline.code()));
        assert_eq!(bench.pod(id).await.pod.server.unwrap().id, second, "{}", database.name);
        let shown = bench.pods.firewall_get(Scope::Platform, id).await.unwrap();
        assert!(shown.lack.unwrap().contains("has not taken the firewall"), "and that is shown");
        let since = bench.agents.orders().len();
        done(&bench, "firewall", id).await;
        assert_holds(&bench, id, since, "set again").await;
        done(&bench, "destroy", id).await;
        assert_eq!(bench.held().await, NOTHING);
        assert!(bench.agents.vms().iter().all(|(at, ..)| *at != first));
    }
}

#[tokio::test]
async fn an_adopted_vm_keeps_its_own_rules_until_somebody_says_what_they_are_to_be() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        bench.server("pve2", 16).await;
        let (pod, job) = ask(&bench, "adopt", None, "theirs").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        let id = pod.pod.id;
        done(&bench, "migrate", id).await;
        assert!(!bench.agents.orders().contains(&"set_firewall"), "{}", database.name);
        let shown = bench.pods.firewall_get(Scope::Platform, id).await.unwrap();
        assert!(shown.lack.unwrap().contains("nothing was brought to its host"));
        done(&bench, "firewall", id).await;
        assert_eq!(the_vm(&bench).firewall.unwrap().rules.len(), 1);
    }
}

async fn epoch(bench: &PodBench, server: ServerId) -> u64 {
    let mut read = bench.db.read().await.unwrap();
    bench.books.servers.server_get(read.conn(), server).await.unwrap().seen.session_epoch
}

async fn used(bench: &PodBench, pod: CloudPodId) -> Vec<(u64, u64)> {
    let traffic = bench.pods.traffic_get(Scope::Platform, pod, 12).await.unwrap();
    assert!(traffic.used.iter().all(|used| used.month == traffic.month));
    traffic.used.iter().map(|used| (used.in_bytes, used.out_bytes)).collect()
}

#[tokio::test]
async fn traffic_is_what_counters_grew_by() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let other = bench.server("pve2", 16).await;
        let pod = bench.active("web-1").await;
        let detail = bench.pod(pod).await.pod;
        let (at, vmid) = (detail.server.unwrap().id, detail.vmid.unwrap());
        let elsewhere = if at == server { other } else { server };
        let (now, there) = (epoch(&bench, at).await, epoch(&bench, elsewhere).await);
        let sample = |in_bytes, out_bytes, uptime_s| Sample { vmid, pod, in_bytes, out_bytes, uptime_s };
        let say =
            async |server, epoch, samples: &[Sample]| bench.pods.traffic_record(server, epoch, samples).await.unwrap();
        assert_eq!(say(at, now, &[sample(100, 10, 0)]).await, 1);
        assert_eq!(used(&bench, pod).await, [(100, 10)], "{}: since its start", database.name);
        say(at, now, &[sample(150, 15, 60)]).await;
        say(at, now, &[sample(150, 15, 60)]).await;
        assert_eq!(used(&bench, pod).await, [(150, 15)], "the same counters add nothing");
        say(at, now, &[sample(7, 3, 5)]).await;
        assert_eq!(used(&bench, pod).await, [(157, 18)], "started anew");
        say(at, now, &[sample(8, 1, 65)]).await;
        assert_eq!(used(&bench, pod).await, [(165, 19)], "a counter that went back was started anew");
        say(at, now, &[sample(9, 1, 66), sample(10, 2, 67)]).await;
        assert_eq!(used(&bench, pod).await, [(167, 20)], "of two in one message the last counts");

        let unknown = Sample { pod: CloudPodId::generate(), ..sample(1 << 40, 0, 70) };
        let wrong_vm = Sample { vmid: vmid + 1, ..sample(1 << 40, 0, 70) };
        for (server, epoch, strange) in [
            (at, now, unknown),
            (at, now, wrong_vm),
            (at, now - 1, sample(1 << 40, 0, 70)),
            (at, now + 1, sample(1 << 40, 0, 70)),
            (elsewhere, there, sample(1 << 40, 0, 70)),
        ] {
            assert_eq!(say(server, epoch, &[strange]).await, 0, "{strange:?}");
        }
        assert_eq!(say(at, now, &[]).await, 0);
        assert_eq!(used(&bench, pod).await, [(167, 20)], "only its own server's present session speaks for it");
        say(at, now, &[sample(u64::MAX, u64::MAX, u64::MAX)]).await;
        assert!(used(&bench, pod).await[0].0 > 1 << 40, "a counter beyond all bounds is no error");

        let older = bench.active("web-2").await;
        let detail = bench.pod(older).await.pod;
        let (at, vmid) = (detail.server.unwrap().id, detail.vmid.unwrap());
        let now = epoch(&bench, at).await;
        let sample = |in_bytes| Sample { vmid, pod: older, in_bytes, out_bytes: 0, uptime_s: 1_000_000 };
        say(at, now, &[sample(5000)]).await;
        say(at, now, &[sample(5001)]).await;
        assert_eq!(used(&bench, older).await, [(1, 0)], "what a VM did before it was a pod is not counted");
        let stranger = Scope::Tenant(TenantId::generate());
        assert_eq!(bench.pods.traffic_get(stranger, pod, 1).await.unwrap_err().code(), "not_found");
        let error = bench.pods.traffic_get(Scope::Platform, pod, 37).await.unwrap_err();
        assert_eq!(error.to_string(), "months: is 37; 1 to 36 are allowed");
    }
}

#[tokio::test]
async fn each_month_counts_for_itself_and_none_goes_back() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let vmid = bench.pod(pod).await.pod.vmid.unwrap();
        let epoch = epoch(&bench, server).await;
        let start = Ms::from_rfc3339("2099-01-31T23:59:00Z").unwrap();
        let say = async |at: Ms, in_bytes, uptime_s| {
            let counters = Counters::new(Clock::manual(at));
            let mut tx = bench.db.begin().await.unwrap();
            let sample = Sample { vmid, pod, in_bytes, out_bytes: 0, uptime_s };
            assert_eq!(counters.traffic_record(&mut tx, server, epoch, &[sample]).await.unwrap(), 1);
            tx.commit().await.unwrap();
        };
        let months = async || {
            let mut read = bench.db.read().await.unwrap();
            let used = bench.books.traffic.traffic_of(read.conn(), pod, 36).await.unwrap();
            used.into_iter().map(|used| (used.month.0, used.in_bytes)).collect::<Vec<_>>()
        };
        say(start, 1000, 10).await;
        let later = start.plus(Duration::from_mins(2));
        say(later, 1500, 130).await;
        assert_eq!(months().await, [(209_902, 500), (209_901, 1000)], "{}", database.name);
        say(start.plus(Duration::from_secs(30)), 1700, 160).await;
        assert_eq!(months().await, [(209_902, 700), (209_901, 1000)], "a clock that goes back changes no month past");
        say(later.plus(Duration::from_hours(24 * 40)), 40, 20).await;
        assert_eq!(months().await, [(209_903, 40), (209_902, 700), (209_901, 1000)]);

        let old = Counters::new(Clock::manual(later.plus(Duration::from_hours(24 * (365 * 3 - 1)))));
        assert_eq!(old.month(), Month(210_201));
        let mut tx = bench.db.begin().await.unwrap();
        assert_eq!(old.traffic_prune(&mut tx, 10).await.unwrap(), 0, "three years are kept");
        let older = Counters::new(Clock::manual(later.plus(Duration::from_hours(24 * (365 * 3 + 1)))));
        assert_eq!(older.traffic_prune(&mut tx, 10).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(months().await.last(), Some(&(209_902, 700)));
    }
}
