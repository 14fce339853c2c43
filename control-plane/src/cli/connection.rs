//! Where the control plane is and who we are: flags first, then the environment.

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;
use url::Url;

use super::failure::{Failure, Result};

const URL_DEFAULT: &str = "http://127.0.0.1:8080";
/// No token is longer; a file that is, is another file.
const TOKEN_BYTES_MAX: usize = 4096;

/// Where the control plane is and who we are.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// The control plane [environment: MPANEL_URL] [default: http://127.0.0.1:8080]
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// The API token; visible to other users of this machine, who may list processes: better use a file
    /// [environment: MPANEL_TOKEN]
    #[arg(long, global = true, value_name = "TOKEN")]
    token: Option<String>,
    /// A file that holds the API token [environment: MPANEL_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// A PEM file with further authorities to trust, beside the system's [environment: MPANEL_CA]
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Allow http:// to another machine: passwords and tokens can be read on their way [environment: MPANEL_PLAIN_HTTP=true]
    #[arg(long, global = true)]
    plain_http: bool,
    /// The tenant that is meant, by name or id, for who belongs to several; staff may name any [environment: MPANEL_TENANT]
    #[arg(long, global = true, value_name = "TENANT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    tenant: Option<String>,
}

/// A connection with everything found and read.
pub(super) struct Resolved {
    pub(super) url: Url,
    /// Whether what is sent can be read on its way there.
    pub(super) is_in_clear: bool,
    pub(super) token: Option<String>,
    /// For the hint when it is refused; empty where there is none.
    pub(super) token_source: &'static str,
    /// PEM.
    pub(super) ca: Option<Vec<u8>>,
    /// A name or an id.
    pub(super) tenant: Option<String>,
}

impl Connection {
    pub(super) fn resolve(&self) -> Result<Resolved> {
        let url = self.url.clone().or_else(|| set("MPANEL_URL"));
        let url = parse_url(url.as_deref().unwrap_or(URL_DEFAULT))?;
        let is_in_clear = url.scheme() == "http" && !is_loopback(&url);
        if is_in_clear && !self.allows_plain_http()? {
            return Err(Failure::usage(format!(
                "--url: {url} is not encrypted: passwords and tokens could be read on their way; use https, or --plain-http \
                 if nobody can listen there"
            )));
        }
        let (token, token_source) = self.token()?;
        let ca = self.ca.clone().or_else(|| set("MPANEL_CA").map(PathBuf::from));
        let ca = ca.map(|file| read(&file, "--ca")).transpose()?;
        let tenant = self.tenant.clone().or_else(|| set("MPANEL_TENANT"));
        Ok(Resolved { url, is_in_clear, token, token_source, ca, tenant })
    }

    fn allows_plain_http(&self) -> Result<bool> {
        if self.plain_http {
            return Ok(true);
        }
        match set("MPANEL_PLAIN_HTTP").as_deref() {
            Some("true") => Ok(true),
            None | Some("false") => Ok(false),
            Some(_) => Err(Failure::usage("MPANEL_PLAIN_HTTP: must be true or false")),
        }
    }

    fn token(&self) -> Result<(Option<String>, &'static str)> {
        if let Some(token) = &self.token {
            return Ok((Some(check_token(token, "--token")?), "--token"));
        }
        if let Some(file) = &self.token_file {
            return Ok((Some(token_of(file, "--token-file")?), "--token-file"));
        }
        if let Some(token) = set("MPANEL_TOKEN") {
            return Ok((Some(check_token(&token, "MPANEL_TOKEN")?), "MPANEL_TOKEN"));
        }
        if let Some(file) = set("MPANEL_TOKEN_FILE") {
            return Ok((Some(token_of(Path::new(&file), "MPANEL_TOKEN_FILE")?), "MPANEL_TOKEN_FILE"));
        }
        Ok((None, ""))
    }
}

fn set(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.is_empty())
}

fn read(file: &Path, option: &str) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(|error| Failure::usage(format!("{option}: cannot read {}: {error}", file.display())))
}

fn token_of(file: &Path, option: &'static str) -> Result<String> {
    let text = String::from_utf8(read(file, option)?).unwrap_or_default();
    check_token(&text, option)
}

fn check_token(text: &str, option: &str) -> Result<String> {
    let token = text.trim();
    let right = (1..=TOKEN_BYTES_MAX).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic());
    if right {
        Ok(token.to_owned())
    } else {
        Err(Failure::usage(format!("{option}: does not hold an API token, which is one word of letters and digits")))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn parse_url(text: &str) -> Result<Url> {
    let wrong = |why: &str| Failure::usage(format!("--url: `{text}` {why}; write for example {URL_DEFAULT}"));
    let mut url = Url::parse(text).map_err(|error| wrong(&format!("is no URL ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("is neither http nor https"));
    }
    if url.host_str().is_none_or(str::is_empty) || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("is not the address of a control plane"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a user or a password; only tokens are accepted: use --token-file"));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_checked_before_it_is_used() {
        for (text, expected) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("https://cp.example/mpanel", "https://cp.example/mpanel/"),
        ] {
            assert_eq!(parse_url(text).unwrap().as_str(), expected);
        }
        for text in ["cp.example", "ftp://cp.example", "http://u:p@cp.example", "http://cp.example/?x=1", ""] {
            let Err(Failure::Usage(message)) = parse_url(text) else { unreachable!("{text}") };
            assert!(message.starts_with("--url: `"), "{message}");
        }
    }

    #[test]
    fn a_token_is_one_word() {
        assert_eq!(check_token(" abc.def\n", "--token").unwrap(), "abc.def");
        for text in ["", "two words", "a\u{7}", "é"] {
            assert!(check_token(text, "--token").is_err(), "{text}");
        }
    }
}
