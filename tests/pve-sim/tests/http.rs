//! The connection: what is accepted, refused and left out, as recorded on 8.4.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

mod common;

use std::time::Duration;

use common::{Connection, builder, raw, root, sim};
use pve_sim::Timings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn request(sim: &pve_sim::Sim, method: &str, path: &str, more: &str, body: &str) -> String {
    let token = sim.token();
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: PVEAPIToken={token}\r\n{more}\r\n{body}")
}

#[tokio::test]
async fn a_401_has_a_reason_and_neither_body_nor_length_nor_type() {
    let sim = sim().await;
    let token = sim.token();
    let colon = token.replace('=', ":");
    let cases = [
        (String::new(), "No ticket"),
        ("Authorization: Bearer xyz".to_owned(), "No ticket"),
        (format!("Authorization: pveapitoken={token}"), "No ticket"),
        ("Authorization: PVEAPIToken=garbage".to_owned(), "Authentication failed!"),
        (format!("Authorization: PVEAPIToken={colon}"), "Authentication failed!"),
        (format!("Authorization: PVEAPIToken={token}x"), "Authentication failed!"),
        ("Authorization: PVEAPIToken=root@pam!nosuch=a".to_owned(), "Authentication failed!"),
        ("Authorization: PVEAPIToken=ghost@pve!t=a".to_owned(), "Authentication failed!"),
        ("Cookie: PVEAuthCookie=PVE:root@pam:6B003461::x".to_owned(), "Authentication failed!"),
    ];
    for (header, reason) in cases {
        let line = if header.is_empty() { header.clone() } else { format!("{header}\r\n") };
        let mut conn = Connection::open(&sim).await;
        conn.send(format!("GET /api2/json/version HTTP/1.1\r\nHost: x\r\n{line}\r\n").as_bytes()).await;
        let answer = conn.read().await.unwrap();
        assert_eq!((answer.status, answer.reason.as_str()), (401, reason), "{header}");
        assert!(answer.body.is_empty(), "{header}");
        assert_eq!(answer.header("Content-Length"), None);
        assert_eq!(answer.header("Content-Type"), None);
        assert_eq!(answer.all("Connection"), ["close"]);
        assert!(conn.is_closed().await);
    }
}

#[tokio::test]
async fn a_token_may_follow_its_scheme_after_a_blank() {
    let sim = sim().await;
    let head = format!("GET /api2/json/version HTTP/1.1\r\nAuthorization: PVEAPIToken {}\r\n\r\n", sim.token());
    assert_eq!(raw(&sim, &head).await.data()["version"], "8.4.21");
}

#[tokio::test]
async fn tickets_need_their_csrf_token_to_write() {
    let sim = sim().await;
    let by_ticket = common::ticket(&sim).await;
    assert_eq!(by_ticket.get("/version").await.status, 200);
    let encoded = common::with_auth(&sim, by_ticket.auth.replace('@', "%40").replace("::", "%3A%3A"));
    assert_eq!(encoded.get("/version").await.status, 200, "a percent-encoded cookie is as good");
    assert_eq!(by_ticket.post("/access/users", "userid=zz%40pve").await.status, 200);
    let cookie = by_ticket.auth.split("CSRF").next().unwrap().to_owned();
    for auth in [cookie.clone(), format!("{cookie}CSRFPreventionToken: wrong\r\n")] {
        let answer = common::with_auth(&sim, auth).post("/access/users", "userid=yy%40pve").await;
        assert_eq!((answer.status, answer.reason.as_str()), (401, "Permission denied - invalid csrf token"));
        assert!(answer.body.is_empty());
    }
    let wrong = common::with_auth(&sim, String::new());
    assert_eq!(wrong.get("/access/domains").await.data()[0]["realm"], "pam", "open to all");
    let answer = wrong.post("/access/ticket", "username=root%40pam&password=wrong").await;
    assert_eq!((answer.status, answer.reason.as_str()), (401, "authentication failure"));
    assert_eq!(answer.json()["message"], "authentication failure\n", "this 401 has a body");
    let answer = wrong.post("/access/ticket", "username=root&realm=pam&password=simulated").await;
    assert_eq!(answer.data()["username"], "root@pam");
    assert_eq!(answer.data()["cap"]["vms"]["VM.Clone"], 1);
}

#[tokio::test]
async fn errors_stand_in_the_reason_and_close_the_connection() {
    let sim = sim().await;
    let api = root(&sim);
    let missing = "Configuration file 'nodes/pve1/qemu-server/7777.conf' does not exist";
    let lookup = "hostname lookup 'nope' failed - failed to get address info for: nope: \
                  Temporary failure in name resolution";
    let cases = [
        ("GET", "/nodes/pve1/qemu/7777/config", 500, missing, true),
        ("GET", "/bogus", 501, "Method 'GET /bogus' not implemented", false),
        ("GET", "/nodes/pve1/nosuchthing", 501, "Method 'GET /nodes/pve1/nosuchthing' not implemented", false),
        ("DELETE", "/version", 501, "Method 'DELETE /version' not implemented", false),
        ("PUT", "/nodes/pve1/qemu", 501, "Method 'PUT /nodes/pve1/qemu' not implemented", false),
        ("GET", "/nodes/nope/status", 500, lookup, true),
        ("POST", "/nodes/nope/qemu", 500, lookup, true),
    ];
    for (method, path, status, reason, line_end) in cases {
        let mut conn = Connection::open(&sim).await;
        conn.send(request(&sim, method, &format!("/api2/json{path}"), "", "").as_bytes()).await;
        let answer = conn.read().await.unwrap();
        assert_eq!((answer.status, answer.reason.as_str()), (status, reason));
        let message = if line_end { format!("{reason}\n") } else { reason.to_owned() };
        assert_eq!(answer.json()["message"], message.as_str());
        assert!(answer.json()["data"].is_null());
        assert_eq!(answer.header("Content-Type"), Some("application/json;charset=UTF-8"));
        assert!(conn.is_closed().await, "{path}");
    }
    assert_eq!(api.get("/version/").await.status, 200, "a trailing slash does not matter");
    assert_eq!(api.get("/nodes/localhost/qemu").await.status, 200);
}

#[tokio::test]
async fn what_http_itself_refuses() {
    let sim = sim().await;
    let json = "Content-Type: application/json\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let big = "x".repeat(600 << 10);
    let place = "at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 917.";
    let malformed = "malformed JSON string, neither tag, array, object, number, string or atom";
    let cases: [(&str, &str, String, String, u16, String, bool); 11] = [
        (
            "PATCH",
            "/api2/json/version",
            String::new(),
            String::new(),
            501,
            "method 'PATCH' not available".into(),
            false,
        ),
        ("HEAD", "/api2/json/version", String::new(), String::new(), 501, "method 'HEAD' not available".into(), false),
        (
            "OPTIONS",
            "/api2/json/version",
            String::new(),
            String::new(),
            501,
            "method 'OPTIONS' not available".into(),
            false,
        ),
        (
            "GET",
            "//api2//json//version",
            String::new(),
            String::new(),
            500,
            "no such file '//json//version'".into(),
            true,
        ),
        (
            "DELETE",
            "/api2/json/nodes/pve1/qemu/110",
            format!("{form}Content-Length: 7\r\n"),
            "purge=1".into(),
            501,
            "Unexpected content for method 'DELETE'".into(),
            true,
        ),
        (
            "POST",
            "/api2/json/nodes/pve1/qemu",
            format!("{form}Transfer-Encoding: chunked\r\n"),
            "5\r\na=1&b\r\n0\r\n\r\n".into(),
            501,
            "chunked transfer encoding not supported".into(),
            true,
        ),
        (
            "POST",
            "/api2/json/nodes/pve1/qemu",
            format!("{form}Content-Length: {}\r\n", big.len()),
            big,
            501,
            "for data too large".into(),
            true,
        ),
        (
            "POST",
            "/api2/json/nodes/pve1/qemu",
            "Content-Type: text/plain\r\nContent-Length: 8\r\n".into(),
            "vmid=502".into(),
            506,
            "upload 'Content-Type 'text/plain' not implemented".into(),
            true,
        ),
        (
            "POST",
            "/api2/json/nodes/pve1/qemu",
            format!("{json}Content-Length: 0\r\n"),
            String::new(),
            500,
            format!("{malformed}, at character offset 0 (before \"(end of string)\") {place}"),
            true,
        ),
        (
            "POST",
            "/api2/json/nodes/pve1/qemu",
            format!("{json}Content-Length: 9\r\n"),
            "{bad json".into(),
            500,
            format!("'\"' expected, at character offset 1 (before \"bad json\") {place}"),
            true,
        ),
        ("GET", "/elsewhere", String::new(), String::new(), 500, "no such file '/elsewhere'".into(), true),
    ];
    for (method, path, more, body, status, reason, with_body) in cases {
        let answer = raw(&sim, &request(&sim, method, path, &more, &body)).await;
        assert_eq!((answer.status, answer.reason.as_str()), (status, reason.as_str()), "{method} {path}");
        assert_eq!(answer.header("Content-Type"), None, "{method} {path}");
        assert_eq!(answer.text().trim_end(), if with_body { reason.as_str() } else { "" });
        assert_eq!(answer.header("Content-Length").is_some(), with_body);
    }
}

#[tokio::test]
async fn a_connection_is_kept_for_a_hundred_requests() {
    let sim = sim().await;
    let mut conn = Connection::open(&sim).await;
    let text = request(&sim, "GET", "/api2/json/cluster/nextid", "", "");
    conn.send(format!("{text}{text}").as_bytes()).await;
    for _ in 0..2 {
        let answer = conn.read().await.unwrap();
        assert_eq!(answer.text(), "{\"data\":\"100\"}");
        assert_eq!(answer.all("Connection"), ["Keep-Alive"]);
    }
    for number in 3..=100 {
        conn.send(text.as_bytes()).await;
        assert_eq!(conn.read().await.unwrap().status, 200, "request {number}");
    }
    assert!(conn.is_closed().await);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let mut timings = Timings::fast();
    timings.idle = Duration::from_millis(30);
    let sim = builder().timings(timings).start().await.unwrap();
    let mut conn = Connection::open(&sim).await;
    assert!(conn.is_closed().await);
}

#[tokio::test]
async fn an_answer_to_a_write_carries_two_connection_headers() {
    let sim = sim().await;
    let answer = raw(&sim, &request(&sim, "POST", "/api2/json/nodes/pve1/qemu/9000/status/stop", "", "")).await;
    assert_eq!(answer.all("Connection"), ["close", "Keep-Alive"]);
    assert_eq!(answer.status, 200, "without a length, the body is empty");
}

#[tokio::test]
async fn http_1_0_is_answered_in_kind() {
    let sim = sim().await;
    let head = request(&sim, "GET", "/api2/json/version", "", "").replace("HTTP/1.1", "HTTP/1.0");
    let mut conn = Connection::open(&sim).await;
    conn.send(head.as_bytes()).await;
    let answer = conn.read().await.unwrap();
    assert_eq!((answer.version.as_str(), answer.status), ("HTTP/1.0", 200));
    assert!(conn.is_closed().await);
}

#[tokio::test]
async fn expect_100_gets_no_interim_answer() {
    let sim = sim().await;
    root(&sim).clone_vm(101, "").await;
    let more = "Expect: 100-continue\r\nContent-Length: 10\r\n";
    let text = request(&sim, "PUT", "/api2/json/nodes/pve1/qemu/101/config", more, "memory=192");
    let answer = raw(&sim, &text).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "{\"data\":null}"));
}

#[tokio::test]
async fn large_answers_are_packed_on_request_and_small_ones_are_not() {
    let sim = sim().await;
    let ask = |path: &str| request(&sim, "GET", path, "Accept-Encoding: gzip\r\n", "");
    let large = raw(&sim, &ask("/api2/json/nodes/pve1/capabilities/qemu/cpu")).await;
    assert_eq!(large.header("Content-Encoding"), Some("gzip"));
    assert_eq!(large.body[..2], [0x1f, 0x8b]);
    assert_eq!(raw(&sim, &ask("/api2/json/version")).await.header("Content-Encoding"), None);
}

#[tokio::test]
async fn plain_http_is_sent_to_https() {
    let sim = sim().await;
    let mut tcp = tokio::net::TcpStream::connect(sim.address()).await.unwrap();
    tcp.write_all(b"GET /api2/json/version HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut text = String::new();
    tcp.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 301 Moved Permanently\r\n"), "{text}");
    assert!(text.contains("Location: https://x/api2/json/version\r\n"), "{text}");
}

#[tokio::test]
async fn a_node_that_cannot_be_reached_is_a_595_without_a_body() {
    let sim = builder().unreachable_node("pve2").start().await.unwrap();
    for (method, path) in [("GET", "/nodes/pve2/status"), ("POST", "/nodes/pve2/qemu/300/status/start")] {
        let answer = root(&sim).call(method, path, "").await;
        assert_eq!((answer.status, answer.reason.as_str()), (595, "No route to host"));
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("Content-Length"), None);
    }
}

#[tokio::test]
async fn an_ordinary_client_library_gets_along_with_it() {
    let provider = rustls::crypto::ring::default_provider();
    // Another test of this process may have been first.
    drop(provider.install_default());
    let sim = sim().await;
    let certificate = reqwest::Certificate::from_pem(sim.certificate_pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap();
    let token = format!("PVEAPIToken={}", sim.token());
    let url = format!("https://localhost:{}/api2/json", sim.address().port());
    for _ in 0..3 {
        let answer = client.get(format!("{url}/version")).header("Authorization", &token).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let body: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(body["data"]["release"], "8.4");
        let refused = client.get(format!("{url}/version")).send().await.unwrap();
        assert_eq!(refused.status(), 401);
        assert_eq!(refused.bytes().await.unwrap().len(), 0);
        let stop = client.post(format!("{url}/nodes/pve1/qemu/9000/status/stop")).header("Authorization", &token);
        assert_eq!(stop.send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn the_fingerprint_is_that_of_the_certificate() {
    let sim = sim().await;
    let colons = sim.fingerprint();
    assert_eq!(colons.len(), 32 * 3 - 1);
    assert_eq!(sim.fingerprint_hex(), colons.replace(':', "").to_lowercase());
    let shown = root(&sim).get("/nodes").await.data()[0]["ssl_fingerprint"].clone();
    assert_eq!(shown, colons);
}
