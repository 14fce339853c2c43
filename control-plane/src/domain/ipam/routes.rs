//! Address pools over REST, for platform staff. A path takes a pool's id or its name.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::IpPoolFilter;
use super::{Holder, IpPool, IpPoolCreate, IpPoolPatch, Range};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::json::Body;
use crate::http::page::{Listing, NoFilter, Page, PageQuery};
use crate::http::patch::clearable;
use crate::http::path::Path;
use crate::ids::{CloudPodId, IpPoolId};

const PATH: &str = "/api/platform/ip-pools";

/// A range of addresses to be given out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = IpPool)]
struct IpPoolView {
    id: IpPoolId,
    name: String,
    /// 4 or 6.
    family: u8,
    #[schema(value_type = String)]
    first: IpAddr,
    #[schema(value_type = String)]
    last: IpAddr,
    prefix_length: u8,
    #[schema(value_type = String)]
    gateway: IpAddr,
    #[schema(value_type = Vec<String>)]
    dns: Vec<IpAddr>,
    /// Null: the server's bridge.
    bridge: Option<String>,
    /// Null: untagged.
    vlan: Option<u16>,
    /// Null: serves every region.
    region: Option<String>,
    /// Whether addresses may be given out.
    active: bool,
    /// Whether customers may draw from it; otherwise only the platform's staff gives out its addresses, by naming it.
    public: bool,
    /// How many addresses may be given out in all.
    size: u64,
    allocated: u64,
    free: u64,
    /// As in the header `ETag`.
    version: i64,
    created_at: Ms,
    updated_at: Ms,
}

impl From<IpPool> for IpPoolView {
    fn from(pool: IpPool) -> Self {
        let (family, size) = (pool.range.family(), pool.range.size());
        let IpPool {
            id,
            name,
            range: Range { first, last, prefix_length, gateway },
            dns,
            bridge,
            vlan,
            region,
            active,
            public,
            allocated,
            version,
            created_at,
            updated_at,
        } = pool;
        Self {
            id,
            name,
            family,
            first,
            last,
            prefix_length,
            gateway,
            dns,
            bridge,
            vlan,
            region,
            active,
            public,
            size,
            allocated,
            free: size.saturating_sub(allocated),
            version,
            created_at,
            updated_at,
        }
    }
}

/// Who holds an address.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = IpAddressHolder)]
struct HolderView {
    #[schema(value_type = String)]
    address: IpAddr,
    cloudpod_id: CloudPodId,
    allocated_at: Ms,
}

/// A pool to be made: a subnet (`cidr`: all its hosts but the gateway), or `first` to `last` in a subnet of `prefix_length`.
/// Of a v6 subnet larger than 2^62 addresses the lowest 2^62 are used.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IpPoolCreate)]
struct CreateBody {
    #[schema(example = "public-v4")]
    name: String,
    #[schema(example = "192.0.2.0/24")]
    cidr: Option<String>,
    first: Option<String>,
    last: Option<String>,
    prefix_length: Option<u8>,
    /// Never given out, also where it lies within the range.
    #[schema(example = "192.0.2.1")]
    gateway: String,
    #[serde(default)]
    dns: Vec<String>,
    /// The server's bridge when left out.
    bridge: Option<String>,
    /// Untagged when left out.
    #[schema(minimum = 1, maximum = 4094)]
    vlan: Option<u16>,
    /// Every region when left out.
    region: Option<String>,
    #[serde(default = "yes")]
    active: bool,
    /// Whether customers may draw from it; otherwise only the platform's staff gives out its addresses, by naming it.
    #[serde(default = "yes")]
    public: bool,
}

fn yes() -> bool {
    true
}

/// A change of a pool; what is left out stays. The first address cannot change: make another pool instead.
#[expect(clippy::option_option, reason = "a field left out and a field that is null mean different things")]
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IpPoolPatch)]
struct PatchBody {
    name: Option<String>,
    last: Option<String>,
    gateway: Option<String>,
    dns: Option<Vec<String>>,
    /// Null: the server's bridge.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>)]
    bridge: Option<Option<String>>,
    /// Null: untagged.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u16>)]
    vlan: Option<Option<u16>>,
    /// Null: every region.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>)]
    region: Option<Option<String>>,
    active: Option<bool>,
    /// Addresses that pods hold already stay theirs.
    public: Option<bool>,
}

/// Which pools to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListFilter {
    /// 4 or 6.
    family: Option<u8>,
    region: Option<String>,
    active: Option<bool>,
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let pools = OpenApiRouter::new()
        .routes(routes!(pool_list, pool_create))
        .routes(routes!(pool_get, pool_update, pool_delete))
        .routes(routes!(pool_addresses));
    OpenApiRouter::new().nest(PATH, pools)
}

fn tagged(pool: IpPool) -> Tagged<IpPoolView> {
    Tagged { version: pool.version, body: pool.into() }
}

/// Address pools, page by page.
#[utoipa::path(get, path = "", tag = "Address pools", params(PageQuery, ListFilter),
    responses((status = 200, body = Page<IpPoolView>)), extensions(("x-permission" = json!("ip_pools:read"))))]
async fn pool_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    list: Listing<ListFilter>,
) -> Result<Json<Page<IpPoolView>>> {
    auth.require(Permission::IpPoolsRead)?;
    let ListFilter { family, region, active } = list.filter;
    let filter = IpPoolFilter { family, region, active };
    let pools = app.ipam.pool_list(&filter, list.page.window()?).await?;
    Ok(Json(list.page.page(pools, |pool| pool.id)?.map(IpPoolView::from)))
}

/// Makes a pool. Its range may not overlap another's.
#[utoipa::path(post, path = "", tag = "Address pools", request_body = CreateBody,
    responses((status = 201, body = IpPoolView)), extensions(("x-permission" = json!("ip_pools:write"))))]
async fn pool_create(State(app): State<Arc<App>>, auth: Auth, Body(body): Body<CreateBody>) -> Result<Response> {
    auth.require(Permission::IpPoolsWrite)?;
    let CreateBody { name, cidr, first, last, prefix_length, gateway, dns, bridge, vlan, region, active, public } =
        body;
    let private = !public;
    let input =
        IpPoolCreate { name, cidr, first, last, prefix_length, gateway, dns, bridge, vlan, region, active, private };
    let pool = app.ipam.pool_create(&auth.actor, input).await?;
    Ok(crate::http::created(&format!("{PATH}/{}", pool.id), IpPoolView::from(pool)))
}

/// One pool.
#[utoipa::path(get, path = "/{id}", tag = "Address pools", params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, body = IpPoolView)), extensions(("x-permission" = json!("ip_pools:read"))))]
async fn pool_get(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<String>) -> Result<Tagged<IpPoolView>> {
    auth.require(Permission::IpPoolsRead)?;
    Ok(tagged(app.ipam.pool_show(&id).await?))
}

/// Changes a pool. Addresses that are held stay as they are. With `If-Match`, only if it is still as it was read.
#[utoipa::path(patch, path = "/{id}", tag = "Address pools",
    params(("id" = String, Path, description = "Id or name")), request_body = PatchBody,
    responses((status = 200, body = IpPoolView)), extensions(("x-permission" = json!("ip_pools:write"))))]
async fn pool_update(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<String>,
    if_match: IfMatch,
    Body(body): Body<PatchBody>,
) -> Result<Tagged<IpPoolView>> {
    auth.require(Permission::IpPoolsWrite)?;
    let PatchBody { name, last, gateway, dns, bridge, vlan, region, active, public } = body;
    let patch = IpPoolPatch { name, last, gateway, dns, bridge, vlan, region, active, public };
    Ok(tagged(app.ipam.pool_update(&auth.actor, &id, if_match.version(), patch).await?))
}

/// Deletes a pool of which nobody holds an address.
#[utoipa::path(delete, path = "/{id}", tag = "Address pools",
    params(("id" = String, Path, description = "Id or name")), responses((status = 204, description = "It is gone")),
    extensions(("x-permission" = json!("ip_pools:write"))))]
async fn pool_delete(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<String>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    auth.require(Permission::IpPoolsWrite)?;
    app.ipam.pool_delete(&auth.actor, &id, if_match.version()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who holds which address of a pool, in the addresses' order.
#[utoipa::path(get, path = "/{id}/addresses", tag = "Address pools",
    params(("id" = String, Path, description = "Id or name"), PageQuery),
    responses((status = 200, body = Page<HolderView>)), extensions(("x-permission" = json!("ip_pools:read"))))]
async fn pool_addresses(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<String>,
    list: Listing<NoFilter>,
) -> Result<Json<Page<HolderView>>> {
    auth.require(Permission::IpPoolsRead)?;
    let pool = app.ipam.pool_show(&id).await?;
    let holders = app.ipam.pool_holders(pool.id, list.page.window()?).await?;
    let page = list.page.page(holders, |holder| holder.slot)?;
    Ok(Json(page.map(|Holder { slot: _, address, pod, allocated_at }| HolderView {
        address,
        cloudpod_id: pod,
        allocated_at,
    })))
}
