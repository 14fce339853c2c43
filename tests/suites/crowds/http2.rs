//! HTTP/2 against its rules, to the API over https and to the agents' listener, with an agent's certificate and without.

use std::time::Duration;

use mpanel_tests::TestDatabase;
use mpanel_tests::http2::{PREFACE, begun, more_headers, opened, opened_and_reset};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::{Edge, cut};

/// What may be held of it in all, in MiB.
const MEMORY_MIB: u64 = 64;
const SOON: Duration = Duration::from_mins(2);

#[derive(Clone, Copy, Debug)]
enum Door {
    Rest,
    Agent,
    Stranger,
}

const DOORS: [Door; 3] = [Door::Rest, Door::Agent, Door::Stranger];

async fn at(edge: &Edge, door: Door) -> TlsStream<TcpStream> {
    let mut stream = match door {
        Door::Rest => edge.rest().await,
        Door::Agent => edge.agents(true).await,
        Door::Stranger => edge.agents(false).await,
    };
    stream.write_all(PREFACE).await.unwrap();
    stream
}

/// Sends until the other side ends the connection; it is to do so long before everything is sent.
async fn flood(what: &str, stream: TlsStream<TcpStream>, frames: impl Iterator<Item = Vec<u8>>) {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let sending = async {
        for frame in frames {
            if writing.write_all(&frame).await.is_err() {
                return;
            }
        }
        // All of it was taken: then at least it is the end.
        let _ = writing.flush().await;
    };
    let both = async { tokio::join!(sending, cut(what, &mut reading)) };
    assert!(timeout(SOON, both).await.is_ok(), "{what} is not cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_opened_and_reset_in_their_thousands_are_cut() {
    let edge = Edge::start(TestDatabase::sqlite(), &[]).await;
    let before = edge.memory();
    for door in DOORS {
        let frames = (1_u32..400_000).step_by(2).map(opened_and_reset);
        flood(&format!("rapid reset, {door:?}"), at(&edge, door).await, frames).await;
    }
    edge.unmoved(before, MEMORY_MIB).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_without_end_are_cut() {
    let edge = Edge::start(TestDatabase::sqlite(), &[]).await;
    let before = edge.memory();
    for door in DOORS {
        // Some 160 MB.
        let frames = std::iter::once(begun(1)).chain((0..10_000).map(|number| more_headers(1, number)));
        flood(&format!("headers without end, {door:?}"), at(&edge, door).await, frames).await;
    }
    edge.unmoved(before, MEMORY_MIB).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_on_slowly_or_not_at_all_is_cut_in_time() {
    let hasty = [
        ("MPANEL__HTTP__HEADER_TIMEOUT", "1s"),
        ("MPANEL__HTTP__REQUEST_TIMEOUT", "1s"),
        ("MPANEL__AGENTS__HANDSHAKE_TIMEOUT", "1s"),
    ];
    let edge = Edge::start(TestDatabase::sqlite(), &hasty).await;
    let before = edge.memory();
    let mut slow = Vec::new();
    for door in DOORS {
        // Nothing after the preface; headers that do not end; a body that does not come.
        for words in [Vec::new(), begun(1), opened(1)] {
            let mut stream = at(&edge, door).await;
            stream.write_all(&words).await.unwrap();
            slow.push((door, words, stream));
        }
    }
    let all = slow.iter_mut().map(|(door, words, stream)| async move {
        cut(&format!("{door:?} after {words:?}"), stream).await;
    });
    futures::future::join_all(all).await;
    // Before TLS, and in the midst of it.
    for address in [edge.http, edge.grpc] {
        for words in [&b""[..], &[0x16, 0x03, 0x01, 0x02], b"GET / HTTP/1.1\r\n"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(words).await.unwrap();
            cut(&format!("{address} after {words:?}"), &mut stream).await;
        }
    }
    edge.unmoved(before, MEMORY_MIB).await;
}
