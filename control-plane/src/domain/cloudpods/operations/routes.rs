//! The operations over REST, beside a pod's other routes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{FirewallPut, FirewallShown, PasswordReset, Rebuild, ResetPassword, Resize, Traffic};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::domain::cloudpods::Media;
use crate::domain::cloudpods::routes::{PodAndJob, TenantQuery, answer, narrowed, pod_and_job};
use crate::domain::firewall::{Kept, Policy, Rule};
use crate::domain::jobs::command::FirewallAction;
use crate::domain::secrets::Secret;
use crate::domain::traffic::Used;
use crate::error::{Error, Result};
use crate::http::accepted;
use crate::http::auth::Auth;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::json::{Body, MaybeBody};
use crate::http::path::Path;
use crate::http::query::Params;
use crate::ids::{CloudPodId, TenantId};

/// How long a guest gets to shut down before its power is cut, in seconds.
const SUSPEND_GUEST_S_DEFAULT: u64 = 60;

/// The routes of this file, below `/api/admin/hosting`.
pub(in crate::domain::cloudpods) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(cloudpod_suspend))
        .routes(routes!(cloudpod_unsuspend))
        .routes(routes!(cloudpod_resize))
        .routes(routes!(cloudpod_rebuild))
        .routes(routes!(cloudpod_reset_password))
        .routes(routes!(cloudpod_ssh_keys))
        .routes(routes!(cloudpod_media))
        .routes(routes!(cloudpod_rescue))
        .routes(routes!(cloudpod_unrescue))
        .routes(routes!(firewall_get, firewall_put))
        .routes(routes!(traffic_get))
}

/// Why a pod is suspended.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudPodSuspend)]
struct SuspendBody {
    /// Shown with the pod.
    #[schema(min_length = 1, max_length = 500, example = "invoice 2026-118 is overdue")]
    reason: String,
    /// How long the guest gets to shut down before its power is cut, in seconds.
    #[schema(minimum = 5, maximum = 3600, default = 60)]
    timeout_s: Option<u64>,
}

/// A new size: that of a plan or, with the permission cloudpods:manage, single figures.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudPodResize)]
struct ResizeBody {
    /// The plan's id or name.
    #[schema(max_length = 63, example = "large")]
    plan: Option<String>,
    #[schema(minimum = 1, maximum = 512)]
    vcpu: Option<u32>,
    #[schema(minimum = 16)]
    memory_mib: Option<u64>,
    /// Disks only grow.
    #[schema(minimum = 1)]
    disk_gib: Option<u64>,
    /// Restart it, if the new size needs that; otherwise `restart_needed` says so.
    #[serde(default)]
    restart: bool,
}

/// What a pod is made of anew.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudPodRebuild)]
struct RebuildBody {
    /// The image's id or name.
    #[schema(max_length = 63, example = "debian-13")]
    image: String,
    /// OpenSSH public keys for the user; left out: as before.
    ssh_keys: Option<Vec<String>>,
    /// The user that cloud-init makes; left out: as before or, where that was the image's own, the new image's.
    #[schema(max_length = 32)]
    user: Option<String>,
}

/// A new password. It is not printable on purpose.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudPodResetPassword)]
struct ResetPasswordBody {
    /// Whose; left out: the user's that cloud-init made.
    #[schema(max_length = 32)]
    user: Option<String>,
    /// Left out: one is made up, and told in the answer, once.
    #[schema(min_length = 8, max_length = 128)]
    password: Option<String>,
    /// Where no guest agent answers, let cloud-init set it and restart the pod.
    #[serde(default)]
    reboot: bool,
}

/// A pod, the job that sets the password, and the password, if it was made up.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = CloudPodPasswordAndJob)]
struct PasswordAndJob {
    #[serde(flatten)]
    asked: PodAndJob,
    user: String,
    /// Shown here and nowhere else; null when it was given.
    password: Option<String>,
}

/// New SSH keys.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudPodSshKeys)]
struct SshKeysBody {
    /// OpenSSH public keys for the user, instead of those before; at most 32.
    ssh_keys: Vec<String>,
    /// Restart the pod, so that they count at once.
    #[serde(default)]
    reboot: bool,
}

/// What is to be in the CD drive.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudPodSetMedia)]
struct MediaBody {
    /// Null or left out: no CD. Without the permission servers:read, of a storage that `[media] iso_storages` names.
    #[schema(max_length = 305, example = "local:iso/debian-13.iso")]
    iso: Option<String>,
    /// Boot from it before the disk, from the next start on.
    #[serde(default)]
    boot_from_cd: bool,
}

/// With which CD a pod is rescued.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudPodRescue)]
struct RescueBody {
    /// Without the permission servers:read, of a storage that `[media] iso_storages` names.
    #[schema(max_length = 305, example = "local:iso/rescue.iso")]
    iso: String,
}

/// What a pod's firewall is to be.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FirewallPut)]
struct FirewallBody {
    /// What happens to inbound traffic that no rule names; left out: it passes.
    #[serde(default)]
    policy_in: FirewallAction,
    /// What happens to outbound traffic that no rule names; left out: it passes.
    #[serde(default)]
    policy_out: FirewallAction,
    /// Let it send only from its own MAC addresses. The platform's to change; left out: as before.
    mac_filter: Option<bool>,
    /// Let it send only from the addresses that it holds. The platform's to change; left out: as before.
    ip_filter: Option<bool>,
    /// In order, the first match decides; at most 100.
    #[serde(default)]
    rules: Vec<Rule>,
}

/// A pod's firewall.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Firewall)]
struct FirewallView {
    #[serde(flatten)]
    policy: Policy,
    /// The same as in the ETag; 0: nobody changed it.
    version: i64,
    /// Whether this version is in effect on its host.
    applied: bool,
    /// Why it is not, and what to do; null: it is.
    not_applied_because: Option<String>,
    /// When its host last took a version.
    applied_at: Option<Ms>,
}

/// Of which pod, and how much.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct TrafficQuery {
    /// The tenant, for staff.
    tenant_id: Option<TenantId>,
    /// How many months, the present one among them.
    #[param(minimum = 1, maximum = 36, default = 12)]
    months: Option<u32>,
}

/// What a pod received and sent.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CloudPodTraffic)]
struct TrafficView {
    /// The present month, UTC.
    #[schema(example = "2026-01")]
    month: String,
    /// In it, both ways.
    used_bytes: u64,
    /// What its plan allows in a month, both ways; null: any.
    limit_gib: Option<u64>,
    /// Whether that is used up.
    exceeded: bool,
    /// The newest first; months without traffic are left out.
    months: Vec<TrafficMonthView>,
}

/// What a pod received and sent in a month.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CloudPodTrafficMonth)]
struct TrafficMonthView {
    #[schema(example = "2026-01")]
    month: String,
    /// Received by the guest.
    in_bytes: u64,
    /// Sent by the guest.
    out_bytes: u64,
    /// When its host last told of it.
    sampled_at: Ms,
}

impl From<FirewallShown> for FirewallView {
    fn from(shown: FirewallShown) -> Self {
        let FirewallShown { kept: Kept { policy, version, applied_version: _, applied_at }, lack } = shown;
        Self { policy, version, applied: lack.is_none(), not_applied_because: lack, applied_at }
    }
}

impl From<Traffic> for TrafficView {
    fn from(traffic: Traffic) -> Self {
        let Traffic { month, limit_gib, used } = traffic;
        let both = |used: &Used| used.in_bytes.saturating_add(used.out_bytes);
        let used_bytes = used.iter().find(|used| used.month == month).map_or(0, both);
        let limit_bytes = limit_gib.map(|gib| gib.saturating_mul(1 << 30));
        let view = |used: Used| {
            let Used { month, in_bytes, out_bytes, sampled_at } = used;
            TrafficMonthView { month: month.to_string(), in_bytes, out_bytes, sampled_at }
        };
        Self {
            month: month.to_string(),
            used_bytes,
            limit_gib,
            exceeded: limit_bytes.is_some_and(|limit| used_bytes > limit),
            months: used.into_iter().map(view).collect(),
        }
    }
}

/// Locks a CloudPod against its customer and powers it off.
#[utoipa::path(post, path = "/cloudpods/{id}/suspend", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = SuspendBody,
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:manage"))))]
async fn cloudpod_suspend(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<SuspendBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsManage)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let SuspendBody { reason, timeout_s } = body;
    let timeout_s = timeout_s.unwrap_or(SUSPEND_GUEST_S_DEFAULT);
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_suspend(&auth.actor, scope, id, &reason, timeout_s).await?))
}

/// Gives a suspended CloudPod back to its customer, and starts it if it ran before.
#[utoipa::path(post, path = "/cloudpods/{id}/unsuspend", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), responses((status = 202, body = PodAndJob), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("cloudpods:manage"))))]
async fn cloudpod_unsuspend(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsManage)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_unsuspend(&auth.actor, scope, id).await?))
}

/// Changes a CloudPod's size: to a plan's; single figures are the platform's to choose. The disk only grows.
#[utoipa::path(post, path = "/cloudpods/{id}/resize", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = ResizeBody,
    responses((status = 202, body = PodAndJob), (status = 403), (status = 404), (status = 409), (status = 422),
        (status = 507, description = "Its server has no room for what it would grow by. Nothing was changed.")),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_resize(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<ResizeBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let ResizeBody { plan, vcpu, memory_mib, disk_gib, restart } = body;
    if (vcpu.is_some() || memory_mib.is_some() || disk_gib.is_some()) && !auth.grant.has(Permission::CloudpodsManage) {
        let detail = "single figures (vcpu, memory_mib, disk_gib) take the permission cloudpods:manage: give a plan instead, as `plan`";
        return Err(Error::Forbidden(detail.to_owned()));
    }
    let input = Resize { plan, vcpu, memory_mib, disk_gib, restart };
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_resize(&auth.actor, scope, id, &input).await?))
}

/// Makes a CloudPod anew from an image. All that is on its disk and its snapshots are lost; its id and addresses stay, as do its backups.
#[utoipa::path(post, path = "/cloudpods/{id}/rebuild", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = RebuildBody,
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_rebuild(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<RebuildBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let RebuildBody { image, ssh_keys, user } = body;
    let input = Rebuild { image, ssh_keys, user };
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_rebuild(&auth.actor, scope, id, &input).await?))
}

/// Sets a user's password in a CloudPod's guest: through its guest agent or, with `reboot`, by cloud-init.
#[utoipa::path(post, path = "/cloudpods/{id}/reset-password", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = Option<ResetPasswordBody>,
    responses((status = 202, body = PasswordAndJob), (status = 404), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_reset_password(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    MaybeBody(body): MaybeBody<ResetPasswordBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let ResetPasswordBody { user, password, reboot } = body;
    let input = ResetPassword { user, password: password.map(Secret::new), reboot };
    let PasswordReset { asked, user, generated } =
        app.cloudpods.cloudpod_reset_password(&auth.actor, scope, id, input).await?;
    let (location, asked) = pod_and_job(&app, &auth, asked);
    let password = generated.map(|password| password.expose().clone());
    Ok(accepted(&location, PasswordAndJob { asked, user, password }))
}

/// Replaces a CloudPod's SSH keys. They count from its next start on; with `reboot`, at once.
#[utoipa::path(put, path = "/cloudpods/{id}/ssh-keys", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = SshKeysBody,
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409), (status = 412), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_ssh_keys(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    if_match: IfMatch,
    Body(body): Body<SshKeysBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let SshKeysBody { ssh_keys, reboot } = body;
    let asked = app.cloudpods.cloudpod_ssh_keys(&auth.actor, scope, id, if_match.version(), &ssh_keys, reboot).await?;
    Ok(answer(&app, &auth, asked))
}

/// Puts a CD into a CloudPod's drive or takes it out, and says what it boots from.
#[utoipa::path(post, path = "/cloudpods/{id}/media", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = MediaBody,
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_media(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<MediaBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let MediaBody { iso, boot_from_cd } = body;
    auth.iso_choice(&app, iso.as_deref())?;
    let media = Media { iso, boot_from_cd };
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_media(&auth.actor, scope, id, media).await?))
}

/// Stops a CloudPod and starts it from a rescue CD.
#[utoipa::path(post, path = "/cloudpods/{id}/rescue", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = RescueBody,
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_rescue(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<RescueBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    auth.iso_choice(&app, Some(&body.iso))?;
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_rescue(&auth.actor, scope, id, &body.iso).await?))
}

/// Stops a CloudPod that is being rescued and starts it from its disk again.
#[utoipa::path(post, path = "/cloudpods/{id}/unrescue", tag = "CloudPods",
    params(("id" = CloudPodId, Path), TenantQuery), responses((status = 202, body = PodAndJob), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn cloudpod_unrescue(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    Ok(answer(&app, &auth, app.cloudpods.cloudpod_unrescue(&auth.actor, scope, id).await?))
}

/// A CloudPod's firewall, and whether it is in effect on its host.
#[utoipa::path(get, path = "/cloudpods/{id}/firewall", tag = "CloudPods", params(("id" = CloudPodId, Path), TenantQuery),
    responses((status = 200, body = FirewallView), (status = 404)),
    extensions(("x-permission" = json!("cloudpods:read"))))]
async fn firewall_get(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
) -> Result<Tagged<FirewallView>> {
    auth.require(Permission::CloudpodsRead)?;
    let shown = app.cloudpods.firewall_get(narrowed(&auth, query.tenant_id)?, id).await?;
    Ok(Tagged { version: shown.kept.version, body: shown.into() })
}

/// Says what a CloudPod's firewall is from now on, as a whole: 202 with the job that brings it to its host.
#[utoipa::path(put, path = "/cloudpods/{id}/firewall", tag = "CloudPods", params(("id" = CloudPodId, Path), TenantQuery),
    request_body = FirewallBody,
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409), (status = 412), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn firewall_put(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    if_match: IfMatch,
    Body(body): Body<FirewallBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let FirewallBody { policy_in, policy_out, mac_filter, ip_filter, rules } = body;
    let policy = Policy { policy_in, policy_out, rules, ..Policy::default() };
    let put = FirewallPut { policy, mac_filter, ip_filter, may_filter: auth.grant.has(Permission::CloudpodsManage) };
    Ok(answer(&app, &auth, app.cloudpods.firewall_put(&auth.actor, scope, id, if_match.version(), put).await?))
}

/// What a CloudPod received and sent, by month, beside what its plan allows.
#[utoipa::path(get, path = "/cloudpods/{id}/traffic", tag = "CloudPods", params(("id" = CloudPodId, Path), TrafficQuery),
    responses((status = 200, body = TrafficView), (status = 404), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:read"))))]
async fn traffic_get(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TrafficQuery>,
) -> Result<Json<TrafficView>> {
    auth.require(Permission::CloudpodsRead)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    Ok(Json(app.cloudpods.traffic_get(scope, id, query.months.unwrap_or(12)).await?.into()))
}
