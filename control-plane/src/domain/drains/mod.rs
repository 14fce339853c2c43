//! Drains: emptying a server pod by pod, and bringing back what a drain took away.
//!
//! ```text
//!   running ⇄ blocked ──▶ done         done: both sides said so of every move, and nothing of ours is left
//!      └─────────┴──────▶ cancelled    sticks: no further move begins
//! ```
//!
//! The plan is stored, a row a pod; the loop `drains` takes it further, whichever control plane it runs on. A pod that cannot
//! be moved is shown with its blocker, and never powered off unless that was allowed.

mod advance;
mod plan;
pub mod routes;
pub mod service;
mod store;

use serde::{Deserialize, Serialize};

use crate::clock::Ms;
use crate::domain::cloudpods::Named;
use crate::domain::jobs::JobState;
use crate::domain::servers::Method;
use crate::ids::{CloudPodId, DrainId, JobId, ServerId};

pub use plan::PlanRow;

/// What a drain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Every pod goes elsewhere.
    Drain,
    /// What the drains until its opening moved away comes back.
    FillBack,
}

/// Where a drain is. See the diagram above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DrainState {
    /// Pods are being moved, or wait for their turn.
    Running,
    /// What is left cannot be moved, or its deadline has passed.
    Blocked,
    /// Nothing is left.
    Done,
    /// Somebody cancelled it.
    Cancelled,
}

/// Where a pod of a drain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PodState {
    /// It waits for its turn.
    Planned,
    /// A job moves it.
    Moving,
    /// It is where it was to go.
    Moved,
    /// It went away without this drain: deleted, or moved by somebody.
    Gone,
    /// It cannot be moved as things are.
    Blocked,
    /// The drain was cancelled before its turn came.
    Left,
}

macro_rules! stored_as {
    ($type:ty { $($variant:ident => $text:literal),+ $(,)? }) => {
        impl $type {
            /// As it is stored.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
stored_as!(Kind { Drain => "drain", FillBack => "fill_back" });
stored_as!(DrainState { Running => "running", Blocked => "blocked", Done => "done", Cancelled => "cancelled" });
stored_as!(PodState {
    Planned => "planned", Moving => "moving", Moved => "moved", Gone => "gone", Blocked => "blocked", Left => "left",
});

impl DrainState {
    /// Whether more moves may begin.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Blocked)
    }
}

impl PodState {
    /// Whether something is still to be done about it.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Planned | Self::Moving | Self::Blocked)
    }
}

/// What an operator allows a drain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Guests of VMs that cannot be moved while they run may be asked to shut down.
    pub allow_shutdown: bool,
    /// How long a guest gets for that, in seconds.
    pub shutdown_s: u64,
}

/// A drain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drain {
    /// Its id.
    pub id: DrainId,
    /// The server that is emptied, or filled again.
    pub server: ServerId,
    /// What it is for.
    pub kind: Kind,
    /// Where it is.
    pub state: DrainState,
    /// Why, in the operator's words.
    pub reason: String,
    /// No move begins after this.
    pub deadline: Option<Ms>,
    /// What it may do.
    pub options: Options,
    /// Why it is where it is, for people.
    pub note: String,
    /// Who asked for it.
    pub created_by: String,
    /// When.
    pub created_at: Ms,
    /// When it last changed.
    pub updated_at: Ms,
    /// When it was done or cancelled.
    pub finished_at: Option<Ms>,
}

/// A pod of a drain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrainPod {
    /// The pod.
    pub pod: CloudPodId,
    /// Its name.
    pub name: String,
    /// Its state: `active`, `deleted`, ….
    pub pod_state: String,
    /// The server that it is on now.
    pub at: Option<ServerId>,
    /// Where it is in the drain.
    pub state: PodState,
    /// How it is moved; `None`: it cannot be.
    pub method: Option<Method>,
    /// Where to.
    pub target: Option<Named<ServerId>>,
    /// What has to be copied; `None`: not known.
    pub bytes: Option<u64>,
    /// What keeps it here; empty: nothing.
    pub blocker: String,
    /// The job that moves it, or did.
    pub job: Option<JobId>,
    /// Where that job is.
    pub job_state: Option<JobState>,
    /// The code and the text of that job's error.
    pub job_error: Option<(String, String)>,
    /// How much of that job is done, 0..=100.
    pub progress: Option<u8>,
    /// How often it was tried.
    pub attempts: u32,
    /// Where moving it to has failed.
    pub avoid: Vec<ServerId>,
    /// Why the last try failed; empty: none did.
    pub error: String,
    /// Not before.
    pub run_at: Ms,
}

impl DrainPod {
    /// Whether its move can go neither on nor back, until somebody puts something right.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.state == PodState::Moving && self.job_state == Some(JobState::Stuck)
    }
}

/// A drain and its plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The drain.
    pub drain: Drain,
    /// The server's name.
    pub server: String,
    /// Its pods.
    pub pods: Vec<DrainPod>,
}

/// How drains are paced.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many pods one drain moves at once.
    pub at_once: u32,
    /// How many pods go to the same server at once.
    pub per_target: u32,
    /// How often a pod is tried before it is a blocker.
    pub tries_max: u32,
}
