//! A VM is moved to another cluster once, and the token of that cluster is told nowhere.

use std::sync::Arc;

use mpanel_tests::pve_rig::{Rig, drive_request, run_simulated, sim_config};
use node_agent::proxmox::{
    ErrorKind, Hypervisor, Operation, Power, Presence, Pve, PveConfig, RemoteSpec, Secret, Target, Trust,
};
use pve_sim::Sim;

fn spec(there: &Sim, target: Target, online: bool) -> RemoteSpec {
    RemoteSpec {
        host: there.address().ip().to_string(),
        port: there.address().port(),
        token: Secret::new(there.token()),
        fingerprint: there.fingerprint().to_owned(),
        vmid: target.vmid + 1_000,
        bridge: "vmbr0".to_owned(),
        storage: "local".to_owned(),
        online,
    }
}

fn hypervisor(there: &Sim) -> Pve {
    let trust = Trust::Fingerprint(there.fingerprint().parse().unwrap());
    Pve::new(&PveConfig::new(there.url().parse().unwrap(), there.token().parse().unwrap(), trust)).unwrap()
}

#[tokio::test]
async fn a_vm_is_moved_to_another_cluster_once() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let there = Sim::start(sim_config()).await.unwrap();
        for online in [false, true] {
            let target = rig.target().await;
            rig.drive(target, rig.clone_of_template(target, true)).await.unwrap();
            if online {
                rig.drive(target, Operation::Start).await.unwrap();
            }
            let spec = spec(&there, target, online);
            let request = Rig::request(target, Operation::RemoteMigrate(spec.clone()));
            let done = drive_request(&*rig.pve, &request).await.unwrap();
            let power = if online { Power::Running } else { Power::Stopped };
            assert_eq!((done.state.presence, done.state.power), (Presence::Absent, power), "{done:?}");
            assert_eq!(done.outcome.node.as_deref(), Some(there.node()), "{done:?}");
            let state = hypervisor(&there).inspect(spec.vmid).await.unwrap();
            assert_eq!(state.stamp.map(|stamp| stamp.pod_id), Some(target.pod_id), "{state:?}");
            assert_eq!(rig.pve.inspect(target.vmid).await.unwrap().presence, Presence::Absent);
            // The same command again, as after a crash of the agent.
            let again = drive_request(&*rig.pve, &request).await.unwrap();
            assert!(again.tasks.is_empty() && again.outcome == done.outcome, "{again:?}");
            assert_eq!(rig.pve.find_task(&request, 0).await.unwrap(), done.tasks.first().cloned());
        }
        there.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_moved_stays_and_the_token_is_not_told() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let there = Sim::start(sim_config()).await.unwrap();
        let target = rig.target().await;
        rig.drive(target, rig.clone_of_template(target, true)).await.unwrap();
        let secret = "5ec7e75e-c7e7-5ec7-e75e-c7e75ec7e75e";
        let bad = RemoteSpec { token: Secret::new(format!("root@pam!test={secret}")), ..spec(&there, target, false) };
        let error = rig.drive(target, Operation::RemoteMigrate(bad)).await.unwrap_err();
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
        let state = rig.pve.inspect(target.vmid).await.unwrap();
        assert_eq!((state.presence, state.lock), (Presence::Present, None), "{error:?}");
        rig.drive(target, Operation::Destroy).await.unwrap();
        // Neither here nor there: nobody knows what became of it.
        let error = rig.drive(target, Operation::RemoteMigrate(spec(&there, target, false))).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Lost, "{error:?}");
        there.stop().await;
    })
    .await;
}
