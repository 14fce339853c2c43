//! What is ordered of a host that was declared lost: nobody will answer, and the declaration is the answer.

use super::super::store::NewLine;
use super::{Engine, Moved, step_of};
use crate::db::Tx;
use crate::domain::jobs::{AgentCommand, CommandKind, CommandOutput, Job, JobError, JobState, Power, Presence};
use crate::error::Result;

/// The code of steps that need a host that was declared lost.
pub(crate) const SERVER_LOST: &str = "server_lost";

impl Engine {
    /// Takes the declaration for the agent's answer: the VM is absent for the books. What needs a VM fails; what looks for it,
    /// removes it or undoes something with it is done, unless its step wants to know.
    pub(super) async fn declared(&self, mut tx: Tx, mut job: Job, command: &AgentCommand) -> Result<Moved> {
        let saga = self.0.registry.get(&job.kind)?.clone();
        let line = format!(
            "the server {} was declared lost: VM {} counts as absent, and {} is not sent",
            command.server,
            command.vmid,
            command.kind.name()
        );
        self.log(&mut tx, &job, [NewLine { level: "warn", line: &line }]).await?;
        let looks = matches!(command.kind, CommandKind::Destroy | CommandKind::Inspect);
        if (looks && step_of(&saga, &job)?.takes_declaration()) || job.state == JobState::Undoing {
            let output = CommandOutput::of(Presence::Absent, Power::Unknown, command.vmid);
            return self.command_done(&saga, tx, job, &output).await;
        }
        job.command = None;
        let error = JobError { code: SERVER_LOST.to_owned(), detail: line };
        self.failed(&saga, tx, job, error, false).await
    }
}
