//! A VM's firewall as a whole. What is there is read, and only what differs is changed, in an order in which at every moment every
//! packet meets either what was decided before or what is decided from now on.

use std::collections::BTreeSet;

use proxmox_api::client::Client;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::{ErrorKind, PveError, Result};
use super::firewall_plan::{
    RuleEntry, address_of, card_with_filter, ip_sets, is_alike, is_same, options_changes, options_of, rule_body,
};
use super::node::Pve;
use super::specs::{FirewallOptions, FirewallSpec};
use super::types::{Begun, Presence, Target};
use super::wire::{List, Num, Text, VmConfig, card_index, encode};

/// What keeps VMs' firewalls from having any effect, and what to do.
pub(super) const OFF: &str = "the firewall of the datacenter is off, so that no VM's firewall filters anything";
pub(super) const SWITCH_ON: &str =
    "allow there what has to reach the hosts, then set Datacenter → Firewall → Options → Firewall to Yes";

/// How often everything is tried again because somebody else changes it too.
const TRIES_MAX: u32 = 3;
/// Beside our sets there may be others, which no rule of ours names.
pub(super) const SET_PREFIX: &str = "ipfilter-net";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SetEntry {
    name: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MemberEntry {
    cidr: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DatacenterOptions {
    enable: Num,
}

impl Pve {
    pub(super) async fn firewall_set(&self, target: Target, spec: &FirewallSpec) -> Result<Begun> {
        let vmid = target.vmid;
        self.own_state(target).await?;
        let base = self.path(&format!("/qemu/{vmid}/firewall")).await?;
        let config = self.vm_config(vmid).await?;
        Self::check_own(target, &config)?;
        let sets = ip_sets(spec, &config).map_err(|text| PveError::new(ErrorKind::BadParameter, text))?;
        for _ in 0..TRIES_MAX {
            let old = self.rules_add(&base, spec).await?;
            self.sets_fill(&base, &sets).await?;
            self.options_put(&base, spec).await?;
            // From the last one up: what an old rule decided is never decided by an old rule below it.
            for pos in old.into_iter().rev() {
                self.client.delete::<_, Value>(&format!("{base}/rules/{pos}"), &()).await?;
            }
            self.sets_trim(&base, &sets).await?;
            let rules = self.rules(&base).await?;
            if rules.len() == spec.rules.len()
                && rules.iter().zip(&spec.rules).all(|(found, rule)| is_alike(found, rule))
            {
                self.cards_filter(target, spec).await?;
                return Ok(Begun::Done);
            }
        }
        let text = format!("somebody else changes the firewall of VM {vmid} at the same time");
        Err(PveError::new(ErrorKind::Locked, text).with_presence(Presence::Present))
    }

    /// Why the firewall may have no effect.
    pub(super) async fn firewall_warning(&self, spec: &FirewallSpec) -> Result<Option<String>> {
        if !spec.enabled {
            return Ok(None);
        }
        Ok((!self.is_filtering().await?).then(|| format!("{OFF}: {SWITCH_ON}")))
    }

    /// Whether VMs' firewalls have any effect.
    pub(super) async fn is_filtering(&self) -> Result<bool> {
        let options: DatacenterOptions = self.client.read("/cluster/firewall/options").await?;
        Ok(options.enable.whole() > 0)
    }

    /// The options of a VM's firewall.
    pub(super) async fn firewall_options(&self, vmid: u32) -> Result<FirewallOptions> {
        let path = self.path(&format!("/qemu/{vmid}/firewall/options")).await?;
        self.client.read::<VmConfig>(&path).await.map(|found| options_of(&found))
    }

    async fn rules(&self, base: &str) -> Result<Vec<RuleEntry>> {
        let mut rules: List<RuleEntry> = self.client.read(&format!("{base}/rules")).await?;
        rules.0.sort_by_key(|rule| rule.pos.whole());
        Ok(rules.0)
    }

    /// Puts the new rules above the old ones and switches them on from the first to the last. Returns where the old ones are now.
    async fn rules_add(&self, base: &str, spec: &FirewallSpec) -> Result<Vec<usize>> {
        let found = self.rules(base).await?;
        if found.len() == spec.rules.len() && found.iter().zip(&spec.rules).all(|(found, rule)| is_same(found, rule)) {
            return Ok(Vec::new());
        }
        let path = format!("{base}/rules");
        // A new rule comes first, so that the last one is made first; switched off until all are there.
        for rule in spec.rules.iter().rev() {
            self.client.post::<_, Value>(&path, &rule_body(rule)).await?;
        }
        for pos in 0..spec.rules.len() {
            self.client.put::<_, Value>(&format!("{path}/{pos}"), &json!({ "enable": 1 })).await?;
        }
        let first = spec.rules.len();
        Ok((first..first + found.len()).collect())
    }

    async fn options_put(&self, base: &str, spec: &FirewallSpec) -> Result<()> {
        let path = format!("{base}/options");
        let found: VmConfig = self.client.read(&path).await?;
        let changes = options_changes(&found, spec);
        if !changes.is_empty() {
            self.client.put::<_, Value>(&path, &Value::Object(changes)).await?;
        }
        Ok(())
    }

    async fn set_names(&self, base: &str) -> Result<Vec<String>> {
        let sets: List<SetEntry> = self.client.read(&format!("{base}/ipset")).await?;
        Ok(sets.0.into_iter().filter_map(|set| set.name.0).filter(|name| name.starts_with(SET_PREFIX)).collect())
    }

    /// The members of a set, as Proxmox spells them.
    async fn members(&self, base: &str, name: &str) -> Result<Vec<String>> {
        let members: List<MemberEntry> = self.client.read(&format!("{base}/ipset/{name}")).await?;
        Ok(members.0.into_iter().filter_map(|member| member.cidr.0).collect())
    }

    /// Makes the sets and adds to them what they lack.
    async fn sets_fill(&self, base: &str, wanted: &[(String, BTreeSet<String>)]) -> Result<()> {
        let names = self.set_names(base).await?;
        for (name, addresses) in wanted {
            let found = if names.contains(name) {
                self.members(base, name).await?
            } else {
                self.client.post::<_, Value>(&format!("{base}/ipset"), &json!({ "name": name })).await?;
                Vec::new()
            };
            let found: BTreeSet<String> = found.iter().filter_map(|member| address_of(member)).collect();
            for address in addresses.difference(&found) {
                self.client.post::<_, Value>(&format!("{base}/ipset/{name}"), &json!({ "cidr": address })).await?;
            }
        }
        Ok(())
    }

    /// Takes away the sets, and of sets the members, that are not wanted.
    async fn sets_trim(&self, base: &str, wanted: &[(String, BTreeSet<String>)]) -> Result<()> {
        for name in self.set_names(base).await? {
            let path = format!("{base}/ipset/{name}");
            let Some((_, addresses)) = wanted.iter().find(|(wanted, _)| *wanted == name) else {
                self.client.delete::<_, Value>(&path, &json!({ "force": 1 })).await?;
                continue;
            };
            for member in self.members(base, &name).await? {
                if address_of(&member).is_none_or(|address| !addresses.contains(&address)) {
                    self.client.delete::<_, Value>(&format!("{path}/{}", encode(&member)), &()).await?;
                }
            }
        }
        Ok(())
    }

    /// Leads the VM's cards through the firewall. Last, as with it all that was set takes effect.
    async fn cards_filter(&self, target: Target, spec: &FirewallSpec) -> Result<()> {
        if !spec.enabled {
            return Ok(());
        }
        let changes = |config: &VmConfig| {
            Self::check_own(target, config)?;
            let cards = config.iter().filter(|(key, _)| card_index(key).is_some());
            let changed = cards.filter_map(|(key, card)| Some((key.to_owned(), card_with_filter(&card)?.into())));
            Ok(changed.collect::<Map<_, _>>())
        };
        self.amend(target.vmid, changes).await
    }
}
