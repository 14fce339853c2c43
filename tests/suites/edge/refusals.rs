use mpanel_tests::TestApp;
use mpanel_tests::app::{TOKEN, send};
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn nothing_is_open_but_the_signs_of_life() {
    let (app, _database) = TestApp::start().await;
    for path in ["/api/openapi.json", "/api/docs", "/metrics", "/api/platform/servers", "/api/nothing", "/healthz/"] {
        let answer = send(app.api.anonymous(Method::GET, path)).await;
        answer.expect_problem(401, "unauthorized");
        assert!(answer.header("www-authenticate").starts_with("Bearer "), "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        let body = send(app.api.anonymous(Method::GET, path)).await.expect(200);
        assert!(body["status"] == "alive" || body["ready"] == true, "{body}");
    }
    app.stop().await;
}

#[tokio::test]
async fn what_is_not_there_and_what_it_does_not_take_are_problems() {
    let (app, _database) = TestApp::start().await;
    app.api.get("/api/nothing").await.expect_problem(404, "not_found");
    let wrong = app.api.delete("/metrics").await;
    wrong.expect_problem(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), "GET,HEAD");
    let strange = send(app.api.request(Method::from_bytes(b"BREW").unwrap(), "/metrics")).await;
    strange.expect_problem(405, "method_not_allowed");
    for id in ["nonsense", "%00", "%ff", "01a1f94f-0000-7000-8000-000000000000"] {
        let answer = app.api.get(&format!("/api/platform/provisioning/jobs/{id}")).await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{id}: {}", answer.text);
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_query_is_read_strictly() {
    let (app, _database) = TestApp::start().await;
    let jobs = "/api/platform/provisioning/jobs";
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=many", "limit"),
        ("limit=1&limit=2", "limit"),
        ("stat=queued", "stat"),
        ("state=dead", "state"),
        ("cloudpod_id=5", "cloudpod_id"),
        ("kind=a%00b", "kind"),
        ("page_token=nonsense", "page_token"),
        ("page_token=AQAAAAAAAAAAMQ", "page_token"),
    ] {
        let message = app.api.get(&format!("{jobs}?{query}")).await.expect_field(field);
        assert!(!message.is_empty(), "{query}");
    }
    let page = app.api.get(&format!("{jobs}?limit=200&state=queued")).await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 0);
    assert!(page["next_page_token"].is_null());
    app.stop().await;
}

#[tokio::test]
async fn a_body_is_bounded() {
    let (app, _database) = TestApp::start().await;
    let large = vec![b' '; 256 * 1024 + 1];
    let request = app.api.request(Method::POST, "/api/platform/nothing").header("Content-Type", "application/json");
    send(request.body(large.clone())).await.expect_problem(413, "too_large");
    // Without a length, in pieces.
    let mut stream = tokio::net::TcpStream::connect(app.running.address).await.unwrap();
    let head = format!(
        "POST /api/platform/nothing HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut answers, mut pieces) = stream.into_split();
    let piece = format!("2710\r\n{}\r\n", " ".repeat(10_000));
    for _ in 0..27 {
        // The answer may come, and the connection end, before all is written.
        let _ = pieces.write_all(piece.as_bytes()).await;
    }
    let mut start = [0; 12];
    answers.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
    app.stop().await;
}

#[tokio::test]
async fn wrong_bodies_are_named_and_change_nothing() {
    let (app, _database) = TestApp::start().await;
    let plans = "/api/platform/plans";
    let post = |body: Vec<u8>, kind: &'static str| {
        app.api.request(Method::POST, plans).header("Content-Type", kind).body(body)
    };
    let json = "application/json";
    send(post(b"name=x".to_vec(), "application/x-www-form-urlencoded"))
        .await
        .expect_problem(415, "unsupported_media_type");
    send(app.api.request(Method::POST, plans).body("{}")).await.expect_problem(415, "unsupported_media_type");
    let empty = send(post(Vec::new(), json)).await;
    assert!(empty.expect_problem(400, "malformed")["detail"].as_str().unwrap().contains("empty"));
    let broken = send(post(b"{\n\"name\": nope}".to_vec(), json)).await;
    assert!(broken.expect_problem(400, "malformed")["detail"].as_str().unwrap().contains("line 2 column"));
    for bad in [
        b"{\"name\":\"\xff\"}".to_vec(),
        "[".repeat(100_000).into_bytes(),
        b"{\"name\":\"a\"".to_vec(),
        b"{} {}".to_vec(),
    ] {
        send(post(bad, json)).await.expect_problem(400, "malformed");
    }
    for (body, field) in [
        ("{\"nmae\":\"a\"}", "nmae"),
        ("{\"name\":5}", "name"),
        ("{\"name\":\"a\\u0000b\"}", "name"),
        ("{\"name\":\"a\",\"name\":\"b\"}", "name"),
        ("[]", "body"),
        ("null", "body"),
    ] {
        let message = send(post(body.as_bytes().to_vec(), json)).await.expect_field(field);
        assert!(!message.is_empty(), "{body}");
    }
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(200_000));
    let answer = send(post(long.into_bytes(), json)).await;
    assert_eq!(answer.status.as_u16(), 422, "{}", answer.text);
    assert!(answer.text.len() < 2000, "a caller's own text is repeated in part only");
    assert_eq!(app.api.get(plans).await.expect(200)["items"].as_array().unwrap().len(), 0);
    app.stop().await;
}
