//! The HTTP clients of this service: their certificates, and the settings that they share.
//!
//! The clients follow no redirect and use no proxy of the environment: both would send a request, with its credentials,
//! to a server that is not configured.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{ClientBuilder, Response, redirect};
use tokio::sync::watch;
use tokio_rustls::rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, SignatureScheme,
    client::{ResolvesClientCert, Resumption, WantsClientCert},
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

use crate::{
    domain::{Error, Result},
    ports::outgoing_certificates::OutgoingCertificates,
    trusted_roots::TrustedRoots,
};

/// Timeout for connecting, with the TLS handshake. Callers may set another.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Idle time after which TCP probes the connection.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// Builds HTTP clients with the authorities and the client certificate of this process. The builders have no timeout for
/// a whole request, because streams have none; callers add theirs.
#[derive(Clone, Debug)]
pub struct HttpClients {
    roots: Arc<RootCertStore>,
    certificate: Option<watch::Receiver<Arc<CertifiedKey>>>,
}

impl Default for HttpClients {
    /// Mozilla's authorities, and no client certificate.
    fn default() -> Self {
        Self::new(&TrustedRoots::default(), None)
    }
}

impl HttpClients {
    /// New connections present the last value of `certificate`.
    pub(crate) fn new(roots: &TrustedRoots, certificate: Option<watch::Receiver<Arc<CertifiedKey>>>) -> Self {
        Self { roots: Arc::new(roots.store()), certificate }
    }

    /// The same for certificates that one server has of its own.
    pub(crate) fn from_pem(certificates: &OutgoingCertificates) -> Result<Self> {
        let roots = match &certificates.authorities {
            Some(pem) => root_store(pem)?,
            None => TrustedRoots::default().store(),
        };
        let certificate = match &certificates.client {
            Some(client) => {
                let chain = parse_certificates(&client.chain)?;
                let key = PrivateKeyDer::from_pem_slice(client.key.expose().as_bytes()).map_err(Error::internal)?;
                let key = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(Error::internal)?;
                Some(watch::channel(Arc::new(key)).1)
            }
            None => None,
        };
        Ok(Self { roots: Arc::new(roots), certificate })
    }

    /// A client for a server whose address an administrator has configured. It presents the client certificate.
    pub(crate) fn for_configured_server(&self) -> Result<ClientBuilder> {
        let config = self.tls()?;
        Ok(builder(match &self.certificate {
            Some(current) => {
                let mut config = config.with_client_cert_resolver(Arc::new(CurrentCertificate(current.clone())));
                // A resumed session would keep the certificate of the first one after a renewal.
                config.resumption = Resumption::disabled();
                config
            }
            None => config.with_no_client_auth(),
        }))
    }

    /// A client for servers that users or other servers name. It presents no certificate: otherwise a user could act
    /// with the rights of this service at every server that trusts it.
    pub fn for_other_servers(&self) -> Result<ClientBuilder> {
        Ok(builder(self.tls()?.with_no_client_auth()))
    }

    fn tls(&self) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
        Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Error::internal)?
            .with_root_certificates(Arc::clone(&self.roots)))
    }
}

/// Presents the client certificate that was loaded last.
#[derive(Debug)]
struct CurrentCertificate(watch::Receiver<Arc<CertifiedKey>>);

impl ResolvesClientCert for CurrentCertificate {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.borrow()))
    }

    fn has_certs(&self) -> bool {
        true
    }
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

fn root_store(pem: &[u8]) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(parse_certificates(pem)?);
    Ok(store)
}

fn parse_certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn client_is_built_without_a_process_wide_crypto_provider() {
        let client = HttpClients::default().for_configured_server().unwrap().build().unwrap();
        let refused = client.get("https://127.0.0.1:1/").send().await.unwrap_err();
        assert!(refused.is_connect(), "{refused:?}");
    }
}
