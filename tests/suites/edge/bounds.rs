use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use mpanel_tests::TestApp;
use mpanel_tests::app::{Api, TOKEN};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// Whether the other side ends the connection.
async fn is_cut(mut stream: TcpStream) -> bool {
    let mut answer = Vec::new();
    match timeout(PATIENCE, stream.read_to_end(&mut answer)).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => error.kind() == ErrorKind::ConnectionReset,
        Err(_) => false,
    }
}

async fn open(address: SocketAddr, sent: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    stream
}

#[tokio::test]
async fn who_does_not_finish_is_cut() {
    let database = mpanel_tests::TestDatabase::sqlite();
    let app = TestApp::start_with(&database, |config| {
        config.http.header_timeout = Duration::from_secs(1);
        config.http.request_timeout = Duration::from_secs(1);
    })
    .await;
    let body = format!(
        "POST /api/platform/nothing HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{"
    );
    for sent in ["", "P", "GET / HTTP/1.1\r\nHost:", "PRI * HTTP/2.0\r\n", &body] {
        assert!(is_cut(open(app.running.address, sent.as_bytes()).await).await, "{sent:?}");
    }
    app.stop().await;
}

#[tokio::test]
async fn the_idle_make_way_for_the_others() {
    let database = mpanel_tests::TestDatabase::sqlite();
    let app = TestApp::start_with(&database, |config| config.http.max_connections = 8).await;
    let mut half_open = Vec::new();
    for _ in 0..100 {
        half_open.push(open(app.running.address, b"GET /healthz HTTP/1.1\r\n").await);
    }
    for _ in 0..5 {
        Api::new(&app.api.url, TOKEN).get("/metrics").await.expect(200);
    }
    assert!(is_cut(half_open.remove(0)).await, "the oldest went first");
    app.stop().await;
}

#[tokio::test]
async fn headers_are_bounded() {
    let (app, _database) = TestApp::start().await;
    let many = (0..100).map(|i| format!("X-{i}: 1\r\n")).collect::<Vec<_>>().concat();
    for headers in [many, format!("X: {}\r\n", "x".repeat(100_000))] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        let mut stream = TcpStream::connect(app.running.address).await.unwrap();
        // The answer may come, and the connection end, before all is written.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    app.api.get("/healthz").await.expect(200);
    app.stop().await;
}

#[tokio::test]
async fn stopping_lets_a_request_end_and_takes_no_new_one() {
    let (app, _database) = TestApp::start().await;
    let head = format!(
        "POST /api/platform/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
    );
    let mut stream = open(app.running.address, head.as_bytes()).await;
    // Its headers are read once a second request on another connection is answered.
    app.api.get("/healthz").await.expect(200);
    let address = app.running.address;
    let stopping = tokio::spawn(app.stop());
    mpanel_tests::eventually("the listener to close", PATIENCE, async || {
        TcpStream::connect(address).await.is_err().then_some(())
    })
    .await;
    stream.write_all(b"{}").await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    stopping.await.unwrap();
}

#[tokio::test]
async fn answers_are_compressed_for_who_can_read_that() {
    let (app, _database) = TestApp::start().await;
    let request = app.api.request(reqwest::Method::GET, "/api/openapi.json").header("Accept-Encoding", "gzip");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert!(response.bytes().await.unwrap().starts_with(&[0x1f, 0x8b]));
    app.stop().await;
}
