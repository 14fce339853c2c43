//! The life of a job as pure functions; the diagram is above the module `jobs`.

use std::time::Duration;

use super::{Job, JobError, JobState, Phase};

impl JobState {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Undoing => "undoing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Stuck => "stuck",
        }
    }

    /// As it was stored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "queued" => Self::Queued,
            "running" => Self::Running,
            "undoing" => Self::Undoing,
            "succeeded" => Self::Succeeded,
            "failed" => Self::Failed,
            "cancelled" => Self::Cancelled,
            "stuck" => Self::Stuck,
            _ => return None,
        })
    }

    /// Which way its steps are taken.
    #[must_use]
    pub fn phase(self) -> Phase {
        match self {
            Self::Undoing | Self::Stuck => Phase::Undo,
            Self::Queued | Self::Running | Self::Succeeded | Self::Failed | Self::Cancelled => Phase::Do,
        }
    }

    /// Nothing will change it any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl Phase {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Do => "do",
            Self::Undo => "undo",
        }
    }

    /// As it was stored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "do" => Some(Self::Do),
            "undo" => Some(Self::Undo),
            _ => None,
        }
    }
}

/// Where a job goes after its present step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// To this step, at its first attempt.
    Step(usize),
    /// The same step again, after a wait.
    Again,
    /// The same: its agent could take nothing on, so that was no try of it.
    Later,
    /// What was done is undone, from this step downwards.
    Undo(usize),
    /// The end, with what is left to say.
    End(Ended),
}

/// The ends that the engine itself decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Succeeded,
    /// Everything is undone.
    Undone,
    Stuck,
}

/// After a step was done.
pub(super) fn after_done(job: &Job) -> Next {
    match job.state {
        JobState::Undoing if job.step == 0 => Next::End(Ended::Undone),
        JobState::Undoing => Next::Step(job.step - 1),
        _ if job.step + 1 < job.step_count => Next::Step(job.step + 1),
        _ => Next::End(Ended::Succeeded),
    }
}

/// After a step failed.
pub(super) fn after_failure(job: &Job, retryable: bool) -> Next {
    let attempts_left = job.attempt < job.attempts_max;
    match job.state {
        // An undo is retried whatever the error: giving up leaves something held.
        JobState::Undoing if attempts_left => Next::Again,
        JobState::Undoing => Next::End(Ended::Stuck),
        _ if retryable && attempts_left && !job.cancel_requested => Next::Again,
        _ => Next::Undo(job.step),
    }
}

/// After an agent took a command on no more than one that is away would: it is waited for as long.
pub(super) fn after_refusal(job: &Job, retryable: bool) -> Next {
    match job.state {
        JobState::Undoing => Next::Later,
        _ if retryable && !job.cancel_requested => Next::Later,
        _ => Next::Undo(job.step),
    }
}

/// The attempt after [`Next::Later`]: the waits grow with it, and two tries are always left. Not the first: an earlier part of
/// the step may have been done.
pub(super) fn attempt_later(job: &Job) -> u32 {
    (job.attempt + 1).min(job.attempts_max.saturating_sub(1)).max(2)
}

/// When it is to be cancelled and has no order out. A step at its first attempt has not begun, so that the one before it is
/// the last to undo; a later attempt may have left something behind.
pub(super) fn after_cancel(job: &Job) -> Next {
    match (job.attempt, job.step) {
        (1, 0) => Next::End(Ended::Undone),
        (1, step) => Next::Undo(step - 1),
        (_, step) => Next::Undo(step),
    }
}

/// How much of the whole is done, 0..=100.
#[must_use]
pub fn overall_percent(job: &Job) -> u8 {
    if job.state == JobState::Succeeded {
        return 100;
    }
    let steps = job.step_count.max(1);
    let done = job.step * 100 + usize::from(job.step_progress.min(100));
    u8::try_from(done / steps).unwrap_or(100).min(99)
}

/// The wait before attempt `attempt` (from 2), exponential with jitter.
pub(super) fn retry_wait(attempt: u32, first: Duration, max: Duration) -> Duration {
    super::backoff_policy::interval(attempt.saturating_sub(1), first, max)
}

impl JobError {
    /// Of an error of our own.
    #[must_use]
    pub fn of(error: &crate::error::Error) -> Self {
        Self { code: error.code().to_owned(), detail: error.to_string() }
    }
}
