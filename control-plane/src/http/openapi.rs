//! The API's description (OpenAPI 3.1): what the slices say of themselves, and what holds for all of them.

use serde_json::json;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::auth::OPEN;
use super::problem::{Problem, ProblemField};

const SCHEME: &str = "token";

/// Adds to each operation what all share: the token, the problem document, the idempotency key.
pub(super) fn complete(mut api: OpenApi) -> OpenApi {
    api.info.title = "mPanel".to_owned();
    api.info.version = env!("CARGO_PKG_VERSION").to_owned();
    api.info.description = Some(
        "Errors are problem documents (RFC 9457). Lists are read page by page with `page_token`. A POST, PATCH or DELETE may \
         carry an `Idempotency-Key`: repeated with the same key and body it has one effect and gets the first answer."
            .to_owned(),
    );
    let components = api.components.get_or_insert_default();
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    components.schemas.insert(ProblemField::name().into_owned(), ProblemField::schema());
    let bearer = Http::builder().scheme(HttpAuthScheme::Bearer).description(Some("The platform's token")).build();
    components.security_schemes.insert(SCHEME.to_owned(), SecurityScheme::Http(bearer).into());
    for (path, item) in &mut api.paths.paths {
        let is_open = OPEN.contains(&path.as_str());
        for (method, operation) in [("get", &mut item.get), ("put", &mut item.put), ("post", &mut item.post)] {
            operation.iter_mut().for_each(|operation| complete_operation(operation, method, is_open));
        }
        for (method, operation) in [("patch", &mut item.patch), ("delete", &mut item.delete)] {
            operation.iter_mut().for_each(|operation| complete_operation(operation, method, is_open));
        }
    }
    api
}

fn complete_operation(operation: &mut Operation, method: &str, is_open: bool) {
    if is_open {
        operation.security = Some(Vec::new());
        return;
    }
    operation.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>(SCHEME, [])]);
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    let problem = ResponseBuilder::new()
        .description("What is wrong, as a problem document")
        .content("application/problem+json", content)
        .build();
    operation.responses.responses.insert("default".to_owned(), RefOr::T(problem));
    if method != "get" {
        operation.parameters.get_or_insert_default().push(idempotency_key().into());
    }
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
