//! One provider: where it is, and what it says.

use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    StandardRevocableToken, StandardTokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use url::Url;

use super::{Config, Vouched};
use crate::clock::Ms;
use crate::domain::credentials::address_of;
use crate::domain::jws::OF_PUBLIC_KEYS;
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};

/// How long the provider may take for each answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 512 * 1024;
/// What it says of itself is asked for again after so long.
const METADATA_FRESH: Duration = Duration::from_mins(5);
/// By how much its clock may be off.
const SKEW: Duration = Duration::from_mins(1);

/// The ID token beside the access token.
#[derive(Debug, Serialize, Deserialize)]
struct WithIdToken {
    id_token: String,
}

impl ExtraTokenFields for WithIdToken {}

type Tokens = StandardTokenResponse<WithIdToken, BasicTokenType>;
type OidcClient = Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// What it says of itself (OpenID Connect Discovery 1.0).
#[derive(Clone, Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Clone)]
struct Metadata {
    read_at: Ms,
    discovery: Discovery,
    keys: JwkSet,
}

/// The claims of an ID token that count here.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    email: Option<String>,
    /// Some providers say it as a text.
    #[serde(default, deserialize_with = "true_or_its_name")]
    email_verified: bool,
}

/// Whether it is `true` or `"true"`; whatever else it is, nothing is verified by it.
fn true_or_its_name<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<bool, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value == serde_json::Value::Bool(true) || value.as_str() == Some("true"))
}

/// A way to the provider and back that somebody was sent on. Sealed in their browser until they return.
#[derive(Serialize, Deserialize)]
pub(super) struct Journey {
    pub(super) provider: String,
    state: String,
    nonce: String,
    verifier: String,
    until: Ms,
}

/// See the module.
pub(super) struct Provider {
    pub(super) config: Config,
    http: reqwest::Client,
    secret: Option<Secret<String>>,
    redirect: RedirectUrl,
    metadata: Mutex<Option<Metadata>>,
}

impl Provider {
    pub(super) fn new(config: Config, public_url: &str) -> Result<Self> {
        let field = |name: &str| format!("oidc.{}.{name}", config.name);
        let read = |name: &str, file: &std::path::Path| {
            let cause = |error| Error::invalid(field(name), format!("{} cannot be read: {error}", file.display()));
            std::fs::read(file).map_err(cause)
        };
        let secret = config.client_secret_file.as_deref().map(|file| read("client_secret_file", file)).transpose()?;
        let secret = secret.map(|bytes| Secret::new(String::from_utf8_lossy(&bytes).trim().to_owned()));
        // Fails only where it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .timeout(ANSWER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("mpanel/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = &config.ca_certificate {
            let pem = reqwest::Certificate::from_pem_bundle(&read("ca_certificate", file)?);
            let pem = pem.map_err(|error| Error::invalid(field("ca_certificate"), format!("is not PEM: {error}")))?;
            http = http.tls_certs_merge(pem);
        } else if config.issuer.starts_with("http://") {
            // Where nothing is encrypted, a machine without any authorities is none the worse.
            http = http.tls_certs_only([]);
        }
        let redirect = format!("{public_url}/api/auth/oidc/{}/callback", config.name);
        let redirect = RedirectUrl::new(redirect).map_err(Error::internal)?;
        let http = http.build().map_err(Error::internal)?;
        Ok(Self { http, secret, redirect, metadata: Mutex::default(), config })
    }

    /// Where to send somebody, and what they have to bring back; good until `until`.
    pub(super) async fn depart(&self, now: Ms, until: Ms) -> Result<(Url, Journey)> {
        let metadata = self.metadata(now, false).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random();
        let client = self.client(&metadata.discovery)?;
        let (url, state) = client
            .authorize_url(CsrfToken::new_random)
            .add_scope(Scope::new("openid".to_owned()))
            .add_scope(Scope::new("email".to_owned()))
            .add_extra_param("nonce", nonce.secret())
            .set_pkce_challenge(challenge)
            .url();
        let journey = Journey {
            provider: self.config.name.clone(),
            state: state.secret().clone(),
            nonce: nonce.secret().clone(),
            verifier: verifier.secret().clone(),
            until,
        };
        Ok((url, journey))
    }

    /// Who came back. 401 when it is not proven.
    pub(super) async fn arrive(&self, now: Ms, journey: Journey, code: String, state: &str) -> Result<Vouched> {
        if journey.until <= now
            || !bool::from(subtle::ConstantTimeEq::ct_eq(journey.state.as_bytes(), state.as_bytes()))
        {
            return Err(unproven("you took too long, or came by another way than you went"));
        }
        let metadata = self.metadata(now, false).await?;
        let client = self.client(&metadata.discovery)?;
        let http = self.http.clone();
        let send = move |request: HttpRequest| exchange(http.clone(), request);
        let tokens = client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(journey.verifier))
            .request_async(&send)
            .await;
        let tokens = tokens.map_err(|error| {
            tracing::warn!(provider = self.config.name, %error, "a code was not exchanged");
            unproven("the provider did not exchange its code")
        })?;
        self.verify(now, &tokens.extra_fields().id_token, &journey.nonce).await
    }

    /// Checks an ID token (OpenID Connect Core 1.0, 3.1.3.7).
    async fn verify(&self, now: Ms, token: &str, nonce: &str) -> Result<Vouched> {
        let refused = |why: &str| {
            tracing::warn!(provider = self.config.name, why, "an ID token was refused");
            unproven("what the provider says of you is not in order")
        };
        let header = decode_header(token).map_err(|_| refused("no header"))?;
        if !OF_PUBLIC_KEYS.contains(&header.alg) {
            return Err(refused("its algorithm"));
        }
        let mut metadata = self.metadata(now, false).await?;
        let find = |keys: &JwkSet| match &header.kid {
            Some(kid) => keys.find(kid).cloned(),
            None if keys.keys.len() == 1 => keys.keys.first().cloned(),
            None => None,
        };
        let mut key = find(&metadata.keys);
        if key.is_none() {
            // It may have a new one.
            metadata = self.metadata(now, true).await?;
            key = find(&metadata.keys);
        }
        let key = key.ok_or_else(|| refused("its key is unknown"))?;
        let key = DecodingKey::from_jwk(&key).map_err(|_| refused("its key"))?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.client_id]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // By our clock, below.
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, &key, &validation).map_err(|error| refused(&error.to_string()))?.claims;
        let Claims { sub, exp, iat, nonce: theirs, azp, email, email_verified } = claims;
        let seconds = |time: Ms| time.0.div_euclid(1000);
        if exp <= seconds(now.minus(SKEW)) || iat > seconds(now.plus(SKEW)) {
            return Err(refused("its time"));
        }
        if theirs.as_deref() != Some(nonce) {
            return Err(refused("its nonce"));
        }
        if azp.is_some_and(|azp| azp != self.config.client_id) || sub.is_empty() || sub.len() > 255 {
            return Err(refused("its subject"));
        }
        let email = email.filter(|_| email_verified).map(|email| address_of(&email));
        Ok(Vouched { subject: sub, email })
    }

    fn client(&self, discovery: &Discovery) -> Result<OidcClient> {
        let wrong = |error: oauth2::url::ParseError| {
            Error::unavailable(format!("the provider {} names an endpoint that is no URL: {error}", self.config.name))
        };
        let mut client = Client::<
            BasicErrorResponse,
            Tokens,
            BasicTokenIntrospectionResponse,
            StandardRevocableToken,
            BasicRevocationErrorResponse,
        >::new(ClientId::new(self.config.client_id.clone()));
        if let Some(secret) = &self.secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose().clone()));
        }
        Ok(client
            .set_auth_uri(AuthUrl::new(discovery.authorization_endpoint.clone()).map_err(wrong)?)
            .set_token_uri(TokenUrl::new(discovery.token_endpoint.clone()).map_err(wrong)?)
            .set_redirect_uri(self.redirect.clone()))
    }

    async fn metadata(&self, now: Ms, anew: bool) -> Result<Metadata> {
        // One asks, and the others wait for what it hears.
        let mut held = self.metadata.lock().await;
        if let Some(metadata) = held.as_ref().filter(|held| !anew && now.since(held.read_at) < METADATA_FRESH) {
            return Ok(metadata.clone());
        }
        let place = format!("{}/.well-known/openid-configuration", self.config.issuer.trim_end_matches('/'));
        let discovery: Discovery = self.get(&place).await?;
        if discovery.issuer != self.config.issuer {
            return Err(Error::unavailable(format!(
                "the provider {} calls itself {}, not {}: correct its issuer in the configuration",
                self.config.name, discovery.issuer, self.config.issuer
            )));
        }
        let keys = self.get(&discovery.jwks_uri).await?;
        let metadata = Metadata { read_at: now, discovery, keys };
        *held = Some(metadata.clone());
        Ok(metadata)
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, url: &str) -> Result<T> {
        let lost = |error: &dyn std::error::Error| {
            tracing::warn!(provider = self.config.name, url, %error, "an OIDC provider does not answer as it should");
            Error::unavailable(format!("the provider {} does not answer as it should", self.config.name))
        };
        let response = self.http.get(url).send().await.and_then(reqwest::Response::error_for_status);
        let body = bounded(response.map_err(|error| lost(&error))?).await.map_err(|error| lost(&error))?;
        serde_json::from_slice(&body).map_err(|error| lost(&error))
    }
}

async fn exchange(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, std::io::Error> {
    let request = reqwest::Request::try_from(request).map_err(std::io::Error::other)?;
    let response = http.execute(request).await.map_err(std::io::Error::other)?;
    let mut answer = http::Response::builder().status(response.status());
    if let Some(headers) = answer.headers_mut() {
        *headers = response.headers().clone();
    }
    answer.body(bounded(response).await?).map_err(std::io::Error::other)
}

async fn bounded(mut response: reqwest::Response) -> Result<Vec<u8>, std::io::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(std::io::Error::other)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(std::io::Error::other("its answer is far too large"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn unproven(why: &str) -> Error {
    Error::Unauthorized(format!("you are not signed in: {why}; try again"))
}
