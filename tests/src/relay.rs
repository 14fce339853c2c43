//! A TCP relay that can be cut: in front of several control planes as a balancer, or of a database as a bad network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// See the module. It ends when this is dropped.
pub struct Relay {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    backends: Vec<Backend>,
    next: AtomicUsize,
    /// The next COMMIT that a client of a PostgreSQL sends is carried out, and its answer is lost with the connection.
    lose_commit: AtomicBool,
    lost: AtomicUsize,
    /// `true`: nothing is carried on, and nothing is closed.
    stalled: watch::Sender<bool>,
}

struct Backend {
    address: SocketAddr,
    /// Raised to cut its connections; `true`: it is given no new ones.
    out: watch::Sender<bool>,
}

impl Relay {
    /// To these addresses, a new connection to each in turn; one that does not answer is passed over.
    pub async fn start(backends: &[SocketAddr]) -> Self {
        Self::start_at("127.0.0.1", backends).await
    }

    /// The same on this address of the machine.
    pub async fn start_at(listen: &str, backends: &[SocketAddr]) -> Self {
        let listener = TcpListener::bind((listen, 0)).await.expect("the relay listens");
        let address = listener.local_addr().expect("an address");
        let backends =
            backends.iter().map(|address| Backend { address: *address, out: watch::channel(false).0 }).collect();
        let (next, lose_commit, lost) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicUsize::new(0));
        let shared = Arc::new(Shared { backends, next, lose_commit, lost, stalled: watch::channel(false).0 });
        let task = tokio::spawn(serve(listener, shared.clone()));
        Self { address, shared, task }
    }

    /// Cuts every connection to a backend; it gets no new ones.
    pub fn out(&self, backend: usize) {
        self.shared.backends[backend].out.send_replace(true);
    }

    /// A backend gets connections again.
    pub fn back(&self, backend: usize) {
        self.shared.backends[backend].out.send_replace(false);
    }

    /// Cuts every connection to a backend; new ones go through.
    pub fn cut(&self, backend: usize) {
        self.out(backend);
        self.back(backend);
    }

    /// Carries nothing on, in old connections and new ones, and closes none: a network that swallows everything.
    pub fn stall(&self) {
        self.shared.stalled.send_replace(true);
    }

    /// Carries on what has come since [`Relay::stall`], and all that follows.
    pub fn go_on(&self) {
        self.shared.stalled.send_replace(false);
    }

    /// The answer to the next COMMIT is lost.
    pub fn lose_commit(&self) {
        self.shared.lose_commit.store(true, Ordering::SeqCst);
    }

    /// How many answers to a COMMIT were lost.
    #[must_use]
    pub fn commits_lost(&self) -> usize {
        self.shared.lost.load(Ordering::SeqCst)
    }
}

impl Shared {
    async fn while_stalled(&self) {
        // It cannot be closed: the sender is in `self`.
        let _ = self.stalled.subscribe().wait_for(|stalled| !stalled).await;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(carry(client, shared.clone()));
    }
}

async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    shared.while_stalled().await;
    let first = shared.next.fetch_add(1, Ordering::SeqCst);
    let count = shared.backends.len();
    for backend in (0..count).map(|n| &shared.backends[(first + n) % count]) {
        let mut out = backend.out.subscribe();
        if *out.borrow_and_update() {
            continue;
        }
        let Ok(mut server) = TcpStream::connect(backend.address).await else { continue };
        // Both are small messages to and fro.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        tokio::select! {
            _ = out.changed() => {}
            _ = both_ways(&mut client, &mut server, &shared) => {}
        }
        return;
    }
}

async fn both_ways(client: &mut TcpStream, server: &mut TcpStream, shared: &Shared) -> std::io::Result<()> {
    let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let read = read?;
                shared.while_stalled().await;
                if read == 0 {
                    return Ok(());
                }
                server.write_all(&up[..read]).await?;
                let commits = up[..read].windows(7).any(|window| window == b"COMMIT\0");
                if commits && shared.lose_commit.swap(false, Ordering::SeqCst) {
                    // The database has answered, so it was carried out.
                    let _answer = server.read(&mut down).await?;
                    shared.lost.fetch_add(1, Ordering::SeqCst);
                    return Ok(());
                }
            }
            read = server.read(&mut down) => {
                let read = read?;
                shared.while_stalled().await;
                if read == 0 {
                    return Ok(());
                }
                client.write_all(&down[..read]).await?;
            }
        }
    }
}
