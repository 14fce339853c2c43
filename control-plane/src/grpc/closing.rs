//! The ways in which a session ends, and what the agent is told of each.

use std::ops::RangeInclusive;

use proto::agent::v1 as wire;
use tonic::Status;

use super::hub::EndReason;
use super::outbound::Farewell;
use super::status_of;
use crate::error::Error;

/// How long another machine than the one that was enrolled stays away.
const OTHER_MACHINE_PAUSE_MS: u64 = 5 * 60 * 1000;

/// Why and how a session ends. The label is for the metric.
#[derive(Debug)]
pub(super) struct Close {
    pub(super) label: &'static str,
    pub(super) farewell: Farewell,
}

impl Close {
    pub(super) fn status(label: &'static str, status: Status) -> Self {
        Self { label, farewell: Farewell { go_away: None, status: Some(status) } }
    }

    pub(super) fn go_away(label: &'static str, reason: wire::GoAwayReason, status: Status) -> Self {
        let go_away =
            wire::GoAway { reason: reason.into(), message: status.message().to_owned(), reconnect_after_ms: 0 };
        Self { label, farewell: Farewell { go_away: Some(go_away), status: Some(status) } }
    }

    pub(super) fn gone(label: &'static str) -> Self {
        Self { label, farewell: Farewell::default() }
    }

    pub(super) fn error(error: &Error) -> Self {
        Self::status("error", status_of(error))
    }

    pub(super) fn revoked() -> Self {
        let text = "this certificate was revoked, or its server was deleted: enrol again with a new join token";
        Self::go_away("revoked", wire::GoAwayReason::Revoked, Status::unauthenticated(text))
    }

    /// The agent's pause after this is a long one, and ends when it is enrolled anew: until then it is kept out every time.
    pub(super) fn other_machine(text: String) -> Self {
        let status = Status::failed_precondition(text);
        Self::go_away("other_machine", wire::GoAwayReason::Superseded, status).back_after(OTHER_MACHINE_PAUSE_MS)
    }

    pub(super) fn shutdown(reconnect_after_ms: u64) -> Self {
        let status = Status::unavailable("the control plane is shutting down");
        Self::go_away("shutdown", wire::GoAwayReason::Shutdown, status).back_after(reconnect_after_ms)
    }

    fn back_after(mut self, ms: u64) -> Self {
        if let Some(go_away) = &mut self.farewell.go_away {
            go_away.reconnect_after_ms = ms;
        }
        self
    }

    /// The stream broke, or what came cannot be read.
    pub(super) fn unreadable(status: Status) -> Self {
        use tonic::Code;
        match status.code() {
            Code::OutOfRange | Code::InvalidArgument | Code::Internal | Code::ResourceExhausted => {
                Self::status("unreadable", status)
            }
            _ => Self::gone("disconnected"),
        }
    }

    pub(super) fn no_common_protocol(theirs: &RangeInclusive<u32>) -> Self {
        let ours = protocol();
        let advice = if theirs.end() < ours.start() { "update the agent" } else { "update the control plane" };
        let text = format!(
            "no common protocol version: the agent speaks {} to {}, the control plane {} to {}; {advice}",
            theirs.start(),
            theirs.end(),
            ours.start(),
            ours.end()
        );
        Self::go_away("protocol", wire::GoAwayReason::Protocol, Status::failed_precondition(text))
    }
}

impl From<EndReason> for Close {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::Superseded => Self::go_away(
                "superseded",
                wire::GoAwayReason::Superseded,
                Status::aborted(
                    "a newer session of the same server exists; if this host did not open it, another has its identity",
                ),
            ),
            EndReason::Revoked => Self::revoked(),
            EndReason::Expired => Self::go_away(
                "expired",
                wire::GoAwayReason::Revoked,
                Status::unauthenticated("the agent's certificate has expired: enrol again with a new join token"),
            ),
            EndReason::Overflow => Self::status(
                "overflow",
                Status::resource_exhausted(
                    "the agent did not read its messages; they are sent again in its next session",
                ),
            ),
        }
    }
}

/// The newest version that both sides speak.
pub(super) fn negotiate(theirs: &RangeInclusive<u32>, ours: &RangeInclusive<u32>) -> Option<u32> {
    let newest = *theirs.end().min(ours.end());
    (newest >= *theirs.start().max(ours.start())).then_some(newest)
}

/// The protocol versions that this process speaks. A test may make it an older or a newer one: `MPANEL_FAULT_PROTOCOL=0-1`.
#[cfg(feature = "fault-points")]
pub(super) fn protocol() -> RangeInclusive<u32> {
    let wanted = std::env::var("MPANEL_FAULT_PROTOCOL").ok();
    let ends = wanted.as_deref().and_then(|text| text.split_once('-'));
    ends.and_then(|(min, max)| Some(min.parse().ok()?..=max.parse().ok()?)).unwrap_or(proto::PROTOCOL)
}

/// Those of this build.
#[cfg(not(feature = "fault-points"))]
#[inline]
pub(super) fn protocol() -> RangeInclusive<u32> {
    proto::PROTOCOL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_protocol_is_taken() {
        for (theirs, ours, agreed) in [
            (1..=1, 1..=1, Some(1)),
            (1..=3, 2..=5, Some(3)),
            (2..=9, 1..=4, Some(4)),
            (1..=2, 3..=4, None),
            (5..=6, 1..=4, None),
            (RangeInclusive::new(3, 2), 1..=9, None),
        ] {
            assert_eq!(negotiate(&theirs, &ours), agreed, "{theirs:?} and {ours:?}");
        }
    }

    #[test]
    fn who_is_to_be_updated_is_said() {
        let text = |range| format!("{:?}", Close::no_common_protocol(&range).farewell.status);
        assert!(text(0..=0).contains("update the agent"));
        assert!(text(7..=9).contains("update the control plane"));
    }
}
