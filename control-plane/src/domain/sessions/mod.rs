//! Sign-ins. Each begins a family of refresh tokens of which only the newest counts, and is asked for with every request that an
//! access token carries: whoever ends it, ends it at once.

pub mod access;
pub mod account;
mod keys;
mod refresh;
pub mod routes;
pub mod service;
mod store;

use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Ms;
use crate::domain::audit::Origin;
use crate::domain::credentials::Second;
use crate::domain::secrets::Secret;
use crate::ids::{SessionId, UserId};

pub use access::Access;

/// How long a sign-in lasts, however often it is refreshed.
pub const LIFETIME: Duration = Duration::from_hours(30 * 24);

/// The most sign-ins of one person; the oldest end.
const PER_USER: i64 = 100;

const USER_AGENT_CHARS_MAX: usize = 300;

/// From where somebody asks.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Their address; `None`: it is not known.
    pub address: Option<IpAddr>,
    /// What their program says that it is.
    user_agent: String,
    /// By which request, for the audit.
    origin: Option<Origin>,
}

impl Visitor {
    /// From this address, with this `User-Agent`.
    #[must_use]
    pub fn new(address: Option<IpAddr>, user_agent: &str) -> Self {
        let user_agent = user_agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS_MAX).collect();
        Self { address, user_agent, origin: None }
    }

    /// The same, by this request.
    #[must_use]
    pub fn by(self, origin: Option<Origin>) -> Self {
        Self { origin, ..self }
    }

    /// By which request they ask.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.origin.clone()
    }

    fn address(&self) -> String {
        self.address.map_or_else(|| "unknown".to_owned(), |address| address.to_canonical().to_string())
    }
}

/// What somebody shows to sign in.
#[derive(Clone)]
pub struct Shown {
    /// Their address, as they typed it.
    pub email: String,
    /// Their password.
    pub password: Secret<String>,
    /// Their second factor.
    pub second: Option<Second>,
}

/// A sign-in, begun or refreshed.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Which.
    pub session: SessionId,
    /// Who.
    pub user: UserId,
    /// For the next requests.
    pub access: Access,
    /// For the next access token; shown this once.
    pub refresh: Secret<String>,
    /// When all of it ends.
    pub expires_at: Ms,
}

/// A sign-in that stands, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// From where it was last refreshed.
    pub address: String,
    /// By which program.
    pub user_agent: String,
    /// When it began.
    pub created_at: Ms,
    /// When it was last refreshed.
    pub used_at: Ms,
    /// When it ends by itself.
    pub expires_at: Ms,
}

/// Why a sign-in ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By its owner.
    SignedOut,
    /// An older refresh token was shown: it was stolen, or the newest was.
    Replayed,
    /// The password was changed.
    PasswordChanged,
    /// Its owner may not come in anywhere any more.
    Suspended,
    /// Its owner is of the platform's staff no longer.
    NoLongerStaff,
    /// Its owner has lost what they sign in with, and was given a link for a new password.
    Recovered,
    /// Its owner has too many.
    TooMany,
    /// By whoever runs the tenant, or by staff.
    Revoked,
}

impl Ended {
    fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Replayed => "replayed",
            Self::PasswordChanged => "password_changed",
            Self::Suspended => "suspended",
            Self::NoLongerStaff => "no_longer_staff",
            Self::Recovered => "recovered",
            Self::TooMany => "too_many",
            Self::Revoked => "revoked",
        }
    }
}
