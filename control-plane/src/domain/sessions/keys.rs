//! The keys that sign access tokens. There is a new one every 30 days: its number is the period, so that all control planes agree
//! on it without asking each other; whoever needs it first makes it. A token names its key, and only one of this period or of its
//! neighbours is looked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Ms};
use crate::db::Tx;
use crate::domain::secrets::{self, Secret};
use crate::error::{Error, Result};

const PERIOD: Duration = Duration::from_hours(30 * 24);
const KEY_BYTES: usize = 32;
/// Older keys than those of so many periods ago are gone; a control plane that stood still for longer forgets none before.
const FORGOTTEN: i64 = 6;

/// A key, and which one it is.
#[derive(Clone)]
pub struct Key {
    pub(super) period: i64,
    pub(super) secret: Arc<Secret<Vec<u8>>>,
}

/// See the module.
pub(super) struct Keys {
    secrets: secrets::service::Service,
    clock: Clock,
    held: Mutex<BTreeMap<i64, Arc<Secret<Vec<u8>>>>>,
}

impl Keys {
    pub(super) fn new(secrets: secrets::service::Service, clock: Clock) -> Self {
        Self { secrets, clock, held: Mutex::default() }
    }

    /// The key to sign with now.
    pub(super) async fn present(&self) -> Result<Key> {
        let period = period_of(self.clock.now());
        if let Some(key) = self.find(period).await? {
            return Ok(key);
        }
        let mut bytes = vec![0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(Error::internal)?;
        let kept = self.secrets.secret_put(&name_of(period), &Secret::new(bytes), &[]).await?;
        Ok(self.hold(period, kept.secret))
    }

    /// The key that a token names; `None`: there is none that could have signed it.
    pub(super) async fn named(&self, period: i64) -> Result<Option<Key>> {
        let now = period_of(self.clock.now());
        // A neighbour's clock may be a little ahead.
        if !(now - 1..=now + 1).contains(&period) {
            return Ok(None);
        }
        self.find(period).await
    }

    /// Deletes the keys that have signed nothing that could still count.
    pub(super) async fn prune(&self, tx: &mut Tx) -> Result<()> {
        let now = period_of(self.clock.now());
        for period in now - FORGOTTEN..now - 1 {
            self.secrets.secret_forget(tx, &name_of(period)).await?;
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|period, _| *period >= now - 1);
        Ok(())
    }

    async fn find(&self, period: i64) -> Result<Option<Key>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).get(&period).cloned();
        if let Some(secret) = held {
            return Ok(Some(Key { period, secret }));
        }
        let kept = self.secrets.secret_get(&name_of(period)).await?;
        Ok(kept.map(|kept| self.hold(period, kept.secret)))
    }

    fn hold(&self, period: i64, secret: Secret<Vec<u8>>) -> Key {
        let secret = Arc::new(secret);
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(period, secret.clone());
        Key { period, secret }
    }
}

fn period_of(now: Ms) -> i64 {
    now.0.div_euclid(i64::try_from(PERIOD.as_millis()).unwrap_or(i64::MAX))
}

fn name_of(period: i64) -> String {
    format!("sign_in_key/{period}")
}
