//! Sections about how pods are used.

use std::time::Duration;

use serde::Deserialize;

use super::duration;
use crate::domain::consoles;

/// `[consoles]`: consoles of pods.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Consoles {
    /// The most open on one server.
    pub per_server: u32,
    /// The most that one tenant may have open.
    pub per_tenant: u32,
    /// One on which nothing moves for so long is closed.
    #[serde(deserialize_with = "duration")]
    pub idle: Duration,
    /// The longest that one may be open.
    #[serde(deserialize_with = "duration")]
    pub longest: Duration,
    /// How often it is looked whether who opened one may still use it.
    #[serde(deserialize_with = "duration")]
    pub recheck: Duration,
}

/// `[media]`: CDs in pods' drives.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// Storages whose ISO images customers may put into their pods' drives.
    pub iso_storages: Vec<String>,
}

impl Default for Consoles {
    fn default() -> Self {
        let (idle, longest, recheck) = (Duration::from_mins(15), Duration::from_hours(12), Duration::from_mins(1));
        Self { per_server: 12, per_tenant: 8, idle, longest, recheck }
    }
}

impl Consoles {
    /// As the slice wants it.
    #[must_use]
    pub fn limits(&self) -> consoles::Limits {
        let Self { per_server, per_tenant, idle, longest, recheck } = *self;
        consoles::Limits { per_server, per_tenant, idle, longest, recheck }
    }
}
