//! Bearer tokens of the API: the platform's own, made at the first start, which makes the first owner and is the way in for
//! automation when nothing else is left; and those that people make for their programs.
//!
//! A token is 256 random bits, so a plain SHA-256 of it is as hard to invert as the token is to guess; a slow password
//! hash would protect nothing and cost every request.

pub mod owned;
pub mod routes;
pub mod service;
mod store;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::domain::secrets::Secret;
use crate::error::{Error, Result};

/// The environment's variable that sets the platform's token, for automation.
pub const ENVIRONMENT: &str = "MPANEL_BOOTSTRAP_TOKEN";

const LENGTH_MIN: usize = 32;
const LENGTH_MAX: usize = 256;

/// Makes a new token.
fn generate() -> Result<Secret<String>> {
    Ok(Secret::new(format!("mpanel_{}", random()?.expose())))
}

/// 256 random bits as text that fits in a link.
pub fn random() -> Result<Secret<String>> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut()).map_err(Error::internal)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_ref())))
}

/// What is kept of a token.
#[must_use]
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Refuses a token that an operator chose and that could be guessed, or could not be sent in a header.
fn check_chosen(token: &str) -> Result<()> {
    if !(LENGTH_MIN..=LENGTH_MAX).contains(&token.len()) || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!(
            "must be {LENGTH_MIN} to {LENGTH_MAX} visible ASCII characters without spaces; make one with `openssl rand -hex 32`"
        );
        return Err(Error::invalid(ENVIRONMENT, message));
    }
    Ok(())
}
