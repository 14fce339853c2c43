//! The transport against a bare TLS server that answers what a test gives it, byte by byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use super::super::config::{Fingerprint, Trust, fixtures::token};
use super::*;

struct Server {
    client: PveClient,
    connections: Arc<AtomicUsize>,
    requests: Arc<std::sync::Mutex<Vec<String>>>,
    _task: AbortOnDropHandle<()>,
}

/// Serves `answers`, one a connection, the last one for ever.
async fn serve(answers: Vec<Vec<u8>>) -> Server {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["pve1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let fingerprint = Fingerprint(Sha256::digest(certificate.der()).into());
    let tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://{}", listener.local_addr().unwrap())).unwrap();
    let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(std::sync::Mutex::new(Vec::new())));
    let (count, seen) = (connections.clone(), requests.clone());
    let task = tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        while let Ok((stream, _)) = listener.accept().await {
            let turn = count.fetch_add(1, Ordering::SeqCst);
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let request = request_of(&mut stream).await;
            seen.lock().unwrap().push(request);
            // The client may hang up in the middle of an answer that is too long.
            let _ = stream.write_all(&answers[turn.min(answers.len() - 1)]).await;
            let _ = stream.shutdown().await;
        }
    });
    let mut config = PveConfig::new(url, token(), Trust::Fingerprint(fingerprint));
    config.call_timeout = Duration::from_secs(10);
    let client = PveClient::new(&config).unwrap();
    Server { client, connections, requests, _task: AbortOnDropHandle::new(task) }
}

/// Reads one whole request.
async fn request_of(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut request = String::new();
    let mut part = vec![0; 16 << 10];
    loop {
        let read = stream.read(&mut part).await.unwrap_or(0);
        request.push_str(&String::from_utf8_lossy(&part[..read]));
        let length = request
            .to_lowercase()
            .split_once("content-length: ")
            .map_or(0, |(_, rest)| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
        let whole = request.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length);
        if read == 0 || whole {
            return request;
        }
    }
}

fn answer(head: &str, body: &str) -> Vec<u8> {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json;charset=UTF-8\r\n" };
    format!("HTTP/1.1 {head}\r\nConnection: close\r\nConnection: Keep-Alive\r\n{kind}\r\n{body}").into_bytes()
}

async fn read(answers: Vec<Vec<u8>>) -> Result<Value> {
    serve(answers).await.client.read("/nodes").await
}

#[tokio::test]
async fn the_reason_phrase_is_kept() {
    let body = r#"{"data":null,"message":"Parameter verification failed.\n","errors":{"newid":"property is missing"}}"#;
    let cases = [
        (answer("401 Authentication failed!", ""), ErrorKind::Permission, "Authentication failed!"),
        (answer("595 No route to host", ""), ErrorKind::Unavailable, "No route to host"),
        (answer("599 ", ""), ErrorKind::Unavailable, "HTTP status 599"),
        (answer("500 VM is locked (clone)", r#"{"data":null}"#), ErrorKind::Locked, "VM is locked (clone)"),
        (answer("400 Parameter verification failed.", body), ErrorKind::BadParameter, "newid: property is missing"),
        (
            answer("500 Internal Server Error", r#"{"message":"storage 'x' does not exist\n"}"#),
            ErrorKind::NotFound,
            "storage 'x'",
        ),
    ];
    for (bytes, kind, words) in cases {
        let error = read(vec![bytes]).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error:?}");
        assert!(error.message.contains(words), "{error:?}");
    }
}

#[tokio::test]
async fn what_is_cut_or_too_long_or_no_json_is_an_error() {
    let json = "Content-Type: application/json\r\n";
    let cut = format!("HTTP/1.1 200 OK\r\n{json}Content-Length: 100\r\n\r\n{{\"data\":[").into_bytes();
    let half = answer("200 OK", r#"{"data":["#);
    let long = answer("200 OK", &format!(r#"{{"data":"{}"}}"#, "x".repeat(ANSWER_BYTES_MAX)));
    let page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>".to_vec();
    for bytes in [cut, half, long, page, b"SSH-2.0-OpenSSH\r\n".to_vec()] {
        let error = read(vec![bytes]).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error:?}");
    }
    assert_eq!(read(vec![answer("200 OK", r#"{"data":null}"#)]).await.unwrap(), Value::Null);
    assert_eq!(read(vec![answer("200 OK", r#"{"data":[1],"total":1}"#)]).await.unwrap(), json!([1]));
}

#[tokio::test]
async fn reading_is_tried_twice_and_writing_once() {
    let fine = || answer("200 OK", r#"{"data":"UPID"}"#);
    let server = serve(vec![Vec::new(), fine()]).await;
    assert_eq!(server.client.read::<Value>("/nodes").await.unwrap(), json!("UPID"));
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);

    let server = serve(vec![Vec::new(), fine()]).await;
    let error =
        server.client.post::<_, Value>("/nodes/pve1/qemu/9000/clone", &json!({"newid": 101})).await.unwrap_err();
    assert_eq!((error.kind, server.connections.load(Ordering::SeqCst)), (ErrorKind::Unavailable, 1), "{error:?}");
}

#[tokio::test]
async fn a_call_that_a_gateway_lost_may_still_be_carried_out_unless_it_got_no_connection() {
    for (head, is_open) in [("595 Connection refused", false), ("596 Broken pipe", true), ("502 Bad Gateway", true)] {
        let server = serve(vec![answer(head, "")]).await;
        let error = server.client.post::<_, Value>("/nodes/pve1/qemu/9000/clone", &json!({"newid": 101})).await;
        assert_eq!(error.unwrap_err().is_open, is_open, "{head}");
    }
}

#[tokio::test]
async fn parameters_go_where_proxmox_wants_them() {
    let server = serve(vec![answer("200 OK", r#"{"data":null}"#)]).await;
    server
        .client
        .delete::<_, Value>("/nodes/pve1/qemu/101", &json!({"purge": true, "skiplock": null, "x": "a;b=c d"}))
        .await
        .unwrap();
    server.client.put::<_, Value>("/nodes/pve1/qemu/101/config", &json!({"cores": 2})).await.unwrap();
    server.client.read::<Value>("/nodes/pve1/qemu?full=1").await.unwrap();
    let requests = server.requests.lock().unwrap().clone();
    let check = |request: &str, line: &str, body: Option<&str>| {
        assert!(request.starts_with(line), "{request}");
        assert_eq!(request.split_once("\r\n\r\n").unwrap().1, body.unwrap_or_default(), "{request}");
        assert_eq!(request.to_lowercase().contains("content-type: application/json"), body.is_some(), "{request}");
        assert!(request.contains("PVEAPIToken=root@pam!test=5ecre7"), "{request}");
    };
    check(&requests[0], "DELETE /api2/json/nodes/pve1/qemu/101?purge=1&x=a%3Bb%3Dc+d HTTP/1.1", None);
    check(&requests[1], "PUT /api2/json/nodes/pve1/qemu/101/config HTTP/1.1", Some(r#"{"cores":2}"#));
    check(&requests[2], "GET /api2/json/nodes/pve1/qemu?full=1 HTTP/1.1", None);
}

#[tokio::test]
async fn only_https_is_spoken() {
    let config = PveConfig::new(Url::parse("http://127.0.0.1:8006").unwrap(), token(), Trust::System);
    let refused = PveClient::new(&config).err().unwrap();
    assert!(refused.to_string().contains("https://"), "{refused}");
}
