//! The control port: what tests in another process do through HTTP. Plain JSON on loopback, guarded by a secret.
//!
//! | request | does |
//! |---|---|
//! | `GET /state`, `/history`, `/calls`, `/held`, `/tasks` | shows |
//! | `GET /count?method=POST&path=/nodes/*/qemu/*/clone` | `{"count":n}` |
//! | `POST /faults?node=pve2` with a [`Fault`], at one node or (without `node`) at all; `POST /task-faults` with a [`TaskFault`] | adds a rule |
//! | `DELETE /faults` | forgets all rules and lets held tasks go |
//! | `POST /release` | lets held tasks go |
//! | `DELETE /calls` | forgets the calls |
//! | `POST /vm` with `{"do":"create|rename|start|stop|pause|resume|delete|lock|unlock|deaf|hearing|agent_off|agent_on","vmid":…}` | by hand |
//! | `POST /storage` with `{"storage":…,"free_bytes":…,"node":…}` | leaves so much free on the first, or that, node |
//! | `POST /node` with `{"node":…,"unreachable":true}` | cuts a node off, or brings it back |
//! | `DELETE /tasks/UPID` | forgets a task |

use serde::Deserialize;
use serde_json::{Value, json};

use crate::codec::{Raw, decode_form, decode_segment};
use crate::faults::{Fault, TaskFault};
use crate::hand::Hand;
use crate::http::{Handler, Reply, Request, Response};

pub(crate) struct Control {
    hand: Hand,
    secret: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VmCommand {
    #[serde(rename = "do")]
    action: String,
    vmid: u32,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    lock: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StorageCommand {
    storage: String,
    free_bytes: u64,
    #[serde(default)]
    node: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeCommand {
    node: String,
    unreachable: bool,
}

/// A status other than 200 and its text.
type Refusal = (u16, String);

impl Handler for Control {
    async fn handle(&self, request: Request) -> Reply {
        let wanted = format!("Bearer {}", self.secret);
        let result = if request.header("Authorization") == Some(wanted.as_str()) {
            self.run(&request)
        } else {
            Err((401, "the control port wants 'Authorization: Bearer SECRET'".to_owned()))
        };
        let (status, body) = match result {
            Ok(body) => (200, body),
            Err((status, text)) => (status, json!({ "error": text })),
        };
        let mut response = Response::json(body.to_string().into_bytes());
        response.status = status;
        if status != 200 {
            "Refused".clone_into(&mut response.reason);
        }
        Reply::Send(response)
    }
}

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|err| (400, format!("body: {err}")))
}

impl Control {
    pub(crate) fn new(hand: Hand, secret: String) -> Self {
        Self { hand, secret }
    }

    fn run(&self, request: &Request) -> Result<Value, Refusal> {
        let faults = &self.hand.app().faults;
        let done = json!({ "ok": true });
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/state") => Ok(self.hand.dump()),
            ("GET", "/history") => Ok(json!(self.hand.history())),
            ("GET", "/calls") => Ok(json!(faults.calls())),
            ("GET", "/held") => Ok(json!(faults.held())),
            ("GET", "/tasks") => Ok(json!(self.hand.tasks())),
            ("GET", "/count") => self.count(&request.query),
            ("POST", "/faults") => {
                let fault = parse::<Fault>(&request.body)?;
                match decode_form(&request.query).get("node") {
                    Some(Raw::One(node)) => faults.add_at(node, fault),
                    _ => faults.add(fault),
                }
                Ok(done)
            }
            ("POST", "/task-faults") => {
                faults.add_task(parse::<TaskFault>(&request.body)?);
                Ok(done)
            }
            ("DELETE", "/faults") => {
                faults.clear();
                Ok(done)
            }
            ("POST", "/release") => {
                faults.release();
                Ok(done)
            }
            ("DELETE", "/calls") => {
                faults.forget_calls();
                Ok(done)
            }
            ("POST", "/vm") => self.vm(&parse(&request.body)?),
            ("POST", "/storage") => {
                let command: StorageCommand = parse(&request.body)?;
                let node = command.node.as_ref().unwrap_or(&self.hand.app().config.node);
                let known = self.hand.leave_free_on(node, &command.storage, command.free_bytes);
                if known { Ok(done) } else { Err((404, format!("there is no storage '{}'", command.storage))) }
            }
            ("POST", "/node") => {
                let command: NodeCommand = parse(&request.body)?;
                let known = self.hand.unreachable(&command.node, command.unreachable);
                if known { Ok(done) } else { Err((404, format!("there is no node '{}'", command.node))) }
            }
            ("DELETE", path) if path.starts_with("/tasks/") => {
                let upid = decode_segment(&path["/tasks/".len()..]);
                if self.hand.forget_task(&upid) { Ok(done) } else { Err((404, format!("there is no task '{upid}'"))) }
            }
            (method, path) => Err((404, format!("there is no '{method} {path}' here"))),
        }
    }

    fn count(&self, query: &str) -> Result<Value, Refusal> {
        let params = decode_form(query);
        let text = |name: &str| match params.get(name) {
            Some(Raw::One(text)) => Ok(text.clone()),
            _ => Err((400, format!("'{name}' is missing"))),
        };
        Ok(json!({ "count": self.hand.app().faults.count(&text("method")?, &text("path")?) }))
    }

    fn vm(&self, command: &VmCommand) -> Result<Value, Refusal> {
        let (hand, vmid) = (&self.hand, command.vmid);
        let name = || command.name.as_deref().ok_or((400, "'name' is missing".to_owned()));
        let done = match command.action.as_str() {
            "create" => {
                let made = hand.create_vm(vmid, name()?);
                return if made { Ok(json!({ "ok": true })) } else { Err((409, format!("VM {vmid} exists"))) };
            }
            "rename" => hand.rename_vm(vmid, name()?),
            "start" => hand.start_vm(vmid),
            "stop" => hand.stop_vm(vmid),
            "pause" => hand.pause_vm(vmid, true),
            "resume" => hand.pause_vm(vmid, false),
            "delete" => hand.delete_vm(vmid),
            "lock" => hand.lock_vm(vmid, Some(command.lock.as_deref().unwrap_or("backup"))),
            "unlock" => hand.lock_vm(vmid, None),
            "deaf" => hand.ignore_shutdown(vmid, true),
            "hearing" => hand.ignore_shutdown(vmid, false),
            "agent_off" => hand.guest_agent(vmid, false),
            "agent_on" => hand.guest_agent(vmid, true),
            other => return Err((400, format!("'do': there is no '{other}'"))),
        };
        if done { Ok(json!({ "ok": true })) } else { Err((404, format!("there is no VM {vmid}, or it does not run"))) }
    }
}
