//! Messages of 100 MB, and clients that do not read.

use std::time::Duration;

use futures::future::join_all;
use mpanel_tests::TestDatabase;
use mpanel_tests::app::TOKEN;
use mpanel_tests::channel::{connect, hello};
use proto::agent::v1 as wire;
use proto::agent::v1::agent_client::AgentClient;
use proto::agent::v1::agent_message::Body as Up;
use proto::agent::v1::enrolment_client::EnrolmentClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::{Edge, cut};

const LARGE: usize = 100 << 20;
/// What may be held of them in all, in MiB.
const MEMORY_MIB: u64 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_100_mb_from_an_agent_ends_its_session_and_is_not_held() {
    let edge = Edge::start(TestDatabase::sqlite(), &[]).await;
    let before = edge.memory();
    let channel = connect(edge.grpc, edge.mutual.clone()).await.unwrap();
    // Not as a second session of the same server: that would end the first.
    let (up, messages) = mpsc::channel(1);
    let heartbeat = wire::Heartbeat { node_name: "x".repeat(LARGE), ..Default::default() };
    up.send(wire::AgentMessage { body: Some(Up::Heartbeat(heartbeat)) }).await.unwrap();
    let refused = AgentClient::new(channel).session(ReceiverStream::new(messages)).await;
    let refused = match refused {
        Ok(answer) => answer.into_inner().message().await.unwrap_err(),
        Err(refused) => refused,
    };
    assert!(matches!(refused.code(), Code::OutOfRange | Code::ResourceExhausted | Code::Internal), "{refused:?}");
    let channel = connect(edge.grpc, edge.mutual.clone()).await.unwrap();
    let request = wire::EnrollRequest {
        token: "x".into(),
        csr_der: vec![0; LARGE].into(),
        agent_version: hello("m").agent_version,
    };
    let refused = EnrolmentClient::new(channel).enroll(request).await.unwrap_err();
    assert!(matches!(refused.code(), Code::OutOfRange | Code::ResourceExhausted | Code::Internal), "{refused:?}");
    edge.unmoved(before, MEMORY_MIB).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_100_mb_is_refused_and_not_held() {
    let edge = Edge::start(TestDatabase::sqlite(), &[]).await;
    let before = edge.memory();
    let part = vec![b'x'; 1 << 20];
    for (token, length) in [(TOKEN, true), (TOKEN, false), ("nobody", true), ("nobody", false)] {
        let sending = (0..4).map(|_| async {
            // HTTP/1.1 by hand, that it may be sent although the answer is there.
            let mut config = (*edge.https).clone();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            let stream = tokio::net::TcpStream::connect(edge.http).await.unwrap();
            let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
            let mut stream = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config)).connect(name, stream).await.unwrap();
            let size = if length { format!("Content-Length: {LARGE}") } else { "Transfer-Encoding: chunked".to_owned() };
            let head = format!(
                "POST /api/platform/plans HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n{size}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            for _ in 0..100 {
                let chunk = if length { part.clone() } else { [b"100000\r\n", &part[..], b"\r\n"].concat() };
                // It closes as soon as it knows: then the rest cannot be sent.
                if stream.write_all(&chunk).await.is_err() {
                    break;
                }
            }
            let mut answer = vec![0; 4096];
            let read = stream.read(&mut answer).await.unwrap_or(0);
            String::from_utf8_lossy(&answer[..read]).into_owned()
        });
        for answer in join_all(sending).await {
            let wanted = if token == TOKEN { "HTTP/1.1 413 " } else { "HTTP/1.1 401 " };
            // Its connection may have been reset before the answer was read.
            assert!(answer.is_empty() || answer.starts_with(wanted), "{answer}");
        }
    }
    // Over HTTP/2 as well.
    let answer = edge.api.request(reqwest::Method::POST, "/api/platform/plans").body(vec![b'x'; LARGE]).send().await;
    if let Ok(answer) = answer {
        assert!(matches!(answer.status().as_u16(), 413 | 415), "{answer:?}");
    }
    edge.unmoved(before, MEMORY_MIB).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_read_take_bounded_memory_and_the_others_do_not_notice() {
    let edge = Edge::start(TestDatabase::sqlite(), &[]).await;
    let before = edge.memory();
    let request =
        format!("GET /api/openapi.json HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n").repeat(30);
    let mut deaf = Vec::new();
    for _ in 0..40 {
        let mut config = (*edge.https).clone();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let stream = tokio::net::TcpStream::connect(edge.http).await.unwrap();
        let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
        let mut stream =
            tokio_rustls::TlsConnector::from(std::sync::Arc::new(config)).connect(name, stream).await.unwrap();
        // Many answers, of which it reads none.
        let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(request.as_bytes())).await;
        deaf.push(stream);
    }
    edge.unmoved(before, 256).await;
    // One of them reads after all, and gets what it asked for.
    let mut last = deaf.pop().unwrap();
    let mut answer = vec![0; 1024];
    let read = tokio::time::timeout(Duration::from_secs(30), last.read(&mut answer)).await.unwrap().unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200 "));
    drop(deaf);
    last.shutdown().await.unwrap();
    cut("one that said goodbye", &mut last).await;
}
