//! What went wrong with Proxmox, as a kind that decides retries and a text for people.
//!
//! Proxmox has no error codes. The HTTP status decides where it means anything; only of a plain 500 and of a task's exit
//! status is the text read, in one place ([`kind_of_text`]).

use std::fmt;

use super::types::Presence;
use super::upid::Upid;

/// The result of a call to Proxmox.
pub type Result<T> = std::result::Result<T, PveError>;

/// What kind of failure it was. The control plane decides about retries by this alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No answer in time: the outcome is unknown.
    Timeout,
    /// The VM or a file of it is locked.
    Locked,
    /// Proxmox cannot be reached or fails without a cause; the outcome is unknown.
    Unavailable,
    /// A parameter is refused.
    BadParameter,
    /// A template, storage, bridge, node or VM is missing.
    NotFound,
    /// The token is refused or lacks a privilege.
    Permission,
    /// Another VM has this VMID.
    VmidTaken,
    /// The storage is full.
    NoSpace,
    /// A Proxmox task, or a call with a cause of its own, failed.
    TaskFailed,
    /// It was stopped on request.
    Cancelled,
    /// The VM at this VMID does not bear the pod's stamp and was left alone.
    ForeignVm,
    /// A Proxmox task vanished or its worker was killed: the outcome is unknown.
    Lost,
    /// The deadline passed and the task was stopped.
    Deadline,
    /// The guest agent does not run, or the VM has none.
    GuestAgent,
    /// It cannot be done, as Proxmox or a look at the VM tells.
    Refused,
}

/// A failure, in Proxmox's own words where it has any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PveError {
    /// Decides about retries.
    pub kind: ErrorKind,
    /// For people: the reason phrase, or the task's exit status and log line, or what happened on the way.
    pub message: String,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The task, where there was one.
    pub upid: Option<Upid>,
    /// What is known of the VM after the failure.
    pub presence: Presence,
    /// The last lines of the task's log.
    pub log: Vec<String>,
    /// The call was sent and not answered: Proxmox may still do, or be doing, what it asked for.
    pub is_open: bool,
}

impl PveError {
    /// An error without an HTTP answer or a task.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            status: None,
            upid: None,
            presence: Presence::Unknown,
            log: Vec::new(),
            is_open: false,
        }
    }

    /// An error that Proxmox answered.
    pub(super) fn answered(status: u16, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            kind: kind_of_status(status, &message),
            status: Some(status),
            ..Self::new(ErrorKind::Unavailable, message)
        }
    }

    pub(super) fn with_presence(mut self, presence: Presence) -> Self {
        self.presence = presence;
        self
    }

    /// Proxmox itself, in an answer of its own, says that there is no such VM on the node it was asked about. Not proof of
    /// absence: the VM may be on another node, and a node whose cluster filesystem is away knows of no VM at all.
    pub(super) fn says_no_such_vm(&self) -> bool {
        self.status == Some(500)
            && (self.message.contains("Configuration file 'nodes/")
                || self.message.contains("unable to find configuration file for VM"))
    }

    /// A configuration changed between reading and writing it.
    pub(super) fn is_stale_digest(&self) -> bool {
        self.status == Some(500) && self.message.contains("checksum mismatch")
    }

    /// Another try of the same *reading* call may succeed.
    pub fn is_transient(&self) -> bool {
        match self.kind {
            ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Locked => true,
            ErrorKind::BadParameter
            | ErrorKind::NotFound
            | ErrorKind::Permission
            | ErrorKind::VmidTaken
            | ErrorKind::NoSpace
            | ErrorKind::TaskFailed
            | ErrorKind::Cancelled
            | ErrorKind::ForeignVm
            | ErrorKind::Lost
            | ErrorKind::Deadline
            | ErrorKind::GuestAgent
            | ErrorKind::Refused => false,
        }
    }
}

impl fmt::Display for PveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PveError {}

fn kind_of_status(status: u16, message: &str) -> ErrorKind {
    match status {
        400 => ErrorKind::BadParameter,
        // A pool that does not exist is answered 403 too.
        401 | 403 if message.contains("does not exist") => ErrorKind::NotFound,
        401 | 403 => ErrorKind::Permission,
        // A path or method this Proxmox does not know, or a body it refuses: repeating it changes nothing.
        501 | 505 | 506 => ErrorKind::TaskFailed,
        500 => kind_of_text(message).unwrap_or(ErrorKind::TaskFailed),
        // 502 to 504, and 404 too (Proxmox says 501), come from a proxy in between; 595 to 599 from Proxmox's own to another node.
        _ => ErrorKind::Unavailable,
    }
}

/// Reads the kind from Proxmox's text, the only thing it gives in a 500 or a task's exit status. `None`: the text tells nothing.
pub(super) fn kind_of_text(text: &str) -> Option<ErrorKind> {
    const TABLE: &[(&str, ErrorKind)] = &[
        ("config file already exists", ErrorKind::VmidTaken),
        ("already exists on node", ErrorKind::VmidTaken),
        ("can't lock file", ErrorKind::Locked),
        ("VM is locked", ErrorKind::Locked),
        ("is locked (", ErrorKind::Locked),
        ("checksum mismatch", ErrorKind::Locked),
        ("got lock timeout", ErrorKind::Locked),
        ("cfs-lock", ErrorKind::Locked),
        ("error with cfs lock", ErrorKind::Locked),
        ("No space left on device", ErrorKind::NoSpace),
        ("not enough space", ErrorKind::NoSpace),
        ("insufficient free space", ErrorKind::NoSpace),
        ("out of space", ErrorKind::NoSpace),
        ("Disk quota exceeded", ErrorKind::NoSpace),
        ("insufficient free extents", ErrorKind::NoSpace),
        ("guest agent is not running", ErrorKind::GuestAgent),
        ("No QEMU guest agent configured", ErrorKind::GuestAgent),
        ("Permission check failed", ErrorKind::Permission),
        ("only root can", ErrorKind::Permission),
        ("Only root can", ErrorKind::Permission),
        ("no quorum", ErrorKind::Unavailable),
        ("Connection refused", ErrorKind::Unavailable),
        ("ipcc_send_rec", ErrorKind::Unavailable),
        ("Internal Server Error", ErrorKind::Unavailable),
        ("SSH public key validation error", ErrorKind::BadParameter),
        ("hostname lookup", ErrorKind::NotFound),
        ("address lookup for", ErrorKind::NotFound),
        ("no such cluster node", ErrorKind::NotFound),
        ("unable to find configuration file for VM", ErrorKind::NotFound),
        ("no such logical volume", ErrorKind::NotFound),
        ("No such file or directory", ErrorKind::NotFound),
        ("does not exist", ErrorKind::NotFound),
    ];
    TABLE.iter().find(|(words, _)| text.contains(words)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_follows_from_the_answer() {
        let check = |status, message: &str, expected| {
            assert_eq!(kind_of_status(status, message), expected, "{status} {message}");
        };
        check(401, "Authentication failed!", ErrorKind::Permission);
        check(403, "Permission check failed (/vms/9000, VM.Clone)", ErrorKind::Permission);
        check(403, "Permission check failed (pool 'web' does not exist)", ErrorKind::NotFound);
        check(400, "Parameter verification failed. newid: property is missing", ErrorKind::BadParameter);
        check(500, "unable to create VM 101: config file already exists", ErrorKind::VmidTaken);
        check(500, "unable to create VM 160 - VM 160 already exists on node 'pve1'", ErrorKind::VmidTaken);
        check(
            500,
            "unable to create VM 120 - can't lock file '/var/lock/qemu-server/lock-120.conf' - got timeout",
            ErrorKind::Locked,
        );
        check(500, "VM is locked (clone)", ErrorKind::Locked);
        check(500, "Configuration file 'nodes/pve1/qemu-server/77.conf' does not exist", ErrorKind::NotFound);
        check(500, "storage 'nosuch' does not exist", ErrorKind::NotFound);
        check(500, "hostname lookup 'nope' failed - failed to get address info for: nope", ErrorKind::NotFound);
        check(500, "VM 101 not running", ErrorKind::TaskFailed);
        check(500, "Internal Server Error", ErrorKind::Unavailable);
        check(500, "only root can set 'args' config", ErrorKind::Permission);
        for status in [404, 502, 503, 504, 595, 596, 599] {
            check(status, "", ErrorKind::Unavailable);
        }
        check(501, "Method 'GET /bogus' not implemented", ErrorKind::TaskFailed);
    }

    #[test]
    fn a_guest_that_ignores_shutdown_is_no_lock() {
        assert_eq!(kind_of_text("VM quit/powerdown failed - got timeout"), None);
    }

    #[test]
    fn only_proxmoxs_own_answer_says_that_a_vm_is_missing() {
        let text = "Configuration file 'nodes/pve1/qemu-server/102.conf' does not exist";
        assert!(PveError::answered(500, text).says_no_such_vm());
        assert!(!PveError::answered(595, text).says_no_such_vm());
        assert!(!PveError::answered(500, "storage 'x' does not exist").says_no_such_vm());
        assert!(!PveError::answered(403, "Permission check failed (/vms/7777, VM.Audit)").says_no_such_vm());
        assert!(!PveError::new(ErrorKind::Timeout, text).says_no_such_vm());
    }
}
