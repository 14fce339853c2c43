//! Single settings of a VM that exists: its options, its stamp, a password of its guest.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use proxmox_api::client::Client;

use super::error::{ErrorKind, PveError, Result};
use super::node::Pve;
use super::specs::OptionsSpec;
use super::stamp::Stamp;
use super::types::{Begun, Power, Presence, Request, Secret, Target, VmState};
use super::wire::{List, Num, Text, VmConfig};

/// How often a configuration is read again because somebody else changed it in between.
const TRIES_MAX: u32 = 4;

/// An entry of `/nodes/N/qemu/V/pending`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PendingEntry {
    value: Text,
    pending: Text,
    delete: Num,
}

impl Pve {
    /// Writes the settings that `changes` makes of the configuration; none is no call. What was decided on and what is changed are the
    /// same configuration, by its digest.
    pub(super) async fn amend(
        &self,
        vmid: u32,
        changes: impl Fn(&VmConfig) -> Result<Map<String, Value>> + Send + Sync,
    ) -> Result<()> {
        let path = self.path(&format!("/qemu/{vmid}/config")).await?;
        let mut tries = 1;
        loop {
            let config = self.vm_config(vmid).await?;
            let mut body = changes(&config)?;
            if body.is_empty() {
                return Ok(());
            }
            if let Some(digest) = config.get("digest") {
                body.insert("digest".to_owned(), digest.into());
            }
            match self.client.put::<_, Value>(&path, &Value::Object(body)).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_stale_digest() && tries < TRIES_MAX => tries += 1,
                Err(error) => {
                    let presence = if error.status.is_some() { Presence::Present } else { Presence::Unknown };
                    return Err(error.with_presence(presence));
                }
            }
        }
    }

    /// Refuses a configuration that does not bear the pod's stamp.
    pub(super) fn check_own(target: Target, config: &VmConfig) -> Result<()> {
        let (stamp, name) = (config.stamp(), config.get("name"));
        Self::check_stamp(target, &VmState { presence: Presence::Present, stamp, name, ..VmState::default() })
    }

    /// Whether something that was set waits for the VM's next start.
    pub(super) async fn has_pending(&self, vmid: u32) -> Result<bool> {
        let path = self.path(&format!("/qemu/{vmid}/pending")).await?;
        let entries: List<PendingEntry> = self.client.read(&path).await?;
        let waits = |entry: &PendingEntry| {
            entry.delete.whole() > 0 || (entry.pending.0.is_some() && entry.pending.0 != entry.value.0)
        };
        Ok(entries.0.iter().any(waits))
    }

    pub(super) async fn options_set(&self, target: Target, spec: OptionsSpec) -> Result<Begun> {
        self.own_state(target).await?;
        let changes = |config: &VmConfig| {
            Self::check_own(target, config)?;
            let mut body = Map::new();
            for (key, wanted) in [("onboot", spec.start_on_boot), ("protection", spec.protection)] {
                if let Some(wanted) = wanted.filter(|wanted| config.is_set(key) != *wanted) {
                    body.insert(key.to_owned(), u8::from(wanted).into());
                }
            }
            Ok(body)
        };
        self.amend(target.vmid, changes).await?;
        Ok(Begun::Done)
    }

    pub(super) async fn password_set(&self, target: Target, user: &str, password: &Secret) -> Result<Begun> {
        let vmid = target.vmid;
        let state = self.own_state(target).await?;
        if state.power != Power::Running {
            let text = format!("VM {vmid} does not run, so no guest agent in it can set a password");
            return Err(PveError::new(ErrorKind::GuestAgent, text).with_presence(Presence::Present));
        }
        let path = self.path(&format!("/qemu/{vmid}/agent/set-user-password")).await?;
        let body = json!({ "username": user, "password": password.reveal() });
        match self.client.post::<_, Value>(&path, &body).await {
            Ok(_) => Ok(Begun::Done),
            Err(error) => {
                let words = |text: &str| error.status == Some(500) && error.message.contains(text);
                let kind = if words("is not running") {
                    ErrorKind::GuestAgent
                } else if words("Agent error") {
                    ErrorKind::Refused
                } else {
                    error.kind
                };
                // A guest may repeat what it was told.
                let message = error.message.replace(password.reveal(), "***");
                Err(PveError { kind, message, ..error }.with_presence(Presence::Present))
            }
        }
    }

    pub(super) async fn adopt(&self, request: &Request) -> Result<Begun> {
        let target = request.target;
        let state = self.vm_state(target.vmid).await?;
        if state.presence != Presence::Present || state.other_node.is_some() {
            Self::check_stamp(target, &state)?;
        }
        let changes = |config: &VmConfig| {
            if config.stamp().is_none() && !config.description().to_lowercase().contains("mpanel:") {
                return Ok(described(&stamped(&config.description(), request)));
            }
            Self::check_own(target, config)?;
            Ok(Map::new())
        };
        self.amend(target.vmid, changes).await?;
        Ok(Begun::Done)
    }

    /// A VM that does not bear the pod's stamp is as it is wanted already.
    pub(super) async fn release(&self, target: Target) -> Result<Begun> {
        let state = self.vm_state(target.vmid).await?;
        if state.presence == Presence::Absent {
            return Ok(Begun::Done);
        }
        let changes = |config: &VmConfig| {
            let is_own = config.stamp().is_some_and(|stamp| stamp.pod_id == target.pod_id);
            Ok(if is_own { described(&Stamp::without(&config.description())) } else { Map::new() })
        };
        match self.amend(target.vmid, changes).await {
            Ok(()) => Ok(Begun::Done),
            // Its stamp went with it.
            Err(error) if error.says_no_such_vm() => {
                let node = state.other_node.unwrap_or_else(|| "another node".to_owned());
                let text = format!("VM {} is on {node}, not on this one: its stamp was left on it", target.vmid);
                Err(PveError::new(ErrorKind::Refused, text).with_presence(state.presence))
            }
            Err(error) => Err(error),
        }
    }
}

/// The stamp that this command leaves.
pub(super) fn stamp_of(request: &Request) -> Stamp {
    Stamp { pod_id: request.target.pod_id, command_id: Some(request.command_id) }
}

/// A description with this command's stamp and no other.
pub(super) fn stamped(description: &str, request: &Request) -> String {
    let kept = Stamp::without(description);
    let stamp = stamp_of(request);
    if kept.is_empty() { stamp.to_string() } else { format!("{kept}\n{stamp}") }
}

fn described(description: &str) -> Map<String, Value> {
    let (key, value) = if description.is_empty() { ("delete", "description") } else { ("description", description) };
    Map::from_iter([(key.to_owned(), value.into())])
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::types::Operation;
    use super::*;

    fn request() -> Request {
        let target = Target { vmid: 100, pod_id: Uuid::from_u128(1) };
        Request { target, command_id: Uuid::from_u128(2), operation: Operation::Adopt }
    }

    #[test]
    fn a_stamp_replaces_the_one_before_and_keeps_the_operators_words() {
        let stamp = stamp_of(&request()).to_string();
        assert_eq!(stamped("", &request()), stamp);
        assert_eq!(stamped("Anna's server\n\n", &request()), format!("Anna's server\n{stamp}"));
        let old = Stamp { pod_id: Uuid::from_u128(7), command_id: None };
        assert_eq!(stamped(&format!("one\n{old}\ntwo"), &request()), format!("one\ntwo\n{stamp}"));
    }
}
