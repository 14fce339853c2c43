//! Pods that were declared lost here, calls that may still be carried out, and secrets.

use std::fs;

use super::tests::{Bench, DEADLINE, Script, command, crashed_while_calling, error_of, start_vm, upid};
use super::*;
use crate::proxmox::Begun;
use proto::agent::v1::FencedVm;

fn vm(vmid: u32) -> FencedVm {
    FencedVm { vmid, pod_id: start_vm(1, 1).pod_id }
}

#[tokio::test]
async fn a_fence_ends_the_pods_commands_before_its_vm_is_stopped() {
    let script = Script::new(vec![Ok(Begun::Task(upid("qmclone")))]);
    script.open.send_replace(false);
    let bench = Bench::new(script).await;
    bench.run(&start_vm(1, 1)).await;
    bench.run(&start_vm(2, 1)).await;
    bench.script.called("follow", 1).await;
    let other = command(3, 1, 101, Kind::Start(wire::Start {}));
    let outcomes = bench.executor.fence(vec![vm(100)]).await;
    // Made after the fence: it comes after it.
    bench.run(&start_vm(4, 1)).await;
    bench.run(&other).await;
    let outcomes = outcomes.await.unwrap();
    assert!(outcomes.len() == 1 && outcomes[0].fenced && outcomes[0].vmid == 100, "{outcomes:?}");
    let results = bench.results(4).await;
    for result in &results {
        let is_ended = [1, 2].iter().any(|number| result.command_id == start_vm(*number, 1).command_id);
        assert_eq!(result.cancelled, is_ended, "{result:?}");
    }
    let calls = bench.script.calls.borrow().clone();
    let place = |name: &str| calls.iter().position(|call| call == name).unwrap();
    assert!(place("fence 100") < place(&format!("begin {}", start_vm(4, 1).command_id)), "{calls:?}");
    assert!(place("follow qmclone") < place("fence 100"), "{calls:?}");
}

#[tokio::test]
async fn nothing_of_a_fenced_pod_resumes_after_a_restart() {
    let script = Script::new(Vec::new());
    script.open.send_replace(false);
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = Ledger::open(directory.path()).await.unwrap();
    let started = State::Started { upid: upid("qmclone"), step: false, called_ms: now_ms() };
    for (number, state) in [(1, State::Accepted), (2, State::Called { at_ms: now_ms() }), (3, started)] {
        let command = start_vm(number, 1);
        let entry = Entry {
            id: Uuid::from_u128(number),
            epoch: 1,
            pod_id: Uuid::parse_str(&command.pod_id).unwrap(),
            vmid: 100,
            command: Public::of(&command),
            accepted_ms: now_ms(),
            deadline_ms: now_ms() + 60_000,
            state,
            fenced: true,
        };
        ledger.write(entry).await.unwrap();
    }
    drop(ledger);
    let executor = super::tests::start(&directory, &script).await;
    let bench = Bench { directory, script, executor };
    let results = bench.results(3).await;
    assert!(results.iter().all(|result| result.cancelled), "{results:?}");
    assert_eq!(error_of(&results[0]).0, wire::ErrorKind::Cancelled);
    assert_eq!(bench.script.count("begin"), 0);
}

#[tokio::test]
async fn a_clone_whose_call_was_not_answered_is_told_to_the_hypervisor_at_the_start() {
    let clone = wire::Clone { template_vmid: 9000, name: "a".to_owned(), ..wire::Clone::default() };
    let bench = crashed_while_calling(Script::new(Vec::new()), &command(1, 1, 100, Kind::Clone(clone))).await;
    assert_eq!(bench.script.count("may_come 100"), 1);
    let bench = crashed_while_calling(Script::new(Vec::new()), &start_vm(1, 1)).await;
    assert_eq!(bench.script.count("may_come"), 0);
}

#[tokio::test]
async fn secrets_do_not_reach_the_ledger() {
    let configure = wire::Configure {
        password: "correct horse battery".to_owned(),
        ssh_keys: vec!["ssh-ed25519 AAAAC3Nza anna".to_owned()],
        cloud_init_user: "annas-user-name".to_owned(),
        ..wire::Configure::default()
    };
    let set = wire::SetPassword { user: "annas-user-name".to_owned(), password: "correct horse battery".to_owned() };
    let remote = wire::RemoteMigrate {
        target_host: "annas-user-name".to_owned(),
        target_token: "root@pam!x=correct horse battery".replace(' ', "-"),
        target_fingerprint: "AA".to_owned(),
        target_bridge: "vmbr0".to_owned(),
        target_storage: "local".to_owned(),
        ..wire::RemoteMigrate::default()
    };
    let exactly = Kind::ConfigureExactly(configure.clone());
    for kind in [Kind::Configure(configure), exactly, Kind::SetPassword(set), Kind::RemoteMigrate(remote)] {
        let script = Script::new(vec![Ok(Begun::Task(upid("qmconfig")))]);
        script.open.send_replace(false);
        let bench = Bench::new(script).await;
        bench.run(&command(1, 1, 100, kind)).await;
        bench.script.called("follow", 1).await;
        bench.executor.stop(DEADLINE).await;
        let bytes = fs::read(bench.directory.path().join("ledger.redb")).unwrap();
        let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(has("annas-user-name"), "the command is not in the ledger at all");
        assert!(!has("correct") && !has("AAAAC3Nza"), "a secret is in the ledger");
    }
}
