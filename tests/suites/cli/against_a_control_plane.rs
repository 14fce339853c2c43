//! The commands against a real control plane.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::{Done, Panel, command};

fn catalogue(panel: &Panel) {
    panel.run("plan add small --vcpu 1 --memory 1G --disk 8 --price 4.99").ok();
    panel.run("image add debian-12 --os debian --user debian --template-vmid 9000").ok();
    panel.run("ip-pool add public --range 192.0.2.10-192.0.2.20 --prefix-length 24 --gateway 192.0.2.1").ok();
}

#[test]
fn a_host_from_its_registration_to_its_removal() {
    let panel = Panel::start();
    let registered = panel
        .run("server add pve1 --storage local:100 --label disk=nvme --region eu --vmid-range 5000-5999 --json")
        .json();
    let command = registered["enrolment"]["command"].as_str().expect("a command to paste");
    assert!(command.starts_with("mpanel-agent enroll --control-plane https://127.0.0.1:1 --token "), "{command}");

    let table = panel.run("server list").ok();
    let mut lines = table.lines();
    assert!(lines.next().is_some_and(|header| header.starts_with("NAME  REGION  AGENT")), "{table}");
    assert!(lines.next().is_some_and(|row| row.starts_with("pve1  eu      pending  online")), "{table}");
    assert_eq!(panel.run("server list -q").ok(), "pve1\n");
    assert_eq!(panel.run("server list --region us").ok(), "");

    let shown = panel.run("server show pve1").ok();
    assert!(shown.contains("VMIDs") && shown.contains("5000-5999") && shown.contains("disk=nvme"), "{shown}");
    let id = registered["server"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(panel.run(&format!("server show {id} --json")).json()["name"], "pve1");

    panel
        .run("server edit pve1 --label rack=7 --remove-label disk --memory 64G --storage local:200 --storage zfs")
        .ok();
    let edited = panel.run("server show pve1 --json").json();
    assert_eq!((&edited["labels"], &edited["memory_mib"]), (&json!({ "rack": "7" }), &json!(65536)));
    let offered: Vec<_> = edited["storages"].as_array().unwrap().iter().map(|s| (&s["name"], &s["disk_gib"])).collect();
    assert_eq!(offered, [(&json!("local"), &json!(200)), (&json!("zfs"), &Value::Null)]);
    panel.run("server edit pve1 --memory none").ok();
    assert_eq!(panel.run("server show pve1 --json").json()["memory_mib"], Value::Null);

    let told = panel.run("server lock pve1 --reason maintenance");
    assert!(told.stderr.contains("pve1 is locked"), "{}", told.stderr);
    told.ok();
    let drained = panel.run("server drain pve1 --deadline 2099-01-01T00:00:00Z");
    assert!(drained.stderr.contains("pve1 is cordoned"), "{}", drained.stderr);
    drained.ok();
    assert_eq!(panel.run("server show pve1 --json").json()["scheduling"]["state"], "draining");
    panel.run("server online pve1").ok();
    assert_eq!(panel.run("server list --scheduling online -q").ok(), "pve1\n");

    assert_eq!(panel.run("server health pve1 --json").json()["items"], json!([]));
    assert!(panel.run("server endpoint pve1").fails(4).contains("pve1 is set; set it with"));
    assert!(panel.run("server endpoint pve9").fails(4).contains("pve9"));
    assert!(panel.run("server edit pve1 --cpu-overcommit nan").fails(2).contains("no ratio"));
    let place = panel.run("audit verify -q").ok();
    let head = place.trim().split_once(':').map(|(count, head)| (count.parse::<u64>().is_ok(), head.len()));
    assert_eq!(head, Some((true, 64)), "{place}");
    let again = panel.run("server token pve1 -q").ok();
    assert_ne!(again.trim(), command);
    panel.run("server revoke pve1 --yes").ok();
    panel.run("server remove pve1 --yes").ok();
    panel.run("server show pve1").fails(4);
}

#[test]
fn a_connection_test_that_fails_says_what_and_ends_with_1() {
    let panel = Panel::start();
    panel.run("server add pve1 --storage local").ok();
    let done = panel.run("server test-connection pve1");
    assert!(
        done.stdout.starts_with("CHECK") && done.stdout.contains("fail") && done.stdout.contains('→'),
        "{}",
        done.stdout
    );
    let told = done.fails(1);
    assert!(told.contains("checks of pve1 failed"), "{told}");

    let waited = panel.run("server wait pve1 --timeout 300ms").fails(6);
    assert!(waited.contains("mpanel server token pve1"), "{waited}");
}

#[test]
fn a_pod_that_nobody_can_take_is_refused_with_each_server_s_reason() {
    let panel = Panel::start();
    catalogue(&panel);
    panel.run("server add pve1 --storage local").ok();
    let told = panel.run("pod create web-1 --plan small --image debian-12 --wait").fails(3);
    assert!(told.contains("(507)") && told.contains("  pve1: "), "{told}");
    assert!(told.contains("hint: connect a server's agent"), "{told}");
    assert_eq!(panel.run("pod list -q").ok(), "");
    assert_eq!(panel.run("job list --json").json(), json!({ "items": [], "next_page_token": null }));
}

#[test]
fn what_pods_are_made_of_is_listed_shown_and_removed() {
    let panel = Panel::start();
    catalogue(&panel);
    let plans = panel.run("plan list").ok();
    assert!(plans.lines().nth(1).is_some_and(|row| row.contains("1 GiB") && row.contains("4.99 EUR")), "{plans}");
    assert!(panel.run("image show debian-12").ok().contains("9000"));
    let pools = panel.run("ip-pool list").ok();
    assert!(pools.contains("192.0.2.10-192.0.2.20/24") && pools.contains("0 of 11"), "{pools}");
    for noun in ["plan", "image", "ip-pool"] {
        let name = panel.run(&format!("{noun} list -q")).ok();
        panel.run(&format!("{noun} remove {} --yes", name.trim())).ok();
        panel.run(&format!("{noun} show {}", name.trim())).fails(4);
    }
}

#[test]
fn a_tenant_from_its_making_to_its_suspension_and_back() {
    let panel = Panel::start();
    panel.run("tenant create acme --email it@acme.example --region eu --pods 3 --memory 8G -q").ok();
    assert_eq!(panel.run("tenant list -q").ok(), "Default\nacme\n");
    let shown = panel.run("tenant show acme").ok();
    assert!(shown.contains("it@acme.example") && shown.contains("active"), "{shown}");
    panel.run("tenant update acme --email none --name Acme").ok();
    let changed = panel.run("tenant show Acme --json").json();
    assert_eq!((&changed["contact_email"], &changed["default_region"]), (&Value::Null, &json!("eu")));
    assert!(panel.run("tenant update Acme").fails(2).contains("nothing to change"));

    let quotas = panel.run("tenant quota Acme").ok();
    assert!(quotas.starts_with("QUOTA") && quotas.contains("unlimited"), "{quotas}");
    let set = panel.run("tenant quota Acme --pods none --disk 2T --backups 7 --json").json();
    let limits =
        [&set["pods"]["limit"], &set["memory_mib"]["limit"], &set["disk_gib"]["limit"], &set["backups"]["limit"]];
    assert_eq!(limits, [&Value::Null, &json!(8192), &json!(2048), &json!(7)]);

    assert!(panel.run("tenant suspend Acme --reason unpaid").fails(2).contains("--yes"));
    let suspended = panel.run("tenant suspend Acme --reason unpaid --yes").ok();
    assert!(suspended.contains("suspended because") && suspended.contains("unpaid"), "{suspended}");
    assert_eq!(panel.run("tenant list --state suspended -q").ok(), "Acme\n");
    panel.run("tenant reactivate Acme").ok();
    assert_eq!(panel.run("tenant list --state suspended -q").ok(), "");
    panel.run("tenant show nobody").fails(4);
}

#[test]
fn customers_are_listed_and_shown_with_why_they_are_doing_so() {
    let panel = Panel::start();
    panel.run("tenant create acme").ok();
    assert_eq!(panel.run("customer list --sort name -q").ok(), "Default\nacme\n");
    assert_eq!(panel.run("customer list --sort -name -q").ok(), "acme\nDefault\n");
    let listed = panel.run("customer list --search ACM").ok();
    assert!(listed.lines().nth(1).is_some_and(|row| row.starts_with("acme") && row.contains("100")), "{listed}");
    let shown = panel.run("customer show acme").ok();
    for part in ["overdue_payment", "failed_jobs", "suspended_pods", "inactivity", "quota_pressure", "unlimited"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(panel.run("customer show acme --json").json()["customer"]["health"]["score"], 100);
    assert_eq!(panel.run("customer list --overdue -q").ok(), "");
    let all = panel.run("customer list --json").json();
    assert_eq!((&all["kpis"]["total"], all["items"].as_array().map(Vec::len)), (&json!(2), Some(2)), "{all}");
}

#[test]
fn what_is_refused_is_said_field_by_field() {
    let panel = Panel::start();
    let told = panel.run("server add -- -bad_name! --storage local").fails(2);
    assert!(told.contains("--storage"), "{told}");
    let told = panel.run("server add bad_name! --storage local --bridge x;y --vmid-range 900-100").fails(3);
    for field in ["  name: ", "  bridge: ", "  vmid_max: "] {
        assert!(told.contains(field), "{field}: {told}");
    }
    assert!(told.contains("request id: "), "{told}");
    let document: Value = serde_json::from_str(&panel.run("server add bad! --storage local --json").fails(3))
        .expect("the problem document");
    assert_eq!((&document["status"], &document["errors"][0]["field"]), (&json!(422), &json!("name")));
    let told = panel.run("pod create web-1 --plan nope --image nope").fails(3);
    assert!(told.contains("  plan: ") && told.contains("  image: "), "{told}");

    panel.run("plan add small --vcpu 1 --memory 1G --disk 8").ok();
    let told = panel.run("plan add small --vcpu 1 --memory 1G --disk 8").fails(3);
    assert!(told.contains("(409)"), "{told}");
}

#[test]
fn what_is_not_there_has_an_exit_code_of_its_own() {
    let panel = Panel::start();
    for line in [
        "server show nope",
        "pod show nope",
        "pod show 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01",
        "pod destroy nope --yes",
        "job show 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01",
        "job log 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01",
        "job watch 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01",
        "plan show nope",
        "image show nope",
        "ip-pool show nope",
    ] {
        let told = panel.run(line).fails(4);
        assert!(told.starts_with("error: Not Found (404): "), "{line}: {told}");
    }
}

#[test]
fn who_is_not_known_hears_where_the_token_came_from() {
    let panel = Panel::start();
    let ask = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = command();
        command.env("MPANEL_URL", &panel.url).envs(variables.iter().copied()).args(["server", "list"]).args(arguments);
        Done::of(command.output().unwrap())
    };
    let told = ask(&[("MPANEL_TOKEN", "wrong")], &[]).fails(3);
    assert!(told.contains("(401)") && told.contains("from MPANEL_TOKEN is not accepted"), "{told}");
    assert!(ask(&[], &[]).fails(3).contains("MPANEL_TOKEN_FILE"));
    let file = panel.folder.path().join("token");
    let file = file.to_str().unwrap();
    // A flag goes before the environment.
    ask(&[("MPANEL_TOKEN", "wrong")], &["--token-file", file]).ok();
    assert!(ask(&[("MPANEL_TOKEN_FILE", "/nowhere")], &[]).fails(2).contains("/nowhere"));
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_certificate_of_an_authority_of_one_s_own_is_trusted_once_it_is_named() {
    let folder = tempfile::TempDir::new().unwrap();
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (path("tls.crt"), path("tls.key"));
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    let panel = Panel::start_in(folder, &format!("tls_certificate = \"{certificate}\"\ntls_key = \"{key}\""));
    assert!(panel.url.starts_with("https://127.0.0.1:"), "{}", panel.url);
    let told = panel.run("server list").fails(5);
    assert!(told.contains("--ca FILE"), "{told}");
    assert_eq!(panel.run(&format!("plan list -q --ca {certificate}")).ok(), "");
    assert!(panel.run(&format!("plan list --ca {key}")).fails(2).contains("--ca: "));
}

#[test]
fn a_key_that_is_used_again_has_one_effect() {
    let panel = Panel::start();
    let add =
        |name: &str| panel.run(&format!("plan add {name} --vcpu 1 --memory 1G --disk 8 -q --idempotency-key k-1"));
    let first = add("small").ok();
    assert_eq!(add("small").ok(), first);
    let told = add("other").fails(3);
    assert!(told.contains("(422)"), "{told}");
    assert_eq!(panel.run("plan list -q").ok(), "small\n");
}

#[test]
fn what_is_destructive_needs_a_word_where_nobody_can_be_asked() {
    let panel = Panel::start();
    panel.run("server add pve1 --storage local").ok();
    for line in ["server remove pve1", "server revoke pve1", "plan remove x", "image remove x", "ip-pool remove x"] {
        let told = panel.run(line).fails(2);
        assert!(told.contains("add --yes"), "{line}: {told}");
    }
    panel.run("server show pve1").ok();
}

#[test]
fn the_command_line_explains_itself() {
    let help = Done::of(command().arg("--help").output().unwrap()).ok();
    assert!(help.contains("Exit codes:") && help.contains("the control plane cannot be reached"), "{help}");
    Done::of(command().args(["server", "add"]).output().unwrap()).fails(2);
    Done::of(
        command()
            .args(["pod", "create", "x", "--plan", "a", "--image", "b", "--ssh-key", "@/nowhere"])
            .output()
            .unwrap(),
    )
    .fails(2);
    for (shell, word) in [("bash", "complete -F"), ("zsh", "#compdef mpanel"), ("fish", "complete -c mpanel")] {
        let script = Done::of(command().args(["completions", shell]).output().unwrap()).ok();
        assert!(script.contains(word) && script.contains("test-connection"), "{shell}");
    }
}
