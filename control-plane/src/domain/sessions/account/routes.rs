//! One's own password and second factor over REST.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Who;
use crate::app::App;
use crate::domain::access::Permission;
use crate::domain::credentials::Enrolment;
use crate::domain::secrets::Secret;
use crate::domain::sessions::Visitor;
use crate::domain::sessions::routes::{second_of, signed_in};
use crate::error::{Error, Result};
use crate::http::auth::Auth;
use crate::http::json::Body;

/// Another password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The present one.
    #[schema(max_length = 1024)]
    current_password: String,
    /// The one from now on: 12 to 256 characters.
    #[schema(min_length = 12, max_length = 256)]
    new_password: String,
    /// Ends one's API tokens too: somebody else may know the present password.
    #[serde(default)]
    end_tokens: bool,
}

/// Whose password is forgotten.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordForgotten {
    /// Their address.
    #[schema(max_length = 254)]
    email: String,
}

/// Another password, by a link.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordReset {
    /// What stands after `#` in the link.
    #[schema(max_length = 256)]
    secret: String,
    /// The password from now on: 12 to 256 characters.
    #[schema(min_length = 12, max_length = 256)]
    password: String,
}

/// That it is really the person who asks.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct TotpEnrol {
    /// The present password.
    #[schema(max_length = 1024)]
    password: String,
}

/// What an authenticator needs.
#[derive(Serialize, utoipa::ToSchema)]
struct TotpEnrolment {
    /// Base32, to type in.
    secret: String,
    /// `otpauth://…`, to show as a QR code.
    uri: String,
}

/// That the authenticator has it.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct TotpConfirm {
    /// Its present code.
    #[schema(max_length = 32)]
    code: String,
}

/// For when the authenticator is lost.
#[derive(Serialize, utoipa::ToSchema)]
struct RecoveryCodes {
    /// Each works once, in place of a code. They are not shown again.
    recovery_codes: Vec<String>,
}

/// That it is really the person who asks, in both ways.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct TotpDisable {
    /// The present password.
    #[schema(max_length = 1024)]
    password: String,
    /// The authenticator's present code.
    #[schema(max_length = 32)]
    totp_code: Option<String>,
    /// Instead of it a recovery code.
    #[schema(max_length = 64)]
    recovery_code: Option<String>,
}

/// The routes of this folder.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let routes = OpenApiRouter::new()
        .routes(routes!(password_change))
        .routes(routes!(password_forgotten))
        .routes(routes!(password_reset))
        .routes(routes!(totp_enrol))
        .routes(routes!(totp_confirm))
        .routes(routes!(totp_disable));
    OpenApiRouter::new().nest("/api/auth", routes)
}

/// Changes one's own password. It ends one's other sign-ins, and with `end_tokens` one's API tokens.
#[utoipa::path(post, path = "/password", tag = "Sign-in", request_body = PasswordChange, responses((status = 204)),
    extensions(("x-permission" = json!("account:write"))))]
async fn password_change(
    State(app): State<Arc<App>>,
    auth: Auth,
    visitor: Visitor,
    Body(body): Body<PasswordChange>,
) -> Result<StatusCode> {
    auth.require(Permission::AccountWrite)?;
    let PasswordChange { current_password, new_password, end_tokens } = body;
    let (current, new) = (typed("current_password", current_password)?, Secret::new(new_password));
    app.sessions.password_change(who(&auth, &visitor)?, &current, &new, end_tokens).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a link for a new password to this address, if it is somebody's. The answer is the same if it is not.
#[utoipa::path(post, path = "/password/forgot", tag = "Sign-in", request_body = PasswordForgotten,
    responses((status = 202)))]
async fn password_forgotten(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Body(body): Body<PasswordForgotten>,
) -> Result<StatusCode> {
    let PasswordForgotten { email } = body;
    if !(1..=254).contains(&email.len()) {
        return Err(Error::invalid("email", "must be an e-mail address"));
    }
    app.sessions.password_forgotten(&email, &visitor).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Sets a new password by a link, which works once. It ends all sign-ins and API tokens of that person.
#[utoipa::path(post, path = "/password/reset", tag = "Sign-in", request_body = PasswordReset, responses((status = 204)))]
async fn password_reset(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Body(body): Body<PasswordReset>,
) -> Result<StatusCode> {
    let PasswordReset { secret, password } = body;
    let (secret, password) = (typed("secret", secret)?, Secret::new(password));
    app.sessions.password_reset(secret.expose(), &password, &visitor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a secret for an authenticator. It counts for nothing until its first code is confirmed.
#[utoipa::path(post, path = "/totp/enrol", tag = "Sign-in", request_body = TotpEnrol,
    responses((status = 200, body = TotpEnrolment)), extensions(("x-permission" = json!("account:write"))))]
async fn totp_enrol(
    State(app): State<Arc<App>>,
    auth: Auth,
    visitor: Visitor,
    Body(body): Body<TotpEnrol>,
) -> Result<Json<TotpEnrolment>> {
    auth.require(Permission::AccountWrite)?;
    let password = typed("password", body.password)?;
    let Enrolment { secret, uri } = app.sessions.totp_enrol(who(&auth, &visitor)?, &password).await?;
    Ok(Json(TotpEnrolment { secret: secret.expose().clone(), uri: uri.expose().clone() }))
}

/// Asks for a second factor from now on. The answer holds the recovery codes, this once.
#[utoipa::path(post, path = "/totp/confirm", tag = "Sign-in", request_body = TotpConfirm,
    responses((status = 200, body = RecoveryCodes)), extensions(("x-permission" = json!("account:write"))))]
async fn totp_confirm(
    State(app): State<Arc<App>>,
    auth: Auth,
    visitor: Visitor,
    Body(body): Body<TotpConfirm>,
) -> Result<Json<RecoveryCodes>> {
    auth.require(Permission::AccountWrite)?;
    let codes = app.sessions.totp_confirm(who(&auth, &visitor)?, &body.code).await?;
    Ok(Json(RecoveryCodes { recovery_codes: codes.iter().map(|code| code.expose().clone()).collect() }))
}

/// Asks for no second factor from now on.
#[utoipa::path(post, path = "/totp/disable", tag = "Sign-in", request_body = TotpDisable, responses((status = 204)),
    extensions(("x-permission" = json!("account:write"))))]
async fn totp_disable(
    State(app): State<Arc<App>>,
    auth: Auth,
    visitor: Visitor,
    Body(body): Body<TotpDisable>,
) -> Result<StatusCode> {
    auth.require(Permission::AccountWrite)?;
    let TotpDisable { password, totp_code, recovery_code } = body;
    let second = second_of(totp_code, recovery_code)?
        .ok_or_else(|| Error::invalid("totp_code", "is needed: the authenticator's code, or a recovery_code"))?;
    let password = typed("password", password)?;
    app.sessions.totp_disable(who(&auth, &visitor)?, &password, &second).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn who<'a>(auth: &'a Auth, visitor: &'a Visitor) -> Result<Who<'a>> {
    let (user, session) = signed_in(auth)?;
    Ok(Who { actor: &auth.actor, user, session, visitor })
}

/// A secret as somebody typed it, of a length that can be one.
fn typed(field: &str, text: String) -> Result<Secret<String>> {
    if (1..=1024).contains(&text.len()) {
        return Ok(Secret::new(text));
    }
    Err(Error::invalid(field, "must be 1 to 1024 bytes"))
}
