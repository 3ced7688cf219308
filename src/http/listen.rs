//! Accepts the connections of a listener: HTTP/1.1, HTTP/2 and gRPC on one port, with a graceful shutdown.
//!
//! `axum::serve` sets neither `TCP_NODELAY` nor any timeout, which a public port needs.

mod activity;
mod connection;
mod descriptors;
mod frame_flood;
mod head_scanner;
mod io;
mod limits;
mod linger;
mod options;
mod request_service;
#[cfg(test)]
mod tests;

use std::{
    io::{Error as IoError, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::options::ListenOptions;
pub(crate) use self::{connection::PeerAddr, descriptors::DescriptorReserve, request_service::RequestService};
use self::{
    connection::{ConnectionEnd, ConnectionServer},
    limits::{ConnectionLimits, ConnectionPermit},
};
use crate::memory::{CONNECTION_BYTES, MemoryKind};

/// Interval at which idle connections are searched for while a connection waits for a permit.
const CLOSE_IDLE_INTERVAL: Duration = Duration::from_millis(250);
/// How long a connection that was a flood of frames counts towards the limit of its network after its end. Without it,
/// a client could open the next one at once.
const FLOOD_PENALTY: Duration = Duration::from_secs(10);
/// Pause after `accept` failed for want of file descriptors or memory.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// Serves until `soft_shutdown` is cancelled, then drains: the listener closes, open connections get `GOAWAY` or
/// `Connection: close`, and requests in flight finish. `hard_shutdown` cuts the rest. Returns when all connections are
/// closed.
pub async fn serve(
    listener: TcpListener,
    service: RequestService,
    options: ListenOptions,
    soft_shutdown: CancellationToken,
    hard_shutdown: CancellationToken,
) {
    let connections = TaskTracker::new();
    let limits = ConnectionLimits::new(&options);
    let full = watch::Sender::new(());
    let (memory, reserve) = (options.memory.clone(), options.reserve.clone());
    let server = Arc::new(ConnectionServer::new(service, options, full.subscribe(), soft_shutdown.clone()));
    loop {
        let accepted = tokio::select! {
            biased;
            () = soft_shutdown.cancelled() => break,
            () = hard_shutdown.cancelled() => break,
            accepted = accept(&listener, &limits, &full, reserve.as_deref()) => accepted,
        };
        let Some((stream, peer, permit)) = accepted else { continue };
        let (server, hard_shutdown, reserve) = (Arc::clone(&server), hard_shutdown.clone(), reserve.clone());
        let memory = memory.charge(MemoryKind::Connections, CONNECTION_BYTES);
        let soft_shutdown = soft_shutdown.clone();
        connections.spawn(async move {
            let ConnectionPermit { all: permit, network } = permit;
            let end = tokio::select! {
                biased;
                () = hard_shutdown.cancelled() => ConnectionEnd::Regular,
                end = server.serve(stream, peer) => end,
            };
            drop((permit, memory));
            if let Some(reserve) = reserve {
                reserve.refill();
            }
            if network.is_some() && end == ConnectionEnd::Flooded {
                tokio::select! {
                    () = soft_shutdown.cancelled() => {}
                    () = hard_shutdown.cancelled() => {}
                    () = time::sleep(FLOOD_PENALTY) => {}
                }
            }
            drop(network);
        });
    }
    // The kernel refuses new connections from here on instead of queueing them.
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Waits for a connection, then for a permit. Returns `None` after an error that may be temporary, and for a connection
/// over the limit of its network, which is closed.
async fn accept(
    listener: &TcpListener,
    limits: &ConnectionLimits,
    full: &watch::Sender<()>,
    reserve: Option<&DescriptorReserve>,
) -> Option<(TcpStream, SocketAddr, ConnectionPermit)> {
    match listener.accept().await {
        Ok((stream, peer)) => {
            let network = limits.try_acquire_for_network(peer).ok()?;
            loop {
                match time::timeout(CLOSE_IDLE_INTERVAL, limits.acquire()).await {
                    Ok(permit) => {
                        return Some((stream, peer, ConnectionPermit { all: permit?, network }));
                    }
                    Err(_) => full.send_replace(()),
                }
            }
        }
        Err(error) if concerns_one_connection(&error) => None,
        Err(error) if reserve.is_some_and(|reserve| reserve.release(&error)) => None,
        Err(error) => {
            // Out of file descriptors or memory. Connections that end release some.
            tracing::warn!(cause = %error, "a connection could not be accepted");
            time::sleep(ACCEPT_RETRY_INTERVAL).await;
            None
        }
    }
}

fn concerns_one_connection(error: &IoError) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused)
}
