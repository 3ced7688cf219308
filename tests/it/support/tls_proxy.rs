//! A proxy that gives a server TLS, and keeps the certificates that clients present to it.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        server::WebPkiClientVerifier,
    },
};
use url::Url;

use super::authority::Authority;

/// Whether clients without a certificate are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    Requested,
    Required,
}

/// Terminates TLS on a port of its own.
pub struct TlsProxy {
    /// The URL of the server behind it, with `https` and the port of the proxy.
    pub url: String,
    presented: Arc<Mutex<Vec<Option<CertificateDer<'static>>>>>,
    closing: watch::Sender<()>,
}

impl TlsProxy {
    /// Starts a proxy before the server of a URL. The authority issues its certificate, and those that it accepts.
    pub async fn start(url: &str, authority: &Authority, clients: ClientCertificates) -> Self {
        Self::start_with_protocols(url, authority, clients, &[]).await
    }

    /// Starts a proxy that agrees on one of these protocols with its clients (ALPN).
    pub async fn start_with_protocols(
        url: &str,
        authority: &Authority,
        clients: ClientCertificates,
        protocols: &[&str],
    ) -> Self {
        let mut url: Url = url.parse().unwrap();
        let target = url.socket_addrs(|| None).unwrap()[0];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_scheme("https").unwrap();
        url.set_ip_host([127, 0, 0, 1].into()).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config(authority, clients, protocols)));
        let presented = Arc::<Mutex<Vec<_>>>::default();
        let closing = watch::Sender::new(());
        let (kept, closing_receiver) = (Arc::clone(&presented), closing.subscribe());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, kept, mut closing) = (acceptor.clone(), Arc::clone(&kept), closing_receiver.clone());
                closing.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut client) = acceptor.accept(socket).await else { return };
                    let certificates = client.get_ref().1.peer_certificates();
                    kept.lock().push(certificates.map(|chain| chain[0].clone().into_owned()));
                    let Ok(mut server) = TcpStream::connect(target).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = closing.changed() => {}
                    }
                });
            }
        });
        // Without the slash that `Url` adds, as the fakes write their URLs.
        Self { url: url.as_str().trim_end_matches('/').to_owned(), presented, closing }
    }

    /// Closes the present connections.
    pub fn close_connections(&self) {
        self.closing.send_replace(());
    }

    /// The certificate that each accepted connection since the last call has presented.
    pub fn take_presented(&self) -> Vec<Option<CertificateDer<'static>>> {
        std::mem::take(&mut self.presented.lock())
    }
}

fn config(authority: &Authority, clients: ClientCertificates, protocols: &[&str]) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.file()).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = match clients {
        ClientCertificates::Requested => verifier.allow_unauthenticated(),
        ClientCertificates::Required => verifier,
    };
    let issued = authority.issue();
    let chain = vec![CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_client_cert_verifier(verifier.build().unwrap()).with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}
