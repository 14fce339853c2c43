//! Sign-in by a provider, for browsers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::domain::sessions::Visitor;
use crate::error::{Error, Result};
use crate::http::cookies::{self, Cookie};
use crate::http::path::Path;
use crate::http::query::Params;

/// Where people can sign in.
#[derive(Serialize, utoipa::ToSchema)]
struct Providers {
    items: Vec<Provider>,
}

/// A provider.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = OidcProvider)]
struct Provider {
    /// Its name, for the other paths.
    name: String,
    /// Where to send a browser.
    start: String,
}

/// How somebody comes back.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Return {
    /// What the provider exchanges for who it is.
    #[param(max_length = 2048)]
    code: Option<String>,
    /// What we sent along.
    #[param(max_length = 512)]
    state: Option<String>,
    /// Why the provider sends them back without.
    #[param(max_length = 256)]
    error: Option<String>,
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let routes =
        OpenApiRouter::new().routes(routes!(provider_list)).routes(routes!(sign_in_begin)).routes(routes!(sign_in_end));
    OpenApiRouter::new().nest("/api/auth/oidc", routes)
}

/// The providers by which one can sign in.
#[utoipa::path(get, path = "", tag = "Sign-in", responses((status = 200, body = Providers)))]
async fn provider_list(State(app): State<Arc<App>>) -> Json<Providers> {
    let of = |name: &str| Provider { name: name.to_owned(), start: format!("/api/auth/oidc/{name}/start") };
    Json(Providers { items: app.oidc.provider_list().map(of).collect() })
}

/// Sends a browser to a provider; where that cannot be, to the console's sign-in page with `#oidc=` and the code of the problem.
#[utoipa::path(get, path = "/{name}/start", tag = "Sign-in", params(("name" = String, Path)),
    responses((status = 303, description = "To the provider, or to the console's sign-in page with `#oidc=` and why not")))]
async fn sign_in_begin(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Response> {
    let begun = app.oidc.sign_in_begin(&name).await;
    let (url, kept) = match begun {
        Ok(begun) => begun,
        Err(error) => return turned_away(&app, &error),
    };
    let mut response = see_other(url.as_str())?;
    cookies::keep(&app.config, Cookie::Journey, &kept, super::service::JOURNEY, &mut response)?;
    Ok(response)
}

/// Takes a browser back from a provider, signs its person in and sends it to the console. Whoever is not let in is sent to its sign-in
/// page, with `#oidc=` and the code of the problem: `unauthorized`, `unavailable` and so on.
#[utoipa::path(get, path = "/{name}/callback", tag = "Sign-in", params(("name" = String, Path), Return),
    responses((status = 303, description = "To the console with cookies, or to its sign-in page with `#oidc=` and why not")))]
async fn sign_in_end(
    State(app): State<Arc<App>>,
    path: Path<String>,
    visitor: Visitor,
    headers: HeaderMap,
    back: Result<Params<Return>>,
) -> Result<Response> {
    match arrived(&app, path, &visitor, &headers, back).await {
        Ok(response) => Ok(response),
        Err(error) => turned_away(&app, &error),
    }
}

async fn arrived(
    app: &App,
    Path(name): Path<String>,
    visitor: &Visitor,
    headers: &HeaderMap,
    back: Result<Params<Return>>,
) -> Result<Response> {
    let Params(Return { code, state, error }) = back?;
    if let Some(error) = error {
        let error: String = error.chars().filter(char::is_ascii_graphic).take(64).collect();
        return Err(Error::Unauthorized(format!("you are not signed in: the provider says {error}")));
    }
    let (Some(code), Some(state)) = (code, state) else {
        return Err(Error::invalid("code", "the provider has to send you here with code and state"));
    };
    let kept = Cookie::Journey.shown(&app.config, headers).unwrap_or_default();
    let signed_in = app.oidc.sign_in_end(&name, &kept, (code, &state), visitor).await?;
    let console = app.config.http.public_url.as_deref().unwrap_or_default();
    let mut response = see_other(&format!("{console}/"))?;
    cookies::give(&app.config, app.clock.now(), &signed_in, &mut response)?;
    cookies::keep(&app.config, Cookie::Journey, "", std::time::Duration::ZERO, &mut response)?;
    Ok(response)
}

/// Sends a person's browser, which has nothing to show a problem with, to the page where they can begin anew.
fn turned_away(app: &App, error: &Error) -> Result<Response> {
    let code = error.code();
    if code == "internal" {
        tracing::error!(?error, "a sign-in by a provider failed");
    } else {
        tracing::info!(%error, code, "a sign-in by a provider was refused");
    }
    let console = app.config.http.public_url.as_deref().unwrap_or_default();
    let mut response = see_other(&format!("{console}/sign-in#oidc={code}"))?;
    cookies::keep(&app.config, Cookie::Journey, "", std::time::Duration::ZERO, &mut response)?;
    Ok(response)
}

fn see_other(url: &str) -> Result<Response> {
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(url).map_err(Error::internal)?);
    Ok(response)
}
