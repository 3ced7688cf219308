//! Renewed certificates are served without a restart.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use rcgen::{CertificateParams, KeyPair};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName},
    },
};

use crate::support::{
    process::{Process, signal},
    server::free_port,
};

/// Writes a self-signed certificate and its key.
fn renew(dir: &Path) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
    fs::write(dir.join("cert.pem"), certificate.pem()).unwrap();
    certificate.der().clone()
}

/// Whether the server at the port shows this certificate.
async fn shows(port: u16, certificate: &CertificateDer<'static>) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.is_ok()
}

async fn wait_until_shown(port: u16, certificate: &CertificateDer<'static>) {
    for _ in 0..400 {
        if shows(port, certificate).await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the certificate is not served");
}

/// Waits until one line of the log has all texts.
async fn assert_logged(log: &Path, texts: &[&str]) {
    for _ in 0..400 {
        let lines = fs::read_to_string(log).unwrap();
        if lines.lines().any(|line| texts.iter().all(|text| line.contains(text))) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{}", fs::read_to_string(log).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn hang_up_signal_loads_renewed_certificates_and_keeps_the_last_usable_ones() {
    let dir = tempfile::tempdir().unwrap();
    let first = renew(dir.path());
    let (port, grpc_port) = (free_port(), free_port());
    let environment = [
        ("CONSOLE_WEB_URL", format!("https://localhost:{port}")),
        ("SECRET_KEY", "Zk3vYw8sQ1rT6uB9xN2mC5pL8dF4hJ7g".to_owned()),
        ("DATA_DIR", dir.path().join("data").display().to_string()),
        ("LISTEN", format!("127.0.0.1:{port}")),
        ("ADMIN_LISTEN", "off".to_owned()),
        ("GRPC_LISTEN", format!("127.0.0.1:{grpc_port}")),
        ("GRPC_TLS_CERT_FILE", dir.path().join("cert.pem").display().to_string()),
        ("GRPC_TLS_KEY_FILE", dir.path().join("key.pem").display().to_string()),
        ("TLS_CERT_FILE", dir.path().join("cert.pem").display().to_string()),
        ("TLS_KEY_FILE", dir.path().join("key.pem").display().to_string()),
    ];
    let program = |command: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_dify-openapi"));
        program.arg(command).env_clear().envs(environment.clone()).stdout(Stdio::null()).stderr(Stdio::null());
        program
    };
    assert!(program("migrate").arg("up").status().unwrap().success());
    let log = dir.path().join("log");
    let mut server = Process(program("serve").stdout(File::create(&log).unwrap()).spawn().unwrap());
    wait_until_shown(port, &first).await;

    let second = renew(dir.path());
    signal("HUP", &[server.0.id()]);
    for port in [port, grpc_port] {
        wait_until_shown(port, &second).await;
        assert!(!shows(port, &first).await);
    }
    // The reason reaches the server from clients that report it.
    let url = format!("https://localhost:{port}/");
    let refused = Command::new("curl").args(["--silent", "--noproxy", "*", &url]).output().unwrap();
    assert!(!refused.status.success());
    assert_logged(&log, &["a TLS handshake failed", "UnknownCA"]).await;

    // A key of another certificate cannot be used.
    fs::write(dir.path().join("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    signal("HUP", &[server.0.id()]);
    assert!(server.0.try_wait().unwrap().is_none(), "the signal does not end the process");
    assert!(shows(port, &second).await);

    let third = renew(dir.path());
    signal("HUP", &[server.0.id()]);
    wait_until_shown(port, &third).await;
    wait_until_shown(grpc_port, &third).await;
}
