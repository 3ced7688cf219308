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
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::{
    domain::{Error, Result},
    ports::outgoing_certificates::{ClientCertificate, OutgoingCertificates},
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
    Ok(builder(tls(Arc::clone(&ROOTS), None)?))
}

/// The same, with the certificates of one server.
pub(crate) fn client_builder_with(certificates: &OutgoingCertificates) -> Result<ClientBuilder> {
    let roots = match &certificates.authorities {
        Some(pem) => Arc::new(root_store(pem)?),
        None => Arc::clone(&ROOTS),
    };
    Ok(builder(tls(roots, certificates.client.as_ref())?))
}

fn builder(tls: ClientConfig) -> ClientBuilder {
    ClientBuilder::new()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .tcp_keepalive(KEEPALIVE_INTERVAL)
        .tcp_nodelay(true)
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

fn tls(roots: Arc<RootCertStore>, client: Option<&ClientCertificate>) -> Result<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_root_certificates(roots);
    let Some(client) = client else { return Ok(config.with_no_client_auth()) };
    let key = PrivateKeyDer::from_pem_slice(client.key.expose().as_bytes()).map_err(Error::internal)?;
    config.with_client_auth_cert(certificates(&client.chain)?, key).map_err(Error::internal)
}

fn root_store(pem: &[u8]) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates(pem)?);
    Ok(store)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(Error::internal)
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
