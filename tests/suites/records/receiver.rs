//! A receiver of webhooks: an HTTP server of its own that keeps what it is sent and answers as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use mpanel_tests::eventually;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::support::DEADLINE;

/// What was sent.
#[derive(Clone, Debug)]
pub struct Message {
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// See the module.
pub struct Receiver {
    pub url: String,
    got: Arc<Mutex<Vec<Message>>>,
    answers: Arc<Mutex<VecDeque<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?key=value", listener.local_addr().unwrap());
        let (got, answers) = (Arc::<Mutex<Vec<Message>>>::default(), Arc::<Mutex<VecDeque<String>>>::default());
        let (keep, tell) = (got.clone(), answers.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Some((message, mut stream)) = receive(stream).await {
                    keep.lock().unwrap().push(message);
                    let answer = tell.lock().unwrap().pop_front().unwrap_or_else(|| "204 No Content\r\n".to_owned());
                    let answer = format!("HTTP/1.1 {answer}Connection: close\r\nContent-Length: 5\r\n\r\nhello");
                    let answer = answer.replace(
                        "204 No Content\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
                        "204 No Content\r\nConnection: close\r\n\r\n",
                    );
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            }
        });
        Self { url, got, answers, task }
    }

    /// How the next requests are answered: `500 Internal Server Error\r\n`, with further headers.
    pub fn answer(&self, answers: &[&str]) {
        self.answers.lock().unwrap().extend(answers.iter().map(|answer| (*answer).to_owned()));
    }

    pub fn got(&self) -> Vec<Message> {
        self.got.lock().unwrap().clone()
    }

    /// Waits for so many messages.
    pub async fn wait(&self, count: usize) -> Vec<Message> {
        eventually("messages to come", DEADLINE, async || {
            let got = self.got();
            (got.len() >= count).then_some(got)
        })
        .await
    }
}

async fn receive(mut stream: TcpStream) -> Option<(Message, TcpStream)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let headers: BTreeMap<String, String> = head
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let length: usize = headers.get("content-length")?.parse().ok()?;
            if body.len() >= length {
                assert!(head.starts_with("POST /hook?key=value HTTP/1.1"), "{head}");
                return Some((Message { headers, body: body.to_owned() }, stream));
            }
        }
        let mut part = [0; 4096];
        match stream.read(&mut part).await.ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&part[..count]),
        }
    }
}
