//! What a Proxmox task's exit status and log tell. Pure functions on text, as Proxmox gives nothing else.

use super::error::{ErrorKind, PveError, kind_of_text};
use super::types::Operation;

/// The percentage in a line such as `transferred 2.0 MiB of 26.9 MiB (7.49%)` or `drive-scsi0: transferred ... (12.34%) in 3s`.
pub(super) fn percent_of(line: &str) -> Option<u8> {
    let before = line.split('%').next().filter(|before| before.len() < line.len())?;
    let (rest, number) =
        before.split_at(before.rfind(|c: char| !c.is_ascii_digit() && c != '.').map_or(0, |at| at + 1));
    if rest.ends_with('/') {
        return None;
    }
    let number: f64 = number.parse().ok()?;
    (0.0..=100.0).contains(&number).then_some(number as u8)
}

/// Whether a log line is about this VM's disks or configuration.
pub(super) fn names_vm(line: &str, vmid: u32) -> bool {
    let named = |before: &str, after: fn(char) -> bool| {
        let name = format!("{before}{vmid}");
        line.match_indices(&name).any(|(at, _)| line[at + name.len()..].chars().next().is_none_or(after))
    };
    named("vm-", |c| c == '-') || named("VM ", |c| !c.is_ascii_digit()) || named("/images/", |c| c == '/')
}

/// Whether a line names the disk (`vm-120-disk-0`) of a VM that is not the template.
pub(super) fn names_other_disk(line: &str, template_vmid: u32) -> bool {
    line.match_indices("vm-").any(|(at, mark)| {
        let digits: String = line[at + mark.len()..].chars().take_while(char::is_ascii_digit).collect();
        digits.parse().is_ok_and(|vmid: u32| vmid != template_vmid)
    })
}

pub(super) fn warnings_of(log: &[String]) -> Vec<String> {
    let text = |line: &String| {
        line.strip_prefix("WARN").map(|rest| rest.trim_start_matches("ING").trim_start_matches(':').trim().to_owned())
    };
    log.iter().filter_map(text).filter(|text| !text.is_empty()).collect()
}

/// How lines begin that tell no cause.
const NO_CAUSE: [&str; 5] =
    ["TASK ERROR", "transferred", "INFO:", "error before or during data restore", "error after data was restored"];

/// What is wrong with a task's exit status; `None` when it is a success, also one that says the work was done already.
pub(super) fn failure_of(operation: &Operation, task_kind: &str, exit: &str, log: &[String]) -> Option<PveError> {
    let done_already = match operation {
        Operation::Start => task_kind == "qmstart" && exit.ends_with("already running"),
        Operation::ResizeDisk { .. } => exit.contains("shrinking disks is not supported"),
        Operation::Destroy => {
            task_kind == "qmdestroy" && exit.contains("Configuration file 'nodes/") && exit.contains("does not exist")
        }
        Operation::DeleteSnapshot { .. } => exit.starts_with("snapshot '") && exit.ends_with("does not exist"),
        Operation::DeleteBackup { .. } => exit.contains("does not exist") || exit.contains("No such file or directory"),
        Operation::Clone(_)
        | Operation::Configure(_)
        | Operation::Stop
        | Operation::Shutdown { .. }
        | Operation::Reboot { .. }
        | Operation::SetOptions(_)
        | Operation::SetPassword { .. }
        | Operation::TakeSnapshot { .. }
        | Operation::Rollback { .. }
        | Operation::MakeBackup { .. }
        | Operation::RestoreBackup { .. }
        | Operation::Migrate(_)
        | Operation::RemoteMigrate(_)
        | Operation::MakeTemplate
        | Operation::SetMedia { .. }
        | Operation::SetFirewall(_)
        | Operation::Adopt
        | Operation::Release => false,
    };
    if exit == "OK" || exit.starts_with("WARNINGS:") || done_already {
        return None;
    }
    if exit.is_empty() || exit == "unexpected status" {
        let text = "the Proxmox task was killed before it could end; see the VM's lock and the host's log";
        return Some(PveError::new(ErrorKind::Lost, text));
    }
    // The cause is often only in the log: "No space left on device" above a bare "exit code 1".
    let causes = log.iter().rev().filter(|line| !NO_CAUSE.iter().any(|words| line.starts_with(words)));
    let cause = causes.take(5).find(|line| kind_of_text(line) == Some(ErrorKind::NoSpace) || is_complaint(line));
    let kind = kind_of_text(exit)
        .or_else(|| {
            // A backup and a move end with words that tell nothing; what they met is in the log.
            let is_mute =
                matches!(operation, Operation::MakeBackup { .. } | Operation::Migrate(_) | Operation::RemoteMigrate(_));
            let is_told = |kind: &ErrorKind| *kind == ErrorKind::NoSpace || (is_mute && *kind == ErrorKind::Locked);
            cause.and_then(|line| kind_of_text(line)).filter(is_told)
        })
        .unwrap_or(ErrorKind::TaskFailed);
    let message = match cause {
        Some(cause) if !exit.contains(cause.trim()) => format!("{exit} ({})", cause.trim()),
        Some(_) | None => exit.to_owned(),
    };
    Some(PveError::new(kind, message))
}

fn is_complaint(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ["error", "failed", "cannot", "could not", "unable", "no space"].iter().any(|word| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_from_the_log() {
        let check = |line: &str, expected| assert_eq!(percent_of(line), expected, "{line}");
        check("transferred 2.0 MiB of 26.9 MiB (7.49%)", Some(7));
        check("drive-scsi0: transferred 1.0 GiB of 2.0 GiB (50.00%) in 3s", Some(50));
        check("    (100.00/100%)", None);
        check("create full clone of drive scsi0 (local:9000/base-9000-disk-0.qcow2)", None);
        check("100% of something", Some(100));
        check("250% more", None);
    }

    #[test]
    fn a_clones_target_is_recognised_by_its_disks_alone() {
        let check = |line: &str, vmid, expected| assert_eq!(names_vm(line, vmid), expected, "{line} {vmid}");
        let line = "clone 9000/base-9000-disk-0.qcow2: images, vm-101-disk-0.qcow2, 101 to vm-101-disk-0.qcow2";
        check(line, 101, true);
        check(line, 10, false);
        check(line, 9000, false);
        check("Logical volume \"vm-120-disk-0\" created.", 120, true);
        check("Formatting '/var/lib/vz/images/120/vm-120-cloudinit.qcow2', fmt=qcow2 size=4194304", 120, true);
        check("TASK ERROR: unable to create VM 180: config file already exists", 180, true);
        check("TASK ERROR: unable to create VM 1801: config file already exists", 180, false);
        assert!(names_other_disk(line, 9000));
        assert!(!names_other_disk("create full clone of drive ide2 (local:9000/vm-9000-cloudinit.qcow2)", 9000));
    }

    #[test]
    fn an_exit_status_is_read_with_its_log() {
        let clone = || {
            let name = "a".to_owned();
            Operation::Clone(super::super::types::CloneSpec {
                template_vmid: 9000,
                name,
                full: true,
                storage: None,
                pool: None,
            })
        };
        let check =
            |operation: &Operation, task: &str, exit: &str, log: &[&str], expected: Option<(ErrorKind, &str)>| {
                let log: Vec<String> = log.iter().map(|line| (*line).to_owned()).collect();
                let found = failure_of(operation, task, exit, &log);
                let found = found.as_ref().map(|error| (error.kind, error.message.as_str()));
                assert_eq!(found, expected, "{exit}");
            };
        check(&Operation::Stop, "qmstop", "OK", &[], None);
        check(&Operation::Start, "qmstart", "WARNINGS: 1", &["WARN: no efidisk configured!"], None);
        check(&Operation::Start, "qmstart", "VM 101 already running", &[], None);
        let shrink = Operation::ResizeDisk { disk: None, size_gib: 1 };
        check(&shrink, "resize", "shrinking disks is not supported", &[], None);
        let killed = failure_of(&clone(), "qmclone", "unexpected status", &[]).unwrap();
        assert_eq!(killed.kind, ErrorKind::Lost);
        let full = "clone failed: copy failed: command 'qemu-img convert' failed: exit code 1";
        let log = [
            "transferred 24.2 MiB of 26.9 MiB (89.93%)",
            "qemu-img: error while writing at byte 8388608: No space left on device",
        ];
        let text = format!("{full} ({})", log[1]);
        check(&clone(), "qmclone", full, &log, Some((ErrorKind::NoSpace, &text)));
        let taken = "unable to create VM 180: config file already exists";
        check(&clone(), "qmclone", taken, &["TASK ERROR: x"], Some((ErrorKind::VmidTaken, taken)));
        let locked = "can't lock file '/var/lock/qemu-server/lock-120.conf' - got timeout";
        check(&Operation::Start, "qmstart", locked, &["trying to acquire lock..."], Some((ErrorKind::Locked, locked)));
        let deaf = "VM quit/powerdown failed - got timeout";
        check(
            &Operation::Shutdown { timeout_s: 3, force: false },
            "qmshutdown",
            deaf,
            &[],
            Some((ErrorKind::TaskFailed, deaf)),
        );
    }

    #[test]
    fn warnings_are_told_without_their_prefix() {
        let log =
            ["WARN: no efidisk configured! Using temporary efivars disk.".to_owned(), "TASK WARNINGS: 1".to_owned()];
        assert_eq!(warnings_of(&log), ["no efidisk configured! Using temporary efivars disk."]);
    }
}
