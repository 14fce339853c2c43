//! Hashes passwords and compares them, a few at a time: each takes some 20 MiB and all of a core for a while.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error as Refused, PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::secrets::Secret;
use crate::error::{Error, Result};

/// Hashes at once; the others wait.
const AT_ONCE: usize = 4;
/// So long, and then they are told to come again.
const WAIT: Duration = Duration::from_secs(5);

/// What the password of somebody unknown is compared with, so that it takes as long as a known one's. It is no password's hash
/// that anybody knows: its output is chosen, not computed.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bVBhbmVsLW5vLXN1Y2gtb25l$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// See the module.
#[derive(Clone, Debug)]
pub struct Service {
    turns: Arc<Semaphore>,
}

impl Default for Service {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Service {
    /// The hash to be kept. 429 when too many are being made.
    pub async fn password_hash(&self, password: &Secret<String>) -> Result<String> {
        let password = password.clone();
        self.in_turn(move || {
            let hash = Argon2::default().hash_password(password.expose().as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|error| Error::internal(error.to_string()))
        })
        .await
    }

    /// Whether it is the password of this hash. Without a hash it takes as long, and is `false`. 429 when too many are compared.
    pub async fn password_verify(&self, password: &Secret<String>, hash: Option<&str>) -> Result<bool> {
        let (password, known) = (password.clone(), hash.is_some());
        let hash = hash.unwrap_or(NOBODY).to_owned();
        self.in_turn(move || {
            let hash = PasswordHash::new(&hash).map_err(|error| Error::internal(error.to_string()))?;
            match Argon2::default().verify_password(password.expose().as_bytes(), &hash) {
                Ok(()) => Ok(known),
                Err(Refused::PasswordInvalid) => Ok(false),
                Err(error) => Err(Error::internal(error.to_string())),
            }
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let turn = self.turn().await?;
        // The turn ends with the work, also when nobody waits for it any more.
        let turned = move || {
            let done = work();
            drop(turn);
            done
        };
        tokio::task::spawn_blocking(turned).await.map_err(Error::internal)?
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        match tokio::time::timeout(WAIT, self.turns.clone().acquire_owned()).await {
            Ok(turn) => turn.map_err(Error::internal),
            Err(_) => Err(Error::TooMany { retry_after: WAIT }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_alone() {
        let passwords = Service::default();
        let right = Secret::new("correct horse battery".to_owned());
        let hash = passwords.password_hash(&right).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !hash.contains("horse"), "{hash}");
        assert_ne!(hash, passwords.password_hash(&right).await.unwrap(), "each hash has its own salt");
        assert!(passwords.password_verify(&right, Some(&hash)).await.unwrap());
        let wrong = Secret::new("correct horse batterz".to_owned());
        assert!(!passwords.password_verify(&wrong, Some(&hash)).await.unwrap());
        assert!(!passwords.password_verify(&right, None).await.unwrap());
        assert!(passwords.password_verify(&right, Some("no hash")).await.is_err());
    }
}
