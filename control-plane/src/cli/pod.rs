//! `mpanel pod`: customers' VMs.

use std::path::Path;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use super::common::{Confirm, Context, Limit, Wait, labels, object, parse_label, text, texts};
use super::failure::{Failure, Result};
use super::humane::{gib, mib, parse_duration, when};
use super::output::{document, line};
use super::pod_operations::Operation;
use super::table::Table;
use crate::clock::Clock;

const PODS: [&str; 3] = ["admin", "hosting", "cloudpods"];
/// A file that holds more is no list of public keys.
const KEY_FILE_BYTES_MAX: u64 = 256 * 1024;

/// Customers' VMs.
#[derive(Subcommand)]
pub enum Command {
    /// Make a pod
    #[command(
        after_help = "Example:\n  mpanel pod create web-1 --plan small --image debian-12 --ssh-key @~/.ssh/id_ed25519.pub --wait"
    )]
    Create(Box<Create>),
    /// Make a pod of a VM that is there already
    #[command(
        after_help = "Example:\n  mpanel pod adopt web-1 --server pve1 --vmid 105 --plan small --image debian-12 --wait"
    )]
    Adopt(super::upkeep::Adopt),
    /// List pods
    #[command(after_help = "Example:\n  mpanel pod list --server pve1")]
    List {
        /// Only in this state; without it, all but the deleted
        #[arg(long, value_parser = ["requested", "provisioning", "active", "suspended", "deleting", "deleted", "failed"])]
        state: Option<String>,
        /// Only on this server: name or id
        #[arg(long)]
        server: Option<String>,
        /// Only the one that holds this IP address
        #[arg(long)]
        address: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a pod: its state, place and addresses
    #[command(after_help = "Example:\n  mpanel pod show web-1")]
    Show {
        /// Name or id
        pod: String,
        /// Also why it was placed there and not elsewhere
        #[arg(long)]
        placement: bool,
    },
    /// Start a pod
    #[command(after_help = "Example:\n  mpanel pod start web-1 --wait")]
    Start(Act),
    /// Stop a pod at once, as if its power were cut
    #[command(after_help = "Example:\n  mpanel pod stop web-1 --wait")]
    Stop(Act),
    /// Let a pod shut itself down
    #[command(after_help = "Example:\n  mpanel pod shutdown web-1 --grace 5m --wait")]
    Shutdown {
        #[command(flatten)]
        gentle: Gentle,
        /// Cut its power if it is not down by then
        #[arg(long)]
        force: bool,
    },
    /// Restart a pod
    #[command(after_help = "Example:\n  mpanel pod reboot web-1 --wait")]
    Reboot(Gentle),
    /// Move a pod to another host
    #[command(after_help = "Example:\n  mpanel pod migrate web-1 --to pve2 --wait")]
    Migrate(super::pod_migrate::Migrate),
    /// Look at a pod's serial terminal here, or get what a browser needs for its console
    #[command(after_help = "Example:\n  mpanel pod console web-1\n  mpanel pod console web-1 --url-only --kind vnc")]
    Console(super::console::Console),
    /// Destroy a pod, its disk and all that is on it
    #[command(after_help = "Example:\n  mpanel pod destroy web-1 --yes --wait")]
    Destroy {
        /// Name or id
        pod: String,
        #[command(flatten)]
        confirm: Confirm,
        #[command(flatten)]
        wait: Wait,
    },
    #[command(flatten)]
    Operation(Operation),
    /// Change a pod's record: its name, and the host that it is pinned to
    #[command(after_help = "Example:\n  mpanel pod edit web-1 --any-server")]
    Edit(Edit),
}

/// A change of a pod's record.
#[derive(Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args(["rename", "server", "any_server"]))]
pub struct Edit {
    /// Name or id
    pod: String,
    /// Its new name; the VM keeps the one that it was made with
    #[arg(long, value_name = "NAME")]
    rename: Option<String>,
    /// Pin it to this server, so that drains move it nowhere else: name or id
    #[arg(long, conflicts_with = "any_server")]
    server: Option<String>,
    /// Let it go to any server
    #[arg(long)]
    any_server: bool,
}

/// A pod to be made.
#[derive(Args)]
pub struct Create {
    /// A DNS label, such as web-1
    name: String,
    /// Its size: name or id of a plan
    #[arg(long)]
    plan: String,
    /// What it is made from: name or id of an image
    #[arg(long)]
    image: String,
    /// A public SSH key, or @FILE with one a line; may be repeated
    #[arg(long = "ssh-key", value_name = "KEY|@FILE")]
    ssh_keys: Vec<String>,
    /// The user that the keys are for [default: the image's]
    #[arg(long)]
    user: Option<String>,
    /// Only on this server, which drains keep to as well: name or id
    #[arg(long)]
    server: Option<String>,
    /// Only in this region
    #[arg(long)]
    region: Option<String>,
    /// Only on this storage
    #[arg(long)]
    storage: Option<String>,
    /// Only on servers with this label; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
    /// Never beside another pod of the same tenant, and no other beside it
    #[arg(long)]
    anti_affinity: bool,
    /// An address from this pool: name or id; may be repeated [default: from the pools of the region]
    #[arg(long = "ip-pool", value_name = "POOL")]
    ip_pools: Vec<String>,
    #[command(flatten)]
    wait: Wait,
}

/// Something to be done to a pod.
#[derive(Args)]
pub struct Act {
    /// Name or id
    pub pod: String,
    #[command(flatten)]
    pub wait: Wait,
}

/// Something that the guest has to do itself.
#[derive(Args)]
pub struct Gentle {
    /// Name or id
    pod: String,
    /// How long the guest gets, from 5s to 1h [default: 3m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    grace: Option<Duration>,
    #[command(flatten)]
    wait: Wait,
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Create(create) => create_run(context, &create).await,
            Self::Adopt(adopt) => adopt.run(context).await,
            Self::List { state, server, address, limit } => {
                let mut filter = Vec::new();
                filter.extend(state.map(|state| ("state", state)));
                filter.extend(server.map(|server| ("server_id", server)));
                filter.extend(address.map(|address| ("address", address)));
                let page = context.client.list(&PODS, &filter, limit.limit as usize).await?;
                context.list(&page, "name", list_table)
            }
            Self::Show { pod, placement } => show(context, &pod, placement).await,
            Self::Start(Act { pod, wait }) => act(context, &pod, "start", None, &wait).await,
            Self::Stop(Act { pod, wait }) => act(context, &pod, "stop", None, &wait).await,
            Self::Shutdown { gentle, force } => gentle_run(context, gentle, "shutdown", force).await,
            Self::Reboot(gentle) => gentle_run(context, gentle, "reboot", false).await,
            Self::Migrate(migrate) => migrate.run(context).await,
            Self::Console(console) => console.run(context).await,
            Self::Destroy { pod, confirm, wait } => {
                let id = id_of(context, &pod).await?;
                confirm.ask(&format!("Destroy the pod {pod}, its disk and all that is on it?"))?;
                let answer = context.client.delete(&path(&id, &[])).await?;
                context.job(&answer.body, &wait, &format!("{pod} is being destroyed")).await
            }
            Self::Operation(operation) => operation.run(context).await,
            Self::Edit(edit) => edit_run(context, edit).await,
        }
    }
}

/// The id of a pod that is given by name or id.
pub async fn id_of(context: &Context, pod: &str) -> Result<String> {
    context.id_of(&PODS, "pod", pod, "name_prefix").await
}

/// The API's path of something of a pod.
pub fn path<'a>(pod: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&PODS, [pod].as_slice(), rest].concat()
}

async fn create_run(context: &Context, create: &Create) -> Result<()> {
    let answer = context.client.post(&PODS, Some(&create.body()?)).await?;
    context.job(&answer.body, &create.wait, &format!("{} is being made", create.name)).await?;
    if create.wait.wait && !context.out.json {
        show(context, &create.name, false).await?;
    }
    Ok(())
}

async fn edit_run(context: &Context, edit: Edit) -> Result<()> {
    let Edit { pod, rename, server, any_server } = edit;
    let id = id_of(context, &pod).await?;
    let mut body = object([("name", rename.into()), ("server", server.into())]);
    if any_server {
        body["server"] = Value::Null;
    }
    context.client.patch(&path(&id, &[]), &body, None).await?;
    if context.out.quiet && !context.out.json { Ok(()) } else { show(context, &id, false).await }
}

async fn gentle_run(context: &Context, gentle: Gentle, verb: &str, force: bool) -> Result<()> {
    let Gentle { pod, grace, wait } = gentle;
    let force = if force { true.into() } else { Value::Null };
    let body = object([("timeout_s", grace.map(|grace| grace.as_secs()).into()), ("force", force)]);
    act(context, &pod, verb, Some(body), &wait).await
}

/// Asks for an operation on a pod that is given by name or id, and shows its job.
pub async fn act(context: &Context, pod: &str, verb: &str, body: Option<Value>, wait: &Wait) -> Result<()> {
    let id = id_of(context, pod).await?;
    let answer = context.client.post(&path(&id, &[verb]), body.as_ref()).await?;
    context.job(&answer.body, wait, &format!("{verb} of {pod}")).await
}

impl Create {
    fn body(&self) -> Result<Value> {
        let mut keys = Vec::new();
        for key in &self.ssh_keys {
            keys.extend(keys_of(key)?);
        }
        let placement = object([
            ("server", self.server.clone().into()),
            ("region", self.region.clone().into()),
            ("storage", self.storage.clone().into()),
            ("labels", labels(&self.labels)),
            ("anti_affinity", if self.anti_affinity { true.into() } else { Value::Null }),
        ]);
        let placed = placement.as_object().is_some_and(|wish| !wish.is_empty());
        Ok(object([
            ("name", self.name.clone().into()),
            ("plan", self.plan.clone().into()),
            ("image", self.image.clone().into()),
            ("ssh_keys", texts(&keys)),
            ("user", self.user.clone().into()),
            ("placement", if placed { placement } else { Value::Null }),
            ("ip_pools", texts(&self.ip_pools)),
        ]))
    }
}

/// The keys that `--ssh-key` names: itself, or the lines of a file.
pub fn keys_of(given: &str) -> Result<Vec<String>> {
    let Some(file) = given.strip_prefix('@') else { return Ok(vec![given.to_owned()]) };
    let wrong = |why: String| Failure::usage(format!("--ssh-key: {file}: {why}"));
    // The shell leaves a tilde behind an @ alone.
    let file = match (file.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => Path::new(file).to_path_buf(),
    };
    let length = std::fs::metadata(&file).map_err(|error| wrong(error.to_string()))?.len();
    if length > KEY_FILE_BYTES_MAX {
        return Err(wrong("is far too large to hold public keys".to_owned()));
    }
    let text = std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
    if text.contains("PRIVATE KEY") {
        return Err(wrong("holds a private key; name the file that ends in .pub".to_owned()));
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<String> = lines.map(str::to_owned).collect();
    if keys.is_empty() { Err(wrong("holds no key".to_owned())) } else { Ok(keys) }
}

fn list_table(pods: &[Value]) -> Table {
    let now = Clock::system().now();
    let mut table =
        Table::new(&["NAME", "STATE", "POWER", "SERVER", "VMID", "ADDRESSES", "VCPU", "MEMORY", "DISK", "CREATED"]);
    for pod in pods {
        table.row([
            text(&pod["name"]),
            text(&pod["state"]),
            text(&pod["observed_power"]),
            text(&pod["server"]),
            text(&pod["vmid"]),
            addresses(pod, false),
            text(&pod["vcpu"]),
            mib(&pod["memory_mib"]),
            gib(&pod["disk_gib"]),
            when(&pod["created_at"], now),
        ]);
    }
    table
}

fn addresses(pod: &Value, in_full: bool) -> String {
    let one = |address: &Value| {
        let plain = text(&address["address"]);
        if !in_full {
            return plain;
        }
        let (length, gateway, pool) =
            (text(&address["prefix_length"]), text(&address["gateway"]), text(&address["pool"]));
        format!("{plain}/{length} from {pool}, gateway {gateway}")
    };
    let all: Vec<_> = pod["addresses"].as_array().into_iter().flatten().map(one).collect();
    all.join(if in_full { "\n" } else { ", " })
}

async fn show(context: &Context, given: &str, placement: bool) -> Result<()> {
    let id = id_of(context, given).await?;
    let pod = context.client.get(&path(&id, &[]), &[]).await?.body;
    let explanation =
        if placement { Some(context.client.get(&path(&id, &["placement"]), &[]).await?.body) } else { None };
    if context.out.json {
        return match explanation {
            Some(explanation) => document(&json!({ "cloudpod": pod, "placement": explanation })),
            None => document(&pod),
        };
    }
    let now = Clock::system().now();
    let mut table = Table::fields();
    table.field("Name", text(&pod["name"]));
    table.field("Id", text(&pod["id"]));
    table.field("State", text(&pod["state"]));
    table.field("Failure", text(&pod["failure"]));
    table.field("Suspended", text(&pod["suspension"]["reason"]));
    let causes = pod["restart_causes"].as_array().filter(|causes| !causes.is_empty());
    let restart = causes.map_or_else(String::new, |_| format!("needed for: {}", text(&pod["restart_causes"])));
    table.field("Restart", restart);
    let seen = when(&pod["observed_at"], now);
    let seen = if seen.is_empty() { String::new() } else { format!(" (seen {seen})") };
    table.field("Power", format!("{}{seen}, wanted: {}", text(&pod["observed_power"]), text(&pod["desired_power"])));
    table.field("CD", cd(&pod["media"]));
    table.field("Rescue", rescue(&pod));
    table.field("Server", text(&pod["server"]));
    table.field("Pinned to", pin(&pod));
    table.field("VMID", text(&pod["vmid"]));
    table.field("Storage", text(&pod["storage"]));
    table.field("Addresses", addresses(&pod, true));
    table.field("User", text(&pod["user"]));
    table.field("SSH keys", pod["ssh_keys"].as_array().map_or_else(String::new, |keys| keys.len().to_string()));
    table.field("Plan", text(&pod["plan"]));
    table.field("Image", text(&pod["image"]));
    let (memory, disk) = (mib(&pod["memory_mib"]), gib(&pod["disk_gib"]));
    table.field("Size", format!("{} vCPU, {memory} memory, {disk} disk", text(&pod["vcpu"])));
    table.field("Tenant", text(&pod["tenant_id"]));
    table.field("Created", when(&pod["created_at"], now));
    context.out.table(&table)?;
    explanation.map_or(Ok(()), |explanation| placement_show(context, &explanation))
}

fn cd(media: &Value) -> String {
    let first = if media["boot_from_cd"] == true { ", booted from before the disk" } else { "" };
    media["iso"].as_str().map_or_else(String::new, |iso| format!("{iso}{first}"))
}

fn rescue(pod: &Value) -> String {
    let name = text(&pod["name"]);
    pod["rescue_iso"].as_str().map_or_else(String::new, |iso| format!("from {iso}, until `mpanel pod unrescue {name}`"))
}

fn pin(pod: &Value) -> String {
    let (pinned, name) = (&pod["placement"]["server"], text(&pod["name"]));
    if pinned.is_null() {
        return String::new();
    }
    let server = if *pinned == pod["server"]["id"] { &pod["server"] } else { pinned };
    format!("{}, also for drains, until `mpanel pod edit {name} --any-server`", text(server))
}

fn placement_show(context: &Context, placement: &Value) -> Result<()> {
    let explanation = &placement["explanation"];
    let when = when(&placement["decided_at"], Clock::system().now());
    if explanation.is_null() {
        return line(format!("\nPlaced {when} in region {}", text(&placement["region"])));
    }
    let (fitting, servers) = (text(&explanation["fitting"]), text(&explanation["servers"]));
    line(format!("\nPlaced {when}; {fitting} of {servers} servers could have taken it"))?;
    let mut table = Table::new(&["SERVER", "VERDICT", "WHY"]);
    for server in explanation["considered"].as_array().into_iter().flatten() {
        let reasons = server["reasons"].as_array().into_iter().flatten().map(|reason| text(&reason["text"]));
        let why = match text(&server["storage"]) {
            storage if storage.is_empty() => reasons.collect::<Vec<_>>().join("\n"),
            storage => format!("on storage {storage}"),
        };
        table.row([text(&server["name"]), text(&server["verdict"]), why]);
    }
    context.out.table(&table)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Creates {
        #[command(flatten)]
        create: Create,
    }

    #[test]
    fn a_pod_is_asked_for_with_what_was_given_and_no_more() {
        let body = |line: &str| Creates::parse_from(line.split(' ')).create.body().unwrap();
        assert_eq!(
            body("x web-1 --plan small --image debian"),
            json!({ "name": "web-1", "plan": "small", "image": "debian" })
        );
        assert_eq!(
            body("x web-1 --plan small --image debian --server pve1 --label disk=nvme --ip-pool public --user admin"),
            json!({
                "name": "web-1", "plan": "small", "image": "debian", "user": "admin", "ip_pools": ["public"],
                "placement": { "server": "pve1", "labels": { "disk": "nvme" } },
            })
        );
    }

    #[test]
    fn keys_come_from_the_line_or_from_a_file() {
        let folder = std::env::temp_dir().join(format!("mpanel-keys-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str, content: &str| {
            std::fs::write(folder.join(name), content).unwrap();
            keys_of(&format!("@{}", folder.join(name).display()))
        };
        assert_eq!(
            file("two", "# mine\nssh-ed25519 A a\n\nssh-rsa B b\n").unwrap(),
            ["ssh-ed25519 A a", "ssh-rsa B b"]
        );
        assert!(matches!(file("none", "# nothing\n"), Err(Failure::Usage(_))));
        assert!(
            matches!(file("private", "-----BEGIN OPENSSH PRIVATE KEY-----\n"), Err(Failure::Usage(text)) if text.contains(".pub"))
        );
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(keys_of("ssh-ed25519 A a").unwrap(), ["ssh-ed25519 A a"]);
        assert!(matches!(keys_of("@/nowhere/at/all"), Err(Failure::Usage(_))));
    }
}
