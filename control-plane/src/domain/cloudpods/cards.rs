//! The network cards that pods' VMs were given by mPanel: what they have else is drift.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::jobs::command::Nic;

/// A network card that a pod's VM was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenCard {
    /// `net0` is 0.
    pub index: u32,
    /// The host's bridge.
    pub bridge: String,
    /// VLAN tag; `None`: untagged.
    pub vlan: Option<u32>,
    /// MAC address; `None`: its host has not told yet which one it chose.
    pub mac: Option<String>,
}

/// What a VM has once it was given these cards too. The MAC address of one is as it was, unless another is said.
pub(super) fn given(before: Vec<GivenCard>, nics: &[Nic]) -> Vec<GivenCard> {
    let mut cards: BTreeMap<u32, GivenCard> = before.into_iter().map(|card| (card.index, card)).collect();
    for nic in nics {
        let kept = cards.remove(&nic.index).and_then(|card| card.mac);
        let mac = Some(nic.mac.clone()).filter(|mac| !mac.is_empty()).or(kept);
        cards.insert(nic.index, GivenCard { index: nic.index, bridge: nic.bridge.clone(), vlan: nic.vlan, mac });
    }
    cards.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_keeps_its_mac_address_until_it_is_given_another() {
        let card = |index, bridge: &str, mac: &str| GivenCard {
            index,
            bridge: bridge.into(),
            vlan: None,
            mac: Some(mac.to_owned()).filter(|mac| !mac.is_empty()),
        };
        let nic = |index, mac: &str| Nic { index, bridge: "vmbr9".into(), mac: mac.into(), ..Nic::default() };
        let before = vec![card(0, "vmbr0", "A"), card(1, "vmbr1", "B"), card(2, "vmbr2", "C")];
        let after = given(before, &[nic(3, ""), nic(1, "D"), nic(0, "")]);
        assert_eq!(after, [card(0, "vmbr9", "A"), card(1, "vmbr9", "D"), card(2, "vmbr2", "C"), card(3, "vmbr9", "")]);
    }
}
