//! Sign-in by an OpenID Connect provider (authorization code with PKCE): it says who somebody is, and those
//! come in who have an account here. The `openidconnect` crate needs the `rsa` crate, whose weakness is known (RUSTSEC-2023-0071); so the code is
//! exchanged by `oauth2`, of the same makers, and the ID token verified by `jsonwebtoken` over ring.

mod provider;
pub mod routes;
pub mod service;
mod store;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

use crate::error::FieldError;

/// `[[oidc]]`: one provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its name in paths: `corp`.
    pub name: String,
    /// Its issuer URL, exactly as its tokens have it.
    pub issuer: String,
    /// Who we are to it.
    pub client_id: String,
    /// The file with what proves that. `None`: PKCE alone.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// A further authority for its certificate (PEM).
    #[serde(default)]
    pub ca_certificate: Option<PathBuf>,
    /// Only people with an address of one of these domains. Empty: all whom it knows and who have an account here.
    #[serde(default)]
    pub email_domains: Vec<String>,
    /// Whether members of the platform's staff may come in by it.
    #[serde(default)]
    pub staff: bool,
}

/// What is wrong with them, field by field.
#[must_use]
pub fn problems(providers: &[Config], has_public_url: bool) -> Vec<FieldError> {
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    for (i, config) in providers.iter().enumerate() {
        let mut require = |ok: bool, field: &str, message: &str| {
            if !ok {
                problems.push(FieldError { field: format!("oidc[{i}].{field}"), message: message.to_owned() });
            }
        };
        let is_slug = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let name = &config.name;
        require(
            (1..=32).contains(&name.len()) && name.chars().all(is_slug),
            "name",
            "must be a short word, such as corp",
        );
        require(names.insert(name.clone()), "name", "is that of another provider");
        require(
            Url::parse(&config.issuer).is_ok_and(|url| url.scheme() == "https" || is_here(&url)),
            "issuer",
            "must be an https URL (plain http is for a provider on this machine)",
        );
        require(!config.client_id.is_empty(), "client_id", "is empty");
        require(has_public_url, "name", "needs http.public_url, where the provider sends people back to");
    }
    problems
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Somebody, as a provider vouches for them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Vouched {
    /// Who they are to it, for ever.
    subject: String,
    /// In lower case, if it has verified it.
    email: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        toml::from_str("name = \"corp\"\nissuer = \"https://id.example.net\"\nclient_id = \"mpanel\"\n").unwrap()
    }

    #[test]
    fn each_mistake_is_named() {
        let fields = |all: &[Config]| problems(all, true).into_iter().map(|one| one.field).collect::<Vec<_>>();
        let right = config();
        assert!(fields(std::slice::from_ref(&right)).is_empty());
        assert_eq!(fields(&[right.clone(), right.clone()]), ["oidc[1].name"]);
        assert_eq!(fields(&[Config { name: "Corp/x".to_owned(), ..right.clone() }]), ["oidc[0].name"]);
        assert_eq!(
            fields(&[Config { issuer: "http://id.example.net".to_owned(), ..right.clone() }]),
            ["oidc[0].issuer"]
        );
        assert!(fields(&[Config { issuer: "http://127.0.0.1:9".to_owned(), ..right.clone() }]).is_empty());
        assert_eq!(fields(&[Config { client_id: String::new(), ..right.clone() }]), ["oidc[0].client_id"]);
        assert_eq!(problems(&[right], false).len(), 1);
    }
}
