//! Where the process listens, and whose `X-Forwarded-For` it believes.

use std::net::SocketAddr;

use ipnet::IpNet;

use super::{reader::Reader, tls::TlsFiles};

/// The listeners. Only the public one is always there.
#[derive(Clone, Debug)]
pub struct Listeners {
    /// `LISTEN`: HTTP/1.1, HTTP/2 and gRPC.
    pub public: SocketAddr,
    /// `GRPC_LISTEN`: gRPC alone, internal methods included.
    pub grpc: Option<SocketAddr>,
    /// `ADMIN_LISTEN`: health and metrics.
    pub admin: Option<SocketAddr>,
    /// `INNER_LISTEN`: server to server.
    pub inner: Option<SocketAddr>,
    /// `TLS_CERT_FILE`, `TLS_KEY_FILE`, for the public listener.
    pub tls: Option<TlsFiles>,
    /// `GRPC_TLS_CERT_FILE`, `GRPC_TLS_KEY_FILE`, `GRPC_TLS_CLIENT_CA_FILE`, for the gRPC listener.
    pub grpc_tls: Option<TlsFiles>,
    /// `TRUSTED_PROXIES`.
    pub trusted_proxies: Vec<IpNet>,
}

impl Listeners {
    /// The listeners of `serve`.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let public = reader.listen("LISTEN").unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 5001)));
        let admin = switchable(reader, "ADMIN_LISTEN", Some(SocketAddr::from(([127, 0, 0, 1], 5002))));
        let grpc = switchable(reader, "GRPC_LISTEN", None);
        let inner = switchable(reader, "INNER_LISTEN", None);
        let mut taken = vec![("LISTEN", public)];
        for (name, address) in [("ADMIN_LISTEN", admin), ("GRPC_LISTEN", grpc), ("INNER_LISTEN", inner)] {
            let Some(address) = address else { continue };
            if let Some((other, _)) = taken.iter().find(|(_, other)| collide(*other, address)) {
                reader.problem(name, format_args!("is {address}, which {other} already uses; choose another port"));
            }
            taken.push((name, address));
        }
        let tls = TlsFiles::read(reader, "TLS_CERT_FILE", "TLS_KEY_FILE", None);
        let grpc_tls =
            TlsFiles::read(reader, "GRPC_TLS_CERT_FILE", "GRPC_TLS_KEY_FILE", Some("GRPC_TLS_CLIENT_CA_FILE"));
        if grpc_tls.is_some() && grpc.is_none() {
            reader.problem(
                "GRPC_TLS_CERT_FILE",
                "is set without GRPC_LISTEN; set GRPC_LISTEN, or use TLS_CERT_FILE for the public port",
            );
        }
        Self { public, grpc, admin, inner, tls, grpc_tls, trusted_proxies: read_trusted_proxies(reader) }
    }

    /// The one listener of `dev`, on loopback only.
    pub(super) fn dev(reader: &mut Reader<'_>, listen: SocketAddr) -> Self {
        if !listen.ip().is_loopback() {
            reader.problem(
                "--listen",
                format_args!(
                    "is {listen}, but dev listens on loopback only; use 127.0.0.1:{}, or the serve command",
                    listen.port()
                ),
            );
        }
        let trusted_proxies = read_trusted_proxies(reader);
        Self { public: listen, grpc: None, admin: None, inner: None, tls: None, grpc_tls: None, trusted_proxies }
    }
}

/// A listener that `off` switches off.
fn switchable(reader: &mut Reader<'_>, name: &str, default: Option<SocketAddr>) -> Option<SocketAddr> {
    match reader.text(name) {
        None => default,
        Some(text) if text.eq_ignore_ascii_case("off") => None,
        Some(_) => reader.listen(name),
    }
}

/// Whether binding both fails. Port 0 never collides.
fn collide(left: SocketAddr, right: SocketAddr) -> bool {
    let wildcard = left.ip().is_unspecified() || right.ip().is_unspecified();
    left.port() != 0 && left.port() == right.port() && (left.ip() == right.ip() || wildcard)
}

fn read_trusted_proxies(reader: &mut Reader<'_>) -> Vec<IpNet> {
    const NAME: &str = "TRUSTED_PROXIES";
    let nets = reader.networks(NAME, "addresses or networks like 10.0.0.0/8,192.168.1.7");
    if nets.iter().any(|net| net.prefix_len() == 0) {
        reader.warning(NAME, "trusts every address, so anyone could pretend to be anyone; list your proxies' networks");
    }
    nets
}
