//! What keeps a pod where it is: the preview says the same as the drain.

use control_plane::domain::cloudpods::CloudPodPatch;
use control_plane::domain::secrets::Secret;
use control_plane::domain::servers::endpoint::EndpointInput;
use mpanel_tests::pod_bench::request;

use super::*;

impl Rig {
    /// The blocker of a pod, of which a preview and then a drain that begins speak alike.
    async fn blocker(&self, pod: CloudPodId) -> String {
        let rows = self.drains.drain_preview(self.first, &options()).await.unwrap();
        let said = rows.into_iter().find(|row| row.pod == pod).unwrap();
        assert!(said.method.is_none() && said.target.is_none() && !said.blocker.is_empty(), "{said:?}");
        self.drain().await;
        let plan = self.until_state(DrainState::Blocked).await;
        let row = plan.pods.into_iter().find(|row| row.pod == pod).unwrap();
        assert_eq!((row.state, &row.blocker), (PodState::Blocked, &said.blocker), "{}", self.database);
        said.blocker
    }
}

#[tokio::test]
async fn nothing_is_moved_from_a_host_that_is_away_until_it_is_back() {
    for database in databases().await {
        let rig = Rig::new(&database, 2).await;
        rig.bench.server("pve2", 32).await;
        rig.bench.offline(rig.first).await;
        let blocker = rig.blocker(rig.pods[1]).await;
        assert!(blocker.contains("server pve1") && blocker.contains("its agent is offline"), "{blocker}");
        assert_eq!(rig.migrations(), 0);
        rig.bench.online(rig.first, "pve1").await;
        rig.until_state(DrainState::Done).await;
        assert!(rig.is_empty().await, "{}: it goes on by itself", database.name);
    }
}

#[tokio::test]
async fn a_pod_whose_vm_is_missing_is_not_tried_again_and_again() {
    for database in databases().await {
        let rig = Rig::new(&database, 2).await;
        rig.bench.server("pve2", 32).await;
        let vmid = rig.bench.pod(rig.pods[0]).await.pod.vmid.unwrap();
        rig.bench.agents.vm_remove(rig.first, vmid);
        let rows = rig.drains.drain_preview(rig.first, &options()).await.unwrap();
        let missing = format!("no VM {vmid}");
        assert!(rows[0].blocker.contains(&missing) && rows[0].method.is_none(), "{}: {:?}", database.name, rows[0]);
        rig.drain().await;
        let plan = rig.until_state(DrainState::Blocked).await;
        assert!(plan.pods[0].blocker.contains(&missing), "{:?}", plan.pods[0]);
        assert_eq!((plan.pods[0].state, plan.pods[1].state), (PodState::Blocked, PodState::Moved));
        let looks = rig.bench.agents.orders().into_iter().filter(|order| *order == "inspect").count();
        for _ in 0..5 {
            rig.work().await;
        }
        let again = rig.bench.agents.orders().into_iter().filter(|order| *order == "inspect").count();
        assert_eq!(again, looks, "nobody looks for it any more");
    }
}

#[tokio::test]
async fn a_pod_with_snapshots_is_promised_to_no_other_cluster() {
    for database in databases().await {
        let rig = Rig::new(&database, 1).await;
        let attic = rig.bench.server_in("attic", "pve9", 32).await;
        let without = rig.drains.drain_preview(rig.first, &options()).await.unwrap();
        assert!(without[0].blocker.contains("`mpanel server endpoint pve9 "), "{}", without[0].blocker);
        let input = EndpointInput {
            host: "pve9".into(),
            port: 8006,
            fingerprint: "ab".repeat(32),
            token: Secret::new("mpanel@pve!move=s3cret-of-the-test".into()),
        };
        let (servers, secrets) = (&rig.bench.books.servers, &rig.bench.books.secrets);
        servers.endpoint_set(&actor(), secrets, attic, input).await.unwrap();
        let rows = rig.drains.drain_preview(rig.first, &options()).await.unwrap();
        assert_eq!(rows[0].target.as_ref().unwrap().id, attic, "{}: {rows:?}", database.name);

        let pods = &rig.bench.pods;
        let taken = pods.snapshot_create(&actor(), Scope::Platform, rig.pods[0], "before", "", false).await.unwrap();
        assert_eq!(rig.bench.over(taken.1.id).await.state, JobState::Succeeded);
        let blocker = rig.blocker(rig.pods[0]).await;
        assert!(blocker.contains("pve9: ") && blocker.contains("no VM with snapshots"), "{blocker}");
        assert_eq!(rig.migrations(), 0);
        // Within the cluster they go with it.
        rig.bench.server("pve2", 32).await;
        rig.until_state(DrainState::Done).await;
    }
}

#[tokio::test]
async fn a_pinned_pod_stays_until_its_pin_is_taken_away() {
    for database in databases().await {
        let rig = Rig::new(&database, 1).await;
        let mut input = request("pinned");
        input.placement.server = Some("pve1".into());
        let (made, job) = rig.bench.pods.cloudpod_create(&actor(), Scope::Platform, input).await.unwrap();
        assert_eq!(rig.bench.over(job.id).await.state, JobState::Succeeded);
        rig.bench.server("pve2", 32).await;
        let pod = made.pod.id;
        let blocker = rig.blocker(pod).await;
        assert!(
            blocker.contains("pinned to server pve1") && blocker.contains("`mpanel pod edit pinned --any-server`"),
            "{}: {blocker}",
            database.name
        );
        let update = async |server: Option<&str>| {
            let patch = CloudPodPatch { name: None, server: Some(server.map(str::to_owned)) };
            rig.bench.pods.cloudpod_update(&actor(), Scope::Platform, pod, None, patch).await
        };
        assert!(update(Some("pve7")).await.unwrap_err().to_string().starts_with("server: "), "it names the field");
        assert_eq!(update(None).await.unwrap().pod.wish.server, None);
        rig.until_state(DrainState::Done).await;
        assert_ne!(rig.bench.pod(pod).await.pod.server.unwrap().id, rig.first);
        assert_eq!(update(Some("pve1")).await.unwrap().pod.wish.server, Some(rig.first), "and pinned again");
    }
}

#[tokio::test]
async fn a_pod_whose_earlier_move_is_stuck_is_a_blocker_and_not_tried_again_and_again() {
    for database in databases().await {
        let rig = Rig::new(&database, 1).await;
        rig.bench.server("pve2", 32).await;
        rig.bench.agents.vague();
        rig.bench.agents.fail("migrate", 1, Fail::Before, FailureKind::TaskFailed);
        rig.drain().await;
        let plan = rig.until("the move to be stuck", |plan| plan.pods[0].is_stuck()).await;
        rig.drains.drain_cancel(&actor(), rig.first).await.unwrap();
        let blocker = rig.blocker(rig.pods[0]).await;
        assert!(blocker.contains("a move of it to pve2 is not over"), "{}: {blocker}", database.name);
        for _ in 0..5 {
            rig.work().await;
        }
        assert_eq!(rig.moves().await, 1, "it was not asked for again");
        rig.bench.agents.heal();
        rig.bench.jobs.job_retry(&actor(), Scope::Platform, plan.pods[0].job.unwrap()).await.unwrap();
        rig.until_state(DrainState::Done).await;
        assert!(rig.is_empty().await, "{}: it goes on by itself", database.name);
    }
}
