//! The audit over REST: for staff all of it, for a tenant's people what touched their tenant.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::header;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::export::{Format, RecordView};
use super::verify::{Break, Part, Place};
use super::{Entry, Filter, Hash, Link, Scope};
use crate::app::App;
use crate::clock::Ms;
use crate::db::Window;
use crate::domain::check::Checks;
use crate::domain::sort::Age;
use crate::error::{Error, Result};
use crate::http::auth::{Auth, Lasting, Permission};
use crate::http::page::{Listing, Page, PageQuery};
use crate::http::path::Path;
use crate::http::query::Params;
use crate::ids::{AuditId, TenantId};

/// Records that are read at once for an export.
const EXPORT_PAGE: i64 = 500;
const TEXT_MAX: usize = 200;

/// Which records.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Of this tenant.
    tenant_id: Option<TenantId>,
    /// Of this actor, as the records have it: `user:<id>`, `token:<id>`, `agent:<id>`, `system:<part>`.
    #[param(max_length = 200)]
    actor: Option<String>,
    /// Of this action, e.g. `server.created`.
    #[param(max_length = 200)]
    action: Option<String>,
    /// About this noun, e.g. `server`.
    #[param(max_length = 200)]
    target_kind: Option<String>,
    /// With this id.
    #[param(max_length = 200)]
    target_id: Option<String>,
    /// From this time on.
    from: Option<Ms>,
    /// Before this time.
    until: Option<Ms>,
    /// In which order; the newest first when left out.
    #[param(inline)]
    sort: Option<Age>,
}

/// Which records, in which form.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    /// The form of the file.
    #[serde(default)]
    #[param(inline, default = "ndjson")]
    format: Format,
    /// Of this tenant.
    tenant_id: Option<TenantId>,
    /// Of this actor.
    #[param(max_length = 200)]
    actor: Option<String>,
    /// Of this action.
    #[param(max_length = 200)]
    action: Option<String>,
    /// About this noun.
    #[param(max_length = 200)]
    target_kind: Option<String>,
    /// With this id.
    #[param(max_length = 200)]
    target_id: Option<String>,
    /// From this time on.
    from: Option<Ms>,
    /// Before this time.
    until: Option<Ms>,
}

/// From where the proof goes on, and what is known already.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct VerifyQuery {
    /// `next.after_seq` of the part before.
    #[param(minimum = 0)]
    after_seq: Option<i64>,
    /// `next.after_record` of the part before.
    after_record: Option<AuditId>,
    /// The `count` that was noted some time ago, to be proven with `known_head`.
    #[param(minimum = 1)]
    known_count: Option<i64>,
    /// The `head` of that time.
    #[param(min_length = 64, max_length = 64)]
    known_head: Option<String>,
}

/// A part of the proof that the audit's chain holds.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AuditProof)]
struct ProofView {
    /// Nothing was found in this part that does not fit.
    ok: bool,
    /// All of it was looked at; otherwise ask for the rest with `next`.
    complete: bool,
    /// Links walked so far, from the start.
    checked: i64,
    /// How many links there are now.
    count: i64,
    /// The hash of the last one. Note it elsewhere with `count`: who rewrites the whole chain cannot rewrite that.
    head: String,
    /// Records that are not sealed yet.
    unsealed: i64,
    /// Since when the oldest of these waits.
    unsealed_since: Option<Ms>,
    /// What does not fit, and where.
    breaks: Vec<Break>,
    /// What to ask for next.
    next: Option<NextView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AuditProofNext)]
struct NextView {
    after_seq: i64,
    after_record: Option<AuditId>,
}

/// A record, and what those are called whom it names by their ids. The names are of now and no part of what was hashed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AuditRecordNamed)]
struct NamedView {
    #[serde(flatten)]
    record: RecordView,
    /// Null: the platform's alone.
    tenant_name: Option<String>,
    /// A person's address, a token's owner and name, an agent's server. Null: a part of the control plane; somebody who is no
    /// longer there; to a tenant's people, the platform's staff and servers.
    actor_name: Option<String>,
}

/// The same records with names: one look for all tenants, and one for each kind of actor.
async fn named(app: &App, auth: &Auth, records: Vec<Entry>) -> Result<Vec<NamedView>> {
    let tenants: Vec<_> = records.iter().filter_map(|record| record.tenant).collect();
    let tenants = app.tenants.tenant_names(&tenants).await?;
    let actors = app.audit.actor_names(records.iter().map(|record| record.actor.as_str()), auth.role.is_none()).await?;
    let name = |record: Entry| NamedView {
        tenant_name: record.tenant.and_then(|tenant| tenants.get(&tenant).cloned()),
        actor_name: actors.get(&record.actor).cloned(),
        record: record.into(),
    };
    Ok(records.into_iter().map(name).collect())
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let audit = OpenApiRouter::new()
        .routes(routes!(audit_list))
        .routes(routes!(audit_verify))
        .routes(routes!(audit_export))
        .routes(routes!(audit_get));
    OpenApiRouter::new().nest("/api/admin/audit", audit)
}

fn checked(filter: Filter) -> Result<Filter> {
    let Filter { actor, action, target_kind, target_id, from, until } = &filter;
    let mut checks = Checks::new();
    for (name, text) in [("actor", actor), ("action", action), ("target_kind", target_kind), ("target_id", target_id)] {
        if let Some(text) = text {
            checks.text(name, text, 1..=TEXT_MAX);
        }
    }
    if from.zip(*until).is_some_and(|(from, until)| from > until) {
        checks.wrong("until", "must not be before from");
    }
    checks.finish()?;
    Ok(filter)
}

/// Who did what, from where, to which: page by page.
#[utoipa::path(get, path = "", tag = "Audit", params(ListQuery, PageQuery), responses((status = 200, body = Page<NamedView>)),
    extensions(("x-permission" = json!("audit:read"))))]
async fn audit_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    list: Listing<ListQuery>,
) -> Result<Json<Page<NamedView>>> {
    auth.require(Permission::AuditRead)?;
    let Listing { filter: ListQuery { tenant_id, actor, action, target_kind, target_id, from, until, sort }, page } =
        list;
    let filter = checked(Filter { actor, action, target_kind, target_id, from, until })?;
    let (scope, window) = (auth.narrowed(tenant_id)?, page.window()?);
    let records = match sort.unwrap_or_default() {
        Age::Newest => app.audit.record_list(scope, &filter, window).await?,
        Age::Oldest => app.audit.record_list_forth(scope, &filter, window).await?,
    };
    let Page { items, next_page_token } = page.page(records, |record| record.id)?;
    Ok(Json(Page { items: named(&app, &auth, items).await?, next_page_token }))
}

/// One record.
#[utoipa::path(get, path = "/records/{id}", tag = "Audit", params(("id" = AuditId, Path)),
    responses((status = 200, body = NamedView), (status = 404)), extensions(("x-permission" = json!("audit:read"))))]
async fn audit_get(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<AuditId>) -> Result<Json<NamedView>> {
    auth.require(Permission::AuditRead)?;
    let record = app.audit.record_get(auth.scope, id).await?;
    named(&app, &auth, vec![record]).await?.pop().map(Json).ok_or_else(|| Error::not_found("audit record", id))
}

/// Proves that no record was changed, removed or put in: a part of some seconds at a time, to be asked for the rest with the
/// answer's `next`, for as long as there is one. Says where what does not fit.
#[utoipa::path(get, path = "/verify", tag = "Audit", params(VerifyQuery), responses((status = 200, body = ProofView)),
    extensions(("x-permission" = json!("audit:manage"))))]
async fn audit_verify(
    State(app): State<Arc<App>>,
    auth: Auth,
    Params(query): Params<VerifyQuery>,
) -> Result<Json<ProofView>> {
    auth.require(Permission::AuditManage)?;
    if auth.scope != Scope::Platform {
        return Err(Error::Forbidden(
            "the chain holds the records of all tenants: only the platform's staff can prove it".into(),
        ));
    }
    let (place, known) = query.checked()?;
    let Part { breaks, checked, head, unsealed, unsealed_since, next } = app.audit.chain_verify(place, known).await?;
    Ok(Json(ProofView {
        ok: breaks.is_empty(),
        complete: next.is_none(),
        checked,
        count: head.seq,
        head: head.hash.to_string(),
        unsealed,
        unsealed_since,
        breaks,
        next: next.map(|Place { seq, record }| NextView { after_seq: seq, after_record: record.map(AuditId) }),
    }))
}

impl VerifyQuery {
    fn checked(self) -> Result<(Place, Option<Link>)> {
        let Self { after_seq, after_record, known_count, known_head } = self;
        let mut checks = Checks::new();
        if after_seq.is_some_and(|seq| seq < 0) {
            checks.wrong("after_seq", "must not be negative");
        }
        let hash = known_head.as_deref().map(Hash::parse);
        if hash == Some(None) {
            checks.wrong("known_head", "must be 64 hexadecimal digits");
        }
        match (known_count, &known_head) {
            (Some(count), Some(_)) if count < 1 => checks.wrong("known_count", "must be at least 1"),
            (Some(_), None) => checks.wrong("known_head", "belongs to known_count: give both or neither"),
            (None, Some(_)) => checks.wrong("known_count", "belongs to known_head: give both or neither"),
            _ => {}
        }
        checks.finish()?;
        let known = known_count.zip(hash.flatten()).map(|(seq, hash)| Link { seq, hash });
        Ok((Place { seq: after_seq.unwrap_or(0), record: after_record.map(|record| record.0) }, known))
    }
}

/// The records as a file, the oldest first. It breaks off when something goes wrong midway, or when the caller loses the right to it.
/// That it was taken is itself a record.
#[utoipa::path(get, path = "/export", tag = "Audit", params(ExportQuery),
    responses((status = 200, content((String = "application/x-ndjson"), (String = "text/csv")))),
    extensions(("x-permission" = json!("audit:read"))))]
async fn audit_export(
    State(app): State<Arc<App>>,
    auth: Auth,
    lasting: Lasting,
    Params(query): Params<ExportQuery>,
) -> Result<Response> {
    auth.require(Permission::AuditRead)?;
    let ExportQuery { format, tenant_id, actor, action, target_kind, target_id, from, until } = query;
    let filter = checked(Filter { actor, action, target_kind, target_id, from, until })?;
    let scope = auth.narrowed(tenant_id)?;
    if let Some(tenant) = scope.tenant() {
        // What is written down of the export names it.
        app.tenants.tenant_get(app.db.read().await?.conn(), tenant).await?;
    }
    app.audit.export_note(&auth.actor, scope, &filter, format.as_str()).await?;
    let named = format!("attachment; filename=\"audit.{}\"", format.as_str());
    let headers = [(header::CONTENT_TYPE, format.content_type().to_owned()), (header::CONTENT_DISPOSITION, named)];
    let export = Arc::new(Export { app, lasting, tenant_id, scope, filter, format });
    Ok((headers, Body::from_stream(lines(export))).into_response())
}

/// What is exported, and for whom.
struct Export {
    app: Arc<App>,
    lasting: Lasting,
    tenant_id: Option<TenantId>,
    scope: Scope,
    filter: Filter,
    format: Format,
}

impl Export {
    /// Whether its reader may still have it: a slow one takes hours.
    async fn check(&self) -> Result<()> {
        let auth = self.lasting.again(&self.app).await?;
        auth.require(Permission::AuditRead)?;
        if auth.narrowed(self.tenant_id)? != self.scope {
            return Err(Error::Forbidden("what you may read is not what it was when this began".to_owned()));
        }
        Ok(())
    }
}

/// A page of lines at a time, read when the one before was taken.
fn lines(export: Arc<Export>) -> impl futures::Stream<Item = Result<Bytes>> + Send + 'static {
    let header = Bytes::from_static(export.format.header().as_bytes());
    stream::try_unfold((Some(header), Some(None)), move |(header, after)| {
        let export = export.clone();
        async move {
            let Export { app, scope, filter, format, .. } = &*export;
            if let Some(header) = header.filter(|header| !header.is_empty()) {
                return Ok(Some((header, (None, after))));
            }
            let Some(after) = after else { return Ok(None) };
            export.check().await?;
            let window = Window { limit: EXPORT_PAGE, after };
            let records = app.audit.record_list_forth(*scope, filter, window).await?;
            let full = records.len() as i64 == EXPORT_PAGE;
            let next = records.last().filter(|_| full).map(|last| Some(last.id));
            let mut page = String::new();
            for record in records {
                page.push_str(&format.line(&RecordView::from(record))?);
            }
            Ok(Some((Bytes::from(page), (None, next))))
        }
    })
}
