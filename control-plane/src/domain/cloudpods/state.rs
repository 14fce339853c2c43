//! The life of a pod.
//!
//! ```text
//! requested ──▶ provisioning ──▶ active ◀──▶ suspended
//!     │              │              │            │
//!     │              │              ▼            │
//!     └──────────────┴─────────▶ deleting ◀──────┘
//!                    │           │  │  ▲
//!                    ▼           │  │  │ DELETE again
//!                 failed ◀───────┘  │  │         a destroy that failed: what the pod holds stays held
//!                    │              ▼  │
//!                    └──────────────┼──┘
//!                                deleted
//! ```
//!
//! A pod whose adoption failed holds nothing and is `deleted` at once, so that its name is free.
//!
//! A transition consumes the state and either gives the next one or says why not and what to do.

use crate::clock::Ms;
use crate::error::Error;

/// Where a pod is in its life. See the diagram above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Asked for; its job has not begun.
    Requested,
    /// Its VM is being made.
    Provisioning,
    /// Its VM exists and is the customer's to use.
    Active,
    /// Its VM exists and the customer may not use it.
    Suspended,
    /// Its VM is being removed.
    Deleting,
    /// Its VM is known to be absent and all that it held is free.
    Deleted {
        /// When that was known.
        at: Ms,
    },
    /// It could not be made, or could not be removed.
    Failed {
        /// Why, in full.
        cause: String,
    },
}

/// Why a transition is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The state it is in.
    pub state: &'static str,
    /// What was asked for.
    pub wanted: &'static str,
    /// What to do instead.
    pub cure: &'static str,
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let Refused { state, wanted, cure } = refused;
        let code = match state {
            "deleting" => "cloudpod_deleting",
            "deleted" => "cloudpod_deleted",
            "suspended" => "cloudpod_suspended",
            _ => "cloudpod_state",
        };
        Self::conflict(code, format!("the pod is {state}, so it cannot {wanted}: {cure}"))
    }
}

impl State {
    /// As it is stored and shown.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleting => "deleting",
            Self::Deleted { .. } => "deleted",
            Self::Failed { .. } => "failed",
        }
    }

    /// Its job has begun. Repeatable, and open to a failed pod whose provisioning is retried.
    pub fn provision_begin(self) -> Result<Self, Refused> {
        match self {
            Self::Requested | Self::Provisioning | Self::Failed { .. } => Ok(Self::Provisioning),
            Self::Active | Self::Suspended => {
                Err(self.refuse("be provisioned", "it is provisioned already; there is nothing to do"))
            }
            Self::Deleting | Self::Deleted { .. } => Err(self.refuse("be provisioned", "create another one")),
        }
    }

    /// Its VM runs.
    pub fn provision_succeed(self) -> Result<Self, Refused> {
        match self {
            Self::Provisioning => Ok(Self::Active),
            _ => Err(self.refuse("become active", "read it again")),
        }
    }

    /// Its VM could not be made. A pod that is being deleted stays so: the customer's newer wish counts.
    #[must_use]
    pub fn provision_fail(self, cause: String) -> Self {
        match self {
            Self::Requested | Self::Provisioning | Self::Failed { .. } => Self::Failed { cause },
            Self::Active | Self::Suspended | Self::Deleting | Self::Deleted { .. } => self,
        }
    }

    /// The VM that it was to be made of is somebody else's again: there is nothing that it could be.
    #[must_use]
    pub fn adoption_fail(self, at: Ms) -> Self {
        match self {
            Self::Requested | Self::Provisioning | Self::Failed { .. } => Self::Deleted { at },
            Self::Active | Self::Suspended | Self::Deleting | Self::Deleted { .. } => self,
        }
    }

    /// Somebody wants it gone.
    pub fn destroy_begin(self) -> Result<Self, Refused> {
        match self {
            Self::Requested
            | Self::Provisioning
            | Self::Active
            | Self::Suspended
            | Self::Deleting
            | Self::Failed { .. } => Ok(Self::Deleting),
            Self::Deleted { .. } => Err(self.refuse("be deleted", "it is gone already; there is nothing to do")),
        }
    }

    /// Its VM is known to be absent.
    pub fn destroy_succeed(self, at: Ms) -> Result<Self, Refused> {
        match self {
            Self::Deleting => Ok(Self::Deleted { at }),
            _ => Err(self.refuse("become deleted", "delete it first")),
        }
    }

    /// Its VM could not be removed: it keeps what it holds.
    #[must_use]
    pub fn destroy_fail(self, cause: String) -> Self {
        match self {
            Self::Deleting => Self::Failed { cause },
            _ => self,
        }
    }

    /// The destroy was cancelled before it began. A pod that was still being made stays without a VM.
    #[must_use]
    pub fn destroy_cancel(self, was: &str, failure: Option<String>) -> Self {
        match (&self, was) {
            (Self::Deleting, "active") => Self::Active,
            (Self::Deleting, "suspended") => Self::Suspended,
            (Self::Deleting, _) => {
                Self::Failed { cause: failure.unwrap_or_else(|| "its provisioning was cancelled".to_owned()) }
            }
            _ => self,
        }
    }

    /// Its customer may not use it from now on.
    pub fn suspend_begin(self) -> Result<Self, Refused> {
        match self {
            Self::Active => Ok(Self::Suspended),
            Self::Suspended => Err(self.refuse("be suspended", "it is already; lift that suspension first")),
            _ => self.power_change("be suspended").map(|()| self),
        }
    }

    /// Its suspension is over, or could not be carried out.
    #[must_use]
    pub fn suspend_end(self) -> Self {
        if self == Self::Suspended { Self::Active } else { self }
    }

    /// Whether its suspension may be lifted.
    pub fn unsuspend(&self) -> Result<(), Refused> {
        if *self == Self::Suspended {
            return Ok(());
        }
        Err(self.refuse("be unsuspended", "it is not suspended; there is nothing to do"))
    }

    /// Whether its VM may be made anew; `again`: it failed because that did not succeed.
    pub fn rebuild(&self, again: bool) -> Result<(), Refused> {
        match self {
            Self::Failed { .. } if again => Ok(()),
            _ => self.power_change("be rebuilt"),
        }
    }

    /// Its VM was made anew.
    #[must_use]
    pub fn rebuild_succeed(self) -> Self {
        match self {
            Self::Active | Self::Failed { .. } => Self::Active,
            _ => self,
        }
    }

    /// Its old VM is gone, or may be, and it has no new one yet.
    #[must_use]
    pub fn rebuild_fail(self, cause: String) -> Self {
        match self {
            Self::Active | Self::Failed { .. } => Self::Failed { cause },
            _ => self,
        }
    }

    /// Its host was declared lost, and its VM with it. What is on its way out stays so.
    #[must_use]
    pub fn server_lost(self, cause: String) -> Self {
        match self {
            Self::Requested | Self::Provisioning | Self::Active | Self::Suspended => Self::Failed { cause },
            Self::Failed { .. } | Self::Deleting | Self::Deleted { .. } => self,
        }
    }

    /// Its VM was found, and is its own again. `suspended`: it was when it was lost.
    pub fn vm_found(self, suspended: bool) -> Result<Self, Refused> {
        match self {
            Self::Active | Self::Suspended => Ok(self),
            Self::Failed { .. } if suspended => Ok(Self::Suspended),
            Self::Failed { .. } => Ok(Self::Active),
            Self::Requested | Self::Provisioning => {
                Err(self.refuse("be given a VM", "wait until its provisioning job has ended"))
            }
            Self::Deleting | Self::Deleted { .. } => {
                Err(self.refuse("be given a VM", "destroy the VM, or adopt it as another pod"))
            }
        }
    }

    /// Whether the customer may start, stop, restart and change it.
    pub fn power_change(&self, wanted: &'static str) -> Result<(), Refused> {
        match self {
            Self::Active => Ok(()),
            Self::Requested | Self::Provisioning => {
                Err(self.refuse(wanted, "wait until its provisioning job has succeeded"))
            }
            Self::Suspended => Err(self.refuse(wanted, "lift the suspension first")),
            Self::Deleting => Err(self.refuse(wanted, "create another one")),
            Self::Deleted { .. } => Err(self.refuse(wanted, "it is gone; create another one")),
            Self::Failed { .. } => Err(self.refuse(
                wanted,
                "see its `failure` for the cause; if it had a VM, restore it from a backup or accept the VM where it was found \
                 (`mpanel drift list`), else delete it and create another one",
            )),
        }
    }

    /// Whether its VM may be moved to another server.
    pub fn migrate(&self) -> Result<(), Refused> {
        let wanted = "be moved";
        match self {
            Self::Active | Self::Suspended => Ok(()),
            Self::Requested | Self::Provisioning => {
                Err(self.refuse(wanted, "wait until its provisioning job has ended"))
            }
            Self::Deleting => Err(self.refuse(wanted, "it is on its way out")),
            Self::Deleted { .. } => Err(self.refuse(wanted, "it is gone")),
            Self::Failed { .. } => Err(self.refuse(wanted, "see its `failure` for the cause, then delete it")),
        }
    }

    /// Whether its record may be changed.
    pub fn update(&self) -> Result<(), Refused> {
        match self {
            Self::Active | Self::Suspended | Self::Failed { .. } => Ok(()),
            Self::Requested | Self::Provisioning => {
                Err(self.refuse("be changed", "wait until its provisioning job has ended"))
            }
            Self::Deleting => Err(self.refuse("be changed", "it is on its way out")),
            Self::Deleted { .. } => Err(self.refuse("be changed", "it is gone")),
        }
    }

    fn refuse(&self, wanted: &'static str, cure: &'static str) -> Refused {
        Refused { state: self.as_str(), wanted, cure }
    }
}
