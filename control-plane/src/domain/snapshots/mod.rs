//! Snapshots of pods' VMs: what was asked for beside what Proxmox has. A row that is `creating` or `deleting` belongs to a
//! job; every other row is what the host said last. They go with the VM.

pub mod service;
mod store;

use crate::clock::Ms;
use crate::ids::CloudPodId;

/// The longest description that is kept, in characters.
pub const DESCRIPTION_MAX: usize = 256;
/// The longest name, as Proxmox has it.
const NAME_MAX: usize = 40;

/// A snapshot of a pod's VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Of this pod.
    pub pod: CloudPodId,
    /// One of the pod each.
    pub name: String,
    /// For people.
    pub description: String,
    /// With the guest's memory.
    pub memory: bool,
    /// The one before it; `None`: none, or not known.
    pub parent: Option<String>,
    /// Where it is in its life.
    pub state: SnapshotState,
    /// When it was asked for; of one that was found on the host, when it was taken by the host's clock.
    pub created_at: Ms,
}

/// The life of a snapshot: creating → ready → deleting, and gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotState {
    /// A job is to take it.
    Creating,
    /// The host has it.
    Ready,
    /// A job is to delete it.
    Deleting,
}

impl SnapshotState {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Deleting => "deleting",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "creating" => Some(Self::Creating),
            "ready" => Some(Self::Ready),
            "deleting" => Some(Self::Deleting),
            _ => None,
        }
    }
}

/// A name as Proxmox takes it; the error says what would be right.
pub fn name_check(name: &str) -> Result<(), String> {
    let right = (2..=NAME_MAX).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if !right {
        return Err(format!(
            "must be 2 to {NAME_MAX} letters, digits, '_' or '-', and begin with a letter, such as before-upgrade"
        ));
    }
    if name.eq_ignore_ascii_case("current") {
        return Err("is Proxmox's word for the VM as it is; choose another name".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_proxmox_takes() {
        for name in ["ab", "before-upgrade", "A_1", &format!("a{}", "b".repeat(39))] {
            assert_eq!(name_check(name), Ok(()), "{name}");
        }
        for name in ["", "a", "1a", "-a", "a.b", "a b", "ä1", "current", &format!("a{}", "b".repeat(40))] {
            assert!(name_check(name).is_err(), "{name}");
        }
    }
}
