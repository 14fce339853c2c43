//! The web console: what `control-plane/ui` was built to, embedded in the binary (a debug build reads it from the source tree). Whatever
//! is not the API's is the console's: a file of it, or the page that finds out by itself what its path means.

use std::borrow::Cow;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Method, StatusCode, header};
use rust_embed::{Embed, EmbeddedFile};

use super::problem::AsIs;
use crate::error::{Error, Result};

#[derive(Embed)]
#[folder = "ui/dist/"]
struct Built;

/// What is not the console's.
const API: [&str; 5] = ["/api", "/healthz", "/readyz", "/metrics", "/.well-known"];
const PAGE: &str = "index.html";
/// Where the page has the nonce of its styles, which its component library makes as it runs.
const NONCE_PLACE: &str = "__CSP_NONCE__";
/// Files with a hash of their content in their name.
const HASHED: &str = "assets/";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>mPanel</title>
<h1>This mpanel was built without its console</h1>
<p>With Node.js (20.19, 22.12 or newer) and npm: <code>npm ci &amp;&amp; npm run build</code> in <code>control-plane/ui</code>, then
<code>cargo build</code> once more. <code>deploy/demo</code> does both.</p>
<p>Everything works without it: the API is described at <a href=\"/api/docs\">/api/docs</a>, and the commands by
<code>mpanel --help</code>.</p></html>";

/// The layer: answers what is the console's, and passes on what is the API's.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    if !reads || is_api(request.uri().path()) {
        return next.run(request).await;
    }
    answer(request.uri().path(), Built::get).unwrap_or_else(IntoResponse::into_response)
}

fn is_api(path: &str) -> bool {
    API.iter().any(|api| path.strip_prefix(api).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// What is at `path`, of the files that there are.
fn answer(path: &str, file: impl Fn(&str) -> Option<EmbeddedFile>) -> Result<Response> {
    let name = path.trim_start_matches('/');
    let hidden = name.split('/').any(|part| part.starts_with('.'));
    if let Some(found) = file(name).filter(|_| !hidden && name != PAGE) {
        let kept = if name.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
        let headers = [(header::CONTENT_TYPE, found.metadata.mimetype()), (header::CACHE_CONTROL, kept)];
        return Ok((headers, found.data).into_response());
    }
    // A file that is not there is not a page: whoever wants a script must not get HTML.
    let is_file = name.starts_with(HASHED) || name.rsplit('/').next().is_some_and(|last| last.contains('.'));
    if hidden || is_file && name != PAGE {
        return Err(Error::not_found("file", path));
    }
    let Some(found) = file(PAGE) else {
        let mut missing = (StatusCode::NOT_FOUND, Html(NOT_BUILT)).into_response();
        missing.extensions_mut().insert(AsIs);
        return Ok(missing);
    };
    page(found.data)
}

fn page(data: Cow<'static, [u8]>) -> Result<Response> {
    let text = String::from_utf8(data.into_owned()).map_err(Error::internal)?;
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(Error::internal)?;
    let nonce = STANDARD.encode(nonce);
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:; font-src 'self'; \
         connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::try_from(policy).map_err(Error::internal)?;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        // Links in mails carry secrets behind their #; nobody else is told where one was.
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Ok((headers, Html(text.replacen(NONCE_PLACE, &nonce, 1))).into_response())
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use rust_embed::Metadata;

    use super::*;

    fn built(name: &str) -> Option<EmbeddedFile> {
        let (text, mime) = match name {
            "index.html" => ("<meta name=\"csp-nonce\" content=\"__CSP_NONCE__\">", "text/html"),
            "assets/main-1a2b.js" => ("start()", "text/javascript"),
            "favicon.svg" => ("<svg/>", "image/svg+xml"),
            ".vite/manifest.json" => ("{}", "application/json"),
            _ => return None,
        };
        let metadata = Metadata::__rust_embed_new([0; 32], None, None, mime);
        Some(EmbeddedFile { data: Cow::Borrowed(text.as_bytes()), metadata })
    }

    async fn text(response: Response) -> String {
        String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
    }

    #[test]
    fn what_is_the_apis_is_not_the_consoles() {
        for path in ["/api", "/api/auth/me", "/healthz", "/readyz", "/metrics", "/.well-known/acme-challenge/a"] {
            assert!(is_api(path), "{path}");
        }
        for path in ["/", "/servers/pve1", "/apis", "/api-tokens", "/healthzz"] {
            assert!(!is_api(path), "{path}");
        }
    }

    #[tokio::test]
    async fn each_path_is_answered_with_its_file_or_with_the_page() {
        for path in ["/", "/index.html", "/servers/pve1", "/reset-password"] {
            let page = answer(path, built).unwrap();
            let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
            let nonce = policy.split_once("'nonce-").and_then(|(_, rest)| rest.split_once('\'')).unwrap().0.to_owned();
            assert_eq!(nonce.len(), 24, "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(text(page).await, format!("<meta name=\"csp-nonce\" content=\"{nonce}\">"), "{path}");
            let again = answer(path, built).unwrap();
            assert_ne!(
                again.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap(),
                policy,
                "one for each answer"
            );
        }
        let script = answer("/assets/main-1a2b.js", built).unwrap();
        assert_eq!(script.headers()[header::CONTENT_TYPE], "text/javascript");
        assert_eq!(script.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(text(script).await, "start()");
        assert_eq!(answer("/favicon.svg", built).unwrap().headers()[header::CACHE_CONTROL], "no-cache");
    }

    #[test]
    fn a_file_that_is_not_there_is_not_the_page() {
        for path in
            ["/assets/main-old.js", "/assets/x", "/robots.txt", "/.vite/manifest.json", "/.env", "/../Cargo.toml"]
        {
            let refused = answer(path, built).unwrap_err();
            assert_eq!(refused.code(), "not_found", "{path}");
        }
    }

    #[tokio::test]
    async fn without_the_console_it_says_where_it_is_to_be_had() {
        let page = answer("/servers", |_| None).unwrap();
        assert_eq!(page.status(), StatusCode::NOT_FOUND);
        let said = text(page).await;
        assert!(said.contains("npm run build") && said.contains("deploy/demo") && said.contains("/api/docs"), "{said}");
    }
}
