//! A VM's firewall. Only an empty one was recorded: the cases follow the API's schema and the server's known words.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

mod common;

use common::{Answer, Client, root, sim, with_token};
use serde_json::{Value, json};

const VM: &str = "/nodes/pve1/qemu/101";
const FIREWALL: &str = "/nodes/pve1/qemu/101/firewall";

fn ok(answer: &Answer) {
    assert_eq!((answer.status, answer.json()["data"].clone()), (200, Value::Null), "{}", answer.reason);
}

async fn rules(api: &Client<'_>) -> Vec<Value> {
    api.get(&format!("{FIREWALL}/rules")).await.data().as_array().unwrap().clone()
}

#[tokio::test]
async fn options_are_set_deleted_and_guarded_by_a_digest() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let options = format!("{FIREWALL}/options");
    assert_eq!(api.get(&options).await.data(), json!({ "digest": "da39a3ee5e6b4b0d3255bfef95601890afd80709" }));
    ok(&api.put(&options, "enable=1&policy_in=DROP&policy_out=ACCEPT&macfilter=1&ipfilter=1").await);
    let set = api.get(&options).await.data();
    assert_eq!((&set["enable"], &set["policy_in"], &set["ipfilter"]), (&json!(1), &json!("DROP"), &json!(1)));
    let stale = api.put(&options, "enable=0&digest=da39a3ee5e6b4b0d3255bfef95601890afd80709").await;
    assert_eq!(stale.reason, "detected modified configuration - file changed by other user? Try again.");
    let digest = set["digest"].as_str().unwrap();
    ok(&api.put(&options, &format!("delete=ipfilter%2Cmacfilter&digest={digest}")).await);
    assert!(api.get(&options).await.data().get("ipfilter").is_none());
    let bad = api.put(&options, "policy_in=MAYBE").await;
    assert_eq!(bad.status, 400);
    assert!(bad.json()["errors"]["policy_in"].as_str().unwrap().contains("enumeration"));
}

#[tokio::test]
async fn the_datacenters_firewall_is_switched_on() {
    let sim = sim().await;
    let api = root(&sim);
    let options = "/cluster/firewall/options";
    assert!(api.get(options).await.data().get("enable").is_none());
    ok(&api.put(options, "enable=1&policy_in=ACCEPT").await);
    let on = api.get(options).await.data();
    assert_eq!((&on["enable"], &on["policy_in"]), (&json!(1), &json!("ACCEPT")));
    let token = sim.add_token("robot@pve", "look", "/", &["Sys.Audit"]);
    assert_eq!(with_token(&sim, &token).put(options, "enable=0").await.status, 403);
}

#[tokio::test]
async fn a_new_rule_comes_first_and_is_off_unless_told() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let path = format!("{FIREWALL}/rules");
    assert!(rules(&api).await.is_empty());
    ok(&api.post(&path, "type=in&action=ACCEPT&proto=tcp&dport=80,443&enable=1&comment=web&pos=5").await);
    ok(&api.post(&path, "type=in&action=drop&source=10.0.0.0%2F8").await);
    ok(&api.post(&path, "type=out&action=REJECT&proto=udp&dport=8000%3A8100&enable=1&iface=net0").await);
    let listed = rules(&api).await;
    let shown: Vec<(&Value, &Value)> = listed.iter().map(|rule| (&rule["pos"], &rule["action"])).collect();
    assert_eq!(shown, [(&json!(0), &json!("REJECT")), (&json!(1), &json!("DROP")), (&json!(2), &json!("ACCEPT"))]);
    assert_eq!(
        (&listed[1]["enable"], &listed[2]["enable"], &listed[2]["dport"]),
        (&json!(0), &json!(1), &json!("80,443"))
    );
    let one = api.get(&format!("{path}/2")).await.data();
    assert_eq!((&one["comment"], &one["pos"]), (&json!("web"), &json!(2)));
    ok(&api.put(&format!("{path}/1"), "enable=1&comment=inner").await);
    ok(&api.put(&format!("{path}/0"), "moveto=3").await);
    let order: Vec<Value> = rules(&api).await.iter().map(|rule| rule["action"].clone()).collect();
    assert_eq!(order, ["DROP", "ACCEPT", "REJECT"]);
    ok(&api.put(&format!("{path}/2"), "moveto=0").await);
    ok(&api.delete(&format!("{path}/1")).await);
    let left: Vec<Value> = rules(&api).await.iter().map(|rule| rule["action"].clone()).collect();
    assert_eq!(left, ["REJECT", "ACCEPT"]);
    assert_eq!(api.delete(&format!("{path}/7")).await.reason, "no rule at position 7");
}

#[tokio::test]
async fn a_rule_that_makes_no_sense_is_refused_by_name() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let cases = [
        ("type=in", "action", "property is missing and it is not optional"),
        ("type=in&action=PERHAPS", "action", "unknown action 'PERHAPS'"),
        ("type=in&action=ACCEPT&dport=80", "proto", "missing property - 'dport' requires this property"),
        ("type=in&action=ACCEPT&proto=tcp&dport=99999", "dport", "invalid format - invalid port '99999'\n"),
        ("type=in&action=ACCEPT&proto=nonsense", "proto", "invalid format - invalid protocol 'nonsense'\n"),
        ("type=in&action=ACCEPT&proto=gre&dport=80", "dport", "protocol 'gre' does not support ports"),
        (
            "type=in&action=ACCEPT&source=10.0.0.300",
            "source",
            "invalid format - invalid address or alias '10.0.0.300'\n",
        ),
        ("type=in&action=ACCEPT&macro=Nope", "macro", "unknown macro 'Nope'"),
    ];
    for (body, field, text) in cases {
        let answer = api.post(&format!("{FIREWALL}/rules"), body).await;
        assert_eq!((answer.status, &answer.json()["errors"][field]), (400, &json!(text)), "{body}");
    }
    assert!(rules(&api).await.is_empty());
    let token = sim.add_token("robot@pve", "look", "/vms", &["VM.Audit"]);
    let robot = with_token(&sim, &token);
    assert_eq!(robot.get(&format!("{FIREWALL}/rules")).await.status, 200);
    let refused = robot.post(&format!("{FIREWALL}/rules"), "type=in&action=ACCEPT").await;
    assert_eq!(refused.reason, "Permission check failed (/vms/101, VM.Config.Network)");
}

#[tokio::test]
async fn ip_sets_hold_addresses_once() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let sets = format!("{FIREWALL}/ipset");
    ok(&api.post(&sets, "name=ipfilter-net0&comment=own").await);
    let twice = api.post(&sets, "name=ipfilter-net0").await;
    assert_eq!(twice.json()["errors"]["name"], "IPSet 'ipfilter-net0' already exists");
    let set = format!("{sets}/ipfilter-net0");
    ok(&api.post(&set, "cidr=10.20.0.10").await);
    ok(&api.post(&set, "cidr=2001%3Adb8%3A%3A%2F64&nomatch=1").await);
    let again = api.post(&set, "cidr=10.20.0.10").await;
    assert_eq!(again.json()["errors"]["cidr"], "address '10.20.0.10' already exists");
    assert_eq!(api.post(&set, "cidr=nonsense").await.status, 400);
    let members = api.get(&set).await.data();
    let cidrs: Vec<&str> = members.as_array().unwrap().iter().map(|row| row["cidr"].as_str().unwrap()).collect();
    assert_eq!(cidrs, ["2001:db8::/64", "10.20.0.10"]);
    assert_eq!(members[0]["nomatch"], 1);
    assert_eq!(api.delete(&set).await.reason, "IPSet 'ipfilter-net0' is not empty");
    ok(&api.delete(&format!("{set}/2001%3Adb8%3A%3A%2F64")).await);
    ok(&api.put(&format!("{set}/10.20.0.10"), "comment=mine").await);
    assert_eq!(api.get(&format!("{set}/10.20.0.10")).await.data()["comment"], "mine");
    ok(&api.delete(&format!("{set}?force=1")).await);
    assert_eq!(api.get(&sets).await.data(), json!([]));
    assert_eq!(api.get(&set).await.reason, "no such IPSet 'ipfilter-net0'");
}

#[tokio::test]
async fn aliases_name_addresses_for_rules() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let aliases = format!("{FIREWALL}/aliases");
    ok(&api.post(&aliases, "name=office&cidr=192.0.2.0%2F24").await);
    assert_eq!(
        api.post(&aliases, "name=office&cidr=192.0.2.1").await.json()["errors"]["name"],
        "alias 'office' already exists"
    );
    ok(&api.post(&format!("{FIREWALL}/rules"), "type=in&action=ACCEPT&source=office").await);
    ok(&api.put(&format!("{aliases}/office"), "cidr=198.51.100.0%2F24&rename=branch").await);
    let listed = api.get(&aliases).await.data();
    assert_eq!((&listed[0]["name"], &listed[0]["cidr"]), (&json!("branch"), &json!("198.51.100.0/24")));
    ok(&api.delete(&format!("{aliases}/branch")).await);
    assert_eq!(api.get(&aliases).await.data(), json!([]));
}

#[tokio::test]
async fn a_firewall_goes_with_its_vm_and_into_its_backup() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    ok(&api.post(&format!("{FIREWALL}/rules"), "type=in&action=ACCEPT&proto=tcp&dport=22&enable=1").await);
    ok(&api.put(&format!("{FIREWALL}/options"), "enable=1").await);
    api.done(api.post(&format!("{VM}/clone"), "newid=102&full=1").await).await;
    let copied = api.get("/nodes/pve1/qemu/102/firewall/rules").await.data();
    assert_eq!(copied[0]["dport"], "22");
    api.done(api.post("/nodes/pve1/vzdump", "vmid=101&storage=local").await).await;
    ok(&api.delete(&format!("{FIREWALL}/rules/0")).await);
    let backup = api.get("/nodes/pve1/storage/local/content?content=backup").await.data();
    let volid = backup[0]["volid"].as_str().unwrap().replace(':', "%3A").replace('/', "%2F");
    api.done(api.post("/nodes/pve1/qemu", &format!("vmid=101&force=1&archive={volid}")).await).await;
    assert_eq!(rules(&api).await[0]["dport"], "22");
    api.done(api.delete(VM).await).await;
    api.clone_vm(101, "").await;
    assert!(rules(&api).await.is_empty());
    assert_eq!(api.put(&format!("{VM}/config"), "net0=virtio%2Cbridge%3Dvmbr0%2Cfirewall%3D1").await.status, 200);
    assert!(api.get(&format!("{VM}/config")).await.data()["net0"].as_str().unwrap().ends_with(",firewall=1"));
}
