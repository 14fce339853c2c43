//! Peers that do not behave.

use std::time::Duration;

use control_plane::grpc::Config;
use mpanel_tests::channel::{Agent, SOON, client_tls, hello};
use mpanel_tests::http2::{PREFACE, opened_and_reset};
use proto::agent::v1 as wire;
use proto::agent::v1::agent_message::Body as Up;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Code;

use super::{everywhere, everywhere_with};

/// Waits until the other side has closed the connection; an error counts as that.
async fn closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    drop(timeout(SOON, stream.read_to_end(&mut rest)).await.expect("the connection is cut"));
}

#[tokio::test]
async fn garbage_instead_of_tls_is_cut_and_the_others_do_not_notice() {
    everywhere(async |plane| {
        let (server, identity) = plane.agent("pve1").await;
        let (mut agent, _) = plane.session(&identity, hello("m")).await.unwrap();
        for garbage in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0xff; 9000]] {
            let mut stream = TcpStream::connect(plane.address).await.unwrap();
            stream.write_all(garbage).await.unwrap();
            closed(stream).await;
        }
        agent.alive(&plane, &server).await;
        plane.stop(agent).await;
    })
    .await;
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_cut() {
    let hasty = |config: &mut Config| config.handshake_timeout = Duration::from_millis(300);
    everywhere_with(hasty, async |plane| {
        let silent = TcpStream::connect(plane.address).await.unwrap();
        let mut halfway = TcpStream::connect(plane.address).await.unwrap();
        halfway.write_all(&[0x16, 0x03, 0x01, 0x02]).await.unwrap();
        closed(silent).await;
        closed(halfway).await;
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn thousands_of_half_open_connections_keep_nobody_out() {
    let patient = |config: &mut Config| config.handshake_timeout = Duration::from_mins(10);
    everywhere_with(patient, async |plane| {
        let (server, command) = plane.server("pve1").await;
        let mut half_open = Vec::new();
        for _ in 0..2500 {
            match TcpStream::connect(plane.address).await {
                Ok(stream) => half_open.push(stream),
                // This process has no more file descriptors.
                Err(_) => break,
            }
        }
        let spare = half_open.split_off(half_open.len().saturating_sub(50));
        drop(spare);
        let identity = plane.enrol(&command.token).await.unwrap();
        let (mut agent, _) = plane.session(&identity, hello("m")).await.unwrap();
        agent.alive(&plane, &server).await;
        plane.stop(agent).await;
    })
    .await;
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_its_session_and_no_other() {
    everywhere(async |plane| {
        let (first, one) = plane.agent("pve1").await;
        let (second, two) = plane.agent("pve2").await;
        let (mut large, _) = plane.session(&one, hello("m1")).await.unwrap();
        let (mut other, _) = plane.session(&two, hello("m2")).await.unwrap();
        let vms = (0..40_000).map(|vmid| wire::Vm { vmid, name: "x".repeat(100), ..Default::default() }).collect();
        large.say(Up::Inventory(wire::Inventory { full: true, vms, ..Default::default() })).await;
        let (_, status) = large.end().await;
        assert!(matches!(status.unwrap().code(), Code::OutOfRange | Code::ResourceExhausted));
        other.alive(&plane, &second).await;
        let (mut again, _) = plane.session(&one, hello("m1")).await.unwrap();
        again.alive(&plane, &first).await;
        plane.stop((large, other, again)).await;
    })
    .await;
}

#[tokio::test]
async fn a_session_begins_with_hello_and_says_it_once() {
    everywhere(async |plane| {
        let (_, identity) = plane.agent("pve1").await;
        let channel = plane.connect(Some(&identity)).await.unwrap();
        let mut wrong = Agent::start(channel, Up::Heartbeat(wire::Heartbeat::default())).await.unwrap();
        assert_eq!(wrong.end().await.1.unwrap().code(), Code::InvalidArgument);
        let (mut twice, _) = plane.session(&identity, hello("m")).await.unwrap();
        twice.say(Up::Hello(hello("m"))).await;
        assert_eq!(twice.end().await.1.unwrap().code(), Code::InvalidArgument);
        plane.stop((wrong, twice)).await;
    })
    .await;
}

#[tokio::test]
async fn a_hello_that_does_not_come_ends_the_session() {
    let hasty = |config: &mut Config| config.handshake_timeout = Duration::from_millis(300);
    everywhere_with(hasty, async |plane| {
        let (_, identity) = plane.agent("pve1").await;
        let (up, messages) = tokio::sync::mpsc::channel(1);
        let channel = plane.connect(Some(&identity)).await.unwrap();
        let mut client = wire::agent_client::AgentClient::new(channel);
        let answer = client.session(tokio_stream::wrappers::ReceiverStream::new(messages)).await.unwrap();
        let mut silent = Agent { up, down: answer.into_inner() };
        assert_eq!(silent.end().await.1.unwrap().code(), Code::DeadlineExceeded);
        plane.stop(silent).await;
    })
    .await;
}

#[tokio::test]
async fn versions_that_have_no_protocol_in_common_are_told_which_side_to_update() {
    everywhere(async |plane| {
        let (_, identity) = plane.agent("pve1").await;
        for (min, max, advice) in [(0, 0, "update the agent"), (900, 999, "update the control plane")] {
            let channel = plane.connect(Some(&identity)).await.unwrap();
            let hello = wire::Hello { protocol_min: min, protocol_max: max, ..hello("m") };
            let mut agent = Agent::start(channel, Up::Hello(hello)).await.unwrap();
            let (go_away, status) = agent.end().await;
            let go_away = go_away.unwrap();
            assert_eq!(go_away.reason(), wire::GoAwayReason::Protocol);
            assert!(go_away.message.contains(advice), "{}", go_away.message);
            assert_eq!(status.unwrap().code(), Code::FailedPrecondition);
        }
        let newer = wire::Hello { protocol_max: 999, ..hello("m") };
        let (_, welcome) = plane.session(&identity, newer).await.unwrap();
        assert_eq!(welcome.protocol, *proto::PROTOCOL.end());
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn sessions_beyond_the_limit_are_told_to_come_back() {
    everywhere_with(
        |config| config.max_sessions = 1,
        async |plane| {
            let (server, one) = plane.agent("pve1").await;
            let (_, two) = plane.agent("pve2").await;
            let (mut agent, _) = plane.session(&one, hello("m")).await.unwrap();
            assert_eq!(plane.session(&two, hello("m")).await.err().unwrap().code(), Code::Unavailable);
            agent.alive(&plane, &server).await;
            plane.stop(agent).await;
        },
    )
    .await;
}

#[tokio::test]
async fn an_agent_that_opens_sessions_without_end_is_held_back() {
    everywhere(async |plane| {
        let (_, identity) = plane.agent("pve1").await;
        let channel = plane.connect(Some(&identity)).await.unwrap();
        let mut refused = None;
        for _ in 0..40 {
            refused = Agent::open(channel.clone(), hello("m")).await.err();
            if refused.is_some() {
                break;
            }
        }
        assert_eq!(refused.unwrap().code(), Code::ResourceExhausted);
        plane.clock.advance(Duration::from_secs(61));
        Agent::open(channel, hello("m")).await.unwrap();
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn streams_that_are_opened_and_reset_in_their_thousands_cost_one_connection() {
    everywhere(async |plane| {
        let (server, identity) = plane.agent("pve1").await;
        let (mut agent, _) = plane.session(&identity, hello("m")).await.unwrap();
        let mut tls = (*client_tls(plane.authority.certificate(), None, &plane.clock)).clone();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(plane.address).await.unwrap();
        let name = rustls_pki_types::ServerName::IpAddress(plane.address.ip().into());
        let mut stream =
            tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls)).connect(name, stream).await.unwrap();
        stream.write_all(PREFACE).await.unwrap();
        // The server answers with GOAWAY and closes, long before all of them are sent: then writing or reading ends.
        let flood = async {
            for stream_id in (1_u32..200_000).step_by(2) {
                if stream.write_all(&opened_and_reset(stream_id)).await.is_err() {
                    return;
                }
            }
            stream.flush().await.unwrap();
            let mut rest = Vec::new();
            drop(stream.read_to_end(&mut rest).await);
        };
        timeout(SOON, flood).await.expect("the connection is cut");
        agent.alive(&plane, &server).await;
        plane.stop(agent).await;
    })
    .await;
}
