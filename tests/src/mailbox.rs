//! A real SMTP server (aiosmtpd, in a process of its own) that keeps what it is sent.

use std::process::Stdio;
use std::time::Duration;

use control_plane::config::Config;
use control_plane::domain::mail;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};

use crate::python::python;

const PATIENCE: Duration = Duration::from_mins(1);

/// The server, running. Dropped, it is killed.
pub struct Mailbox {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    mails: Mutex<mpsc::UnboundedReceiver<Value>>,
    _child: Child,
}

impl Mailbox {
    /// Starts one with these arguments (see `mailbox.py`).
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(args: &[&str]) -> Self {
        let python = tokio::task::spawn_blocking(python).await.expect("python");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mailbox.py");
        let mut command = Command::new(python);
        command.arg(script).args(args).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("python starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let first = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it starts in time");
        let port = first.expect("a line").expect("its port").parse().expect("a port");
        let (sender, mails) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mail = serde_json::from_str(&line).expect("a mail as JSON");
                if sender.send(mail).is_err() {
                    break;
                }
            }
        });
        Self { port, mails: Mutex::new(mails), _child: child }
    }

    /// Has a control plane send its mails here, in the clear.
    pub fn configure(&self, config: &mut Config) {
        config.http.public_url = Some("https://panel.example.net".to_owned());
        config.mail = mail::Config {
            host: Some("127.0.0.1".to_owned()),
            port: Some(self.port),
            tls: mail::Tls::None,
            from: Some("mPanel <mpanel@example.net>".to_owned()),
            ..mail::Config::default()
        };
    }

    /// The next mail, which has to be for this address.
    ///
    /// # Panics
    /// When none comes, or another's.
    pub async fn next(&self, to: &str) -> Value {
        let mail = tokio::time::timeout(PATIENCE, async { self.mails.lock().await.recv().await }).await;
        let mail = mail.unwrap_or_else(|_| panic!("no mail came for {to}")).expect("the server runs");
        assert_eq!(mail["to"], serde_json::json!([to]), "{mail}");
        mail
    }

    /// The secret of the link in the next mail, which has to be for this address.
    pub async fn next_secret(&self, to: &str) -> String {
        let mail = self.next(to).await;
        let text = mail["text"].as_str().expect("a text").to_owned();
        let link = text.split_whitespace().find(|word| word.starts_with("https://panel.example.net/"));
        let link = link.unwrap_or_else(|| panic!("no link: {text}"));
        link.split_once('#').expect("a secret").1.to_owned()
    }

    /// Whether nothing has come that was not asked for.
    pub async fn is_empty(&self) -> bool {
        self.mails.lock().await.is_empty()
    }
}
