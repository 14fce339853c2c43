//! Ends what is done for pods that were declared lost here, and puts their VMs out of action.

use std::collections::HashSet;
use std::time::Duration;

use proto::agent::v1::{FenceOutcome, FencedVm};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::queue::Ticket;
use super::{Executor, Shared};
use crate::convert;
use crate::proxmox::{Fenced, Target};

/// How long a VM is tried to be stopped before it is told that it could not be. The control plane asks again.
const FENCE_MAX: Duration = Duration::from_mins(3);

impl Executor {
    /// Ends every command of these pods, in the ledger before anything else, and stops their VMs once those have ended. What comes
    /// later for one of these VMs waits until it is fenced. Returns at once; the outcomes follow, one for each VM, unless the agent
    /// stops before.
    pub async fn fence(&self, vms: Vec<FencedVm>) -> oneshot::Receiver<Vec<FenceOutcome>> {
        let (told, outcomes) = oneshot::channel();
        let pods: HashSet<Uuid> = vms.iter().filter_map(|vm| Uuid::parse_str(&vm.pod_id).ok()).collect();
        let is_written = self.end_commands(&pods).await;
        // A place in each VM's queue before the next order is read.
        let lined_up: Vec<_> = vms.into_iter().map(|vm| (self.0.queues.join(vm.vmid, Uuid::now_v7()), vm)).collect();
        let shared = self.0.clone();
        self.0.tasks.spawn(async move {
            let fencing = lined_up.into_iter().map(|(ticket, vm)| shared.fence_vm(ticket, vm, is_written));
            tokio::select! {
                biased;
                () = shared.stopping.cancelled() => {}
                // Whoever asked may be gone; it asks again then.
                outcomes = futures::future::join_all(fencing) => drop(told.send(outcomes)),
            }
        });
        outcomes
    }

    /// Marks and cancels the pods' open commands; says whether all marks are on disk.
    async fn end_commands(&self, pods: &HashSet<Uuid>) -> bool {
        let shared = &self.0;
        let open: Vec<Uuid> = {
            let commands = shared.commands();
            let of_pods = commands.values().map(|command| &command.entry);
            of_pods.filter(|entry| entry.is_open() && pods.contains(&entry.pod_id)).map(|entry| entry.id).collect()
        };
        let mut is_written = true;
        for id in open {
            warn!(command = %id, "is ended: its pod was declared lost here");
            is_written &= shared.change(id, |entry| entry.fenced = true).await;
            let live = shared.commands().get(&id).and_then(|command| command.live.clone());
            if let Some(live) = live {
                live.cancel.cancel();
            }
        }
        is_written
    }
}

impl Shared {
    async fn fence_vm(&self, ticket: Ticket, vm: FencedVm, is_written: bool) -> FenceOutcome {
        let FencedVm { vmid, pod_id } = vm;
        let refused = |error: String| FenceOutcome { vmid, pod_id: pod_id.clone(), error, ..FenceOutcome::default() };
        let pod = match Uuid::parse_str(&pod_id) {
            Ok(pod) => pod,
            Err(error) => return refused(format!("pod_id: {error}")),
        };
        let deadline = Instant::now() + FENCE_MAX;
        if tokio::time::timeout_at(deadline, ticket.first()).await.is_err() {
            return refused(format!("a command for VM {vmid} does not end"));
        }
        let Fenced { state, error, foreign } = self.hypervisor.fence(Target { vmid, pod_id: pod }, deadline).await;
        let error = error.or_else(|| {
            let text = "it is off, but the agent's ledger could not be written: after a restart a command may go on";
            (!is_written).then(|| text.to_owned())
        });
        match &error {
            None => info!(vmid, pod = %pod, "fenced"),
            Some(cause) if foreign => warn!(vmid, pod = %pod, %cause, "another VM has the number of one to be fenced"),
            Some(cause) => error!(vmid, pod = %pod, %cause, "could not be fenced"),
        }
        self.touched.notify_one();
        FenceOutcome {
            vmid,
            pod_id,
            fenced: error.is_none(),
            error: error.unwrap_or_default(),
            presence: convert::presence(state.presence).into(),
            foreign: foreign && is_written,
        }
    }
}
