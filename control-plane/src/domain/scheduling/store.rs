use sqlx::types::Json;

use super::{Decision, Explanation, Placement};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::error::Result;
use crate::ids::{CloudPodId, ServerId};
use crate::{execute, fetch_optional};

pub(super) async fn placement_insert(tx: &mut Tx, pod: CloudPodId, decision: &Decision, at: Ms) -> Result<()> {
    let server = decision.chosen.as_ref().map(|choice| choice.server);
    placement_store(tx, pod, server, &decision.explanation, at).await
}

pub(super) async fn placement_moved(
    tx: &mut Tx,
    pod: CloudPodId,
    server: ServerId,
    explanation: &Explanation,
    at: Ms,
) -> Result<()> {
    placement_store(tx, pod, Some(server), explanation, at).await
}

async fn placement_store(
    tx: &mut Tx,
    pod: CloudPodId,
    server: Option<ServerId>,
    explanation: &Explanation,
    at: Ms,
) -> Result<()> {
    // Two decisions within one millisecond: the later one counts.
    const SQL: &str = "INSERT INTO placements (pod_id, decided_at, server_id, explanation) VALUES ($1, $2, $3, $4)
                       ON CONFLICT (pod_id, decided_at)
                       DO UPDATE SET server_id = excluded.server_id, explanation = excluded.explanation";
    execute!(tx.conn(), SQL, pod, at, server, Json(explanation))?;
    Ok(())
}

pub(super) async fn placement_get(conn: Conn<'_>, pod: CloudPodId) -> Result<Option<Placement>> {
    const SQL: &str = "SELECT decided_at, server_id, explanation FROM placements
                        WHERE pod_id = $1 ORDER BY decided_at DESC LIMIT 1";
    let row = fetch_optional!(conn, (Ms, Option<ServerId>, Json<Explanation>), SQL, pod)?;
    Ok(row.map(|(decided_at, server, Json(explanation))| Placement { decided_at, server, explanation }))
}
