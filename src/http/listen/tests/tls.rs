//! TLS at the listener.

use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{PrivateKeyDer, ServerName},
    },
};

use super::*;
use crate::config::tls::TlsFiles;

/// A certificate authority. It writes PEM files and configures TLS clients.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn sign(&self) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn files(&self, dir: &Path, mutual: bool) -> TlsFiles {
        let (cert, key) = self.sign();
        fs::write(dir.join("cert.pem"), cert.pem()).unwrap();
        fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
        fs::write(dir.join("ca.pem"), self.0.pem()).unwrap();
        let client_ca = mutual.then(|| dir.join("ca.pem"));
        TlsFiles { cert: dir.join("cert.pem"), key: dir.join("key.pem"), client_ca }
    }

    /// A client that trusts this authority, with a certificate that `client` signed.
    fn connector(&self, client: Option<&Self>, alpn: &[u8]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = if let Some(client) = client {
            let (cert, key) = client.sign();
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            builder.with_client_auth_cert(vec![cert.der().clone()], key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        config.alpn_protocols = vec![alpn.to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}

/// The response to one request over TLS; empty when the handshake fails.
async fn get_over_tls(connector: TlsConnector, address: SocketAddr) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    let Ok(mut stream) = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await else {
        return String::new();
    };
    let mut answer = Vec::new();
    let _ = stream.write_all(b"GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn tls_terminates_here_and_may_require_a_client_certificate() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let tls = |mutual| ListenOptions {
        tls: Some(watch::Sender::new(authority.files(dir.path(), mutual).load().unwrap()).subscribe()),
        ..ListenOptions::default()
    };
    let server = start(tls(false)).await;
    assert!(get_over_tls(authority.connector(None, b"http/1.1"), server.address).await.starts_with("HTTP/1.1 200"));
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = authority.connector(None, b"h2").connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(sender.send_request(request(server.address, "/peer")).await.unwrap().status(), 200);

    let server = start(tls(true)).await;
    assert!(
        get_over_tls(authority.connector(Some(&authority), b"http/1.1"), server.address)
            .await
            .starts_with("HTTP/1.1 200")
    );
    assert_eq!(get_over_tls(authority.connector(None, b"http/1.1"), server.address).await, "");
    let stranger = Authority::new();
    assert_eq!(get_over_tls(authority.connector(Some(&stranger), b"http/1.1"), server.address).await, "");
}

#[test]
fn unusable_tls_files_are_named_in_the_error() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let files = authority.files(dir.path(), true);
    assert!(files.load().is_ok());
    fs::write(&files.key, authority.sign().1.serialize_pem()).unwrap();
    // The key of another certificate.
    assert!(files.load().unwrap_err().to_string().contains("belong together"));
    let files = authority.files(dir.path(), true);
    fs::write(files.client_ca.as_ref().unwrap(), "").unwrap();
    let error = files.load().unwrap_err().to_string();
    assert!(error.contains("ca.pem"), "{error}");
}
