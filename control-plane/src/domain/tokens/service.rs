//! Makes, checks and replaces tokens.

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use tokio_util::task::TaskTracker;

use super::{check_chosen, generate, hash, store};
use crate::clock::{Clock, Ms};
use crate::db::{Db, Tx};
use crate::domain::access::BOOTSTRAP;
use crate::domain::audit::{Actor, Record, audit_append};
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};
use crate::ids::TokenId;

/// A use is noted when the last one noted is older.
const USED_AGAIN_MS: i64 = 60_000;

/// See the module.
#[derive(Clone, Debug)]
pub struct Service {
    pub(super) db: Db,
    pub(super) clock: Clock,
    /// Tokens whose use is being noted at this moment.
    noting: Arc<Mutex<HashSet<TokenId>>>,
}

impl Service {
    /// Over this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock, noting: Arc::default() }
    }

    /// Sees to it that there is a platform token. The chosen one replaces any other; without one, the first start makes
    /// one, writes it to `file` if one is given, and returns it. `None`: there was one already.
    pub async fn token_bootstrap(&self, chosen: Option<&str>, file: Option<&Path>) -> Result<Option<Secret<String>>> {
        if let Some(chosen) = chosen {
            check_chosen(chosen)?;
            if self.token_verify(chosen).await?.is_some() {
                return Ok(None);
            }
            let replaced = self.replace(&Secret::new(chosen.to_owned()), "environment", None).await;
            // Of two control planes that start at once with the same token, one makes it.
            if replaced.is_err() && self.token_verify(chosen).await?.is_some() {
                return Ok(None);
            }
            return replaced.map(|()| None);
        }
        let token = generate()?;
        let mut tx = self.db.begin().await?;
        if !self.insert(&mut tx, &token, "first start").await? {
            return Ok(None);
        }
        write(file, &token)?;
        tx.commit().await?;
        Ok(Some(token))
    }

    /// Replaces the platform token by a new one: the way back in for who has lost it and can reach the database.
    pub async fn token_rotate(&self, file: Option<&Path>) -> Result<Secret<String>> {
        let token = generate()?;
        self.replace(&token, "command line", file).await?;
        Ok(token)
    }

    /// Which of the platform's own tokens this is, if it is one.
    pub async fn token_verify(&self, token: &str) -> Result<Option<TokenId>> {
        let mut read = self.db.read().await?;
        store::token_find(read.conn(), &hash(token)).await
    }

    /// Notes that a token is used, at most once a minute and beside the request: nobody waits for it.
    pub fn token_used(&self, tasks: &TaskTracker, id: TokenId, last_used_at: Option<Ms>) {
        let now = self.clock.now();
        let before = Ms(now.0.saturating_sub(USED_AGAIN_MS));
        if last_used_at.is_some_and(|last| last > before) || !self.noting().insert(id) {
            return;
        }
        let this = self.clone();
        tasks.spawn(async move {
            if let Err(error) = this.note(id, now, before).await {
                tracing::debug!(%error, "a token's last use could not be noted: its next use will be");
            }
            this.noting().remove(&id);
        });
    }

    async fn note(&self, id: TokenId, now: Ms, before: Ms) -> Result<()> {
        let mut tx = self.db.begin().await?;
        store::token_touch(&mut tx, now, id, before).await?;
        tx.commit().await
    }

    fn noting(&self) -> MutexGuard<'_, HashSet<TokenId>> {
        self.noting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn replace(&self, token: &Secret<String>, by: &'static str, file: Option<&Path>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        store::tokens_revoke(&mut tx, self.clock.now(), BOOTSTRAP).await?;
        if !self.insert(&mut tx, token, by).await? {
            return Err(Error::conflict(
                "token_taken",
                "somebody else is replacing the token at this moment; try again",
            ));
        }
        write(file, token)?;
        tx.commit().await
    }

    async fn insert(&self, tx: &mut Tx, token: &Secret<String>, by: &'static str) -> Result<bool> {
        let (id, now) = (TokenId::generate(), self.clock.now());
        if !store::token_insert(tx, now, id, BOOTSTRAP, &hash(token.expose())).await? {
            return Ok(false);
        }
        let actor = Actor::system(by);
        let target_id = id.to_string();
        let record = Record { actor: &actor, tenant: None, action: "token.created", target_kind: "token", target_id };
        audit_append(tx, now, record, &json!({"name": BOOTSTRAP})).await?;
        Ok(true)
    }
}

/// Writes the token where only its owner can read it.
fn write(file: Option<&Path>, token: &Secret<String>) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    let wrong = |error: std::io::Error| {
        Error::invalid("http.bootstrap_token_file", format!("{} cannot be written: {error}", file.display()))
    };
    let beside = file.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(wrong(error)),
        _ => {}
    }
    let mut new = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(wrong)?;
    writeln!(new, "{}", token.expose()).and_then(|()| new.sync_all()).map_err(wrong)?;
    fs::rename(&beside, file).map_err(wrong)
}
