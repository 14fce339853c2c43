//! Following a job to its end: a live display on a terminal, one line per change elsewhere.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::client::{Answer, Client};
use super::failure::{Failure, Result};
use super::humane;
use super::output::{Out, printable};
use crate::clock::Ms;

const POLL: Duration = Duration::from_millis(250);
/// How often in a row the control plane may fail to answer: some minutes, enough for a restart or an upgrade.
const SILENT_POLLS_MAX: u32 = 120;
const SILENT_PAUSE: Duration = Duration::from_secs(1);

/// What a job's end means for the command that waits for it.
pub fn outcome(job: &Value) -> Result<()> {
    let id = job["id"].as_str().unwrap_or_default();
    let kind = job["kind"].as_str().unwrap_or("job");
    let cause = job["error"]["detail"].as_str().unwrap_or("no cause was given");
    match job["state"].as_str().unwrap_or_default() {
        "succeeded" => Ok(()),
        "cancelled" => Err(Failure::Failed(format!("the {kind} job {id} was cancelled; what it had done is undone"))),
        "stuck" => Err(Failure::Failed(format!(
            "the {kind} job {id} is stuck, its undo cannot finish: {cause}\nhint: put that right, then `mpanel job retry {id}`"
        ))),
        _ => Err(Failure::Failed(format!(
            "the {kind} job {id} failed: {cause}\nhint: `mpanel job log {id}` has all it said"
        ))),
    }
}

/// Follows a job to its end and gives its last document.
pub async fn job_wait(client: &Client, out: Out, id: &str, timeout: Duration) -> Result<Value> {
    let mut progress = Progress::new(out);
    let job = tokio::select! {
        job = tokio::time::timeout(timeout, follow(client, id, &mut progress)) => job,
        _ = tokio::signal::ctrl_c() => {
            progress.clear();
            return Err(still_running(id, "you stopped waiting"));
        }
    };
    progress.clear();
    job.unwrap_or_else(|_| Err(still_running(id, &format!("it has not ended within {}", humane::span(timeout)))))
}

fn still_running(id: &str, why: &str) -> Failure {
    Failure::StillRunning(format!(
        "{why}, but the job goes on: `mpanel job watch {id}` follows it, `mpanel job cancel {id}` ends it"
    ))
}

async fn follow(client: &Client, id: &str, progress: &mut Progress) -> Result<Value> {
    loop {
        let job = patiently(client, &["provisioning", "jobs", id], progress).await?.body;
        progress.show(&job);
        if is_over(&job) {
            return Ok(job);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Whether a job goes no further by itself.
#[must_use]
pub fn is_over(job: &Value) -> bool {
    matches!(job["state"].as_str(), Some("succeeded" | "failed" | "cancelled" | "stuck"))
}

/// Reads, and keeps at it while the control plane restarts.
async fn patiently(client: &Client, path: &[&str], progress: &mut Progress) -> Result<Answer> {
    let mut silent = 0;
    loop {
        match client.get(path, &[]).await {
            Ok(answer) => return Ok(answer),
            Err(failure) if failure.exit_code() == super::failure::exit::UNAVAILABLE && silent < SILENT_POLLS_MAX => {
                if silent == 0 {
                    progress.line("the control plane does not answer; still trying, the job goes on without it");
                }
                silent += 1;
                tokio::time::sleep(SILENT_PAUSE).await;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Reads a document, and keeps at it while the control plane restarts.
pub async fn patiently_get(client: &Client, out: Out, path: &[&str]) -> Result<Value> {
    Ok(patiently(client, path, &mut Progress::new(out)).await?.body)
}

/// Waits until a server's agent holds a session.
pub async fn server_online(client: &Client, out: Out, name: &str, timeout: Duration) -> Result<Value> {
    let mut progress = Progress::new(out);
    progress.message(&format!("waiting for the agent of {name}"));
    let wait = async {
        loop {
            let server = patiently(client, &["platform", "servers", name], &mut progress).await?.body;
            // Without an inventory nothing can be placed on it yet.
            if server["connection"]["state"] == "online" && !server["host"]["inventory_at"].is_null() {
                return Ok(server);
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let waited = tokio::select! {
        waited = tokio::time::timeout(timeout, wait) => waited,
        _ = tokio::signal::ctrl_c() => Ok(Err(Failure::StillRunning(format!("you stopped waiting for the agent of {name}")))),
    };
    progress.clear();
    waited.unwrap_or_else(|_| {
        let limit = humane::span(timeout);
        Err(Failure::StillRunning(format!(
            "the agent of {name} has not come within {limit}: run the command above on the host; `mpanel server token {name}` makes a new one"
        )))
    })
}

/// Shows a job's changes as they come.
struct Progress {
    out: Out,
    bar: Option<ProgressBar>,
    /// What was said of each step, so that nothing is said twice.
    said: HashMap<String, String>,
}

impl Progress {
    fn new(out: Out) -> Self {
        let bar = (out.shows_progress() && out.live).then(|| {
            let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner:.cyan} {bar:28.cyan/dim} {pos:>3}% {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { out, bar, said: HashMap::new() }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn message(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(printable(text)),
            None => self.changed("", text),
        }
    }

    fn line(&self, text: &str) {
        if !self.out.shows_progress() {
            return;
        }
        match &self.bar {
            Some(bar) => bar.println(printable(text)),
            None => self.out.note(printable(text)),
        }
    }

    /// Says something about a subject, unless just that was said of it last.
    fn changed(&mut self, subject: &str, text: &str) {
        if self.said.get(subject).is_none_or(|said| said != text) {
            self.said.insert(subject.to_owned(), text.to_owned());
            self.line(text);
        }
    }

    fn show(&mut self, job: &Value) {
        for (index, step) in job["steps"].as_array().into_iter().flatten().enumerate() {
            if let Some(text) = step_text(step) {
                // By place and not by name: what a step is called may repeat, its place does not.
                self.changed(&index.to_string(), &text);
            }
        }
        match job["waits_for"]["detail"].as_str() {
            Some(detail) => self.changed("waits", &format!("waits: {detail}")),
            None => drop(self.said.remove("waits")),
        }
        if let Some(bar) = &self.bar {
            bar.set_position(job["progress"].as_u64().unwrap_or(0));
            bar.set_message(printable(&now_text(job)));
        }
    }
}

fn now_text(job: &Value) -> String {
    let kind = job["kind"].as_str().unwrap_or("job");
    let state = job["state"].as_str().unwrap_or_default();
    match (job["step"].as_str(), job["attempt"].as_u64()) {
        (Some(step), Some(attempt)) if attempt > 1 => format!("{kind}: {state}, {step} (try {attempt})"),
        (Some(step), _) => format!("{kind}: {state}, {step}"),
        (None, _) => format!("{kind}: {state}"),
    }
}

/// What is to be said of a step now; `None`: nothing, its turn has not come.
fn step_text(step: &Value) -> Option<String> {
    let name = step["name"].as_str()?;
    let state = step["state"].as_str()?;
    let detail = step["detail"].as_str().unwrap_or_default();
    let sign = match state {
        "done" => "✓",
        "failed" => "✗",
        "undoing" => "↶",
        "undone" => "↺",
        "running" => "…",
        _ => return None,
    };
    let attempt = step["attempt"].as_u64().filter(|attempt| *attempt > 1 && state != "done");
    let attempt = attempt.map_or_else(String::new, |attempt| format!(" (try {attempt})"));
    let took = step_took(step).filter(|_| state == "done").map_or_else(String::new, |took| format!(" ({took})"));
    let text = format!("{sign} {name:<14} {state}{attempt} {detail}");
    Some(format!("{}{took}", text.trim_end()))
}

/// How long a step took, when it is over.
#[must_use]
pub fn step_took(step: &Value) -> Option<String> {
    let at = |name: &str| step[name].as_str().and_then(Ms::from_rfc3339);
    Some(humane::span(at("finished_at")?.since(at("started_at")?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_step_is_told_when_its_turn_has_come() {
        let step = |state: &str, attempt: u64| {
            json!({ "name": "clone", "state": state, "attempt": attempt, "detail": "VM 10000",
                    "started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:01.5Z" })
        };
        assert_eq!(step_text(&step("pending", 0)), None);
        assert_eq!(step_text(&step("done", 1)).unwrap(), "✓ clone          done VM 10000 (1.5 s)");
        assert_eq!(step_text(&step("running", 2)).unwrap(), "… clone          running (try 2) VM 10000");
    }

    #[test]
    fn the_end_of_a_job_is_the_command_s() {
        assert!(outcome(&json!({ "state": "succeeded" })).is_ok());
        for state in ["failed", "cancelled", "stuck"] {
            let job =
                json!({ "id": "j-1", "state": state, "kind": "provision", "error": { "detail": "No space left" } });
            let failure = outcome(&job).unwrap_err();
            assert_eq!(failure.exit_code(), super::super::failure::exit::FAILED);
            assert!(failure.text().contains("j-1"), "{}", failure.text());
        }
    }
}
