//! What several commands share.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::client::Client;
use super::failure::{Failure, Result};
use super::output::{Out, document, line};
use super::{humane, wait};

/// What every command is given.
pub struct Context {
    /// The API.
    pub client: Client,
    /// Where to write.
    pub out: Out,
}

/// Whether to wait for the end of what was started.
#[derive(Args, Clone, Debug)]
pub struct Wait {
    /// Wait until it has ended, and show how it goes
    #[arg(long)]
    pub wait: bool,
    /// Wait no longer than this; the work goes on
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = humane::parse_duration)]
    pub timeout: Duration,
}

/// Whether something is to be destroyed without a question.
#[derive(Args, Clone, Copy, Debug)]
pub struct Confirm {
    /// Do not ask; required where nobody can be asked
    #[arg(long, short = 'y')]
    pub yes: bool,
}

/// How much of a list.
#[derive(Args, Clone, Copy, Debug)]
pub struct Limit {
    /// The most to show; pages are followed until then
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
}

impl Confirm {
    /// Asks, unless told not to.
    pub fn ask(self, question: &str) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Failure::usage(format!("{question} Nobody can be asked here: add --yes")));
        }
        let mut err = io::stderr().lock();
        write!(err, "{} [y/N] ", super::output::printable(question))?;
        err.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::usage("not confirmed; nothing was done")),
        }
    }
}

impl Context {
    /// Shows a list: the API's shape for scripts, names for the quiet, a table for people.
    pub fn list(&self, page: &Value, name: &str, table: impl FnOnce(&[Value]) -> super::table::Table) -> Result<()> {
        let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        if self.out.json {
            return document(page);
        }
        if self.out.quiet {
            return items.iter().try_for_each(|item| line(text(&item[name])));
        }
        self.out.table(&table(items))?;
        if items.is_empty() {
            self.out.note("there are none");
        }
        if page["next_page_token"].is_string() {
            self.out.note("there are more: raise --limit");
        }
        Ok(())
    }

    /// Shows a job that was just made and, if asked to, follows it to its end. `about` is said to people at the beginning.
    pub async fn job(&self, answer: &Value, wait: &Wait, about: &str) -> Result<()> {
        let job = if answer["job"].is_object() { &answer["job"] } else { answer };
        let id = job["id"].as_str().unwrap_or_default().to_owned();
        if !wait.wait {
            return match (self.out.json, self.out.quiet) {
                (true, _) => document(answer),
                (_, true) => line(&id),
                _ => line(format!("{about}: job {id}\nfollow it with: mpanel job watch {id}")),
            };
        }
        self.out.note(format!("{about}: job {id}"));
        self.job_follow(&id, wait.timeout).await
    }

    /// Follows a job to its end; its last document is the result.
    pub async fn job_follow(&self, id: &str, timeout: Duration) -> Result<()> {
        let job = wait::job_wait(&self.client, self.out, id, timeout).await?;
        if self.out.json {
            document(&job)?;
        }
        wait::outcome(&job)?;
        if !self.out.json && !self.out.quiet {
            let took = wait::step_took(&job).map_or_else(String::new, |took| format!(" in {took}"));
            line(format!("{} succeeded{took}", text(&job["kind"])))?;
        }
        Ok(())
    }

    /// A list of the platform's, or what is offered where the caller is none of its staff.
    pub async fn list_or_offered(&self, path: &[&str], offered: &[&str], limit: usize) -> Result<Value> {
        match self.client.list(path, &[], limit).await {
            Err(Failure::Problem(problem)) if problem.status == 403 => self.client.list(offered, &[], limit).await,
            page => page,
        }
    }

    /// What is offered under this name or id.
    pub async fn offered(&self, path: &[&str], noun: &str, given: &str) -> Result<Value> {
        let mut page = self.client.list(path, &[], usize::MAX).await?;
        let mut items = page["items"].as_array_mut().into_iter().flatten();
        let found = items.find(|item| item["name"] == given || item["id"] == given);
        found.map(Value::take).ok_or_else(|| Failure::not_found(noun, given))
    }

    /// The id of what is called so in a list that finds by name; an id stands for itself.
    pub async fn id_of(&self, path: &[&str], noun: &str, given: &str, filter: &str) -> Result<String> {
        if given.parse::<Uuid>().is_ok() {
            return Ok(given.to_owned());
        }
        let page = self.client.list(path, &[(filter, given.to_owned())], usize::MAX).await?;
        let ids = page["items"].as_array().into_iter().flatten().filter(|item| item["name"] == given);
        only(noun, given, ids.map(|item| text(&item["id"])))
    }
}

/// The only id among those of what is called so.
pub fn only(noun: &str, given: &str, ids: impl Iterator<Item = String>) -> Result<String> {
    let ids: BTreeSet<String> = ids.collect();
    match (ids.first(), ids.len()) {
        (Some(id), 1) => Ok(id.clone()),
        (Some(_), _) => {
            let ids = ids.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            Err(Failure::usage(format!("more than one {noun} is called {given}; name it by its id: {ids}")))
        }
        (None, _) => Err(Failure::not_found(noun, given)),
    }
}

/// A value as people read it; empty for null.
#[must_use]
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(map) if map.contains_key("name") => text(&map["name"]),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(map) => map.iter().map(|(k, v)| format!("{k}={}", text(v))).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// An object without the values that nobody gave, so that the API's defaults hold.
#[must_use]
pub fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let given = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(given.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

/// Reads an id, so that something else is not looked up as one.
pub fn parse_id(text: &str) -> Result<String, String> {
    match text.parse::<Uuid>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("an id looks like 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01; `list` shows them".to_owned()),
    }
}

/// Reads `key=value`.
pub fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is no label: write key=value")),
    }
}

/// Labels as an object; null where none was given.
#[must_use]
pub fn labels(labels: &[(String, String)]) -> Value {
    if labels.is_empty() {
        return Value::Null;
    }
    labels.iter().map(|(key, value)| (key.clone(), Value::from(value.clone()))).collect()
}

/// A list of texts; null where none was given.
#[must_use]
pub fn texts(texts: &[String]) -> Value {
    if texts.is_empty() { Value::Null } else { texts.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_nobody_gave_is_left_to_the_api() {
        let body = object([("name", "pve1".into()), ("region", Value::Null), ("labels", labels(&[]))]);
        assert_eq!(body, json!({ "name": "pve1" }));
    }

    #[test]
    fn a_label_is_a_key_and_a_value() {
        assert_eq!(parse_label("disk=nvme").unwrap(), ("disk".to_owned(), "nvme".to_owned()));
        assert_eq!(parse_label("a=b=c").unwrap().1, "b=c");
        assert!(parse_label("disk").is_err());
        assert!(parse_label("=nvme").is_err());
    }
}
