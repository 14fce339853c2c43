//! The only place that asks what time it is.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since the Unix epoch, UTC. In JSON an RFC 3339 string, in the database a BIGINT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, sqlx::Type)]
#[sqlx(transparent)]
pub struct Ms(pub i64);

impl Ms {
    /// This time and then some; saturates at the ends of time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This time less some; saturates at the ends of time.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// As RFC 3339 with milliseconds, UTC.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|t| t.format(&Rfc3339).ok())
            .unwrap_or_else(|| self.0.to_string())
    }

    /// Reads RFC 3339; `None` when the text is not that.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let t = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(t.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }
}

impl Serialize for Ms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

impl<'de> Deserialize<'de> for Ms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_rfc3339(&text)
            .ok_or_else(|| serde::de::Error::custom("expected a time as RFC 3339, such as 2026-01-31T12:00:00Z"))
    }
}

impl utoipa::PartialSchema for Ms {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime)))
            .into()
    }
}

impl utoipa::ToSchema for Ms {}

/// Tells the time: one that leases can be judged by, or one that a test sets.
///
/// It is the database's, where several control planes share one ([`Clock::follow`]), and the system's otherwise. In either case
/// it goes on evenly when that one jumps, and catches up slowly: a lease that is good for 15 s ends after 15 s, give or take one,
/// whatever happens to the clock on the wall meanwhile.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Steady(Arc<Mutex<Steady>>),
    Manual(Arc<AtomicI64>),
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::wall(Arc::default())
    }

    /// The system's clock, `ahead` milliseconds fast: a test may make it jump.
    #[must_use]
    pub fn wall(ahead: Arc<AtomicI64>) -> Self {
        let now_ns = wall_ns(&ahead);
        Self(Source::Steady(Arc::new(Mutex::new(Steady {
            ahead,
            followed: None,
            at_ns: now_ns,
            read: Instant::now(),
        }))))
    }

    /// A clock that stands still at `start` until [`Clock::advance`].
    #[must_use]
    pub fn manual(start: Ms) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.0))))
    }

    /// The present time.
    #[must_use]
    pub fn now(&self) -> Ms {
        match &self.0 {
            Source::Manual(set) => Ms(set.load(Ordering::SeqCst)),
            Source::Steady(steady) => {
                let mut steady = steady.lock().unwrap_or_else(PoisonError::into_inner);
                Ms(steady.read(Instant::now()).div_euclid(NS_PER_MS))
            }
        }
    }

    /// From now on this goes by another clock, which says that it is `now`; the first time it takes its time over at once.
    pub fn follow(&self, now: Ms) {
        if let Source::Steady(steady) = &self.0 {
            let mut steady = steady.lock().unwrap_or_else(PoisonError::into_inner);
            let (instant, now_ns) = (Instant::now(), now.0.saturating_mul(NS_PER_MS));
            steady.read(instant);
            if steady.followed.replace((instant, now_ns)).is_none() {
                steady.at_ns = now_ns;
            }
        }
    }

    /// Moves a manual clock; another cannot be moved and stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(set) = &self.0 {
            set.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

const NS_PER_MS: i64 = 1_000_000;
/// It catches up with what it follows by so much of the time that passes: a twentieth.
const CATCH_UP: i64 = 20;
/// What it is behind by more than this it catches up at once: the machine was asleep.
const BEHIND_MAX_NS: i64 = 60 * 60 * 1_000 * NS_PER_MS;
/// What it is ahead by more than this it gives up at once: the clock was plainly wrong before.
const AHEAD_MAX_NS: i64 = 24 * BEHIND_MAX_NS;

#[derive(Debug)]
struct Steady {
    /// Milliseconds that a test puts the wall's clock ahead.
    ahead: Arc<AtomicI64>,
    /// What another clock said, and when.
    followed: Option<(Instant, i64)>,
    /// What was told when it was last read.
    at_ns: i64,
    read: Instant,
}

impl Steady {
    fn read(&mut self, instant: Instant) -> i64 {
        let target_ns = match self.followed {
            Some((since, at_ns)) => at_ns.saturating_add(ns(instant.saturating_duration_since(since))),
            None => wall_ns(&self.ahead),
        };
        self.at_ns = steadily(self.at_ns, ns(instant.saturating_duration_since(self.read)), target_ns);
        self.read = self.read.max(instant);
        self.at_ns
    }
}

/// The time `passed_ns` after `at_ns`, drawn towards `target_ns`.
fn steadily(at_ns: i64, passed_ns: i64, target_ns: i64) -> i64 {
    let natural_ns = at_ns.saturating_add(passed_ns);
    let behind_ns = target_ns.saturating_sub(natural_ns);
    if !(-AHEAD_MAX_NS..=BEHIND_MAX_NS).contains(&behind_ns) {
        return target_ns;
    }
    let most_ns = passed_ns / CATCH_UP;
    natural_ns.saturating_add(behind_ns.clamp(-most_ns, most_ns))
}

fn ns(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn wall_ns(ahead: &AtomicI64) -> i64 {
    let now_ns = i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos()).unwrap_or(i64::MAX);
    now_ns.saturating_add(ahead.load(Ordering::SeqCst).saturating_mul(NS_PER_MS))
}

/// Measures how long something takes, whatever the clock on the wall does meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Reads `500ms`, `10s`, `5m`, `24h` or `7d`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit_ms).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: i64 = 1_000 * NS_PER_MS;

    #[test]
    fn a_jump_of_the_wall_s_clock_changes_its_pace_by_a_twentieth_and_no_more() {
        for (jump_s, after_a_minute_s) in [(0, 60), (600, 63), (-600, 57), (1, 61), (-1, 59)] {
            let mut at_ns = 0;
            for tick in 1..=60_000 {
                let wall_ns = tick * NS_PER_MS + jump_s * SECOND_NS;
                let next_ns = steadily(at_ns, NS_PER_MS, wall_ns);
                assert!(next_ns > at_ns, "it never goes back");
                at_ns = next_ns;
            }
            assert_eq!(at_ns, after_a_minute_s * SECOND_NS, "a jump by {jump_s} s");
        }
    }

    #[test]
    fn a_machine_that_slept_is_on_time_at_once_and_a_date_that_was_plainly_wrong_is_given_up() {
        let day_ns = 24 * 3600 * SECOND_NS;
        assert_eq!(steadily(0, SECOND_NS, 8 * 3600 * SECOND_NS), 8 * 3600 * SECOND_NS);
        assert_eq!(steadily(9 * day_ns, SECOND_NS, day_ns), day_ns);
    }

    #[test]
    fn a_clock_that_follows_another_takes_its_time_over_once_and_never_jumps_after() {
        let ahead = Arc::new(AtomicI64::new(0));
        let clock = Clock::wall(ahead.clone());
        let others = clock.now().plus(Duration::from_mins(10));
        clock.follow(others);
        assert!(clock.now() >= others);
        ahead.store(-3_600_000, Ordering::SeqCst);
        assert!(clock.now() >= others, "its own wall means nothing to it any more");
        clock.follow(others.minus(Duration::from_mins(5)));
        let now = clock.now();
        assert!(now >= others && now.since(others) < Duration::from_mins(1), "{now:?} and {others:?}");
    }
}
