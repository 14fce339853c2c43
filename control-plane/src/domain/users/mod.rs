//! People: their accounts, which tenants they belong to and as what, and the invitations by which they come to belong.
//!
//! A tenant always has an owner who is not suspended. Whatever changes a membership first holds the tenant's row, and reads there
//! what the caller may do at that moment; so no interleaving of changes can lose the last owner or give away more than one has.

pub mod accounts;
pub mod invitations;
pub mod routes;
pub mod service;
pub mod sign_ins;
mod store;

use serde::Deserialize;

use crate::clock::Ms;
use crate::domain::access::Role;
use crate::domain::audit::Actor;
use crate::domain::check::Checks;
use crate::ids::{InvitationId, TenantId, UserId};

/// `[people]`: who may come in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The account that staff make with this address is of the platform's staff; the environment's `PLATFORM_OWNER_EMAIL` goes
    /// before it.
    pub platform_owner_email: Option<String>,
}

/// A person as a member of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// Where.
    pub tenant: TenantId,
    /// What that is called.
    pub tenant_name: String,
    /// Their address, in lower case.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// What they are there.
    pub role: Role,
    /// Since when they may not come in there; `None`: they may.
    pub suspended_at: Option<Ms>,
    /// Since when staff let them come in nowhere; `None`: they may where they belong.
    pub account_suspended_at: Option<Ms>,
    /// When they last signed in.
    pub last_sign_in_at: Option<Ms>,
    /// Counts the changes of the membership.
    pub version: i64,
    /// Since when they belong there.
    pub joined_at: Ms,
}

/// Which members to list.
#[derive(Clone, Debug, Default)]
pub struct MemberFilter {
    /// Of this role.
    pub role: Option<Role>,
    /// Suspended or not.
    pub suspended: Option<bool>,
    /// Whose address begins so, in lower case.
    pub email_prefix: Option<String>,
    /// Whose name begins so.
    pub name_prefix: Option<String>,
    /// In this order.
    pub sort: MemberSort,
}

/// In which order members are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[schema(as = UserSort)]
pub enum MemberSort {
    /// By when their accounts were made.
    #[default]
    #[serde(rename = "created_at")]
    Oldest,
    /// The same, backwards.
    #[serde(rename = "-created_at")]
    Newest,
    /// By address.
    #[serde(rename = "email")]
    Email,
    /// By address, backwards.
    #[serde(rename = "-email")]
    EmailBackwards,
}

/// Where a page of members ends: by address or by id, as it is sorted.
pub type MemberKey = (String, UserId, TenantId);

/// One-time permission to join a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Where to.
    pub tenant: TenantId,
    /// Whom.
    pub email: String,
    /// As what.
    pub role: Role,
    /// Who invited.
    pub invited_by: String,
    /// The person who did, and with whose rights it ends; `None`: the platform's own token.
    pub inviter: Option<UserId>,
    /// Whether the link was mailed to the address: whoever has it reads that mail. Otherwise it was shown to who invited.
    pub mailed: bool,
    /// When it was made.
    pub created_at: Ms,
    /// Until when it may be accepted.
    pub expires_at: Ms,
}

/// A person to be made without an invitation.
#[derive(Debug)]
pub struct UserCreate {
    /// Their address.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// Their first password; `None`: they choose one by mail, or sign in otherwise.
    pub password: Option<crate::domain::secrets::Secret<String>>,
    /// Where they are to belong, and as what.
    pub membership: Option<(TenantId, Role)>,
    /// Whether they are to be of the platform's staff.
    pub staff: bool,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Their address, in lower case.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// Whether they are of the platform's staff.
    pub staff: bool,
    /// Whether the address has been shown to be theirs: staff made the account, or a mailed link was used.
    pub email_proven: bool,
}

/// Who asks for a change of people.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// Who, for the books.
    pub actor: &'a Actor,
    /// The person whose membership says what they may; `None`: the platform's staff, who are above all roles.
    pub member: Option<UserId>,
}

/// Notes that this is no address that mail could reach. RFC 5321 allows more than anybody has.
fn check_email(checks: &mut Checks, email: &str) {
    let right = match email.split_once('@') {
        Some((local, domain)) => {
            (1..=64).contains(&local.len())
                && domain.contains('.')
                && !domain.starts_with('.')
                && !domain.ends_with('.')
                && !domain.contains("..")
                && domain.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'))
                && local.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"<>()[]\\,;:\"@".contains(c))
        }
        None => false,
    };
    checks.require(right && email.len() <= 254, "email", "must be an address such as anna@example.net");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credentials::address_of;

    #[test]
    fn an_address_is_one_that_mail_could_reach() {
        let right = |text: &str| {
            let mut checks = Checks::new();
            check_email(&mut checks, &address_of(text));
            checks.finish().is_ok()
        };
        for text in ["anna@example.net", " Anna+x@Example.net ", "a@b.c", "jörg@müller.example"] {
            assert!(right(text), "{text}");
        }
        let long = format!("{}@example.net", "a".repeat(65));
        for text in
            ["", "anna", "@example.net", "anna@", "anna@localhost", "a b@example.net", "a@b@c.d", "a\n@b.c", &long]
        {
            assert!(!right(text), "{text}");
        }
    }
}
