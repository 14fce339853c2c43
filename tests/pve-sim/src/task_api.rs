//! `/nodes/{node}/tasks`.

use serde_json::{Value, json};

use crate::app::Ctx;
use crate::cluster::may_see;
use crate::error::{ApiError, ApiResult};
use crate::nodes::merge;
use crate::schema::{COUNT, INT, Kind, check, opt};
use crate::state::Task;
use crate::tasks;

/// Lines and entries that are given unless told.
const LIMIT: i64 = 50;

/// An answer with a total beside its data.
pub(crate) struct Counted {
    pub(crate) data: Value,
    pub(crate) total: usize,
}

fn split_user(user: &str) -> (&str, Option<&str>) {
    user.split_once('!').map_or((user, None), |(user, token)| (user, Some(token)))
}

fn entry(task: &Task) -> Value {
    let mut row = json!({
        "upid": task.upid, "node": task.node, "pid": task.pid, "pstart": task.pstart, "starttime": task.start,
        "type": task.kind, "id": task.id,
    });
    let (user, token) = split_user(&task.user);
    match task.end {
        Some(end) => {
            merge(&mut row, json!({ "user": user, "endtime": end, "status": task.exit }));
            if let Some(token) = token {
                row["tokenid"] = json!(token);
            }
        }
        // What still runs is shown with the token inside the user.
        None => merge(&mut row, json!({ "user": task.user, "status": "RUNNING", "saved": "0" })),
    }
    row
}

/// `ok`, `warning`, `error` or `unknown`.
fn class_of(task: &Task) -> &'static str {
    match task.exit.as_deref() {
        Some("OK") => "ok",
        Some(text) if text.starts_with("WARNINGS: ") => "warning",
        None | Some("unexpected status") => "unknown",
        Some(_) => "error",
    }
}

pub(crate) fn list(ctx: &Ctx) -> ApiResult<Counted> {
    let spec = [
        opt("start", COUNT),
        opt("limit", COUNT),
        opt("since", INT),
        opt("until", INT),
        opt("vmid", Kind::VmId),
        opt("userfilter", Kind::Text),
        opt("typefilter", Kind::Text),
        opt("statusfilter", Kind::Text),
        opt("errors", Kind::Bool),
        opt("source", Kind::Enum(&["archive", "active", "all"])),
    ];
    let params = check(&ctx.params, &spec)?;
    let source = params.get("source").unwrap_or("archive");
    let statuses: Vec<&str> = params.get("statusfilter").map_or(vec![], |text| text.split([',', ' ', ';']).collect());
    let fits = |task: &Task| {
        let wanted = match source {
            "archive" => task.end.is_some(),
            "active" => task.end.is_none(),
            _ => true,
        };
        wanted
            && params.get("vmid").is_none_or(|vmid| task.id == vmid)
            && params.get("typefilter").is_none_or(|kind| task.kind == kind)
            && params.get("userfilter").is_none_or(|user| task.user.contains(user))
            && params.int("since").is_none_or(|since| task.start >= since)
            && params.int("until").is_none_or(|until| task.start <= until)
            && (!params.flag("errors") || matches!(class_of(task), "error" | "unknown") && task.end.is_some())
            && (statuses.is_empty() || statuses.contains(&class_of(task)))
    };
    let all = ctx.node_state(|node| node.tasks.iter().filter(|task| fits(task)).cloned().collect::<Vec<_>>())?;
    let mut visible: Vec<Task> = all.into_iter().rev().filter(|task| may_see(ctx, task)).collect();
    // Running ones first, then the newest to end.
    visible.sort_by_key(|task| std::cmp::Reverse(task.end.unwrap_or(i64::MAX)));
    let total = visible.len();
    let start = params.int("start").unwrap_or(0) as usize;
    let limit = params.int("limit").unwrap_or(LIMIT) as usize;
    let data = visible.iter().skip(start).take(limit).map(entry).collect();
    Ok(Counted { data, total })
}

/// `UPID:node:pid:pstart:start:type:id:user:` → its parts, or the 400 for what is none.
fn parse(upid: &str) -> ApiResult<()> {
    let parts: Vec<&str> = upid.split(':').collect();
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match parts.as_slice() {
        ["UPID", _, pid, pstart, start, _, _, user, ""]
            if hex(pid) && hex(pstart) && hex(start) && user.contains('@') =>
        {
            Ok(())
        }
        _ => Err(ApiError::param("upid", "unable to parse worker upid")),
    }
}

fn find(ctx: &Ctx, upid: &str) -> ApiResult<Option<Task>> {
    parse(upid)?;
    // A node knows its own tasks alone.
    let task = ctx.read(|cluster| cluster.task(upid).filter(|task| task.node == ctx.node).cloned());
    if let Some(task) = &task
        && !may_see(ctx, task)
    {
        ctx.require(&format!("/nodes/{}", ctx.node), "Sys.Audit")?;
    }
    Ok(task)
}

pub(crate) fn index(ctx: &Ctx, upid: &str) -> ApiResult {
    parse(upid)?;
    check(&ctx.params, &[])?;
    Ok(json!([{ "name": "log" }, { "name": "status" }]))
}

pub(crate) fn status(ctx: &Ctx, upid: &str) -> ApiResult {
    let task = find(ctx, upid)?;
    check(&ctx.params, &[])?;
    let task = task.ok_or_else(|| ApiError::param("upid", "no such task"))?;
    let (user, token) = split_user(&task.user);
    let mut row = json!({
        "upid": task.upid, "node": task.node, "pid": task.pid, "pstart": task.pstart, "starttime": task.start,
        "type": task.kind, "id": task.id, "user": user,
        "status": if task.end.is_some() { "stopped" } else { "running" },
    });
    if let Some(token) = token {
        row["tokenid"] = json!(token);
    }
    if let Some(exit) = &task.exit {
        row["exitstatus"] = json!(exit);
    }
    Ok(row)
}

pub(crate) fn log(ctx: &Ctx, upid: &str) -> ApiResult<Counted> {
    let task = find(ctx, upid)?;
    let params = check(&ctx.params, &[opt("start", COUNT), opt("limit", COUNT), opt("download", Kind::Bool)])?;
    let Some(task) = task else {
        // Not an array, as everywhere else, but one object.
        let data = json!({ "n": 1, "t": "unable to open file - No such file or directory" });
        return Ok(Counted { data, total: 1 });
    };
    let start = params.int("start").unwrap_or(0) as usize;
    let limit = match params.int("limit").unwrap_or(LIMIT) {
        0 => usize::MAX,
        limit => limit as usize,
    };
    let total = task.log.len();
    let lines = task.log.iter().enumerate().skip(start).take(limit);
    let mut rows: Vec<Value> = lines.map(|(at, text)| json!({ "n": at + 1, "t": text })).collect();
    if total == 0 {
        rows.push(json!({ "n": 1, "t": "no content" }));
    }
    Ok(Counted { data: Value::Array(rows), total: total.max(1) })
}

pub(crate) async fn stop(ctx: &Ctx, upid: &str) -> ApiResult {
    let task = find(ctx, upid)?;
    check(&ctx.params, &[])?;
    if let Some(task) = task {
        if split_user(&task.user).0 != ctx.who.user {
            ctx.require(&format!("/nodes/{}", ctx.node), "Sys.Modify")?;
        }
        tasks::stop(&ctx.app, upid).await;
    }
    Ok(Value::Null)
}
