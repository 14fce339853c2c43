//! The API below `/api2/json`: from a request to a handler and back.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{App, Ctx};
use crate::auth::authenticate;
use crate::clock;
use crate::codec::{RawParams, decode_form, decode_json, decode_multipart, decode_segment};
use crate::error::{ApiError, ApiResult};
use crate::faults::{Action, Call};
use crate::http::{Handler, Reply, Request, Response};
use crate::task_api::Counted;
use crate::{backup, cluster, nodes, pools, storage, task_api, users, vm};

/// A handler's answer.
pub(crate) struct Answer {
    data: Value,
    total: Option<usize>,
}

impl From<Value> for Answer {
    fn from(data: Value) -> Self {
        Self { data, total: None }
    }
}

impl From<Counted> for Answer {
    fn from(counted: Counted) -> Self {
        Self { data: counted.data, total: Some(counted.total) }
    }
}

/// `None` when there is no such path or method.
type Found = Option<ApiResult<Answer>>;

#[expect(clippy::unnecessary_wraps, reason = "the other half of `Found`")]
fn found<T: Into<Answer>>(result: ApiResult<T>) -> Found {
    Some(result.map(Into::into))
}

type File = Option<(String, Vec<u8>)>;

/// Answers the API's requests.
pub(crate) struct Api {
    pub(crate) app: Arc<App>,
    /// The node that answers here.
    pub(crate) node: String,
}

impl Handler for Api {
    async fn handle(&self, request: Request) -> Reply {
        if self.app.read(|cluster| cluster.nodes.get(&self.node).is_some_and(|node| node.unreachable)) {
            return Reply::Drop;
        }
        let path = request.path.strip_prefix("/api2/json").map(|rest| rest.trim_end_matches('/').to_owned());
        let Some(path) = path.filter(|_| !request.path.contains("//")) else {
            let name = request.path.strip_prefix("//api2").unwrap_or(&request.path);
            return Reply::Send(Response::error(&ApiError::plain(500, &format!("no such file '{name}'\n"))));
        };
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let fault = self.app.faults.take(&request.method, &path, &self.node);
        let method = request.method.clone();
        let reply = self.with_fault(request, &path, fault).await;
        let status = if let Reply::Send(response) = &reply { response.status } else { 0 };
        self.app.faults.record(Call { at_ms: clock::now_ms(), method, path, status });
        reply
    }
}

impl Api {
    async fn with_fault(&self, request: Request, path: &str, fault: Option<Action>) -> Reply {
        match fault {
            None if path.ends_with("websocket") => self.websocket(request, path).await,
            None => Reply::Send(self.answer(request, path, |_| ()).await),
            Some(Action::Status { status, reason }) => {
                let err = if status == 595 || status == 599 || status == 401 {
                    ApiError::empty(status, &reason)
                } else {
                    ApiError { status, ..ApiError::internal(&reason) }
                };
                Reply::Send(Response::error(&err))
            }
            Some(Action::Html { status }) => {
                let page = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n");
                let mut response = Response::json(page.into_bytes());
                response.status = status;
                "Bad Gateway".clone_into(&mut response.reason);
                response.content_type = Some("text/html");
                Reply::Send(response)
            }
            Some(Action::Hang) => Reply::Hang,
            Some(Action::Close) => Reply::Drop,
            Some(Action::LoseAnswer) => {
                self.answer(request, path, |_| ()).await;
                Reply::Drop
            }
            Some(Action::CloseMidBody) => {
                let mut response = self.answer(request, path, |_| ()).await;
                response.cut_after = Some(response.body.as_ref().map_or(0, Vec::len) / 2);
                Reply::Send(response)
            }
            Some(Action::Delay { ms }) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Reply::Send(self.answer(request, path, |_| ()).await)
            }
            Some(Action::Hold) => {
                self.app.faults.hold(&format!("{} {path}", request.method)).await;
                Reply::Send(self.answer(request, path, |_| ()).await)
            }
            Some(Action::UnknownFields) => Reply::Send(self.answer(request, path, add_unknown_fields).await),
            Some(Action::NumbersAsStrings) => Reply::Send(self.answer(request, path, stringify_numbers).await),
            Some(Action::Garbage) => Reply::Send(Response::json(b"{\"data\":[{\"vmid\":1".to_vec())),
        }
    }

    /// A connection that is to become a socket.
    async fn websocket(&self, request: Request, path: &str) -> Reply {
        match self.connect(&request, path).await {
            Ok(reply) => reply,
            Err(err) => {
                if err.status == 401 {
                    tokio::time::sleep(self.app.timings().auth_failure).await;
                }
                Reply::Send(Response::error(&err))
            }
        }
    }

    async fn connect(&self, request: &Request, path: &str) -> ApiResult<Reply> {
        let owned = segments(path);
        let parts: Vec<&str> = owned.iter().map(String::as_str).collect();
        match (request.method.as_str(), &parts[..]) {
            ("GET", ["nodes", _, "qemu", id, "vncwebsocket"]) => {
                let ctx = self.context(request, &parts).await?.0;
                vm::console::connect(&ctx, request, id)
            }
            ("GET", ["nodes", _, "qemu", id, "mtunnelwebsocket"]) => {
                let ctx = self.context(request, &parts).await?.0;
                vm::tunnel::connect(&ctx, request, id)
            }
            (method, _) => Err(ApiError::not_implemented(method, path)),
        }
    }

    /// Who asks, of which node, with what.
    async fn context(&self, request: &Request, parts: &[&str]) -> ApiResult<(Ctx, File)> {
        let who = self.app.read(|cluster| authenticate(cluster, request))?;
        let (params, file) = decode(request)?;
        let local = self.node.clone();
        let node = match parts {
            ["nodes", node, ..] if *node != "localhost" => (*node).to_owned(),
            _ => local.clone(),
        };
        let ctx = Ctx { app: Arc::clone(&self.app), who, node, local, params };
        if !self.app.read(|cluster| cluster.is_reachable(&ctx.node)) {
            return Err(self.elsewhere(&ctx.node).await);
        }
        Ok((ctx, file))
    }

    async fn answer(&self, request: Request, path: &str, alter: impl FnOnce(&mut Value)) -> Response {
        let writes = request.method != "GET";
        let result = self.run(request, path).await;
        // Whatever an answer shows must still be so after a kill, so reads wait for the disk as well.
        if let Err(err) = self.app.persist() {
            tracing::error!(%err, "the state could not be saved");
            return Response::error(&ApiError::internal(format!("unable to write state: {err}")));
        }
        match result {
            Ok(mut answer) => {
                alter(&mut answer.data);
                let mut body = json!({ "data": answer.data });
                // A total of nothing is left out.
                if let Some(total) = answer.total.filter(|total| *total > 0) {
                    body["total"] = json!(total);
                }
                let mut response = Response::json(body.to_string().into_bytes());
                response.proxied = writes;
                response
            }
            Err(err) => {
                if err.status == 401 {
                    tokio::time::sleep(self.app.timings().auth_failure).await;
                }
                Response::error(&err)
            }
        }
    }

    async fn run(&self, request: Request, path: &str) -> ApiResult<Answer> {
        let owned = segments(path);
        let parts: Vec<&str> = owned.iter().map(String::as_str).collect();
        if parts == ["access", "ticket"] && request.method == "POST" {
            let (params, _) = decode(&request)?;
            return users::ticket(&self.app, &params).map(Into::into);
        }
        if parts == ["access", "domains"] && request.method == "GET" {
            // The login page needs it before anybody has logged in.
            return users::domains(&decode(&request)?.0).map(Into::into);
        }
        let (ctx, file) = self.context(&request, &parts).await?;
        let changes_vm = request.method != "GET" && matches!(parts[..], ["nodes", _, "qemu", ..]);
        if changes_vm && !parts.contains(&"agent") && !self.app.read(crate::state::Cluster::is_quorate) {
            return Err(ApiError::internal("cluster not ready - no quorum?"));
        }
        let answer = dispatch(&ctx, &request.method, &parts, file).await;
        answer.unwrap_or_else(|| Err(ApiError::not_implemented(&request.method, path)))
    }

    /// A node that is not this one: known and unreachable, or unknown.
    async fn elsewhere(&self, node: &str) -> ApiError {
        let known = self.app.read(|cluster| cluster.nodes.contains_key(node));
        if known || self.app.config.unreachable_nodes.iter().any(|name| name == node) {
            tokio::time::sleep(self.app.timings().unreachable).await;
            return ApiError::empty(595, "No route to host");
        }
        let why = "Temporary failure in name resolution";
        ApiError::internal(format!("hostname lookup '{node}' failed - failed to get address info for: {node}: {why}"))
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty()).map(decode_segment).collect()
}

fn decode(request: &Request) -> ApiResult<(RawParams, File)> {
    let mut params = decode_form(&request.query);
    let content_type = request.header("Content-Type").unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let writes = matches!(request.method.as_str(), "POST" | "PUT");
    if !writes || (request.body.is_empty() && kind != "application/json") {
        return Ok((params, None));
    }
    let mut file = None;
    match kind.as_str() {
        "" | "application/x-www-form-urlencoded" => {
            params.extend(decode_form(&String::from_utf8_lossy(&request.body)));
        }
        "application/json" => params.extend(decode_json(&request.body)?),
        "multipart/form-data" => {
            let boundary = content_type.split("boundary=").nth(1).unwrap_or_default().trim_matches('"');
            let (fields, upload) = decode_multipart(&request.body, boundary);
            params.extend(fields);
            file = upload;
        }
        other => return Err(ApiError::plain(506, &format!("upload 'Content-Type '{other}' not implemented"))),
    }
    Ok((params, file))
}

async fn dispatch(ctx: &Ctx, method: &str, parts: &[&str], file: File) -> Found {
    match (method, parts) {
        ("GET", ["version"]) => found(nodes::version(ctx)),
        ("GET", ["nodes"]) => found(nodes::list(ctx)),
        (_, ["nodes", _, "qemu", rest @ ..]) => qemu(ctx, method, rest).await,
        (_, ["nodes", _, "storage", rest @ ..]) => node_storage(ctx, method, rest, file),
        ("POST", ["nodes", _, "vzdump"]) => found(backup::dump(ctx)),
        ("GET", ["nodes", _, "vzdump", "extractconfig"]) => found(backup::extract_config(ctx)),
        (_, ["nodes", _, "tasks", rest @ ..]) => node_tasks(ctx, method, rest).await,
        ("GET", ["nodes", _, rest @ ..]) => node(ctx, rest),
        (_, ["cluster", rest @ ..]) => cluster_paths(ctx, method, rest),
        (_, ["access", rest @ ..]) => access_paths(ctx, method, rest),
        (_, ["pools", rest @ ..]) => pool_paths(ctx, method, rest),
        ("GET", ["storage"]) => found(storage::definitions(ctx)),
        ("POST", ["storage"]) => found(storage::define(ctx)),
        ("GET", ["storage", name]) => found(storage::definition(ctx, name)),
        ("DELETE", ["storage", name]) => found(storage::undefine(ctx, name)),
        _ => None,
    }
}

fn node(ctx: &Ctx, parts: &[&str]) -> Found {
    found(match parts {
        [] => nodes::index(ctx),
        ["status"] => nodes::status(ctx),
        ["version"] => nodes::version(ctx),
        ["time"] => nodes::time(ctx),
        ["services"] => nodes::services(ctx),
        ["network"] => nodes::network(ctx),
        ["rrddata"] => nodes::rrddata(ctx),
        ["subscription"] => nodes::subscription(ctx),
        ["capabilities", "qemu", "cpu"] => nodes::cpu_models(ctx),
        ["lxc"] => Ok(json!([])),
        _ => return None,
    })
}

async fn qemu(ctx: &Ctx, method: &str, parts: &[&str]) -> Found {
    match (method, parts) {
        ("GET", []) => found(vm::status::list(ctx)),
        ("POST", []) => found(vm::create::start(ctx).await),
        ("DELETE", [id]) => found(vm::destroy::destroy(ctx, id)),
        ("GET", [id, "config"]) => found(vm::config::get(ctx, id)),
        ("PUT", [id, "config"]) => found(vm::config::update(ctx, id, true).await),
        ("POST", [id, "config"]) => found(vm::config::update(ctx, id, false).await),
        ("GET", [id, "pending"]) => found(vm::config::pending(ctx, id)),
        ("POST", [id, "clone"]) => found(vm::clone::start(ctx, id)),
        ("POST", [id, "template"]) => found(vm::destroy::template(ctx, id).await),
        ("PUT", [id, "resize"]) => found(vm::disk::resize(ctx, id)),
        ("POST", [id, "move_disk"]) => found(vm::disk::move_disk(ctx, id).await),
        ("PUT", [id, "unlink"]) => found(vm::disk::unlink(ctx, id).await),
        ("GET", [id, "migrate"]) => found(vm::migrate::preconditions(ctx, id)),
        ("POST", [id, "migrate"]) => found(vm::migrate::start(ctx, id)),
        ("POST", [id, "remote_migrate"]) => found(vm::remote::start(ctx, id)),
        ("POST", [id, "mtunnel"]) => found(vm::tunnel::open(ctx, id)),
        ("GET", [id, "feature"]) => found(vm::clone::feature(ctx, id)),
        ("GET", [id, "rrddata"]) => found(vm::status::rrddata(ctx, id)),
        (_, [id, "firewall", rest @ ..]) => vm::firewall::answer(ctx, method, id, rest).and_then(found),
        ("POST", [id, "monitor"]) => found(vm::guest::monitor(ctx, id)),
        ("POST", [id, kind @ ("vncproxy" | "termproxy")]) => found(vm::console::proxy(ctx, id, kind)),
        (_, [id, "agent", command]) => vm::guest::agent(ctx, method, id, command).await.and_then(found),
        ("GET", [id, "status", "current"]) => found(vm::status::current(ctx, id)),
        ("POST", [id, "status", action]) if POWER.contains(action) => found(vm::power::action(ctx, id, action)),
        (_, [id, "snapshot", rest @ ..]) => snapshots(ctx, method, id, rest),
        ("GET", [id, "cloudinit"]) => found(vm::cloudinit::settings(ctx, id)),
        ("PUT", [id, "cloudinit"]) => found(vm::cloudinit::regenerate(ctx, id).await),
        ("GET", [id, "cloudinit", "dump"]) => found(vm::cloudinit::dump(ctx, id)),
        _ => None,
    }
}

const POWER: &[&str] = &["start", "stop", "shutdown", "reboot", "reset", "suspend", "resume"];

fn snapshots(ctx: &Ctx, method: &str, id: &str, parts: &[&str]) -> Found {
    found(match (method, parts) {
        ("GET", []) => vm::snapshot::list(ctx, id),
        ("POST", []) => vm::snapshot::create(ctx, id),
        ("DELETE", [name]) => vm::snapshot::delete(ctx, id, name),
        ("POST", [name, "rollback"]) => vm::snapshot::rollback(ctx, id, name),
        ("GET", [name, "config"]) => vm::snapshot::config(ctx, id, name),
        ("PUT", [name, "config"]) => vm::snapshot::update(ctx, id, name),
        _ => return None,
    })
}

fn node_storage(ctx: &Ctx, method: &str, parts: &[&str], file: File) -> Found {
    found(match (method, parts) {
        ("GET", []) => storage::list(ctx),
        ("GET", [name]) => storage::index(ctx, name),
        ("GET", [name, "status"]) => storage::status(ctx, name),
        ("GET", [name, "content"]) => storage::content(ctx, name),
        ("POST", [name, "content"]) => storage::allocate(ctx, name),
        ("POST", [name, "upload"]) => storage::upload(ctx, name, file),
        ("POST", [name, "download-url"]) => storage::download(ctx, name),
        ("GET", [name, "content", volume @ ..]) => storage::attributes(ctx, name, &volume.join("/")),
        ("PUT", [name, "content", volume @ ..]) if !volume.is_empty() => storage::update(ctx, name, &volume.join("/")),
        ("DELETE", [name, "content", volume @ ..]) if !volume.is_empty() => {
            storage::delete(ctx, name, &volume.join("/"))
        }
        _ => return None,
    })
}

async fn node_tasks(ctx: &Ctx, method: &str, parts: &[&str]) -> Found {
    match (method, parts) {
        ("GET", []) => found(task_api::list(ctx)),
        ("GET", [upid]) => found(task_api::index(ctx, upid)),
        ("DELETE", [upid]) => found(task_api::stop(ctx, upid).await),
        ("GET", [upid, "status"]) => found(task_api::status(ctx, upid)),
        ("GET", [upid, "log"]) => found(task_api::log(ctx, upid)),
        _ => None,
    }
}

fn cluster_paths(ctx: &Ctx, method: &str, parts: &[&str]) -> Found {
    found(match (method, parts) {
        ("GET", []) => cluster::index(ctx),
        ("GET", ["nextid"]) => cluster::next_id(ctx),
        ("GET", ["resources"]) => cluster::resources(ctx),
        ("GET", ["status"]) => cluster::status(ctx),
        ("GET", ["tasks"]) => cluster::tasks(ctx),
        ("GET", ["options"]) => cluster::options(ctx),
        ("GET", ["ha", "status", "current"]) => cluster::ha_status(ctx),
        ("GET", ["config", "nodes"]) => cluster::config_nodes(ctx),
        ("GET", ["firewall", "options"]) => cluster::firewall_options(ctx),
        ("PUT", ["firewall", "options"]) => cluster::set_firewall_options(ctx),
        ("POST", ["backup"]) => cluster::backup(ctx),
        _ => return None,
    })
}

fn access_paths(ctx: &Ctx, method: &str, parts: &[&str]) -> Found {
    found(match (method, parts) {
        ("GET", ["permissions"]) => users::permissions(ctx),
        ("GET", ["users"]) => users::users(ctx),
        ("POST", ["users"]) => users::user_create(ctx),
        ("GET", ["users", id]) => users::user(ctx, id),
        ("DELETE", ["users", id]) => users::user_delete(ctx, id),
        ("GET", ["users", id, "token"]) => users::tokens(ctx, id),
        ("GET", ["users", id, "token", token]) => users::token(ctx, id, token),
        ("POST", ["users", id, "token", token]) => users::token_create(ctx, id, token),
        ("DELETE", ["users", id, "token", token]) => users::token_delete(ctx, id, token),
        ("GET", ["roles"]) => users::roles(ctx),
        ("POST", ["roles"]) => users::role_create(ctx),
        ("PUT", ["roles", id]) => users::role_update(ctx, id),
        ("DELETE", ["roles", id]) => users::role_delete(ctx, id),
        ("GET", ["acl"]) => users::acl(ctx),
        ("PUT", ["acl"]) => users::acl_update(ctx),
        _ => return None,
    })
}

fn pool_paths(ctx: &Ctx, method: &str, parts: &[&str]) -> Found {
    found(match (method, parts) {
        ("GET", []) => pools::list(ctx),
        ("POST", []) => pools::create(ctx),
        ("GET", [name]) => pools::get(ctx, name),
        ("PUT", [name]) => pools::update(ctx, name),
        ("DELETE", [name]) => pools::delete(ctx, name),
        _ => return None,
    })
}

fn add_unknown_fields(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(add_unknown_fields),
        Value::Object(map) => {
            map.insert("x-new-in-next-release".to_owned(), json!({ "nested": [1, null, "text"] }));
            map.insert("zz_unknown".to_owned(), json!(null));
        }
        _ => {}
    }
}

fn stringify_numbers(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(stringify_numbers),
        Value::Object(map) => map.values_mut().for_each(stringify_numbers),
        Value::Number(number) => *value = json!(number.to_string()),
        _ => {}
    }
}
