//! Mails to people, by SMTP. Nothing here waits for one: a mail is taken, tried several times in the background, and one that
//! cannot be sent at all is logged and audited. What a mail promised can always be asked for again, so none outlives the process.

mod letter;
mod places;
pub mod service;

use std::path::PathBuf;

use lettre::message::Mailbox;
use serde::Deserialize;

use crate::error::FieldError;

pub use letter::Letter;
pub use places::Place;

/// `[mail]`: the SMTP server.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Its host name. `None`: no mails are sent.
    pub host: Option<String>,
    /// `None`: what is usual for `tls`.
    pub port: Option<u16>,
    /// How the way there is encrypted.
    pub tls: Tls,
    /// Who writes: `mPanel <mpanel@example.net>`.
    pub from: Option<String>,
    /// Who we are to the server. `None`: it does not ask.
    pub user: Option<String>,
    /// The file with the password.
    pub password_file: Option<PathBuf>,
    /// A further authority for the server's certificate (PEM).
    pub ca_certificate: Option<PathBuf>,
}

/// How the way to the SMTP server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// In the clear until the server was asked to encrypt, which it has to.
    #[default]
    Starttls,
    /// From the beginning.
    Tls,
    /// Not at all: for a server on this machine.
    None,
}

impl Config {
    /// What is wrong with it, field by field.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut problems = Vec::new();
        let mut require = |ok: bool, field: &str, message: &str| {
            if !ok {
                problems.push(FieldError { field: field.to_owned(), message: message.to_owned() });
            }
        };
        let Some(host) = &self.host else { return problems };
        let is_here =
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        require(!host.is_empty() && !host.contains([':', '/']), "mail.host", "must be a host name or an address alone");
        require(
            self.tls != Tls::None || is_here,
            "mail.tls",
            "\"none\" is for a server on this machine alone: mails hold links that let in whoever reads them",
        );
        require(
            self.from.as_deref().is_some_and(|from| from.parse::<Mailbox>().is_ok()),
            "mail.from",
            "must be the address that writes, such as mPanel <mpanel@example.net>",
        );
        require(
            self.user.is_some() == self.password_file.is_some(),
            "mail.password_file",
            "user and password_file belong together: set both or neither",
        );
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_named() {
        let right = Config {
            host: Some("smtp.example.net".to_owned()),
            from: Some("mPanel <mpanel@example.net>".to_owned()),
            ..Config::default()
        };
        assert!(right.problems().is_empty() && Config::default().problems().is_empty());
        let fields = |config: Config| config.problems().into_iter().map(|problem| problem.field).collect::<Vec<_>>();
        assert_eq!(fields(Config { host: Some("smtp://x".to_owned()), ..right.clone() }), ["mail.host"]);
        assert_eq!(fields(Config { tls: Tls::None, ..right.clone() }), ["mail.tls"]);
        assert!(fields(Config { tls: Tls::None, host: Some("127.0.0.1".to_owned()), ..right.clone() }).is_empty());
        assert_eq!(fields(Config { from: Some("nobody".to_owned()), ..right.clone() }), ["mail.from"]);
        assert_eq!(fields(Config { from: None, ..right.clone() }), ["mail.from"]);
        assert_eq!(fields(Config { user: Some("u".to_owned()), ..right }), ["mail.password_file"]);
    }
}
