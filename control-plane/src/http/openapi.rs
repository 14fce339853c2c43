//! The API's description (OpenAPI 3.1): what the slices say of themselves, and what holds for all of them.

use std::collections::HashMap;

use serde_json::json;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, LicenseBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::auth::{door_of, is_open};
use super::problem::{Problem, ProblemField};
use crate::domain::access::Door;

/// As SPDX names it.
const LICENSE: &str = env!("CARGO_PKG_LICENSE");
const SCHEME: &str = "token";
const COOKIE_SCHEME: &str = "cookie";

/// Adds to each operation what all share: the token, the problem document, the idempotency key.
pub(super) fn complete(mut api: OpenApi) -> OpenApi {
    "mPanel".clone_into(&mut api.info.title);
    env!("CARGO_PKG_VERSION").clone_into(&mut api.info.version);
    api.info.description = Some(
        "Errors are problem documents (RFC 9457). Lists are read page by page with `page_token`. A POST, PATCH or DELETE may \
         carry an `Idempotency-Key`: repeated with the same key and body it has one effect and gets the first answer."
            .to_owned(),
    );
    // The crate's author is nobody to turn to with questions about a panel.
    api.info.contact = None;
    api.info.license = Some(LicenseBuilder::new().name(LICENSE).identifier(Some(LICENSE)).build());
    let components = api.components.get_or_insert_default();
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    components.schemas.insert(ProblemField::name().into_owned(), ProblemField::schema());
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An access token, an API token or the platform's token"))
        .build();
    components.security_schemes.insert(SCHEME.to_owned(), SecurityScheme::Http(bearer).into());
    let cookie = ApiKeyValue::with_description(
        "__Host-mpanel_access",
        "A browser's access token (over plain HTTP on loopback the name has no prefix). A request that changes something has to \
         come from the same site, with what the cookie __Host-mpanel_csrf holds in the header X-CSRF-Token",
    );
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(cookie));
    components.security_schemes.insert(COOKIE_SCHEME.to_owned(), cookie.into());
    for (path, item) in &mut api.paths.paths {
        let is_open = is_open(path);
        if door_of(path) == Door::Tenant && !is_open {
            item.parameters.get_or_insert_default().push(tenant().into());
        }
        if let Some(operation) = &mut item.get {
            complete_operation(operation, is_open);
        }
        for operation in [&mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten() {
            complete_operation(operation, is_open);
            if is_open {
                continue; // Nobody is known whose key it could be.
            }
            operation.parameters.get_or_insert_default().push(idempotency_key().into());
        }
    }
    distinguish(&mut api);
    api
}

/// One handler serves several prefixes, but an operation's id is its own: below `/api/` the handler's name, elsewhere with the prefix
/// before it.
fn distinguish(api: &mut OpenApi) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for operation in api.paths.paths.values_mut().flat_map(operations) {
        *seen.entry(operation.operation_id.clone().unwrap_or_default()).or_default() += 1;
    }
    for (path, item) in &mut api.paths.paths {
        let prefix = match door_of(path) {
            Door::Platform => "platform",
            Door::Admin => "admin",
            Door::Tenant | Door::Own => continue,
        };
        for id in operations(item).filter_map(|operation| operation.operation_id.as_mut()) {
            if seen.get(id).is_some_and(|times| *times > 1) {
                *id = format!("{prefix}_{id}");
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}

fn complete_operation(operation: &mut Operation, is_open: bool) {
    operation.security = Some(if is_open {
        Vec::new()
    } else {
        let by = |scheme| SecurityRequirement::new::<_, [&str; 0], &str>(scheme, []);
        vec![by(SCHEME), by(COOKIE_SCHEME)]
    });
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    let problem = ResponseBuilder::new()
        .description("What is wrong, as a problem document")
        .content("application/problem+json", content)
        .build();
    operation.responses.responses.insert("default".to_owned(), RefOr::T(problem));
}

fn tenant() -> Parameter {
    ParameterBuilder::new()
        .name("X-Tenant-Id")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("Whose data: for who belongs to several tenants, one of them; for staff any"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
        .build()
}

fn idempotency_key() -> Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("Repeated with the same key and body, the request has one effect and gets the first answer"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(255)).build()))
        .extensions(Some(
            ExtensionsBuilder::new().add("x-example", json!("0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e10")).build(),
        ))
        .build()
}
