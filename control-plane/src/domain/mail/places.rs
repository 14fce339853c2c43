//! How many of the mails that wait to be sent are one tenant's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::ids::TenantId;

/// The most that one tenant's may be: a few of all places.
const PER_TENANT: usize = 16;

/// Who has how many.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Arc<Mutex<HashMap<TenantId, usize>>>);

/// One of a tenant's places. Dropped, it is free.
#[derive(Debug)]
pub struct Place {
    tenant: TenantId,
    all: Places,
}

impl Places {
    /// One more for this tenant; `None`: it has all that it may.
    pub(super) fn take(&self, tenant: TenantId) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.entry(tenant).or_insert(0);
        if *own >= PER_TENANT {
            return None;
        }
        *own += 1;
        Some(Place { tenant, all: self.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.tenant) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_takes_its_places_and_no_other_s() {
        let (places, one, other) = (Places::default(), TenantId::generate(), TenantId::generate());
        let mut taken: Vec<_> = (0..PER_TENANT).map(|_| places.take(one).unwrap()).collect();
        assert!(places.take(one).is_none());
        assert!(places.take(other).is_some());
        taken.pop();
        assert!(places.take(one).is_some(), "one was free again");
        taken.clear();
        assert!(places.0.lock().unwrap().is_empty(), "nothing is left behind");
    }
}
