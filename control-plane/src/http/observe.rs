//! The outermost layer: names each request, bounds its time and its body, logs and counts it, and writes the body of an
//! answer that is an error.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tracing::Instrument as _;
use uuid::Uuid;

use super::problem;
use crate::app::App;
use crate::config::Http;
use crate::error::{Error, Result};

/// The longest body that is accepted.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Who asks, by address: behind a proxy, as it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client(pub(super) IpAddr);

/// The request's id, as its answer and the log have it.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// The layer.
pub(super) async fn layer(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let started = app.clock.now();
    let id = Uuid::now_v7().to_string();
    let method = method_name(request.method());
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", |path| path.as_str()).to_owned();
    if let Some(client) = client_of(&request, &app.config.http) {
        request.extensions_mut().insert(client);
    }
    request.extensions_mut().insert(RequestId(id.clone()));
    // The path without its query, which may hold what is not for the log.
    let span = tracing::info_span!("request", %id, method, %path);
    let response = bounded(app.config.http.request_timeout, next.run(request)).instrument(span.clone()).await;
    let mut response = problem::render(response, &id);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let (status, took) = (response.status().as_u16(), app.clock.now().since(started));
    span.in_scope(|| match route.as_str() {
        "/healthz" | "/readyz" | "/metrics" => tracing::debug!(status, ms = took.as_millis(), "answered"),
        _ => tracing::info!(status, ms = took.as_millis(), "answered"),
    });
    let labels = [("method", method.to_owned()), ("route", route)];
    metrics::histogram!("mpanel_http_request_seconds", &labels).record(took.as_secs_f64());
    let [method, route] = labels;
    metrics::counter!("mpanel_http_requests_total", &[method, route, ("status", status.to_string())]).increment(1);
    response
}

/// Ends what takes longer than `limit`; its transaction is rolled back.
pub(super) async fn bounded(limit: Duration, response: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(limit, response).await {
        Ok(response) => response,
        Err(_) => Error::unavailable("this took too long and was given up; nothing that is not finished was done")
            .into_response(),
    }
}

/// The layer that collects the body, once its sender has proven who it is.
pub(super) async fn collected(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match collect(&parts.headers, body).await {
        Ok(body) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(error) => {
            let mut response = error.into_response();
            // What is left of the body is not read, so nothing else can be on this connection.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}

async fn collect(headers: &http::HeaderMap, body: Body) -> Result<Bytes> {
    let too_large = || Error::TooLarge { limit_bytes: BODY_BYTES_MAX };
    let declared =
        headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    if declared.is_some_and(|bytes| bytes > BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    match pin!(Limited::new(body, BODY_BYTES_MAX)).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(Error::Malformed(format!("the body broke off: {error}"))),
    }
}

/// A panic is a defect; its text is for the log alone.
#[allow(clippy::needless_pass_by_value, reason = "the layer gives it so")]
pub(super) fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&'static str>().copied())
        .unwrap_or("no text");
    Error::internal(format!("a handler panicked: {text}")).into_response()
}

/// Callers choose their methods' names, so only the known ones become labels.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Whoever connects, unless that is a proxy of ours: then whom that saw, and so on through all of ours. What the first one that is not
/// ours says of others it may have made up.
fn client_of(request: &Request, http: &Http) -> Option<Client> {
    let mut client = request.extensions().get::<Peer>()?.0.ip().to_canonical();
    let values = request.headers().get_all(FORWARDED_FOR).iter().rev();
    for seen in values.flat_map(|value| value.to_str().unwrap_or_default().rsplit(',')) {
        let Some(seen) = address_in(seen).filter(|_| http.is_proxy(client)) else { break };
        client = seen;
    }
    Some(Client(client))
}

/// Some proxies write the port beside it.
fn address_in(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_proxies_of_ours_are_believed() {
        let mut http = Http { behind_proxy: true, ..Http::default() };
        let check = |http: &Http, peer: &str, forwarded: &[&str]| {
            let mut request = Request::new(Body::empty());
            request.extensions_mut().insert(Peer(SocketAddr::new(peer.parse().unwrap(), 9)));
            for value in forwarded {
                request.headers_mut().append(FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
            }
            client_of(&request, http).unwrap().0.to_string()
        };
        for (peer, forwarded, expected) in [
            ("127.0.0.1", vec!["192.0.2.66, 192.0.2.1"], "192.0.2.1"),
            ("127.0.0.1", vec!["192.0.2.66", "192.0.2.2"], "192.0.2.2"),
            ("::ffff:127.0.0.1", vec!["192.0.2.1:4711"], "192.0.2.1"),
            ("::1", vec!["192.0.2.66, [2001:db8::1]:4711, ::1"], "2001:db8::1"),
            ("127.0.0.1", vec!["garbage"], "127.0.0.1"),
            ("127.0.0.1", vec!["192.0.2.66, garbage, 127.0.0.2"], "127.0.0.2"),
            ("127.0.0.1", vec![], "127.0.0.1"),
            ("192.0.2.10", vec!["192.0.2.1"], "192.0.2.10"),
        ] {
            assert_eq!(check(&http, peer, &forwarded), expected, "{peer} {forwarded:?}");
        }
        http.trusted_proxies = vec!["192.0.2.10/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        assert_eq!(check(&http, "192.0.2.10", &["192.0.2.66, 192.0.2.1, 10.1.2.3"]), "192.0.2.1");
        assert_eq!(check(&http, "127.0.0.1", &["192.0.2.1"]), "127.0.0.1");
        http.behind_proxy = false;
        assert_eq!(check(&http, "192.0.2.10", &["192.0.2.1"]), "192.0.2.10");
    }
}
