//! `mpanel ip-pool`: addresses that pods get.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::common::{Confirm, Context, Limit, object, text, texts};
use super::failure::Result;
use super::humane::when;
use super::output::{document, line};
use super::table::Table;
use crate::clock::Clock;

const POOLS: [&str; 2] = ["platform", "ip-pools"];

/// Addresses that pods get.
#[derive(Subcommand)]
pub enum Command {
    /// Make a pool from a network or a range of addresses
    #[command(
        after_help = "Example:\n  mpanel ip-pool add public --cidr 192.0.2.0/24 --gateway 192.0.2.1\n  mpanel ip-pool add public --range 192.0.2.10-192.0.2.250 --prefix-length 24 --gateway 192.0.2.1 --dns 192.0.2.53"
    )]
    Add(Add),
    /// List pools and how full they are
    #[command(after_help = "Example:\n  mpanel ip-pool list")]
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a pool
    #[command(after_help = "Example:\n  mpanel ip-pool show public")]
    Show {
        /// Name or id
        pool: String,
    },
    /// Remove a pool that no pod has an address from
    #[command(after_help = "Example:\n  mpanel ip-pool remove public --yes")]
    Remove {
        /// Name or id
        pool: String,
        #[command(flatten)]
        confirm: Confirm,
    },
}

/// A pool to be made.
#[derive(Args)]
pub struct Add {
    /// Its name
    name: String,
    /// All of a network but its gateway, such as 192.0.2.0/24
    #[arg(long, value_name = "NETWORK", conflicts_with_all = ["range", "prefix_length"], required_unless_present = "range")]
    cidr: Option<String>,
    /// The first and last address that may be given out
    #[arg(long, value_name = "FIRST-LAST", value_parser = parse_range, requires = "prefix_length")]
    range: Option<(IpAddr, IpAddr)>,
    /// The length of the network's prefix, such as 24
    #[arg(long, value_name = "BITS")]
    prefix_length: Option<u8>,
    /// The network's gateway
    #[arg(long, value_name = "ADDRESS")]
    gateway: IpAddr,
    /// A DNS server; may be repeated
    #[arg(long = "dns", value_name = "ADDRESS")]
    dns: Vec<String>,
    /// The bridge that pods with these addresses are attached to [default: the server's]
    #[arg(long)]
    bridge: Option<String>,
    /// The VLAN tag
    #[arg(long, value_name = "TAG")]
    vlan: Option<u16>,
    /// Only for servers of this region [default: all]
    #[arg(long)]
    region: Option<String>,
    /// Not for customers: only the platform's staff gives out its addresses, by naming it
    #[arg(long)]
    private: bool,
}

fn parse_range(text: &str) -> Result<(IpAddr, IpAddr), String> {
    let range =
        text.split_once('-').and_then(|(first, last)| Some((first.trim().parse().ok()?, last.trim().parse().ok()?)));
    range.ok_or_else(|| format!("`{text}` is no range of addresses: write 192.0.2.10-192.0.2.250"))
}

impl Add {
    fn body(&self) -> Value {
        object([
            ("name", self.name.clone().into()),
            ("cidr", self.cidr.clone().into()),
            ("first", self.range.map(|(first, _)| first.to_string()).into()),
            ("last", self.range.map(|(_, last)| last.to_string()).into()),
            ("prefix_length", self.prefix_length.into()),
            ("gateway", self.gateway.to_string().into()),
            ("dns", texts(&self.dns)),
            ("bridge", self.bridge.clone().into()),
            ("vlan", self.vlan.into()),
            ("region", self.region.clone().into()),
            ("public", if self.private { false.into() } else { Value::Null }),
        ])
    }
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Add(add) => {
                let answer = context.client.post(&POOLS, Some(&add.body())).await?;
                show(context, &answer.body)
            }
            Self::List { limit } => {
                let page = context.client.list(&POOLS, &[], limit.limit as usize).await?;
                context.list(&page, "name", list_table)
            }
            Self::Show { pool } => {
                let answer = context.client.get(&[&POOLS[..], &[pool.as_str()]].concat(), &[]).await?;
                show(context, &answer.body)
            }
            Self::Remove { pool, confirm } => {
                confirm.ask(&format!("Remove the address pool {pool}?"))?;
                context.client.delete(&[&POOLS[..], &[pool.as_str()]].concat()).await?;
                context.out.note(format!("the address pool {pool} is removed"));
                Ok(())
            }
        }
    }
}

fn used(pool: &Value) -> String {
    format!("{} of {}", text(&pool["allocated"]), text(&pool["size"]))
}

fn network(pool: &Value) -> String {
    format!("{}-{}/{}", text(&pool["first"]), text(&pool["last"]), text(&pool["prefix_length"]))
}

fn yes_or_no(value: &Value) -> &'static str {
    if *value == true { "yes" } else { "no" }
}

fn list_table(pools: &[Value]) -> Table {
    let mut table =
        Table::new(&["NAME", "ADDRESSES", "GATEWAY", "BRIDGE", "VLAN", "REGION", "USED", "ACTIVE", "PUBLIC"]);
    for pool in pools {
        table.row([
            text(&pool["name"]),
            network(pool),
            text(&pool["gateway"]),
            text(&pool["bridge"]),
            text(&pool["vlan"]),
            text(&pool["region"]),
            used(pool),
            yes_or_no(&pool["active"]).to_owned(),
            yes_or_no(&pool["public"]).to_owned(),
        ]);
    }
    table
}

fn show(context: &Context, pool: &Value) -> Result<()> {
    if context.out.json {
        return document(pool);
    }
    if context.out.quiet {
        return line(text(&pool["id"]));
    }
    let mut table = Table::fields();
    table.field("Name", text(&pool["name"]));
    table.field("Id", text(&pool["id"]));
    table.field("Addresses", network(pool));
    table.field("Gateway", text(&pool["gateway"]));
    table.field("DNS", text(&pool["dns"]));
    table.field("Bridge", text(&pool["bridge"]));
    table.field("VLAN", text(&pool["vlan"]));
    table.field("Region", text(&pool["region"]));
    table.field("Used", used(pool));
    table.field("Active", yes_or_no(&pool["active"]));
    table.field("Public", yes_or_no(&pool["public"]));
    table.field("Created", when(&pool["created_at"], Clock::system().now()));
    context.out.table(&table)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Adds {
        #[command(flatten)]
        add: Add,
    }

    #[test]
    fn a_pool_is_a_network_or_a_range() {
        let body = |line: &str| Adds::try_parse_from(line.split(' ')).map(|adds| adds.add.body());
        assert_eq!(
            body("x v6 --cidr 2001:db8::/64 --gateway 2001:db8::1").unwrap(),
            json!({ "name": "v6", "cidr": "2001:db8::/64", "gateway": "2001:db8::1" })
        );
        assert_eq!(
            body("x v4 --range 192.0.2.9-192.0.2.11 --prefix-length 24 --gateway 192.0.2.1 --vlan 7 --private")
                .unwrap(),
            json!({ "name": "v4", "first": "192.0.2.9", "last": "192.0.2.11", "prefix_length": 24,
                    "gateway": "192.0.2.1", "vlan": 7, "public": false })
        );
        for line in ["x v4 --gateway 192.0.2.1", "x v4 --range 192.0.2.9-192.0.2.11 --gateway 192.0.2.1"] {
            assert!(body(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_range_is_two_addresses() {
        let range = parse_range("192.0.2.10-192.0.2.250").unwrap();
        assert_eq!((range.0.to_string(), range.1.to_string()), ("192.0.2.10".to_owned(), "192.0.2.250".to_owned()));
        assert!(parse_range("2001:db8::1-2001:db8::ff").is_ok());
        for text in ["192.0.2.0/24", "192.0.2.1", "a-b", ""] {
            assert!(parse_range(text).is_err(), "{text}");
        }
    }
}
