//! The jobs that follow from what hosts show, for the proofs of every saga.

use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::operations::Resize;
use control_plane::domain::cloudpods::upkeep::CloudPodAdopt;
use control_plane::domain::cloudpods::{CloudPod, Detail, State};
use control_plane::domain::jobs::command::Configure;
use control_plane::domain::jobs::{FailureKind, Job, JobState, Power};
use control_plane::error::Result;
use control_plane::ids::{CloudPodId, ServerId};
use mpanel_tests::databases;
use mpanel_tests::pod_bench::{PodBench, TEMPLATE, actor, staff, vm};
use mpanel_tests::scripted_agent::Fail;

use super::ask;

/// What an adopted pod holds: room, the address that was claimed, its VMID, its VM.
pub const ADOPTED: [i64; 4] = [1, 1, 1, 1];
/// The VM of somebody else.
const THEIRS: u32 = 150;
/// The number that a pod's VM is given by hand.
const ELSEWHERE: u32 = 160;
/// A second VM with a pod's stamp.
const COPY: u32 = 170;

async fn server(bench: &PodBench) -> ServerId {
    bench.books.servers.server_show("pve1").await.unwrap().id
}

/// Asks for the adoption of a VM that somebody else made.
pub async fn adopt(bench: &PodBench, name: &str) -> Result<(Detail, Job)> {
    let server = server(bench).await;
    bench.agents.foreign_vm(server, THEIRS);
    let seen = vec![vm(TEMPLATE, None, Power::Stopped, true), vm(THEIRS, None, Power::Running, false)];
    bench.inventory(server, seen).await;
    let input = CloudPodAdopt {
        name: name.into(),
        server: "pve1".into(),
        vmid: THEIRS,
        plan: "small".into(),
        image: "debian".into(),
        addresses: vec!["192.0.2.77".into()],
        ..CloudPodAdopt::default()
    };
    bench.pods.cloudpod_adopt(&actor(), Scope::Platform, input).await
}

#[tokio::test]
async fn a_vm_whose_adoption_did_not_succeed_is_let_go_and_never_destroyed() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        bench.agents.fail("inspect", 1, Fail::Before, FailureKind::Permission);
        bench.agents.fail("release", 99, Fail::Before, FailureKind::Unsupported);
        let (asked, job) = adopt(&bench, "theirs").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Stuck, "{}: an agent too old to undo it", database.name);
        let id = asked.pod.id;
        let State::Failed { cause } = bench.pod(id).await.pod.state else { panic!("it is not a pod") };
        assert!(cause.contains("may still bear its stamp"), "{cause}");
        assert_eq!(bench.held().await, ADOPTED, "what was claimed stays held");

        bench.agents.heal();
        let (_, destroy) = bench.pods.cloudpod_destroy(&actor(), staff(), id).await.unwrap();
        let destroy = bench.over(destroy.id).await;
        assert_eq!(destroy.state, JobState::Succeeded, "{:?}", destroy.error);
        assert_eq!(bench.held().await, [0, 0, 0, 0], "{}: the pod is gone and holds nothing", database.name);
        let theirs = bench.agents.vms_all().into_iter().find(|(_, vmid, _)| *vmid == THEIRS).expect("the VM is there");
        assert_eq!((theirs.2.pod, theirs.2.power), (None, Power::Running), "as it was before");
        assert!(!bench.agents.orders().contains(&"destroy"));

        // One that could be undone holds nothing, not even its name.
        bench.agents.fail("inspect", 1, Fail::Before, FailureKind::Permission);
        let (_, job) = adopt(&bench, "ours").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Failed, "{}", database.name);
        // Once adopted it is a pod like any other.
        let (asked, job) = adopt(&bench, "ours").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        let (_, destroy) = bench.pods.cloudpod_destroy(&actor(), staff(), asked.pod.id).await.unwrap();
        assert_eq!(bench.over(destroy.id).await.state, JobState::Succeeded);
        assert!(bench.agents.vms_all().iter().all(|(_, vmid, _)| *vmid != THEIRS));
    }
}

#[tokio::test]
async fn an_adopted_vm_keeps_its_network_and_its_user_until_it_is_rebuilt() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (asked, job) = adopt(&bench, "ours").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        let id = asked.pod.id;
        let configured =
            || bench.agents.vms().into_iter().find_map(|(.., vm)| vm.configure.filter(|_| vm.pod == Some(id)));
        let over = async |job: Job| {
            let job = bench.over(job.id).await;
            assert_eq!(job.state, JobState::Succeeded, "{} {}: {:?}", database.name, job.kind, job.error);
        };
        let size = Resize { vcpu: Some(3), ..Resize::default() };
        over(bench.pods.cloudpod_resize(&actor(), Scope::Platform, id, &size).await.unwrap().1).await;
        let Configure { vcpu, nics, cloud_init_user, nameservers, exact_ssh_keys, .. } = configured().unwrap();
        assert_eq!((vcpu, nics, cloud_init_user.as_str(), nameservers), (3, vec![], "", vec![]), "its size alone");
        assert!(!exact_ssh_keys, "nor are the keys that it came with taken away");

        over(bench.pods.cloudpod_ssh_keys(&actor(), Scope::Platform, id, None, &[], false).await.unwrap().1).await;
        assert!(configured().unwrap().exact_ssh_keys, "unless that was asked for");
        assert!(configured().unwrap().nics.is_empty());

        over(ask(&bench, "rebuild", Some(id), "").await.unwrap().1).await;
        let Configure { nics, cloud_init_user, .. } = configured().unwrap();
        assert_eq!((nics.len(), cloud_init_user.as_str()), (1, "debian"), "a new VM is made as the books say");
        assert_eq!(nics[0].addresses, ["192.0.2.77/24"]);
    }
}

/// Somebody gives the pod's VM another number; asks that this be its own.
pub async fn rehome(bench: &PodBench, pod: CloudPodId) -> Result<(Detail, Job)> {
    let placed = bench.pod(pod).await;
    let server = placed.pod.server.as_ref().unwrap().id;
    bench.agents.vm_move((server, placed.pod.vmid.unwrap()), (server, ELSEWHERE));
    let job = bench.pods.cloudpod_rehome(&actor(), pod, server, ELSEWHERE).await?;
    Ok((placed, job))
}

/// Somebody makes a second VM with the pod's stamp; asks for its removal.
pub async fn destroy_orphan(bench: &PodBench, pod: CloudPodId) -> Result<(Detail, Job)> {
    let server = server(bench).await;
    bench.agents.vm_copy(server, COPY, pod);
    let job = bench.pods.orphan_destroy(&actor(), pod, server, COPY).await?;
    Ok((bench.pod(pod).await, job))
}

/// Somebody has the pod's VM not start with its host; asks that it does again.
pub async fn autostart(bench: &PodBench, pod: CloudPodId) -> Result<(Detail, Job)> {
    bench.agents.vm_change(pod, |vm| vm.start_on_boot = false);
    bench.pods.cloudpod_autostart(&actor(), pod).await
}

/// Somebody makes a second VM with the pod's stamp; asks that we let go of it.
pub async fn release_orphan(bench: &PodBench, pod: CloudPodId) -> Result<(Detail, Job)> {
    let server = server(bench).await;
    bench.agents.vm_copy(server, COPY, pod);
    let job = bench.pods.orphan_release(&actor(), pod, server, COPY).await?;
    Ok((bench.pod(pod).await, job))
}

/// After a failure somebody puts the VMs back by hand: no job did.
pub fn put_back(bench: &PodBench, kind: &str, pod: &CloudPod) {
    let all = bench.agents.vms_all();
    let find = |vmid| all.iter().find(|(_, number, _)| *number == vmid);
    match kind {
        "adopt" => {
            let (server, vmid, vm) = find(THEIRS).expect("an adopted VM is never destroyed");
            assert_eq!((vm.power, vm.pod), (Power::Running, None), "nor stopped, and bears no stamp");
            bench.agents.vm_remove(*server, *vmid);
        }
        "rehome" => {
            let (server, vmid, _) = find(ELSEWHERE).expect("it is where it was put");
            bench.agents.vm_move((*server, *vmid), (*server, pod.vmid.unwrap()));
        }
        "destroy_orphan" | "release_orphan" => {
            if let Some((server, vmid, _)) = find(COPY) {
                bench.agents.vm_remove(*server, *vmid);
            }
        }
        _ => {}
    }
}
