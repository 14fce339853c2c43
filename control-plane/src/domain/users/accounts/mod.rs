//! Accounts as the platform's staff see them: who is of the staff, who may come in at all, and who has lost what they sign in with. What
//! somebody is in a tenant is the tenant's to say; this is above it.
//!
//! There is always a member of staff who comes in, and nobody decides over their own account. Whoever changes one first holds the rows
//! of all staff, so that no interleaving of changes loses the last of them.

pub mod routes;
mod store;

pub(super) use store::staff_hold;

use serde_json::{Value, json};

use super::invitations::noted;
use super::service::{Service, may_still, note};
use super::store as people;
use crate::clock::Ms;
use crate::db::{Tx, Window};
use crate::domain::access::service::user_hold;
use crate::domain::audit::Actor;
use crate::domain::mail::Letter;
use crate::domain::secrets::Secret;
use crate::domain::sessions::{Ended, account::RESET_PAGE};
use crate::domain::throttle::Subject;
use crate::error::{Error, Result};
use crate::ids::UserId;

/// An account, whatever its person belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: UserId,
    /// Their address, in lower case.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// Whether they are of the platform's staff.
    pub staff: bool,
    /// Whether the address has been shown to be theirs.
    pub email_proven: bool,
    /// Whether a second factor is asked for.
    pub totp_enabled: bool,
    /// Since when they may come in nowhere; `None`: they may where they belong.
    pub suspended_at: Option<Ms>,
    /// When they last signed in.
    pub last_sign_in_at: Option<Ms>,
    /// Counts the changes of the account.
    pub version: i64,
    /// When it was made.
    pub created_at: Ms,
}

/// Which accounts to list.
#[derive(Clone, Debug, Default)]
pub struct AccountFilter {
    /// Of the platform's staff, or not.
    pub staff: Option<bool>,
    /// Suspended or not.
    pub suspended: Option<bool>,
    /// Whose address is this one, in lower case.
    pub email: Option<String>,
    /// Whose address begins so, in lower case.
    pub email_prefix: Option<String>,
}

/// How somebody who lost what they sign in with comes in again.
#[derive(Debug)]
pub struct Recovery {
    /// As it is now.
    pub account: Account,
    /// The link's secret, to be given to them; `None`: it was mailed to them, and nobody else is shown it.
    pub secret: Option<Secret<String>>,
    /// Until when the link is good.
    pub expires_at: Ms,
}

impl Service {
    /// A page of accounts, in the order of their making.
    pub async fn account_list(&self, filter: &AccountFilter, window: Window<UserId>) -> Result<Vec<Account>> {
        let mut read = self.db.read().await?;
        store::account_list(read.conn(), filter, window).await
    }

    /// One account.
    pub async fn account_get(&self, id: UserId) -> Result<Account> {
        let mut read = self.db.read().await?;
        store::account_get(read.conn(), id).await?.ok_or_else(|| Error::not_found("account", id))
    }

    /// Shuts somebody out everywhere, at once: their sign-ins, their API tokens and the invitations that they gave end. 409 for one's own
    /// account, and for the last of the staff. Repeatable.
    pub async fn account_suspend(&self, actor: &Actor, id: UserId) -> Result<Account> {
        let (mut tx, before) = self.account_begin(actor, id).await?;
        if before.suspended_at.is_some() {
            return Ok(before);
        }
        let after = Account { suspended_at: Some(self.clock.now()), ..before.clone() };
        let after = self.account_changed(&mut tx, actor, (&before, after), "user.account_suspended").await?;
        self.account_out(&mut tx, actor, id, Ended::Suspended).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Lets somebody in again where they belong. What ended with the suspension stays ended. Repeatable.
    pub async fn account_reactivate(&self, actor: &Actor, id: UserId) -> Result<Account> {
        let (mut tx, before) = self.account_begin(actor, id).await?;
        if before.suspended_at.is_none() {
            return Ok(before);
        }
        let after = Account { suspended_at: None, ..before.clone() };
        let after = self.account_changed(&mut tx, actor, (&before, after), "user.account_reactivated").await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Makes somebody who has an account one of the platform's staff, or no longer: then all that [`Service::account_suspend`] ends ends
    /// too, and they may sign in again as what their memberships say. `expected`: the version that the caller has read. 409 for one's
    /// own account, for the last of the staff, and for an address that nobody has shown to be theirs.
    pub async fn account_staff_set(
        &self,
        actor: &Actor,
        id: UserId,
        staff: bool,
        expected: Option<i64>,
    ) -> Result<Account> {
        let (mut tx, before) = self.account_begin(actor, id).await?;
        if expected.is_some_and(|version| version != before.version) {
            return Err(Error::Stale);
        }
        if before.staff == staff {
            return Ok(before);
        }
        if staff && !before.email_proven {
            let text = format!(
                "nobody has shown that {} is theirs who have this account: have them use \"password forgotten\" first, whose link \
                 is mailed there",
                before.email
            );
            return Err(Error::conflict("email_unproven", text));
        }
        let after = Account { staff, ..before.clone() };
        let after = self.account_changed(&mut tx, actor, (&before, after), "user.staff_changed").await?;
        if !staff {
            self.account_out(&mut tx, actor, id, Ended::NoLongerStaff).await?;
        }
        tx.commit().await?;
        Ok(after)
    }

    /// Lets somebody in anew who has lost their password, their second factor or both: takes both away, so that a password that somebody
    /// else may know is not all that is asked for, ends their sign-ins and API tokens, and makes a link for a new password. It is mailed
    /// to them; where no mails are sent it is returned, to be given to them. 409 for one's own account.
    pub async fn account_recover(&self, actor: &Actor, id: UserId) -> Result<Recovery> {
        let mailed = self.mail.is_on();
        let (mut tx, before) = self.account_begin(actor, id).await?;
        let (secret, expires_at) = self.credentials.proofs_replace(&mut tx, id, mailed).await?;
        self.sessions.sessions_end(&mut tx, actor, id, None, Ended::Recovered).await?;
        let tokens_ended = self.tokens.tokens_of_user_end(&mut tx, id).await?;
        self.throttle.attempts_forget(&mut tx, &Subject::second(id)).await?;
        let detail = json!({
            "email": before.email, "totp_enabled": before.totp_enabled, "mailed": mailed, "tokens_ended": tokens_ended,
        });
        note(&mut tx, self.clock.now(), actor, (None, id), "user.recovered", &detail).await?;
        let account = store::account_get(tx.conn(), id).await?.ok_or_else(|| Error::not_found("account", id))?;
        tx.commit().await?;
        if !mailed {
            return Ok(Recovery { account, secret: Some(secret), expires_at });
        }
        let link = self.mail.link(RESET_PAGE, secret.expose());
        self.mail.mail_send(&account.email, Letter::recovered(&link, expires_at));
        Ok(Recovery { account, secret: None, expires_at })
    }

    /// Begins a change of an account: holds it and all staff's.
    async fn account_begin(&self, actor: &Actor, id: UserId) -> Result<(Tx, Account)> {
        if actor.user() == Some(id) {
            let text = "this is your own account: have another member of the staff do it";
            return Err(Error::conflict("own_account", text));
        }
        let mut tx = self.db.begin().await?;
        store::staff_hold(&mut tx).await?;
        if !user_hold(&mut tx, id).await? {
            return Err(Error::not_found("account", id));
        }
        if let Some(caller) = actor.user() {
            may_still(&mut tx, caller, true).await?;
        }
        let account = store::account_get(tx.conn(), id).await?.ok_or_else(|| Error::not_found("account", id))?;
        Ok((tx, account))
    }

    /// Stores a change, if somebody of the staff is left who comes in; the account as it is then.
    async fn account_changed(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        (before, after): (&Account, Account),
        name: &str,
    ) -> Result<Account> {
        let (now, after) = (self.clock.now(), Account { version: before.version + 1, ..after });
        store::account_update(tx, &after, now).await?;
        if before.staff && before.suspended_at.is_none() && store::staff_count(tx.conn()).await? == 0 {
            let text = "this is the last of the platform's staff who comes in; make somebody else one of them first";
            return Err(Error::conflict("last_staff", text));
        }
        let shown = |account: &Account| json!({"staff": account.staff, "suspended_at": account.suspended_at});
        let detail: Value = json!({"email": after.email, "before": shown(before), "after": shown(&after)});
        note(tx, now, actor, (None, after.id), name, &detail).await?;
        Ok(after)
    }

    /// Ends all by which somebody comes in, or has others come in.
    async fn account_out(&self, tx: &mut Tx, actor: &Actor, id: UserId, why: Ended) -> Result<()> {
        self.sessions.sessions_end(tx, actor, id, None, why).await?;
        self.tokens.tokens_of_user_end(tx, id).await?;
        let now = self.clock.now();
        for invitation in people::invitations_of_user_end(tx, id, now).await? {
            noted(tx, now, actor, &invitation, "invitation.revoked").await?;
        }
        Ok(())
    }
}
