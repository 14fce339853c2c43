//! Images made of pods: a template of their own, and for their tenant alone.

use control_plane::db::Window;
use control_plane::domain::audit::Scope;
use control_plane::domain::images::Image;
use control_plane::domain::jobs::{FailureKind, JobState, Power};
use control_plane::ids::{CloudPodId, TenantId};
use mpanel_tests::databases;
use mpanel_tests::pod_bench::{PodBench, TEMPLATE, actor, request, vm};
use mpanel_tests::scripted_agent::Fail;

use super::proofs::done;
use super::{NOTHING, ONE_POD};

/// A name that no image has.
pub fn name_new() -> String {
    format!("golden-{}", uuid::Uuid::now_v7().simple())
}

/// Makes an image of a pod.
pub async fn made(bench: &PodBench, pod: CloudPodId) {
    let asked = bench.pods.image_capture(&actor(), Scope::Platform, pod, &name_new(), None).await.unwrap();
    let job = bench.over(asked.1.id).await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
}

async fn seen_by(bench: &PodBench, scope: Scope) -> Vec<Image> {
    bench.pods.image_list_visible(scope, Window { limit: 200, after: None }).await.unwrap()
}

/// The newest image that was made of the pod's tenant's pods.
pub async fn newest(bench: &PodBench, pod: CloudPodId) -> Image {
    let tenant = bench.pod(pod).await.pod.tenant;
    seen_by(bench, Scope::Tenant(tenant)).await.into_iter().rfind(|image| image.tenant.is_some()).unwrap()
}

async fn stranger(bench: &PodBench) -> TenantId {
    const SQL: &str = "INSERT INTO tenants (id, name, created_at) VALUES ($1, 'stranger', 0)";
    let tenant = TenantId::generate();
    let mut tx = bench.db.begin().await.unwrap();
    control_plane::execute!(tx.conn(), SQL, tenant).unwrap();
    tx.commit().await.unwrap();
    tenant
}

#[tokio::test]
async fn an_image_of_a_pod_is_its_tenant_s_alone_and_goes_with_its_template() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let tenant = bench.pod(pod).await.pod.tenant;
        let (_, job) =
            bench.pods.image_capture(&actor(), Scope::Platform, pod, "golden", Some("mine".into())).await.unwrap();
        let early = newest(&bench, pod).await;
        assert_eq!((early.active, early.name.as_str()), (false, "golden"), "{}", database.name);
        let again = bench.pods.image_capture(&actor(), Scope::Platform, pod, "golden", None).await.unwrap_err();
        assert_eq!(again.code(), "image_name_taken");
        let job = bench.over(job.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
        let image = newest(&bench, pod).await;
        assert_eq!((image.active, image.tenant, image.min_disk_gib), (true, Some(tenant), 20));
        assert_eq!((image.os.as_str(), image.default_user.as_str()), ("mine", "debian"));
        let (at, vmid, template) = bench.agents.vms().into_iter().find(|(_, _, vm)| vm.template).unwrap();
        let mut read = bench.db.read().await.unwrap();
        let stamp = template.pod.unwrap();
        let known = bench.books.images.image_vms(read.conn(), &[stamp, pod]).await.unwrap();
        drop(read);
        assert_eq!((at, known), (server, [(stamp, server, vmid)].into()), "its stamp is no pod's");
        assert_eq!(bench.held().await, ONE_POD, "the pod is as before");

        // Its tenant makes pods of it, nobody else does or hears of it.
        bench
            .inventory(
                server,
                vec![vm(TEMPLATE, None, Power::Stopped, true), vm(vmid, template.pod, Power::Stopped, true)],
            )
            .await;
        let other = stranger(&bench).await;
        assert!(seen_by(&bench, Scope::Tenant(other)).await.iter().all(|image| image.tenant.is_none()));
        for (name, wanted) in [("golden", image.id.to_string()), ("by-name", "golden".to_owned())] {
            let mut theirs = request(name);
            (theirs.tenant, theirs.image) = (Some(other), wanted.clone());
            let error = bench.pods.cloudpod_create(&actor(), Scope::Platform, theirs).await.unwrap_err();
            assert!(error.to_string().starts_with("image: no such image"), "{error}");
            let hidden = bench.pods.image_captured_delete(&actor(), Scope::Tenant(other), image.id).await;
            assert_eq!(hidden.unwrap_err().code(), "not_found");
            let mut own = request(name);
            own.image = wanted;
            let (detail, job) = bench.pods.cloudpod_create(&actor(), Scope::Platform, own).await.unwrap();
            assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
            let in_use = bench.pods.image_captured_delete(&actor(), Scope::Platform, image.id).await;
            assert_eq!(in_use.unwrap_err().code(), "image_in_use");
            done(&bench, "destroy", detail.pod.id).await;
        }
        let plain = bench.books.images.image_delete(&actor(), &image.id.to_string(), None).await.unwrap_err();
        assert_eq!(plain.code(), "image_captured");
        done(&bench, "destroy", pod).await;
        let (_, job) = bench.pods.image_captured_delete(&actor(), Scope::Platform, image.id).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded, "also when its pod is gone");
        assert!(seen_by(&bench, Scope::Tenant(tenant)).await.iter().all(|image| image.tenant.is_none()));
        assert!(bench.agents.vms().is_empty());
        assert_eq!(bench.held().await, NOTHING);
    }
}

#[tokio::test]
async fn a_template_whose_vmid_was_taken_by_hand_takes_another() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let next = bench.pod(pod).await.pod.vmid.unwrap() + 1;
        bench.agents.foreign_vm(server, next);
        made(&bench, pod).await;
        let (_, vmid, _) = bench.agents.vms().into_iter().find(|(_, _, vm)| vm.template).unwrap();
        assert_ne!(vmid, next, "{}", database.name);
        bench.agents.fail("make_template", 1, Fail::After, FailureKind::NoSpace);
        let asked = bench.pods.image_capture(&actor(), Scope::Platform, pod, "failing", None).await.unwrap();
        assert_eq!(bench.over(asked.1.id).await.state, JobState::Failed);
        assert_eq!(bench.agents.vms().len(), 2, "the pod and the first template");
        made(&bench, pod).await;
    }
}
