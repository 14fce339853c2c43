//! Whatever people do to each other, a tenant keeps an owner, and nobody gives away more than they have.

use futures::future::join_all;
use mpanel_tests::app::Api;
use mpanel_tests::people::{Person, member, tenant, token};
use mpanel_tests::signing_in::PASSWORD;
use mpanel_tests::{TestApp, databases};
use proptest::prelude::*;
use serde_json::json;

use control_plane::domain::access::{Permissions, Role};

/// What one of a tenant's people tries.
#[derive(Clone, Copy, Debug)]
enum Try {
    /// With another, or with themselves.
    Change(Step),
    /// To have somebody new join as this.
    Invite(usize, Role),
}

#[derive(Clone, Copy, Debug)]
struct Step {
    by: usize,
    whom: usize,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Role(Role),
    Suspend,
    Reactivate,
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let role = || prop::sample::select(Role::ALL.to_vec());
    let what = prop_oneof![4 => role().prop_map(What::Role), 2 => Just(What::Suspend), 1 => Just(What::Reactivate)];
    let step = (0..4_usize, 0..4_usize, what).prop_map(|(by, whom, what)| Try::Change(Step { by, whom, what }));
    let invite = (0..4_usize, role()).prop_map(|(by, role)| Try::Invite(by, role));
    prop::collection::vec(prop_oneof![5 => step, 1 => invite], 1..14)
}

/// What should be: each person's role, and whether they come in.
type Model = [(Role, bool); 4];

/// What a step comes to: 200, 403 or 409, and what is then.
fn expected(model: Model, Step { by, whom, what }: Step) -> (u16, Model) {
    let ((rank, _), (role, active)) = (model[by], model[whom]);
    let mut after = model;
    after[whom] = match what {
        What::Role(to) => (to, active),
        What::Suspend => (role, false),
        What::Reactivate => (role, true),
    };
    let may = match what {
        What::Role(to) => rank.may_give(role) && rank.may_give(to),
        What::Suspend | What::Reactivate => rank.may_give(role),
    };
    if !may {
        return (403, model);
    }
    if after.contains(&(Role::Owner, true)) { (200, after) } else { (409, model) }
}

async fn act(api: &Api, whom: &str, what: What) -> u16 {
    let path = format!("/api/users/{whom}");
    let answer = match what {
        What::Role(role) => api.patch(&format!("{path}/role"), &json!({"role": role})).await,
        What::Suspend => api.post(&format!("{path}/suspend"), &json!({})).await,
        What::Reactivate => api.post(&format!("{path}/reactivate"), &json!({})).await,
    };
    answer.status.as_u16()
}

async fn people(app: &TestApp, case: u32, roles: [Role; 4]) -> (String, Vec<Person>) {
    let home = tenant(app, &format!("tenant {case}")).await;
    let mut all = Vec::new();
    for (number, role) in roles.into_iter().enumerate() {
        all.push(member(app, &home, role.as_str(), &format!("{number}@{case}.example")).await);
    }
    (home, all)
}

/// Invites somebody new, who joins if they were; what the invitation was answered.
async fn invite(app: &TestApp, home: &str, api: &Api, role: Role) -> u16 {
    let email = format!("{}@guests.example", uuid::Uuid::now_v7().simple());
    let invited = api.post("/api/users/invite", &json!({"email": email, "role": role})).await;
    if let Some(token) = invited.body["token"].as_str() {
        let body = json!({"token": token, "name": "Guest", "password": PASSWORD});
        let joined = app.api.post("/api/users/invite/accept", &body).await.expect(200);
        assert_eq!((&joined["role"], &joined["tenant_id"]), (&json!(role), &json!(home)));
        // No owner more for what comes next.
        let path = format!("/api/admin/users/{}/suspend", joined["id"].as_str().expect("an id"));
        app.api.post(&path, &json!({})).await.expect(200);
    }
    invited.status.as_u16()
}

async fn tries_check(app: &TestApp, case: u32, tries: Vec<Try>) {
    let roles = [Role::Owner, Role::Admin, Role::Billing, Role::Member];
    let (home, people) = people(app, case, roles).await;
    let mut model: Model = roles.map(|role| (role, true));
    for one in tries {
        let (Try::Change(Step { by, .. }) | Try::Invite(by, _)) = one;
        let (rank, active) = model[by];
        if !active {
            continue; // They are out, and another test shows it.
        }
        // A token of all that they may do at this moment; the one before may have ended, or have less.
        let all: Permissions = rank.permissions();
        let api = app.api.with_token(&token(app, &people[by].id, Some(&home), all, Some(1)).await);
        match one {
            Try::Invite(_, role) => {
                let status = if rank.may_give(role) { 201 } else { 403 };
                assert_eq!(invite(app, &home, &api, role).await, status, "{one:?} in {model:?}");
            }
            Try::Change(step) => {
                let (status, after) = expected(model, step);
                assert_eq!(act(&api, &people[step.whom].id, step.what).await, status, "{step:?} in {model:?}");
                model = after;
            }
        }
        for (person, (role, active)) in people.iter().zip(model) {
            let shown = app.api.get(&format!("/api/admin/users/{}", person.id)).await.expect(200);
            let state = if active { "active" } else { "suspended" };
            assert_eq!((&shown["role"], &shown["state"]), (&json!(role), &json!(state)), "after {one:?}");
        }
    }
}

#[test]
fn no_sequence_of_changes_loses_the_last_owner_or_gives_more_than_its_maker_has() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for database in runtime.block_on(databases()) {
        let app = runtime.block_on(TestApp::start_on(&database));
        let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
        let case = std::sync::atomic::AtomicU32::new(0);
        proptest!(config, |(tries in tries())| {
            let case = case.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            runtime.block_on(tries_check(&app, case, tries));
        });
        runtime.block_on(app.stop());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_who_unmake_each_other_at_the_same_moment_leave_one() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        for round in 0..8 {
            let (home, owners) = people(&app, round, [Role::Owner; 4]).await;
            let all = owners.iter().enumerate().flat_map(|(number, owner)| {
                let next = &owners[(number + 1) % owners.len()];
                [
                    act(&owner.api, &next.id, What::Role(Role::Member)),
                    act(&owner.api, &owner.id, What::Suspend),
                    act(&owner.api, &owner.id, What::Role(Role::Admin)),
                ]
            });
            let statuses = join_all(all).await;
            // Whoever was unmade meanwhile is refused or out; nobody fails.
            let known = |status: &u16| [200, 401, 403, 409].contains(status);
            assert!(statuses.iter().all(known), "{}: {statuses:?}", database.name);
            let path = format!("/api/admin/users?tenant_id={home}&role=OWNER&state=active");
            let left = app.api.get(&path).await.expect(200);
            let left = left["items"].as_array().unwrap().len();
            assert!(left >= 1, "{}: no owner is left after {statuses:?}", database.name);
        }
        app.stop().await;
    }
}
