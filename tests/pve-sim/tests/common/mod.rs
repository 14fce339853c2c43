//! A bare HTTPS client that hides nothing: reason phrases, missing lengths, repeated headers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines, reason = "tests")]
#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::sync::Arc;
use std::time::Duration;

use pve_sim::{NodeView, Sim, SimBuilder};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// How long anything is waited for.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A VM template whose sizes are those of the recorded one.
pub const TINY_BYTES: u64 = 28_254_208;

pub fn builder() -> SimBuilder {
    Sim::builder()
        .template(9000, "tiny-template", TINY_BYTES, "local")
        .storage("local", 250 << 30)
        .storage("tiny", 64 << 20)
        .bridge("vmbr0")
}

pub async fn sim() -> Sim {
    builder().start().await.unwrap()
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub reason: String,
    pub version: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        let ours = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        ours.map(|(_, value)| value.as_str()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|err| panic!("{err}: {}", self.text()))
    }

    pub fn data(&self) -> Value {
        assert_eq!(self.status, 200, "{} {}", self.reason, self.text());
        self.json()["data"].clone()
    }

    pub fn upid(&self) -> String {
        let data = self.data();
        let upid = data.as_str().unwrap_or_else(|| panic!("no UPID: {data}"));
        assert!(upid.starts_with("UPID:pve"), "{upid}");
        upid.to_owned()
    }
}

/// One connection.
pub struct Connection {
    pub stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(sim: &Sim) -> Self {
        Self::open_at(&sim.nodes()[0]).await
    }

    pub async fn open_at(node: &NodeView) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(node.certificate_pem.as_bytes()).unwrap()).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let tcp = TcpStream::connect(node.address).await.unwrap();
        let stream = connector.connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap();
        Self { stream, buffer: Vec::new() }
    }

    pub async fn send(&mut self, text: &[u8]) {
        self.stream.write_all(text).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next answer; `None` when the server closed instead.
    pub async fn read(&mut self) -> Option<Answer> {
        tokio::time::timeout(DEADLINE, self.read_now()).await.expect("an answer in time")
    }

    async fn fill(&mut self) -> bool {
        self.stream.read_buf(&mut self.buffer).await.is_ok_and(|read| read > 0)
    }

    /// The head of the next answer, and what came behind it: for what goes on as something else.
    pub async fn read_head(&mut self) -> (Answer, Vec<u8>) {
        let head = tokio::time::timeout(DEADLINE, self.read_head_now()).await.expect("a head in time");
        (head.expect("a head"), std::mem::take(&mut self.buffer))
    }

    async fn read_head_now(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if !self.fill().await {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap().splitn(3, ' ');
        let version = first.next().unwrap().to_owned();
        let status = first.next().unwrap().parse().unwrap();
        let reason = first.next().unwrap_or_default().to_owned();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Some(Answer { status, reason, version, headers, body: Vec::new() })
    }

    async fn read_now(&mut self) -> Option<Answer> {
        let mut answer = self.read_head_now().await?;
        let length = answer.header("Content-Length").map(|text| text.parse::<usize>().unwrap());
        while length.is_none_or(|length| self.buffer.len() < length) {
            if !self.fill().await {
                break;
            }
        }
        let take = length.unwrap_or(usize::MAX).min(self.buffer.len());
        answer.body = self.buffer.drain(..take).collect();
        Some(answer)
    }

    /// Whether the server closes the connection before the deadline.
    pub async fn is_closed(&mut self) -> bool {
        !tokio::time::timeout(DEADLINE, self.fill()).await.expect("closed in time")
    }
}

pub async fn raw(sim: &Sim, text: &str) -> Answer {
    raw_at(&sim.nodes()[0], text).await
}

pub async fn raw_at(node: &NodeView, text: &str) -> Answer {
    let mut conn = Connection::open_at(node).await;
    conn.send(text.as_bytes()).await;
    conn.read().await.expect("an answer")
}

/// One caller of the API.
pub struct Client<'a> {
    pub sim: &'a Sim,
    pub auth: String,
    /// The node that is asked.
    pub via: NodeView,
}

pub fn root(sim: &Sim) -> Client<'_> {
    with_token(sim, &sim.token())
}

/// Root by token, asking this node.
pub fn root_at<'a>(sim: &'a Sim, node: &str) -> Client<'a> {
    Client { via: sim.at(node).unwrap(), ..root(sim) }
}

pub fn with_token<'a>(sim: &'a Sim, token: &str) -> Client<'a> {
    with_auth(sim, format!("Authorization: PVEAPIToken={token}\r\n"))
}

pub fn with_auth(sim: &Sim, auth: String) -> Client<'_> {
    Client { sim, auth, via: sim.nodes().remove(0) }
}

/// Root by ticket: the only one who is root.
pub async fn ticket(sim: &Sim) -> Client<'_> {
    let body = "username=root%40pam&password=simulated";
    let text =
        format!("POST /api2/json/access/ticket HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let data = raw(sim, &text).await.data();
    let (ticket, csrf) = (data["ticket"].as_str().unwrap(), data["CSRFPreventionToken"].as_str().unwrap());
    with_auth(sim, format!("Cookie: PVEAuthCookie={ticket}\r\nCSRFPreventionToken: {csrf}\r\n"))
}

impl Client<'_> {
    pub async fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        let kind = if body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
        let head = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len())
        };
        let text = format!("{method} /api2/json{path} HTTP/1.1\r\nHost: x\r\n{}{head}\r\n{body}", self.auth);
        raw_at(&self.via, &text).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "").await
    }

    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.call("POST", path, body).await
    }

    pub async fn put(&self, path: &str, body: &str) -> Answer {
        self.call("PUT", path, body).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, "").await
    }

    /// Waits for the end of a task: its exit status and its log.
    pub async fn finish(&self, upid: &str) -> (String, Vec<String>) {
        let path = format!("/nodes/{}/tasks/{upid}", upid.split(':').nth(1).unwrap());
        let waited = tokio::time::timeout(DEADLINE, async {
            loop {
                let status = self.get(&format!("{path}/status")).await.data();
                if status["status"] == "stopped" {
                    return status["exitstatus"].as_str().unwrap().to_owned();
                }
                assert!(status.get("exitstatus").is_none(), "a running task has no exit status");
                tokio::task::yield_now().await;
            }
        });
        let exit = waited.await.unwrap_or_else(|_| panic!("{upid} does not end"));
        let log = self.get(&format!("{path}/log?limit=0")).await.data();
        let lines = log.as_array().unwrap().iter().map(|line| line["t"].as_str().unwrap().to_owned()).collect();
        (exit, lines)
    }

    /// Runs a task to its good end; its log.
    pub async fn done(&self, answer: Answer) -> Vec<String> {
        let (exit, log) = self.finish(&answer.upid()).await;
        assert_eq!(exit, "OK", "{log:?}");
        assert_eq!(log.last().map(String::as_str), Some("TASK OK"));
        log
    }

    /// Runs a task to its bad end, and checks that the log says so too.
    pub async fn failed(&self, answer: Answer) -> String {
        let (exit, log) = self.finish(&answer.upid()).await;
        assert_eq!(log.last(), Some(&format!("TASK ERROR: {exit}")));
        exit
    }

    pub async fn clone_vm(&self, vmid: u32, more: &str) {
        let answer = self.post("/nodes/pve1/qemu/9000/clone", &format!("newid={vmid}{more}")).await;
        self.done(answer).await;
    }

    pub async fn start_vm(&self, vmid: u32) {
        let answer = self.post(&format!("/nodes/pve1/qemu/{vmid}/status/start"), "").await;
        self.done(answer).await;
    }
}

/// Waits until `ready` says so.
pub async fn until(what: &str, mut ready: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(DEADLINE, async {
        while !ready().await {
            tokio::task::yield_now().await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("in vain: {what}"));
}
