use crate::db::Conn;
use crate::domain::jobs::Job;
use crate::domain::jobs::store::{JobRow, all};
use crate::error::Result;
use crate::fetch_all;
use crate::ids::ServerId;

pub(super) async fn jobs_at_server(conn: Conn<'_>, server: ServerId) -> Result<Vec<Job>> {
    // What is stuck may have been asked for before its pod was on any server.
    const SQL: &str = "SELECT * FROM jobs WHERE state IN ('queued', 'running', 'undoing', 'stuck')
                         AND (command_server = $1 OR waits_for = $1 OR server_id = $1
                              OR (state = 'stuck' AND pod_id IN (SELECT id FROM cloudpods WHERE server_id = $1)))
                       ORDER BY id";
    all(fetch_all!(conn, JobRow, SQL, server)?)
}
