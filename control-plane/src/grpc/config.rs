//! The configuration section `[agents]`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::config::duration;
use crate::error::FieldError;

/// Section `[agents]`: the address that agents dial, its certificates and its limits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen for agents.
    pub listen: SocketAddr,
    /// What agents dial, as written into the enrolment command: `https://mpanel.example.net:8443`.
    pub public_url: String,
    /// Further host names and IP addresses for the server certificate; the host of `public_url` is always among them.
    pub names: Vec<String>,
    /// Where the other control planes over the same database reach this listener directly, not through a proxy:
    /// `https://cp1.internal:8443`. Empty: where it listens, if that names one address, else nowhere.
    pub internal_url: String,
    /// The trust domain of the agents' identities, `spiffe://<trust domain>/server/<id>`. Changing it locks all agents out
    /// until they enrol anew.
    pub trust_domain: String,
    /// How long an agent's certificate is valid; agents renew at half of it.
    #[serde(deserialize_with = "duration")]
    pub certificate_lifetime: Duration,
    /// How often agents report. After three silent intervals a session is taken for lost.
    #[serde(deserialize_with = "duration")]
    pub heartbeat_interval: Duration,
    /// How often agents report their whole inventory; changes are reported at once.
    #[serde(deserialize_with = "duration")]
    pub inventory_interval: Duration,
    /// How often agents report what their VMs sent and received; `0s`: never, and nothing is accounted.
    #[serde(deserialize_with = "duration")]
    pub traffic_interval: Duration,
    /// The most agents that may be connected to this control plane.
    pub max_sessions: usize,
    /// The most sessions that may be opening at once; the others are told to come back.
    pub max_opening: usize,
    /// How long a peer may take for its TLS handshake, and an agent for its first message.
    #[serde(deserialize_with = "duration")]
    pub handshake_timeout: Duration,
    /// A CA of your own instead of the built-in one: its certificate (PEM, may be followed by those above it).
    pub ca_certificate: Option<PathBuf>,
    /// The private key of `ca_certificate` (PEM, PKCS #8).
    pub ca_key: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8443)),
            public_url: "https://localhost:8443".into(),
            names: Vec::new(),
            internal_url: String::new(),
            trust_domain: "mpanel".into(),
            certificate_lifetime: Duration::from_hours(24),
            heartbeat_interval: Duration::from_secs(10),
            inventory_interval: Duration::from_mins(5),
            traffic_interval: Duration::from_mins(1),
            max_sessions: 20_000,
            max_opening: 256,
            handshake_timeout: Duration::from_secs(10),
            ca_certificate: None,
            ca_key: None,
        }
    }
}

impl Config {
    /// Where the other control planes reach this listener; empty: nowhere.
    #[must_use]
    pub fn reached_at(&self) -> String {
        let names_one = !self.listen.ip().is_unspecified() && self.listen.port() != 0;
        if self.internal_url.is_empty() && names_one {
            return format!("https://{}", self.listen);
        }
        self.internal_url.clone()
    }

    /// The names on the server certificate: the hosts of `public_url` and `internal_url`, then `names`, without repetitions.
    #[must_use]
    pub fn server_names(&self) -> Vec<String> {
        let hosts = [host_of(&self.public_url), host_of(&self.reached_at())];
        let mut names = Vec::new();
        for name in hosts.into_iter().flatten().chain(self.names.iter().cloned()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// What is wrong with it, field by field.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut problems = Vec::new();
        let mut require = |ok: bool, field: &str, message: &str| {
            if !ok {
                problems.push(FieldError { field: format!("agents.{field}"), message: message.into() });
            }
        };
        let is_url =
            |text: &str| url::Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.host().is_some());
        require(is_url(&self.public_url), "public_url", "must be a URL such as https://mpanel.example.net:8443");
        require(
            self.internal_url.is_empty() || is_url(&self.internal_url),
            "internal_url",
            "must be a URL such as https://cp1.internal:8443, or empty",
        );
        for (index, name) in self.names.iter().enumerate() {
            require(
                is_host(name),
                &format!("names[{index}]"),
                "must be a host name or an IP address, without scheme and port",
            );
        }
        let trust_domain = &self.trust_domain;
        let trust_ok = (1..=255).contains(&trust_domain.len())
            && trust_domain.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c));
        require(trust_ok, "trust_domain", "must be 1 to 255 of a-z, 0-9, dot, dash and underscore");
        let second = Duration::from_secs(1);
        require(self.certificate_lifetime >= second, "certificate_lifetime", "must be at least 1s");
        require(self.heartbeat_interval >= Duration::from_millis(100), "heartbeat_interval", "must be at least 100ms");
        require(self.inventory_interval >= second, "inventory_interval", "must be at least 1s");
        require(
            self.traffic_interval.is_zero() || self.traffic_interval >= second,
            "traffic_interval",
            "must be at least 1s, or 0s for never",
        );
        require(!self.handshake_timeout.is_zero(), "handshake_timeout", "must be more than zero");
        require(self.max_sessions > 0, "max_sessions", "must be at least 1");
        require(self.max_opening > 0, "max_opening", "must be at least 1");
        require(
            self.ca_certificate.is_some() == self.ca_key.is_some(),
            "ca_certificate",
            "ca_certificate and ca_key belong together: set both or neither",
        );
        problems
    }
}

/// The host of a URL, as a certificate names it.
fn host_of(url: &str) -> Option<String> {
    Some(match url::Url::parse(url).ok()?.host()? {
        url::Host::Domain(name) => name.to_owned(),
        url::Host::Ipv4(ip) => ip.to_string(),
        url::Host::Ipv6(ip) => ip.to_string(),
    })
}

fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_in_order_and_each_mistake_is_named() {
        assert!(Config::default().problems().is_empty());
        let wrong = Config {
            public_url: "http://x".into(),
            names: vec!["ok.example".into(), "https://no".into()],
            internal_url: "cp1.internal".into(),
            trust_domain: "Not A Domain".into(),
            max_sessions: 0,
            ca_key: Some("key.pem".into()),
            ..Config::default()
        };
        let fields: Vec<_> = wrong.problems().into_iter().map(|p| p.field).collect();
        assert_eq!(
            fields,
            [
                "agents.public_url",
                "agents.internal_url",
                "agents.names[1]",
                "agents.trust_domain",
                "agents.max_sessions",
                "agents.ca_certificate"
            ]
        );
    }

    #[test]
    fn the_hosts_of_the_urls_are_on_the_certificate() {
        let config = Config {
            public_url: "https://[::1]:8443".into(),
            names: vec!["cp.example".into(), "::1".into()],
            ..Config::default()
        };
        assert_eq!(config.server_names(), ["::1", "cp.example"]);
        let config = Config { internal_url: "https://cp1.internal:8443".into(), ..config };
        assert_eq!(config.server_names(), ["::1", "cp1.internal", "cp.example"]);
    }

    #[test]
    fn a_control_plane_is_reached_where_it_says_or_else_where_it_listens() {
        let check = |listen: &str, internal_url: &str, expected: &str| {
            let listen = listen.parse().unwrap();
            let config = Config { listen, internal_url: internal_url.into(), ..Config::default() };
            assert_eq!(config.reached_at(), expected, "{listen} {internal_url}");
        };
        check("0.0.0.0:8443", "", "");
        check("[::]:8443", "https://cp1.internal:8443", "https://cp1.internal:8443");
        check("10.0.0.1:8443", "", "https://10.0.0.1:8443");
        check("[fd00::1]:8443", "", "https://[fd00::1]:8443");
        check("127.0.0.1:0", "", "");
    }
}
