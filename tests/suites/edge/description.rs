use std::collections::BTreeSet;

use mpanel_tests::TestApp;
use mpanel_tests::app::send;
use reqwest::Method;
use serde_json::Value;

/// Every operation of the description: path, method and what is said of it.
fn operations(api: &Value) -> Vec<(String, String, Value)> {
    let paths = api["paths"].as_object().unwrap();
    let of = |path: &String, item: &Value| -> Vec<(String, String, Value)> {
        let methods = item.as_object().unwrap().iter();
        let methods =
            methods.filter(|(method, _)| ["get", "post", "put", "patch", "delete"].contains(&method.as_str()));
        methods.map(|(method, about)| (path.clone(), method.to_uppercase(), about.clone())).collect()
    };
    paths.iter().flat_map(|(path, item)| of(path, item)).collect()
}

#[tokio::test]
async fn every_operation_refuses_strangers_and_says_what_it_needs() {
    let (app, _database) = TestApp::start().await;
    let api = app.api.get("/api/openapi.json").await.expect(200);
    assert_eq!(api["openapi"], "3.1.0");
    let info = &api["info"];
    assert_eq!((&info["title"], &info["version"]), (&"mPanel".into(), &env!("CARGO_PKG_VERSION").into()));
    assert_eq!(info["license"], serde_json::json!({ "name": "Apache-2.0", "identifier": "Apache-2.0" }));
    assert!(info["contact"].is_null() && info["description"].is_string(), "{info}");
    let operations = operations(&api);
    assert!(operations.len() > 5, "{operations:?}");
    let ids: BTreeSet<_> = operations.iter().map(|(_, _, about)| about["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), operations.len(), "each operation has an id of its own");
    for (path, method, about) in operations {
        let name = format!("{method} {path}");
        assert!(about["tags"][0].is_string(), "{name} has no tag");
        assert!(about["summary"].is_string(), "{name} has no summary");
        if about["security"] == serde_json::json!([]) {
            continue; // Which those are is walked in another test.
        }
        let permission = about["x-permission"].as_str().unwrap_or_else(|| panic!("{name} names no x-permission"));
        assert!(permission.split_once(':').is_some_and(|(noun, verb)| !noun.is_empty() && !verb.is_empty()), "{name}");
        assert_eq!(about["security"][0]["token"], serde_json::json!([]), "{name}");
        assert!(about["responses"]["default"]["content"]["application/problem+json"].is_object(), "{name}");
        let path = path.replace(['{', '}'], "");
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        send(app.api.anonymous(method.clone(), &path)).await.expect_problem(401, "unauthorized");
        let forged = app.api.with_token("a-wrong-token-a-wrong-token-a-wrong-token");
        let status = send(forged.request(method, &path)).await.status.as_u16();
        assert!([401, 429].contains(&status), "{name}: {status}");
    }
    app.stop().await;
}

#[tokio::test]
async fn every_reference_in_the_description_leads_somewhere() {
    let (app, _database) = TestApp::start().await;
    let api = app.api.get("/api/openapi.json").await.expect(200);
    let text = api.to_string();
    for reference in text.split("\"$ref\":\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        let pointer = reference.strip_prefix('#').expect("a reference within the document");
        assert!(api.pointer(pointer).is_some(), "{reference}");
    }
    app.stop().await;
}

#[tokio::test]
async fn the_page_asks_nobody_else_for_a_part_of_it() {
    let (app, _database) = TestApp::start().await;
    let page = app.api.get("/api/docs").await;
    assert_eq!(page.status.as_u16(), 200);
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && policy.contains("script-src 'sha256-"), "{policy}");
    for elsewhere in ["src=", "<link", "@import", "url("] {
        assert!(
            !page.text.split("<script type=\"application/json\"").next().unwrap().contains(elsewhere),
            "{elsewhere}"
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn what_happens_is_counted() {
    let (app, _database) = TestApp::start().await;
    app.api.get("/api/platform/nothing").await.expect_problem(404, "not_found");
    let metrics = app.api.get("/metrics").await;
    assert_eq!(metrics.status.as_u16(), 200);
    for line in [
        "mpanel_http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} ",
        "mpanel_http_request_seconds_bucket{method=\"GET\",route=\"unmatched\",le=\"0.001\"} ",
        "mpanel_db_connections{pool=\"",
    ] {
        assert!(metrics.text.contains(line), "{line} is not in\n{}", metrics.text);
    }
    app.stop().await;
}
