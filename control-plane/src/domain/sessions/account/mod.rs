//! What people change about how they sign in: password, second factor.

pub mod routes;

use serde_json::json;

use super::service::{Refused, Service};
use super::{Ended, Visitor, store};
use crate::db::Tx;
use crate::domain::audit::Actor;
use crate::domain::credentials::{Account, Enrolment, Second, address_of};
use crate::domain::mail::Letter;
use crate::domain::secrets::Secret;
use crate::domain::throttle::Subject;
use crate::error::{Error, Result};
use crate::ids::{SessionId, UserId};

/// The page of the console where a new password is set.
pub const RESET_PAGE: &str = "reset-password";

/// A person who signed in, and from where.
#[derive(Clone, Copy)]
pub struct Who<'a> {
    /// As the audit has it.
    pub actor: &'a Actor,
    /// Who.
    pub user: UserId,
    /// By which sign-in.
    pub session: SessionId,
    /// From where.
    pub visitor: &'a Visitor,
}

impl Service {
    /// A person's account.
    pub async fn account_get(&self, user: UserId) -> Result<(Account, i64)> {
        let account = self.credentials.account_get(user).await?;
        let mut read = self.db.read().await?;
        let left = self.credentials.recovery_left(read.conn(), user).await?;
        Ok((account, left))
    }

    /// Sets another password. It ends the person's other sign-ins, with `end_tokens` their API tokens too, and they are told by mail.
    pub async fn password_change(
        &self,
        who: Who<'_>,
        present: &Secret<String>,
        new: &Secret<String>,
        end_tokens: bool,
    ) -> Result<()> {
        let account = self.proven(who, "current_password", present).await?;
        let hash = self.credentials.password_hash(&account, "new_password", new).await?;
        let mut tx = self.begin(who, &account).await?;
        let tokens_ended =
            self.password_set(&mut tx, who.actor, &account, &hash, (Some(who.session), end_tokens)).await?;
        tx.commit().await?;
        self.mail.mail_send(&account.email, Letter::password_changed(self.clock.now(), tokens_ended));
        Ok(())
    }

    /// Sends a link for a new password to this address, if somebody has it. Whether somebody has, neither the answer tells nor how
    /// long it takes. 409 where no mails are sent.
    pub async fn password_forgotten(self: &std::sync::Arc<Self>, email: &str, visitor: &Visitor) -> Result<()> {
        if !self.mail.is_on() {
            let detail = "no mails are sent here ([mail] is not configured): ask whoever runs this control plane";
            return Err(Error::conflict("mail_off", detail));
        }
        let email = address_of(email);
        self.throttle.attempt_charge(&[Subject::links_from(visitor.address), Subject::links_to(&email)]).await?;
        let (service, actor) = (self.clone(), Actor::system("sign-in").at(visitor.origin()));
        self.tasks.spawn(async move {
            if let Err(error) = service.link_send(&actor, &email).await {
                tracing::error!(%error, cause = ?error, "a link for a new password could not be sent");
            }
        });
        Ok(())
    }

    async fn link_send(&self, actor: &Actor, email: &str) -> Result<()> {
        let Some(account) = self.credentials.account_by_email(email).await? else { return Ok(()) };
        let mut tx = self.db.begin().await?;
        let (secret, until) = self.credentials.reset_create(&mut tx, account.id, true).await?;
        self.note_user(&mut tx, actor, "user.password_link_sent", &account, &json!({})).await?;
        tx.commit().await?;
        let link = self.mail.link(RESET_PAGE, secret.expose());
        self.mail.mail_send(&account.email, Letter::password_reset(&link, until));
        Ok(())
    }

    /// Sets another password by a link's secret, once: whoever has one that was mailed reads the mail of the account's address. It ends
    /// all of the person's sign-ins and API tokens, since somebody else may have had the account and made some; their second factor
    /// stays.
    pub async fn password_reset(&self, secret: &str, new: &Secret<String>, visitor: &Visitor) -> Result<()> {
        self.throttle.attempt_charge(&[Subject::address(visitor.address)]).await?;
        let user = self.credentials.reset_check(secret).await?;
        let account = self.credentials.account_get(user).await?;
        let hash = self.credentials.password_hash(&account, "password", new).await?;
        let mut tx = self.db.begin().await?;
        let mailed = self.credentials.reset_use(&mut tx, secret).await?;
        let actor = Actor::person(user).at(visitor.origin());
        let tokens_ended = self.password_set(&mut tx, &actor, &account, &hash, (None, true)).await?;
        if mailed {
            self.credentials.email_prove(&mut tx, user).await?;
        }
        self.throttle.attempt_refund(&mut tx, &[Subject::address(visitor.address)]).await?;
        self.throttle.attempts_forget(&mut tx, &Subject::account_from(&account.email, visitor.address)).await?;
        self.throttle.attempts_forget(&mut tx, &Subject::account(&account.email)).await?;
        tx.commit().await?;
        self.mail.mail_send(&account.email, Letter::password_changed(self.clock.now(), tokens_ended));
        Ok(())
    }

    /// Ends all sign-ins `but` one, and API tokens if they are to end; how many of these there were.
    async fn password_set(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        account: &Account,
        hash: &str,
        (but, end_tokens): (Option<SessionId>, bool),
    ) -> Result<u64> {
        self.credentials.password_set(tx, account.id, hash).await?;
        self.sessions_end(tx, actor, account.id, but, Ended::PasswordChanged).await?;
        let ended = if end_tokens { self.tokens.tokens_of_user_end(tx, account.id).await? } else { 0 };
        self.note_user(tx, actor, "user.password_changed", account, &json!({"tokens_ended": ended})).await?;
        Ok(ended)
    }

    /// Makes a secret for an authenticator, shown this once.
    pub async fn totp_enrol(&self, who: Who<'_>, password: &Secret<String>) -> Result<Enrolment> {
        let account = self.proven(who, "password", password).await?;
        let mut tx = self.begin(who, &account).await?;
        let enrolment = self.credentials.totp_enrol(&mut tx, &account).await?;
        self.note_user(&mut tx, who.actor, "user.totp_enrolled", &account, &json!({})).await?;
        tx.commit().await?;
        Ok(enrolment)
    }

    /// From now on a second factor is asked for: its first code shows that the authenticator has it. The recovery codes.
    pub async fn totp_confirm(&self, who: Who<'_>, code: &str) -> Result<Vec<Secret<String>>> {
        let subjects = [Subject::address(who.visitor.address)];
        self.throttle.attempt_charge(&subjects).await?;
        let account = self.credentials.account_get(who.user).await?;
        let mut tx = self.begin(who, &account).await?;
        let codes = self.credentials.totp_confirm(&mut tx, &account, code).await?;
        self.note_user(&mut tx, who.actor, "user.totp_enabled", &account, &json!({})).await?;
        self.throttle.attempt_refund(&mut tx, &subjects).await?;
        tx.commit().await?;
        Ok(codes)
    }

    /// From now on no second factor is asked for. It takes the password and the factor itself.
    pub async fn totp_disable(&self, who: Who<'_>, password: &Secret<String>, second: &Second) -> Result<()> {
        let account = self.proven(who, "password", password).await?;
        let subjects = self.subjects(&account.email, Some(&account), who.visitor).await?;
        self.throttle.attempt_charge(&subjects).await?;
        let tries = self.second_charge(&account, &subjects).await?;
        let mut tx = self.begin(who, &account).await?;
        if account.totp_enabled_at.is_some() && !self.credentials.second_use(&mut tx, &account, second).await? {
            drop(tx);
            self.second_refuse(&account, tries, who.visitor).await?;
            return Err(Error::invalid("totp_code", "is wrong, or was used: give the next one, or a recovery_code"));
        }
        self.credentials.totp_disable(&mut tx, account.id).await?;
        self.note_user(&mut tx, who.actor, "user.totp_disabled", &account, &json!({})).await?;
        self.throttle.attempts_forget(&mut tx, &Subject::second(account.id)).await?;
        self.throttle.attempt_refund(&mut tx, &subjects).await?;
        tx.commit().await
    }

    /// Holds the account of somebody who is still signed in and whose password and factor are still those that were checked.
    async fn begin(&self, who: Who<'_>, account: &Account) -> Result<Tx> {
        let mut tx = self.db.begin().await?;
        let holds = self.credentials.account_hold(&mut tx, account).await?;
        if holds && store::session_stands(tx.conn(), who.session, self.clock.now()).await? {
            return Ok(tx);
        }
        let detail = "the password or the second factor was changed meanwhile: sign in again";
        Err(Error::conflict("account_changed", detail))
    }

    /// The account, once its owner has shown their password again. It is guessed at no faster than at the sign-in.
    async fn proven(&self, who: Who<'_>, field: &str, password: &Secret<String>) -> Result<Account> {
        let account = self.credentials.account_get(who.user).await?;
        if account.password_hash.is_none() {
            return Err(Error::conflict(
                "password_none",
                "this account has no password yet: set one by the link of \"password forgotten\"",
            ));
        }
        let subjects = self.subjects(&account.email, Some(&account), who.visitor).await?;
        self.throttle.attempt_charge(&subjects).await?;
        let is_right = self.credentials.password_check(Some(&account), password).await;
        if !matches!(is_right, Ok(false)) {
            let mut tx = self.db.begin().await?;
            self.throttle.attempt_refund(&mut tx, &subjects).await?;
            tx.commit().await?;
        }
        if is_right? {
            return Ok(account);
        }
        self.refuse(Some(account.id), who.visitor, Refused::Password).await?;
        Err(Error::invalid(field, "is not the present password"))
    }
}
