//! A real OpenID Connect provider (the certified `oidc-provider` of npm, in a process of its own), and a browser that is sent there.
//! Its packages are installed under `target/` once, as `tests/oidc-provider/package-lock.json` names them.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use url::Url;

use crate::node;

const PATIENCE: Duration = Duration::from_mins(1);
/// What a provider that has a session sends a browser through, at most.
const REDIRECTS_MAX: usize = 8;

/// The provider, running. Dropped, it is killed.
pub struct OidcProvider {
    /// Its issuer URL.
    pub issuer: String,
    _child: Child,
}

impl OidcProvider {
    /// Starts one that knows this client.
    ///
    /// # Panics
    /// Where node or npm is missing, or it does not start.
    pub async fn start(client_id: &str, client_secret: &str, redirect_uri: &str) -> Self {
        let folder = tokio::task::spawn_blocking(|| node::installed("oidc-provider")).await.expect("the packages");
        let mut command = Command::new("node");
        command.arg("main.mjs").args([client_id, client_secret, redirect_uri]).current_dir(folder);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().expect("node");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let first = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it starts in time");
        // It ends when nobody takes what it prints.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { issuer: first.expect("a line").expect("its issuer"), _child: child }
    }

    /// Whoever comes to it from now on is this person.
    pub async fn person(&self, person: &Value) {
        let put = Client::new().put(format!("{}/who", self.issuer)).body(person.to_string()).send().await;
        assert_eq!(put.expect("an answer").status(), StatusCode::NO_CONTENT);
    }
}

/// A browser that follows where it is sent.
pub struct Browser {
    client: Client,
    /// By host and port, then by name.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

impl Default for Browser {
    fn default() -> Self {
        // Another test of this process may have done so already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(Policy::none()).build().expect("a client");
        Self { client, cookies: BTreeMap::new() }
    }
}

impl Browser {
    /// Asks for a page, with the cookies of its site.
    pub async fn get(&mut self, url: &Url) -> Response {
        let cookies = self.cookies.entry(url.authority().to_owned()).or_default();
        let line = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let answer = self.client.get(url.clone()).header("Cookie", line).send().await.expect("an answer");
        for cookie in answer.headers().get_all("set-cookie") {
            let pair = cookie.to_str().expect("text").split(';').next().expect("a pair");
            let (name, value) = pair.split_once('=').expect("a pair");
            if value.is_empty() {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Its cookie of that name for a site.
    #[must_use]
    pub fn cookie(&self, site: &Url, name: &str) -> Option<&str> {
        self.cookies.get(site.authority())?.get(name).map(String::as_str)
    }

    /// Follows where it is sent until it would leave the site where it begins; where it would go.
    ///
    /// # Panics
    /// When the site sends it nowhere.
    pub async fn until_it_leaves(&mut self, from: &Url) -> Url {
        let mut at = from.clone();
        for _ in 0..REDIRECTS_MAX {
            let answer = self.get(&at).await;
            let status = answer.status();
            let to = answer.headers().get("location").and_then(|to| to.to_str().ok()).map(str::to_owned);
            let Some(to) = to else { panic!("{status} at {at}: {}", answer.text().await.unwrap_or_default()) };
            at = at.join(&to).expect("a URL");
            if at.authority() != from.authority() {
                return at;
            }
        }
        panic!("{from} sends a browser around in circles");
    }
}
