//! Before anything else: what was declared lost with a host is stopped there when its agent returns, because it may run
//! elsewhere by now. Until the agent has said so of every VM, the session is offered to nobody who would give it orders.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proto::agent::v1 as wire;
use proto::agent::v1::agent_message::Body;

use super::ask::ask_live;
use super::convert;
use super::hub::Live;
use super::session::Context;
use crate::domain::servers::lost::{FenceOutcome, FencedVm};
use crate::error::Result;
use crate::ids::ServerId;

/// How long an agent gets to stop them; it goes on meanwhile, and is asked again.
const WITHIN: Duration = Duration::from_mins(1);
/// The wait before it is asked again.
const AGAIN: Duration = Duration::from_secs(2);

/// Opens the session for orders, at once where nothing is to be fenced, otherwise when it is.
pub(super) async fn begin(context: &Arc<Context>, server: ServerId, live: &Live) -> Result<()> {
    let fences = context.servers.fences(context.db.read().await?.conn(), server).await?;
    if fences.is_empty() {
        return open(context, server, live).await;
    }
    tracing::warn!(%server, vms = fences.len(), "a host that was declared lost is back: fencing its VMs");
    let (context, live) = (context.clone(), live.clone());
    let tasks = context.tasks.clone();
    tasks.spawn(async move {
        let fencing = async {
            while let Err(error) = fence(&context, server, &live).await {
                tracing::warn!(%server, %error, "not fenced yet");
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::select! {
            biased;
            _ = live.ending.ended() => {}
            () = live.queue.closed() => {}
            () = context.shutdown.cancelled() => {}
            () = fencing => {}
        }
    });
    Ok(())
}

async fn open(context: &Context, server: ServerId, live: &Live) -> Result<()> {
    context.engine.session_started(server, || live.ready.store(true, Ordering::Release)).await
}

/// One try. An error says what is not fenced yet.
async fn fence(context: &Context, server: ServerId, live: &Live) -> Result<()> {
    let fences = context.servers.fences(context.db.read().await?.conn(), server).await?;
    let vms = fences.iter().map(|FencedVm { pod, vmid }| wire::FencedVm { vmid: *vmid, pod_id: pod.to_string() });
    let nonce = context.hub.nonce();
    let message = wire::Fence { nonce, vms: vms.collect() };
    let message = convert::message(wire::control_message::Body::Fence(message));
    let asked = ask_live(live, nonce, message, WITHIN).await;
    let bodies = asked.map(|replies| replies.bodies).unwrap_or_default();
    let outcomes: Vec<FenceOutcome> = bodies.into_iter().flat_map(outcomes_of).collect();
    if context.servers.fences_record(server, &outcomes).await? {
        tracing::info!(%server, "its VMs are fenced: it may be given orders");
        return open(context, server, live).await;
    }
    Err(crate::error::Error::retry("not every VM is known to be stopped"))
}

fn outcomes_of(body: Body) -> Vec<FenceOutcome> {
    let Body::FenceResult(wire::FenceResult { nonce: _, outcomes }) = body else { return Vec::new() };
    let outcome = |outcome: wire::FenceOutcome| {
        let wire::FenceOutcome { vmid, pod_id, fenced, error, presence: _, foreign } = outcome;
        let vm = FencedVm { pod: pod_id.parse().ok()?, vmid };
        let why = if error.is_empty() { "its agent does not say why".to_owned() } else { error };
        Some(FenceOutcome { vm, error: (!fenced).then_some(why), foreign: foreign && !fenced })
    };
    outcomes.into_iter().filter_map(outcome).collect()
}
