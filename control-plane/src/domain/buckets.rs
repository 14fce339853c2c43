//! A stretch of time, cut into steps of one length: what a plot of the past is drawn from.

use std::time::Duration;

use crate::clock::Ms;
use crate::error::{Error, Result};

/// The steps from one time to another. Each begins at a multiple of its length; the last one may not be over yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buckets {
    since: Ms,
    until: Ms,
    step: Duration,
}

impl Buckets {
    /// The steps that end after `since`, up to the one that `until` falls into: adjoining stretches share none. Left out: until
    /// now, and as many steps as may be. `Invalid` when that is no stretch, or more than `most` steps; the fields are `since`
    /// and `until`, and `step` in the words.
    pub fn new(now: Ms, since: Option<Ms>, until: Option<Ms>, step: Duration, most: u32) -> Result<Self> {
        let until = round_up(until.unwrap_or(now).max(Ms(0)), step);
        let since = since.map_or_else(|| until.minus(step * most), |since| round_up(since, step)).max(Ms(0));
        if since > until {
            return Err(Error::invalid("since", "is after until; ask for a time that goes forward"));
        }
        if until.since(since) > step * most {
            let step = step.as_secs();
            let text =
                format!("lies more than {most} steps of {step} s before until: ask for less time, or a longer step");
            return Err(Error::invalid("since", text));
        }
        Ok(Self { since, until, step })
    }

    /// When the first begins.
    #[must_use]
    pub fn since(&self) -> Ms {
        self.since
    }

    /// When the last ends.
    #[must_use]
    pub fn until(&self) -> Ms {
        self.until
    }

    /// Their length in milliseconds, which a time is divided by to get the number of its step.
    #[must_use]
    pub fn step_ms(&self) -> i64 {
        i64::try_from(self.step.as_millis()).unwrap_or(i64::MAX)
    }

    /// When the step of this number begins.
    #[must_use]
    pub fn begin(&self, number: i64) -> Ms {
        Ms(number.saturating_mul(self.step_ms()))
    }

    /// When each begins, the earliest first.
    pub fn begins(&self) -> impl Iterator<Item = Ms> {
        let step = self.step;
        std::iter::successors(Some(self.since), move |at| Some(at.plus(step))).take_while(|at| *at < self.until)
    }
}

/// The end of the step that a time falls into; a time between two steps stays where it is.
fn round_up(at: Ms, step: Duration) -> Ms {
    let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1);
    let over = at.0.rem_euclid(step);
    if over == 0 { at } else { Ms(at.0.saturating_add(step - over)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(since: Option<i64>, until: Option<i64>) -> Result<Vec<i64>, String> {
        let minute = Duration::from_mins(1);
        let buckets = Buckets::new(Ms(600_500), since.map(Ms), until.map(Ms), minute, 3);
        Ok(buckets.map_err(|error| error.to_string())?.begins().map(|at| at.0 / 60_000).collect())
    }

    #[test]
    fn a_stretch_is_cut_at_multiples_of_the_step_and_holds_the_present_one() {
        assert_eq!(check(None, None).unwrap(), [8, 9, 10]);
        assert_eq!(check(Some(480_500), None).unwrap(), [9, 10], "what began before is not all there");
        assert_eq!(check(Some(480_000), Some(600_000)).unwrap(), [8, 9]);
        assert_eq!(check(Some(600_000), Some(720_000)).unwrap(), [10, 11], "adjoining stretches share none");
        assert_eq!(check(Some(600_000), Some(600_000)).unwrap(), [0_i64; 0]);
        assert_eq!(check(None, Some(30_000)).unwrap(), [0], "before there was time there is nothing");
    }

    #[test]
    fn what_is_too_much_or_no_stretch_is_refused() {
        assert!(check(Some(0), None).unwrap_err().starts_with("since: lies more than 3 steps of 60 s before until"));
        assert!(check(Some(i64::MIN), None).unwrap_err().starts_with("since: lies more than 3"));
        assert!(check(Some(700_000), None).unwrap_err().starts_with("since: is after until"));
        assert!(check(Some(0), Some(i64::MAX)).unwrap_err().starts_with("since: lies more than 3"));
    }
}
