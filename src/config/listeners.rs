//! The addresses of the listeners, their TLS files, and the trusted proxies.

use std::net::SocketAddr;

use ipnet::IpNet;

use super::{
    reader::Reader,
    settings::{self, Setting},
    tls::TlsFiles,
};

#[derive(Clone, Debug)]
pub struct Listeners {
    pub public: SocketAddr,
    /// gRPC only, with the methods for internal services.
    pub grpc: Option<SocketAddr>,
    /// Health and metrics.
    pub admin: Option<SocketAddr>,
    /// JSON for internal services.
    pub inner: Option<SocketAddr>,
    /// Of the public listener.
    pub tls: Option<TlsFiles>,
    /// Of the gRPC listener.
    pub grpc_tls: Option<TlsFiles>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
}

impl Listeners {
    /// The listeners of `serve`.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        // After a bad address, port 0 avoids a second problem.
        let public = reader.listen(&settings::LISTEN).unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
        let admin = optional_listener(reader, &settings::ADMIN_LISTEN);
        let grpc = optional_listener(reader, &settings::GRPC_LISTEN);
        let inner = optional_listener(reader, &settings::INNER_LISTEN);
        let mut used = vec![(&settings::LISTEN, public)];
        let others =
            [(&settings::ADMIN_LISTEN, admin), (&settings::GRPC_LISTEN, grpc), (&settings::INNER_LISTEN, inner)];
        for (setting, address) in others {
            let Some(address) = address else { continue };
            if let Some((other, _)) = used.iter().find(|(_, other)| collide(*other, address)) {
                reader.problem(setting, format_args!("is {address}, which {other} already uses; choose another port"));
            }
            used.push((setting, address));
        }
        let tls = TlsFiles::read(reader, &settings::TLS_CERT_FILE, &settings::TLS_KEY_FILE, None);
        let client_ca = Some(&settings::GRPC_TLS_CLIENT_CA_FILE);
        let grpc_tls = TlsFiles::read(reader, &settings::GRPC_TLS_CERT_FILE, &settings::GRPC_TLS_KEY_FILE, client_ca);
        if grpc_tls.is_some() && grpc.is_none() {
            reader.problem(
                &settings::GRPC_TLS_CERT_FILE,
                "is set without GRPC_LISTEN; set GRPC_LISTEN, or use TLS_CERT_FILE for the public port",
            );
        }
        Self { public, grpc, admin, inner, tls, grpc_tls, trusted_proxies: read_trusted_proxies(reader) }
    }

    /// The listener of `dev`, on loopback only.
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

/// The address of a listener that `off` closes.
fn optional_listener(reader: &mut Reader<'_>, setting: &'static Setting) -> Option<SocketAddr> {
    if reader.text(setting)?.eq_ignore_ascii_case("off") { None } else { reader.listen(setting) }
}

/// Whether one of two listeners cannot bind. Port 0 never collides.
fn collide(left: SocketAddr, right: SocketAddr) -> bool {
    let wildcard = left.ip().is_unspecified() || right.ip().is_unspecified();
    left.port() != 0 && left.port() == right.port() && (left.ip() == right.ip() || wildcard)
}

fn read_trusted_proxies(reader: &mut Reader<'_>) -> Vec<IpNet> {
    let networks = reader.networks(&settings::TRUSTED_PROXIES, "addresses or networks like 10.0.0.0/8,192.168.1.7");
    if networks.iter().any(|network| network.prefix_len() == 0) {
        reader.warning(
            &settings::TRUSTED_PROXIES,
            "trusts every address, so any caller can pretend to have any address; list your proxies' networks",
        );
    }
    networks
}
