//! The envelope key: 32 bytes from the environment or a file, and what it seals (XChaCha20-Poly1305).

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use ring::hmac;
use zeroize::{Zeroize as _, Zeroizing};

use super::Secret;
use crate::error::{Error, Result};

/// Where an operator may set the key: 32 bytes as base64 or as 64 hexadecimal digits.
pub const ENVIRONMENT: &str = "MPANEL_SECRET_KEY";

const KEY_BYTES: usize = 32;
pub(super) const NONCE_BYTES: usize = 24;

/// The key under which secrets are sealed in the database. Every control plane over one database needs the same.
#[derive(Clone, Debug)]
pub struct EnvelopeKey(Secret<[u8; KEY_BYTES]>);

/// What stands in the database.
pub(super) struct Sealed {
    pub(super) nonce: Vec<u8>,
    pub(super) ciphertext: Vec<u8>,
}

impl EnvelopeKey {
    /// The key from `environment` (the value of [`ENVIRONMENT`]), otherwise from `file`, which is made with a new random
    /// key and mode 0600 when it does not exist.
    pub fn load(environment: Option<&str>, file: &Path) -> Result<Self> {
        if let Some(text) = environment.filter(|text| !text.trim().is_empty()) {
            return Self::parse(text).ok_or_else(|| {
                Error::invalid(
                    ENVIRONMENT,
                    "must be 32 bytes as base64 or 64 hexadecimal digits; make one with `openssl rand -base64 32`",
                )
            });
        }
        match Self::read(file)? {
            Some(key) => Ok(key),
            None => Self::make(file),
        }
    }

    /// A new random key.
    pub fn generate() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut()).map_err(Error::internal)?;
        Ok(Self(Secret::new(*bytes)))
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = if text.len() == KEY_BYTES * 2 {
            Zeroizing::new(hex(text)?)
        } else {
            Zeroizing::new(STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()?)
        };
        Some(Self(Secret::new(<[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok()?)))
    }

    fn read(file: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(file) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file_error(file, &error)),
        };
        let mode = fs::metadata(file).map_err(|error| file_error(file, &error))?.permissions().mode();
        if mode & 0o077 != 0 {
            tracing::warn!(file = %file.display(), "the key file can be read by others than its owner: chmod 600 it");
        }
        Self::parse(&text).map(Some).ok_or_else(|| {
            Error::invalid(
                file.display().to_string(),
                "does not hold 32 bytes as base64 or hexadecimal; restore it from a backup (what was sealed with it cannot be read without it)",
            )
        })
    }

    /// Writes a new key beside `file` and links it into place: of two processes that do so at once one wins, and neither
    /// ever reads half a file.
    fn make(file: &Path) -> Result<Self> {
        let key = Self::generate()?;
        let mut text = STANDARD.encode(key.0.expose());
        let draft = file.with_extension(format!("{}.new", uuid::Uuid::new_v4()));
        let written = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut out| writeln!(out, "{text}").and_then(|()| out.sync_all()));
        text.zeroize();
        let linked = written.and_then(|()| fs::hard_link(&draft, file));
        // The draft may not exist when it could not be written; the error that counts is the earlier one.
        let removed = fs::remove_file(&draft);
        match linked {
            Ok(()) => removed.map_err(|error| file_error(&draft, &error))?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(file_error(file, &error)),
        }
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| file_error(folder, &error))?;
        }
        tracing::info!(file = %file.display(), "key file in place: back it up, what is sealed with it cannot be read without it");
        Self::read(file)?.ok_or_else(|| Error::internal(format!("{} vanished", file.display())))
    }

    /// HMAC-SHA-256 of these parts, each with its length, under a key of `purpose`'s own that is made from this one.
    pub(super) fn keyed_hash(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let base = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose());
        let own = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&base, purpose.as_bytes()).as_ref());
        let mut mac = hmac::Context::with_key(&own);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(mac.sign().as_ref());
        hash
    }

    /// Seals `secret`; `bound` has to be the same when it is opened.
    pub(super) fn seal(&self, secret: &[u8], bound: &[u8]) -> Result<Sealed> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(Error::internal)?;
        let ciphertext = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: secret, aad: bound })
            .map_err(|error| Error::internal(error.to_string()))?;
        Ok(Sealed { nonce: nonce.to_vec(), ciphertext })
    }

    /// Opens what was sealed; `None`: under another key, or it was changed.
    pub(super) fn open(&self, sealed: &Sealed, bound: &[u8]) -> Option<Secret<Vec<u8>>> {
        let nonce = <[u8; NONCE_BYTES]>::try_from(sealed.nonce.as_slice()).ok()?;
        let payload = Payload { msg: &sealed.ciphertext, aad: bound };
        self.cipher().decrypt(&XNonce::from(nonce), payload).ok().map(Secret::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.expose().into())
    }
}

fn file_error(file: &Path, error: &std::io::Error) -> Error {
    Error::invalid(
        file.display().to_string(),
        format!("the key file cannot be used: {error}; set {ENVIRONMENT} or another key file"),
    )
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<Vec<_>>>()?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_made_once_readable_by_its_owner_alone() {
        let folder = std::env::temp_dir().join(format!("mpanel-key-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        let file = folder.join("secret.key");
        let first = EnvelopeKey::load(None, &file).unwrap();
        let second = EnvelopeKey::load(None, &file).unwrap();
        assert_eq!(first.0.expose(), second.0.expose());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no draft is left behind");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_environment_takes_base64_and_hexadecimal_and_refuses_the_rest_by_name() {
        let nowhere = Path::new("/nonexistent/secret.key");
        let hexadecimal = EnvelopeKey::load(Some(&"ab".repeat(32)), nowhere).unwrap();
        let base64 = EnvelopeKey::load(Some(&STANDARD.encode([0xab; 32])), nowhere).unwrap();
        assert_eq!(hexadecimal.0.expose(), base64.0.expose());
        for wrong in ["short", &"zz".repeat(32), &STANDARD.encode([1; 31])] {
            let error = EnvelopeKey::load(Some(wrong), nowhere).unwrap_err();
            assert!(error.to_string().contains(ENVIRONMENT), "{error}");
            assert!(!error.to_string().contains(wrong), "the value must not be printed");
        }
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_key_and_the_same_binding_only() {
        let key = EnvelopeKey::generate().unwrap();
        let mut sealed = key.seal(b"private", b"name").unwrap();
        assert_eq!(key.open(&sealed, b"name").unwrap().expose(), b"private");
        assert!(key.open(&sealed, b"other").is_none());
        assert!(EnvelopeKey::generate().unwrap().open(&sealed, b"name").is_none());
        sealed.ciphertext[0] ^= 1;
        assert!(key.open(&sealed, b"name").is_none());
    }

    #[test]
    fn a_key_does_not_print() {
        assert_eq!(format!("{:?}", EnvelopeKey::generate().unwrap()), "EnvelopeKey(***)");
    }
}
