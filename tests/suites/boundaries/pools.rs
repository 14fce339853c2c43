//! Pools of addresses that are not for customers.

use mpanel_tests::databases;
use serde_json::json;

use super::{PODS, Stage, wanted, with};

const POOLS: &str = "/api/platform/ip-pools";

#[tokio::test]
async fn a_private_pool_is_nothing_to_a_tenant_and_nobody_gets_it_unasked() {
    for database in databases().await {
        let stage = Stage::new(&database, |_| {}).await;
        let staff = &stage.staff;
        // The first by age: it would be the first choice.
        let pool = json!({ "name": "backbone", "cidr": "10.0.0.0/24", "gateway": "10.0.0.1", "public": false });
        assert_eq!(staff.post(POOLS, &pool).await.expect(201)["public"], false);
        let pool = json!({ "name": "lan", "cidr": "192.0.2.0/24", "gateway": "192.0.2.1" });
        assert_eq!(staff.post(POOLS, &pool).await.expect(201)["public"], true, "unless it is said otherwise");
        let named = |pool: &str| with(wanted("web-2"), &json!({ "ip_pools": [pool] }));
        for (role, api) in stage.people() {
            let hidden = api.post(PODS, &named("backbone")).await.expect_field("ip_pools[0]");
            let missing = api.post(PODS, &named("nothing")).await.expect_field("ip_pools[0]");
            assert_eq!(hidden.replace("backbone", "nothing"), missing, "{role}");
        }
        let asked = stage.asked("web-1").await;
        let pod = format!("{PODS}/{}", asked["cloudpod"]["id"].as_str().unwrap());
        let pod = stage.member.get(&pod).await.expect(200);
        let pools: Vec<_> = pod["addresses"].as_array().unwrap().iter().map(|one| &one["pool"]["name"]).collect();
        assert_eq!(pools, ["lan"], "{}", database.name);
        staff.post(PODS, &named("backbone")).await.expect(202);

        staff.patch(&format!("{POOLS}/backbone"), &json!({ "public": true })).await.expect(200);
        let named = with(wanted("web-3"), &json!({ "ip_pools": ["backbone"] }));
        stage.member.post(PODS, &named).await.expect(202);
        stage.app.stop().await;
    }
}
