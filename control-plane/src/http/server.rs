//! The listener: TLS, HTTP/1.1 and HTTP/2, with a bound on everything that a peer could hold on to.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::observe::Peer;
use super::tls::Tls;

const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: u32 = 32 * 1024;
const STREAMS_MAX: u32 = 64;
/// After this a peer on HTTP/2 that does not answer a ping is gone.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// What a listener serves, and how.
pub struct Server {
    /// `None`: plain HTTP.
    pub tls: Option<Arc<Tls>>,
    /// The routes.
    pub router: Router,
    /// For a TLS handshake, for the headers of a request, and between two requests.
    pub header_timeout: Duration,
    /// Beyond these, those idle for longest are closed.
    pub max_connections: usize,
    /// Where its tasks run; shutdown waits for them.
    pub tasks: TaskTracker,
    /// No new connections and requests; those under way end.
    pub shutdown: CancellationToken,
    /// Those under way are cut.
    pub kill: CancellationToken,
}

impl Server {
    /// Accepts until shutdown, then closes the listener: who comes while it drains is refused at once and can go elsewhere.
    pub async fn run(self, listener: TcpListener) {
        let permits = Arc::new(Semaphore::new(self.max_connections));
        let idle = Arc::new(IdleConnections::default());
        let server = Arc::new(self);
        while let Some((stream, peer)) = server.accept(&listener).await {
            let Some(permit) = server.permit(&permits, &idle).await else { return };
            let connection = Connection::new(idle.clone());
            server.tasks.spawn(server.clone().connection(stream, peer, permit, connection));
        }
    }

    async fn accept(&self, listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
        loop {
            let accepted = tokio::select! {
                () = self.shutdown.cancelled() => return None,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok(accepted) => return Some(accepted),
                Err(error) => {
                    // Out of file descriptors, most likely: what is open has to end first.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn permit(&self, permits: &Arc<Semaphore>, idle: &IdleConnections) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = permits.clone().try_acquire_owned() {
            return Some(permit);
        }
        metrics::counter!("mpanel_http_connections_evicted_total").increment(1);
        idle.close_oldest();
        tokio::select! {
            () = self.shutdown.cancelled() => None,
            permit = permits.clone().acquire_owned() => permit.ok(),
        }
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        permit: OwnedSemaphorePermit,
        connection: Arc<Connection>,
    ) {
        let evicted = connection.evicted.clone();
        tokio::select! {
            () = evicted.cancelled() => {}
            () = self.kill.cancelled() => {}
            () = self.serve(stream, peer, connection) => {}
        }
        drop(permit);
    }

    async fn serve(&self, stream: TcpStream, peer: SocketAddr, connection: Arc<Connection>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "no TCP_NODELAY");
        }
        let Some(tls) = &self.tls else {
            return self.http1(stream, peer, connection).await;
        };
        let handshake = tls.acceptor().accept(stream);
        match tokio::time::timeout(self.header_timeout, handshake).await {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                self.http2(stream, peer, connection).await;
            }
            Ok(Ok(stream)) => self.http1(stream, peer, connection).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS"),
            Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
        }
    }

    /// An upgrade ends the connection here: what it became is its handler's, which bounds and tracks it.
    async fn http1<S>(&self, stream: S, peer: SocketAddr, connection: Arc<Connection>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let served = http1::Builder::new()
            // Without a timer hyper has no header timeout at all.
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEADER_BYTES_MAX as usize)
            .serve_connection(TokioIo::new(stream), self.service(peer, connection))
            .with_upgrades();
        let mut served = pin!(served);
        let result = tokio::select! {
            result = served.as_mut() => result,
            () = self.shutdown.cancelled() => {
                served.as_mut().graceful_shutdown();
                served.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%peer, %error, "the connection broke off");
        }
    }

    async fn http2<S>(&self, stream: S, peer: SocketAddr, connection: Arc<Connection>)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let served = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(self.header_timeout)
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEADER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), self.service(peer, connection));
        let mut served = pin!(served);
        let result = tokio::select! {
            result = served.as_mut() => result,
            () = self.shutdown.cancelled() => {
                served.as_mut().graceful_shutdown();
                served.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%peer, %error, "the connection broke off");
        }
    }

    fn service(&self, peer: SocketAddr, connection: Arc<Connection>) -> Routes {
        Routes { router: self.router.clone(), peer, connection }
    }
}

/// The routes, as one connection sees them.
struct Routes {
    router: Router,
    peer: SocketAddr,
    connection: Arc<Connection>,
}

impl hyper::service::Service<http::Request<Incoming>> for Routes {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(self.peer));
        let (busy, router) = (Busy::new(self.connection.clone()), self.router.clone());
        Box::pin(async move {
            let response = router.oneshot(request).await;
            drop(busy);
            response
        })
    }
}

/// The connections that no request is under way on, oldest first.
#[derive(Debug, Default)]
struct IdleConnections(Mutex<Ages>);

#[derive(Debug, Default)]
struct Ages {
    next: u64,
    by_age: BTreeMap<u64, CancellationToken>,
}

impl IdleConnections {
    fn add(&self, evicted: CancellationToken) -> u64 {
        let mut ages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ages.next += 1;
        let age = ages.next;
        ages.by_age.insert(age, evicted);
        age
    }

    fn remove(&self, age: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_age.remove(&age);
    }

    fn close_oldest(&self) {
        let oldest = self.0.lock().unwrap_or_else(PoisonError::into_inner).by_age.pop_first();
        if let Some((_, evicted)) = oldest {
            evicted.cancel();
        }
    }
}

/// One connection: idle, or with so many requests under way.
#[derive(Debug)]
struct Connection {
    idle: Arc<IdleConnections>,
    evicted: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    requests: u32,
    age: Option<u64>,
}

impl Connection {
    fn new(idle: Arc<IdleConnections>) -> Arc<Self> {
        let evicted = CancellationToken::new();
        let age = Some(idle.add(evicted.clone()));
        Arc::new(Self { idle, evicted, state: Mutex::new(State { requests: 0, age }) })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let age = self.state.get_mut().unwrap_or_else(PoisonError::into_inner).age;
        if let Some(age) = age {
            self.idle.remove(age);
        }
    }
}

/// A request under way: as long as there is one, its connection is not idle.
struct Busy(Arc<Connection>);

impl Busy {
    fn new(connection: Arc<Connection>) -> Self {
        let mut state = connection.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests += 1;
        if let Some(age) = state.age.take() {
            connection.idle.remove(age);
        }
        drop(state);
        Self(connection)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests -= 1;
        if state.requests == 0 {
            state.age = Some(self.0.idle.add(self.0.evicted.clone()));
        }
    }
}
