//! Passwords through the guest agent, traffic counters, ISO images, CD drives and what is booted from.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

mod common;

use common::{builder, root, sim, until};
use serde_json::json;

const QEMU: &str = "/nodes/pve1/qemu";

#[tokio::test]
async fn a_password_is_set_through_the_guest_agent_for_a_user_that_there_is() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let path = format!("{QEMU}/101/agent/set-user-password");
    let off = api.post(&path, "username=debian&password=hunter22").await;
    assert_eq!((off.status, off.reason.as_str()), (500, "VM 101 is not running"));
    api.start_vm(101).await;
    until("the guest agent to answer", async || {
        api.post(&path, "username=debian&password=hunter22").await.status == 200
    })
    .await;
    assert_eq!(sim.hand().guest_password(101, "debian").as_deref(), Some("hunter22"));
    let nobody = api.post(&path, "username=nobody-here&password=hunter22").await;
    assert_eq!(nobody.reason, "Agent error: child process has failed to set user password");
    let short = api.post(&path, "username=root&password=1234").await;
    assert_eq!(short.status, 400);
    assert_eq!(short.json()["errors"]["password"], "value must be at least 5 characters long");
    assert_eq!(sim.hand().guest_password(101, "root"), None);
}

#[tokio::test]
async fn traffic_is_counted_from_zero_at_each_start() {
    let sim = sim().await;
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let counted = async || {
        let status = api.get(&format!("{QEMU}/101/status/current")).await.data();
        (status["netin"].as_u64().unwrap(), status["netout"].as_u64().unwrap())
    };
    assert_eq!(counted().await, (0, 0), "a stopped VM counts nothing");
    api.start_vm(101).await;
    let (first_in, first_out) = counted().await;
    until("the counters to grow", async || {
        let (received, sent) = counted().await;
        received > first_in && sent > first_out
    })
    .await;
    assert!(sim.hand().set_traffic(101, 7_000_000_000, 9_000_000_000));
    assert_eq!(counted().await, (7_000_000_000, 9_000_000_000));
    let list = api.get(QEMU).await.data();
    let row = list.as_array().unwrap().iter().find(|row| row["vmid"] == 101).unwrap().clone();
    assert_eq!((&row["netin"], &row["netout"]), (&json!(7_000_000_000_u64), &json!(9_000_000_000_u64)));
    api.done(api.post(&format!("{QEMU}/101/status/stop"), "").await).await;
    assert_eq!(counted().await, (0, 0));
    assert!(!sim.hand().set_traffic(101, 1, 1), "nothing is counted for a stopped VM");
}

#[tokio::test]
async fn a_cd_is_put_in_and_booted_from() {
    let sim = builder().iso("local", "rescue.iso", 600 << 20).start().await.unwrap();
    let api = root(&sim);
    assert!(sim.hand().add_iso("local", "second.iso", 10 << 20));
    let isos = api.get("/nodes/pve1/storage/local/content?content=iso").await.data();
    let names: Vec<&str> = isos.as_array().unwrap().iter().map(|iso| iso["volid"].as_str().unwrap()).collect();
    assert_eq!(names, ["local:iso/rescue.iso", "local:iso/second.iso"]);
    assert_eq!(isos[0]["size"], 600 << 20);
    api.clone_vm(101, "").await;
    let config = format!("{QEMU}/101/config");
    let cd = "ide0=local%3Aiso%2Frescue.iso%2Cmedia%3Dcdrom";
    assert_eq!(api.put(&config, &format!("{cd}&boot=order%3Dide0%3Bscsi0")).await.status, 200);
    let shown = api.get(&config).await.data();
    assert_eq!(shown["ide0"], "local:iso/rescue.iso,media=cdrom");
    assert_eq!(shown["boot"], "order=ide0;scsi0");
    let missing = api.put(&config, "sata0=local%3Aiso%2Fnope.iso%2Cmedia%3Dcdrom").await;
    assert_eq!(missing.reason, "volume 'local:iso/nope.iso' does not exist");
    let nothing = api.put(&config, "boot=order%3Dsata3").await;
    assert_eq!(nothing.reason, "invalid bootorder: device 'sata3' does not exist'");
    // While it runs, a CD changes at once, but a drive neither comes nor goes.
    api.start_vm(101).await;
    assert_eq!(api.put(&config, "ide0=local%3Aiso%2Fsecond.iso%2Cmedia%3Dcdrom&boot=order%3Dscsi0").await.status, 200);
    assert_eq!(api.put(&config, "sata0=none%2Cmedia%3Dcdrom").await.status, 200);
    let current = api.get(&format!("{config}?current=1")).await.data();
    assert_eq!(current["ide0"], "local:iso/second.iso,media=cdrom");
    assert_eq!(current["boot"], "order=ide0;scsi0");
    assert!(current.get("sata0").is_none(), "{current}");
    api.done(api.post(&format!("{QEMU}/101/status/stop"), "").await).await;
    let after = api.get(&format!("{config}?current=1")).await.data();
    assert_eq!((&after["boot"], &after["sata0"]), (&json!("order=scsi0"), &json!("none,media=cdrom")));
}

#[tokio::test]
async fn an_iso_image_is_deleted_and_outlives_the_vm_that_had_it() {
    let sim = builder().iso("local", "rescue.iso", 600 << 20).start().await.unwrap();
    let api = root(&sim);
    api.clone_vm(101, "").await;
    let cd = "ide0=local%3Aiso%2Frescue.iso%2Cmedia%3Dcdrom&protection=1";
    assert_eq!(api.put(&format!("{QEMU}/101/config"), cd).await.status, 200);
    let kept = api.delete(&format!("{QEMU}/101")).await;
    assert_eq!(kept.reason, "can't remove VM 101 - protection mode enabled");
    assert_eq!(api.put(&format!("{QEMU}/101/config"), "protection=0").await.status, 200);
    api.done(api.delete(&format!("{QEMU}/101")).await).await;
    assert!(sim.hand().volumes("local").contains(&"iso/rescue.iso".to_owned()));
    let log = api.done(api.delete("/nodes/pve1/storage/local/content/local%3Aiso%2Frescue.iso").await).await;
    assert_eq!(log[0], "Removed volume 'local:iso/rescue.iso'");
    assert!(!sim.hand().volumes("local").contains(&"iso/rescue.iso".to_owned()));
}
