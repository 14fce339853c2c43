//! Whose turn it is: one command at a time per VM, in the order they came, and a bounded number at once overall.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// The queues of all VMs.
pub(super) struct Queues {
    waiting: Mutex<HashMap<u32, VecDeque<Uuid>>>,
    moved: Notify,
    places: Arc<Semaphore>,
}

/// A place in a VM's queue; given up when dropped.
pub(super) struct Ticket {
    queues: Arc<Queues>,
    vmid: u32,
    id: Uuid,
    place: Option<OwnedSemaphorePermit>,
}

impl Queues {
    pub(super) fn new(at_once: usize) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(at_once));
        Arc::new(Self { waiting: Mutex::default(), moved: Notify::new(), places })
    }

    /// Lines up at the end of the VM's queue.
    pub(super) fn join(self: &Arc<Self>, vmid: u32, id: Uuid) -> Ticket {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entry(vmid).or_default().push_back(id);
        Ticket { queues: self.clone(), vmid, id, place: None }
    }

    fn is_first(&self, vmid: u32, id: Uuid) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.get(&vmid).and_then(VecDeque::front) == Some(&id)
    }

    fn leave(&self, vmid: u32, id: Uuid) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = waiting.get_mut(&vmid) {
            queue.retain(|other| *other != id);
            if queue.is_empty() {
                waiting.remove(&vmid);
            }
        }
        drop(waiting);
        self.moved.notify_waiters();
    }
}

impl Ticket {
    /// Waits for the turn; it lasts until the ticket is dropped.
    pub(super) async fn turn(&mut self) {
        self.first().await;
        if self.place.is_none() {
            // The semaphore is never closed.
            self.place = self.queues.places.clone().acquire_owned().await.ok();
        }
    }

    /// As [`Self::turn`], however much is worked on elsewhere.
    pub(super) async fn first(&self) {
        loop {
            // Listening before looking: a move in between is not missed.
            let mut moved = std::pin::pin!(self.queues.moved.notified());
            moved.as_mut().enable();
            if self.queues.is_first(self.vmid, self.id) {
                break;
            }
            moved.await;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.queues.leave(self.vmid, self.id);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_at_a_time_per_vm_in_order_and_bounded_overall() {
        let queues = Queues::new(2);
        let ids: Vec<Uuid> = (0..4).map(Uuid::from_u128).collect();
        let (mut first, mut second) = (queues.join(100, ids[0]), queues.join(100, ids[1]));
        let (mut other, mut third) = (queues.join(101, ids[2]), queues.join(102, ids[3]));
        assert!(second.turn().now_or_never().is_none(), "the second went before the first");
        first.turn().await;
        other.turn().await;
        assert!(third.turn().now_or_never().is_none(), "there are only two places");
        drop(first);
        second.turn().await;
        assert!(third.turn().now_or_never().is_none());
        drop(other);
        third.turn().await;
        drop((second, third));
        assert!(queues.waiting.lock().unwrap().is_empty());
    }
}
