//! What people prove with who they are: password, second factor (TOTP, RFC 6238), recovery codes, and one-time links for a new
//! password. None of these can be read back: passwords and codes are kept as hashes, the TOTP secret sealed.

pub mod service;
mod store;
mod totp;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::clock::Ms;
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};
use crate::ids::UserId;

/// The recovery codes of one enrolment.
const RECOVERY_CODES: usize = 10;
/// Letters and digits that nobody mistakes for each other: 5 bits each.
const RECOVERY_ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
/// 80 bits a code.
const RECOVERY_CHARS: usize = 16;

/// A person, with what proves that it is them.
#[derive(Clone)]
pub struct Account {
    /// Who.
    pub id: UserId,
    /// In lower case.
    pub email: String,
    /// As others see it.
    pub name: String,
    /// Argon2id in PHC form; `None`: signs in otherwise.
    pub password_hash: Option<String>,
    /// The second factor, sealed; with no `totp_enabled_at` it waits for its first code.
    totp_secret: Option<Vec<u8>>,
    /// Since when a second factor is asked for.
    pub totp_enabled_at: Option<Ms>,
    /// Since when the address is known to be theirs; `None`: whoever made the account may be somebody else.
    pub email_proven_at: Option<Ms>,
}

/// A second factor, as it was shown.
#[derive(Clone)]
pub enum Second {
    /// A code of the authenticator.
    Code(Secret<String>),
    /// A recovery code.
    Recovery(Secret<String>),
}

/// What an authenticator needs, shown once.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// Base32, to type in.
    pub secret: Secret<String>,
    /// `otpauth://…`, to show as a QR code.
    pub uri: Secret<String>,
}

/// How people write their address: one person an address, whatever case it is written in.
#[must_use]
pub fn address_of(email: &str) -> String {
    email.trim().to_lowercase()
}

/// The text of a one-time link: which one, and the secret of which only a hash is kept.
struct OneTime {
    id: Uuid,
    secret: Zeroizing<[u8; 32]>,
}

impl OneTime {
    fn generate(id: Uuid) -> Result<Self> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut()).map_err(Error::internal)?;
        Ok(Self { id, secret })
    }

    fn text(&self) -> Secret<String> {
        let bytes = Zeroizing::new([self.id.as_bytes().as_slice(), self.secret.as_ref()].concat());
        Secret::new(URL_SAFE_NO_PAD.encode(&*bytes))
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim()).ok()?);
        let (id, secret) = bytes.split_first_chunk::<16>()?;
        Some(Self { id: Uuid::from_bytes(*id), secret: Zeroizing::new(secret.try_into().ok()?) })
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_ref()).into()
    }
}

/// Of 80 random bits, so a plain hash is as hard to invert as the code is to guess. The user's id keeps equal codes apart.
fn recovery_hash(user: UserId, code: &str) -> [u8; 32] {
    let code: Zeroizing<String> =
        Zeroizing::new(code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect());
    let mut hash = Sha256::new();
    hash.update(b"mpanel recovery code");
    hash.update(user.0.as_bytes());
    hash.update(code.as_bytes());
    hash.finalize().into()
}

/// New recovery codes, in groups of four: `abcd-efgh-jkmn-pqrs`.
fn recovery_generate() -> Result<Vec<Secret<String>>> {
    let mut codes = Vec::new();
    for _ in 0..RECOVERY_CODES {
        let mut bytes = Zeroizing::new([0_u8; RECOVERY_CHARS]);
        getrandom::fill(bytes.as_mut()).map_err(Error::internal)?;
        let mut code = String::new();
        for (i, byte) in bytes.iter().enumerate() {
            if i > 0 && i % 4 == 0 {
                code.push('-');
            }
            code.push(char::from(RECOVERY_ALPHABET[usize::from(byte % 32)]));
        }
        codes.push(Secret::new(code));
    }
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_code_counts_however_it_is_typed() {
        let user = UserId::generate();
        let codes = recovery_generate().unwrap();
        assert_eq!(codes.len(), RECOVERY_CODES);
        let code = codes[0].expose();
        assert_eq!(code.len(), RECOVERY_CHARS + 3);
        assert_eq!(
            recovery_hash(user, code),
            recovery_hash(user, &format!(" {} ", code.replace('-', " ").to_uppercase()))
        );
        assert_ne!(recovery_hash(user, code), recovery_hash(user, codes[1].expose()));
        assert_ne!(recovery_hash(user, code), recovery_hash(UserId::generate(), code));
    }

    #[test]
    fn a_link_s_text_is_read_as_it_was_written() {
        let link = OneTime::generate(Uuid::now_v7()).unwrap();
        let read = OneTime::parse(link.text().expose()).unwrap();
        assert_eq!((read.id, read.hash()), (link.id, link.hash()));
        for wrong in ["", "x", "!!!", &link.text().expose()[1..], &format!("{}AAAA", link.text().expose())] {
            assert!(OneTime::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_one_however_it_is_typed() {
        assert_eq!(address_of(" Ann@Example.NET "), "ann@example.net");
    }
}
