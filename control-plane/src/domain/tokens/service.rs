//! Makes, checks and replaces tokens.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::{BOOTSTRAP, check_chosen, generate, hash, store};
use crate::clock::Clock;
use crate::db::{Db, Tx};
use crate::domain::audit::{Actor, Record, audit_append};
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};
use crate::ids::TokenId;

/// See the module.
#[derive(Clone, Debug)]
pub struct Service {
    db: Db,
    clock: Clock,
}

impl Service {
    /// Over this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Sees to it that there is a platform token. The chosen one replaces any other; without one, the first start makes
    /// one, writes it to `file` if one is given, and returns it. `None`: there was one already.
    pub async fn token_bootstrap(&self, chosen: Option<&str>, file: Option<&Path>) -> Result<Option<Secret<String>>> {
        if let Some(chosen) = chosen {
            check_chosen(chosen)?;
            if self.token_verify(chosen).await?.is_none() {
                self.replace(&Secret::new(chosen.to_owned()), "environment", None).await?;
            }
            return Ok(None);
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

    /// Whose token this is, if it is one.
    pub async fn token_verify(&self, token: &str) -> Result<Option<TokenId>> {
        let shown = hash(token);
        let mut read = self.db.read().await?;
        let mut found = None;
        for (id, kept) in store::tokens_active(read.conn()).await? {
            // All of them are compared, each in constant time: how long it takes tells nothing.
            if bool::from(kept.as_slice().ct_eq(&shown)) {
                found = Some(id);
            }
        }
        Ok(found)
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
