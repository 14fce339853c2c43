//! `mpanel plan`: sizes and prices that pods are sold in.

use clap::Subcommand;
use serde_json::Value;

use super::common::{Confirm, Context, Limit, object, text};
use super::failure::{Failure, Result};
use super::humane::{gib, mib, parse_gib, parse_mib, when};
use super::output::{document, line};
use super::table::Table;
use crate::clock::Clock;

const PLANS: [&str; 2] = ["platform", "plans"];
/// What a tenant's people choose from.
const OFFERED: [&str; 3] = ["admin", "hosting", "plans"];

/// Sizes and prices that pods are sold in.
#[derive(Subcommand)]
pub enum Command {
    /// Make a plan
    #[command(
        after_help = "Example:\n  mpanel plan add small --vcpu 2 --memory 4G --disk 40 --price 4.99 --currency EUR"
    )]
    Add {
        /// Its name
        name: String,
        /// Virtual CPUs
        #[arg(long, value_name = "N")]
        vcpu: u32,
        /// Memory, such as 512M or 4G
        #[arg(long, value_name = "SIZE", value_parser = parse_mib)]
        memory: u64,
        /// Disk; a bare number is GiB
        #[arg(long, value_name = "SIZE", value_parser = parse_gib)]
        disk: u64,
        /// Traffic a month; a bare number is GiB [default: not limited]
        #[arg(long, value_name = "SIZE", value_parser = parse_gib)]
        traffic: Option<u64>,
        /// Price a month, such as 4.99
        #[arg(long, value_name = "AMOUNT", default_value = "0", value_parser = parse_price)]
        price: u64,
        /// Its currency (ISO 4217)
        #[arg(long, default_value = "EUR")]
        currency: String,
    },
    /// List plans
    #[command(after_help = "Example:\n  mpanel plan list")]
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a plan
    #[command(after_help = "Example:\n  mpanel plan show small")]
    Show {
        /// Name or id
        plan: String,
    },
    /// Remove a plan that no pod was made of
    #[command(after_help = "Example:\n  mpanel plan remove small --yes")]
    Remove {
        /// Name or id
        plan: String,
        #[command(flatten)]
        confirm: Confirm,
    },
}

/// Reads an amount with up to two decimals, as minor units.
fn parse_price(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no price: write 4.99");
    let (whole, cents) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(cents) || cents.len() > 2 {
        return Err(wrong());
    }
    let cents: u64 = format!("{cents:0<2}").parse().map_err(|_| wrong())?;
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    whole.checked_mul(100).and_then(|minor| minor.checked_add(cents)).ok_or_else(wrong)
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Add { name, vcpu, memory, disk, traffic, price, currency } => {
                let body = object([
                    ("name", name.into()),
                    ("vcpu", vcpu.into()),
                    ("memory_mib", memory.into()),
                    ("disk_gib", disk.into()),
                    ("traffic_gib", traffic.into()),
                    ("price_minor", price.into()),
                    ("currency", currency.into()),
                ]);
                let answer = context.client.post(&PLANS, Some(&body)).await?;
                show(context, &answer.body)
            }
            Self::List { limit } => {
                let page = context.list_or_offered(&PLANS, &OFFERED, limit.limit as usize).await?;
                context.list(&page, "name", list_table)
            }
            Self::Show { plan } => {
                let plan = match context.client.get(&[&PLANS[..], &[plan.as_str()]].concat(), &[]).await {
                    Err(Failure::Problem(problem)) if problem.status == 403 => {
                        context.offered(&OFFERED, "plan", &plan).await?
                    }
                    answer => answer?.body,
                };
                show(context, &plan)
            }
            Self::Remove { plan, confirm } => {
                confirm.ask(&format!("Remove the plan {plan}?"))?;
                context.client.delete(&[&PLANS[..], &[plan.as_str()]].concat()).await?;
                context.out.note(format!("the plan {plan} is removed"));
                Ok(())
            }
        }
    }
}

fn price(plan: &Value) -> String {
    plan["price_minor"]
        .as_u64()
        .map_or_else(String::new, |minor| format!("{}.{:02} {}", minor / 100, minor % 100, text(&plan["currency"])))
}

fn list_table(plans: &[Value]) -> Table {
    let mut table = Table::new(&["NAME", "VCPU", "MEMORY", "DISK", "TRAFFIC", "PRICE", "ACTIVE"]);
    for plan in plans {
        table.row([
            text(&plan["name"]),
            text(&plan["vcpu"]),
            mib(&plan["memory_mib"]),
            gib(&plan["disk_gib"]),
            gib(&plan["traffic_gib"]),
            price(plan),
            if plan["active"] == true { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table
}

fn show(context: &Context, plan: &Value) -> Result<()> {
    if context.out.json {
        return document(plan);
    }
    if context.out.quiet {
        return line(text(&plan["id"]));
    }
    let mut table = Table::fields();
    table.field("Name", text(&plan["name"]));
    table.field("Id", text(&plan["id"]));
    table.field("vCPU", text(&plan["vcpu"]));
    table.field("Memory", mib(&plan["memory_mib"]));
    table.field("Disk", gib(&plan["disk_gib"]));
    table.field("Traffic", gib(&plan["traffic_gib"]));
    table.field("Price", format!("{} a month", price(plan)));
    table.field("Active", if plan["active"] == true { "yes" } else { "no" });
    table.field("Created", when(&plan["created_at"], Clock::system().now()));
    context.out.table(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_read_as_people_write_it() {
        for (text, minor) in [("4.99", 499), ("5", 500), ("0.5", 50), ("0", 0), ("12.00", 1200)] {
            assert_eq!(parse_price(text), Ok(minor), "{text}");
        }
        for text in ["", "4.", ".99", "4.999", "-1", "1e3", "4,99", "999999999999999999999"] {
            assert!(parse_price(text).is_err(), "{text}");
        }
        assert_eq!(price(&serde_json::json!({ "price_minor": 1205, "currency": "EUR" })), "12.05 EUR");
    }
}
