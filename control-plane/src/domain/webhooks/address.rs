//! Which addresses a webhook may be at. The name is resolved here, and the connection goes to exactly the addresses that were
//! looked at, so that a name that says something else a moment later gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// What the configuration allows beyond the public addresses.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// All addresses.
    pub private: bool,
    /// Those of these networks.
    pub networks: Vec<IpNet>,
}

impl Allowed {
    /// Whether a webhook may be at this address.
    #[must_use]
    pub fn address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.private || is_public(address) || self.networks.iter().any(|network| network.contains(&address))
    }

    /// Whether a webhook may be at this URL, as far as the URL alone tells; what is wrong with it.
    pub fn url(&self, text: &str) -> Result<Url, String> {
        let url = Url::parse(text).map_err(|error| format!("is no URL: {error}"))?;
        let plain_is_allowed = self.private || !self.networks.is_empty();
        match url.scheme() {
            "https" => {}
            "http" if plain_is_allowed => {}
            "http" => return Err("must begin with https://: what is sent is nobody else's to read".to_owned()),
            _ => return Err("must begin with https://".to_owned()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must hold no user name and no password".to_owned());
        }
        let literal = match url.host() {
            None => return Err("names no host".to_owned()),
            Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
            Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
        };
        match literal {
            Some(address) if !self.address(address) => Err(refused(address)),
            _ => Ok(url),
        }
    }
}

fn refused(address: IpAddr) -> String {
    format!(
        "{address} is no public address: webhooks go there only if the platform's configuration allows it for their owner ([webhooks])"
    )
}

/// Whether anybody on the internet could be at this address. IPv6 addresses that stand for an IPv4 one are as good as that one.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_documentation()
        || a == 0
        // Carriers' own (RFC 6598).
        || (a == 100 && (64..128).contains(&b))
        // Protocols' (RFC 6890), and the relay of 6to4.
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        // Benchmarks' (RFC 2544).
        || (a == 198 && (b == 18 || b == 19))
        // Multicast, reserved, broadcast.
        || a >= 224;
    !special
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let segments = v6.segments();
    let within = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match (segments[0], segments[1]) {
        // NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to the IPv4 address within.
        (0x64, 0xff9b) if segments[2..6] == [0; 4] => is_public_v4(within(segments[6], segments[7])),
        (0x2002, high) => is_public_v4(within(high, segments[2])),
        // Teredo and other protocols' (RFC 2928), documentation.
        (0x2001, second) if second < 0x200 || second == 0xdb8 => false,
        (0x3fff, second) if second < 0x1000 => false,
        // Everything else that is routed is in 2000::/3.
        (first, _) => first & 0xe000 == 0x2000,
    }
}

/// Resolves names to the addresses that are allowed, and to no other.
#[derive(Clone, Debug)]
pub(super) struct Guard(pub(super) Arc<Allowed>);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let (good, bad): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| allowed.address(found.ip()));
            // A name that leads inside as well is not to be trusted with the half of its addresses.
            if let Some(bad) = bad.first() {
                return Err(refused(bad.ip()).into());
            }
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for private in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001::1",
            "64:ff9b:1::1",
            "100::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_url_is_https_without_a_password_and_not_inside() {
        let none = Allowed::default();
        assert!(none.url("https://hooks.example.com/x?y=1").is_ok());
        for wrong in [
            "hooks.example.com",
            "http://hooks.example.com/",
            "ftp://hooks.example.com/",
            "file:///etc/passwd",
            "https://",
            "https://user:secret@hooks.example.com/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest",
            "https://0/",
        ] {
            assert!(none.url(wrong).is_err(), "{wrong}");
        }
        let some = Allowed { private: false, networks: vec!["10.0.0.0/8".parse().unwrap()] };
        assert!(some.url("http://10.1.2.3/").is_ok() && some.url("https://[::ffff:10.1.2.3]/").is_ok());
        assert!(some.url("https://192.168.1.1/").is_err() && some.url("http://127.0.0.1/").is_err());
        let all = Allowed { private: true, networks: Vec::new() };
        assert!(all.url("http://127.0.0.1:8080/").is_ok());
    }
}
