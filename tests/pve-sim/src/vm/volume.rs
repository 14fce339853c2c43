//! Volumes of VMs: allocation, naming, copying, and where they lie.

use crate::clock;
use crate::formats::{PropertyString, is_drive_key, parse_size, render_size};
use crate::state::{Cluster, Storage, Vm, Volume};
use crate::vm::keys::is_cloudinit;

/// Virtual size of a cloud-init drive.
pub(crate) const CLOUDINIT_BYTES: u64 = 4 << 20;
/// What a fresh sparse image takes on disk.
const FRESH_BYTES: u64 = 196_608;

/// `local:101/vm-101-disk-0.qcow2` → storage and volume name.
pub(crate) fn split_volid(volid: &str) -> Option<(&str, &str)> {
    volid.split_once(':').filter(|(storage, volume)| !storage.is_empty() && !volume.is_empty())
}

/// The file of a volume, as it shows in task logs.
pub(crate) fn path_of(storage: &Storage, volume: &str) -> String {
    let parts: Vec<&str> = volume.split('/').collect();
    match parts.as_slice() {
        ["iso", file] => format!("{}/template/iso/{file}", storage.path),
        ["backup", file] => format!("{}/dump/{file}", storage.path),
        ["import", file] => format!("{}/import/{file}", storage.path),
        [.., owner, file] => format!("{}/images/{owner}/{file}", storage.path),
        _ => format!("{}/{volume}", storage.path),
    }
}

pub(crate) fn storage<'a>(cluster: &'a Cluster, node: &str, name: &str) -> Result<&'a Storage, String> {
    cluster.storage(node, name).ok_or_else(|| format!("storage '{name}' does not exist"))
}

fn storage_mut<'a>(cluster: &'a mut Cluster, node: &str, name: &str) -> Result<&'a mut Storage, String> {
    cluster.storage_mut(node, name).ok_or_else(|| format!("storage '{name}' does not exist"))
}

/// The volume of a drive value, if it names one that exists.
pub(crate) fn lookup<'a>(cluster: &'a Cluster, node: &str, volid: &str) -> Option<&'a Volume> {
    let (name, volume) = split_volid(volid)?;
    storage(cluster, node, name).ok()?.volumes.get(volume)
}

/// A free volume name for a VM's next disk.
pub(crate) fn free_name(storage: &Storage, vmid: u32, format: &str) -> String {
    let taken = |number: u32| {
        let stem = format!("/vm-{vmid}-disk-{number}.");
        let base = format!("/base-{vmid}-disk-{number}.");
        storage.volumes.keys().any(|name| {
            let file = name.rfind('/').map_or(name.as_str(), |at| &name[at..]);
            file.starts_with(&stem) || file.starts_with(&base)
        })
    };
    let number = (0..10_000).find(|number| !taken(*number)).unwrap_or(0);
    format!("{vmid}/vm-{vmid}-disk-{number}.{format}")
}

/// How big a new image is, and what of it is written.
pub(crate) struct Extent {
    pub(crate) size: u64,
    pub(crate) used: Option<u64>,
}

/// Puts a volume on a storage.
pub(crate) fn add(
    cluster: &mut Cluster,
    node: &str,
    storage: &str,
    volume: &str,
    vmid: u32,
    extent: &Extent,
) -> Result<(), String> {
    let format = volume.rsplit('.').next().unwrap_or("raw").to_owned();
    let parent =
        volume.matches('/').count().ge(&3).then(|| volume.splitn(3, '/').take(2).collect::<Vec<_>>().join("/"));
    let made = Volume {
        size: extent.size,
        used: extent.used.unwrap_or(FRESH_BYTES.min(extent.size)),
        format,
        content: "images".to_owned(),
        vmid: Some(vmid),
        parent,
        ctime: clock::now_s(),
        ..Volume::default()
    };
    storage_mut(cluster, node, storage)?.volumes.insert(volume.to_owned(), made);
    Ok(())
}

/// Takes a volume away; it may be gone already.
pub(crate) fn remove(cluster: &mut Cluster, node: &str, volid: &str) {
    if let Some((name, volume)) = split_volid(volid)
        && let Ok(storage) = storage_mut(cluster, node, name)
    {
        storage.volumes.remove(volume);
    }
}

/// The line that `qemu-img` prints when it makes an image.
pub(crate) fn formatting_line(path: &str, size: u64, backing: Option<&str>) -> String {
    if path.rsplit('.').next() == Some("raw") {
        return format!("Formatting '{path}', fmt=raw size={size} preallocation=off");
    }
    let head = format!("Formatting '{path}', fmt=qcow2 cluster_size=65536 extended_l2=off");
    let tail = "lazy_refcounts=off refcount_bits=16";
    match backing {
        Some(base) => {
            format!("{head} compression_type=zlib size={size} backing_file={base} backing_fmt=qcow2 {tail}")
        }
        None => format!("{head} preallocation=metadata compression_type=zlib size={size} {tail}"),
    }
}

/// Turns what a request says of a drive (`local:32,format=qcow2`, `local:cloudinit`) into what the configuration
/// keeps, making the volume it asks for. `log` gets the lines that a task shows.
pub(crate) fn realise(
    cluster: &mut Cluster,
    node: &str,
    vmid: u32,
    key: &str,
    value: &str,
    log: &mut Vec<String>,
) -> Result<String, String> {
    let mut drive = PropertyString::parse(value, "file")?;
    if matches!(drive.first.as_str(), "none" | "cdrom") {
        return Ok(drive.render());
    }
    let Some((name, what)) = split_volid(&drive.first.clone()).map(|(a, b)| (a.to_owned(), b.to_owned())) else {
        return Err(format!("unable to parse volume ID '{}'", drive.first));
    };
    let place = storage(cluster, node, &name)?;
    if what == "cloudinit" {
        let volume = format!("{vmid}/vm-{vmid}-cloudinit.qcow2");
        log.push(formatting_line(&path_of(place, &volume), CLOUDINIT_BYTES, None));
        add(cluster, node, &name, &volume, vmid, &Extent { size: CLOUDINIT_BYTES, used: None })?;
        drive.first = format!("{name}:{volume}");
        drive.rest.insert("media".to_owned(), "cdrom".to_owned());
        log.push(format!("{key}: successfully created disk '{}'", drive.render()));
        return Ok(drive.render());
    }
    if let Ok(gigabytes) = what.parse::<f64>() {
        return allocate(cluster, node, vmid, key, &name, gigabytes, drive, log);
    }
    let Some(volume) = place.volumes.get(&what) else {
        return Err(format!("volume '{}' does not exist", drive.first));
    };
    if drive.get("media") != Some("cdrom") {
        drive.rest.insert("size".to_owned(), render_size(volume.size));
    }
    Ok(drive.render())
}

#[expect(clippy::too_many_arguments, reason = "one step of `realise`, split off for its length")]
fn allocate(
    cluster: &mut Cluster,
    node: &str,
    vmid: u32,
    key: &str,
    name: &str,
    gigabytes: f64,
    mut drive: PropertyString,
    log: &mut Vec<String>,
) -> Result<String, String> {
    let source = drive.rest.remove("import-from");
    let imported = source
        .as_deref()
        .map(|from| lookup(cluster, node, from).cloned().ok_or_else(|| format!("volume '{from}' does not exist")));
    let imported = imported.transpose()?;
    let format = drive.rest.remove("format").unwrap_or_else(|| "raw".to_owned());
    let size = imported.as_ref().map_or((gigabytes * f64::from(1 << 30)) as u64, |volume| volume.size);
    let used = imported.as_ref().map(|volume| volume.used);
    let place = storage(cluster, node, name)?;
    if !place.content.iter().any(|content| content == "images") {
        return Err(format!("storage '{name}' does not support content-type 'images'"));
    }
    let volume = free_name(place, vmid, &format);
    let path = path_of(place, &volume);
    if let Some(from) = &source {
        log.push(format!("create full clone of drive ({from})"));
    }
    log.push(formatting_line(&path, size, None));
    if source.is_some() {
        log.extend(transfer_lines(size));
    }
    add(cluster, node, name, &volume, vmid, &Extent { size, used })?;
    drive.first = format!("{name}:{volume}");
    drive.rest.insert("size".to_owned(), render_size(size));
    log.push(format!("{key}: successfully created disk '{}'", drive.render()));
    Ok(drive.render())
}

/// The progress lines of a full copy.
pub(crate) fn transfer_lines(size: u64) -> Vec<String> {
    let steps = 14_u64;
    let shown =
        (0..=steps).chain([steps]).map(|step| size / steps * step + if step == steps { size % steps } else { 0 });
    shown
        .map(|done| {
            let percent = if size == 0 { 100.0 } else { done as f64 * 100.0 / size as f64 };
            format!("transferred {} of {} ({percent:.2}%)", human(done), human(size))
        })
        .collect()
}

fn human(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return format!("{value:.1} {unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// The drives of a configuration that are volumes of this VM, in order of their keys.
pub(crate) fn own_drives(vm: &Vm) -> Vec<(String, PropertyString)> {
    let drives = vm.config.iter().filter(|(key, _)| is_drive_key(key) || key.starts_with("unused"));
    let parsed = drives.filter_map(|(key, value)| Some((key.clone(), PropertyString::parse(value, "file").ok()?)));
    parsed.filter(|(_, drive)| drive.first.contains(':') && !drive.first.contains(":iso/")).collect()
}

/// The size of the first disk in bytes: what lists show as `maxdisk`.
pub(crate) fn max_disk(vm: &Vm) -> u64 {
    let drives = own_drives(vm);
    let disk = drives.iter().find(|(key, drive)| {
        !key.starts_with("unused") && !is_cloudinit(&drive.first) && drive.get("media") != Some("cdrom")
    });
    disk.and_then(|(_, drive)| parse_size(drive.get("size")?)).unwrap_or(0)
}

/// The first linked clone that lives on a base volume of this VM.
pub(crate) fn base_in_use(cluster: &Cluster, node: &str, vm: &Vm) -> Option<String> {
    own_drives(vm).into_iter().map(|(_, drive)| drive.first).find(|volid| is_base_in_use(cluster, node, volid))
}

pub(crate) fn is_base_in_use(cluster: &Cluster, node: &str, volid: &str) -> bool {
    let Some((name, volume)) = split_volid(volid) else { return false };
    let Ok(storage) = storage(cluster, node, name) else { return false };
    storage.volumes.values().any(|other| other.parent.as_deref() == Some(volume))
}
