//! Refresh tokens. Each names its sign-in and its generation and is sealed with a key of ours, so that an old one is known for what
//! it is without being kept; of the newest the database has a hash.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::keys::Key;
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};
use crate::ids::SessionId;

const PREFIX: &str = "mpanel_refresh_";
const SECRET_BYTES: usize = 32;
const TAG_BYTES: usize = 16;

/// A refresh token.
pub(super) struct Refresh {
    pub(super) session: SessionId,
    pub(super) generation: i64,
    /// Whose key sealed it.
    pub(super) period: i64,
    secret: Zeroizing<[u8; SECRET_BYTES]>,
    tag: [u8; TAG_BYTES],
}

impl Refresh {
    pub(super) fn generate(key: &Key, session: SessionId, generation: i64) -> Result<Self> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        getrandom::fill(secret.as_mut()).map_err(Error::internal)?;
        let mut token = Self { session, generation, period: key.period, secret, tag: [0; TAG_BYTES] };
        token.tag = token.tag_by(key);
        Ok(token)
    }

    pub(super) fn text(&self) -> Secret<String> {
        let (generation, period) = (self.generation.to_be_bytes(), self.period.to_be_bytes());
        let parts: [&[u8]; 5] = [self.session.0.as_bytes(), &generation, &period, self.secret.as_ref(), &self.tag];
        let bytes = Zeroizing::new(parts.concat());
        Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&*bytes)))
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?);
        let (session, rest) = bytes.split_first_chunk::<16>()?;
        let (generation, rest) = rest.split_first_chunk::<8>()?;
        let (period, rest) = rest.split_first_chunk::<8>()?;
        let (secret, tag) = rest.split_first_chunk::<SECRET_BYTES>()?;
        Some(Self {
            session: SessionId(Uuid::from_bytes(*session)),
            generation: i64::from_be_bytes(*generation),
            period: i64::from_be_bytes(*period),
            secret: Zeroizing::new(*secret),
            tag: tag.try_into().ok()?,
        })
    }

    /// Whether we made it.
    pub(super) fn is_ours(&self, key: &Key) -> bool {
        key.period == self.period && bool::from(self.tag.ct_eq(&self.tag_by(key)))
    }

    /// What the database keeps of it.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_ref()).into()
    }

    fn tag_by(&self, key: &Key) -> [u8; TAG_BYTES] {
        let base = hmac::Key::new(hmac::HMAC_SHA256, key.secret.expose());
        let key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&base, b"mpanel refresh").as_ref());
        let mut mac = hmac::Context::with_key(&key);
        mac.update(self.session.0.as_bytes());
        mac.update(&self.generation.to_be_bytes());
        mac.update(&self.period.to_be_bytes());
        mac.update(self.secret.as_ref());
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&mac.sign().as_ref()[..TAG_BYTES]);
        tag
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_token_is_known_as_ours_whatever_its_age_and_changed_it_is_not() {
        let key = |period, byte| Key { period, secret: Arc::new(Secret::new(vec![byte; 32])) };
        let token = Refresh::generate(&key(7, 1), SessionId::generate(), 3).unwrap();
        let mut read = Refresh::parse(token.text().expose()).unwrap();
        assert_eq!((read.session, read.generation, read.period, read.hash()), (token.session, 3, 7, token.hash()));
        assert!(read.is_ours(&key(7, 1)) && !read.is_ours(&key(7, 2)) && !read.is_ours(&key(8, 1)));
        read.generation = 4;
        assert!(!read.is_ours(&key(7, 1)));
        for wrong in ["", "mpanel_refresh_", "mpanel_refresh_AAAA", &token.text().expose()[1..]] {
            assert!(Refresh::parse(wrong).is_none(), "{wrong}");
        }
    }
}
