//! One connection: TLS, HTTP, and the timers that close it.

use std::{convert::Infallible, io::ErrorKind, net::SocketAddr, sync::Arc, time::Duration};

use axum::body::Body;
use http::{HeaderValue, Request, Response, Version, header::CONNECTION};
use http_body::Body as _;
use hyper::{
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use super::{
    activity::{ConnectionActivity, ObservedBody, ObservedRequestBody},
    frame_flood::FloodGuard,
    io::InspectedStream,
    options::ListenOptions,
    request_service::RequestService,
};

/// Time without a new request after which a connection is closed while another one waits to be accepted.
const MIN_IDLE_TO_CLOSE: Duration = Duration::from_secs(1);
/// Limit of the time between `max_age` and the end of the connection's last request.
const DRAIN_TIMEOUT: Duration = Duration::from_hours(1);
/// Limit of a request's header, in bytes, in both versions.
const MAX_HEADER: u32 = 32 * 1024;
/// Limit of concurrent streams of an HTTP/2 connection: the minimum that RFC 9113 section 6.5.2 recommends, since each
/// may hold an unread response.
const MAX_STREAMS: u32 = 100;
/// Bytes that an HTTP/2 peer may send before they are read, on one stream and on one connection: the least of RFC 9113.
const WINDOW: u32 = (64 << 10) - 1;
/// Limit of the bytes of one HTTP/2 stream that wait for the peer to read.
const MAX_SEND_BUFFER: usize = 64 << 10;
/// Interval of HTTP/2 pings, and the time that the peer has to acknowledge one.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// The peer of the connection, as a request extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeerAddr(pub SocketAddr);

/// Why a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionEnd {
    Regular,
    /// Its client sent too many frames that belong to no request.
    Flooded,
}

/// Serves the connections of one listener.
pub(super) struct ConnectionServer {
    builder: Builder<TokioExecutor>,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    service: RequestService,
    header_timeout: Duration,
    max_age: Duration,
    stall_timeout: Duration,
    /// Changes while a connection waits for a permit.
    full: watch::Receiver<()>,
    soft_shutdown: CancellationToken,
}

impl ConnectionServer {
    pub(super) fn new(
        service: RequestService,
        options: ListenOptions,
        full: watch::Receiver<()>,
        soft_shutdown: CancellationToken,
    ) -> Self {
        Self {
            builder: http_builder(options.header_timeout),
            tls: options.tls,
            service,
            header_timeout: options.header_timeout,
            max_age: options.max_age,
            stall_timeout: options.stall_timeout,
            full,
            soft_shutdown,
        }
    }

    /// Serves a connection until it ends, and returns why.
    pub(super) async fn serve(&self, stream: TcpStream, peer: SocketAddr) -> ConnectionEnd {
        // Without this, small frames of gRPC and event streams wait for delayed acknowledgements.
        let _ = stream.set_nodelay(true);
        let tls = self.tls.as_ref().map(|tls| Arc::clone(&tls.borrow()));
        match tls.map(TlsAcceptor::from) {
            None => return self.serve_http(stream, peer).await,
            Some(acceptor) => match time::timeout(self.header_timeout, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => return self.serve_http(stream, peer).await,
                // A health check that only connects is not worth a line.
                Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                    tracing::debug!(cause = %error, %peer, "a TLS handshake was not finished");
                }
                Ok(Err(error)) => tracing::info!(cause = %error, %peer, "a TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
            },
        }
        ConnectionEnd::Regular
    }

    async fn serve_http<S>(&self, stream: S, peer: SocketAddr) -> ConnectionEnd
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = ConnectionActivity::new();
        let service = observed_service(self.service.clone(), activity.clone(), peer);
        let io = TokioIo::new(FloodGuard::new(stream, activity.clone()));
        let connection = self.builder.serve_connection(InspectedStream::new(io, activity.clone()), service);
        tokio::pin!(connection);
        // hyper's header timeout starts once hyper knows the version. This timer closes a client that sends nothing.
        let timer = time::sleep(self.header_timeout);
        tokio::pin!(timer);
        let expires_at = time::Instant::now() + with_jitter(self.max_age, peer);
        let mut full = self.full.clone();
        let (mut is_draining, mut is_expired) = (false, false);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(cause = %error, %peer, "a connection ended early");
                    }
                    return if activity.is_flooded() { ConnectionEnd::Flooded } else { ConnectionEnd::Regular };
                }
                () = self.soft_shutdown.cancelled(), if !is_draining => {
                    is_draining = true;
                    connection.as_mut().graceful_shutdown();
                }
                Ok(()) = full.changed() => {
                    if activity.idle_for() >= MIN_IDLE_TO_CLOSE {
                        if !activity.has_requests() || activity.stalled_for() >= self.stall_timeout {
                            return ConnectionEnd::Regular;
                        }
                        // Requests in flight end normally, as long as the client reads their responses.
                        connection.as_mut().graceful_shutdown();
                    }
                }
                () = timer.as_mut() => {
                    let now = time::Instant::now();
                    let is_stalled = || activity.stalled_for() >= self.stall_timeout;
                    if !activity.is_version_known() || now >= expires_at + DRAIN_TIMEOUT || is_expired && is_stalled() {
                        return ConnectionEnd::Regular;
                    }
                    // The timer first ends the wait for the version, then the connection's age, then its drain.
                    if now < expires_at {
                        timer.as_mut().reset(expires_at);
                    } else {
                        is_expired = true;
                        connection.as_mut().graceful_shutdown();
                        timer.as_mut().reset(now + self.stall_timeout);
                    }
                }
            }
        }
    }
}

/// Serves the requests of one connection and records their activity.
fn observed_service(
    service: RequestService,
    activity: ConnectionActivity,
    peer: SocketAddr,
) -> impl Service<Request<Incoming>, Response = Response<ObservedBody>, Error = Infallible, Future: Send> {
    service_fn(move |request| {
        let (guard, activity) = (activity.begin_request(), activity.clone());
        let is_http1 = request.version() < Version::HTTP_2;
        // Routers and their layers are always ready.
        let response = service.clone().call(with_peer(request, peer, &activity));
        async move {
            let _guard = guard;
            let mut response = response.await?;
            if is_http1 && activity.has_unread_body() {
                // hyper closes the connection after the response, so the client must not send another request.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| ObservedBody::new(body, activity)))
        }
    })
}

fn http_builder(header_timeout: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(MAX_HEADER as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(MAX_SEND_BUFFER)
        .adaptive_window(false);
    builder
}

/// Varies an age by up to a tenth, so that connections that were opened together do not expire together. The peer's
/// port differs between connections and serves as the source of variation.
fn with_jitter(age: Duration, peer: SocketAddr) -> Duration {
    age.mul_f64(0.9 + f64::from(peer.port() % 200) / 1_000.0)
}

fn with_peer(request: Request<Incoming>, peer: SocketAddr, activity: &ConnectionActivity) -> Request<Body> {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(PeerAddr(peer));
    // Most requests have no body. The empty body needs no allocation.
    let has_body = !body.is_end_stream();
    activity.set_unread_body(has_body);
    let body = if has_body { Body::new(ObservedRequestBody::new(body, activity.clone())) } else { Body::empty() };
    Request::from_parts(parts, body)
}
