//! Runs the program, a control plane and a scripted one.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Nothing here takes longer; past it something hangs.
const DEADLINE: Duration = Duration::from_mins(1);

/// The program, beside this test's own.
pub fn program() -> PathBuf {
    let own = std::env::current_exe().expect("this test has a path");
    let folder = own.parent().and_then(|deps| deps.parent()).expect("it is in target/…/deps");
    let program = folder.join("mpanel");
    assert!(program.exists(), "{} is missing: cargo build --workspace", program.display());
    program
}

/// The program without anything of the environment that speaks to it.
pub fn command() -> Command {
    let mut command = Command::new(program());
    command.env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// What a command came to.
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ended by itself"),
            stdout: String::from_utf8(output.stdout).expect("it writes UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("it writes UTF-8"),
        }
    }

    /// It succeeded; what it printed.
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }

    /// It succeeded and printed JSON.
    pub fn json(self) -> Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// It failed with this exit code; what it said about that.
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stderr
    }
}

/// A control plane on SQLite in a folder of its own, ended with the test.
pub struct Panel {
    pub folder: TempDir,
    pub url: String,
    child: Child,
}

impl Panel {
    pub fn start() -> Self {
        Self::start_in(TempDir::new().expect("a temporary folder"), "")
    }

    /// With its folder prepared, and with more in its section `[http]`.
    pub fn start_in(folder: TempDir, http: &str) -> Self {
        let file = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "[database]\nurl = \"sqlite://{}\"\n[http]\nlisten = \"127.0.0.1:0\"\nbootstrap_token_file = \"{}\"\n{http}\n\
             [agents]\nlisten = \"127.0.0.1:0\"\npublic_url = \"https://127.0.0.1:1\"\n[log]\nfilter = \"warn\"\n",
            file("mpanel.db"),
            file("token"),
        );
        std::fs::write(folder.path().join("mpanel.toml"), config).expect("a configuration");
        let mut child = command()
            .args(["--config", &file("mpanel.toml"), "serve"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("mPanel listens on ").map(str::to_owned))
            .expect("it says where it listens");
        // Its output is read to the end, so that it never blocks on it.
        thread::spawn(move || lines.for_each(drop));
        Self { folder, url, child }
    }

    /// A command to it, with its token.
    pub fn command(&self) -> Command {
        let mut command = command();
        command.env("MPANEL_URL", &self.url).env("MPANEL_TOKEN_FILE", self.folder.path().join("token"));
        command
    }

    /// Runs `line`, split at spaces.
    pub fn run(&self, line: &str) -> Done {
        Done::of(self.command().args(line.split(' ')).output().expect("the program runs"))
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        // Dropped by a failing test too: then there is nothing to be done about a failure here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One answer of a scripted control plane.
#[derive(Clone)]
pub enum Answer {
    /// This status and document.
    Json(u16, Value),
    /// This status, content type and text.
    Text(u16, &'static str, &'static str),
    /// A redirection to there.
    Redirect(&'static str),
    /// The request is read, and the connection closed without an answer.
    Lost,
}

/// A control plane that answers what it is told to, one answer a request, and the last one again and again.
pub struct Script {
    pub url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

/// What it was asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub line: String,
    pub headers: Vec<(String, String)>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl Script {
    pub fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut answers: VecDeque<Answer> = answers.into_iter().collect();
        let record = seen.clone();
        // Ends with the process: it waits for connections until then.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Some(request) = read_request(&stream) else { continue };
                record.lock().unwrap().push(request);
                let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
                write_answer(stream, &answer.expect("a script has an answer"));
            }
        });
        Self { url, seen }
    }

    /// What it was asked so far.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// Runs `line` against it, split at spaces.
    pub fn run(&self, line: &str) -> Done {
        let mut command = command();
        command.env("MPANEL_URL", &self.url).env("MPANEL_TOKEN", "a-token").args(line.split(' '));
        Done::of(command.output().expect("the program runs"))
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    stream.set_read_timeout(Some(DEADLINE)).ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((key, value)) = header.trim().split_once(": ") else { break };
        headers.push((key.to_owned(), value.to_owned()));
    }
    let request = Request { line: line.trim().to_owned(), headers };
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if request.line.is_empty() { None } else { Some(request) }
}

fn write_answer(mut stream: TcpStream, answer: &Answer) {
    let (status, header, body) = match answer {
        Answer::Json(status, body) => (*status, "content-type: application/json".to_owned(), body.to_string()),
        Answer::Text(status, kind, body) => (*status, format!("content-type: {kind}"), (*body).to_owned()),
        Answer::Redirect(to) => (307, format!("location: {to}"), String::new()),
        Answer::Lost => return,
    };
    let length = body.len();
    // A client that went away is its own affair; the test looks at what it said.
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\n{header}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
}

/// Waits until `condition` holds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE, "{what} did not come to be within {DEADLINE:?}");
        thread::yield_now();
    }
}
