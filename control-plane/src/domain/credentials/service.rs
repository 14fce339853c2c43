//! Checks and changes what people prove with who they are.

use std::time::Duration;

use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::{Account, Enrolment, OneTime, Second, recovery_generate, recovery_hash, store, totp};
use crate::clock::{Clock, Ms};
use crate::db::{Conn, Db, Tx};
use crate::domain::check::Checks;
use crate::domain::passwords::{self, service::Service as Passwords};
use crate::domain::secrets::{self, Secret};
use crate::error::{Error, Result};
use crate::ids::UserId;

/// How long a link for a new password is good.
pub const RESET_LIFETIME: Duration = Duration::from_hours(1);

/// See the module.
#[derive(Clone)]
pub struct Service {
    db: Db,
    clock: Clock,
    passwords: Passwords,
    secrets: secrets::service::Service,
}

impl Service {
    /// Over this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock, passwords: Passwords, secrets: secrets::service::Service) -> Self {
        Self { db, clock, passwords, secrets }
    }

    /// The person of this address.
    pub async fn account_by_email(&self, email: &str) -> Result<Option<Account>> {
        let mut read = self.db.read().await?;
        store::account_by_email(read.conn(), email).await
    }

    /// The person.
    pub async fn account_get(&self, user: UserId) -> Result<Account> {
        let mut read = self.db.read().await?;
        store::account_get(read.conn(), user).await?.ok_or_else(|| Error::not_found("user", user))
    }

    /// Holds an account for the transaction, so that what it was proven with does not change before that ends. `false`: it
    /// has changed since it was read.
    pub async fn account_hold(&self, tx: &mut Tx, account: &Account) -> Result<bool> {
        store::account_hold(tx, account.id, account.password_hash.as_deref(), account.totp_enabled_at).await
    }

    /// Whether it is their password. It takes as long where there is no such person, or they have no password.
    pub async fn password_check(&self, account: Option<&Account>, password: &Secret<String>) -> Result<bool> {
        let hash = account.and_then(|account| account.password_hash.as_deref());
        self.passwords.password_verify(password, hash).await
    }

    /// The hash of a new password, if it may be one.
    pub async fn password_hash(&self, account: &Account, field: &str, password: &Secret<String>) -> Result<String> {
        let mut checks = Checks::default();
        passwords::check(&mut checks, field, password.expose(), &account.email);
        checks.finish()?;
        self.passwords.password_hash(password).await
    }

    /// Sets a password, and makes the links useless by which another could be set.
    pub async fn password_set(&self, tx: &mut Tx, user: UserId, hash: &str) -> Result<()> {
        let now = self.clock.now();
        if !store::password_set(tx, user, hash, now).await? {
            return Err(Error::not_found("user", user));
        }
        store::resets_close(tx, user, now).await
    }

    /// Notes that somebody has shown to read the mail of their account's address, by a link that was mailed there.
    pub async fn email_prove(&self, tx: &mut Tx, user: UserId) -> Result<()> {
        store::email_prove(tx, user, self.clock.now()).await
    }

    /// Uses up a second factor; `false`: it is wrong, or was used.
    pub async fn second_use(&self, tx: &mut Tx, account: &Account, second: &Second) -> Result<bool> {
        let now = self.clock.now();
        match second {
            Second::Recovery(code) => {
                store::recovery_use(tx, account.id, &recovery_hash(account.id, code.expose()), now).await
            }
            Second::Code(code) => {
                let Some(sealed) = &account.totp_secret else { return Ok(false) };
                let secret = self.secrets.unseal(&sealed_as(account.id), sealed)?;
                match totp::step_of(&secret, &account.email, code.expose(), now)? {
                    Some(step) => store::totp_use(tx, account.id, step).await,
                    None => Ok(false),
                }
            }
        }
    }

    /// How many recovery codes are left.
    pub async fn recovery_left(&self, conn: Conn<'_>, user: UserId) -> Result<i64> {
        store::recovery_left(conn, user).await
    }

    /// Makes a secret for an authenticator. It counts for nothing until [`Service::totp_confirm`].
    pub async fn totp_enrol(&self, tx: &mut Tx, account: &Account) -> Result<Enrolment> {
        let secret = totp::generate()?;
        let sealed = self.secrets.seal(&sealed_as(account.id), secret.expose())?;
        if !store::totp_offer(tx, account.id, &sealed, self.clock.now()).await? {
            return Err(on_already());
        }
        totp::enrolment(&secret, &account.email)
    }

    /// From now on a second factor is asked for; the recovery codes, shown this once.
    pub async fn totp_confirm(&self, tx: &mut Tx, account: &Account, code: &str) -> Result<Vec<Secret<String>>> {
        let (Some(sealed), None) = (&account.totp_secret, account.totp_enabled_at) else {
            return Err(match account.totp_enabled_at {
                Some(_) => on_already(),
                None => Error::conflict("totp_not_enrolled", "there is nothing to confirm: enrol first"),
            });
        };
        let secret = self.secrets.unseal(&sealed_as(account.id), sealed)?;
        let now = self.clock.now();
        let step = totp::step_of(&secret, &account.email, code, now)?.ok_or_else(|| {
            Error::invalid("code", "is not the authenticator's present code; check the clocks of both if it is right")
        })?;
        if !store::totp_enable(tx, account.id, sealed, step, now).await? {
            return Err(Error::conflict("totp_changed", "it was enrolled anew or confirmed meanwhile; start again"));
        }
        let codes = recovery_generate()?;
        store::recovery_clear(tx, account.id).await?;
        for code in &codes {
            store::recovery_insert(tx, account.id, &recovery_hash(account.id, code.expose())).await?;
        }
        Ok(codes)
    }

    /// From now on no second factor is asked for.
    pub async fn totp_disable(&self, tx: &mut Tx, user: UserId) -> Result<()> {
        if !store::totp_clear(tx, user, self.clock.now()).await? {
            return Err(Error::conflict("totp_off", "there is no second factor to take away"));
        }
        store::recovery_clear(tx, user).await
    }

    /// Takes away all that somebody proves who they are with: password, second factor, recovery codes, links. What is left to them is
    /// the link that this makes, as [`Service::reset_create`] does.
    pub async fn proofs_replace(&self, tx: &mut Tx, user: UserId, mailed: bool) -> Result<(Secret<String>, Ms)> {
        let now = self.clock.now();
        if !store::proofs_clear(tx, user, now).await? {
            return Err(Error::not_found("user", user));
        }
        store::recovery_clear(tx, user).await?;
        store::resets_close(tx, user, now).await?;
        self.reset_create(tx, user, mailed).await
    }

    /// Makes a one-time link's secret for a new password, and when it ends. `mailed`: it goes to the account's address and is shown to
    /// nobody else. Earlier ones stay good, or a stranger who asks again and again would make each useless before it is read; all end
    /// with the first that is used.
    pub async fn reset_create(&self, tx: &mut Tx, user: UserId, mailed: bool) -> Result<(Secret<String>, Ms)> {
        let now = self.clock.now();
        let (link, until) = (OneTime::generate(Uuid::now_v7())?, now.plus(RESET_LIFETIME));
        store::reset_insert(tx, link.id, user, &link.hash(), (mailed, now, until)).await?;
        Ok((link.text(), until))
    }

    /// Whose link this is, if it is still good. It is used up by [`Service::reset_use`].
    pub async fn reset_check(&self, secret: &str) -> Result<UserId> {
        let mut read = self.db.read().await?;
        Ok(self.reset_find(read.conn(), secret).await?.user)
    }

    /// Uses a link up; whether it was mailed to its account's address, and shown to nobody else.
    pub async fn reset_use(&self, tx: &mut Tx, secret: &str) -> Result<bool> {
        let reset = self.reset_find(tx.conn(), secret).await?;
        if store::reset_use(tx, reset.id, self.clock.now()).await? { Ok(reset.mailed) } else { Err(useless()) }
    }

    async fn reset_find(&self, conn: Conn<'_>, secret: &str) -> Result<store::Reset> {
        let link = OneTime::parse(secret).ok_or_else(useless)?;
        let reset = store::reset_get(conn, link.id, self.clock.now()).await?.ok_or_else(useless)?;
        if bool::from(reset.secret_hash.as_slice().ct_eq(&link.hash())) { Ok(reset) } else { Err(useless()) }
    }

    /// Deletes links that ended long ago.
    pub async fn resets_prune(&self, tx: &mut Tx, before: Ms, limit: u32) -> Result<u64> {
        store::resets_prune(tx, before, i64::from(limit)).await
    }
}

/// What a user's TOTP secret is sealed as: it opens in no other user's row.
fn sealed_as(user: UserId) -> String {
    format!("totp/{user}")
}

fn on_already() -> Error {
    Error::conflict("totp_on", "there is a second factor already: disable it first")
}

fn useless() -> Error {
    Error::invalid("secret", "is not, or no longer, good: it works once, for an hour; ask for another link")
}
