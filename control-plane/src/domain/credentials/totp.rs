//! Codes of an authenticator (RFC 6238): six digits, SHA-1, steps of 30 s, because that is what all authenticators can.

use totp_rs::{Algorithm, Builder, Totp};

use super::Enrolment;
use crate::clock::Ms;
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};

const SECRET_BYTES: usize = 20;
const DIGITS: u8 = 6;
const STEP_S: u64 = 30;
/// Steps that a clock may be off, either way.
const SKEW: u16 = 1;
const ISSUER: &str = "mPanel";

/// A new secret.
pub(super) fn generate() -> Result<Secret<Vec<u8>>> {
    let mut bytes = vec![0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    Ok(Secret::new(bytes))
}

/// What the authenticator of `email` is shown.
pub(super) fn enrolment(secret: &Secret<Vec<u8>>, email: &str) -> Result<Enrolment> {
    let totp = of(secret, email)?;
    let uri = totp.to_url().map_err(|error| Error::internal(error.to_string()))?;
    Ok(Enrolment { secret: Secret::new(totp.secret().to_base32()), uri: Secret::new(uri) })
}

/// The time step whose code this is, if it is that of this moment or of one next to it.
pub(super) fn step_of(secret: &Secret<Vec<u8>>, email: &str, code: &str, now: Ms) -> Result<Option<i64>> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let seconds = u64::try_from(now.0 / 1000).unwrap_or_default();
    Ok(of(secret, email)?.check(&code, seconds).and_then(|step| i64::try_from(step).ok()))
}

fn of(secret: &Secret<Vec<u8>>, email: &str) -> Result<Totp> {
    // A colon parts issuer and account in the URI.
    let totp = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_step_duration(STEP_S)
        .with_skew(SKEW)
        .with_secret(secret.expose().clone())
        .with_account_name(email.replace(':', "_"))
        .with_issuer(Some(ISSUER))
        .build();
    totp.map_err(|error| Error::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, of whose eight digits the last six are what six digits are.
        let secret = Secret::new(b"12345678901234567890".to_vec());
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (2_000_000_000, "279037")]
        {
            let step = |at_s: i64, code: &str| step_of(&secret, "a@example.net", code, Ms(at_s * 1000)).unwrap();
            assert_eq!(step(seconds, code), Some(seconds / 30));
            assert_eq!(
                step(seconds + 30, &format!("{} {}", &code[..3], &code[3..])),
                Some(seconds / 30),
                "one step late"
            );
            assert_eq!(step(seconds + 60, code), None, "two steps late");
            assert_eq!(step(seconds, &code[1..]), None);
        }
    }

    #[test]
    fn an_authenticator_is_told_what_it_needs() {
        let secret = Secret::new(b"12345678901234567890".to_vec());
        let Enrolment { secret, uri } = enrolment(&secret, "a@example.net").unwrap();
        assert_eq!(secret.expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let uri = uri.expose();
        assert!(uri.starts_with("otpauth://totp/mPanel:a") && uri.contains(secret.expose()), "{uri}");
    }
}
