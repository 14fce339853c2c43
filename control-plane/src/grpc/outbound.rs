//! What flows to an agent: the session's queue, and its last words, which overtake the queue.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{FutureExt as _, Stream};
use proto::agent::v1 as wire;
use tokio::sync::{mpsc, oneshot};
use tonic::Status;

/// How a session ends, for the agent.
#[derive(Debug, Default)]
pub(super) struct Farewell {
    pub(super) go_away: Option<wire::GoAway>,
    pub(super) status: Option<Status>,
}

/// The stream of a session's answers.
#[derive(Debug)]
pub(super) struct Outbound {
    queue: mpsc::Receiver<wire::ControlMessage>,
    farewell: oneshot::Receiver<Farewell>,
    last: Option<Farewell>,
}

impl Outbound {
    pub(super) fn new(queue: mpsc::Receiver<wire::ControlMessage>, farewell: oneshot::Receiver<Farewell>) -> Self {
        Self { queue, farewell, last: None }
    }
}

impl Stream for Outbound {
    type Item = Result<wire::ControlMessage, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.last.is_none() {
            match self.farewell.poll_unpin(context) {
                // Whoever could say farewell is gone without a word.
                Poll::Ready(said) => self.last = Some(said.unwrap_or_default()),
                Poll::Pending => return self.queue.poll_recv(context).map(|message| message.map(Ok)),
            }
        }
        let Some(last) = self.last.as_mut() else { return Poll::Ready(None) };
        if let Some(go_away) = last.go_away.take() {
            let body = wire::control_message::Body::GoAway(go_away);
            return Poll::Ready(Some(Ok(wire::ControlMessage { body: Some(body) })));
        }
        Poll::Ready(last.status.take().map(Err))
    }
}
