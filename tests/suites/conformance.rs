//! What the agent expects of Proxmox VE, proven on a server: a simulated one, or a real one that `MPANEL_CONFORMANCE_*` names
//! (see `pve_rig`). The cases are the same; they remove what they made and touch nothing else.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::unwrap_used, missing_docs)]

#[path = "conformance/backups.rs"]
mod backups;
#[path = "conformance/consoles.rs"]
mod consoles;
#[path = "conformance/coverage.rs"]
mod coverage;
#[path = "conformance/firewall.rs"]
mod firewall;
#[path = "conformance/lifecycle.rs"]
mod lifecycle;
#[path = "conformance/making.rs"]
mod making;
#[path = "conformance/node.rs"]
mod node;
#[path = "conformance/settings.rs"]
mod settings;
#[path = "conformance/snapshots.rs"]
mod snapshots;
#[path = "conformance/tasks.rs"]
mod tasks;

/// One test a case. The number is the case's own block of VMIDs, so that cases may run beside each other on one real server.
macro_rules! cases {
    ($($index:literal $module:ident :: $case:ident)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                mpanel_tests::pve_rig::run($index, $module::$case).await;
            }
        )*

        /// Their names.
        const CASES: &[&str] = &[$(stringify!($case)),*];
    };
}

cases! {
    0 node::the_node_tells_its_figures
    1 node::a_probe_finds_what_is_there_and_what_is_not
    2 node::a_wrong_secret_is_a_permission_error_with_proxmoxs_reason
    3 node::a_wrong_node_name_is_an_error_and_never_absent
    4 node::another_certificate_is_refused
    5 node::an_unused_vmid_is_absent
    6 making::a_linked_clone_is_made_once
    7 making::a_full_clone_tells_its_progress
    8 making::a_taken_vmid_is_told
    9 making::a_missing_template_or_storage_is_not_found
    10 making::a_bad_name_is_a_bad_parameter
    11 making::parallel_clones_for_one_pod_make_one_vm
    12 making::of_two_pods_at_one_vmid_one_wins
    13 making::the_inventory_shows_stamps
    14 lifecycle::a_configuration_reads_back_and_repeats
    15 lifecycle::a_disk_grows_and_never_shrinks
    16 lifecycle::start_and_stop_may_be_repeated
    17 lifecycle::a_forced_shutdown_ends_in_stopped
    18 lifecycle::a_reboot_leaves_the_vm_running
    19 lifecycle::destroy_may_be_repeated_and_stops_first
    20 lifecycle::another_pods_vm_is_left_alone
    21 lifecycle::what_is_missing_is_told_as_absent
    22 tasks::a_stopped_clone_leaves_nothing_half_done
    23 tasks::a_cancelled_follow_stops_its_task
    24 tasks::a_task_is_found_again_after_its_upid_was_lost
    25 tasks::waiting_for_power_ends_at_its_deadline
    26 snapshots::a_snapshot_is_taken_once_and_told
    27 snapshots::a_rollback_brings_back_what_was_and_keeps_the_stamp
    28 snapshots::a_snapshot_is_deleted_once_and_then_gone
    29 backups::a_backup_is_made_once_and_known_by_its_notes
    30 backups::only_the_pods_own_backup_is_deleted
    31 backups::a_restore_makes_the_vm_once
    32 backups::a_restore_replaces_only_the_pods_own_stopped_vm
    33 settings::an_option_is_set_alone
    34 settings::what_waits_for_a_restart_is_told
    35 settings::a_password_needs_a_guest_agent
    36 settings::a_cd_is_put_in_booted_from_and_taken_out
    37 settings::a_template_is_made_once_without_its_guests_identity
    38 settings::a_vm_without_a_stamp_is_adopted_once
    39 settings::a_vm_declared_lost_is_stopped_for_good_and_left
    40 settings::what_keeps_a_vm_from_being_moved_is_told
    41 firewall::a_firewall_is_set_as_a_whole
    42 firewall::a_change_opens_no_hole
    43 consoles::a_screen_is_shown_to_who_has_its_password
    44 consoles::a_terminal_is_open_to_its_guest
    45 node::what_lies_on_a_storage_is_listed
    46 node::what_a_vm_sent_is_counted
    47 settings::a_stamp_is_taken_off_and_nothing_else
    48 lifecycle::what_an_exact_configuration_does_not_name_is_taken_away
    49 lifecycle::a_paused_vm_is_resumed
    50 snapshots::a_snapshot_with_memory_comes_back_running
    51 backups::a_restore_that_fails_leaves_the_number_free
    52 backups::a_unique_restore_has_cards_of_its_own
    53 backups::a_backup_is_made_in_every_mode
    54 firewall::the_inventory_tells_cards_and_firewalls
    55 lifecycle::what_exact_cards_do_not_name_is_taken_away_and_nothing_else
}
