//! The admin listener on a thread and with file descriptors of its own, so that probes are answered while the other
//! threads are busy or all descriptors are in use.

use std::{net::SocketAddr, sync::Arc, thread};

use tokio::{net::TcpListener, runtime};
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{Error, Result},
    http::listen::{self, DescriptorReserve, ListenOptions, RequestService},
};

/// Descriptors that are kept for probes. A probe needs one for its connection.
const RESERVED_DESCRIPTORS: usize = 8;

/// Serves on a thread of its own until `shutdown`. Returns the address.
pub(super) fn start(
    listener: TcpListener,
    service: RequestService,
    options: ListenOptions,
    shutdown: CancellationToken,
) -> Result<SocketAddr> {
    let address = listener.local_addr().map_err(Error::internal)?;
    let listener = listener.into_std().map_err(Error::internal)?;
    let reserve = DescriptorReserve::new(RESERVED_DESCRIPTORS).map_err(Error::internal)?;
    let options = ListenOptions { reserve: Some(Arc::new(reserve)), ..options };
    // Made here, so that a failure fails the start.
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(Error::internal)?;
    let serve = async move {
        match TcpListener::from_std(listener) {
            Ok(listener) => listen::serve(listener, service, options, shutdown.clone(), shutdown).await,
            Err(error) => tracing::error!(cause = %error, "the admin listener does not work"),
        }
    };
    thread::Builder::new().name("admin".to_owned()).spawn(move || runtime.block_on(serve)).map_err(Error::internal)?;
    Ok(address)
}
