//! Whatever people do to each other, a tenant keeps an owner, and nobody gives away more than they have.

use futures::future::join_all;
use mpanel_tests::app::Api;
use mpanel_tests::people::{Person, member, tenant, token};
use mpanel_tests::{TestApp, databases};
use proptest::prelude::*;
use serde_json::json;

use control_plane::domain::access::{Permissions, Role};

/// What one of a tenant's people tries with another, or with themselves.
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

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let role = prop::sample::select(Role::ALL.to_vec());
    let what = prop_oneof![4 => role.prop_map(What::Role), 2 => Just(What::Suspend), 1 => Just(What::Reactivate)];
    let step = (0..4_usize, 0..4_usize, what).prop_map(|(by, whom, what)| Step { by, whom, what });
    prop::collection::vec(step, 1..14)
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

async fn steps_check(app: &TestApp, case: u32, steps: Vec<Step>) {
    let roles = [Role::Owner, Role::Admin, Role::Billing, Role::Member];
    let (home, people) = people(app, case, roles).await;
    let mut model: Model = roles.map(|role| (role, true));
    for step in steps {
        let (rank, active) = model[step.by];
        if !active {
            continue; // They are out, and another test shows it.
        }
        // A token of all that they may do at this moment; the one before may have ended, or have less.
        let all: Permissions = rank.permissions();
        let api = app.api.with_token(&token(app, &people[step.by].id, Some(&home), all, Some(1)).await);
        let (status, after) = expected(model, step);
        assert_eq!(act(&api, &people[step.whom].id, step.what).await, status, "{step:?} in {model:?}");
        model = after;
        for (person, (role, active)) in people.iter().zip(model) {
            let shown = app.api.get(&format!("/api/admin/users/{}", person.id)).await.expect(200);
            let state = if active { "active" } else { "suspended" };
            assert_eq!((&shown["role"], &shown["state"]), (&json!(role), &json!(state)), "after {step:?}");
        }
    }
}

#[test]
fn no_sequence_of_changes_loses_the_last_owner_or_gives_more_than_its_maker_has() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (app, _database) = runtime.block_on(TestApp::start());
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    let case = std::sync::atomic::AtomicU32::new(0);
    proptest!(config, |(steps in steps())| {
        let case = case.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        runtime.block_on(steps_check(&app, case, steps));
    });
    runtime.block_on(app.stop());
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
