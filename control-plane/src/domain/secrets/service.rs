//! Keeps secrets in the database, sealed.

use super::envelope::{NONCE_BYTES, Sealed};
use super::{EnvelopeKey, Kept, Secret, store};
use crate::clock::Clock;
use crate::db::{Conn, Db, Tx};
use crate::error::{Error, Result};

/// See the module.
#[derive(Clone, Debug)]
pub struct Service {
    db: Db,
    clock: Clock,
    key: EnvelopeKey,
}

impl Service {
    /// Keeps secrets in `db` under `key`.
    #[must_use]
    pub fn new(db: Db, clock: Clock, key: EnvelopeKey) -> Self {
        Self { db, clock, key }
    }

    /// The secret of that name, if there is one. A conflict (`secret_key_wrong`) when it is sealed under another key.
    pub async fn secret_get(&self, name: &str) -> Result<Option<Kept>> {
        let mut read = self.db.read().await?;
        let Some((sealed, public)) = store::secret_get(read.conn(), name).await? else { return Ok(None) };
        self.open(name, &sealed, public).map(Some)
    }

    /// Keeps a secret under a name that has none yet, and returns what is kept under it now: the first one wins, so that
    /// several control planes that start at once end with the same.
    pub async fn secret_put(&self, name: &str, secret: &Secret<Vec<u8>>, public: &[u8]) -> Result<Kept> {
        let sealed = self.key.seal(secret.expose(), &binding(name, public))?;
        let mut tx = self.db.begin().await?;
        store::secret_insert(&mut tx, name, &sealed, public, self.clock.now()).await?;
        let kept = store::secret_get(tx.conn(), name).await?;
        tx.commit().await?;
        let (sealed, public) =
            kept.ok_or_else(|| Error::internal(format!("secret {name} is not there after its insert")))?;
        self.open(name, &sealed, public)
    }

    /// Seals a secret to be kept in another slice's row. It opens under the same name only.
    pub fn seal(&self, name: &str, secret: &[u8]) -> Result<Vec<u8>> {
        let Sealed { mut nonce, ciphertext } = self.key.seal(secret, &binding(name, &[]))?;
        nonce.extend(ciphertext);
        Ok(nonce)
    }

    /// Opens what [`Service::seal`] sealed.
    pub fn unseal(&self, name: &str, sealed: &[u8]) -> Result<Secret<Vec<u8>>> {
        let (nonce, ciphertext) = sealed.split_at(sealed.len().min(NONCE_BYTES));
        let sealed = Sealed { nonce: nonce.to_vec(), ciphertext: ciphertext.to_vec() };
        self.open(name, &sealed, Vec::new()).map(|kept| kept.secret)
    }

    /// A hash of these parts (HMAC-SHA-256) that nobody can compare with a guess who has not the envelope key. Of each `purpose` it is
    /// another.
    #[must_use]
    pub fn keyed_hash(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        self.key.keyed_hash(purpose, parts)
    }

    /// Keeps a secret for a while, under a name that nothing else has, in the caller's transaction.
    pub async fn secret_keep(&self, tx: &mut Tx, name: &str, secret: &Secret<Vec<u8>>) -> Result<()> {
        let sealed = self.key.seal(secret.expose(), &binding(name, &[]))?;
        store::secret_insert(tx, name, &sealed, &[], self.clock.now()).await
    }

    /// What [`Service::secret_keep`] keeps, until it is forgotten.
    pub async fn secret_read(&self, conn: Conn<'_>, name: &str) -> Result<Option<Secret<Vec<u8>>>> {
        let Some((sealed, public)) = store::secret_get(conn, name).await? else { return Ok(None) };
        self.open(name, &sealed, public).map(|kept| Some(kept.secret))
    }

    /// Deletes what [`Service::secret_keep`] kept. Repeatable.
    pub async fn secret_forget(&self, tx: &mut Tx, name: &str) -> Result<()> {
        store::secret_delete(tx, name).await
    }

    fn open(&self, name: &str, sealed: &Sealed, public: Vec<u8>) -> Result<Kept> {
        let secret = self.key.open(sealed, &binding(name, &public)).ok_or_else(|| {
            Error::conflict(
                "secret_key_wrong",
                format!(
                    "the secret {name} in the database was sealed under another key (or was altered): start with the \
                     MPANEL_SECRET_KEY or the key file with which this database was first used"
                ),
            )
        })?;
        Ok(Kept { secret, public })
    }
}

/// Binds a secret to its name and to its public part. The length keeps the two apart.
fn binding(name: &str, public: &[u8]) -> Vec<u8> {
    let mut bound = (name.len() as u64).to_be_bytes().to_vec();
    bound.extend_from_slice(name.as_bytes());
    bound.extend_from_slice(public);
    bound
}
