//! Progress of one command: gathered as it comes, told at most twice a second and at least every ten.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use proto::agent::v1::{AgentMessage, CommandProgress, agent_message::Body};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::proxmox::Progress;

/// Not more often than this.
const INTERVAL_MIN: Duration = Duration::from_millis(500);
/// Not less often than this.
const INTERVAL_MAX: Duration = Duration::from_secs(10);
/// Lines that wait to be told; older ones are dropped first. The result carries the log's tail anyway.
const LINES_MAX: usize = 200;
/// A line is cut here.
pub(super) const LINE_CHARS_MAX: usize = 400;

/// The way to the control plane, when there is a session. What does not fit at the moment is not sent: whoever uses it has something
/// newer to send later.
#[derive(Default)]
pub struct Uplink(Mutex<Option<mpsc::Sender<AgentMessage>>>);

impl Uplink {
    /// Connects or, with `None`, disconnects it.
    pub fn set(&self, sender: Option<mpsc::Sender<AgentMessage>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = sender;
    }

    fn permit(&self) -> Option<mpsc::OwnedPermit<AgentMessage>> {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        sender.try_reserve_owned().ok()
    }
}

/// Gathers and tells one command's progress.
pub(super) struct Reporter {
    command_id: String,
    news: Mutex<News>,
}

struct News {
    percent: u8,
    upid: String,
    lines: VecDeque<String>,
    is_new: bool,
    is_silent: bool,
    told: Instant,
}

impl Reporter {
    pub(super) fn new(command_id: String) -> Self {
        let news = News {
            percent: 0,
            upid: String::new(),
            lines: VecDeque::new(),
            is_new: false,
            is_silent: false,
            told: Instant::now(),
        };
        Self { command_id, news: Mutex::new(news) }
    }

    fn news(&self) -> std::sync::MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, progress: Progress) {
        let mut news = self.news();
        news.percent = news.percent.max(progress.percent.unwrap_or(0).min(100));
        news.lines.extend(progress.log.into_iter().map(|line| cut(&line)));
        let surplus = news.lines.len().saturating_sub(LINES_MAX);
        news.lines.drain(..surplus);
        news.is_new = true;
    }

    pub(super) fn task(&self, upid: &str) {
        let mut news = self.news();
        upid.clone_into(&mut news.upid);
        news.is_new = true;
    }

    /// While a command only waits for the control plane there is nothing to tell it.
    pub(super) fn silent(&self, is_silent: bool) {
        self.news().is_silent = is_silent;
    }

    /// Tells until dropped.
    pub(super) async fn run(&self, uplink: &Uplink, epoch: impl Fn() -> Option<u64>) -> Infallible {
        loop {
            tokio::time::sleep(INTERVAL_MIN).await;
            self.tell(uplink, &epoch);
        }
    }

    fn tell(&self, uplink: &Uplink, epoch: &impl Fn() -> Option<u64>) {
        let is_due = {
            let news = self.news();
            !news.is_silent && (news.is_new || news.told.elapsed() >= INTERVAL_MAX)
        };
        if !is_due {
            return;
        }
        let (Some(permit), Some(epoch)) = (uplink.permit(), epoch()) else { return };
        let mut news = self.news();
        let progress = CommandProgress {
            command_id: self.command_id.clone(),
            epoch,
            percent: u32::from(news.percent),
            log: news.lines.drain(..).collect(),
            upid: news.upid.clone(),
        };
        news.is_new = false;
        news.told = Instant::now();
        drop(news);
        permit.send(AgentMessage { body: Some(Body::Progress(progress)) });
    }
}

/// Cuts a line that is too long.
pub(super) fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(percent: Option<u8>, line: &str) -> Progress {
        Progress { percent, log: vec![line.to_owned()] }
    }

    #[tokio::test(start_paused = true)]
    async fn news_are_bundled_kept_while_there_is_no_session_and_repeated_when_silent() {
        let (uplink, reporter) = (Uplink::default(), Reporter::new("c".to_owned()));
        reporter.add(progress(Some(10), "a"));
        reporter.tell(&uplink, &|| Some(1));
        let (sender, mut inbox) = mpsc::channel(1);
        uplink.set(Some(sender));
        reporter.add(progress(None, "b"));
        reporter.tell(&uplink, &|| Some(2));
        let Some(Body::Progress(told)) = inbox.try_recv().unwrap().body else { panic!("not progress") };
        assert_eq!((told.epoch, told.percent, told.log), (2, 10, vec!["a".to_owned(), "b".to_owned()]));

        reporter.tell(&uplink, &|| Some(2));
        assert!(inbox.try_recv().is_err(), "nothing new was told");
        tokio::time::advance(INTERVAL_MAX).await;
        reporter.tell(&uplink, &|| Some(2));
        assert!(inbox.try_recv().is_ok(), "a sign of life every ten seconds");
        tokio::time::advance(INTERVAL_MAX).await;
        reporter.silent(true);
        reporter.tell(&uplink, &|| Some(2));
        assert!(inbox.try_recv().is_err());
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        assert_eq!(cut("kurz"), "kurz");
        assert_eq!(cut(&"ä".repeat(LINE_CHARS_MAX + 1)).chars().count(), LINE_CHARS_MAX + 1);
    }
}
