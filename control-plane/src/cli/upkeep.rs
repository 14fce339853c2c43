//! What operators do when hosts and books differ: adopting a VM, declaring a host lost, jobs in bulk.

use clap::Args;
use serde_json::{Value, json};

use super::common::{Confirm, Context, Wait, object, text, texts};
use super::failure::{Failure, Result};
use super::output::{document, line};
use super::table::Table;

/// A VM that is to become a pod.
#[derive(Args)]
pub struct Adopt {
    /// A DNS label for the pod, such as web-1
    name: String,
    /// The host that it is on: name or id
    #[arg(long)]
    server: String,
    /// Its number there
    #[arg(long, value_parser = clap::value_parser!(u32).range(100..=999_999_999))]
    vmid: u32,
    /// What it is sold as: name or id of a plan. Its size stays what it is
    #[arg(long)]
    plan: String,
    /// What it was made from, or the nearest to it: name or id of an image
    #[arg(long)]
    image: String,
    /// The storage that its disk is on [default: the server's only one for pods]
    #[arg(long)]
    storage: Option<String>,
    /// An address that it uses, to be held for it; may be repeated
    #[arg(long = "address", value_name = "ADDRESS")]
    addresses: Vec<String>,
    #[command(flatten)]
    wait: Wait,
}

impl Adopt {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        let Self { name, server, vmid, plan, image, storage, addresses, wait } = self;
        let body = object([
            ("name", name.as_str().into()),
            ("server", server.into()),
            ("vmid", vmid.into()),
            ("plan", plan.into()),
            ("image", image.into()),
            ("storage", storage.into()),
            ("addresses", texts(&addresses)),
        ]);
        let answer = context.client.post(&["admin", "hosting", "cloudpods", "adopt"], Some(&body)).await?.body;
        context.job(&answer, &wait, &format!("{name} is being adopted")).await
    }
}

/// A host that will not come back.
#[derive(Args)]
pub struct DeclareLost {
    /// Name or id
    server: String,
    /// Why; kept in the audit
    #[arg(long)]
    reason: String,
    /// The host's name, typed again
    #[arg(long, value_name = "NAME")]
    confirm: String,
}

impl DeclareLost {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        let Self { server, reason, confirm } = self;
        let body = json!({ "reason": reason, "confirm": confirm });
        let path = ["platform", "servers", server.as_str(), "declare-lost"];
        let answer = context.client.post(&path, Some(&body)).await?.body;
        if context.out.json {
            return document(&answer);
        }
        context.out.note(format!("{} is declared lost: {}", text(&answer["name"]), text(&answer["detail"])));
        Ok(())
    }
}

/// Which jobs, where not one alone.
#[derive(Args)]
pub struct Bulk {
    /// All jobs in this state, up to 200 at once; with --kind and --server
    #[arg(long, requires = "state")]
    pub all: bool,
    /// In which state
    #[arg(long, value_parser = ["queued", "running", "undoing", "stuck"], requires = "all")]
    state: Option<String>,
    /// Only of this kind, such as provision
    #[arg(long, requires = "all")]
    kind: Option<String>,
    /// Only on this server: name or id
    #[arg(long, requires = "all")]
    server: Option<String>,
    #[command(flatten)]
    confirm: Confirm,
}

impl Bulk {
    /// Does it with all of them. `verb` is the API's, `question` what it means for people.
    pub async fn run(self, context: &Context, verb: &str, wait: &Wait) -> Result<()> {
        if wait.wait {
            return Err(Failure::usage("--wait follows one job; leave it out with --all"));
        }
        let Self { all: _, state, kind, server, confirm } = self;
        if verb == "cancel" {
            confirm.ask("Cancel all of these jobs, and undo what they did?")?;
        }
        let filter = object([("state", state.into()), ("kind", kind.into()), ("server", server.into())]);
        let path = ["provisioning", "jobs", verb];
        let answer = context.client.post(&path, Some(&json!({ "filter": filter }))).await?.body;
        show(context, &answer)
    }
}

fn show(context: &Context, answer: &Value) -> Result<()> {
    let items: Vec<&Value> = answer["items"].as_array().into_iter().flatten().collect();
    if context.out.json {
        document(answer)?;
    } else if context.out.quiet {
        items.iter().filter(|item| item["ok"] == true).try_for_each(|item| line(text(&item["id"])))?;
    } else {
        let mut table = Table::new(&["ID", "RESULT", "DETAIL"]);
        for item in &items {
            let result = if item["ok"] == true { text(&item["state"]) } else { text(&item["code"]) };
            table.row([text(&item["id"]), result, text(&item["detail"])]);
        }
        context.out.table(&table)?;
        let (done, refused) = (text(&answer["done"]), text(&answer["refused"]));
        context.out.note(format!("done with {done}, refused for {refused}"));
        if answer["more"] == true {
            context.out.note("there are more: run it again");
        }
    }
    if items.is_empty() || answer["done"].as_u64() != Some(0) {
        return Ok(());
    }
    Err(Failure::Failed("it could be done with none of them".to_owned()))
}
