//! How a move is undone: look at both sides, then give the target back or record the VM there. See [`super::migrate`].

use std::time::Duration;

use super::firewall::bring_again;
use super::migrate::{own_move, settle, started_there};
use super::migrate_orders::{at_source, at_target, sighting, vmid_there};
use super::{Books, QUICK, UNSTARTED, is_last_try, power_store, require_absent};
use crate::db::Tx;
use crate::domain::audit::Actor;
use crate::domain::cloudpods::upkeep::pod_lose;
use crate::domain::cloudpods::{CloudPod, DesiredPower};
use crate::domain::jobs::{Action, CommandKind, CommandOutput, Job, Power};
use crate::domain::servers::{Method, Move, Sighting};
use crate::error::{Error, Result};
use crate::ids::ServerId;

const DESTROY_TIMEOUT: Duration = Duration::from_mins(15);

fn nothing(detail: &str) -> Action {
    Action::Done(detail.to_owned())
}

/// The job's move, if it may have been ordered: otherwise nobody has to be asked where the VM is.
async fn ordered_move(tx: &mut Tx, books: &Books, job: &Job) -> Result<Option<(CloudPod, Move)>> {
    Ok(own_move(tx, books, job).await?.filter(|(_, under_way)| under_way.ordered))
}

/// What is said of a side that was declared lost.
pub(super) const LOST: &str = "its server was declared lost: nothing there counts";

/// Whether what the source has of the pod was declared lost.
pub(super) async fn is_source_lost(tx: &mut Tx, books: &Books, under_way: &Move) -> Result<bool> {
    let Move { source, pod, source_vmid, .. } = *under_way;
    books.servers.is_fenced(tx.conn(), source, pod, source_vmid).await
}

/// Likewise what the target has of it.
pub(super) async fn is_target_lost(tx: &mut Tx, books: &Books, under_way: &Move) -> Result<bool> {
    let Move { target, pod, vmid, .. } = *under_way;
    match vmid {
        Some(vmid) => books.servers.is_fenced(tx.conn(), target, pod, vmid).await,
        None => Ok(false),
    }
}

/// First the target is looked at.
pub(super) async fn target_look(tx: &mut Tx, books: &Books, job: &Job) -> Result<Action> {
    let Some((_, mut under_way)) = ordered_move(tx, books, job).await? else {
        return Ok(nothing("the move was not ordered"));
    };
    if is_target_lost(tx, books, &under_way).await? {
        under_way.target_seen = Some(Sighting::Absent);
        books.servers.move_note(tx, &under_way).await?;
        return Ok(nothing(LOST));
    }
    at_target(&under_way, CommandKind::Inspect, QUICK)
}

pub(super) async fn target_looked(tx: &mut Tx, books: &Books, job: &Job, output: &CommandOutput) -> Result<()> {
    let Some((_, mut under_way)) = ordered_move(tx, books, job).await? else { return Ok(()) };
    under_way.target_seen = Some(sighting(output, "target")?);
    books.servers.move_note(tx, &under_way).await
}

/// Then the source. A VM that comes from there after the look at the target would have been ordered anew, which nobody does.
pub(super) async fn source_look(tx: &mut Tx, books: &Books, job: &Job) -> Result<Action> {
    let Some((pod, under_way)) = ordered_move(tx, books, job).await? else {
        return Ok(nothing("the move was not ordered"));
    };
    if is_source_lost(tx, books, &under_way).await? {
        source_noted(tx, books, &pod, under_way, Sighting::Absent).await?;
        return Ok(nothing(LOST));
    }
    Ok(at_source(&under_way, CommandKind::Inspect, QUICK))
}

pub(super) async fn source_looked(tx: &mut Tx, books: &Books, job: &Job, output: &CommandOutput) -> Result<()> {
    let Some((pod, under_way)) = ordered_move(tx, books, job).await? else { return Ok(()) };
    source_noted(tx, books, &pod, under_way, sighting(output, "source")?).await
}

async fn source_noted(tx: &mut Tx, books: &Books, pod: &CloudPod, mut under_way: Move, seen: Sighting) -> Result<()> {
    match (seen, under_way.target_seen) {
        (Sighting::Absent, Some(Sighting::Present(_))) | (Sighting::Present(_), Some(Sighting::Absent)) => {}
        (Sighting::Absent, Some(Sighting::Absent)) if lost_side(tx, books, &under_way).await?.is_some() => {}
        (Sighting::Absent, _) => {
            return Err(Error::retry(format!(
                "neither side has the VM of the pod {}: what it holds on both stays held until one of them has it",
                pod.name
            )));
        }
        (Sighting::Present(_), None) => return Err(Error::retry("the target was not looked at yet")),
        (Sighting::Present(here), Some(Sighting::Present(there))) => both_have(&under_way, here, there)?,
    }
    under_way.source_seen = Some(seen);
    books.servers.move_note(tx, &under_way).await
}

/// The side that was declared lost, if one was.
async fn lost_side(tx: &mut Tx, books: &Books, under_way: &Move) -> Result<Option<ServerId>> {
    if is_source_lost(tx, books, under_way).await? {
        return Ok(Some(under_way.source));
    }
    Ok(is_target_lost(tx, books, under_way).await?.then_some(under_way.target))
}

/// A move to another cluster that broke off may leave a copy there, which is safe to remove only while the source's is
/// certainly the one that counts: it is as it was before, and the copy does not run.
fn both_have(under_way: &Move, here: Power, there: Power) -> Result<()> {
    let source_counts =
        if under_way.was_running && !under_way.shut_down { here == Power::Running } else { here == Power::Stopped };
    if under_way.method == Method::Remote && source_counts && there == Power::Stopped {
        return Ok(());
    }
    Err(Error::retry(format!(
        "both sides have the VM ({} on the source, {} on the target), and which one counts cannot be told from here: remove \
         the wrong one by hand, then retry the job",
        here.as_str(),
        there.as_str()
    )))
}

/// Whether both sides were seen to have a VM.
fn both_seen(under_way: &Move) -> bool {
    [under_way.source_seen, under_way.target_seen].into_iter().all(|seen| seen.is_some_and(Sighting::is_present))
}

/// The copy that a broken move left on the other cluster goes. A VM that had arrived gets its firewall, before anything is
/// started; where that cannot be brought there it is shown as missing, and holds up nothing else.
pub(super) async fn target_tidy(tx: &mut Tx, books: &Books, job: &Job) -> Result<Action> {
    let Some((pod, under_way)) = ordered_move(tx, books, job).await? else {
        return Ok(nothing("the move was not ordered"));
    };
    if both_seen(&under_way) {
        return at_target(&under_way, CommandKind::Destroy, DESTROY_TIMEOUT);
    }
    if !under_way.target_seen.is_some_and(Sighting::is_present) {
        return Ok(nothing("the target has no VM"));
    }
    bring_again(tx, books, job, &pod, (under_way.target, vmid_there(&under_way)?)).await
}

pub(super) async fn target_tidied(tx: &mut Tx, books: &Books, job: &Job, output: &CommandOutput) -> Result<()> {
    let Some((pod, mut under_way)) = ordered_move(tx, books, job).await? else { return Ok(()) };
    if !both_seen(&under_way) {
        // Where the copy is gone already, this was said before.
        let arrived = under_way.target_seen.is_some_and(Sighting::is_present);
        return if arrived { books.firewalls.firewall_applied(tx, pod.id).await } else { Ok(()) };
    }
    require_absent(&pod, output)?;
    under_way.target_seen = Some(Sighting::Absent);
    books.servers.move_note(tx, &under_way).await
}

/// A guest that was shut down for the move runs again, wherever its VM is.
pub(super) async fn start_again(tx: &mut Tx, books: &Books, job: &Job) -> Result<Action> {
    let Some((pod, under_way)) = own_move(tx, books, job).await? else {
        // What came after the move has failed: it is where its record says.
        return if is_last_try(job) { Ok(nothing(UNSTARTED)) } else { started_there(tx, job).await };
    };
    if !under_way.shut_down || pod.desired_power == DesiredPower::Stopped {
        return Ok(nothing("it was not shut down"));
    }
    if under_way.target_seen.is_some_and(Sighting::is_present) {
        at_target(&under_way, CommandKind::Start, QUICK)
    } else if under_way.source_seen == Some(Sighting::Absent) {
        Ok(nothing(LOST))
    } else {
        Ok(at_source(&under_way, CommandKind::Start, QUICK))
    }
}

/// Stores that it runs again: with the move, as long as that is not over.
pub(super) async fn started_again(tx: &mut Tx, books: &Books, job: &Job, output: &CommandOutput) -> Result<()> {
    match own_move(tx, books, job).await? {
        Some((_, mut under_way)) if under_way.target_seen.is_some_and(Sighting::is_present) => {
            under_way.target_seen = Some(Sighting::Present(output.power));
            books.servers.move_note(tx, &under_way).await
        }
        _ => power_store(tx, books, job, output).await,
    }
}

/// At last the target is given back; or the VM had arrived, and is recorded there; or it is lost with one of the two.
pub(super) async fn end(tx: &mut Tx, books: &Books, job: &Job) -> Result<Action> {
    let Some((pod, under_way)) = own_move(tx, books, job).await? else { return Ok(nothing("nothing is held")) };
    match (under_way.ordered, under_way.source_seen, under_way.target_seen) {
        (false, _, _) | (true, Some(Sighting::Present(_)), Some(Sighting::Absent)) => {
            books.servers.move_release(tx, pod.id).await?;
            Ok(nothing("the VM is where it was; the target is released"))
        }
        (true, Some(Sighting::Absent), Some(Sighting::Present(_))) => {
            let shown = settle(tx, books, job, &pod, &under_way).await?;
            Ok(Action::Done(format!("the move had come to its end all the same: {shown}")))
        }
        (true, Some(Sighting::Absent), Some(Sighting::Absent)) => {
            let lost = lost_side(tx, books, &under_way).await?;
            let lost = lost.ok_or_else(|| Error::retry("neither side has the VM any more"))?;
            let server = books.servers.server_get(tx.conn(), lost).await?;
            let cause = format!("its server {} was declared lost in the midst of its move", server.name);
            pod_lose(tx, books, &Actor::system("engine"), pod, &cause).await?;
            books.servers.move_release(tx, under_way.pod).await?;
            Ok(nothing("it is on neither side, and one of them was declared lost: the pod is lost"))
        }
        (true, ..) => Err(Error::retry("where the VM is was not seen on both sides yet")),
    }
}
