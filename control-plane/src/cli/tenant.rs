//! `mpanel tenant`: customer accounts, how much they may use, and whether they are suspended.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::common::{Confirm, Context, Limit, object, text};
use super::failure::{Failure, Result};
use super::humane::{parse_gib, parse_mib, when};
use super::output::{document, line};
use super::table::Table;
use crate::clock::Clock;

/// Where they are.
pub(super) const TENANTS: [&str; 2] = ["admin", "tenants"];
/// What takes a setting or a limit away.
const NONE: &str = "none";

/// Customer accounts.
#[derive(Subcommand)]
pub enum Command {
    /// List tenants
    #[command(after_help = "Example:\n  mpanel tenant list --state suspended")]
    List {
        /// Only in this state
        #[arg(long, value_parser = ["active", "suspended"])]
        state: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Make a tenant. For staff
    #[command(
        after_help = "Example:\n  mpanel tenant create acme --email it@acme.example --pods 10 --vcpu 40 --memory 80G"
    )]
    Create {
        /// Its name
        name: String,
        /// Whom to write to [default: its owners]
        #[arg(long)]
        email: Option<String>,
        /// Where pods go that name neither a region nor a server [default: anywhere]
        #[arg(long)]
        region: Option<String>,
        #[command(flatten)]
        quotas: Quotas,
    },
    /// Show a tenant
    #[command(after_help = "Example:\n  mpanel tenant show acme")]
    Show {
        /// Name or id
        #[arg(value_name = "TENANT")]
        which: String,
    },
    /// Change a tenant's settings
    #[command(after_help = "Example:\n  mpanel tenant update acme --region eu --email none")]
    Update {
        /// Name or id
        #[arg(value_name = "TENANT")]
        which: String,
        /// Another name. For staff
        #[arg(long)]
        name: Option<String>,
        /// Whom to write to; none: its owners
        #[arg(long)]
        email: Option<String>,
        /// Where pods go that name neither a region nor a server; none: anywhere
        #[arg(long)]
        region: Option<String>,
    },
    /// Show how much a tenant may use, and uses; or, for staff, say how much that is
    #[command(
        after_help = "Example:\n  mpanel tenant quota acme\n  mpanel tenant quota acme --pods 20 --disk 2T --backups none"
    )]
    Quota {
        /// Name or id
        #[arg(value_name = "TENANT")]
        which: String,
        #[command(flatten)]
        quotas: Quotas,
    },
    /// Suspend a tenant: its people may only read, nothing new is made, its pods are suspended. For staff
    #[command(after_help = "Example:\n  mpanel tenant suspend acme --reason 'two invoices are overdue' --yes")]
    Suspend {
        /// Name or id
        #[arg(value_name = "TENANT")]
        which: String,
        /// Why; its people read this
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// End a tenant's suspension, and give back the pods that it took. For staff
    #[command(after_help = "Example:\n  mpanel tenant reactivate acme")]
    Reactivate {
        /// Name or id
        #[arg(value_name = "TENANT")]
        which: String,
    },
}

/// At most so much of each; `none`: unlimited.
#[derive(Args)]
pub struct Quotas {
    /// Pods
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pods: Option<Bound>,
    /// Virtual CPUs of all pods
    #[arg(long, value_name = "N", value_parser = parse_count)]
    vcpu: Option<Bound>,
    /// Memory of all pods, such as 64G
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    memory: Option<Bound>,
    /// Disks of all pods; a bare number is GiB
    #[arg(long, value_name = "SIZE", value_parser = parse_disk)]
    disk: Option<Bound>,
    /// Addresses that pods hold
    #[arg(long, value_name = "N", value_parser = parse_count)]
    addresses: Option<Bound>,
    /// Snapshots of all pods
    #[arg(long, value_name = "N", value_parser = parse_count)]
    snapshots: Option<Bound>,
    /// Backups, those of deleted pods too
    #[arg(long, value_name = "N", value_parser = parse_count)]
    backups: Option<Bound>,
}

/// A quota as it was written; `None`: unlimited.
#[derive(Clone, Copy, Debug)]
struct Bound(Option<u64>);

fn bound(text: &str, parse: impl FnOnce(&str) -> Result<u64, String>) -> Result<Bound, String> {
    if text == NONE { Ok(Bound(None)) } else { parse(text).map(|limit| Bound(Some(limit))) }
}

fn parse_count(text: &str) -> Result<Bound, String> {
    bound(text, |text| text.parse().map_err(|_| format!("`{text}` is no number: write 10, or none for unlimited")))
}

fn parse_memory(text: &str) -> Result<Bound, String> {
    bound(text, parse_mib)
}

fn parse_disk(text: &str) -> Result<Bound, String> {
    bound(text, parse_gib)
}

impl Quotas {
    /// As the API takes them: null is unlimited, and what was not given is left out.
    fn body(self) -> Map<String, Value> {
        let Self { pods, vcpu, memory, disk, addresses, snapshots, backups } = self;
        let all = [
            ("pods", pods),
            ("vcpu", vcpu),
            ("memory_mib", memory),
            ("disk_gib", disk),
            ("addresses", addresses),
            ("snapshots", snapshots),
            ("backups", backups),
        ];
        all.into_iter().filter_map(|(name, bound)| Some((name.to_owned(), bound?.0.into()))).collect()
    }
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::List { state, limit } => {
                let filter: Vec<_> = state.into_iter().map(|state| ("state", state)).collect();
                let page = context.client.list(&TENANTS, &filter, limit.limit as usize).await?;
                context.list(&page, "name", list_table)
            }
            Self::Create { name, email, region, quotas } => {
                let body = object([
                    ("name", name.into()),
                    ("contact_email", email.into()),
                    ("default_region", region.into()),
                    ("quotas", Value::Object(quotas.body())),
                ]);
                show(context, &context.client.post(&TENANTS, Some(&body)).await?.body)
            }
            Self::Show { which } => {
                let id = id_of(context, &which).await?;
                show(context, &context.client.get(&path(&[id.as_str()]), &[]).await?.body)
            }
            Self::Update { which, name, email, region } => {
                let mut body = Map::new();
                for (field, value) in [("name", name.map(Value::from)), ("contact_email", email.map(cleared))] {
                    body.extend(value.map(|value| (field.to_owned(), value)));
                }
                body.extend(region.map(|region| ("default_region".to_owned(), cleared(region))));
                if body.is_empty() {
                    return Err(Failure::usage("nothing to change: give --name, --email or --region"));
                }
                let id = id_of(context, &which).await?;
                show(context, &context.client.patch(&path(&[id.as_str()]), &Value::Object(body), None).await?.body)
            }
            Self::Quota { which, quotas } => {
                let id = id_of(context, &which).await?;
                let (path, body) = (path(&[id.as_str(), "quotas"]), quotas.body());
                let answer = if body.is_empty() {
                    context.client.get(&path, &[]).await?
                } else {
                    context.client.patch(&path, &Value::Object(body), None).await?
                };
                quotas_show(context, &answer.body)
            }
            Self::Suspend { which, reason, confirm } => {
                confirm.ask(&format!("Suspend {which} and all its pods?"))?;
                let id = id_of(context, &which).await?;
                let body = object([("reason", reason.into())]);
                show(context, &context.client.post(&path(&[id.as_str(), "suspend"]), Some(&body)).await?.body)
            }
            Self::Reactivate { which } => {
                let id = id_of(context, &which).await?;
                show(context, &context.client.post(&path(&[id.as_str(), "reactivate"]), None).await?.body)
            }
        }
    }
}

/// The id of the tenant that is called so.
pub(super) async fn id_of(context: &Context, tenant: &str) -> Result<String> {
    context.id_of(&TENANTS, "tenant", tenant, "name_prefix").await
}

fn path<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&TENANTS[..], rest].concat()
}

fn cleared(given: String) -> Value {
    if given == NONE { Value::Null } else { given.into() }
}

fn list_table(tenants: &[Value]) -> Table {
    let now = Clock::system().now();
    let mut table = Table::new(&["NAME", "STATE", "REASON", "REGION", "CREATED", "ID"]);
    for tenant in tenants {
        table.row([
            text(&tenant["name"]),
            text(&tenant["state"]),
            text(&tenant["suspension"]["reason"]),
            text(&tenant["default_region"]),
            when(&tenant["created_at"], now),
            text(&tenant["id"]),
        ]);
    }
    table
}

fn show(context: &Context, tenant: &Value) -> Result<()> {
    if context.out.json {
        return document(tenant);
    }
    if context.out.quiet {
        return line(text(&tenant["name"]));
    }
    let mut table = Table::fields();
    for name in ["name", "id", "state", "contact_email", "default_region", "created_at", "updated_at"] {
        table.field(name, text(&tenant[name]));
    }
    table.field("suspended because", text(&tenant["suspension"]["reason"]));
    table.field("suspended since", text(&tenant["suspension"]["since"]));
    context.out.table(&table)
}

/// The quotas, in the order in which the API describes them.
const QUOTAS: [&str; 7] = ["pods", "vcpu", "memory_mib", "disk_gib", "addresses", "snapshots", "backups"];

pub(super) fn quotas_table(quotas: &Value) -> Table {
    let mut table = Table::new(&["QUOTA", "USED", "LIMIT"]);
    for name in QUOTAS {
        let limit = text(&quotas[name]["limit"]);
        let limit = if limit.is_empty() { "unlimited".to_owned() } else { limit };
        table.row([name.to_owned(), text(&quotas[name]["used"]), limit]);
    }
    table
}

fn quotas_show(context: &Context, quotas: &Value) -> Result<()> {
    if context.out.json {
        return document(quotas);
    }
    context.out.table(&quotas_table(quotas))
}
