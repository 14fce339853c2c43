//! Tasks that are stopped, called off, lost sight of and found again. A real clone may be faster than the call that stops it: then
//! it is whole. What must never be is half a VM.

use std::sync::Arc;
use std::time::Duration;

use mpanel_tests::pve_rig::{Rig, patience, watch};
use node_agent::proxmox::{Begun, ErrorKind, Hypervisor, Operation, Power, Presence, PveError, Request, TaskEnd, Upid};
use tokio_util::sync::CancellationToken;

async fn full_clone(rig: &Rig) -> (Request, Upid) {
    let target = rig.target().await;
    let request = Rig::request(target, rig.clone_of_template(target, true));
    let Begun::Task(upid) = rig.pve.begin(&request).await.unwrap() else { panic!("a new clone is a task") };
    (request, upid)
}

/// Waits until the task's log has begun, and lets it run.
async fn log_begun(rig: &Rig, request: &Request, upid: &Upid) {
    let begun = CancellationToken::new();
    let told = |_| begun.cancel();
    let never = CancellationToken::new();
    tokio::select! {
        end = rig.pve.follow(request, upid, watch(patience(), &never, &told)) => { end.unwrap(); }
        () = begun.cancelled() => {}
    }
}

/// Either the clone was stopped and cleaned up, or it had ended before. Proxmox kills a worker that does not stop in time: then the
/// adapter must tell how the rest is removed, which no token can do.
async fn check_whole_or_gone(rig: &Rig, request: &Request, outcome: Result<TaskEnd, PveError>) {
    let target = request.target;
    let Err(error) = outcome else {
        let state = rig.pve.inspect(target.vmid).await.unwrap();
        assert_eq!((state.presence, state.lock), (Presence::Present, None));
        return;
    };
    assert!(error.upid.is_some(), "{error:?}");
    if rig.sim.is_some() {
        assert_eq!(error.presence, Presence::Absent, "{error:?}");
    }
    let state = rig.once_unlocked(target.vmid).await.unwrap();
    if state.presence == Presence::Absent {
        return;
    }
    assert_eq!((state.lock.as_deref(), error.presence), (Some("clone"), Presence::Present), "half a VM: {error:?}");
    let told = rig.pve.begin(&Rig::request(target, Operation::Destroy)).await.unwrap_err();
    assert_eq!((told.kind, told.presence), (ErrorKind::Locked, Presence::Present), "{told:?}");
    assert!(told.message.contains(&format!("qm destroy {} --skiplock --purge", target.vmid)), "{told:?}");
    eprintln!("warning: Proxmox killed the clone's worker: {told}");
    rig.forget(target);
}

pub async fn a_stopped_clone_leaves_nothing_half_done(rig: Arc<Rig>) {
    let (request, upid) = full_clone(&rig).await;
    log_begun(&rig, &request, &upid).await;
    rig.pve.stop_task(&upid).await.unwrap();
    let outcome = rig.pve.follow(&request, &upid, watch(patience(), &CancellationToken::new(), &|_| {})).await;
    check_whole_or_gone(&rig, &request, outcome).await;
    // A task that has ended may be stopped again.
    rig.pve.stop_task(&upid).await.unwrap();
}

pub async fn a_cancelled_follow_stops_its_task(rig: Arc<Rig>) {
    for kind in [ErrorKind::Cancelled, ErrorKind::Deadline] {
        let (request, upid) = full_clone(&rig).await;
        log_begun(&rig, &request, &upid).await;
        let cancel = CancellationToken::new();
        let limit = if kind == ErrorKind::Deadline { Duration::ZERO } else { patience() };
        if kind == ErrorKind::Cancelled {
            cancel.cancel();
        }
        let outcome = rig.pve.follow(&request, &upid, watch(limit, &cancel, &|_| {})).await;
        if let Err(error) = &outcome {
            assert_eq!(error.kind, kind, "{error:?}");
        }
        check_whole_or_gone(&rig, &request, outcome).await;
    }
}

pub async fn a_task_is_found_again_after_its_upid_was_lost(rig: Arc<Rig>) {
    let (request, upid) = full_clone(&rig).await;
    {
        // The agent dies while it follows.
        let cancel = CancellationToken::new();
        let follow = rig.pve.follow(&request, &upid, watch(patience(), &cancel, &|_| {}));
        assert!(futures::FutureExt::now_or_never(follow).is_none(), "a task takes longer than no time");
    }
    let reborn = rig.other(|_| {});
    let wait = watch(patience(), &CancellationToken::new(), &|_| {});
    reborn.follow(&request, &upid, wait).await.unwrap();
    assert_eq!(reborn.find_task(&request, 0).await.unwrap(), Some(upid.clone()));
    assert_eq!(reborn.begin(&request).await.unwrap(), Begun::Done);
    // One that follows a task that ended long ago still learns how it ended.
    let end = reborn.follow(&request, &upid, watch(patience(), &CancellationToken::new(), &|_| {})).await.unwrap();
    assert!(end.log.iter().any(|line| line.contains("TASK OK")), "{end:?}");

    let other = rig.target().await;
    let never = Rig::request(other, rig.clone_of_template(other, true));
    assert_eq!(reborn.find_task(&never, 0).await.unwrap(), None);
}

pub async fn waiting_for_power_ends_at_its_deadline(rig: Arc<Rig>) {
    let target = rig.vm().await;
    // Long enough for one look at a slow server.
    let wait = watch(patience() / 10, &CancellationToken::new(), &|_| {});
    let error = rig.pve.wait_power(target, Power::Running, wait).await.unwrap_err();
    assert_eq!((error.kind, error.presence), (ErrorKind::Deadline, Presence::Present), "{error:?}");
    assert!(error.message.contains("stopped"), "{error:?}");
    let cancel = CancellationToken::new();
    cancel.cancel();
    let error = rig.pve.wait_power(target, Power::Running, watch(patience(), &cancel, &|_| {})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled, "{error:?}");
    let state = rig.pve.wait_power(target, Power::Stopped, watch(patience(), &CancellationToken::new(), &|_| {})).await;
    assert_eq!(state.unwrap().power, Power::Stopped);
}
