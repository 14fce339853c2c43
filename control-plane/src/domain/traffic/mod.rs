//! What pods' VMs receive and send, by month (UTC). Hosts tell what each VM's counters say; what a counter grew by is added to
//! the month in which it was told. A VM that was started anew counts from 0 again.

pub mod service;
mod store;

use time::OffsetDateTime;

use crate::clock::Ms;
use crate::ids::CloudPodId;

/// What a host says of one VM: its counters since its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The VM's number.
    pub vmid: u32,
    /// The pod of its stamp.
    pub pod: CloudPodId,
    /// Received by the guest.
    pub in_bytes: u64,
    /// Sent by the guest.
    pub out_bytes: u64,
    /// Since its start.
    pub uptime_s: u64,
}

/// What a pod received and sent in a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Which.
    pub month: Month,
    /// Received by the guest.
    pub in_bytes: u64,
    /// Sent by the guest.
    pub out_bytes: u64,
    /// When its host last told of it.
    pub sampled_at: Ms,
}

/// A month, UTC: 202601 is January 2026.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(pub i64);

impl Month {
    /// The month of this time.
    #[must_use]
    pub fn of(at: Ms) -> Self {
        let date = OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self(i64::from(date.year()) * 100 + i64::from(u8::from(date.month())))
    }

    /// So many months earlier.
    #[must_use]
    pub fn back(self, months: i64) -> Self {
        let count = self.0.div_euclid(100) * 12 + self.0.rem_euclid(100) - 1 - months;
        Self(count.div_euclid(12) * 100 + count.rem_euclid(12) + 1)
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.0.div_euclid(100), self.0.rem_euclid(100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_those_of_utc() {
        let of = |text: &str| Month::of(Ms::from_rfc3339(text).unwrap());
        assert_eq!(of("2026-01-31T23:59:59.999Z"), Month(202_601));
        assert_eq!(of("2026-02-01T00:30:00+01:00"), Month(202_601));
        assert_eq!(of("2026-12-01T00:00:00Z").to_string(), "2026-12");
        assert_eq!(Month(202_601).back(1), Month(202_512));
        assert_eq!(Month(202_612).back(36), Month(202_312));
    }
}
