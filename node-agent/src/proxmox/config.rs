//! How Proxmox VE is reached and as whom.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::types::Secret;

/// How to reach one node's API.
#[derive(Debug, Clone)]
pub struct PveConfig {
    /// Such as `https://127.0.0.1:8006`. Plain `http` is refused: the token would go over the wire in clear text.
    pub url: Url,
    /// The node's name; `None` asks Proxmox for the node that answers.
    pub node: Option<String>,
    /// Who asks.
    pub token: ApiToken,
    /// How the server proves that it is the right one.
    pub trust: Trust,
    /// The longest a call may take, its answer included.
    pub call_timeout: Duration,
    /// How many calls may be under way at once.
    pub calls_max: usize,
}

impl PveConfig {
    /// With the usual limits: 30 s a call (Proxmox waits up to 10 s for a VM's lock before it answers), 8 calls at once.
    pub fn new(url: Url, token: ApiToken, trust: Trust) -> Self {
        Self { url, node: None, token, trust, call_timeout: Duration::from_secs(30), calls_max: 8 }
    }
}

/// An API token of Proxmox VE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// `user@realm!tokenid`.
    pub id: String,
    /// Its secret, a UUID.
    pub secret: Secret,
}

impl ApiToken {
    /// Checks the id's form.
    ///
    /// # Errors
    /// When it is not `user@realm!tokenid`, or the secret is empty or could not be sent in a header.
    pub fn new(id: &str, secret: &str) -> Result<Self, BadSetting> {
        let (id, secret) = (id.trim(), secret.trim());
        let well_formed = id.split_once('!').is_some_and(|(user, token)| {
            user.split_once('@').is_some_and(|(name, realm)| !name.is_empty() && !realm.is_empty()) && !token.is_empty()
        });
        let printable = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
        if !well_formed || !printable(id) || id.contains('=') {
            return Err(BadSetting(format!("the token's id must look like user@realm!tokenid, not {id:?}")));
        }
        if !printable(secret) {
            return Err(BadSetting("the token's secret is empty or holds characters that no secret has".to_owned()));
        }
        Ok(Self { id: id.to_owned(), secret: Secret::new(secret) })
    }
}

impl FromStr for ApiToken {
    type Err = BadSetting;

    /// Reads `user@realm!tokenid=secret`, as Proxmox writes it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let text = text.strip_prefix("PVEAPIToken=").unwrap_or(text);
        let (id, secret) = text.split_once('=').ok_or_else(|| {
            BadSetting("the token must look like user@realm!tokenid=secret: there is no =".to_owned())
        })?;
        Self::new(id, secret)
    }
}

/// How Proxmox's certificate is checked. There is no way not to check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// It must be exactly this one.
    Fingerprint(Fingerprint),
    /// It must be signed by an authority in this PEM file and name the host in the URL; on a Proxmox host that is
    /// `/etc/pve/pve-root-ca.pem`.
    CaFile(PathBuf),
    /// It must be signed by an authority that the system trusts and name the host in the URL.
    System,
}

/// The SHA-256 of a certificate, as Proxmox shows it under a node's certificates.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl FromStr for Fingerprint {
    type Err = BadSetting;

    /// Reads 64 hexadecimal digits, with or without colons, in either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let text = text.strip_prefix("sha256:").unwrap_or(text);
        let digits: Vec<u32> = text.chars().filter(|c| *c != ':').map_while(|c| c.to_digit(16)).collect();
        let separators = text.chars().filter(|c| *c == ':').count();
        if digits.len() != 64 || digits.len() + separators != text.chars().count() {
            return Err(BadSetting(format!("a SHA-256 fingerprint has 64 hexadecimal digits; {text:?} has not")));
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (pair[0] * 16 + pair[1]) as u8;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if index == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A setting that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSetting(pub String);

#[cfg(test)]
pub(super) mod fixtures {
    use super::ApiToken;

    pub(in super::super) fn token() -> ApiToken {
        ApiToken::new("root@pam!test", "5ecre7").unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_and_never_shown() {
        let token: ApiToken = "root@pam!test=12345678-aaaa".parse().unwrap();
        assert_eq!((token.id.as_str(), token.secret.reveal()), ("root@pam!test", "12345678-aaaa"));
        assert!(!format!("{token:?}").contains("12345678"), "{token:?}");
        for bad in ["", "root@pam!test", "root!test=x", "root@pam=x", "root@pam!=x", "@pam!a=x", "a@b!c=", "a@b!c=x\ny"]
        {
            assert!(bad.parse::<ApiToken>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn fingerprints_are_read_in_every_usual_form() {
        let shown = (0..32).map(|n| format!("{n:02X}")).collect::<Vec<_>>().join(":");
        let fingerprint: Fingerprint = shown.parse().unwrap();
        assert_eq!(fingerprint.to_string(), shown);
        assert_eq!(shown.replace(':', "").to_lowercase().parse::<Fingerprint>().unwrap(), fingerprint);
        for bad in ["", "AA:BB", &shown[1..], &shown.replace("1F", "1G"), &format!("{shown}:20")] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad:?}");
        }
    }
}
