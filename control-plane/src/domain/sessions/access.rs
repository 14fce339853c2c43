//! Access tokens: who somebody is, for ten minutes, signed (HS256). The algorithm is ours and never the token's, and whether the
//! sign-in still stands is looked up with each request. Beside each goes a CSRF token of the same sign-in, for browsers.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::hmac;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keys::{Key, Keys};
use crate::clock::Ms;
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};
use crate::ids::{SessionId, UserId};

/// How long an access token is good.
pub const LIFETIME: Duration = Duration::from_mins(10);

const ISSUER: &str = "mpanel";
const AUDIENCE: &str = "mpanel-api";
/// No token of ours is longer.
const BYTES_MAX: usize = 1024;

/// An access token, made.
#[derive(Clone, Debug)]
pub struct Access {
    /// The token.
    pub token: Secret<String>,
    /// What a browser shows beside its cookie.
    pub csrf: Secret<String>,
    /// The token's end.
    pub expires_at: Ms,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    sid: Uuid,
    /// Seconds, as RFC 7519 has it.
    iat: i64,
    exp: i64,
}

/// Whether it is written as an access token is; whether it is one, [`verify`] says.
#[must_use]
pub fn looks_like_one(shown: &str) -> bool {
    shown.len() <= BYTES_MAX && shown.starts_with("eyJ") && shown.bytes().filter(|byte| *byte == b'.').count() == 2
}

pub(super) fn issue(key: &Key, now: Ms, user: UserId, session: SessionId) -> Result<Access> {
    let expires_at = now.plus(LIFETIME);
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: user.0,
        sid: session.0,
        iat: now.0.div_euclid(1000),
        exp: expires_at.0.div_euclid(1000),
    };
    let header = Header { kid: Some(key.period.to_string()), ..Header::new(Algorithm::HS256) };
    let signing = EncodingKey::from_secret(key.secret.expose()).map_err(Error::internal)?;
    let token = jsonwebtoken::encode(&header, &claims, &signing).map_err(Error::internal)?;
    let expires_at = Ms(claims.exp.saturating_mul(1000));
    Ok(Access { token: Secret::new(token), csrf: csrf(key, session), expires_at })
}

/// Whose it is, by which sign-in; `None`: it is none of ours. 401 when it was, and is over.
pub(super) async fn verify(keys: &Keys, now: Ms, token: &str) -> Result<Option<(UserId, SessionId)>> {
    if !looks_like_one(token) {
        return Ok(None);
    }
    let named = jsonwebtoken::decode_header(token).ok().and_then(|header| header.kid?.parse().ok());
    let Some(period) = named else { return Ok(None) };
    let Some(key) = keys.named(period).await? else { return Ok(None) };
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // By our clock, below, which may be the database's.
    validation.validate_exp = false;
    let verifying = DecodingKey::from_secret(key.secret.expose()).map_err(Error::internal)?;
    let Ok(data) = jsonwebtoken::decode::<Claims>(token, &verifying, &validation) else { return Ok(None) };
    let Claims { sub, sid, exp, .. } = data.claims;
    if now >= Ms(exp.saturating_mul(1000)) {
        return Err(Error::Unauthorized("this access token is over: refresh it".to_owned()));
    }
    Ok(Some((UserId(sub), SessionId(sid))))
}

/// What a browser shows in a header beside its cookie: another site can make it send the cookie, but cannot read this.
pub(super) fn csrf(key: &Key, session: SessionId) -> Secret<String> {
    let mac = hmac::sign(&csrf_key(key), session.0.as_bytes());
    Secret::new(format!("{}.{}", key.period, URL_SAFE_NO_PAD.encode(mac)))
}

/// Whether it is the CSRF token of this sign-in.
pub(super) async fn csrf_verify(keys: &Keys, session: SessionId, shown: &str) -> Result<bool> {
    let Some((period, mac)) = shown.split_once('.') else { return Ok(false) };
    let (Ok(period), Ok(mac)) = (period.parse(), URL_SAFE_NO_PAD.decode(mac)) else { return Ok(false) };
    let Some(key) = keys.named(period).await? else { return Ok(false) };
    Ok(hmac::verify(&csrf_key(&key), session.0.as_bytes(), &mac).is_ok())
}

/// Another key than the tokens', made from it.
fn csrf_key(key: &Key) -> hmac::Key {
    let base = hmac::Key::new(hmac::HMAC_SHA256, key.secret.expose());
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&base, b"mpanel csrf").as_ref())
}
