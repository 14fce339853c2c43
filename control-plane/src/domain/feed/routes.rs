//! The events as server-sent events (the WHATWG's EventSource).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::{Holder, Place};
use super::{Names, permission_of};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::domain::audit::{ActorKind, Scope};
use crate::error::{Error, Result};
use crate::events::Numbered;
use crate::http::auth::{Auth, Lasting};
use crate::http::query::Params;
use crate::ids::{EventId, TenantId};

/// Events that wait for one reader.
const QUEUE: usize = 64;
/// A reader that takes nothing for so long is cut, and may resume.
const STALL_MAX: Duration = Duration::from_secs(30);
/// So often a stream says that it is there, and it is looked whether its reader still may read.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// When it is worth asking for another stream.
const RETRY_AFTER: Duration = Duration::from_secs(30);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Which events.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct StreamQuery {
    /// Only of these names, separated by commas: `cloudpod.created`, or `cloudpod.*` for all of a noun.
    #[param(max_length = 4000)]
    names: Option<String>,
    /// After this number, where no header `Last-Event-ID` can be sent; 0: all that there still are.
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// An event, as the stream's `data` has it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    /// Its number, which is also the stream's `id`.
    pub seq: i64,
    /// Its id.
    pub id: EventId,
    /// `noun.verb`, which is also the stream's `event`.
    pub name: String,
    /// Whose it is; null: the platform's alone.
    pub tenant_id: Option<TenantId>,
    /// The noun's id.
    pub subject: String,
    /// When.
    pub created_at: Ms,
    /// What more there is to say.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
}

impl From<&Numbered> for EventView {
    fn from(event: &Numbered) -> Self {
        let Numbered { seq, id, tenant, name, subject, data, at } = event.clone();
        Self { seq, id, name, tenant_id: tenant, subject, created_at: at, data }
    }
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().nest("/api/events", OpenApiRouter::new().routes(routes!(event_stream)))
}

/// What happens, as it happens: server-sent events of all that the caller may see. A stream that was cut goes on after
/// `Last-Event-ID`. It begins with `ready`; or with `reset` when what came after that id is no longer there: read anew what you
/// show, and go on.
#[utoipa::path(get, path = "", tag = "Events",
    params(StreamQuery, ("Last-Event-ID" = Option<i64>, Header, description = "The id of the last event that was read")),
    responses((status = 200, content_type = "text/event-stream", body = EventView)),
    extensions(("x-permission" = json!("events:read"))))]
async fn event_stream(
    State(app): State<Arc<App>>,
    auth: Auth,
    lasting: Lasting,
    headers: HeaderMap,
    Params(query): Params<StreamQuery>,
) -> Result<Response> {
    auth.require(Permission::EventsRead)?;
    let names = query.names.as_deref().unwrap_or_default();
    let names = Names::parse(names.split(',').map(str::trim).filter(|name| !name.is_empty())).ok_or_else(|| {
        let message = format!("must be up to {} names such as cloudpod.created or cloudpod.*", Names::MAX);
        Error::invalid("names", message)
    })?;
    let after = match headers.get(LAST_EVENT_ID) {
        None => query.after,
        Some(id) => Some(id.to_str().ok().and_then(|id| id.trim().parse().ok()).ok_or_else(|| {
            Error::invalid("Last-Event-ID", "must be the id of an event of this stream, a whole number")
        })?),
    };
    if after.is_some_and(|after| after < 0) {
        return Err(Error::invalid("after", "must not be negative"));
    }
    let place = app.feed.place(holders(&auth)).ok_or(Error::TooMany { retry_after: RETRY_AFTER })?;
    let (queue, events) = mpsc::channel(QUEUE);
    let tasks = app.tasks.clone();
    let (rights, auth) = watch::channel(auth);
    let stream = Stream { app, auth, names, queue, _place: place };
    tasks.spawn(stream.run(after, lasting, rights));
    let mut response = Sse::new(ReceiverStream::new(events).map(Ok::<_, Infallible>)).into_response();
    // A proxy that gathers the answer first would never pass it on.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Whose streams a caller's is counted among: the person's, by whatever they came in, and those of the tenant whose member they are.
fn holders(auth: &Auth) -> Vec<Holder> {
    let caller = match (&auth.person, &auth.actor.kind) {
        (Some(person), _) => Some(Holder::Person(person.user)),
        (None, ActorKind::PlatformToken(token)) => Some(Holder::Token(*token)),
        (None, _) => None,
    };
    // Staff who look at a tenant take no place of its people's.
    let tenant = auth.role.and(auth.scope.tenant()).map(Holder::Tenant);
    caller.into_iter().chain(tenant).collect()
}

/// One reader's stream.
struct Stream {
    app: Arc<App>,
    /// What the reader may see now.
    auth: watch::Receiver<Auth>,
    names: Names,
    queue: mpsc::Sender<Event>,
    _place: Place,
}

/// Why a stream ends: its reader is gone or too slow, or the database does not answer.
struct Cut;

/// Looks again and again what the reader may see; ends when he may not read any more.
async fn rights_end(app: &App, lasting: &Lasting, rights: &watch::Sender<Auth>) {
    let mut beat = heartbeat();
    loop {
        beat.tick().await;
        match lasting.again(app).await {
            Ok(auth) if auth.require(Permission::EventsRead).is_ok() => {
                rights.send_replace(auth);
            }
            // Nobody can be asked now.
            Err(Error::Unavailable { .. }) => {}
            Ok(_) | Err(_) => return,
        }
    }
}

/// Ticks for the first time after one [`HEARTBEAT`].
fn heartbeat() -> Interval {
    let mut beat = tokio::time::interval(HEARTBEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.reset();
    beat
}

impl Stream {
    async fn run(self, after: Option<i64>, lasting: Lasting, rights: watch::Sender<Auth>) {
        let (shutdown, queue) = (self.app.shutdown.clone(), self.queue.clone());
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = queue.closed() => {}
            // Beside all else: also while a reader who takes little catches up.
            () = rights_end(&self.app, &lasting, &rights) => {}
            cut = self.flow(after) => drop(cut),
        }
    }

    async fn flow(&self, after: Option<i64>) -> Result<Infallible, Cut> {
        // Before anything is read, so that nothing falls between what is read and what comes.
        let mut live = self.app.feed.watch();
        let mut last = self.begin(after).await?;
        last = self.catch_up(last).await?;
        let mut beat = heartbeat();
        loop {
            tokio::select! {
                event = live.recv() => match event {
                    Ok(event) if event.seq <= last => {}
                    Ok(event) => {
                        self.offer(&event).await?;
                        last = event.seq;
                    }
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return Err(Cut),
                },
                _ = beat.tick() => self.beat(last).await?,
            }
        }
    }

    /// Says where the stream begins, which is after the number that it gives.
    async fn begin(&self, after: Option<i64>) -> Result<i64, Cut> {
        let (head, pruned) = self.app.feed.bounds().await.map_err(|_| Cut)?;
        let (name, from) = match after {
            None => ("ready", head),
            Some(after) if after > head || (after < pruned && after > 0) => ("reset", head),
            // From the start means: from the first that there is.
            Some(after) => ("ready", after),
        };
        let event = Event::default().id(from.to_string()).event(name).data(json!({ "after": from }).to_string());
        self.send(event).await?;
        Ok(from)
    }

    /// Offers what was missed; the number of the last one.
    async fn catch_up(&self, mut last: i64) -> Result<i64, Cut> {
        loop {
            let page = self.app.feed.events_after(last).await.map_err(|_| Cut)?;
            let Some(end) = page.last().map(|event| event.seq) else { return Ok(last) };
            for event in &page {
                self.offer(event).await?;
            }
            last = end;
        }
    }

    async fn offer(&self, event: &Numbered) -> Result<(), Cut> {
        if !self.may_see(event) || !self.names.wants(&event.name) {
            return Ok(());
        }
        let data = serde_json::to_string(&EventView::from(event)).map_err(|_| Cut)?;
        self.send(Event::default().id(event.seq.to_string()).event(event.name.as_str()).data(data)).await
    }

    fn may_see(&self, event: &Numbered) -> bool {
        let auth = self.auth.borrow();
        let is_in_scope = match auth.scope {
            Scope::Platform => true,
            Scope::Tenant(tenant) => event.tenant == Some(tenant),
        };
        is_in_scope && auth.require(permission_of(&event.name)).is_ok()
    }

    /// Says how far the stream has come: who resumes there has missed nothing, also where nothing was for him.
    async fn beat(&self, last: i64) -> Result<(), Cut> {
        self.send(Event::default().comment("still here").id(last.to_string())).await
    }

    async fn send(&self, event: Event) -> Result<(), Cut> {
        match tokio::time::timeout(STALL_MAX, self.queue.send(event)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Cut),
        }
    }
}
