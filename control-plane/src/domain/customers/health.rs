//! How a customer is doing, from 0 (badly) to 100: the weighted mean of parts that are shown with it, so that nobody has to guess why.

use serde::Serialize;

use crate::clock::Ms;
use crate::domain::tenants::quotas::{Quota, Quotas};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Over so many days a payment that is overdue brings its part from 100 to 0.
const OVERDUE_DAYS: u64 = 30;
/// So long nobody needs to come, and after so long it looks as if nobody will.
const QUIET_DAYS: (u64, u64) = (14, 90);
/// Up to so many percent of a quota there is room, and at 100 there is none.
const PRESSED_PERCENT: u64 = 80;

/// How far back jobs are looked at.
pub const JOBS_DAYS: u64 = 30;

/// What is known of a customer.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Orders that are open beyond their time.
    pub overdue_orders: u64,
    /// Since when the oldest of them is.
    pub overdue_since: Option<Ms>,
    /// Jobs that ended in the last [`JOBS_DAYS`].
    pub jobs_ended: u64,
    /// Those of them that failed.
    pub jobs_failed: u64,
    /// Pods that are not deleted.
    pub pods: u64,
    /// Those of them that are suspended.
    pub pods_suspended: u64,
    /// Whether all of it is.
    pub suspended: bool,
    /// When somebody was last here; `None`: never.
    pub last_active_at: Option<Ms>,
    /// When it was made.
    pub created_at: Ms,
    /// How much it may use, and uses.
    pub quotas: Option<Quotas>,
}

/// How a customer is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = CustomerHealth)]
pub struct Health {
    /// 0 (badly) to 100: the mean of the parts' scores by their weights, rounded down.
    pub score: u32,
    /// Of what it is made.
    pub parts: Vec<Part>,
}

/// One part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = CustomerHealthPart)]
pub struct Part {
    /// `overdue_payment`, `failed_jobs`, `suspended_pods`, `inactivity` or `quota_pressure`.
    pub name: &'static str,
    /// Its share of the whole, in percent: those of all parts are 100.
    pub weight: u32,
    /// 0 to 100.
    pub score: u32,
    /// What it is decided by: days overdue, percent of jobs failed, percent of pods suspended, days of inactivity, percent of a quota.
    pub value: u64,
    /// In words.
    pub reason: String,
}

/// How a customer of whom this is known is doing at `now`.
#[must_use]
pub fn health(facts: &Facts, now: Ms) -> Health {
    let parts = vec![payment(facts, now), jobs(facts), suspended(facts), inactivity(facts, now), pressure(facts)];
    let weighted: u32 = parts.iter().map(|part| part.weight * part.score).sum();
    Health { score: weighted / 100, parts }
}

fn days(since: Ms, now: Ms) -> u64 {
    u64::try_from((now.0 - since.0).max(0) / DAY_MS).unwrap_or(0)
}

fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 { 0 } else { u64::try_from(u128::from(part) * 100 / u128::from(whole)).unwrap_or(u64::MAX) }
}

/// 100 up to `good`, 0 from `bad` on, and in a straight line between.
fn falling(value: u64, good: u64, bad: u64) -> u32 {
    if value <= good {
        return 100;
    }
    let left = bad.saturating_sub(value.min(bad));
    u32::try_from(percent(left, bad - good)).unwrap_or(100)
}

fn payment(facts: &Facts, now: Ms) -> Part {
    let (value, score, reason) = match facts.overdue_since {
        None => (0, 100, "nothing is overdue".to_owned()),
        Some(since) => {
            let late = days(since, now);
            let text = format!("{} order(s) overdue, the oldest for {late} day(s)", facts.overdue_orders);
            // From the first day on it is not as if nothing were.
            (late, falling(late + 1, 0, OVERDUE_DAYS), text)
        }
    };
    Part { name: "overdue_payment", weight: 35, score, value, reason }
}

fn jobs(facts: &Facts) -> Part {
    let value = percent(facts.jobs_failed, facts.jobs_ended);
    let reason = format!("{} of {} job(s) of {JOBS_DAYS} days failed", facts.jobs_failed, facts.jobs_ended);
    // Half of them is as bad as it gets.
    Part { name: "failed_jobs", weight: 20, score: falling(value, 0, 50), value, reason }
}

fn suspended(facts: &Facts) -> Part {
    let (value, reason) = if facts.suspended {
        (100, "the tenant is suspended".to_owned())
    } else {
        let text = format!("{} of {} pod(s) suspended", facts.pods_suspended, facts.pods);
        (percent(facts.pods_suspended, facts.pods), text)
    };
    Part { name: "suspended_pods", weight: 20, score: falling(value, 0, 100), value, reason }
}

fn inactivity(facts: &Facts, now: Ms) -> Part {
    let value = days(facts.last_active_at.unwrap_or(facts.created_at), now);
    let reason = match facts.last_active_at {
        Some(_) => format!("somebody was here {value} day(s) ago"),
        None => format!("nobody was here since it was made {value} day(s) ago"),
    };
    Part { name: "inactivity", weight: 15, score: falling(value, QUIET_DAYS.0, QUIET_DAYS.1), value, reason }
}

fn pressure(facts: &Facts) -> Part {
    let fullest = facts.quotas.as_ref().and_then(|quotas| {
        let used = Quota::ALL.into_iter().filter_map(|quota| {
            let (limit, used) = (quotas.limits.of(quota)?, quotas.used.of(quota));
            // A quota of nothing presses nobody who uses none.
            let full = if limit == 0 { if used == 0 { 0 } else { 100 } } else { percent(used, limit) };
            Some((full, quota))
        });
        used.max_by_key(|(full, _)| *full)
    });
    let (value, reason) = match fullest {
        None => (0, "nothing is limited".to_owned()),
        Some((full, quota)) => (full, format!("{full} % of the quota of {} is used", quota.as_str())),
    };
    Part { name: "quota_pressure", weight: 10, score: falling(value, PRESSED_PERCENT, 100), value, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tenants::quotas::{Amounts, Limits};

    const NOW: Ms = Ms(1_800_000_000_000);

    fn ago(days: i64) -> Ms {
        Ms(NOW.0 - days * DAY_MS)
    }

    fn check(change: impl FnOnce(&mut Facts)) -> (u32, Vec<u32>) {
        let mut facts = Facts { created_at: ago(400), last_active_at: Some(ago(1)), pods: 4, ..Facts::default() };
        change(&mut facts);
        let health = health(&facts, NOW);
        (health.score, health.parts.iter().map(|part| part.score).collect())
    }

    #[test]
    fn the_weights_are_a_whole_and_the_score_is_their_mean() {
        let all = health(&Facts::default(), NOW);
        assert_eq!(all.parts.iter().map(|part| part.weight).sum::<u32>(), 100);
        assert_eq!(check(|_| {}), (100, vec![100; 5]));
        let worst = check(|facts| {
            (facts.overdue_orders, facts.overdue_since) = (1, Some(ago(60)));
            (facts.jobs_ended, facts.jobs_failed) = (2, 2);
            facts.suspended = true;
            facts.last_active_at = None;
            let (limits, used) =
                (Limits { pods: Some(4), ..Limits::default() }, Amounts { pods: 4, ..Amounts::default() });
            facts.quotas = Some(Quotas { limits, used });
        });
        assert_eq!(worst, (0, vec![0; 5]));
    }

    #[test]
    fn each_part_falls_with_what_it_is_decided_by() {
        let overdue = |days| check(|facts| (facts.overdue_orders, facts.overdue_since) = (1, Some(ago(days)))).1[0];
        assert_eq!((overdue(0), overdue(14), overdue(29), overdue(99)), (96, 50, 0, 0));
        let failed = |failed| check(|facts| (facts.jobs_ended, facts.jobs_failed) = (100, failed)).1[1];
        assert_eq!((failed(0), failed(10), failed(50), failed(90)), (100, 80, 0, 0));
        let suspended = |pods| check(|facts| facts.pods_suspended = pods).1[2];
        assert_eq!((suspended(0), suspended(1), suspended(4)), (100, 75, 0));
        let quiet = |days| check(|facts| facts.last_active_at = Some(ago(days))).1[3];
        assert_eq!((quiet(14), quiet(52), quiet(90), quiet(400)), (100, 50, 0, 0));
        let full = |used, limit| {
            let (limits, used) =
                (Limits { vcpu: Some(limit), ..Limits::default() }, Amounts { vcpu: used, ..Amounts::default() });
            check(|facts| facts.quotas = Some(Quotas { limits, used })).1[4]
        };
        assert_eq!((full(80, 100), full(90, 100), full(100, 100), full(9, 4)), (100, 50, 0, 0));
        assert_eq!((full(0, 0), full(1, 0)), (100, 0));
    }
}
