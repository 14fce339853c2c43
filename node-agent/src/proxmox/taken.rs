//! Which command began which task. A UPID tells its time in whole seconds: a command whose call was not answered is not to take
//! the task of the one before it, on the same VM and in the same second, for its own.

use std::collections::VecDeque;
use std::sync::{MutexGuard, PoisonError};

use uuid::Uuid;

use super::node::Pve;
use super::upid::Upid;

/// More than are begun in the few seconds that matter.
const TASKS_MAX: usize = 1_000;

/// The newest tasks and the commands that they were begun for.
#[derive(Default)]
pub(super) struct Taken(VecDeque<(Upid, Uuid)>);

impl Pve {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that this task is this command's, also one that it joined.
    pub(super) fn task_taken(&self, upid: &Upid, command: Uuid) {
        let tasks = &mut self.taken().0;
        tasks.retain(|(known, _)| known != upid);
        if tasks.len() >= TASKS_MAX {
            tasks.pop_front();
        }
        tasks.push_back((upid.clone(), command));
    }

    /// Whether this task is known to be another command's.
    pub(super) fn is_of_another(&self, upid: &Upid, command: Uuid) -> bool {
        self.taken().0.iter().any(|(known, owner)| known == upid && *owner != command)
    }
}
