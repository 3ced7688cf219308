//! The listener loop: HTTP/1.1, HTTP/2 and gRPC on one port, with the timers a public port needs and a graceful end.
//!
//! A loop of our own because `axum::serve` sets neither `TCP_NODELAY` nor any timeout.

mod io;
#[cfg(test)]
mod tests;

use std::{
    io::{Error as IoError, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body};
use http::Request;
use http_body::Body as _;
use hyper::{body::Incoming, rt, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service as _;

use self::io::{Progress, Taken, Watched};

/// How many connections a listener serves at once. One more makes those go that ask for nothing; while there are none,
/// it waits in the kernel's queue.
pub(crate) const MAX_CONNECTIONS: usize = 10_000;
/// How long a connection asks for nothing before it has to go when another waits for its place.
const QUIET: Duration = Duration::from_secs(1);
/// How long a peer may leave the rest of an answer where it is once its connection has to go. Streams say something every
/// ten seconds.
const STILL: Duration = Duration::from_secs(15);
/// How often the quiet are looked for while one waits.
const PRESS_EVERY: Duration = Duration::from_millis(250);
/// How old a connection becomes, give or take a tenth: clients of HTTP/2 keep theirs for good, so that replicas that were
/// added later would never see them, and those about to go would never be rid of them.
pub(crate) const MAX_AGE: Duration = Duration::from_mins(30);
/// How long the requests of a connection that has become too old may still take.
const LAST_REQUESTS: Duration = Duration::from_hours(1);
/// Longest wait for a TLS handshake, for the first request, and for a request's header (which idle time counts towards).
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest header of a request, both versions.
const MAX_HEADER: u32 = 32 * 1024;
/// Streams one HTTP/2 connection may have open: as few as the RFC advises, since each may hold an answer nobody reads.
const MAX_STREAMS: u32 = 100;
/// How often an HTTP/2 peer is asked whether it is still there, and how long it has to say so.
const PING: Duration = Duration::from_secs(20);

/// The peer of the connection, as a request extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeerAddr(pub SocketAddr);

/// How a listener serves.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// TLS, when it ends here.
    pub tls: Option<Arc<ServerConfig>>,
    /// See [`MAX_CONNECTIONS`].
    pub max_connections: usize,
    /// See [`HEADER_TIMEOUT`].
    pub header_timeout: Duration,
    /// See [`MAX_AGE`].
    pub max_age: Duration,
    /// How long a connection that has to go may stand still, its answers unread.
    pub still: Duration,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            tls: None,
            max_connections: MAX_CONNECTIONS,
            header_timeout: HEADER_TIMEOUT,
            max_age: MAX_AGE,
            still: STILL,
        }
    }
}

/// Serves until `soft` is cancelled, then drains: no new connection, `GOAWAY` or `Connection: close` on the open ones,
/// running requests finish. `hard` cuts what is left. Returns when the last connection has gone.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: ListenOptions,
    soft: CancellationToken,
    hard: CancellationToken,
) {
    let connections = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(options.max_connections));
    let full = watch::Sender::new(());
    let server = Arc::new(Server {
        builder: builder(options.header_timeout),
        tls: options.tls.map(TlsAcceptor::from),
        // Turned into routes once here, not for each request.
        router: router.with_state(()),
        header_timeout: options.header_timeout,
        max_age: options.max_age,
        still: options.still,
        full: full.subscribe(),
        soft: soft.clone(),
    });
    loop {
        let accepted = tokio::select! {
            biased;
            () = soft.cancelled() => break,
            () = hard.cancelled() => break,
            accepted = accept(&listener, &permits, &full) => accepted,
        };
        let Some((stream, peer, permit)) = accepted else { continue };
        let (server, hard) = (Arc::clone(&server), hard.clone());
        connections.spawn(async move {
            let _permit = permit;
            tokio::select! {
                biased;
                () = hard.cancelled() => {}
                () = server.connection(stream, peer) => {}
            }
        });
    }
    // New connections are refused from here on instead of waiting in a queue nobody empties.
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Waits for a connection, then for a place. `None` after an error that may pass.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    full: &watch::Sender<()>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    match listener.accept().await {
        Ok((stream, peer)) => loop {
            let place = time::timeout(PRESS_EVERY, Arc::clone(permits).acquire_owned());
            match place.await {
                Ok(permit) => return Some((stream, peer, permit.ok()?)),
                Err(_) => full.send_replace(()),
            }
        },
        Err(fault) if concerns_one_connection(&fault) => None,
        Err(fault) => {
            // Out of file descriptors or memory: connections that end give them back.
            tracing::warn!(cause = %fault, "a connection could not be accepted");
            time::sleep(Duration::from_millis(200)).await;
            None
        }
    }
}

fn concerns_one_connection(fault: &IoError) -> bool {
    matches!(fault.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused)
}

fn builder(header_timeout: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(MAX_HEADER as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER)
        .adaptive_window(false);
    builder
}

/// What every connection of a listener shares.
struct Server {
    builder: Builder<TokioExecutor>,
    tls: Option<TlsAcceptor>,
    router: Router,
    header_timeout: Duration,
    max_age: Duration,
    still: Duration,
    /// Changes whenever a connection waits for a place.
    full: watch::Receiver<()>,
    soft: CancellationToken,
}

impl Server {
    async fn connection(&self, stream: TcpStream, peer: SocketAddr) {
        // Small answers leave at once; without this gRPC and event streams wait for delayed acknowledgements.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => self.speak(TokioIo::new(stream), peer).await,
            Some(acceptor) => match time::timeout(self.header_timeout, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => self.speak(TokioIo::new(stream), peer).await,
                Ok(Err(fault)) => tracing::debug!(cause = %fault, %peer, "a TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
            },
        }
    }

    async fn speak<I>(&self, io: I, peer: SocketAddr)
    where
        I: rt::Read + rt::Write + Unpin + Send + 'static,
    {
        let progress = Progress::start();
        let (router, ours) = (self.router.clone(), progress.clone());
        let service = service_fn(move |request| {
            let (working, progress) = (ours.asks(), ours.clone());
            // A router is always ready.
            let answer = router.clone().call(routed(request, peer));
            async move {
                let _working = working;
                answer.await.map(|response| response.map(|body| Taken::new(body, progress)))
            }
        });
        let connection = self.builder.serve_connection(Watched::new(io, progress.clone()), service);
        tokio::pin!(connection);
        // hyper's header timer runs only once it knows the version; before that, a silent client would stay for ever.
        let deadline = time::sleep(self.header_timeout);
        tokio::pin!(deadline);
        let age_at = time::Instant::now() + jittered(self.max_age, peer);
        let mut full = self.full.clone();
        let (mut draining, mut aged) = (false, false);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(fault) = ended {
                        tracing::debug!(cause = %fault, %peer, "a connection ended early");
                    }
                    return;
                }
                () = self.soft.cancelled(), if !draining => {
                    draining = true;
                    connection.as_mut().graceful_shutdown();
                }
                Ok(()) = full.changed() => {
                    if progress.quiet_for() >= QUIET {
                        if !progress.has_asked() || progress.still_for() >= self.still {
                            return;
                        }
                        // Requests under way are not cut off, however long ago they came, while somebody reads the answers.
                        connection.as_mut().graceful_shutdown();
                    }
                }
                () = deadline.as_mut() => {
                    let now = time::Instant::now();
                    if !progress.has_begun() || now >= age_at + LAST_REQUESTS || aged && progress.still_for() >= self.still {
                        return;
                    }
                    // One timer for what follows on each other: the beginning, the age, and what is left then.
                    if now < age_at {
                        deadline.as_mut().reset(age_at);
                    } else {
                        aged = true;
                        connection.as_mut().graceful_shutdown();
                        deadline.as_mut().reset(now + self.still);
                    }
                }
            }
        }
    }
}

/// An age of up to a tenth more or less, so that connections that came together do not go together. Ports differ from one
/// connection to the next, which is all the chance it takes.
fn jittered(age: Duration, peer: SocketAddr) -> Duration {
    age.mul_f64(0.9 + f64::from(peer.port() % 200) / 1_000.0)
}

/// A request as the router takes it.
fn routed(request: Request<Incoming>, peer: SocketAddr) -> Request<Body> {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(PeerAddr(peer));
    // Most requests have no body, and the empty one needs no box.
    let body = if body.is_end_stream() { Body::empty() } else { Body::new(body) };
    Request::from_parts(parts, body)
}
