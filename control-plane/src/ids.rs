//! Typed identifiers. All are UUIDv7: unique without asking anybody, and in the order of their creation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, later than all that this process made before.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// A hosting company's customer account: the boundary of all customer data.
    TenantId,
    /// A registered Proxmox VE host.
    ServerId,
    /// A customer's VM.
    CloudPodId,
    /// One thing to do to one pod or server.
    JobId,
    /// One order to an agent; the agent runs each id at most once.
    CommandId,
    /// A VM template under a customer-facing name.
    ImageId,
    /// A size and a price.
    PlanId,
    /// A backup of a pod.
    BackupId,
    /// A console that was asked for.
    ConsoleId,
    /// A range of addresses.
    IpPoolId,
    /// The emptying of a server, or the filling after it.
    DrainId,
    /// A bearer token of the API.
    TokenId,
    /// A person.
    UserId,
    /// A one-time link by which somebody joins a tenant.
    InvitationId,
    /// What one sign-in began.
    SessionId,
    /// A one-time link by which somebody chooses a new password.
    PasswordResetId,
    /// A one-time token with which an agent enrols.
    EnrolmentTokenId,
    /// One running control plane process.
    InstanceId,
    /// What one control plane asks another.
    CallId,
    /// An entry of the outbox.
    EventId,
    /// Where events are sent.
    WebhookId,
    /// A message to a webhook's receiver.
    DeliveryId,
    /// An audit record.
    AuditId,
    /// A difference between what is wanted and what a host shows.
    DriftId,
    /// Something that a customer pays once.
    OrderId,
    /// Something that a customer pays again and again.
    SubscriptionId,
}

/// A list of ids as the JSON functions of both databases can read it: an object, as every JSON that is stored or sent.
#[derive(Debug, Serialize)]
pub struct IdList {
    ids: Vec<String>,
}

impl FromIterator<Uuid> for IdList {
    fn from_iter<I: IntoIterator<Item = Uuid>>(ids: I) -> Self {
        Self { ids: ids.into_iter().map(|id| id.simple().to_string()).collect() }
    }
}
