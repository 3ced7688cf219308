//! The HTTP client that everything here which calls another server begins with: whom it trusts, and what it never does.
//!
//! It follows no redirect and takes no proxy from the environment: either would lead a request, with its credentials, to
//! a place that nobody configured.

use std::{sync::Arc, time::Duration};

use reqwest::{ClientBuilder, redirect};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::domain::{Error, Result};

/// How long making a connection may take, TLS included, unless the caller says otherwise.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection without a request is kept.
const IDLE_LIMIT: Duration = Duration::from_secs(90);
/// When a connection that says nothing is asked whether it lives.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A builder with TLS set up. Limits on the time of a whole request are the caller's to add: streams have none.
pub fn client_builder() -> Result<ClientBuilder> {
    Ok(ClientBuilder::new()
        .tls_backend_preconfigured(tls()?)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_LIMIT)
        .pool_idle_timeout(IDLE_LIMIT)
        .tcp_keepalive(KEEPALIVE)
        .tcp_nodelay(true))
}

/// The machine's certificates where it has any, so that an operator's own authority counts (`SSL_CERT_FILE` and
/// `SSL_CERT_DIR` name others); Mozilla's, compiled in, on an image that has none.
fn tls() -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_can_be_built_without_a_process_wide_provider() {
        let client = client_builder().unwrap().build().unwrap();
        let refused = client.get("https://127.0.0.1:1/").send().await.unwrap_err();
        assert!(refused.is_connect(), "{refused:?}");
    }
}
