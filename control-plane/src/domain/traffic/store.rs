//! The traffic's rows.

use serde::Serialize;
use sqlx::types::Json;

use super::{Month, Sample, Used};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::check::{loaded, stored};
use crate::error::Result;
use crate::ids::{CloudPodId, ServerId};
use crate::{execute, fetch_all, sql_by_db};

/// A sample as the database's JSON functions can read it.
#[derive(Serialize)]
struct Said {
    pod: String,
    vmid: u32,
    in_bytes: i64,
    out_bytes: i64,
    uptime_s: i64,
}

/// JSONB and its functions take an object as well as a list, but every JSON here is an object.
#[derive(Serialize)]
struct SaidAll {
    samples: Vec<Said>,
}

/// Adds what the counters grew by since the pod's last row. A counter, or the uptime, that is smaller than before was started
/// anew, and all of it counts. Of a pod that was never heard of all counts if its VM was started after the pod was made;
/// otherwise, of an adopted one, it is where counting begins. A month never goes back, whatever the clock does.
pub(super) async fn traffic_add(
    tx: &mut Tx,
    server: ServerId,
    session_epoch: u64,
    month: Month,
    at: Ms,
    samples: impl Iterator<Item = Sample>,
) -> Result<u64> {
    macro_rules! add_sql {
        ($samples:literal) => {
            concat!(
                "INSERT INTO traffic AS t
                    (pod_id, month, in_bytes, out_bytes, last_in_bytes, last_out_bytes, last_uptime_s, sampled_at)
                 SELECT p.id, CASE WHEN b.month > $3 THEN b.month ELSE $3 END,
                        CASE WHEN b.month IS NULL
                             THEN CASE WHEN s.uptime_s * 1000 <= $4 - p.created_at THEN s.in_bytes ELSE 0 END
                             WHEN s.uptime_s < b.last_uptime_s OR s.in_bytes < b.last_in_bytes
                                  OR s.out_bytes < b.last_out_bytes THEN s.in_bytes
                             ELSE s.in_bytes - b.last_in_bytes END,
                        CASE WHEN b.month IS NULL
                             THEN CASE WHEN s.uptime_s * 1000 <= $4 - p.created_at THEN s.out_bytes ELSE 0 END
                             WHEN s.uptime_s < b.last_uptime_s OR s.in_bytes < b.last_in_bytes
                                  OR s.out_bytes < b.last_out_bytes THEN s.out_bytes
                             ELSE s.out_bytes - b.last_out_bytes END,
                        s.in_bytes, s.out_bytes, s.uptime_s, $4
                   FROM ",
                $samples,
                " JOIN cloudpods p ON p.id = s.pod AND p.server_id = $1 AND p.vmid = s.vmid AND p.state <> 'deleted'
                  JOIN servers h ON h.id = $1 AND h.session_epoch = $2
                  LEFT JOIN traffic b ON b.pod_id = p.id
                        AND b.month = (SELECT MAX(m.month) FROM traffic m WHERE m.pod_id = p.id)
                 WHERE TRUE
                 ON CONFLICT (pod_id, month) DO UPDATE SET
                    in_bytes = t.in_bytes + CASE
                        WHEN excluded.last_uptime_s < t.last_uptime_s OR excluded.last_in_bytes < t.last_in_bytes
                             OR excluded.last_out_bytes < t.last_out_bytes THEN excluded.last_in_bytes
                        ELSE excluded.last_in_bytes - t.last_in_bytes END,
                    out_bytes = t.out_bytes + CASE
                        WHEN excluded.last_uptime_s < t.last_uptime_s OR excluded.last_in_bytes < t.last_in_bytes
                             OR excluded.last_out_bytes < t.last_out_bytes THEN excluded.last_out_bytes
                        ELSE excluded.last_out_bytes - t.last_out_bytes END,
                    last_in_bytes = excluded.last_in_bytes, last_out_bytes = excluded.last_out_bytes,
                    last_uptime_s = excluded.last_uptime_s, sampled_at = excluded.sampled_at"
            )
        };
    }
    const SQLITE: &str = add_sql!(
        "(SELECT unhex(value ->> 'pod') AS pod, value ->> 'vmid' AS vmid, value ->> 'in_bytes' AS in_bytes,
                 value ->> 'out_bytes' AS out_bytes, value ->> 'uptime_s' AS uptime_s
            FROM json_each($5, '$.samples')) AS s"
    );
    const POSTGRES: &str = add_sql!(
        "jsonb_to_recordset($5 -> 'samples')
            AS s (pod uuid, vmid bigint, in_bytes bigint, out_bytes bigint, uptime_s bigint)"
    );
    let samples = samples.map(|sample| {
        let Sample { vmid, pod, in_bytes, out_bytes, uptime_s } = sample;
        Said {
            pod: pod.0.simple().to_string(),
            vmid,
            in_bytes: bounded(in_bytes),
            out_bytes: bounded(out_bytes),
            uptime_s: bounded(uptime_s),
        }
    });
    let said = SaidAll { samples: samples.collect() };
    let conn = tx.conn();
    let sql = sql_by_db!(conn, sqlite: SQLITE, postgres: POSTGRES);
    Ok(execute!(conn, sql, server, stored(session_epoch), month.0, at, Json(said))?)
}

/// A counter that no host reaches, so that a sum of such ones can still be kept.
fn bounded(counter: u64) -> i64 {
    stored(counter).min(i64::MAX / 1024)
}

#[derive(sqlx::FromRow)]
struct UsedRow {
    month: i64,
    in_bytes: i64,
    out_bytes: i64,
    sampled_at: Ms,
}

pub(super) async fn traffic_of(conn: Conn<'_>, pod: CloudPodId, months: u32) -> Result<Vec<Used>> {
    const SQL: &str = "SELECT month, in_bytes, out_bytes, sampled_at FROM traffic
                        WHERE pod_id = $1 ORDER BY month DESC LIMIT $2";
    fetch_all!(conn, UsedRow, SQL, pod, i64::from(months))?
        .into_iter()
        .map(|UsedRow { month, in_bytes, out_bytes, sampled_at }| {
            let (in_bytes, out_bytes) =
                (loaded(in_bytes, "traffic.in_bytes")?, loaded(out_bytes, "traffic.out_bytes")?);
            Ok(Used { month: Month(month), in_bytes, out_bytes, sampled_at })
        })
        .collect()
}

pub(super) async fn traffic_prune(tx: &mut Tx, before: Month, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM traffic WHERE (pod_id, month) IN
                           (SELECT pod_id, month FROM traffic WHERE month < $1 LIMIT $2)";
    Ok(execute!(tx.conn(), SQL, before.0, i64::from(limit))?)
}
