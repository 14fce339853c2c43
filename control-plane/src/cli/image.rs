//! `mpanel image`: what pods are made from. An image is a template VM on each server.

use clap::{ArgGroup, Args, Subcommand};
use serde_json::Value;

use super::common::{Confirm, Context, Limit, Wait, object, only, parse_id, text};
use super::failure::{Failure, Result};
use super::humane::{gib, parse_gib, when};
use super::output::{document, line};
use super::table::Table;
use crate::clock::Clock;

const IMAGES: [&str; 2] = ["platform", "images"];
/// What a tenant's people choose from.
const OFFERED: [&str; 3] = ["admin", "hosting", "images"];

/// What pods are made from.
#[derive(Subcommand)]
pub enum Command {
    /// Make an image: name the template VM that it is on the servers
    #[command(
        after_help = "Example:\n  mpanel image add debian-12 --os debian --user debian --template-vmid 9000 --template pve2=9100"
    )]
    Add(Add),
    /// List images
    #[command(after_help = "Example:\n  mpanel image list")]
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Show an image
    #[command(after_help = "Example:\n  mpanel image show debian-12")]
    Show {
        /// Name or id
        image: String,
    },
    /// Make an image of a pod, for its tenant alone
    #[command(after_help = "Example:\n  mpanel image capture web-1 golden --wait")]
    Capture {
        /// The pod: name or id
        pod: String,
        /// The image's name
        name: String,
        /// The operating system [default: as of the image that the pod was made of]
        #[arg(long)]
        os: Option<String>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Remove an image that was made of a pod, with its template
    #[command(after_help = "Example:\n  mpanel image destroy golden --yes --wait")]
    Destroy {
        /// Name or id
        image: String,
        #[command(flatten)]
        confirm: Confirm,
        #[command(flatten)]
        wait: Wait,
    },
    /// Remove an image that no pod was made from
    #[command(after_help = "Example:\n  mpanel image remove debian-12 --yes")]
    Remove {
        /// Name or id
        image: String,
        #[command(flatten)]
        confirm: Confirm,
    },
}

/// An image to be made.
#[derive(Args)]
#[command(group = ArgGroup::new("where").required(true).multiple(true).args(["template_vmid", "template_name", "templates"]))]
pub struct Add {
    /// Its name
    name: String,
    /// The operating system, such as debian
    #[arg(long, default_value = "linux")]
    os: String,
    /// The user that cloud-init makes
    #[arg(long, default_value = "root")]
    user: String,
    /// The smallest disk that it fits on; a bare number is GiB
    #[arg(long, value_name = "SIZE", value_parser = parse_gib)]
    min_disk: Option<u64>,
    /// The template's VMID on servers that --template does not name
    #[arg(long, value_name = "VMID", conflicts_with = "template_name")]
    template_vmid: Option<u32>,
    /// The template's name on servers that --template does not name
    #[arg(long, value_name = "NAME")]
    template_name: Option<String>,
    /// The template on one server: its VMID or name; may be repeated
    #[arg(long = "template", value_name = "SERVER=VMID|NAME", value_parser = parse_template)]
    templates: Vec<(String, String)>,
}

fn parse_template(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((server, template)) if !server.is_empty() && !template.is_empty() => {
            Ok((server.to_owned(), template.to_owned()))
        }
        _ => Err(format!("`{text}` is not SERVER=VMID or SERVER=NAME: write pve2=9100")),
    }
}

impl Add {
    fn body(&self) -> Value {
        let templates = self.templates.iter().map(|(server, template)| {
            let vmid = template.parse::<u32>().ok();
            let name = if vmid.is_none() { Some(template.clone()) } else { None };
            object([("server", server.clone().into()), ("template_vmid", vmid.into()), ("template_name", name.into())])
        });
        let templates: Vec<Value> = templates.collect();
        object([
            ("name", self.name.clone().into()),
            ("os", self.os.clone().into()),
            ("default_user", self.user.clone().into()),
            ("min_disk_gib", self.min_disk.into()),
            ("template_vmid", self.template_vmid.into()),
            ("template_name", self.template_name.clone().into()),
            ("templates", if templates.is_empty() { Value::Null } else { templates.into() }),
        ])
    }
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Add(add) => {
                let answer = context.client.post(&IMAGES, Some(&add.body())).await?;
                show(context, &answer.body)
            }
            Self::List { limit } => {
                let page = context.list_or_offered(&IMAGES, &OFFERED, limit.limit as usize).await?;
                context.list(&page, "name", list_table)
            }
            Self::Show { image } => {
                let image = match context.client.get(&path(&image), &[]).await {
                    // By its name the path finds the platform's own alone.
                    Err(Failure::Problem(problem)) if problem.status == 404 && parse_id(&image).is_err() => {
                        let id = id_of(context, &image, |_| true).await?;
                        context.client.get(&path(&id), &[]).await?.body
                    }
                    Err(Failure::Problem(problem)) if problem.status == 403 => {
                        context.offered(&OFFERED, "image", &image).await?
                    }
                    answer => answer?.body,
                };
                show(context, &image)
            }
            Self::Capture { pod, name, os, wait } => {
                let id = super::pod::id_of(context, &pod).await?;
                let body = object([("name", name.clone().into()), ("os", os.into())]);
                let answer = context.client.post(&super::pod::path(&id, &["capture"]), Some(&body)).await?;
                context.job(&answer.body, &wait, &format!("the image {name} is being made of {pod}")).await
            }
            Self::Destroy { image, confirm, wait } => {
                let id = id_of(context, &image, |item| !item["tenant_id"].is_null()).await?;
                confirm.ask(&format!("Remove the image {image} and its template?"))?;
                let answer = context.client.delete(&["admin", "hosting", "images", &id]).await?;
                context.job(&answer.body, &wait, &format!("the image {image} is being removed")).await
            }
            Self::Remove { image, confirm } => {
                confirm.ask(&format!("Remove the image {image}? The template VMs on the hosts stay."))?;
                match context.client.delete(&path(&image)).await {
                    // As above; of one that was made of a pod the answer says how it goes.
                    Err(Failure::Problem(problem)) if problem.status == 404 && parse_id(&image).is_err() => {
                        let id = id_of(context, &image, |_| true).await?;
                        context.client.delete(&path(&id)).await?
                    }
                    answer => answer?,
                };
                context.out.note(format!("the image {image} is removed"));
                Ok(())
            }
        }
    }
}

fn path(image: &str) -> Vec<&str> {
    [&IMAGES[..], &[image]].concat()
}

/// The id of the only image that is called so and `fits`; an id stands for itself.
async fn id_of(context: &Context, given: &str, fits: impl Fn(&Value) -> bool) -> Result<String> {
    if parse_id(given).is_ok() {
        return Ok(given.to_owned());
    }
    let page = context.client.list(&OFFERED, &[], usize::MAX).await?;
    let called = page["items"].as_array().into_iter().flatten().filter(|item| item["name"] == given && fits(item));
    only("image", given, called.map(|item| text(&item["id"])))
}

fn template(of: &Value) -> String {
    match (&of["template_vmid"], &of["template_name"]) {
        (Value::Null, name) => text(name),
        (vmid, _) => text(vmid),
    }
}

fn list_table(images: &[Value]) -> Table {
    let mut table = Table::new(&["NAME", "OS", "USER", "TEMPLATE", "SMALLEST DISK", "ACTIVE"]);
    for image in images {
        table.row([
            text(&image["name"]),
            text(&image["os"]),
            text(&image["default_user"]),
            template(image),
            gib(&image["min_disk_gib"]),
            if image["active"] == true { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table
}

fn show(context: &Context, image: &Value) -> Result<()> {
    if context.out.json {
        return document(image);
    }
    if context.out.quiet {
        return line(text(&image["id"]));
    }
    let mut table = Table::fields();
    table.field("Name", text(&image["name"]));
    table.field("Id", text(&image["id"]));
    table.field("OS", text(&image["os"]));
    table.field("User", text(&image["default_user"]));
    table.field("Smallest disk", gib(&image["min_disk_gib"]));
    table.field("Template", template(image));
    for of in image["templates"].as_array().into_iter().flatten() {
        let server = if of["server"].is_null() { &of["server_id"] } else { &of["server"] };
        table.field(&format!("Template on {}", text(server)), template(of));
    }
    table.field("Active", if image["active"] == true { "yes" } else { "no" });
    table.field("Created", when(&image["created_at"], Clock::system().now()));
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
    fn a_template_is_a_vmid_or_a_name() {
        let body = |line: &str| Adds::try_parse_from(line.split(' ')).map(|adds| adds.add.body());
        assert_eq!(
            body("x debian --template-vmid 9000 --template pve2=debian-tmpl --template pve3=9100").unwrap(),
            json!({
                "name": "debian", "os": "linux", "default_user": "root", "template_vmid": 9000,
                "templates": [
                    { "server": "pve2", "template_name": "debian-tmpl" },
                    { "server": "pve3", "template_vmid": 9100 },
                ],
            })
        );
        for line in ["x debian", "x debian --template-vmid 1 --template-name a", "x debian --template pve1"] {
            assert!(body(line).is_err(), "{line}");
        }
    }
}
