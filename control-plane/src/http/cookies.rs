//! Cookies for browsers, in place of tokens that scripts could read. A browser sends them by itself, so a request that changes
//! something must also show what only our own pages can: the CSRF token, and that it comes from them.

use std::time::Duration;

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use zeroize::Zeroizing;

use crate::app::App;
use crate::clock::Ms;
use crate::config::Config;
use crate::domain::secrets::Secret;
use crate::domain::sessions::SignedIn;
use crate::error::{Error, Result};
use crate::ids::SessionId;

/// Beside a cookie: what stands in the cookie `mpanel_csrf`, which scripts of our own pages can read.
pub const CSRF_HEADER: &str = "X-CSRF-Token";

/// Where the refresh token's cookie goes, and nowhere else.
pub const REFRESH_PATH: &str = "/api/auth";

const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A cookie that we set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// The access token.
    Access,
    /// The refresh token.
    Refresh,
    /// The CSRF token, for our pages' scripts.
    Csrf,
    /// The way to an OIDC provider and back.
    Journey,
}

impl Cookie {
    /// Its name. Those that go over TLS alone are so called that a browser takes them over TLS alone, and, but for the refresh
    /// token's, from no other host of the domain: a refresh also needs the CSRF token.
    fn name(self, is_secure: bool) -> &'static str {
        match (self, is_secure) {
            (Self::Access, true) => "__Host-mpanel_access",
            (Self::Access, false) => "mpanel_access",
            (Self::Refresh, true) => "__Secure-mpanel_refresh",
            (Self::Refresh, false) => "mpanel_refresh",
            (Self::Csrf, true) => "__Host-mpanel_csrf",
            (Self::Csrf, false) => "mpanel_csrf",
            (Self::Journey, true) => "__Host-mpanel_oidc",
            (Self::Journey, false) => "mpanel_oidc",
        }
    }

    fn set(self, is_secure: bool, value: &str, max_age_s: u64) -> String {
        let (path, same_site) = match self {
            Self::Refresh => (REFRESH_PATH, "Strict"),
            // The provider's site sends the browser back with the last.
            Self::Access | Self::Csrf | Self::Journey => ("/", "Lax"),
        };
        let secure = if is_secure { "; Secure" } else { "" };
        let http_only = if self == Self::Csrf { "" } else { "; HttpOnly" };
        let name = self.name(is_secure);
        format!("{name}={value}; Path={path}; Max-Age={max_age_s}; SameSite={same_site}{secure}{http_only}")
    }

    /// Its value, as a browser shows it.
    #[must_use]
    pub fn shown(self, config: &Config, headers: &HeaderMap) -> Option<Zeroizing<String>> {
        let name = self.name(is_secure(config));
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(found, _)| *found == name).map(|(_, value)| Zeroizing::new(value.to_owned()))
    }
}

/// Whether browsers may send it over TLS alone: everywhere but where they speak to this very machine in the clear.
fn is_secure(config: &Config) -> bool {
    let http = &config.http;
    let is_https = http.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    is_https || http.tls_certificate.is_some() || http.behind_proxy
}

/// Gives a browser its cookies.
pub fn give(config: &Config, now: Ms, signed_in: &SignedIn, response: &mut Response) -> Result<()> {
    let lasts_s = signed_in.expires_at.since(now).as_secs();
    let SignedIn { access, refresh, .. } = signed_in;
    let all: [(Cookie, &Secret<String>, u64); 3] = [
        (Cookie::Access, &access.token, access.expires_at.since(now).as_secs()),
        (Cookie::Refresh, refresh, lasts_s),
        (Cookie::Csrf, &access.csrf, lasts_s),
    ];
    for (cookie, value, max_age_s) in all {
        append(response, &cookie.set(is_secure(config), value.expose(), max_age_s))?;
    }
    Ok(())
}

/// Has a browser keep something for a while; an empty value takes it away.
pub fn keep(config: &Config, cookie: Cookie, value: &str, lasts: Duration, response: &mut Response) -> Result<()> {
    append(response, &cookie.set(is_secure(config), value, lasts.as_secs()))
}

/// Takes them away.
pub fn take_away(config: &Config, response: &mut Response) -> Result<()> {
    for cookie in [Cookie::Access, Cookie::Refresh, Cookie::Csrf] {
        append(response, &cookie.set(is_secure(config), "", 0))?;
    }
    Ok(())
}

fn append(response: &mut Response, cookie: &str) -> Result<()> {
    let mut value = HeaderValue::from_str(cookie).map_err(Error::internal)?;
    value.set_sensitive(true);
    response.headers_mut().append(header::SET_COOKIE, value);
    Ok(())
}

/// Refuses (403) a request that changes something and that another site may have made this browser send.
pub async fn guard(app: &App, method: &Method, headers: &HeaderMap, session: SessionId) -> Result<()> {
    if method.is_safe() {
        return Ok(());
    }
    require_own_site(&app.config, headers)?;
    let shown = headers.get(CSRF).and_then(|value| value.to_str().ok());
    let Some(shown) = shown else {
        return Err(Error::Forbidden(format!(
            "a request with a cookie that changes something needs the header {CSRF_HEADER}: what the cookie mpanel_csrf holds"
        )));
    };
    if app.sessions.csrf_verify(session, shown).await? {
        return Ok(());
    }
    Err(Error::Forbidden(format!("{CSRF_HEADER} is not that of this sign-in: read the cookie mpanel_csrf again")))
}

/// Refuses (403) what a browser sends for another site. Programs that are no browsers say nothing of a site.
pub fn require_own_site(config: &Config, headers: &HeaderMap) -> Result<()> {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let elsewhere = || Err(Error::Forbidden("this request comes from another site".to_owned()));
    if let Some(site) = text(&FETCH_SITE) {
        return if matches!(site, "same-origin" | "none") { Ok(()) } else { elsewhere() };
    }
    let Some(origin) = text(&header::ORIGIN) else { return Ok(()) };
    if config.http.public_url.as_deref() == Some(origin) {
        return Ok(());
    }
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    if authority.is_some() && authority == text(&header::HOST) { Ok(()) } else { elsewhere() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn a_cookie_is_as_strict_as_it_can_be() {
        assert_eq!(
            Cookie::Access.set(true, "x", 600),
            "__Host-mpanel_access=x; Path=/; Max-Age=600; SameSite=Lax; Secure; HttpOnly"
        );
        assert_eq!(
            Cookie::Refresh.set(true, "x", 9),
            "__Secure-mpanel_refresh=x; Path=/api/auth; Max-Age=9; SameSite=Strict; Secure; HttpOnly"
        );
        assert_eq!(Cookie::Csrf.set(false, "x", 9), "mpanel_csrf=x; Path=/; Max-Age=9; SameSite=Lax");
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let config = Config::default();
        let found =
            |line: &str| Cookie::Access.shown(&config, &headers(&[(header::COOKIE, line)])).map(|v| v.to_string());
        assert_eq!(found("a=b; mpanel_access=tok; c=d").as_deref(), Some("tok"));
        assert_eq!(found("xmpanel_access=tok; mpanel_accessx=tok; __Host-mpanel_access=tok"), None);
    }

    #[test]
    fn only_our_own_pages_and_programs_pass() {
        let mut config = Config::default();
        config.http.public_url = Some("https://panel.example.net".to_owned());
        let check = |pairs: &[(HeaderName, &str)]| require_own_site(&config, &headers(pairs)).is_ok();
        let host = (header::HOST, "cp.example.net:8080");
        assert!(check(&[]));
        assert!(check(&[(FETCH_SITE, "same-origin"), (header::ORIGIN, "https://anything.example")]));
        assert!(check(&[(header::ORIGIN, "https://panel.example.net")]));
        assert!(check(&[host.clone(), (header::ORIGIN, "http://cp.example.net:8080")]));
        for site in ["cross-site", "same-site", "?"] {
            assert!(!check(&[(FETCH_SITE, site), (header::ORIGIN, "https://panel.example.net")]), "{site}");
        }
        for origin in
            ["https://evil.example", "null", "https://panel.example.net.evil.example", "http://cp.example.net"]
        {
            assert!(!check(&[host.clone(), (header::ORIGIN, origin)]), "{origin}");
        }
    }
}
