//! The settings that all HTTP clients of this service share.
//!
//! The clients follow no redirect and use no proxy of the environment: both would send a request, with its credentials,
//! to a server that is not configured.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use reqwest::{ClientBuilder, Response, redirect};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::{
    domain::{Error, Result},
    trusted_roots::TrustedRoots,
};

/// Timeout for connecting, with the TLS handshake. Callers may set another.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Idle time after which TCP probes the connection.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// The trusted authorities, which the environment of the process selects. Read once for all clients.
static ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| Arc::new(TrustedRoots::of_process().store()));

/// A builder with TLS configured. It has no timeout for a whole request, because streams have none; callers add theirs.
pub fn client_builder() -> Result<ClientBuilder> {
    Ok(ClientBuilder::new()
        .tls_backend_preconfigured(tls()?)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .tcp_keepalive(KEEPALIVE_INTERVAL)
        .tcp_nodelay(true))
}

/// A body that was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is too long")]
    TooLong,
    #[error("the body was interrupted")]
    Interrupted(#[source] reqwest::Error),
}

/// Reads a body of at most `max_bytes`. The caller has a timeout for it.
pub(crate) async fn read_body(response: &mut Response, max_bytes: usize) -> Result<Bytes, BodyError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Interrupted)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(BodyError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn tls() -> Result<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_root_certificates(Arc::clone(&ROOTS))
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn client_is_built_without_a_process_wide_crypto_provider() {
        let client = client_builder().unwrap().build().unwrap();
        let refused = client.get("https://127.0.0.1:1/").send().await.unwrap_err();
        assert!(refused.is_connect(), "{refused:?}");
    }
}
