//! Placement as a pure function: why a server is refused, which of those that fit is taken, and how well that packs.
#![allow(missing_docs, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use control_plane::domain::scheduling::{Decision, EXPLAINED_MAX, Reason, Request, Verdict, filter, place};
use control_plane::domain::servers::{ConnectionState, SchedulingState, ServerCapacity, StorageCapacity};
use control_plane::error::Error;
use control_plane::ids::ServerId;
use proptest::prelude::*;

fn storage(name: &str, capacity_gib: u64, reserved_gib: u64) -> StorageCapacity {
    StorageCapacity { name: name.into(), capacity_gib, reserved_gib, active: true, shared: false, offered: true }
}

/// Sixteen threads, 64 GiB of memory, a terabyte of disk, all free.
fn server(name: &str) -> ServerCapacity {
    ServerCapacity {
        id: ServerId::generate(),
        name: name.into(),
        region: "eu".into(),
        labels: BTreeMap::from([("disk".into(), "nvme".into())]),
        scheduling: SchedulingState::Online,
        connection: ConnectionState::Online,
        known: true,
        cpu_threads: 16,
        cpu_overcommit: 1.0,
        vcpu_capacity: 16,
        memory_mib: 65_536,
        reserved_vcpu: 0,
        reserved_memory_mib: 0,
        reserved_pods: 0,
        pod_limit: None,
        bridge: "vmbr0".into(),
        bridges: vec!["vmbr0".into()],
        storages: vec![storage("local", 1_000, 0)],
        vmid_min: 100,
        vmid_max: 999_999,
        vmid_space: "space".into(),
        templates: Vec::new(),
        problem: String::new(),
        refuses: String::new(),
        proxmox_silent: None,
    }
}

fn request(servers: &[ServerCapacity]) -> Request {
    Request {
        vcpu: 2,
        memory_mib: 4_096,
        disk_gib: 20,
        templates: servers.iter().map(|s| (s.id, 9_000)).collect(),
        ..Request::default()
    }
}

fn chosen(decision: &Decision) -> Option<&str> {
    decision.chosen.as_ref().map(|choice| choice.name.as_str())
}

type Change = fn(&mut ServerCapacity, &mut Request);

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn every_reason_is_found_and_named() {
    let cases: [(&str, Change, &str); 26] = [
        ("not_online", |s, _| s.connection = ConnectionState::Offline, "its agent is offline"),
        ("not_online", |s, _| s.connection = ConnectionState::Pending, "its agent has never connected"),
        ("refuses", |s, _| s.refuses = "its ledger cannot be written".into(), "its ledger cannot be written"),
        (
            "proxmox_silent",
            |s, _| s.proxmox_silent = Some(Duration::from_millis(121_500)),
            "Proxmox has not answered its agent for 121 s; what was known of it counts for 120 s only",
        ),
        ("scheduling", |s, _| s.scheduling = SchedulingState::Locked, "it is locked"),
        ("scheduling", |s, _| s.scheduling = SchedulingState::Draining, "it is being drained"),
        ("other_server", |_, r| r.server = Some(ServerId::generate()), "another server was asked for"),
        ("region", |_, r| r.region = Some("us".into()), "it is in region `eu`, `us` was asked for"),
        (
            "label",
            |_, r| r.labels = [("disk".into(), "hdd".into())].into(),
            "label `disk` is `nvme`, `hdd` was asked for",
        ),
        ("label", |_, r| r.labels = [("gpu".into(), "a100".into())].into(), "it lacks the label `gpu=a100`"),
        (
            "anti_affinity",
            |s, r| r.kept_apart = [s.id].into(),
            "a pod of the same tenant is on it that wants no other beside it",
        ),
        (
            "template_disk",
            |s, r| drop(r.barred.insert(s.id, Reason::TemplateDisk { has_gib: 30, wanted_gib: 20 })),
            "its template of the image has a disk of 30 GiB, and 20 GiB are wanted: take a larger plan",
        ),
        ("no_template", |_, r| r.templates.clear(), "it has no template for the image"),
        ("unknown", |s, _| s.known = false, "its agent has not told yet how large it is and what runs on it"),
        ("memory", |s, _| s.reserved_memory_mib = 62_000, "memory: 4096 MiB needed, 3536 MiB free"),
        ("memory", |s, _| s.reserved_memory_mib = 99_000, "memory: 4096 MiB needed, 0 MiB free"),
        ("cpu", |s, _| s.reserved_vcpu = 15, "CPU: 2 needed, 1 free"),
        ("no_storage", |s, _| s.storages.clear(), "it offers no storage for pods"),
        ("no_storage", |s, _| s.storages[0].offered = false, "it offers no storage for pods"),
        ("storage_missing", |_, r| r.storage = Some("ceph".into()), "it has no storage `ceph`"),
        (
            "storage_not_offered",
            |s, r| {
                s.storages.push(StorageCapacity { offered: false, ..storage("iso", 100, 0) });
                r.storage = Some("iso".into());
            },
            "its storage `iso` is not offered for pods",
        ),
        ("storage_inactive", |s, _| s.storages[0].active = false, "its storage `local` is not active"),
        ("disk", |s, _| s.storages[0].reserved_gib = 990, "disk: 20 GiB needed, 10 GiB free on storage `local`"),
        (
            "anti_affinity",
            |s, r| {
                r.tenant_pods.insert(s.id, 3);
                r.anti_affinity = true;
            },
            "3 pods of the same tenant are on it",
        ),
        (
            "pod_limit",
            |s, _| {
                s.pod_limit = Some(5);
                s.reserved_pods = 5;
            },
            "it holds as many pods as it may: 5",
        ),
        (
            "vmids_exhausted",
            |s, _| {
                s.vmid_max = 109;
                s.reserved_pods = 10;
            },
            "its range of VMIDs is used up",
        ),
    ];
    for (code, change, text) in cases {
        let mut server = server("pve1");
        let mut request = request(std::slice::from_ref(&server));
        assert!(filter(&request, &server).is_ok(), "the unchanged server fits");
        change(&mut server, &mut request);
        let reasons = filter(&request, &server).expect_err(text);
        assert_eq!(reasons.len(), 1, "{code}: {reasons:?}");
        assert_eq!((reasons[0].code(), reasons[0].to_string().as_str()), (code, text));
    }
}

#[test]
fn figures_count_for_a_while_after_proxmox_fell_silent() {
    for (silent, fits) in [(0, true), (120_000, true), (120_001, false)] {
        let server = ServerCapacity { proxmox_silent: Some(Duration::from_millis(silent)), ..server("pve1") };
        let request = request(std::slice::from_ref(&server));
        assert_eq!(filter(&request, &server).is_ok(), fits, "{silent} ms");
    }
}

#[test]
fn what_has_begun_waits_for_a_server_that_lacks_nothing_else() {
    let cases: [(Change, Option<&str>); 5] = [
        (|s, _| s.connection = ConnectionState::Offline, Some("its agent is offline")),
        (|s, _| s.refuses = "its ledger is full".into(), Some("its ledger is full")),
        (
            |s, _| s.proxmox_silent = Some(Duration::from_hours(1)),
            Some("Proxmox has not answered its agent for 3600 s"),
        ),
        (|s, _| (s.refuses, s.reserved_vcpu) = ("its ledger is full".into(), 16), None),
        (|s, _| s.reserved_vcpu = 16, None),
    ];
    for (change, waits) in cases {
        let mut server = server("pve1");
        let mut request = request(std::slice::from_ref(&server));
        change(&mut server, &mut request);
        let waiting = place(&request, std::slice::from_ref(&server)).explanation.waits_for();
        match (waits, &waiting) {
            (Some(why), Some(said)) => {
                assert!(said.starts_with(&format!("server pve1 could take it, but {why}")), "{said}");
            }
            (None, None) => {}
            _ => panic!("{waits:?}, {waiting:?}"),
        }
    }
}

#[test]
fn a_server_that_lost_the_race_is_left_out() {
    let servers = [server("pve1"), server("pve2")];
    let mut request = request(&servers);
    request.lost.insert(servers[0].id);
    assert_eq!(filter(&request, &servers[0]), Err(vec![Reason::Lost]));
    assert_eq!(chosen(&place(&request, &servers)), Some("pve2"));
}

#[test]
fn a_refusal_names_every_reason_of_every_server() {
    let mut servers = [server("pve1"), server("pve2")];
    servers[0].reserved_vcpu = 16;
    servers[0].reserved_memory_mib = 65_536;
    servers[1].connection = ConnectionState::Offline;
    let decision = place(&request(&servers), &servers);
    assert_eq!(decision.chosen, None);
    assert_eq!(decision.explanation.rejected_by_reason["cpu"], 1);
    let Error::NoCapacity(lines) = decision.explanation.no_capacity() else { panic!("not a NoCapacity") };
    let lines: Vec<_> = lines.iter().map(|l| (l.field.as_str(), l.message.as_str())).collect();
    assert_eq!(
        lines,
        [("pve1", "memory: 4096 MiB needed, 0 MiB free; CPU: 2 needed, 0 free"), ("pve2", "its agent is offline"),]
    );
}

#[test]
fn a_fleet_that_cannot_be_asked_says_so_first() {
    let first = |servers: &[ServerCapacity]| match place(&request(servers), servers).explanation.no_capacity() {
        Error::NoCapacity(lines) => (lines[0].field.clone(), lines[0].message.clone()),
        other => panic!("{other}"),
    };
    assert!(first(&[]).1.starts_with("no server is registered"), "{:?}", first(&[]));
    let mut off = server("pve1");
    off.connection = ConnectionState::Offline;
    let (field, message) = first(&[off]);
    assert_eq!(field, "servers");
    assert!(message.starts_with("no server is online"), "{message}");
}

#[test]
fn an_explanation_is_bounded_and_counts_the_rest() {
    let mut servers: Vec<_> = (0..5_000).map(|i| server(&format!("pve{i:04}"))).collect();
    for server in &mut servers[100..] {
        server.scheduling = SchedulingState::Locked;
    }
    let decision = place(&request(&servers), &servers);
    let explanation = &decision.explanation;
    assert_eq!((explanation.servers, explanation.fitting), (5_000, 100));
    assert_eq!(explanation.rejected_by_reason["scheduling"], 4_900);
    assert_eq!(explanation.considered.len(), EXPLAINED_MAX);
    assert!(matches!(explanation.considered[0].verdict, Verdict::Chosen { .. }));
    for server in &mut servers {
        server.scheduling = SchedulingState::Locked;
    }
    let Error::NoCapacity(lines) = place(&request(&servers), &servers).explanation.no_capacity() else {
        panic!("not a NoCapacity")
    };
    assert_eq!(lines.len(), EXPLAINED_MAX + 1);
    assert_eq!(lines[EXPLAINED_MAX].message, "4800 more; all refusals by reason: scheduling: 5000");
}

#[test]
fn an_explanation_survives_being_stored() {
    let mut servers = [server("pve1"), server("pve2"), server("pve3")];
    servers[2].scheduling = SchedulingState::Locked;
    let explanation = place(&request(&servers), &servers).explanation;
    let text = serde_json::to_string(&explanation).unwrap();
    assert!(text.contains(r#""name":"pve1","verdict":"chosen","storage":"local""#), "{text}");
    assert_eq!(serde_json::from_str::<control_plane::domain::scheduling::Explanation>(&text).unwrap(), explanation);
}

#[test]
fn the_fullest_server_that_fits_is_taken_and_ties_go_by_name() {
    let mut servers = [server("c"), server("b"), server("a")];
    assert_eq!(chosen(&place(&request(&servers), &servers)), Some("a"));
    servers[0].reserved_vcpu = 8;
    servers[0].reserved_memory_mib = 32_768;
    assert_eq!(chosen(&place(&request(&servers), &servers)), Some("c"));
}

#[test]
fn what_evens_out_a_server_is_preferred_to_what_makes_it_lopsided() {
    // Both have as much left in sum; one has CPU to spare, the other memory.
    let mut servers = [server("memory-left"), server("cpu-left")];
    servers[0].reserved_vcpu = 8;
    servers[1].reserved_memory_mib = 32_768;
    let mut request = request(&servers);
    (request.vcpu, request.memory_mib) = (1, 16_384);
    assert_eq!(chosen(&place(&request, &servers)), Some("memory-left"));
    (request.vcpu, request.memory_mib) = (4, 1_024);
    assert_eq!(chosen(&place(&request, &servers)), Some("cpu-left"));
}

#[test]
fn a_server_without_the_tenant_s_pods_comes_before_a_fuller_one() {
    let mut servers = [server("a"), server("b")];
    servers[0].reserved_vcpu = 8;
    servers[0].reserved_memory_mib = 32_768;
    let mut request = request(&servers);
    request.tenant_pods = HashMap::from([(servers[0].id, 1)]);
    assert_eq!(chosen(&place(&request, &servers)), Some("b"));
    request.tenant_pods.insert(servers[1].id, 40);
    assert_eq!(chosen(&place(&request, &servers)), Some("a"), "beside its own anyway, packing decides");
}

#[test]
fn the_tightest_storage_that_fits_is_taken() {
    let mut one = server("pve1");
    one.storages = vec![storage("big", 1_000, 0), storage("small", 100, 50), storage("full", 100, 95)];
    one.storages.push(StorageCapacity { active: false, ..storage("gone", 30, 0) });
    one.storages.push(StorageCapacity { offered: false, ..storage("theirs", 30, 0) });
    let servers = [one];
    let mut request = request(&servers);
    assert_eq!(place(&request, &servers).chosen.unwrap().storage, "small");
    request.disk_gib = 51;
    assert_eq!(place(&request, &servers).chosen.unwrap().storage, "big");
    request.storage = Some("small".into());
    assert_eq!(place(&request, &servers).chosen, None);
}

/// Fills servers until the first refusal; the shares of CPU and memory that are taken then.
fn fill(sizes: impl Iterator<Item = (u32, u64)>, count: usize) -> (f64, f64) {
    let mut servers: Vec<_> = (0..count).map(|i| server(&format!("pve{i:03}"))).collect();
    for server in &mut servers {
        (server.vcpu_capacity, server.memory_mib) = (64, 64 * 4_096);
    }
    let mut request = request(&servers);
    for (vcpu, memory_mib) in sizes {
        (request.vcpu, request.memory_mib, request.disk_gib) = (vcpu, memory_mib, 1);
        let Some(choice) = place(&request, &servers).chosen else { break };
        let server = servers.iter_mut().find(|s| s.id == choice.server).expect("it is one of them");
        server.reserved_vcpu += u64::from(vcpu);
        server.reserved_memory_mib += memory_mib;
        server.storages[0].reserved_gib = 0;
    }
    let cpu: u64 = servers.iter().map(|s| s.reserved_vcpu).sum();
    let memory: u64 = servers.iter().map(|s| s.reserved_memory_mib).sum();
    let cpu_all: u64 = servers.iter().map(|s| s.vcpu_capacity).sum();
    let memory_all: u64 = servers.iter().map(|s| s.memory_mib).sum();
    (cpu as f64 / cpu_all as f64, memory as f64 / memory_all as f64)
}

#[test]
fn packing_leaves_little_unused_at_the_first_refusal() {
    // A fixed pseudo-random mix of the sizes that hosting plans have.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let sizes = std::iter::repeat_with(move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let vcpu = [1, 1, 1, 2, 2, 2, 4, 4, 8, 16][(seed % 10) as usize];
        let ratio = [2_048, 4_096, 4_096, 8_192][(seed / 10 % 4) as usize];
        (vcpu, u64::from(vcpu) * ratio)
    });
    let (cpu, memory) = fill(sizes, 60);
    assert!(cpu.max(memory) > 0.96, "CPU {cpu:.3}, memory {memory:.3}");
}

prop_compose! {
    fn any_server()(
        cpu in 0_u64..64, cpu_used in 0_u64..64, memory in 0_u64..262_144, memory_used in 0_u64..262_144,
        disk in 0_u64..2_000, disk_used in 0_u64..2_000, state in 0_u8..8, name in "[a-z]{1,4}",
    ) -> ServerCapacity {
        let mut server = server(&name);
        (server.vcpu_capacity, server.reserved_vcpu) = (cpu, cpu_used);
        (server.memory_mib, server.reserved_memory_mib) = (memory, memory_used);
        server.storages = vec![storage("local", disk, disk_used)];
        if state == 0 { server.scheduling = SchedulingState::Locked; }
        if state == 1 { server.connection = ConnectionState::Offline; }
        server
    }
}

proptest! {
    #[test]
    fn what_is_chosen_always_fits_and_nothing_that_fits_is_overlooked(
        servers in prop::collection::vec(any_server(), 0..20),
        vcpu in 1_u32..64, memory_mib in 16_u64..262_144, disk_gib in 1_u64..2_000,
    ) {
        let mut request = request(&servers);
        (request.vcpu, request.memory_mib, request.disk_gib) = (vcpu, memory_mib, disk_gib);
        let decision = place(&request, &servers);
        let fits = |s: &&ServerCapacity| {
            s.scheduling == SchedulingState::Online
                && s.connection == ConnectionState::Online
                && s.reserved_vcpu + u64::from(vcpu) <= s.vcpu_capacity
                && s.reserved_memory_mib + memory_mib <= s.memory_mib
                && s.storages[0].reserved_gib + disk_gib <= s.storages[0].capacity_gib
        };
        let fitting: Vec<_> = servers.iter().filter(fits).map(|s| s.id).collect();
        match &decision.chosen {
            Some(choice) => prop_assert!(fitting.contains(&choice.server)),
            None => prop_assert!(fitting.is_empty()),
        }
        prop_assert_eq!(decision.explanation.fitting, fitting.len() as u64);
        prop_assert_eq!(decision.explanation.considered.len(), servers.len());
    }

    #[test]
    fn the_order_of_the_servers_does_not_matter(
        mut servers in prop::collection::vec(any_server(), 0..20),
    ) {
        let request = request(&servers);
        let chosen = place(&request, &servers).chosen;
        servers.reverse();
        prop_assert_eq!(place(&request, &servers).chosen, chosen);
    }
}
