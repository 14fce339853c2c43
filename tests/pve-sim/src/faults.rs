//! Faults that tests inject, gates that hold tasks, and the record of calls.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Calls that are remembered.
const CALLS_MAX: usize = 100_000;

/// What happens to a matching request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Answer this status and reason without doing anything; 595 and 599 have no body.
    Status {
        /// The status code.
        status: u16,
        /// The reason phrase.
        reason: String,
    },
    /// Answer a page of HTML, as a proxy in between does.
    Html {
        /// The status code.
        status: u16,
    },
    /// Do nothing and never answer.
    Hang,
    /// Do nothing and close the connection.
    Close,
    /// Do it, and close the connection without an answer.
    LoseAnswer,
    /// Do it, and close in the middle of the answer's body.
    CloseMidBody,
    /// Wait, then do it and answer.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Keep it until [`Faults::release`] is called, then do it and answer.
    Hold,
    /// Do it, and add fields to the answer that nobody knows.
    UnknownFields,
    /// Do it, and show every number of the answer as a string.
    NumbersAsStrings,
    /// Answer 200 with text that is no JSON.
    Garbage,
}

/// A rule for requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// `GET`, `POST`, …; any when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// Path below `/api2/json`; `*` stands for any text, as in `/nodes/*/qemu/*/clone`.
    pub path: String,
    /// How many matching requests pass before it begins.
    #[serde(default)]
    pub skip: u32,
    /// How many requests it hits; all when absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// What it does.
    pub action: Action,
}

/// What happens to a matching task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum TaskAction {
    /// It fails half-way, cleans up as such a task does, and ends with this status. A backup and a migration, whose own status
    /// only says that there were errors, say it in their log.
    Fail {
        /// The exit status.
        exit: String,
        /// Log lines before the last.
        #[serde(default)]
        log: Vec<String>,
    },
    /// Its worker is killed half-way: `unexpected status`, and what it held stays locked.
    Kill,
    /// Its worker is killed before it can do more than claim what it makes: a clone leaves a configuration with its lock alone.
    KillEarly,
    /// It does its work, but its record is gone.
    Vanish,
    /// It ends well with this many warnings.
    Warnings {
        /// How many.
        count: u32,
    },
    /// It takes this long.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// It stops half-way until [`Faults::release`] is called.
    Hold,
}

/// A rule for tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFault {
    /// Task type such as `qmclone`; `*` stands for any text.
    pub kind: String,
    /// The id in the UPID (for a clone that is the **source**); any when absent.
    #[serde(default)]
    pub id: Option<String>,
    /// How many matching tasks pass before it begins.
    #[serde(default)]
    pub skip: u32,
    /// How many tasks it hits; all when absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// What it does.
    pub action: TaskAction,
}

/// One request that was answered, or was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// The method.
    pub method: String,
    /// The path below `/api2/json`.
    pub path: String,
    /// The status that was answered; 0 when none was.
    pub status: u16,
}

struct Counted<T> {
    rule: T,
    seen: u32,
    hits: u32,
}

#[derive(Default)]
struct Rules {
    /// The second is the node that answers; any when there is none.
    requests: Vec<Counted<(Fault, Option<String>)>>,
    tasks: Vec<Counted<TaskFault>>,
    calls: VecDeque<Call>,
}

/// Everything that is injected into one server.
pub struct Faults {
    rules: Mutex<Rules>,
    /// Grows with each release; a held task waits for more than it saw.
    released: watch::Sender<u64>,
    /// UPIDs of the tasks and method and path of the requests that are held now.
    held: watch::Sender<Vec<String>>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { rules: Mutex::default(), released: watch::Sender::new(0), held: watch::Sender::new(Vec::new()) }
    }
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults").finish_non_exhaustive()
    }
}

impl Faults {
    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a rule for requests.
    pub fn add(&self, fault: Fault) {
        self.rules().requests.push(Counted { rule: (fault, None), seen: 0, hits: 0 });
    }

    /// Adds a rule for the requests that one node of the cluster answers.
    pub fn add_at(&self, node: &str, fault: Fault) {
        self.rules().requests.push(Counted { rule: (fault, Some(node.to_owned())), seen: 0, hits: 0 });
    }

    /// Adds a rule for the next `times` requests of a method and path.
    pub fn next(&self, method: &str, path: &str, times: u32, action: Action) {
        let method = Some(method.to_owned());
        self.add(Fault { method, path: path.to_owned(), skip: 0, times: Some(times), action });
    }

    /// Adds a rule for tasks.
    pub fn add_task(&self, fault: TaskFault) {
        self.rules().tasks.push(Counted { rule: fault, seen: 0, hits: 0 });
    }

    /// Adds a rule for the next task of a type.
    pub fn next_task(&self, kind: &str, action: TaskAction) {
        self.add_task(TaskFault { kind: kind.to_owned(), id: None, skip: 0, times: Some(1), action });
    }

    /// Forgets all rules and lets go what is held.
    pub fn clear(&self) {
        {
            let mut rules = self.rules();
            rules.requests.clear();
            rules.tasks.clear();
        }
        self.release();
    }

    /// Lets every held task and request go on.
    pub fn release(&self) {
        self.released.send_modify(|count| *count += 1);
    }

    /// UPIDs of the tasks that are held half-way now, and the requests, as `POST /nodes/…`.
    pub fn held(&self) -> Vec<String> {
        self.held.borrow().clone()
    }

    /// Waits until a task of this type is held half-way; its UPID.
    pub async fn wait_held(&self, kind: &str) -> String {
        let mut held = self.held.subscribe();
        let marker = format!(":{kind}:");
        loop {
            if let Some(upid) = held.borrow_and_update().iter().find(|upid| upid.contains(&marker)) {
                return upid.clone();
            }
            // The sender lives as long as `self`, so this cannot fail.
            if held.changed().await.is_err() {
                return String::new();
            }
        }
    }

    /// Calls so far, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.rules().calls.iter().cloned().collect()
    }

    /// How often a method and path (with `*`) were called.
    pub fn count(&self, method: &str, path: &str) -> usize {
        self.rules().calls.iter().filter(|call| call.method == method && matches(path, &call.path)).count()
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        self.rules().calls.clear();
    }

    pub(crate) fn record(&self, call: Call) {
        let mut rules = self.rules();
        if rules.calls.len() >= CALLS_MAX {
            rules.calls.pop_front();
        }
        rules.calls.push_back(call);
    }

    pub(crate) fn take(&self, method: &str, path: &str, node: &str) -> Option<Action> {
        let mut rules = self.rules();
        let fits = |(fault, at): &(Fault, Option<String>)| {
            at.as_deref().is_none_or(|at| at == node)
                && fault.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && matches(&fault.path, path)
        };
        rules.requests.iter_mut().filter(|counted| fits(&counted.rule)).find_map(|counted| {
            let (skip, times) = (counted.rule.0.skip, counted.rule.0.times);
            counted.hit(skip, times).then(|| counted.rule.0.action.clone())
        })
    }

    pub(crate) fn take_task(&self, kind: &str, id: &str) -> Option<TaskAction> {
        let mut rules = self.rules();
        let fits = |fault: &TaskFault| {
            matches(&fault.kind, kind) && fault.id.as_deref().is_none_or(|wanted| matches(wanted, id))
        };
        rules.tasks.iter_mut().filter(|counted| fits(&counted.rule)).find_map(|counted| {
            let (skip, times) = (counted.rule.skip, counted.rule.times);
            counted.hit(skip, times).then(|| counted.rule.action.clone())
        })
    }

    /// Holds a task or a request until the next release.
    pub(crate) async fn hold(&self, what: &str) {
        let mut released = self.released.subscribe();
        released.mark_unchanged();
        let listed = Listed { faults: self, what };
        self.held.send_modify(|held| held.push(what.to_owned()));
        // The sender lives as long as `self`; an error would mean that there is nobody left to hold for.
        if released.changed().await.is_err() {
            tracing::debug!(what, "the gate is gone");
        }
        drop(listed);
    }
}

/// Takes what is held off the list however its wait ends.
struct Listed<'a> {
    faults: &'a Faults,
    what: &'a str,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.faults.held.send_modify(|held| held.retain(|held| held != self.what));
    }
}

impl<T> Counted<T> {
    fn hit(&mut self, skip: u32, times: Option<u32>) -> bool {
        self.seen = self.seen.saturating_add(1);
        if self.seen <= skip || times.is_some_and(|times| self.hits >= times) {
            return false;
        }
        self.hits += 1;
        true
    }
}

/// Whether `text` is `pattern`, where `*` stands for any text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(after) = text.strip_prefix(head) else { return false };
    (0..=after.len()).filter(|at| after.is_char_boundary(*at)).any(|at| matches(rest, &after[at..]))
}

#[cfg(test)]
mod tests {
    use super::{Action, Fault, Faults, matches};

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(matches("/nodes/*/qemu/*/clone", "/nodes/pve1/qemu/9000/clone"));
        assert!(matches("*", "/version"));
        assert!(!matches("/nodes/*/qemu", "/nodes/pve1/qemu/100"));
    }

    #[test]
    fn a_rule_skips_and_ends() {
        let faults = Faults::default();
        let fault = Fault { method: None, path: "*".into(), skip: 1, times: Some(2), action: Action::Hang };
        faults.add(fault);
        let hits: Vec<bool> = (0..5).map(|_| faults.take("GET", "/version", "pve1").is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
    }
}
