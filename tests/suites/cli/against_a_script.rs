//! What the program does when answers are lost, late, wrong or many.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Answer, Done, Script, command, eventually};

const JOB: &str = "0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01";

fn job(state: &str, progress: u64, steps: &Value) -> Answer {
    let error =
        if state == "failed" { json!({ "code": "x", "detail": "No space left on device" }) } else { Value::Null };
    Answer::Json(
        200,
        json!({ "id": JOB, "kind": "provision", "state": state, "progress": progress, "steps": steps, "error": error,
                "started_at": "2026-01-01T00:00:00Z",
                "finished_at": if state == "running" { Value::Null } else { "2026-01-01T00:00:03Z".into() } }),
    )
}

fn step(name: &str, state: &str) -> Value {
    json!({ "name": name, "state": state, "attempt": 1, "detail": "", "started_at": "2026-01-01T00:00:00Z",
            "finished_at": if state == "done" { "2026-01-01T00:00:01Z".into() } else { Value::Null } })
}

#[test]
fn a_request_whose_answer_is_lost_is_sent_again_with_the_same_key() {
    let plan = json!({ "id": "p-1", "name": "small" });
    let script = Script::start([Answer::Lost, Answer::Json(201, plan)]);
    script.run("plan add small --vcpu 1 --memory 1G --disk 8").ok();
    let seen = script.seen();
    let keys: Vec<_> = seen.iter().map(|request| request.header("idempotency-key").expect("a key")).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    assert!(seen.iter().all(|request| request.line == "POST /api/platform/plans HTTP/1.1"), "{seen:?}");
    assert_eq!(seen[0].header("authorization"), Some("Bearer a-token"));

    let again = Script::start([Answer::Json(201, json!({ "id": "p-1" }))]);
    again.run("plan add small --vcpu 1 --memory 1G --disk 8 --idempotency-key order-7").ok();
    assert_eq!(again.seen()[0].header("idempotency-key"), Some("order-7"));
}

#[test]
fn the_token_that_is_revoked_is_not_the_one_that_asks() {
    let other = "0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a02";
    let script = Script::start([Answer::Json(204, Value::Null)]);
    script.run(&format!("token revoke {other} --yes")).ok();
    let seen = script.seen();
    assert_eq!(seen[0].line, format!("DELETE /api/auth/tokens/{other} HTTP/1.1"));
    assert_eq!(seen[0].header("authorization"), Some("Bearer a-token"));
}

#[test]
fn pages_are_followed_up_to_the_limit() {
    let page = |names: &[&str], next: Value| {
        let items: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
        Answer::Json(200, json!({ "items": items, "next_page_token": next }))
    };
    let script = Script::start([page(&["a", "b"], "t1".into()), page(&["c"], Value::Null)]);
    assert_eq!(script.run("plan list -q").ok(), "a\nb\nc\n");
    assert!(script.seen()[1].line.contains("page_token=t1"), "{:?}", script.seen());

    let script = Script::start([page(&["a", "b"], "t1".into())]);
    let document = script.run("plan list --json --limit 2").json();
    assert_eq!(document, json!({ "items": [{ "name": "a" }, { "name": "b" }], "next_page_token": "t1" }));
    assert!(script.seen()[0].line.contains("limit=2"), "{:?}", script.seen());
}

#[test]
fn a_job_is_followed_to_its_end_one_line_a_change() {
    let running = json!([step("reserve", "done"), step("clone", "running"), step("start", "pending")]);
    let over = json!([step("reserve", "done"), step("clone", "done"), step("start", "done")]);
    let script =
        Script::start([job("running", 30, &running), job("running", 30, &running), job("succeeded", 100, &over)]);
    let done = script.run(&format!("job watch {JOB}"));
    let told: Vec<_> = done.stderr.lines().map(str::to_owned).collect();
    let expected = [
        "✓ reserve        done (1.0 s)",
        "… clone          running",
        "✓ clone          done (1.0 s)",
        "✓ start          done (1.0 s)",
    ];
    assert_eq!(told, expected);
    assert_eq!(done.ok(), "provision succeeded in 3.0 s\n");
}

#[test]
fn a_password_that_is_waited_for_is_told_once_it_counts() {
    let made = || Answer::Json(202, json!({ "job": { "id": JOB }, "user": "debian", "password": "s3cret" }));
    let over = |state| Script::start([made(), job(state, 100, &json!([]))]);
    let line = format!("pod reset-password {JOB}");
    let done = over("succeeded").run(&format!("{line} --wait -q"));
    assert_eq!(done.ok(), "password of debian: s3cret\n");
    let done = over("failed").run(&format!("{line} --wait"));
    assert!(!done.stdout.contains("s3cret"), "it was not set: {}", done.stdout);
    done.fails(1);
    let done = over("running").run(&format!("{line} --wait --timeout 300ms"));
    assert!(done.stdout.contains("s3cret"), "the job may set it still: {}", done.stdout);
    done.fails(6);
    let done = over("running").run(&line);
    assert!(done.stderr.contains("once the job has succeeded"), "{}", done.stderr);
    assert!(done.ok().contains("s3cret"));
}

#[test]
fn an_image_that_was_made_of_a_pod_is_found_by_its_name_to_be_told_how_it_goes() {
    let missing = json!({ "code": "not_found", "title": "Not Found", "detail": "no such image: golden" });
    let list = json!({ "items": [{ "id": JOB, "name": "golden", "tenant_id": JOB }], "next_page_token": null });
    let captured = json!({ "code": "image_captured", "title": "Conflict", "detail": "use `mpanel image destroy`" });
    let script = Script::start([Answer::Json(404, missing), Answer::Json(200, list), Answer::Json(409, captured)]);
    assert!(script.run("image remove golden --yes").fails(3).contains("mpanel image destroy"));
    assert!(script.seen()[2].line.starts_with(&format!("DELETE /api/platform/images/{JOB} ")), "{:?}", script.seen());
}

#[test]
fn a_failed_job_is_a_failed_command_with_the_cause() {
    let script = Script::start([job("failed", 40, &json!([]))]);
    let told = script.run(&format!("job watch {JOB}")).fails(1);
    assert!(told.contains("No space left on device") && told.contains(&format!("mpanel job log {JOB}")), "{told}");

    let done = script.run(&format!("job watch {JOB} --json"));
    let document: Value = serde_json::from_str(&done.stdout).expect("the job, as the API has it");
    assert_eq!(document["state"], "failed");
    let error: Value = serde_json::from_str(&done.stderr).expect("the error, as JSON");
    assert_eq!((error["code"].as_str(), done.code), (Some("failed"), 1));
}

#[test]
fn a_wait_that_is_over_first_says_that_the_work_goes_on() {
    let script = Script::start([job("running", 10, &json!([]))]);
    let told = script.run(&format!("job watch {JOB} --timeout 300ms")).fails(6);
    assert!(told.contains(&format!("the job goes on: `mpanel job watch {JOB}`")), "{told}");
}

#[test]
fn a_watch_outlives_a_restart_of_the_control_plane() {
    let unavailable = Answer::Json(503, json!({ "code": "unavailable", "title": "x", "detail": "starting" }));
    let lost = std::iter::repeat_n(Answer::Lost, 5);
    let script = Script::start(lost.chain([unavailable, job("succeeded", 100, &json!([]))]));
    let done = script.run(&format!("job watch {JOB}"));
    assert!(done.stderr.contains("the control plane does not answer; still trying"), "{}", done.stderr);
    done.ok();
}

#[test]
fn what_is_no_control_plane_is_told_apart() {
    let html = Script::start([Answer::Text(404, "text/html", "<h1>Not here</h1>")]);
    let told = html.run("server list").fails(5);
    assert!(told.contains("not as mPanel does") && told.contains("MPANEL_URL"), "{told}");

    let elsewhere = Script::start([Answer::Redirect("https://mpanel.example/")]);
    let told = elsewhere.run("server list").fails(5);
    assert!(told.contains("it sends us to https://mpanel.example/"), "{told}");
    assert_eq!(elsewhere.seen().len(), 1);

    let no_list = Script::start([Answer::Json(200, json!({ "hello": "world" }))]);
    no_list.run("server list").fails(5);
}

#[test]
fn nobody_there_is_told_at_once_with_what_to_do() {
    let url = "http://127.0.0.1:1";
    let done = Done::of(command().args(["--url", url, "--token", "t", "pod", "list"]).output().unwrap());
    let told = done.fails(5);
    assert!(told.contains(url) && told.contains("mpanel serve"), "{told}");

    let script = ["--url", url, "--token", "t", "pod", "list", "--json"];
    let error: Value = serde_json::from_str(&Done::of(command().args(script).output().unwrap()).fails(5)).unwrap();
    assert_eq!(error["code"], "unreachable");
}

#[test]
fn text_of_others_cannot_command_the_terminal() {
    let script =
        Script::start([Answer::Json(200, json!({ "items": [{ "name": "a\u{1b}[2Jb" }], "next_page_token": null }))]);
    let shown = script.run("plan list").ok();
    assert!(!shown.contains('\u{1b}') && shown.contains('\u{fffd}'), "{shown:?}");
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let items: Vec<Value> = (0..5000).map(|n| json!({ "name": format!("plan-number-{n}"), "vcpu": n })).collect();
    let script = Script::start([Answer::Json(200, json!({ "items": items, "next_page_token": null }))]);
    let mut child = command()
        .args(["--url", &script.url, "--token", "t", "plan", "list", "--json", "--limit", "5000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Closes the pipe before anything was read from it.
    drop(child.stdout.take());
    let done = Done::of(child.wait_with_output().unwrap());
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
}

#[test]
fn ctrl_c_ends_the_wait_and_not_the_job() {
    let script = Script::start([job("running", 10, &json!([]))]);
    let child = command()
        .args(["--url", &script.url, "--token", "t", "job", "watch", JOB])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // By the second look it waits, and listens to signals.
    eventually("the second look", || script.seen().len() >= 2);
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let told = Done::of(child.wait_with_output().unwrap()).fails(6);
    assert!(told.contains("you stopped waiting, but the job goes on"), "{told}");
}
