//! Each operation by the command line: followed to its end, refused with what to do next, as JSON, and destructive only on demand.

use std::io::Write as _;
use std::process::{Command, Stdio};

use mpanel_tests::app::TOKEN;
use mpanel_tests::fleet::{DEADLINE, Fleet, PODS};
use mpanel_tests::pod_bench::SSH_KEY;
use mpanel_tests::{TestDatabase, assert_invariants, eventually};
use pve_sim::{TaskAction, TaskFault};
use serde_json::{Value, json};

use super::{PROGRAMS, SOON, furnished, over};

/// What a command came to.
struct Done {
    line: String,
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs `mpanel` with these words, split at spaces, and this on its standard input.
fn run_with(fleet: &Fleet, line: &str, input: &str) -> Done {
    let mut child = Command::new(PROGRAMS.control)
        .args(line.split(' '))
        .env_clear()
        .env("MPANEL_URL", &fleet.api.url)
        .env("MPANEL_TOKEN", TOKEN)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that reads nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().expect("it ended by itself");
    Done { line: line.to_owned(), code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn run(fleet: &Fleet, line: &str) -> Done {
    run_with(fleet, line, "")
}

impl Done {
    #[track_caller]
    fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}\n{}\n{}", self.line, self.stdout, self.stderr);
        self.stdout
    }

    #[track_caller]
    fn json(self) -> Value {
        let line = self.line.clone();
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"))
    }

    /// It failed with this code and said all of this.
    #[track_caller]
    fn fails(self, code: i32, says: &[&str]) {
        assert_eq!(self.code, code, "{}\n{}\n{}", self.line, self.stdout, self.stderr);
        for words in says {
            assert!(self.stderr.contains(words), "{}: {words:?} is not in: {}", self.line, self.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_is_followed_to_its_end() {
    let (fleet, _) = furnished(TestDatabase::sqlite()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let keys = file("keys.pub", SSH_KEY);
    let rules = file("rules.json", r#"{"rules":[{"direction":"in","action":"accept","comment":"all"}]}"#);
    for (line, kind) in [
        ("snapshot take web-1 before --description tidy", "snapshot"),
        ("pod resize web-1 --vcpu 2 --memory 512 --disk 3 --restart", "resize"),
        (&format!("pod ssh-keys web-1 --ssh-key @{keys} --reboot"), "ssh_keys"),
        ("pod reset-password web-1", "reset_password"),
        ("pod media web-1 --iso local:iso/rescue.iso --boot-from-cd", "media"),
        ("pod media web-1", "media"),
        ("pod rescue web-1 --iso local:iso/rescue.iso", "rescue"),
        ("pod unrescue web-1", "unrescue"),
        (&format!("pod firewall web-1 --set {rules}"), "firewall"),
        ("backup make web-1 --note first --protect", "backup"),
        ("image capture web-1 golden", "capture"),
        ("snapshot rollback web-1 before --yes", "rollback"),
        ("snapshot delete web-1 before --yes", "delete_snapshot"),
        ("pod rebuild web-1 --image debian --yes", "rebuild"),
        ("backup restore web-1 latest --yes", "restore"),
        ("backup recreate web-1 latest web-2", "recreate"),
        ("pod destroy web-2 --yes", "destroy"),
        ("pod shutdown web-1 --grace 5s --force", "shutdown"),
        ("pod start web-1", "start"),
        ("pod reboot web-1 --grace 5s", "reboot"),
        ("pod suspend web-1 --reason unpaid --grace 5s", "suspend"),
        ("pod unsuspend web-1", "unsuspend"),
    ] {
        let done = run(&fleet, &format!("{line} --wait --timeout 2m"));
        let said = done.stderr.clone();
        let text = done.ok();
        assert!(text.lines().any(|told| told.starts_with(&format!("{kind} succeeded"))), "{line}: {text}");
        assert!(said.contains(": job ") && said.contains("✓ "), "{line}: its steps are told: {said}");
    }
    // What is shown of all that.
    let shown = run(&fleet, "pod firewall web-1").ok();
    assert!(shown.contains("yes") && shown.contains("accept") && shown.contains("all"), "{shown}");
    assert!(run(&fleet, "pod traffic web-1 --months 3").ok().contains("GiB used in "));
    let backups = run(&fleet, "backup list web-1 --json").json();
    assert_eq!(backups["items"][0]["protected"], true);
    run(&fleet, "backup delete web-1 latest --yes").fails(3, &["Conflict (409)", "protected"]);
    run(&fleet, "backup unprotect web-1 latest").ok();
    run(&fleet, "backup policy web-1 --every 24h --keep-last 7").ok();
    assert_eq!(run(&fleet, "backup policy web-1 --json").json()["every_hours"], 24);
    let deleted = run(&fleet, "backup delete web-1 latest --yes --wait --json").json();
    assert_eq!((&deleted["kind"], &deleted["state"]), (&json!("delete_backup"), &json!("succeeded")));
    let pinned = run(&fleet, "pod edit web-1 --server pve1").ok();
    assert!(pinned.contains("pve1, also for drains, until `mpanel pod edit web-1 --any-server`"), "{pinned}");
    assert!(!run(&fleet, "pod edit web-1 --any-server").ok().contains("Pinned to"));
    let listed = run(&fleet, "job list --kind backup").ok();
    assert!(listed.contains("web-1") && listed.contains("pve1"), "{listed}");
    assert!(run(&fleet, "image show golden").ok().contains("golden"));
    run(&fleet, "backup make web-1 --protect --wait").ok();
    run(&fleet, "pod destroy web-1 --yes --wait").ok();
    // What is gone is still called what it was called.
    assert!(run(&fleet, "backup list web-1").ok().contains("protected"));
    run(&fleet, "backup recreate web-1 latest web-3 --wait --timeout 2m").ok();
    run(&fleet, "pod destroy web-3 --yes --wait").ok();
    run(&fleet, "image destroy golden --yes --wait").ok();
    assert_invariants(&fleet.api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_told_once_or_taken_from_standard_input() {
    let (fleet, pod) = furnished(TestDatabase::sqlite()).await;
    let vmid = u32::try_from(fleet.pod_until(&pod, &["active"]).await["vmid"].as_u64().unwrap()).unwrap();
    let guest = || fleet.hosts[0].sim.hand().guest_password(vmid, "debian");
    let told = eventually("the guest to be up, with its agent", DEADLINE, async || {
        let told = run(&fleet, "pod reset-password web-1 --wait");
        (told.code == 0).then(|| told.ok())
    })
    .await;
    let password = told.lines().find_map(|line| line.strip_prefix("password of debian: ")).unwrap();
    assert_eq!(guest().as_deref(), Some(password));
    let done = run_with(&fleet, "pod reset-password web-1 --password-stdin --wait", "from-standard-input\n");
    assert!(!done.stdout.contains("from-standard-input") && !done.stderr.contains("from-standard-input"));
    done.ok();
    assert_eq!(guest().as_deref(), Some("from-standard-input"));
    run(&fleet, "pod reset-password web-1 --password-stdin").fails(2, &["holds no password"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_or_fails_says_what_to_do_next() {
    let (fleet, pod) = furnished(TestDatabase::sqlite()).await;
    for (line, code, says) in [
        ("pod resize web-1", 3, &["(422)", "  plan: ", "vcpu, memory_mib and disk_gib"][..]),
        ("pod resize web-1 --disk 1", 3, &["  disk_gib: ", "keep at least 2"]),
        ("pod resize web-1 --plan small --vcpu 2", 2, &["--vcpu"]),
        ("pod resize nobody --vcpu 2", 4, &["no such pod: nobody", "hint: "]),
        ("pod rebuild web-1 --image none --yes", 3, &["  image: "]),
        ("pod unsuspend web-1", 3, &["Conflict (409)"]),
        ("pod unrescue web-1", 3, &["Conflict (409)", "not being rescued"]),
        ("pod media web-1 --iso nonsense", 3, &["  iso: ", "local:iso/"]),
        ("pod suspend web-1", 2, &["--reason"]),
        ("pod firewall web-1 --set /nonexistent", 2, &["--set: /nonexistent"]),
        ("snapshot take web-1 1st", 3, &["  name: "]),
        ("snapshot rollback web-1 none --yes", 4, &["(404)", "none"]),
        ("backup restore web-1 latest --yes", 2, &["web-1 has no backup that is ready"]),
        ("image capture web-1 debian", 3, &["(409)"]),
        ("job show 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01", 4, &["(404)"]),
        ("job show web-1", 2, &["'web-1'", "an id looks like 0198"]),
        ("job cancel 12", 2, &["an id looks like 0198"]),
        ("drift accept web-1", 2, &["an id looks like 0198"]),
        ("backup restore web-1 newest --yes", 2, &["an id looks like 0198", "or say `latest`"]),
        ("backup recreate nobody latest web-3", 4, &["no such pod: nobody"]),
        ("image show nothing", 4, &["no such image: nothing"]),
        ("image destroy debian --yes", 4, &["no such image: debian"]),
        ("pod edit web-1", 2, &["--any-server"]),
        ("pod edit web-1 --server pve7", 3, &["  server: "]),
        ("job retry --all --state stuck --wait", 2, &["--wait follows one job"]),
        ("drift show 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01", 4, &["(404)"]),
        ("invariants --check none", 4, &["no such check: none"]),
        ("server declare-lost pve1 --reason fire", 2, &["--confirm"]),
        ("server declare-lost pve1 --reason fire --confirm pve2", 3, &["  confirm: "]),
        ("server declare-lost pve1 --reason fire --confirm pve1", 3, &["Conflict (409)"]),
    ] {
        run(&fleet, line).fails(code, says);
    }
    // Destructive, and nobody can be asked.
    for line in [
        "pod rebuild web-1 --image debian",
        "pod destroy web-1",
        "snapshot rollback web-1 before",
        "snapshot delete web-1 before",
        "backup restore web-1 0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e10",
        "job cancel --all --state queued",
    ] {
        run(&fleet, line).fails(2, &["add --yes"]);
    }
    assert_eq!(fleet.pod_until(&pod, &["active"]).await["name"], "web-1", "nothing of it was done");
    // Told to scripts as the API tells it.
    let refused = run(&fleet, "pod resize web-1 --disk 1 --json");
    let problem: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!((refused.code, &problem["errors"][0]["field"]), (3, &json!("disk_gib")));

    // A job that fails on its host: why, and where all of it is.
    let action = TaskAction::Fail { exit: "snapshot feature is not available".into(), log: Vec::new() };
    let each = TaskFault { kind: "qmsnapshot".into(), id: None, skip: 0, times: None, action };
    fleet.hosts[0].sim.faults().add_task(each);
    let done = run(&fleet, "snapshot take web-1 before --wait --timeout 2m");
    let log =
        done.stderr.split("`mpanel ").nth(1).and_then(|rest| rest.split('`').next()).unwrap_or_default().to_owned();
    done.fails(1, &["snapshot feature is not available", "hint: `mpanel job log "]);
    assert!(run(&fleet, &log).ok().contains("snapshot feature is not available"));
    fleet.hosts[0].sim.faults().clear();
    run(&fleet, "snapshot take web-1 before --wait").ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_cancelled_and_tried_again_one_by_one_and_all_at_once() {
    let (mut fleet, _) = furnished(TestDatabase::sqlite()).await;
    fleet.hosts[0].agent.kill().await;
    let asked = run(&fleet, "snapshot take web-1 one --json").json();
    let job = asked["job"]["id"].as_str().unwrap().to_owned();
    run(&fleet, &format!("job watch {job} --timeout 1s")).fails(6, &["the job goes on", "mpanel job cancel"]);
    eventually("the job to wait for its agent", SOON, async || {
        run(&fleet, "job list --waits-for pve1 -q").ok().contains(&job).then_some(())
    })
    .await;
    run(&fleet, "snapshot take web-1 two --json").json();
    let none = run(&fleet, "job retry --all --state stuck --json").json();
    assert_eq!((&none["items"], &none["done"]), (&json!([]), &json!(0)));
    let rest = run(&fleet, "job cancel --all --state queued --kind snapshot --server pve1 --yes --json").json();
    assert_eq!((&rest["done"], &rest["refused"]), (&json!(1), &json!(0)), "{rest}");
    run(&fleet, &format!("job cancel {job} --wait")).ok();
    run(&fleet, &format!("job retry {job}")).fails(3, &["Conflict (409)"]);
    fleet.hosts[0].agent_start(&[]);
    run(&fleet, "server wait pve1 --timeout 1m").ok();
    run(&fleet, "snapshot take web-1 one --wait").ok();
    assert_eq!(run(&fleet, "snapshot list web-1 -q").ok(), "one\n", "what was cancelled left nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_listed_with_its_cure_and_healed_and_a_lost_host_is_declared() {
    let (mut fleet, pod) = furnished(TestDatabase::sqlite()).await;
    fleet.control_restart(&[("MPANEL__DRIFT__GRACE", "1s")]).await;
    assert!(run(&fleet, "invariants").ok().contains("ok"));
    let vmid = u32::try_from(fleet.pod_until(&pod, &["active"]).await["vmid"].as_u64().unwrap()).unwrap();
    fleet.hosts[0].sim.hand().stop_vm(vmid);
    let drift = eventually("the difference to count", SOON, async || {
        let list = run(&fleet, "drift list --kind power --json").json();
        let found = list["items"].as_array()?.first()?.clone();
        (found["settling"] == false).then(|| found["id"].as_str().unwrap().to_owned())
    })
    .await;
    let shown = run(&fleet, &format!("drift show {drift}")).ok();
    assert!(shown.contains("What to do") && shown.contains("web-1"), "{shown}");
    run(&fleet, "invariants").fails(1, &["do not hold: "]);
    run(&fleet, &format!("drift heal {drift} --wait")).ok();
    assert!(fleet.hosts[0].sim.hand().vm(vmid).unwrap().running, "it runs again");
    run(&fleet, &format!("drift destroy {drift} --confirm pve1/{vmid} --yes")).fails(3, &[]);

    fleet.hosts[0].agent.kill().await;
    eventually("the host to be offline", SOON, async || {
        let server = run(&fleet, "server show pve1 --json").json();
        (server["connection"]["state"] == "offline").then_some(())
    })
    .await;
    let lost = run(&fleet, "server declare-lost pve1 --reason fire --confirm pve1 --json").json();
    assert_eq!(lost["name"], "pve1", "{lost}");
    let pod = fleet.api.get(&format!("{PODS}/{pod}")).await.expect(200);
    assert_eq!(pod["server"], Value::Null, "nothing is held by a host that is lost: {pod}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_scripts_is_the_api_s() {
    let (fleet, _) = furnished(TestDatabase::sqlite()).await;
    let asked = run(&fleet, "snapshot take web-1 before --json").json();
    assert_eq!((&asked["job"]["kind"], &asked["cloudpod"]["name"]), (&json!("snapshot"), &json!("web-1")));
    over(&fleet, asked["job"]["id"].as_str().unwrap()).await;
    let job = run(&fleet, "pod media web-1 --iso local:iso/rescue.iso -q").ok();
    assert_eq!(over(&fleet, job.trim()).await["state"], "succeeded");
    let waited = run(&fleet, "snapshot delete web-1 before --yes --wait --json");
    assert_eq!(waited.stderr.lines().count(), 1, "no progress where nobody looks on: {}", waited.stderr);
    assert_eq!(waited.json()["state"], "succeeded");
    assert_eq!(run(&fleet, "snapshot list web-1 --json").json()["items"], json!([]));
    assert_eq!(run(&fleet, "drift list --json").json()["items"], json!([]));
    assert!(run(&fleet, "invariants --json").json()["checks"].as_array().unwrap().iter().all(|c| c["ok"] == true));
    for line in ["backup list --json", "job list --json", "pod list --json", "image list --json"] {
        assert!(run(&fleet, line).json()["items"].is_array(), "{line}");
    }
}
