//! Begins, refreshes, proves and ends sign-ins.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::keys::{Key, Keys};
use super::refresh::Refresh;
use super::store::{self, Family};
use super::{Ended, LIFETIME, Session, Shown, SignedIn, Visitor, access};
use crate::clock::{Clock, Ms};
use crate::db::{Db, Tx, Window};
use crate::domain::access::service::Service as AccessService;
use crate::domain::audit::{Actor, ActorKind, Record, audit_append};
use crate::domain::credentials::{Account, address_of, service::Service as Credentials};
use crate::domain::mail::{Letter, service::Service as Mail};
use crate::domain::throttle::{SECOND_FREE, Subject, network, service::Service as Throttle};
use crate::domain::{secrets, tokens};
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::{SessionId, TenantId, UserId};

/// Whoever refreshes twice with the same token within so long made two requests at once; later, the token was copied.
const AT_ONCE: Duration = Duration::from_secs(10);

/// What a sign-in is made of.
pub struct Parts {
    /// The store.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Keeps the signing keys.
    pub secrets: secrets::service::Service,
    /// Passwords and second factors.
    pub credentials: Credentials,
    /// What people may do.
    pub access: Arc<AccessService>,
    /// Tells people.
    pub mail: Mail,
    /// People's API tokens, which end with a password that somebody else may have known.
    pub tokens: tokens::service::Service,
    /// Shutdown waits for them.
    pub tasks: TaskTracker,
}

/// See the module.
pub struct Service {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) credentials: Credentials,
    pub(super) mail: Mail,
    pub(super) throttle: Throttle,
    pub(super) tasks: TaskTracker,
    pub(super) tokens: tokens::service::Service,
    access: Arc<AccessService>,
    keys: Keys,
}

/// Why a sign-in was refused, for the audit: whoever is refused is not told which.
#[derive(Clone, Copy, Debug)]
pub enum Refused {
    /// Nobody here is that.
    Unknown,
    /// It is not their password.
    Password,
    /// It is not their second factor, or was used.
    Second,
    /// They have no membership that counts.
    NoAccess,
    /// It was never shown that the account's address is its maker's.
    Unproven,
}

impl Refused {
    fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_address",
            Self::Password => "wrong_password",
            Self::Second => "wrong_second_factor",
            Self::NoAccess => "no_access",
            Self::Unproven => "address_unproven",
        }
    }
}

impl Service {
    /// Made of these.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { db, clock, secrets, credentials, access, mail, tokens, tasks } = parts;
        let keys = Keys::new(secrets, clock.clone());
        let throttle = Throttle::new(db.clone(), clock.clone());
        Self { db, clock, credentials, mail, throttle, tasks, tokens, access, keys }
    }

    /// Signs somebody in by password, and by their second factor if they have one (422 naming `totp_code` when it is missing).
    ///
    /// 401 whatever is wrong, after the same time; 429 for who failed too often, and while too many try at once.
    pub async fn sign_in(&self, shown: Shown, visitor: &Visitor) -> Result<SignedIn> {
        let email = address_of(&shown.email);
        let account = self.credentials.account_by_email(&email).await?;
        let subjects = self.subjects(&email, account.as_ref(), visitor).await?;
        self.throttle.attempt_charge(&subjects).await?;
        let is_right = match self.credentials.password_check(account.as_ref(), &shown.password).await {
            Ok(is_right) => is_right,
            Err(error) => {
                // It was not judged.
                let mut tx = self.db.begin().await?;
                self.throttle.attempt_refund(&mut tx, &subjects).await?;
                tx.commit().await?;
                return Err(error);
            }
        };
        let Some(account) = account else { return Err(self.refuse(None, visitor, Refused::Unknown).await?) };
        if !is_right {
            return Err(self.refuse(Some(account.id), visitor, Refused::Password).await?);
        }
        let key = self.signing_key().await?;
        let tries = match (&shown.second, account.totp_enabled_at) {
            (Some(_), Some(_)) => self.second_charge(&account, &subjects).await?,
            _ => 0,
        };
        let mut tx = self.db.begin().await?;
        // Checking took its time: a password that was changed meanwhile has ended the sign-ins that it began.
        if !self.credentials.account_hold(&mut tx, &account).await? {
            drop(tx);
            return Err(self.refuse(Some(account.id), visitor, Refused::Password).await?);
        }
        if account.totp_enabled_at.is_some() {
            let Some(second) = &shown.second else {
                self.throttle.attempt_refund(&mut tx, &subjects).await?;
                tx.commit().await?;
                let message = "this account has a second factor: give its code, or a recovery_code";
                return Err(Error::invalid("totp_code", message));
            };
            if !self.credentials.second_use(&mut tx, &account, second).await? {
                drop(tx);
                return Err(self.second_refuse(&account, tries, visitor).await?);
            }
            self.throttle.attempts_forget(&mut tx, &Subject::second(account.id)).await?;
        }
        self.throttle.attempt_refund(&mut tx, &subjects).await?;
        // What others guessed elsewhere stays counted: they do not come by new guesses whenever the owner comes in.
        self.throttle.attempts_forget(&mut tx, &Subject::account_from(&email, visitor.address)).await?;
        if !self.access.may_sign_in(tx.conn(), account.id).await? {
            tx.commit().await?;
            return Err(self.refuse(Some(account.id), visitor, Refused::NoAccess).await?);
        }
        let signed_in = self.session_begin(&mut tx, &key, (account.id, "password"), visitor).await?;
        tx.commit().await?;
        Ok(signed_in)
    }

    /// Counts a try of a second factor, which is judged after the right password alone: strangers do not keep an account's owner waiting.
    /// 429 when it has to wait; what was `charged` for it before is taken back, for it was right or not judged. How many have failed
    /// with this one.
    pub(super) async fn second_charge(&self, account: &Account, charged: &[Subject]) -> Result<i64> {
        let counted = self.throttle.attempt_charge(&[Subject::second(account.id)]).await;
        if counted.is_err() {
            let mut tx = self.db.begin().await?;
            self.throttle.attempt_refund(&mut tx, charged).await?;
            tx.commit().await?;
        }
        counted
    }

    /// Refuses a wrong second factor, after so many. Once there are more than anybody mistypes, its owner is told that somebody knows
    /// their password.
    pub(super) async fn second_refuse(&self, account: &Account, failures: i64, visitor: &Visitor) -> Result<Error> {
        let refused = self.refuse(Some(account.id), visitor, Refused::Second).await?;
        if failures == i64::from(SECOND_FREE) {
            self.mail.mail_send(&account.email, Letter::second_guessed(self.clock.now(), &visitor.address()));
        }
        Ok(refused)
    }

    /// All that an attempt at this account counts for.
    pub(super) async fn subjects(
        &self,
        email: &str,
        account: Option<&Account>,
        visitor: &Visitor,
    ) -> Result<Vec<Subject>> {
        // It is looked up of nobody too, or who there is could be told by the time that it takes.
        let user = account.map_or(UserId(Uuid::nil()), |account| account.id);
        let mut read = self.db.read().await?;
        let addresses = store::session_addresses(read.conn(), user, self.clock.now()).await?;
        let here = visitor.address.map(network);
        let is_known = addresses.iter().any(|one| one.parse().is_ok_and(|one| Some(network(one)) == here));
        Ok(Subject::sign_in(email, visitor.address, is_known))
    }

    /// The key that signs now. It may have to be made, so it is asked for before a transaction begins.
    pub async fn signing_key(&self) -> Result<Key> {
        self.keys.present().await
    }

    /// Begins a sign-in of somebody who has proven who they are, `by` what.
    pub async fn session_begin(
        &self,
        tx: &mut Tx,
        key: &Key,
        (user, by): (UserId, &str),
        visitor: &Visitor,
    ) -> Result<SignedIn> {
        let (id, now) = (SessionId::generate(), self.clock.now());
        let (refresh, expires_at) = (Refresh::generate(key, id, 1)?, now.plus(LIFETIME));
        let (refresh_hash, address) = (refresh.hash(), visitor.address());
        let user_agent = visitor.user_agent.as_str();
        let new = store::New { id, user, refresh_hash: &refresh_hash, address: &address, user_agent, now, expires_at };
        store::session_insert(tx, &new).await?;
        store::sign_in_note(tx, user, now).await?;
        let detail = json!({"by": by, "address": address, "user_agent": user_agent});
        let actor = of(user, id).at(visitor.origin());
        self.note(tx, &actor, "session.started", id, &detail).await?;
        for old in store::sessions_trim(tx, user, Ended::TooMany.as_str(), now).await? {
            self.note(tx, &actor, "session.ended", old, &json!({"reason": Ended::TooMany.as_str()})).await?;
        }
        let access = access::issue(key, now, user, id)?;
        Ok(SignedIn { session: id, user, access, refresh: refresh.text(), expires_at })
    }

    /// Exchanges a refresh token for the next one and an access token.
    ///
    /// 401 for one that is not good; an older one ends the sign-in. 409 (`refresh_raced`) for the second of two requests at once.
    pub async fn session_refresh(&self, shown: &str, visitor: &Visitor) -> Result<SignedIn> {
        let token = Refresh::parse(shown).ok_or_else(over)?;
        let key = self.signing_key().await?;
        let is_ours = self.keys.named(token.period).await?.is_some_and(|key| token.is_ours(&key));
        if !is_ours {
            return Err(over());
        }
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let family = store::family_get(tx.conn(), token.session).await?.ok_or_else(over)?;
        if family.ended_at.is_some() || family.expires_at <= now {
            return Err(over());
        }
        let is_newest = family.generation == token.generation && bool::from(family.refresh_hash.ct_eq(&token.hash()));
        if !is_newest {
            return Err(self.replayed(tx, &token, &family, visitor).await?);
        }
        if !self.access.may_sign_in(tx.conn(), family.user_id).await? {
            return Err(over());
        }
        let next = Refresh::generate(&key, token.session, token.generation + 1)?;
        let from = (visitor.address(), visitor.user_agent.as_str());
        let of = (token.session, token.generation);
        if !store::session_refresh(&mut tx, of, &next.hash(), (&from.0, from.1), now).await? {
            return Err(raced());
        }
        tx.commit().await?;
        let access = access::issue(&key, now, family.user_id, token.session)?;
        let (session, user, expires_at) = (token.session, family.user_id, family.expires_at);
        Ok(SignedIn { session, user, access, refresh: next.text(), expires_at })
    }

    /// What to make of a token of ours that is not the newest: somebody has a copy.
    async fn replayed(&self, mut tx: Tx, token: &Refresh, family: &Family, visitor: &Visitor) -> Result<Error> {
        if token.generation >= family.generation {
            return Ok(over());
        }
        let now = self.clock.now();
        if token.generation + 1 == family.generation && now.since(family.used_at) < AT_ONCE {
            return Ok(raced());
        }
        let (user, id, reason) = (family.user_id, token.session, Ended::Replayed.as_str());
        if store::session_end(&mut tx, user, id, reason, now).await? {
            let detail = json!({"reason": reason, "generation": token.generation, "newest": family.generation,
                "address": visitor.address()});
            let actor = Actor::system("sign-in").at(visitor.origin());
            self.note(&mut tx, &actor, "session.ended", id, &detail).await?;
            tx.commit().await?;
            tracing::warn!(session = %id, %user, "an old refresh token was shown: its sign-in is ended");
        }
        Ok(over())
    }

    /// Whose access token this is; `None`: it is none of ours. 401 when it is over. Whether its sign-in still stands is asked for apart, with
    /// what its owner may do.
    pub async fn access_verify(&self, token: &str) -> Result<Option<(UserId, SessionId)>> {
        access::verify(&self.keys, self.clock.now(), token).await
    }

    /// Whether it is the CSRF token of this sign-in.
    pub async fn csrf_verify(&self, session: SessionId, shown: &str) -> Result<bool> {
        access::csrf_verify(&self.keys, session, shown).await
    }

    /// Ends one of a person's sign-ins, by their own wish. 404 when they have none such.
    pub async fn session_end(&self, actor: &Actor, user: UserId, id: SessionId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        self.session_end_in(&mut tx, actor, (None, user), id, Ended::SignedOut).await?;
        tx.commit().await
    }

    /// The same in the caller's transaction, for whatever reason; `tenant`: in whose audit it is to be seen.
    pub async fn session_end_in(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        (tenant, user): (Option<TenantId>, UserId),
        id: SessionId,
        why: Ended,
    ) -> Result<()> {
        let (now, subject) = (self.clock.now(), id.to_string());
        if !store::session_end(tx, user, id, why.as_str(), now).await? {
            return Err(Error::not_found("session", id));
        }
        let detail = json!({"reason": why.as_str(), "user_id": user});
        let record =
            Record { actor, tenant, action: "session.ended", target_kind: "session", target_id: subject.clone() };
        audit_append(tx, now, record, &detail).await?;
        event_append(tx, now, Event { tenant, name: "session.ended", subject }, &detail).await
    }

    /// Ends a person's sign-ins, all but one.
    pub async fn sessions_end(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        user: UserId,
        but: Option<SessionId>,
        why: Ended,
    ) -> Result<()> {
        let reason = why.as_str();
        for id in store::sessions_end(tx, user, but, reason, self.clock.now()).await? {
            self.note(tx, actor, "session.ended", id, &json!({"reason": reason})).await?;
        }
        Ok(())
    }

    /// A page of a person's sign-ins that stand, the oldest first.
    pub async fn session_list(&self, user: UserId, window: Window<SessionId>) -> Result<Vec<Session>> {
        let mut read = self.db.read().await?;
        store::session_list(read.conn(), user, self.clock.now(), window).await
    }

    /// Deletes what is long over: sign-ins, links, failures, keys.
    pub async fn sessions_prune(&self, tx: &mut Tx, before: Ms, limit: u32) -> Result<u64> {
        let sessions = store::sessions_prune(tx, before, i64::from(limit)).await?;
        let resets = self.credentials.resets_prune(tx, before, limit).await?;
        let failures = self.throttle.attempts_prune(tx, limit).await?;
        self.keys.prune(tx).await?;
        Ok(sessions.max(resets).max(failures))
    }

    /// Audits a refusal; what its caller is told.
    pub async fn refuse(&self, user: Option<UserId>, visitor: &Visitor, why: Refused) -> Result<Error> {
        let actor = Actor::system("sign-in").at(visitor.origin());
        let (now, address) = (self.clock.now(), visitor.address());
        // The address of somebody unknown is not kept: it may be a password that was typed in the wrong field.
        let (target_kind, target_id) = user.map_or(("address", address.clone()), |user| ("user", user.to_string()));
        let (action, detail) = ("sign_in.refused", json!({"reason": why.as_str(), "address": address}));
        let mut tx = self.db.begin().await?;
        let record = Record { actor: &actor, tenant: None, action, target_kind, target_id: target_id.clone() };
        audit_append(&mut tx, now, record, &detail).await?;
        event_append(&mut tx, now, Event { tenant: None, name: action, subject: target_id }, &detail).await?;
        tx.commit().await?;
        metrics::counter!("mpanel_sign_ins_refused_total", "reason" => why.as_str()).increment(1);
        Ok(Error::Unauthorized(
            "the address, the password or the second factor is wrong, or this account may not sign in".to_owned(),
        ))
    }

    /// Audits something about a sign-in, and tells it.
    async fn note(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        action: &'static str,
        id: SessionId,
        detail: &Value,
    ) -> Result<()> {
        let (now, subject) = (self.clock.now(), id.to_string());
        let record = Record { actor, tenant: None, action, target_kind: "session", target_id: subject.clone() };
        audit_append(tx, now, record, detail).await?;
        event_append(tx, now, Event { tenant: None, name: action, subject }, detail).await
    }

    /// Audits something about a person's account, and tells it.
    pub(super) async fn note_user(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        action: &'static str,
        account: &Account,
        detail: &Value,
    ) -> Result<()> {
        let (now, subject) = (self.clock.now(), account.id.to_string());
        let record = Record { actor, tenant: None, action, target_kind: "user", target_id: subject.clone() };
        audit_append(tx, now, record, detail).await?;
        event_append(tx, now, Event { tenant: None, name: action, subject }, detail).await
    }
}

/// Which sign-in a refresh token names, whether it is good or not.
pub fn session_named(shown: &str) -> Result<SessionId> {
    Refresh::parse(shown).map(|token| token.session).ok_or_else(over)
}

fn of(user: UserId, session: SessionId) -> Actor {
    Actor::new(ActorKind::User { user, session: Some(session) })
}

fn over() -> Error {
    Error::Unauthorized("this sign-in is over: sign in again".to_owned())
}

fn raced() -> Error {
    Error::conflict("refresh_raced", "another request has refreshed this sign-in at this moment: use what it was given")
}
