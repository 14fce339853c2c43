//! A server's migration endpoint over REST, for platform staff.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Endpoint, EndpointInput};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::domain::secrets::Secret;
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::json::Body;
use crate::http::path::Path;

/// Where hosts of other Proxmox clusters send VMs to.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MigrationEndpointSet)]
struct EndpointBody {
    /// Name or address under which the hosts of the other clusters reach this one.
    #[schema(max_length = 253, example = "pve9.example.net")]
    host: String,
    /// Of its Proxmox API.
    #[serde(default = "port_default")]
    #[schema(default = 8006)]
    port: u16,
    /// SHA-256 of its certificate, `AA:BB:…`.
    fingerprint: String,
    /// An API token of its cluster, `user@realm!id=secret`. Kept sealed, shown never again.
    token: String,
}

fn port_default() -> u16 {
    8006
}

/// Where hosts of other Proxmox clusters send VMs to. The token is not shown.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = MigrationEndpoint)]
struct EndpointView {
    host: String,
    port: u16,
    fingerprint: String,
    updated_at: Ms,
}

impl From<Endpoint> for EndpointView {
    fn from(endpoint: Endpoint) -> Self {
        let Endpoint { host, port, fingerprint, updated_at } = endpoint;
        Self { host, port, fingerprint, updated_at }
    }
}

/// The routes of this part of the slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let endpoint = OpenApiRouter::new().routes(routes!(endpoint_get, endpoint_set, endpoint_delete));
    OpenApiRouter::new().nest("/api/platform/servers", endpoint)
}

/// Where hosts of other Proxmox clusters send VMs to when they go to this server.
#[utoipa::path(get, path = "/{id}/migration-endpoint", tag = "Servers",
    params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, body = EndpointView), (status = 404)), extensions(("x-permission" = json!("servers:read"))))]
async fn endpoint_get(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<String>) -> Result<Json<EndpointView>> {
    auth.require(Permission::ServersRead)?;
    let server = app.servers.server_show(&id).await?;
    Ok(Json(app.servers.endpoint_get(server.id).await?.into()))
}

/// Makes a server a target for VMs of other Proxmox clusters; replaces what was said before.
#[utoipa::path(put, path = "/{id}/migration-endpoint", tag = "Servers",
    params(("id" = String, Path, description = "Id or name")), request_body = EndpointBody,
    responses((status = 200, body = EndpointView), (status = 404), (status = 422)),
    extensions(("x-permission" = json!("servers:write"))))]
async fn endpoint_set(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<String>,
    Body(body): Body<EndpointBody>,
) -> Result<Json<EndpointView>> {
    auth.require(Permission::ServersWrite)?;
    let EndpointBody { host, port, fingerprint, token } = body;
    let input = EndpointInput { host, port, fingerprint, token: Secret::new(token) };
    let server = app.servers.server_show(&id).await?;
    Ok(Json(app.servers.endpoint_set(&auth.actor, &app.secrets, server.id, input).await?.into()))
}

/// No VM of another cluster goes to this server any more; those under way arrive.
#[utoipa::path(delete, path = "/{id}/migration-endpoint", tag = "Servers",
    params(("id" = String, Path, description = "Id or name")),
    responses((status = 204, description = "It has none")), extensions(("x-permission" = json!("servers:write"))))]
async fn endpoint_delete(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<String>) -> Result<StatusCode> {
    auth.require(Permission::ServersWrite)?;
    let server = app.servers.server_show(&id).await?;
    app.servers.endpoint_delete(&auth.actor, server.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
