//! Opens the sockets of the listeners.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::domain::{Error, Result};

/// Connections that the kernel keeps until they are accepted, unless `net.core.somaxconn` is less. When there are more,
/// a client tries again after a second, so that somebody who opens many at once would delay the others.
const MAX_WAITING_CONNECTIONS: u32 = 4096;

pub(super) fn bind(address: SocketAddr) -> Result<TcpListener> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Connections of a process that has just ended do not keep the address.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(MAX_WAITING_CONNECTIONS)
    };
    bound().map_err(|error| {
        Error::internal(format!(
            "cannot listen on {address} ({error}); choose another address, or stop the program that uses this one"
        ))
    })
}

pub(super) fn local(listener: &TcpListener) -> Result<SocketAddr> {
    listener.local_addr().map_err(Error::internal)
}
