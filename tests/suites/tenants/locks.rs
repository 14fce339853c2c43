//! A job that begins while its tenant is being suspended: each holds the tenant before the pod, on PostgreSQL, where it is by rows.
//! Were the pod held first, two transactions would wait for each other.

use control_plane::db::Window;
use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::backups::BackupCreate;
use control_plane::domain::cloudpods::upkeep::CloudPodAdopt;
use control_plane::domain::jobs::command::BackupMode;
use control_plane::domain::jobs::{Job, JobState, Power};
use mpanel_tests::pod_bench::{PodBench, SOON, actor, staff, vm};
use mpanel_tests::{TestDatabase, eventually};
use sqlx::{Connection as _, PgConnection};

/// The job begins while this connection holds its tenant, as a suspension does, which takes the pod then.
async fn begins_behind_its_tenant(bench: &PodBench, own: &mut PgConnection, job: Job) {
    const TENANT: &str = "SELECT id FROM tenants WHERE id = $1 FOR NO KEY UPDATE";
    const POD: &str = "SELECT id FROM cloudpods WHERE id = $1 FOR NO KEY UPDATE NOWAIT";
    const WAITING: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))";
    let (tenant, pod) = (job.tenant.unwrap(), job.pod.unwrap());
    let mut tx = own.begin().await.unwrap();
    sqlx::query(TENANT).bind(tenant.0).execute(&mut *tx).await.unwrap();
    bench.engine.dispatch().await.unwrap();
    eventually("the job to wait for the tenant", SOON, async || {
        let (waiting,): (i64,) = sqlx::query_as(WAITING).fetch_one(&mut *tx).await.unwrap();
        (waiting > 0).then_some(())
    })
    .await;
    let taken = sqlx::query(POD).bind(pod.0).execute(&mut *tx).await;
    assert!(taken.is_ok(), "the {} job holds the pod while it waits for the tenant: {taken:?}", job.kind);
    tx.rollback().await.unwrap();
    let job = bench.over(job.id).await;
    assert_eq!(job.state, JobState::Succeeded, "{}: {:?}", job.kind, job.error);
}

#[tokio::test]
async fn a_job_that_begins_while_its_tenant_is_suspended_holds_the_tenant_before_its_pod() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let bench = PodBench::new(&database).await;
    let mut own = PgConnection::connect(&database.url).await.unwrap();
    let server = bench.server("pve1", 16).await;

    let (made, job) = bench.create("web-1").await.unwrap();
    begins_behind_its_tenant(&bench, &mut own, job).await;

    let foreign = 150;
    bench.agents.foreign_vm(server, foreign);
    bench.inventory(server, vec![vm(foreign, None, Power::Running, false)]).await;
    let adopt = CloudPodAdopt {
        name: "ours".into(),
        server: "pve1".into(),
        vmid: foreign,
        plan: "small".into(),
        image: "debian".into(),
        ..CloudPodAdopt::default()
    };
    let (_, job) = bench.pods.cloudpod_adopt(&actor(), Scope::Platform, adopt).await.unwrap();
    begins_behind_its_tenant(&bench, &mut own, job).await;

    let pod = made.pod.id;
    let (mode, note) = (BackupMode::Snapshot, String::new());
    let wanted = BackupCreate { storage: None, mode, note, protected: false, keep_days: None };
    let (_, job) = bench.pods.backup_create(&actor(), Scope::Platform, pod, wanted).await.unwrap();
    assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
    let window = Window { limit: 1, after: None };
    let backup = bench.pods.backup_list(Scope::Platform, Some(pod), window).await.unwrap().remove(0);
    bench.lose(pod).await;
    bench.agents.disconnect(server);
    bench.server("pve2", 16).await;
    let (_, job) = bench.pods.backup_restore(&actor(), staff(), pod, backup.id, Some("pve2")).await.unwrap();
    begins_behind_its_tenant(&bench, &mut own, job).await;
}
