//! The jobs that follow from what hosts show, for the proofs of every saga.

use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::upkeep::CloudPodAdopt;
use control_plane::domain::cloudpods::{CloudPod, Detail};
use control_plane::domain::jobs::{Job, Power};
use control_plane::error::Result;
use control_plane::ids::{CloudPodId, ServerId};
use mpanel_tests::pod_bench::{PodBench, TEMPLATE, actor, vm};

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

/// After a failure somebody puts the VMs back by hand: no job did.
pub fn put_back(bench: &PodBench, kind: &str, pod: &CloudPod) {
    let all = bench.agents.vms_all();
    let find = |vmid| all.iter().find(|(_, number, _)| *number == vmid);
    match kind {
        "adopt" => {
            let (server, vmid, vm) = find(THEIRS).expect("an adopted VM is never destroyed");
            assert_eq!(vm.power, Power::Running, "nor stopped");
            bench.agents.vm_remove(*server, *vmid);
        }
        "rehome" => {
            let (server, vmid, _) = find(ELSEWHERE).expect("it is where it was put");
            bench.agents.vm_move((*server, *vmid), (*server, pod.vmid.unwrap()));
        }
        "destroy_orphan" => {
            if let Some((server, vmid, _)) = find(COPY) {
                bench.agents.vm_remove(*server, *vmid);
            }
        }
        _ => {}
    }
}
