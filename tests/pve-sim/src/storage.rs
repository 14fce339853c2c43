//! `/storage` and `/nodes/{node}/storage`.

use serde_json::{Value, json};

use crate::app::Ctx;
use crate::backup;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::formats::parse_size;
use crate::nodes::merge;
use crate::schema::{Kind, check, check_with, opt, req};
use crate::state::{Storage, Volume};
use crate::tasks;
use crate::vm::volume;

const READ: &[&str] = &["Datastore.Audit", "Datastore.AllocateSpace"];

fn path(name: &str) -> String {
    format!("/storage/{name}")
}

fn row(name: &str, storage: &Storage) -> Value {
    let fraction = if storage.total == 0 { 0.0 } else { storage.used() as f64 / storage.total as f64 };
    let mut row = status_of(storage);
    row["storage"] = json!(name);
    row["used_fraction"] = json!(fraction);
    row
}

fn status_of(storage: &Storage) -> Value {
    json!({
        "type": storage.kind, "content": storage.content.join(","), "shared": u8::from(storage.shared),
        "enabled": 1, "active": 1,
        "total": storage.total, "used": storage.used().min(storage.total), "avail": storage.avail(),
    })
}

pub(crate) fn list(ctx: &Ctx) -> ApiResult {
    let spec = [
        opt("content", Kind::Text),
        opt("enabled", Kind::Bool),
        opt("format", Kind::Bool),
        opt("storage", Kind::Text),
        opt("target", Kind::Text),
    ];
    let params = check(&ctx.params, &spec)?;
    let fits = |storage: &Storage| {
        params
            .get("content")
            .is_none_or(|wanted| wanted.split(',').any(|item| storage.content.iter().any(|c| c == item)))
    };
    ctx.rights(|rights| {
        let all = rights.cluster.storages(&ctx.node);
        let asked = all.filter(|(name, _)| params.get("storage").is_none_or(|wanted| wanted == *name));
        let visible = asked.filter(|(name, _)| READ.iter().any(|privilege| rights.has(&path(name), privilege)));
        Ok(visible.filter(|(_, storage)| fits(storage)).map(|(name, storage)| row(name, storage)).collect())
    })
}

fn read<T>(ctx: &Ctx, name: &str, read: impl FnOnce(&Storage) -> T) -> ApiResult<T> {
    ctx.read(|cluster| volume::storage(cluster, &ctx.node, name).map(read)).map_err(ApiError::internal)
}

pub(crate) fn status(ctx: &Ctx, name: &str) -> ApiResult {
    ctx.require_any(&path(name), READ)?;
    check(&ctx.params, &[])?;
    read(ctx, name, status_of)
}

pub(crate) fn index(ctx: &Ctx, name: &str) -> ApiResult {
    ctx.require_any(&path(name), READ)?;
    check(&ctx.params, &[])?;
    read(ctx, name, |_| ())?;
    let parts = ["content", "download-url", "prunebackups", "rrd", "rrddata", "status", "upload"];
    Ok(parts.iter().map(|part| json!({ "subdir": part })).collect())
}

fn volume_row(storage: &str, name: &str, volume: &Volume) -> Value {
    let mut row = json!({
        "volid": format!("{storage}:{name}"), "content": volume.content, "format": volume.format, "size": volume.size,
        "ctime": volume.ctime,
    });
    if volume.content == "images" {
        row["used"] = json!(volume.used);
        row["parent"] = match &volume.parent {
            Some(parent) => json!(format!("../{parent}")),
            None => Value::Null,
        };
        row["vmid"] = json!(volume.vmid);
    }
    if volume.content == "backup" {
        row["subtype"] = json!("qemu");
        row["vmid"] = json!(volume.vmid);
    }
    merge(&mut row, remarks(volume));
    // Of several lines a list gives the first alone.
    if let Some(first) = volume.notes.as_ref().and_then(|notes| notes.lines().next()) {
        row["notes"] = json!(first);
    }
    row
}

/// What is only shown when it is there.
fn remarks(volume: &Volume) -> Value {
    let mut row = json!({});
    if let Some(notes) = &volume.notes {
        row["notes"] = json!(notes);
    }
    if volume.protected {
        row["protected"] = json!(1);
    }
    row
}

pub(crate) fn content(ctx: &Ctx, name: &str) -> ApiResult {
    ctx.require_any(&path(name), READ)?;
    let params = check(&ctx.params, &[opt("content", Kind::Text), opt("vmid", Kind::VmId)])?;
    let vmid = params.vmid("vmid");
    read(ctx, name, |storage| {
        let asked = storage.volumes.iter().filter(|(_, volume)| {
            params.get("content").is_none_or(|content| content == volume.content)
                && vmid.is_none_or(|vmid| volume.vmid == Some(vmid))
        });
        asked.map(|(volume_name, volume)| volume_row(name, volume_name, volume)).collect()
    })
}

pub(crate) fn allocate(ctx: &Ctx, name: &str) -> ApiResult {
    ctx.require(&path(name), "Datastore.AllocateSpace")?;
    let spec = [
        req("vmid", Kind::VmId),
        req("filename", Kind::Text),
        req("size", Kind::Text),
        opt("format", Kind::Enum(&["raw", "qcow2", "subvol", "vmdk"])),
    ];
    let params = check(&ctx.params, &spec)?;
    read(ctx, name, |_| ())?;
    // A size without a unit is in KiB.
    let text = params.text("size");
    let size = text.parse::<u64>().ok().and_then(|kib| kib.checked_mul(1024)).or_else(|| parse_size(text));
    let size = size.ok_or_else(|| ApiError::param("size", "value does not match the regex pattern"))?;
    let vmid = params.vmid("vmid").unwrap_or_default();
    let volume = format!("{vmid}/{}", params.text("filename"));
    let exists = read(ctx, name, |storage| storage.volumes.contains_key(&volume))?;
    if exists {
        let file = read(ctx, name, |storage| volume::path_of(storage, &volume))?;
        return Err(ApiError::internal(format!("disk image '{file}' already exists")));
    }
    let used = (volume.rsplit('.').next() == Some("raw")).then_some(4096);
    let extent = volume::Extent { size, used };
    let made = ctx.app.write(|cluster| volume::add(cluster, &ctx.node, name, &volume, vmid, &extent));
    made.map_err(ApiError::internal)?;
    Ok(json!(format!("{name}:{volume}")))
}

/// `local:iso/x.iso`, or the part after the colon alone.
fn split<'a>(storage: &'a str, text: &'a str) -> (&'a str, &'a str) {
    text.split_once(':').unwrap_or((storage, text))
}

pub(crate) fn attributes(ctx: &Ctx, storage: &str, text: &str) -> ApiResult {
    let (name, volume) = split(storage, text);
    ctx.require_any(&path(name), READ)?;
    check(&ctx.params, &[])?;
    let found = read(ctx, name, |storage| {
        let volume_path = volume::path_of(storage, volume);
        storage.volumes.get(volume).map(|volume| {
            let (size, used, format) = (volume.size, volume.used, &volume.format);
            let mut row = json!({ "path": volume_path, "size": size, "used": used, "format": format });
            merge(&mut row, remarks(volume));
            row
        })
    })?;
    found.ok_or_else(|| ApiError::internal(format!("volume '{name}:{volume}' does not exist")))
}

pub(crate) fn update(ctx: &Ctx, storage: &str, text: &str) -> ApiResult {
    let (name, volume) = split(storage, text);
    backup::update(ctx, name, volume)
}

pub(crate) fn delete(ctx: &Ctx, storage: &str, text: &str) -> ApiResult {
    let (name, volume) = split(storage, text);
    if volume.starts_with("backup/") {
        let owner = read(ctx, name, |storage| storage.volumes.get(volume).and_then(|volume| volume.vmid))?;
        backup::require_backup(ctx, name, owner)?;
    }
    ctx.require_any(&path(name), &["Datastore.Allocate", "Datastore.AllocateSpace"])?;
    check(&ctx.params, &[opt("delay", Kind::Int(Some(1), Some(30)))])?;
    let owner = read(ctx, name, |storage| storage.volumes.get(volume).and_then(|volume| volume.vmid))?;
    let id = owner.map_or_else(|| name.to_owned(), |vmid| format!("{vmid}@{name}"));
    let (name, volume) = (name.to_owned(), volume.to_owned());
    let upid = tasks::spawn(ctx, "imgdel", &id, |worker| async move {
        worker.work().await?;
        let volid = format!("{name}:{volume}");
        if worker.app.read(|cluster| volume::is_base_in_use(cluster, &worker.node, &volid)) {
            return Err(format!("base volume '{volume}' is still in use by linked clones").into());
        }
        let kept = worker
            .app
            .read(|cluster| volume::lookup(cluster, &worker.node, &volid).is_some_and(|found| found.protected));
        if kept {
            return Err(format!("cannot remove protected volume '{volume}' on '{name}'").into());
        }
        let missing = worker.app.read(|cluster| {
            let storage = volume::storage(cluster, &worker.node, &name).ok()?;
            (!storage.volumes.contains_key(&volume)).then(|| volume::path_of(storage, &volume))
        });
        if let Some(file) = missing {
            worker.log(format!("disk image '{file}' does not exist"));
        }
        worker.write(|cluster| volume::remove(cluster, &worker.node, &volid));
        worker.log(format!("Removed volume '{volid}'"));
        Ok(())
    });
    Ok(json!(upid))
}

/// An ISO image, or another file that is no VM's.
pub(crate) fn file(content: &str, file: &str, size: u64) -> Volume {
    let format = file.rsplit('.').next().unwrap_or("raw").to_owned();
    Volume { size, used: size, format, content: content.to_owned(), ctime: clock::now_s(), ..Volume::default() }
}

fn put_file(ctx: &Ctx, name: &str, content: &str, file: &str, size: u64) {
    let volume = self::file(content, file, size);
    ctx.app.write(|cluster| {
        if let Some(storage) = cluster.storage_mut(&ctx.node, name) {
            storage.volumes.insert(format!("{content}/{file}"), volume);
        }
    });
}

pub(crate) fn upload(ctx: &Ctx, name: &str, file: Option<(String, Vec<u8>)>) -> ApiResult {
    ctx.require(&path(name), "Datastore.AllocateTemplate")?;
    let spec = [
        req("content", Kind::Enum(&["iso", "vztmpl", "import"])),
        opt("filename", Kind::Text),
        opt("checksum", Kind::Text),
        opt("checksum-algorithm", Kind::Text),
    ];
    let params = check(&ctx.params, &spec)?;
    let missing = || ApiError::param("filename", "property is missing and it is not optional");
    let (file, bytes) = file.ok_or_else(missing)?;
    let target = read(ctx, name, |storage| volume::path_of(storage, &format!("{}/{file}", params.text("content"))))?;
    let inner = ctx.clone();
    let name = name.to_owned();
    let upid = tasks::spawn(ctx, "imgcopy", "", |worker| async move {
        let temporary = format!("/var/tmp/pveupload-{}", clock::uuid().replace('-', ""));
        worker.log(format!("starting file import from: {temporary}"));
        worker.log(format!("target node: {}", worker.node));
        worker.log(format!("target file: {target}"));
        worker.log(format!("file size is: {}", bytes.len()));
        worker.log(format!("command: cp -- {temporary} {target}"));
        worker.work().await?;
        put_file(&inner, &name, params.text("content"), &file, bytes.len() as u64);
        worker.log("finished file import successfully");
        Ok(())
    });
    Ok(json!(upid))
}

/// The simulator reaches no network: a download always fails, as one does whose server refuses the connection.
pub(crate) fn download(ctx: &Ctx, name: &str) -> ApiResult {
    ctx.require(&path(name), "Datastore.AllocateTemplate")?;
    let spec = [
        req("content", Kind::Enum(&["iso", "vztmpl", "import"])),
        req("filename", Kind::Text),
        req("url", Kind::Text),
        opt("checksum", Kind::Text),
        opt("checksum-algorithm", Kind::Text),
        opt("compression", Kind::Text),
        opt("verify-certificates", Kind::Bool),
    ];
    let params = check(&ctx.params, &spec)?;
    let file = params.text("filename").to_owned();
    let target = read(ctx, name, |storage| volume::path_of(storage, &format!("{}/{file}", params.text("content"))))?;
    let url = params.text("url").to_owned();
    let upid = tasks::spawn(ctx, "download", &file, |worker| async move {
        worker.log(format!("downloading {url} to {target}"));
        worker.work().await?;
        worker.log(format!("--{}--  {url}", clock::date()));
        let host = url.split('/').nth(2).unwrap_or_default();
        Err(format!("download failed: Connecting to {host}... failed: Connection refused.").into())
    });
    Ok(json!(upid))
}

fn config_row(name: &str, storage: &Storage) -> Value {
    json!({
        "storage": name, "type": storage.kind, "path": storage.path, "content": storage.content.join(","),
        "digest": "9faa26962c9639e76ebc491da4976e957604dad7", "prune-backups": "keep-all=1",
    })
}

/// `GET /storage`.
pub(crate) fn definitions(ctx: &Ctx) -> ApiResult {
    let params = check(&ctx.params, &[opt("type", Kind::Text)])?;
    ctx.rights(|rights| {
        let privileges = ["Datastore.Allocate", "Datastore.Audit", "Datastore.AllocateSpace"];
        let visible = rights.cluster.storages(&ctx.node).filter(|(name, storage)| {
            privileges.iter().any(|privilege| rights.has(&path(name), privilege))
                && params.get("type").is_none_or(|kind| kind == storage.kind)
        });
        Ok(visible.map(|(name, storage)| config_row(name, storage)).collect())
    })
}

/// `GET /storage/{storage}`.
pub(crate) fn definition(ctx: &Ctx, name: &str) -> ApiResult {
    ctx.require(&path(name), "Datastore.Allocate")?;
    check(&ctx.params, &[])?;
    read(ctx, name, |storage| config_row(name, storage))
}

/// `POST /storage`; directories only.
pub(crate) fn define(ctx: &Ctx) -> ApiResult {
    ctx.require("/storage", "Datastore.Allocate")?;
    let spec = [req("storage", Kind::Text), req("type", Kind::Enum(&["dir"])), opt("path", Kind::Text)];
    let others =
        ["content", "nodes", "shared", "is_mountpoint", "mkdir", "prune-backups", "create-base-path", "format"];
    let params = check_with(&ctx.params, &spec, |name| others.contains(&name).then_some(Kind::Text))?;
    let name = params.text("storage").to_owned();
    let content = params.get("content").unwrap_or("images,rootdir").split(',').map(str::to_owned).collect();
    let path =
        params.get("path").ok_or_else(|| ApiError::param("path", "property is missing and it is not optional"))?;
    let made =
        Storage { kind: "dir".to_owned(), path: path.to_owned(), content, total: 64 << 30, ..Storage::default() };
    ctx.app.write(|cluster| {
        let shared = cluster.shared.contains_key(&name);
        let Some(node) = cluster.nodes.get_mut(&ctx.node) else { return Ok(Value::Null) };
        if node.storages.contains_key(&name) || shared {
            return Err(ApiError::internal(format!("create storage failed: storage ID '{name}' already defined")));
        }
        node.storages.insert(name.clone(), made);
        Ok(json!({ "storage": name, "type": "dir" }))
    })
}

/// `DELETE /storage/{storage}`.
pub(crate) fn undefine(ctx: &Ctx, name: &str) -> ApiResult {
    ctx.require("/storage", "Datastore.Allocate")?;
    check(&ctx.params, &[])?;
    read(ctx, name, |_| ())?;
    ctx.app.write(|cluster| {
        if let Some(node) = cluster.nodes.get_mut(&ctx.node) {
            node.storages.remove(name);
        }
        cluster.shared.remove(name);
    });
    Ok(Value::Null)
}
