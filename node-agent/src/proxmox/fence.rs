//! Putting out of action what was declared lost here and may run elsewhere.

use std::time::Duration;

use serde_json::Map;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::error::{ErrorKind, PveError, Result};
use super::node::Pve;
use super::specs::Fenced;
use super::types::{Begun, Operation, Power, Presence, Request, Target, VmState, Watch};
use super::wire::VmConfig;

const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);

impl Pve {
    /// See [`super::Hypervisor::fence`].
    pub(super) async fn fence_vm(&self, target: Target, deadline: Instant) -> Fenced {
        let mut pause = PAUSE_FIRST;
        loop {
            let error = match self.fence_once(target, deadline).await {
                Ok(fenced) => return fenced,
                Err(error) => error,
            };
            tracing::warn!(vmid = target.vmid, cause = %error, "a VM that was declared lost here cannot be fenced yet");
            if Instant::now() + pause >= deadline {
                let state = self.vm_state(target.vmid).await.unwrap_or_default();
                return Fenced { state, error: Some(error.message), foreign: false };
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn fence_once(&self, target: Target, deadline: Instant) -> Result<Fenced> {
        let state = match self.fence_look(target).await? {
            Found::Its(state) => state,
            Found::Other(fenced) => return Ok(fenced),
        };
        if state.power != Power::Stopped {
            let request = Request { target, command_id: Uuid::nil(), operation: Operation::Stop };
            let watch = Watch { deadline, cancel: CancellationToken::new(), progress: &|_| {} };
            match self.stop_begin(target).await? {
                Begun::Done => {}
                Begun::Task(upid) | Begun::Step(upid) => {
                    self.task_follow(&request, &upid, &watch).await?;
                }
            }
        }
        let changes = |config: &VmConfig| {
            let is_set = config.is_set("onboot") && Self::check_own(target, config).is_ok();
            Ok(if is_set { Map::from_iter([("onboot".to_owned(), 0.into())]) } else { Map::new() })
        };
        self.amend(target.vmid, changes).await?;
        self.stamp_forget(target.vmid);
        match self.fence_look(target).await? {
            Found::Its(state) if state.power != Power::Stopped => {
                let text = format!("VM {} runs although it was stopped: somebody starts it again", target.vmid);
                Err(PveError::new(ErrorKind::Locked, text).with_presence(Presence::Present))
            }
            Found::Its(state) => Ok(Fenced { state, error: None, foreign: false }),
            Found::Other(fenced) => Ok(fenced),
        }
    }

    async fn fence_look(&self, target: Target) -> Result<Found> {
        let config = match self.vm_config(target.vmid).await {
            // Not on this node, wherever else it is.
            Err(error) if error.says_no_such_vm() => {
                let state = self.vm_state(target.vmid).await?;
                return Ok(Found::Other(Fenced { state, error: None, foreign: false }));
            }
            config => config?,
        };
        let state = self.vm_state(target.vmid).await?;
        // It may be the pod's own, whose stamp somebody took off: who cannot tell neither stops it nor calls it fenced.
        Ok(match Self::check_own(target, &config) {
            Ok(()) => Found::Its(state),
            Err(error) => Found::Other(Fenced { state, error: Some(error.message), foreign: true }),
        })
    }
}

/// What has the number.
enum Found {
    /// The pod's VM.
    Its(VmState),
    /// Something else, or nothing: there is nothing to stop.
    Other(Fenced),
}
