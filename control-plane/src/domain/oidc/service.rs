//! Sends people to their provider and lets in whom it vouches for and who have an account here.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use url::Url;

use super::provider::{Journey, Provider};
use super::{Config, Vouched, store};
use crate::clock::Clock;
use crate::db::Db;
use crate::domain::access::service::{Service as Access, user_hold};
use crate::domain::audit::{Actor, Record, audit_append};
use crate::domain::credentials::service::Service as Credentials;
use crate::domain::secrets;
use crate::domain::sessions::service::{Refused, Service as Sessions};
use crate::domain::sessions::{SignedIn, Visitor};
use crate::error::{Error, Result};
use crate::ids::UserId;

/// How long somebody may take at their provider.
pub const JOURNEY: Duration = Duration::from_mins(10);

/// What a journey is sealed as.
const SEALED_AS: &str = "oidc journey";

/// What it is made of.
pub struct Parts {
    /// The store.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Seals journeys.
    pub secrets: secrets::service::Service,
    /// Finds people.
    pub credentials: Credentials,
    /// What they may do.
    pub access: Arc<Access>,
    /// Begins sign-ins.
    pub sessions: Arc<Sessions>,
}

/// Who somebody is here, or why they may not come in and who they would be.
type Found = std::result::Result<UserId, (Option<UserId>, Refused)>;

/// See the module.
pub struct Service {
    parts: Parts,
    providers: Vec<Provider>,
}

impl Service {
    /// For these providers, which send people back to `public_url`.
    pub fn new(parts: Parts, providers: &[Config], public_url: Option<&str>) -> Result<Self> {
        let public_url = public_url.unwrap_or_default();
        let providers =
            providers.iter().map(|config| Provider::new(config.clone(), public_url)).collect::<Result<_>>()?;
        Ok(Self { parts, providers })
    }

    /// The providers' names.
    pub fn provider_list(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(|provider| provider.config.name.as_str())
    }

    /// Where to send somebody, and what their browser has to keep until they return.
    pub async fn sign_in_begin(&self, name: &str) -> Result<(Url, String)> {
        let provider = self.provider(name)?;
        let now = self.parts.clock.now();
        let (url, journey) = provider.depart(now, now.plus(JOURNEY)).await?;
        let journey = serde_json::to_vec(&journey).map_err(Error::internal)?;
        let sealed = self.parts.secrets.seal(SEALED_AS, &journey)?;
        Ok((url, URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// Signs in who came back with `code` and `state`, if the provider vouches for them and the configuration lets them in.
    pub async fn sign_in_end(
        &self,
        name: &str,
        kept: &str,
        (code, state): (String, &str),
        visitor: &Visitor,
    ) -> Result<SignedIn> {
        let provider = self.provider(name)?;
        let sealed = URL_SAFE_NO_PAD.decode(kept).map_err(|_| astray())?;
        let journey = self.parts.secrets.unseal(SEALED_AS, &sealed).map_err(|_| astray())?;
        let journey: Journey = serde_json::from_slice(journey.expose()).map_err(|_| astray())?;
        if journey.provider != name {
            return Err(astray());
        }
        let vouched = provider.arrive(self.parts.clock.now(), journey, code, state).await?;
        let user = match self.user_of(&provider.config, &vouched, visitor).await? {
            Ok(user) => user,
            Err((user, why)) => return Err(self.parts.sessions.refuse(user, visitor, why).await?),
        };
        let by = format!("oidc:{name}");
        let key = self.parts.sessions.signing_key().await?;
        let mut tx = self.parts.db.begin().await?;
        // Whoever suspends the account at this moment ends this sign-in too, or has ended it before it begins.
        user_hold(&mut tx, user).await?;
        let is_staff = self.parts.access.principal(tx.conn(), user).await?.is_some_and(|principal| principal.staff);
        let may_come = (provider.config.staff || !is_staff) && self.parts.access.may_sign_in(tx.conn(), user).await?;
        if !may_come {
            drop(tx);
            return Err(self.parts.sessions.refuse(Some(user), visitor, Refused::NoAccess).await?);
        }
        let signed_in = self.parts.sessions.session_begin(&mut tx, &key, (user, &by), visitor).await?;
        tx.commit().await?;
        Ok(signed_in)
    }

    /// Who this is here. Whoever comes for the first time is found by the address that the provider has verified, if the account's
    /// has been proven as well: it may be somebody else's who made it under this address. Otherwise why they may not come in, and
    /// who they would be.
    async fn user_of(&self, config: &Config, vouched: &Vouched, visitor: &Visitor) -> Result<Found> {
        let nobody = Ok(Err((None, Refused::Unknown)));
        let mut read = self.parts.db.read().await?;
        let known = store::identity_user(read.conn(), &config.issuer, &vouched.subject).await?;
        drop(read);
        let email = vouched.email.as_deref().filter(|email| is_welcome(config, email));
        if let Some(user) = known {
            // Whose address is no longer of a domain that may come in, may not either.
            return if config.email_domains.is_empty() || email.is_some() { Ok(Ok(user)) } else { nobody };
        }
        let Some(email) = email else { return nobody };
        let Some(account) = self.parts.credentials.account_by_email(email).await? else { return nobody };
        if account.email_proven_at.is_none() {
            return Ok(Err((Some(account.id), Refused::Unproven)));
        }
        let (user, actor) = (account.id, Actor::system("oidc").at(visitor.origin()));
        let (now, subject) = (self.parts.clock.now(), vouched.subject.as_str());
        let mut tx = self.parts.db.begin().await?;
        if store::identity_insert(&mut tx, (&config.issuer, subject), user, now).await? {
            let target_id = user.to_string();
            let record =
                Record { actor: &actor, tenant: None, action: "user.identity_linked", target_kind: "user", target_id };
            audit_append(&mut tx, now, record, &json!({"issuer": config.issuer, "subject": subject})).await?;
            tx.commit().await?;
        }
        Ok(Ok(user))
    }

    fn provider(&self, name: &str) -> Result<&Provider> {
        let found = self.providers.iter().find(|provider| provider.config.name == name);
        found.ok_or_else(|| Error::not_found("OIDC provider", name))
    }
}

fn is_welcome(config: &Config, email: &str) -> bool {
    let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
    config.email_domains.is_empty() || config.email_domains.iter().any(|one| one.eq_ignore_ascii_case(domain))
}

fn astray() -> Error {
    Error::Unauthorized("you are not signed in: this browser was not sent to the provider; begin anew".to_owned())
}
