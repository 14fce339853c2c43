//! What a fresh server has.

use std::collections::BTreeMap;

use crate::access::{Token, User, built_in_roles};
use crate::clock;
use crate::config::{SimConfig, StorageSpec, TemplateSpec, TokenSpec};
use crate::formats::{config_id, dns_name, render_size};
use crate::sim::{StartError, default_token};
use crate::state::{Cluster, Node, Storage, Vm};
use crate::vm::destroy::make_base;
use crate::vm::fresh_identity;
use crate::vm::volume::{self, CLOUDINIT_BYTES, Extent};

/// A fifth of a template's disk is written; small images are full.
const WRITTEN_PART: u64 = 5;
/// Up to this size an image counts as small.
const SMALL_BYTES: u64 = 256 << 20;
/// First process id given out.
const FIRST_PID: u32 = 700;

/// Fills in what was left open, and refuses what does not fit together.
pub(crate) fn complete(mut config: SimConfig) -> Result<SimConfig, StartError> {
    let mut names: Vec<&String> = config.more_nodes.iter().chain([&config.node]).collect();
    if let Some(name) = names.iter().find(|name| dns_name("", name).is_err() || *name == &"localhost") {
        return Err(StartError::Config(format!("'{name}' is no name for a node: use letters, digits and '-'")));
    }
    names.sort();
    if let Some((twice, _)) = names.iter().zip(names.iter().skip(1)).find(|(a, b)| a == b) {
        return Err(StartError::Config(format!("there are two nodes named '{twice}'")));
    }
    if config.storages.is_empty() {
        config.storages.push(StorageSpec { used_bytes: 8 << 30, ..StorageSpec::new("local", 250 << 30) });
    }
    if config.bridges.is_empty() {
        config.bridges.push("vmbr0".to_owned());
    }
    if config.templates.is_empty() {
        let storage = config.storages[0].name.clone();
        config.templates.push(TemplateSpec { vmid: 9000, name: "debian-12".to_owned(), disk_bytes: 2 << 30, storage });
    }
    if config.tokens.is_empty() {
        config.tokens.push(default_token());
    }
    for template in &config.templates {
        if !config.storages.iter().any(|storage| storage.name == template.storage) {
            let text = format!("template {}: there is no storage '{}'", template.vmid, template.storage);
            return Err(StartError::Config(text));
        }
    }
    if let Some(iso) = config.isos.iter().find(|iso| !config.storages.iter().any(|known| known.name == iso.storage)) {
        return Err(StartError::Config(format!("ISO image {}: there is no storage '{}'", iso.file, iso.storage)));
    }
    for storage in &config.storages {
        config_id("", &storage.name)
            .map_err(|_| StartError::Config(format!("'{}' is no name for a storage", storage.name)))?;
    }
    Ok(config)
}

pub(crate) fn cluster(config: &SimConfig) -> Result<Cluster, StartError> {
    let mut cluster =
        Cluster { next_pid: FIRST_PID, ticket_key: clock::hex(&clock::random::<32>()), ..Cluster::default() };
    // Up for an hour, so that figures of the past have something to show.
    cluster.boot_ms = clock::now_ms() - 3_600_000;
    cluster.access.roles = built_in_roles(config.flavour);
    let root = User { password: Some(config.root_password.clone()), ..User::default() };
    cluster.access.users.insert("root@pam".to_owned(), root);
    add_tokens(&mut cluster, &config.tokens);
    if config.firewall {
        cluster.firewall.options.insert("enable".to_owned(), "1".to_owned());
    }
    let of_kind = |shared: bool| {
        let specs = config.storages.iter().filter(move |spec| spec.shared == shared);
        specs.map(|spec| (spec.name.clone(), storage(spec))).collect::<BTreeMap<_, _>>()
    };
    cluster.shared = of_kind(true);
    let node = Node {
        storages: of_kind(false),
        bridges: config.bridges.clone(),
        cpus: config.cpus,
        memory_bytes: config.memory_bytes,
        ..Node::default()
    };
    for name in config.more_nodes.iter().chain([&config.node]) {
        cluster.nodes.insert(name.clone(), node.clone());
    }
    for iso in &config.isos {
        if let Some(storage) = cluster.storage_mut(&config.node, &iso.storage) {
            let volume = crate::storage::file("iso", &iso.file, iso.size_bytes);
            storage.volumes.insert(format!("iso/{}", iso.file), volume);
        }
    }
    for template in &config.templates {
        add_template(&mut cluster, &config.node, template, &config.bridges[0], config.flavour.qemu())
            .map_err(StartError::Config)?;
    }
    Ok(cluster)
}

fn storage(spec: &StorageSpec) -> Storage {
    let path = if spec.name == "local" { "/var/lib/vz".to_owned() } else { format!("/mnt/{}", spec.name) };
    Storage {
        kind: "dir".to_owned(),
        path,
        content: spec.content.clone(),
        total: spec.total_bytes,
        base_used: spec.used_bytes,
        shared: spec.shared,
        ..Storage::default()
    }
}

pub(crate) fn add_tokens(cluster: &mut Cluster, tokens: &[TokenSpec]) {
    for spec in tokens {
        let (user, id) = spec.full_id.split_once('!').unwrap_or((&spec.full_id, "sim"));
        let token = Token { secret: spec.secret.clone(), privsep: spec.privsep, ..Token::default() };
        cluster.access.users.entry(user.to_owned()).or_default().tokens.insert(id.to_owned(), token);
    }
}

fn add_template(
    cluster: &mut Cluster,
    node: &str,
    spec: &TemplateSpec,
    bridge: &str,
    qemu: &str,
) -> Result<(), String> {
    let (vmid, name) = (spec.vmid, &spec.storage);
    if cluster.vm_exists(vmid) {
        return Err(format!("there are two templates with the VMID {vmid}"));
    }
    let cloudinit = format!("{vmid}/vm-{vmid}-cloudinit.qcow2");
    let disk = format!("{vmid}/vm-{vmid}-disk-0.qcow2");
    let size = spec.disk_bytes;
    let written = if size <= SMALL_BYTES { size } else { size / WRITTEN_PART };
    volume::add(cluster, node, name, &cloudinit, vmid, &Extent { size: CLOUDINIT_BYTES, used: None })?;
    volume::add(cluster, node, name, &disk, vmid, &Extent { size, used: Some(written) })?;
    let settings = [
        ("name", spec.name.clone()),
        ("memory", "512".to_owned()),
        ("cores", "1".to_owned()),
        ("agent", "1".to_owned()),
        ("ostype", "l26".to_owned()),
        ("scsihw", "virtio-scsi-pci".to_owned()),
        ("serial0", "socket".to_owned()),
        ("boot", "order=scsi0".to_owned()),
        ("net0", format!("virtio={},bridge={bridge}", clock::mac())),
        ("ide2", format!("{name}:{cloudinit},media=cdrom")),
        ("scsi0", format!("{name}:{disk},size={}", render_size(size))),
        ("meta", format!("creation-qemu={qemu},ctime={}", clock::now_s())),
    ];
    let mut vm = Vm::default();
    vm.config.extend(settings.map(|(key, value)| (key.to_owned(), value)));
    fresh_identity(&mut vm.config);
    cluster.insert_vm(node, vmid, vm, "template", None);
    make_base(cluster, node, vmid);
    if let Some(vm) = cluster.nodes.get_mut(node).and_then(|node| node.vms.get_mut(&vmid)) {
        vm.stale = None;
    }
    Ok(())
}
