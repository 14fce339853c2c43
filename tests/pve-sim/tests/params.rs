//! Encoding of parameters, and the words of every refusal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

mod common;

use common::{root, sim};
use serde_json::json;

/// Request → parameter and text of the 400.
const REFUSED: &[(&str, &str, &str, &str, &str)] = &[
    ("POST", "/nodes/pve1/qemu", "", "vmid", "property is missing and it is not optional"),
    ("POST", "/nodes/pve1/qemu", "vmid=abc", "vmid", "type check ('integer') failed - got 'abc'"),
    ("POST", "/nodes/pve1/qemu", "vmid=99", "vmid", "invalid format - value does not look like a valid VM ID\n"),
    ("POST", "/nodes/pve1/qemu", "vmid=212&vmid=213", "vmid", "type check ('integer') failed - got ARRAY"),
    (
        "POST",
        "/nodes/pve1/qemu",
        "vmid=500&bogus=1",
        "bogus",
        "property is not defined in schema and the schema does not allow additional properties",
    ),
    (
        "POST",
        "/nodes/pve1/qemu",
        "vmid=202&tags=a;b",
        "b",
        "property is not defined in schema and the schema does not allow additional properties",
    ),
    ("POST", "/nodes/pve1/qemu", "vmid=500&onboot=maybe", "onboot", "type check ('boolean') failed - got 'maybe'"),
    ("POST", "/nodes/pve1/qemu", "vmid=500&onboot=true", "onboot", "type check ('boolean') failed - got 'true'"),
    ("POST", "/nodes/pve1/qemu", "vmid=500&onboot=True", "onboot", "type check ('boolean') failed - got 'True'"),
    ("POST", "/nodes/pve1/qemu", "vmid=500&onboot=yes", "onboot", "type check ('boolean') failed - got 'yes'"),
    ("POST", "/nodes/pve1/qemu", "vmid=500&cores=0", "cores", "value must have a minimum value of 1"),
    (
        "POST",
        "/nodes/pve1/qemu",
        "vmid=500&memory=lots",
        "memory",
        "invalid format - format error\nmemory.current: type check ('integer') failed - got 'lots'\n",
    ),
    (
        "POST",
        "/nodes/pve1/qemu",
        "vmid=211&memory=128.0",
        "memory",
        "invalid format - format error\nmemory.current: type check ('integer') failed - got '128.0'\n",
    ),
    (
        "POST",
        "/nodes/pve1/qemu",
        "vmid=500&name=bad_name%21",
        "name",
        "invalid format - value does not look like a valid DNS name\n",
    ),
    (
        "POST",
        "/nodes/pve1/qemu",
        "vmid=500&scsi0=local",
        "scsi0",
        "invalid format - format error\nscsi0.file: invalid format - unable to parse volume ID 'local'\n\n",
    ),
    (
        "POST",
        "/nodes/pve1/qemu",
        "name=a&net0=virtio,bridge=vmbr0&vmid=201",
        "net0",
        "invalid format - duplicate key in comma-separated list property: model\n",
    ),
    (
        "POST",
        "/nodes/pve1/qemu",
        "vmid=500&net0=bogusmodel%2Cbridge%3Dvmbr0",
        "net0",
        "invalid format - format error\nnet0.model: value 'bogusmodel' does not have a value in the enumeration 'e1000, e1000-82540em, e1000-82544gc, e1000-82545em, e1000e, i82551, i82557b, i82559er, ne2k_isa, ne2k_pci, pcnet, rtl8139, virtio, vmxnet3'\n",
    ),
    (
        "POST",
        "/nodes/pve1/qemu",
        "vmid=500&sshkeys=ssh-ed25519+AAAA+x%40y%0A",
        "sshkeys",
        "invalid format - invalid urlencoded string: ssh-ed25519 AAAA x@y\n\n",
    ),
    (
        "GET",
        "/nodes/pve1/qemu/9000/config?bogus=1",
        "",
        "bogus",
        "property is not defined in schema and the schema does not allow additional properties",
    ),
    ("GET", "/cluster/resources?type=vm&type=node", "", "type", "type check ('string') failed - got ARRAY"),
    (
        "GET",
        "/cluster/resources?type=bogus",
        "",
        "type",
        "value 'bogus' does not have a value in the enumeration 'vm, storage, node, sdn'",
    ),
    ("GET", "/cluster/nextid?vmid=5", "", "vmid", "invalid format - value does not look like a valid VM ID\n"),
    ("GET", "/cluster/nextid?vmid=9000", "", "vmid", "VM 9000 already exists"),
    ("GET", "/nodes/pve1/tasks/garbage/status", "", "upid", "unable to parse worker upid"),
    (
        "GET",
        "/nodes/pve1/tasks/UPID:pve1:0000FFFF:00027CB0:6B00336C:qmstart:9000:root@pam:/status",
        "",
        "upid",
        "no such task",
    ),
    (
        "GET",
        "/nodes/pve1/tasks/UPID:pve1:0000FFFF:00027CB0:6B00336C:qmstart:9000:root@pam!test:/status",
        "",
        "upid",
        "no such task",
    ),
    ("POST", "/nodes/pve1/qemu/9000/clone", "", "newid", "property is missing and it is not optional"),
    ("PUT", "/nodes/pve1/qemu/9000/config", "delete=nosuchkey", "delete", "unknown option 'nosuchkey'"),
    ("PUT", "/nodes/pve1/qemu/9000/config", "memory=300&skiplock=1", "skiplock", "Only root may use this option."),
    ("PUT", "/nodes/pve1/qemu/9000/resize", "disk=scsi0&size=1Q", "size", "value does not match the regex pattern"),
    (
        "POST",
        "/nodes/pve1/qemu/9000/snapshot",
        "snapname=1bad+name",
        "snapname",
        "invalid format - invalid configuration ID '1bad name'\n",
    ),
    (
        "POST",
        "/access/roles",
        "roleid=Runner2&privs=VM.Nonsense",
        "privs",
        "invalid format - invalid privilege 'VM.Nonsense'\n",
    ),
    ("POST", "/cluster/backup", "storage=local", "schedule", "neither 'starttime' nor 'schedule' were set"),
];

#[tokio::test]
async fn a_400_names_the_parameter_and_says_why() {
    let sim = sim().await;
    let api = root(&sim);
    for (method, path, body, name, text) in REFUSED {
        let answer = api.call(method, path, body).await;
        let case = format!("{method} {path} {body}");
        assert_eq!((answer.status, answer.reason.as_str()), (400, "Parameter verification failed."), "{case}");
        let body = answer.json();
        assert_eq!(body["message"], "Parameter verification failed.\n");
        assert_eq!(body["errors"], json!({ *name: text }), "{case}");
    }
    assert_eq!(sim.hand().vms().len(), 1, "nothing was made");
}

#[tokio::test]
async fn several_bad_parameters_are_named_together() {
    let sim = sim().await;
    let answer = root(&sim).post("/nodes/pve1/qemu", "vmid=500&memory=lots&cores=0").await;
    let errors = answer.json()["errors"].clone();
    assert_eq!(errors.as_object().unwrap().keys().collect::<Vec<_>>(), ["cores", "memory"]);
}

#[tokio::test]
async fn values_arrive_as_their_encoding_means_them() {
    let sim = sim().await;
    let api = root(&sim);
    let absent = json!(null);
    let cases = [
        ("vmid=203&tags=a%3Bb", "tags", json!("a;b")),
        ("vmid=204&description=a+b%2Bc", "description", json!("a b+c")),
        ("vmid=207&onboot=1", "onboot", json!(1)),
        ("vmid=209&description=", "description", absent.clone()),
        ("vmid=210&description=%C3%A9", "description", json!("é")),
        (r#"{"vmid":220,"memory":128,"cores":2}"#, "memory", json!("128")),
        (r#"{"vmid":225,"cores":2}"#, "cores", json!(2)),
        (r#"{"vmid":221,"onboot":true}"#, "onboot", json!(1)),
        (r#"{"vmid":222,"description":null}"#, "description", absent),
        (r#"{"vmid":223,"onboot":false}"#, "onboot", json!(0)),
        (r#"{"vmid":224,"tags":["a","b"]}"#, "tags", json!("a,b")),
        ("vmid=226&agent=1", "agent", json!("1")),
        ("vmid=227&cipassword=secret", "cipassword", json!("**********")),
        ("vmid=228&balloon=0", "balloon", json!(0)),
        ("vmid=229&sshkeys=ssh-ed25519%2520AAAA%2520x%2540y%250A", "sshkeys", json!("ssh-ed25519%20AAAA%20x%40y%0A")),
    ];
    for (body, key, value) in cases {
        let vmid =
            body.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect::<String>();
        api.done(api.post("/nodes/pve1/qemu", body).await).await;
        let config = api.get(&format!("/nodes/pve1/qemu/{vmid}/config")).await.data();
        assert_eq!(config[key], value, "{body}");
        assert_eq!(config["boot"], " ", "an unset boot order is a blank");
        assert_eq!(config["digest"].as_str().unwrap().len(), 40);
        assert!(config["meta"].as_str().unwrap().starts_with("creation-qemu=10.0.2,ctime="));
    }
    let bare = format!("POST /api2/json/nodes/pve1/qemu HTTP/1.1\r\n{}Content-Length: 8\r\n\r\nvmid=502", api.auth);
    api.done(common::raw(&sim, &bare).await).await;
    assert!(sim.hand().vm(502).is_some(), "a body without a type is a form");
}

#[tokio::test]
async fn next_id_is_a_string_and_reserves_nothing() {
    let sim = sim().await;
    let api = root(&sim);
    for _ in 0..8 {
        assert_eq!(api.get("/cluster/nextid").await.data(), "100");
    }
    assert_eq!(api.get("/cluster/nextid?vmid=4242").await.data(), "4242");
    api.done(api.post("/nodes/pve1/qemu", "vmid=100").await).await;
    assert_eq!(api.get("/cluster/nextid").await.data(), "101");
}

#[tokio::test]
async fn the_log_of_an_unknown_task_is_an_object_and_not_an_error() {
    let sim = sim().await;
    let upid = "UPID:pve1:0000FFFF:00027CB0:6B00336C:qmstart:9000:root@pam:";
    let answer = root(&sim).get(&format!("/nodes/pve1/tasks/{upid}/log")).await;
    let wanted = json!({ "data": { "n": 1, "t": "unable to open file - No such file or directory" }, "total": 1 });
    assert_eq!(answer.json(), wanted);
}
