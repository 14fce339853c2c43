//! Rebuilding, passwords, SSH keys, CDs and rescue.

use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::operations::{Rebuild, ResetPassword};
use control_plane::domain::cloudpods::{DesiredPower, Detail, Media, RestartCause, State};
use control_plane::domain::images::ImageCreate;
use control_plane::domain::jobs::{FailureKind, Job, JobState, Power};
use control_plane::domain::secrets::Secret;
use control_plane::ids::CloudPodId;
use mpanel_tests::databases;
use mpanel_tests::pod_bench::{PodBench, SSH_KEY, TEMPLATE, actor, vm};
use mpanel_tests::scripted_agent::{Fail, ScriptedVm};

use super::proofs::{ask, done};
use super::{NOTHING, ONE_POD, backups};

pub const RESCUE_ISO: &str = "local:iso/rescue.iso";

pub fn anew() -> Rebuild {
    Rebuild { image: "debian".into(), ssh_keys: None, user: None }
}

pub fn password(text: &str) -> ResetPassword {
    ResetPassword { user: None, password: Some(Secret::new(text.to_owned())), reboot: false }
}

pub fn cd() -> Media {
    Media { iso: Some("local:iso/debian-13.iso".into()), boot_from_cd: false }
}

fn the_vm(bench: &PodBench) -> ScriptedVm {
    let mut vms = bench.agents.vms();
    assert_eq!(vms.len(), 1);
    vms.remove(0).2
}

async fn image_make(bench: &PodBench, name: &str, min_disk_gib: u64, template_vmid: u32) {
    let image = ImageCreate {
        name: name.into(),
        os: name.into(),
        default_user: name.into(),
        min_disk_gib,
        template_vmid: Some(template_vmid),
        template_name: None,
        templates: Vec::new(),
        active: true,
    };
    bench.books.images.image_create(&actor(), image).await.unwrap();
}

/// What is sealed for jobs at present.
async fn sealed(bench: &PodBench) -> i64 {
    const SQL: &str = "SELECT COUNT(*) FROM sealed_secrets WHERE name LIKE 'job/%'";
    let mut read = bench.db.read().await.unwrap();
    control_plane::fetch_one!(read.conn(), (i64,), SQL).unwrap().0
}

#[tokio::test]
async fn a_rebuilt_pod_has_a_new_disk_and_keeps_everything_else() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        image_make(&bench, "ubuntu", 10, TEMPLATE).await;
        let id = bench.active("web-1").await;
        let before = bench.pod(id).await;
        done(&bench, "media", id).await;
        bench.agents.vm_change(id, |vm| drop(vm.passwords.insert("old".into(), "disk".into())));
        done(&bench, "stop", id).await;
        let input = Rebuild { image: "ubuntu".into(), ssh_keys: Some(Vec::new()), user: None };
        let (_, job) = bench.pods.cloudpod_rebuild(&actor(), Scope::Platform, id, &input).await.unwrap();
        let job = bench.over(job.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{}: {:?}", database.name, job.error);
        let after = bench.pod(id).await;
        assert_eq!(after.addresses, before.addresses);
        assert_eq!((after.pod.vmid, after.pod.server), (before.pod.vmid, before.pod.server));
        assert_eq!((&after.pod.state, after.pod.desired_power), (&State::Active, DesiredPower::Running));
        assert_eq!((after.pod.image.name.as_str(), after.pod.cloud_init_user.as_str()), ("ubuntu", "ubuntu"));
        assert_eq!((after.pod.ssh_keys.len(), after.pod.condition.media), (0, Media::default()));
        let vm = the_vm(&bench);
        assert_eq!((vm.power, vm.disk_gib, vm.passwords.len()), (Power::Running, 20, 0), "{}", database.name);
        assert_eq!(vm.configure.unwrap().cloud_init_user, "ubuntu");
        assert_eq!(bench.held().await, ONE_POD);
    }
}

#[tokio::test]
async fn a_rebuilt_pod_keeps_its_mac_addresses() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let id = bench.active("web-1").await;
        let before = the_vm(&bench).macs;
        assert_eq!(before.len(), 1);
        done(&bench, "rebuild", id).await;
        assert_eq!(the_vm(&bench).macs, before, "{}", database.name);
        // Also where the first try failed when the old VM was gone already.
        bench.agents.fail("clone", 1, Fail::Before, FailureKind::NoSpace);
        let (_, job) = ask(&bench, "rebuild", Some(id), "").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Failed);
        done(&bench, "rebuild", id).await;
        assert_eq!(the_vm(&bench).macs, before, "{}", database.name);
        // What somebody made of it by hand is drift, and does not become its own.
        bench.agents.vm_change(id, |vm| drop(vm.macs.insert(0, "BC:24:11:FF:00:01".into())));
        done(&bench, "rebuild", id).await;
        assert_eq!(the_vm(&bench).macs, before, "{}", database.name);
    }
}

#[tokio::test]
async fn a_rebuild_can_be_cancelled_until_the_old_disk_goes_and_be_asked_for_again_after_it() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let id = bench.active("web-1").await;
        bench.agents.hold("stop");
        let (_, job) = ask(&bench, "rebuild", Some(id), "").await.unwrap();
        bench.out("stop").await;
        bench.jobs.job_cancel(&actor(), Scope::Platform, job.id).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Cancelled, "{}", database.name);
        bench.agents.release("stop");
        assert_eq!((bench.pod(id).await.pod.state, the_vm(&bench).power), (State::Active, Power::Running));

        bench.agents.hold("clone");
        let (_, job) = ask(&bench, "rebuild", Some(id), "").await.unwrap();
        bench.out("clone").await;
        let late = bench.jobs.job_cancel(&actor(), Scope::Platform, job.id).await.unwrap_err();
        assert_eq!(late.code(), "job_past_return");
        bench.agents.fail("clone", 1, Fail::Before, FailureKind::NoSpace);
        bench.agents.release("clone");
        assert_eq!(bench.over(job.id).await.state, JobState::Failed);
        let Detail { pod, addresses } = bench.pod(id).await;
        let State::Failed { cause } = &pod.state else { panic!("{:?}", pod.state) };
        assert!(cause.contains("scripted") && cause.contains("rebuild it again"), "{cause}");
        assert_eq!((bench.held().await, addresses.len()), ([1, 2, 1, 0], 2));
        assert_eq!(ask(&bench, "start", Some(id), "").await.unwrap_err().code(), "cloudpod_state");

        done(&bench, "rebuild", id).await;
        let Detail { pod: again, .. } = bench.pod(id).await;
        assert_eq!((again.state, again.vmid), (State::Active, pod.vmid), "{}", database.name);

        bench.agents.fail("clone", 1, Fail::Before, FailureKind::NoSpace);
        let (_, job) = ask(&bench, "rebuild", Some(id), "").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Failed);
        done(&bench, "destroy", id).await;
        assert_eq!(bench.held().await, NOTHING);
    }
}

#[tokio::test]
async fn what_cannot_be_rebuilt_is_named_before_anything_is_removed() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        image_make(&bench, "elsewhere", 10, TEMPLATE + 1).await;
        image_make(&bench, "large", 100, TEMPLATE).await;
        let id = bench.active("web-1").await;
        for (image, says) in [
            ("none", "image: "),
            ("elsewhere", "image: has no template on the pod's server pve1"),
            ("large", "image: needs 100 GiB of disk, and the pod has 20"),
        ] {
            let input = Rebuild { image: image.into(), ssh_keys: Some(vec![SSH_KEY.into()]), user: None };
            let error = bench.pods.cloudpod_rebuild(&actor(), Scope::Platform, id, &input).await.unwrap_err();
            assert_eq!(error.code(), "invalid");
            assert!(error.to_string().contains(says), "{}: {error}", database.name);
        }
        let wrong = Rebuild { image: "debian".into(), ssh_keys: Some(vec!["x".into()]), user: Some("0".into()) };
        let error = bench.pods.cloudpod_rebuild(&actor(), Scope::Platform, id, &wrong).await.unwrap_err().to_string();
        assert!(error.contains("ssh_keys[0]: ") && error.contains("user: "), "{error}");
        assert_eq!(the_vm(&bench).power, Power::Running);
    }
}

async fn reset(bench: &PodBench, pod: CloudPodId, input: ResetPassword) -> Job {
    let reset = bench.pods.cloudpod_reset_password(&actor(), Scope::Platform, pod, input).await.unwrap();
    assert!(!format!("{:?} {}", reset.asked.1, reset.asked.1.params).contains("sesame"), "a job shows no password");
    assert_eq!(sealed(bench).await, 1);
    let job = bench.over(reset.asked.1.id).await;
    assert_eq!(sealed(bench).await, 0, "nothing is left of it");
    job
}

#[tokio::test]
async fn a_password_reaches_the_guest_by_its_agent_or_by_a_restart_and_is_kept_nowhere() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        assert_eq!(reset(&bench, pod, password("open sesame")).await.state, JobState::Succeeded);
        assert_eq!(the_vm(&bench).passwords["debian"], "open sesame", "{}", database.name);
        assert_eq!(bench.agents.orders().last(), Some(&"set_password"), "nothing else was needed");

        let made_up = ResetPassword { user: Some("root".into()), ..ResetPassword::default() };
        let made_up = bench.pods.cloudpod_reset_password(&actor(), Scope::Platform, pod, made_up).await.unwrap();
        assert_eq!(bench.over(made_up.asked.1.id).await.state, JobState::Succeeded);
        let told = made_up.generated.unwrap();
        assert_eq!((told.expose().len(), &the_vm(&bench).passwords["root"]), (20, told.expose()));

        bench.agents.fail("set_password", 1, Fail::Before, FailureKind::GuestAgent);
        let job = reset(&bench, pod, password("open sesame 2")).await;
        assert_eq!(job.error.unwrap().code, "guest_agent_needed");
        bench.agents.fail("set_password", 1, Fail::Before, FailureKind::GuestAgent);
        let job = reset(&bench, pod, ResetPassword { reboot: true, ..password("open sesame 3") }).await;
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
        assert_eq!(the_vm(&bench).configure.unwrap().password, "open sesame 3");
        assert!(bench.agents.orders().ends_with(&["set_password", "configure", "reboot", "wait_power"]));
        assert!(bench.pod(pod).await.pod.condition.restart_causes.is_empty());

        done(&bench, "stop", pod).await;
        assert_eq!(reset(&bench, pod, password("open sesame 4")).await.state, JobState::Succeeded);
        assert_eq!(the_vm(&bench).configure.unwrap().password, "open sesame 4", "for its next start");
        for (wrong, says) in [
            (password("short"), "password: must have 8 to 128 characters"),
            (password("open\nsesame"), "password: "),
            (ResetPassword { user: Some("Root".into()), ..password("open sesame") }, "user: must be an account's name"),
            (ResetPassword { user: Some("root".into()), ..password("open sesame") }, "start the pod first"),
        ] {
            let error = bench.pods.cloudpod_reset_password(&actor(), Scope::Platform, pod, wrong).await.unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert!(!error.to_string().contains("sesame"), "{error}");
        }
        assert_eq!(sealed(&bench).await, 0);
    }
}

#[tokio::test]
async fn new_keys_count_from_the_next_start_on() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let other = SSH_KEY.replace("me@home", "you@work");
        let set = async |keys: &[String], version, restart| {
            bench.pods.cloudpod_ssh_keys(&actor(), Scope::Platform, pod, version, keys, restart).await
        };
        let (before, job) = set(std::slice::from_ref(&other), None, false).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        let Detail { pod: changed, .. } = bench.pod(pod).await;
        assert_eq!(
            (&changed.ssh_keys, changed.condition.restart_causes.clone()),
            (&vec![other.clone()], [RestartCause::SshKeys].into())
        );
        assert_eq!(the_vm(&bench).configure.unwrap().ssh_keys, [other], "{}", database.name);
        assert_eq!(set(&[], Some(before.pod.version), false).await.unwrap_err().code(), "stale");
        assert_eq!(set(&["x".into()], None, false).await.unwrap_err().code(), "invalid");

        bench.agents.fail("configure", 1, Fail::After, FailureKind::Permission);
        let (_, job) = set(&[], None, true).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Failed);
        assert_eq!(the_vm(&bench).configure.unwrap().ssh_keys.len(), 1, "the old ones are put back");
        let (_, job) = set(&[], Some(bench.pod(pod).await.pod.version), true).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        assert!(bench.pod(pod).await.pod.condition.restart_causes.is_empty(), "the job restarted it");
    }
}

#[tokio::test]
async fn nothing_is_stopped_for_a_rescue_cd_that_is_not_there() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        bench.agents.fail("set_media", 1, Fail::Before, FailureKind::NotFound);
        let (_, job) = ask(&bench, "rescue", Some(pod), "").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Failed, "{}", database.name);
        assert!(!bench.agents.orders().contains(&"stop"), "a wrong name is no reason for an outage");
        assert_eq!(bench.pod(pod).await.pod.observed_power, Power::Running);
    }
}

#[tokio::test]
async fn a_pod_whose_vm_is_missing_is_rebuilt_or_restored_in_its_place() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        for kind in ["rebuild", "restore"] {
            let pod = bench.active(kind).await;
            backups::made(&bench, pod).await;
            let before = bench.pod(pod).await;
            let (server, vmid) = (before.pod.server.unwrap().id, before.pod.vmid.unwrap());
            bench.agents.vm_remove(server, vmid);
            bench.inventory(server, vec![vm(TEMPLATE, None, Power::Stopped, true)]).await;
            // A try that fails leaves nothing stuck.
            let command = if kind == "restore" { "restore_backup" } else { "clone" };
            bench.agents.fail(command, 1, Fail::Before, FailureKind::NoSpace);
            let (_, job) = ask(&bench, kind, Some(pod), "").await.unwrap();
            assert_eq!(bench.over(job.id).await.state, JobState::Failed, "{} {kind}", database.name);
            done(&bench, kind, pod).await;
            let after = bench.pod(pod).await;
            assert_eq!((after.pod.state, after.pod.vmid), (State::Active, Some(vmid)), "{} {kind}", database.name);
            assert_eq!((after.pod.observed_power, &after.addresses), (Power::Running, &before.addresses));
        }
    }
}

#[tokio::test]
async fn a_pod_is_rescued_from_a_cd_and_comes_back_to_its_disk() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        done(&bench, "media", pod).await;
        let own = ("local:iso/debian-13.iso".to_owned(), false);
        assert_eq!((the_vm(&bench).media, bench.pod(pod).await.pod.condition.media), (own.clone(), cd()));
        done(&bench, "rescue", pod).await;
        assert_eq!(the_vm(&bench).media, (RESCUE_ISO.to_owned(), true), "{}", database.name);
        let Detail { pod: rescued, .. } = bench.pod(pod).await;
        assert_eq!((rescued.condition.rescue.as_deref(), rescued.condition.media), (Some(RESCUE_ISO), cd()));
        for kind in ["rescue", "media"] {
            assert_eq!(ask(&bench, kind, Some(pod), "").await.unwrap_err().code(), "cloudpod_in_rescue");
        }
        done(&bench, "unrescue", pod).await;
        assert_eq!((the_vm(&bench).media, the_vm(&bench).power), (own.clone(), Power::Running));
        assert_eq!(ask(&bench, "unrescue", Some(pod), "").await.unwrap_err().code(), "cloudpod_not_in_rescue");

        done(&bench, "stop", pod).await;
        bench.agents.fail("wait_power", 1, Fail::After, FailureKind::Permission);
        let (_, job) = ask(&bench, "rescue", Some(pod), "").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Failed);
        assert_eq!((the_vm(&bench).media, the_vm(&bench).power), (own, Power::Stopped), "all of it is undone");
        let Detail { pod: same, .. } = bench.pod(pod).await;
        assert_eq!((same.desired_power, same.condition.rescue), (DesiredPower::Stopped, None));
        let (by, scope) = (actor(), Scope::Platform);
        for iso in ["rescue.iso", "local:iso/../x.iso", "local:iso/a.iso,media=disk"] {
            let error = bench.pods.cloudpod_rescue(&by, scope, pod, iso).await.unwrap_err();
            assert!(error.to_string().starts_with("iso: must be the name of an ISO image"), "{error}");
        }
        let nothing = Media { iso: None, boot_from_cd: true };
        let error = bench.pods.cloudpod_media(&by, scope, pod, nothing).await.unwrap_err();
        assert!(error.to_string().starts_with("boot_from_cd: "), "{error}");
        let (_, job) = bench.pods.cloudpod_media(&by, scope, pod, Media::default()).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        assert_eq!(the_vm(&bench).media, (String::new(), false));
    }
}
