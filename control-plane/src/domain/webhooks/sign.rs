//! Signatures and secrets after the Standard Webhooks specification.
//!
//! By hand, because it is one HMAC over three texts: the crate `standardwebhooks` brings an HMAC and a SHA-256
//! of its own and does not wipe secrets from memory. The tests verify with it what is signed here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::clock::Ms;
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};

const SECRET_PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;

/// A new secret: its bytes, and its text as the receiver is given it.
pub(super) fn secret_new() -> Result<(Secret<Vec<u8>>, Secret<String>)> {
    let mut bytes = vec![0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    let text = format!("{SECRET_PREFIX}{}", STANDARD.encode(&bytes));
    Ok((Secret::new(bytes), Secret::new(text)))
}

/// The header `webhook-timestamp`.
pub(super) fn timestamp(at: Ms) -> i64 {
    at.0.div_euclid(1000)
}

/// The header `webhook-signature`: one signature with each secret, with spaces between.
pub(super) fn signatures(secrets: &[Secret<Vec<u8>>], message: &str, timestamp: i64, body: &str) -> Result<String> {
    let signed = secrets.iter().map(|secret| {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.expose()).map_err(|error| Error::internal(error.to_string()))?;
        mac.update(format!("{message}.{timestamp}.{body}").as_bytes());
        Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    });
    Ok(signed.collect::<Result<Vec<_>>>()?.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specification_s_example_is_signed_as_it_says() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signatures(
            &[Secret::new(secret.clone()), Secret::new(vec![1; 32])],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        let signed = signed.unwrap();
        assert!(signed.starts_with("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,"), "{signed}");
    }

    #[test]
    fn a_secret_is_long_and_in_its_form() {
        let (bytes, text) = secret_new().unwrap();
        let encoded = text.expose().strip_prefix("whsec_").unwrap();
        assert_eq!(STANDARD.decode(encoded).unwrap(), *bytes.expose());
        assert_ne!(secret_new().unwrap().0.expose(), bytes.expose());
    }
}
