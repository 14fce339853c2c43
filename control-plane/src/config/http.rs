//! The section of the REST API.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use super::duration;
use crate::error::FieldError;

/// `[http]`: the REST API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The certificate (PEM, with those above it); read again on SIGHUP.
    pub tls_certificate: Option<PathBuf>,
    /// Its private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// A reverse proxy on the way to here does TLS and says in `X-Forwarded-For` who asks.
    pub behind_proxy: bool,
    /// Where such proxies are. Nobody else is believed in what they say of who asks.
    pub trusted_proxies: Vec<IpNet>,
    /// Where people's browsers reach this, for the links in mails: `https://panel.example.net`, without a path.
    pub public_url: Option<String>,
    /// Where to write the platform's first token, mode 0600. `None`: it is printed once.
    pub bootstrap_token_file: Option<PathBuf>,
    /// How long a client may take for a request's headers, and stay idle between two requests.
    #[serde(deserialize_with = "duration")]
    pub header_timeout: Duration,
    /// How long a request may take.
    #[serde(deserialize_with = "duration")]
    pub request_timeout: Duration,
    /// The most connections at once; beyond them, those idle for longest are closed.
    pub max_connections: usize,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls_certificate: None,
            tls_key: None,
            behind_proxy: false,
            trusted_proxies: vec![
                IpNet::new_assert(Ipv4Addr::new(127, 0, 0, 0).into(), 8),
                IpNet::new_assert(Ipv6Addr::LOCALHOST.into(), 128),
            ],
            public_url: None,
            bootstrap_token_file: None,
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            max_connections: 2048,
        }
    }
}

impl Http {
    /// Whether there is a reverse proxy of ours at this address, which is believed.
    #[must_use]
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.behind_proxy && self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    /// What is wrong with it, field by field.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut problems = Vec::new();
        let mut require = |ok: bool, field: &str, message: &str| {
            if !ok {
                problems.push(FieldError { field: field.to_owned(), message: message.to_owned() });
            }
        };
        let has_tls = self.tls_certificate.is_some();
        require(
            has_tls == self.tls_key.is_some(),
            "http.tls_certificate",
            "tls_certificate and tls_key belong together: set both or neither",
        );
        require(
            has_tls || self.behind_proxy || self.listen.ip().is_loopback(),
            "http.listen",
            "is not loopback, and tokens would cross the network in the clear: set http.tls_certificate and http.tls_key, \
             or http.behind_proxy = true if a reverse proxy does TLS in front of it",
        );
        require(
            !self.behind_proxy
                || self.listen.ip().is_loopback()
                || self.trusted_proxies.iter().any(|network| !network.addr().is_loopback()),
            "http.trusted_proxies",
            "must name the reverse proxy's address (e.g. [\"192.0.2.10/32\"]) where http.listen is not loopback: nobody else is \
             believed in X-Forwarded-For, and without it all who come through the proxy would count as one address",
        );
        require(
            self.public_url.as_deref().is_none_or(is_origin),
            "http.public_url",
            "must be the address alone, without a path: https://panel.example.net",
        );
        let second = Duration::from_secs(1);
        require(self.header_timeout >= second, "http.header_timeout", "must be at least 1s");
        require(self.request_timeout >= second, "http.request_timeout", "must be at least 1s");
        require(self.max_connections > 0, "http.max_connections", "must be at least 1");
        problems
    }
}

/// Whether it is the address of a site and no more, as a browser's `Origin` has it.
fn is_origin(url: &str) -> bool {
    let parsed = url::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    parsed.is_some_and(|parsed| parsed.origin().ascii_serialization() == url)
}
