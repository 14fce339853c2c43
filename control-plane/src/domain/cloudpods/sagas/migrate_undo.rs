//! How a move is undone: look at both sides, then give the target back or record the VM there. See [`super::migrate`].

use std::time::Duration;

use super::migrate::{at_source, at_target, own_move, settle, sighting};
use super::{Books, QUICK, require_absent};
use crate::db::Tx;
use crate::domain::cloudpods::{CloudPod, DesiredPower};
use crate::domain::jobs::{Action, CommandKind, CommandOutput, Job, Power};
use crate::domain::servers::{Method, Move, Sighting};
use crate::error::{Error, Result};

const DESTROY_TIMEOUT: Duration = Duration::from_mins(15);

fn nothing(detail: &str) -> Action {
    Action::Done(detail.to_owned())
}

/// The job's move, if it may have been ordered: otherwise nobody has to be asked where the VM is.
async fn ordered_move(tx: &mut Tx, books: &Books, job: &Job) -> Result<Option<(CloudPod, Move)>> {
    Ok(own_move(tx, books, job).await?.filter(|(_, under_way)| under_way.ordered))
}

/// First the target is looked at.
pub(super) async fn target_look(tx: &mut Tx, books: &Books, job: &Job) -> Result<Action> {
    match ordered_move(tx, books, job).await? {
        Some((_, under_way)) => at_target(&under_way, CommandKind::Inspect, QUICK),
        None => Ok(nothing("the move was not ordered")),
    }
}

pub(super) async fn target_looked(tx: &mut Tx, books: &Books, job: &Job, output: &CommandOutput) -> Result<()> {
    let Some((_, mut under_way)) = ordered_move(tx, books, job).await? else { return Ok(()) };
    under_way.target_seen = Some(sighting(output, "target")?);
    books.servers.move_note(tx, &under_way).await
}

/// Then the source. A VM that comes from there after the look at the target would have been ordered anew, which nobody does.
pub(super) async fn source_look(tx: &mut Tx, books: &Books, job: &Job) -> Result<Action> {
    match ordered_move(tx, books, job).await? {
        Some((_, under_way)) => Ok(at_source(&under_way, CommandKind::Inspect, QUICK)),
        None => Ok(nothing("the move was not ordered")),
    }
}

pub(super) async fn source_looked(tx: &mut Tx, books: &Books, job: &Job, output: &CommandOutput) -> Result<()> {
    let Some((pod, mut under_way)) = ordered_move(tx, books, job).await? else { return Ok(()) };
    let seen = sighting(output, "source")?;
    match (seen, under_way.target_seen) {
        (Sighting::Absent, Some(Sighting::Present(_))) | (Sighting::Present(_), Some(Sighting::Absent)) => {}
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

/// The copy that a broken move left on the other cluster goes.
pub(super) async fn leftover_remove(tx: &mut Tx, books: &Books, job: &Job) -> Result<Action> {
    let Some((_, under_way)) = ordered_move(tx, books, job).await? else {
        return Ok(nothing("the move was not ordered"));
    };
    let both = under_way.source_seen.is_some_and(Sighting::is_present)
        && under_way.target_seen.is_some_and(Sighting::is_present);
    if !both {
        return Ok(nothing("one side alone has the VM"));
    }
    at_target(&under_way, CommandKind::Destroy, DESTROY_TIMEOUT)
}

pub(super) async fn leftover_removed(tx: &mut Tx, books: &Books, job: &Job, output: &CommandOutput) -> Result<()> {
    let Some((pod, mut under_way)) = ordered_move(tx, books, job).await? else { return Ok(()) };
    require_absent(&pod, output)?;
    under_way.target_seen = Some(Sighting::Absent);
    books.servers.move_note(tx, &under_way).await
}

/// A guest that was shut down for the move runs again, wherever its VM is.
pub(super) async fn start_again(tx: &mut Tx, books: &Books, job: &Job) -> Result<Action> {
    let Some((pod, under_way)) = own_move(tx, books, job).await? else { return Ok(nothing("it is settled")) };
    if !under_way.shut_down || pod.desired_power == DesiredPower::Stopped {
        return Ok(nothing("it was not shut down"));
    }
    if under_way.target_seen.is_some_and(Sighting::is_present) {
        at_target(&under_way, CommandKind::Start, QUICK)
    } else {
        Ok(at_source(&under_way, CommandKind::Start, QUICK))
    }
}

/// At last the target is given back; or the VM had arrived, and is recorded there.
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
        (true, ..) => Err(Error::retry("where the VM is was not seen on both sides yet")),
    }
}
