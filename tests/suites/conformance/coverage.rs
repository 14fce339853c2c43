//! Which case proves which message that an agent may be given. What is not named here does not compile; what is named and is no case
//! fails.
#![allow(clippy::default_trait_access, reason = "what is in a message does not matter here")]

use proto::agent::v1::control_message::Body;
use proto::agent::v1::run_command::Kind;

use super::CASES;

const CLUSTER: &str =
    concat!(include_str!("../conformance_cluster/moves.rs"), include_str!("../conformance_cluster/remote.rs"));

/// The cases of a command: of this suite or, where it takes more than one node, of `conformance_cluster`.
fn of_command(kind: &Kind) -> &'static [&'static str] {
    match kind {
        Kind::Clone(_) => &["a_linked_clone_is_made_once", "a_full_clone_tells_its_progress"],
        Kind::Configure(_) => &[
            "a_configuration_reads_back_and_repeats",
            "what_exact_cards_do_not_name_is_taken_away_and_nothing_else",
            "what_waits_for_a_restart_is_told",
        ],
        Kind::ConfigureExactly(_) => &["what_an_exact_configuration_does_not_name_is_taken_away"],
        Kind::ResizeDisk(_) => &["a_disk_grows_and_never_shrinks"],
        Kind::Start(_) | Kind::Stop(_) => &["start_and_stop_may_be_repeated", "a_paused_vm_is_resumed"],
        Kind::Shutdown(_) => &["a_forced_shutdown_ends_in_stopped"],
        Kind::Reboot(_) => &["a_reboot_leaves_the_vm_running"],
        Kind::Destroy(_) => &["destroy_may_be_repeated_and_stops_first"],
        Kind::WaitPower(_) => &["waiting_for_power_ends_at_its_deadline"],
        Kind::Inspect(_) => &["an_unused_vmid_is_absent"],
        Kind::SetOptions(_) => &["an_option_is_set_alone"],
        Kind::SetPassword(_) => &["a_password_needs_a_guest_agent"],
        Kind::TakeSnapshot(_) | Kind::ListSnapshots(_) => &["a_snapshot_is_taken_once_and_told"],
        Kind::Rollback(_) => {
            &["a_rollback_brings_back_what_was_and_keeps_the_stamp", "a_snapshot_with_memory_comes_back_running"]
        }
        Kind::DeleteSnapshot(_) => &["a_snapshot_is_deleted_once_and_then_gone"],
        Kind::MakeBackup(_) | Kind::ListBackups(_) => {
            &["a_backup_is_made_once_and_known_by_its_notes", "a_backup_is_made_in_every_mode"]
        }
        Kind::RestoreBackup(_) => &[
            "a_restore_makes_the_vm_once",
            "a_restore_replaces_only_the_pods_own_stopped_vm",
            "a_restore_that_fails_leaves_the_number_free",
            "a_unique_restore_has_cards_of_its_own",
        ],
        Kind::DeleteBackup(_) => &["only_the_pods_own_backup_is_deleted"],
        Kind::Migrate(_) => &["a_stopped_vm_is_moved_once", "a_running_vm_is_moved_online_with_its_disks"],
        Kind::RemoteMigrate(_) => &["a_vm_is_moved_to_another_cluster_once"],
        Kind::MakeTemplate(_) => &["a_template_is_made_once_without_its_guests_identity"],
        Kind::SetMedia(_) => &["a_cd_is_put_in_booted_from_and_taken_out"],
        Kind::SetFirewall(_) => &["a_firewall_is_set_as_a_whole", "a_change_opens_no_hole"],
        Kind::Adopt(_) => &["a_vm_without_a_stamp_is_adopted_once"],
        Kind::Release(_) => &["a_stamp_is_taken_off_and_nothing_else"],
        Kind::CheckMigrate(_) => &["what_keeps_a_vm_from_being_moved_is_told", "every_blocker_of_a_move_is_told"],
    }
}

/// The cases of whatever else the control plane sends; none: it does not concern Proxmox.
fn of_message(body: &Body) -> &'static [&'static str] {
    match body {
        Body::Run(_) | Body::Welcome(_) | Body::Ack(_) | Body::Ping(_) | Body::GoAway(_) => &[],
        Body::Cancel(_) => &["a_cancelled_follow_stops_its_task", "a_stopped_clone_leaves_nothing_half_done"],
        Body::Probe(_) => &["a_probe_finds_what_is_there_and_what_is_not"],
        Body::Fence(_) => &["a_vm_declared_lost_is_stopped_for_good_and_left"],
        Body::OpenConsole(_) => &["a_screen_is_shown_to_who_has_its_password", "a_terminal_is_open_to_its_guest"],
        Body::Query(_) => &["what_keeps_a_vm_from_being_moved_is_told", "what_lies_on_a_storage_is_listed"],
    }
}

/// The cases of what an agent reports by itself.
const REPORTS: [&str; 4] = [
    "the_node_tells_its_figures",
    "the_inventory_shows_stamps",
    "the_inventory_tells_cards_and_firewalls",
    "what_a_vm_sent_is_counted",
];

fn commands() -> [Kind; 29] {
    [
        Kind::Clone(Default::default()),
        Kind::Configure(Default::default()),
        Kind::ConfigureExactly(Default::default()),
        Kind::ResizeDisk(Default::default()),
        Kind::Start(Default::default()),
        Kind::Stop(Default::default()),
        Kind::Shutdown(Default::default()),
        Kind::Reboot(Default::default()),
        Kind::Destroy(Default::default()),
        Kind::WaitPower(Default::default()),
        Kind::Inspect(Default::default()),
        Kind::SetOptions(Default::default()),
        Kind::SetPassword(Default::default()),
        Kind::TakeSnapshot(Default::default()),
        Kind::Rollback(Default::default()),
        Kind::DeleteSnapshot(Default::default()),
        Kind::ListSnapshots(Default::default()),
        Kind::MakeBackup(Default::default()),
        Kind::RestoreBackup(Default::default()),
        Kind::DeleteBackup(Default::default()),
        Kind::ListBackups(Default::default()),
        Kind::Migrate(Default::default()),
        Kind::RemoteMigrate(Default::default()),
        Kind::MakeTemplate(Default::default()),
        Kind::SetMedia(Default::default()),
        Kind::SetFirewall(Default::default()),
        Kind::Adopt(Default::default()),
        Kind::Release(Default::default()),
        Kind::CheckMigrate(Default::default()),
    ]
}

#[test]
fn every_command_and_question_has_its_case() {
    let messages = [
        Body::Cancel(Default::default()),
        Body::Probe(Default::default()),
        Body::Fence(Default::default()),
        Body::OpenConsole(Default::default()),
        Body::Query(Default::default()),
    ];
    let commands = commands();
    let of_commands = commands.iter().flat_map(of_command);
    let named = of_commands.chain(messages.iter().flat_map(of_message)).chain(&REPORTS);
    for name in named {
        let is_case = CASES.contains(name) || CLUSTER.contains(&format!("async fn {name}("));
        assert!(is_case, "{name} is no case");
    }
    assert!(commands.iter().all(|kind| !of_command(kind).is_empty()));
}

#[test]
fn no_case_looks_behind_the_server() {
    // There may be no simulation: a case may look whether there is one (`rig.sim`), and must not ask for it.
    for (file, text) in [
        ("backups", include_str!("backups.rs")),
        ("consoles", include_str!("consoles.rs")),
        ("firewall", include_str!("firewall.rs")),
        ("lifecycle", include_str!("lifecycle.rs")),
        ("making", include_str!("making.rs")),
        ("node", include_str!("node.rs")),
        ("settings", include_str!("settings.rs")),
        ("snapshots", include_str!("snapshots.rs")),
        ("tasks", include_str!("tasks.rs")),
    ] {
        assert!(!text.contains(".sim()"), "{file}.rs asks for the simulation");
    }
}
