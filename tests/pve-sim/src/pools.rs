//! `/pools`.

use serde_json::{Value, json};

use crate::app::Ctx;
use crate::error::{ApiError, ApiResult};
use crate::schema::{Kind, check, opt, req};
use crate::state::Pool;
use crate::vm::status::resource;

fn path(pool: &str) -> String {
    format!("/pool/{pool}")
}

fn missing(pool: &str) -> ApiError {
    ApiError::internal(format!("pool '{pool}' does not exist"))
}

pub(crate) fn list(ctx: &Ctx) -> ApiResult {
    let params = check(&ctx.params, &[opt("poolid", Kind::Text), opt("type", Kind::Text)])?;
    if let Some(pool) = params.get("poolid") {
        ctx.require(&path(pool), "Pool.Audit")?;
        return Ok(json!([shown(ctx, pool)?]));
    }
    ctx.rights(|rights| {
        let visible = rights.cluster.pools.iter().filter(|(name, _)| rights.has(&path(name), "Pool.Audit"));
        Ok(visible.map(|(name, pool)| head(name, pool)).collect())
    })
}

fn head(name: &str, pool: &Pool) -> Value {
    let mut row = json!({ "poolid": name });
    if let Some(comment) = &pool.comment {
        row["comment"] = json!(comment);
    }
    row
}

fn shown(ctx: &Ctx, name: &str) -> ApiResult {
    ctx.read(|cluster| {
        let pool = cluster.pools.get(name).ok_or_else(|| missing(name))?;
        let mut row = head(name, pool);
        let vms = pool.vms.iter().filter_map(|vmid| {
            let node = cluster.node_of(*vmid)?;
            Some(resource(&ctx.app, node, *vmid, cluster.vm(*vmid)?))
        });
        let storages = pool.storages.iter().map(|storage| {
            json!({ "id": format!("storage/{}/{storage}", ctx.node), "type": "storage", "storage": storage, "node": ctx.node })
        });
        row["members"] = vms.chain(storages).collect();
        Ok(row)
    })
}

pub(crate) fn get(ctx: &Ctx, name: &str) -> ApiResult {
    ctx.require(&path(name), "Pool.Audit")?;
    check(&ctx.params, &[opt("type", Kind::Text)])?;
    let mut row = shown(ctx, name)?;
    row["poolid"] = json!(name);
    Ok(row)
}

pub(crate) fn create(ctx: &Ctx) -> ApiResult {
    let params = check(&ctx.params, &[req("poolid", Kind::Text), opt("comment", Kind::Text)])?;
    let name = params.text("poolid").to_owned();
    ctx.require(&path(&name), "Pool.Allocate")?;
    ctx.app.write(|cluster| {
        if cluster.pools.contains_key(&name) {
            return Err(ApiError::internal(format!("create pool failed: pool '{name}' already exists")));
        }
        let comment = params.get("comment").map(str::to_owned);
        cluster.pools.insert(name, Pool { comment, ..Pool::default() });
        Ok(Value::Null)
    })
}

pub(crate) fn update(ctx: &Ctx, name: &str) -> ApiResult {
    ctx.require(&path(name), "Pool.Allocate")?;
    let spec = [
        opt("vms", Kind::Text),
        opt("storage", Kind::Text),
        opt("comment", Kind::Text),
        opt("delete", Kind::Bool),
        opt("allow-move", Kind::Bool),
    ];
    let params = check(&ctx.params, &spec)?;
    let list = |name: &str| params.get(name).unwrap_or_default().split(',').filter(|item| !item.is_empty());
    let vms: Vec<u32> = list("vms").filter_map(|text| text.parse().ok()).collect();
    let storages: Vec<String> = list("storage").map(str::to_owned).collect();
    for vmid in &vms {
        ctx.require(&format!("/vms/{vmid}"), "VM.Allocate")?;
    }
    ctx.app.write(|cluster| {
        if !cluster.pools.contains_key(name) {
            return Err(missing(name));
        }
        if let Some(vmid) = vms.iter().find(|vmid| !cluster.vm_exists(**vmid)) {
            return Err(ApiError::internal(format!("update pools failed: VM {vmid} does not exist")));
        }
        let Some(pool) = cluster.pools.get_mut(name) else { return Err(missing(name)) };
        if let Some(comment) = params.get("comment") {
            pool.comment = Some(comment.to_owned());
        }
        pool.vms.retain(|vmid| !vms.contains(vmid));
        pool.storages.retain(|storage| !storages.contains(storage));
        if !params.flag("delete") {
            pool.vms.extend(vms);
            pool.storages.extend(storages);
        }
        Ok(Value::Null)
    })
}

pub(crate) fn delete(ctx: &Ctx, name: &str) -> ApiResult {
    ctx.require(&path(name), "Pool.Allocate")?;
    check(&ctx.params, &[])?;
    ctx.app.write(|cluster| {
        let pool = cluster.pools.get(name).ok_or_else(|| missing(name))?;
        let refused = |what: String| {
            Err(ApiError::internal(format!("delete pool failed: pool '{name}' is not empty (contains {what})")))
        };
        if let Some(vmid) = pool.vms.first() {
            return refused(format!("VM {vmid}"));
        }
        if let Some(storage) = pool.storages.first() {
            return refused(format!("storage '{storage}'"));
        }
        cluster.pools.remove(name);
        Ok(Value::Null)
    })
}
