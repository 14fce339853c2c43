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
                Ok(state) => return Fenced { state, error: None },
                Err(error) => error,
            };
            tracing::warn!(vmid = target.vmid, cause = %error, "a VM that was declared lost here cannot be fenced yet");
            if Instant::now() + pause >= deadline {
                let state = self.vm_state(target.vmid).await.unwrap_or_default();
                return Fenced { state, error: Some(error.message) };
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn fence_once(&self, target: Target, deadline: Instant) -> Result<VmState> {
        let look = async || {
            let state = self.vm_state(target.vmid).await?;
            let is_its =
                state.presence == Presence::Present && state.stamp.is_some_and(|stamp| stamp.pod_id == target.pod_id);
            Ok::<_, PveError>((is_its, state))
        };
        let (is_its, state) = look().await?;
        if !is_its {
            return Ok(state);
        }
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
        let (is_its, state) = look().await?;
        if is_its && state.power != Power::Stopped {
            let text = format!("VM {} runs although it was stopped: somebody starts it again", target.vmid);
            return Err(PveError::new(ErrorKind::Locked, text).with_presence(Presence::Present));
        }
        Ok(state)
    }
}
