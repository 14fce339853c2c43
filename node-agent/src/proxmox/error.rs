//! What went wrong with Proxmox, as a kind that decides retries and a text for people.

use std::fmt;

use super::tasks::Upid;
use super::types::Presence;

/// The result of a call to Proxmox.
pub type Result<T> = std::result::Result<T, PveError>;

/// What kind of failure it was. The control plane decides about retries by this alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No answer in time: the outcome is unknown.
    Timeout,
    /// The VM or a file of it is locked.
    Locked,
    /// Proxmox cannot be reached or fails without a cause.
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
}

impl PveError {
    /// An error without an HTTP answer or a task.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), status: None, upid: None, presence: Presence::Unknown, log: Vec::new() }
    }
}

impl fmt::Display for PveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PveError {}
