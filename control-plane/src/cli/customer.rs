//! `mpanel customer`: tenants as the platform's staff see them.

use clap::Subcommand;
use serde_json::Value;

use super::common::{Context, Limit, text};
use super::failure::Result;
use super::humane::when;
use super::output::{document, line};
use super::table::Table;
use super::tenant;
use crate::clock::Clock;

const CUSTOMERS: [&str; 2] = ["platform", "customers"];

/// Tenants as customers: what they use and bring, and how they are doing. For staff.
#[derive(Subcommand)]
pub enum Command {
    /// List customers
    #[command(after_help = "Example:\n  mpanel customer list --search acme --overdue --sort name")]
    List {
        /// Whose name, company, contact or address of mail holds this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Only those that are suspended
        #[arg(long)]
        suspended: bool,
        /// Only those with an order that is open beyond its time
        #[arg(long)]
        overdue: bool,
        /// In this order; - goes backwards
        #[arg(long, allow_hyphen_values = true, default_value = "-created_at",
            value_parser = ["name", "-name", "created_at", "-created_at"])]
        sort: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a customer as a whole, and why it is doing as it does
    #[command(after_help = "Example:\n  mpanel customer show acme")]
    Show {
        /// Name or id of the tenant
        customer: String,
    },
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::List { search, suspended, overdue, sort, limit } => {
                let mut filter = vec![("sort", sort)];
                filter.extend(search.map(|search| ("q", search)));
                filter.extend(suspended.then(|| ("suspended", "true".to_owned())));
                filter.extend(overdue.then(|| ("overdue", "true".to_owned())));
                let mut page = context.client.list(&CUSTOMERS, &filter, limit.limit as usize).await?;
                if context.out.json || !context.out.quiet {
                    let mut first = context.client.get(&CUSTOMERS, &[("limit", "1".to_owned())]).await?.body;
                    page["kpis"] = first["kpis"].take();
                }
                if !context.out.json {
                    context.out.note(figures(&page["kpis"]));
                }
                context.list(&page, "name", list_table)
            }
            Self::Show { customer } => {
                let id = tenant::id_of(context, &customer).await?;
                let overview = context.client.get(&[&CUSTOMERS[..], &[id.as_str()]].concat(), &[]).await?.body;
                show(context, &overview)
            }
        }
    }
}

/// An amount in minor units, of a currency.
fn amount(minor: &Value, currency: &Value) -> String {
    let minor = minor.as_u64().unwrap_or_default();
    format!("{}.{:02} {}", minor / 100, minor % 100, text(currency))
}

/// All customers in figures, in a line.
fn figures(kpis: &Value) -> String {
    let mut parts = vec![format!("{} customers, {} of them active", text(&kpis["total"]), text(&kpis["active"]))];
    for revenue in kpis["revenue"].as_array().into_iter().flatten() {
        let of = |name: &str| amount(&revenue[name], &revenue["currency"]);
        parts.push(format!("{} paid, {} each", of("total_minor"), of("average_minor")));
    }
    parts.join("; ")
}

/// Amounts of several currencies.
fn money(amounts: &Value) -> String {
    let one = |of: &Value| amount(&of["amount_minor"], &of["currency"]);
    amounts.as_array().into_iter().flatten().map(one).collect::<Vec<_>>().join(", ")
}

fn list_table(customers: &[Value]) -> Table {
    let now = Clock::system().now();
    let mut table = Table::new(&["NAME", "COMPANY", "HEALTH", "PODS", "USERS", "REVENUE", "LAST ACTIVE", "SUSPENDED"]);
    for customer in customers {
        table.row([
            text(&customer["name"]),
            text(&customer["company"]),
            text(&customer["health"]["score"]),
            text(&customer["cloudpods"]),
            text(&customer["users"]),
            money(&customer["revenue"]),
            when(&customer["last_active_at"], now),
            text(&customer["suspension"]["reason"]),
        ]);
    }
    table
}

fn show(context: &Context, overview: &Value) -> Result<()> {
    if context.out.json {
        return document(overview);
    }
    let customer = &overview["customer"];
    if context.out.quiet {
        return line(text(&customer["name"]));
    }
    let mut table = Table::fields();
    for name in ["name", "tenant_id", "contact_email", "cloudpods", "users", "last_active_at", "created_at"] {
        table.field(name, text(&customer[name]));
    }
    for name in ["company", "contact", "phone", "address", "country", "tax_number", "note"] {
        table.field(name, text(&overview["profile"][name]));
    }
    table.field("revenue", money(&customer["revenue"]));
    table.field("suspended because", text(&customer["suspension"]["reason"]));
    table.field("health", text(&customer["health"]["score"]));
    context.out.table(&table)?;
    line("")?;
    context.out.table(&health_table(&customer["health"]))?;
    line("")?;
    context.out.table(&tenant::quotas_table(&overview["quotas"]))
}

/// Of what a score is made.
fn health_table(health: &Value) -> Table {
    let mut table = Table::new(&["PART", "WEIGHT", "SCORE", "REASON"]);
    for part in health["parts"].as_array().into_iter().flatten() {
        table.row([text(&part["name"]), text(&part["weight"]), text(&part["score"]), text(&part["reason"])]);
    }
    table
}
