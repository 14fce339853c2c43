//! ID tokens that no honest provider gives: by one that lies, and by who stands in its place.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use mpanel_tests::oidc_provider::Browser;
use mpanel_tests::signing_in::person;
use mpanel_tests::{TestApp, databases};
use rcgen::{KeyPair, PKCS_ED25519, SigningKey as _};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

use super::oidc::{ACCESS, PANEL, settings};

const ANN: &str = "ann@example.net";
const KID: &str = "one";

/// A provider that gives, for any code, the ID token that it is told to give.
struct Provider {
    issuer: String,
    key: KeyPair,
    token: Arc<Mutex<String>>,
    task: JoinHandle<()>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Provider {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let (key, token) = (KeyPair::generate_for(&PKCS_ED25519).unwrap(), Arc::<Mutex<String>>::default());
        let x = URL_SAFE_NO_PAD.encode(key.public_key_raw());
        let keys =
            json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": KID, "x": x}]});
        let itself = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
        });
        let given = token.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let given = given.lock().unwrap().clone();
                let tokens = json!({"access_token": "x", "token_type": "Bearer", "id_token": given});
                answer(stream, |path| match path {
                    "/token" => tokens.to_string(),
                    "/keys" => keys.to_string(),
                    _ => itself.to_string(),
                })
                .await;
            }
        });
        Self { issuer, key, token, task }
    }

    fn claims(&self, now_s: i64, nonce: &str) -> Value {
        json!({"iss": self.issuer, "aud": "mpanel", "sub": "ann-1", "iat": now_s, "exp": now_s + 300, "nonce": nonce,
            "email": ANN, "email_verified": true})
    }
}

/// Makes a token of the claims that would be right.
type Forge<'a> = Box<dyn Fn(&Value) -> String + 'a>;

/// Answers one request and closes.
async fn answer(mut stream: TcpStream, body_of: impl FnOnce(&str) -> String) {
    let mut reader = BufReader::new(&mut stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).await.unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await.unwrap();
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length]).await.unwrap();
    let body = body_of(first.split(' ').nth(1).unwrap());
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length";
    stream.write_all(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
}

/// The same claims with these in their place; null: without it.
fn with(claims: &Value, changes: &Value) -> Value {
    let mut claims = claims.clone();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn signed(header: &Value, claims: &Value, key: &KeyPair) -> String {
    let text = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let signature = URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()).unwrap());
    format!("{text}.{signature}")
}

/// Signed with the provider's public key as if that were a secret of both.
fn by_public_key(claims: &Value, key: &KeyPair) -> String {
    let header = Header { kid: Some(KID.to_owned()), ..Header::default() };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(key.public_key_raw()).unwrap()).unwrap()
}

/// Sends somebody to the provider and back, who comes with the token that is made of its nonce.
async fn sign_in(app: &TestApp, provider: &Provider, token: impl FnOnce(&Value) -> String) -> (Browser, Response) {
    let mut browser = Browser::default();
    let start = Url::parse(&format!("{}/api/auth/oidc/corp/start", app.api.url)).unwrap();
    let to = browser.until_it_leaves(&start).await;
    let asked = |name: &str| to.query_pairs().find(|(found, _)| found == name).unwrap().1.into_owned();
    let claims = provider.claims(app.running.app.clock.now().0 / 1000, &asked("nonce"));
    *provider.token.lock().unwrap() = token(&claims);
    let mut back = Url::parse(&format!("{}/api/auth/oidc/corp/callback", app.api.url)).unwrap();
    back.query_pairs_mut().append_pair("code", "c").append_pair("state", &asked("state"));
    let answer = browser.get(&back).await;
    (browser, answer)
}

/// Where a browser is sent.
fn location(answer: &Response) -> &str {
    assert_eq!(answer.status(), 303);
    answer.headers()["location"].to_str().unwrap()
}

#[tokio::test]
async fn an_id_token_that_is_not_what_it_should_be_lets_nobody_in() {
    for database in databases().await {
        let provider = Provider::start().await;
        let app = TestApp::start_with(&database, |config| {
            config.http.public_url = Some(PANEL.to_owned());
            config.oidc = vec![settings(&provider.issuer)];
        })
        .await;
        person(&app, ANN, "OWNER").await;
        let (right, key) = (json!({"alg": "EdDSA", "kid": KID}), &provider.key);
        let stranger = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let now = app.running.app.clock.now().0 / 1000;
        let changed = |changes: Value| {
            let right = right.clone();
            move |claims: &Value| signed(&right, &with(claims, &changes), key)
        };
        let cut = |text: String, signature: &str| format!("{}.{signature}", text.rsplit_once('.').unwrap().0);
        let none = json!({"alg": "none", "kid": KID});
        let forged: Vec<(&str, Forge<'_>)> = vec![
            ("another's signature", Box::new(|claims| signed(&right, claims, &stranger))),
            (
                "another's signature and name",
                Box::new(|claims| signed(&json!({"alg": "EdDSA", "kid": "two"}), claims, &stranger)),
            ),
            ("no signature", Box::new(|claims| cut(signed(&right, claims, key), ""))),
            ("alg none", Box::new(|claims| cut(signed(&none, claims, key), ""))),
            ("alg none, signed", Box::new(|claims| signed(&none, claims, key))),
            ("the public key as a secret", Box::new(|claims| by_public_key(claims, key))),
            (
                "another algorithm than the key's",
                Box::new(|claims| signed(&json!({"alg": "RS256", "kid": KID}), claims, key)),
            ),
            ("for another client", Box::new(changed(json!({"aud": "other"})))),
            ("for nobody", Box::new(changed(json!({"aud": null})))),
            ("asked for by another client", Box::new(changed(json!({"azp": "other"})))),
            ("by another issuer", Box::new(changed(json!({"iss": "https://id.example.net"})))),
            ("expired", Box::new(changed(json!({"exp": now - 120})))),
            ("without an end", Box::new(changed(json!({"exp": null})))),
            ("of the future", Box::new(changed(json!({"iat": now + 600})))),
            ("of another sign-in", Box::new(changed(json!({"nonce": "other"})))),
            ("of no sign-in", Box::new(changed(json!({"nonce": null})))),
            ("of nobody", Box::new(changed(json!({"sub": ""})))),
        ];
        for (what, token) in &forged {
            let (browser, answer) = sign_in(&app, &provider, token).await;
            assert_eq!(location(&answer), format!("{PANEL}/sign-in#oidc=unauthorized"), "{what}");
            let site = Url::parse(&app.api.url).unwrap();
            assert!(browser.cookie(&site, ACCESS).is_none(), "{what}");
        }
        // Some providers say "true" where others say true; nothing else is either.
        for (verified, page) in [
            (json!("false"), "/sign-in#oidc=unauthorized"),
            (json!("True"), "/sign-in#oidc=unauthorized"),
            (json!(1), "/sign-in#oidc=unauthorized"),
            (json!("true"), "/"),
            (json!(true), "/"),
        ] {
            let claimed = json!({"sub": format!("of {verified}"), "email_verified": verified});
            let (_, answer) = sign_in(&app, &provider, changed(claimed)).await;
            assert_eq!(location(&answer), format!("{PANEL}{page}"), "{verified}");
        }
        app.stop().await;
    }
}
