//! Ten thousand connections that say nothing, or not all of it.

use std::net::SocketAddr;

use mpanel_tests::TestDatabase;
use mpanel_tests::swarm::files_raised;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::Edge;

const CONNECTIONS: usize = 10_000;
/// What a process needs beside them.
const SPARE: usize = 1_000;

async fn open(address: SocketAddr, words: &[u8], count: usize) -> Vec<TcpStream> {
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        // Where it was cut already there is nobody to say it to.
        let _ = stream.write_all(words).await;
        all.push(stream);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_half_open_connections_take_bounded_memory_and_keep_nobody_out() {
    let count = CONNECTIONS.min(files_raised().saturating_sub(SPARE));
    if count < CONNECTIONS {
        eprintln!(
            "NOT ALL TESTED: this process may have no more than {count} connections; raise the hard limit (ulimit -Hn)"
        );
    }
    // Long enough that it is not time that ends them.
    let patient = [("MPANEL__HTTP__HEADER_TIMEOUT", "10m"), ("MPANEL__AGENTS__HANDSHAKE_TIMEOUT", "10m")];
    let edge = Edge::start(TestDatabase::sqlite(), &patient).await;
    let before = edge.memory();
    // The beginning of a ClientHello: so much more is to come.
    let hello: &[u8] = &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01];
    for (address, words) in [(edge.grpc, &b""[..]), (edge.grpc, hello), (edge.http, b""), (edge.http, hello)] {
        let crowd = open(address, words, count).await;
        edge.unmoved(before, 192).await;
        // Somebody new gets in to both.
        edge.rest().await;
        edge.agents(true).await;
        drop(crowd);
    }
    edge.unmoved(before, 192).await;
}
