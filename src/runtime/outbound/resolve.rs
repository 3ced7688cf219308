//! Names to addresses, and none that requests may not go to.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolving};

use super::address::permitted;

/// Looks up names.
pub(crate) trait AddressResolver: fmt::Debug + Send + Sync + 'static {
    /// The addresses of a name.
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// Asks the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemResolver;

impl AddressResolver for SystemResolver {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// The resolver of the client: the client connects to what it gives and to nothing else, so an address that was not checked is
/// never connected to, whatever the name resolves to a moment later.
#[derive(Debug)]
pub(super) struct CheckedResolver {
    pub resolver: Arc<dyn AddressResolver>,
    pub allowed: Arc<[IpNet]>,
}

impl reqwest::dns::Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.resolver.resolve(name.as_str().to_owned());
        let allowed = self.allowed.clone();
        Box::pin(async move {
            let mut kept = Vec::new();
            let mut refused = None;
            for address in found.await? {
                match permitted(address, &allowed) {
                    // The port is the URL's.
                    Ok(()) => kept.push(SocketAddr::new(address, 0)),
                    Err(refusal) => refused = Some(refusal),
                }
            }
            match refused {
                Some(refusal) if kept.is_empty() => Err(refusal.into()),
                _ if kept.is_empty() => Err(io::Error::from(io::ErrorKind::NotFound).into()),
                _ => Ok(Box::new(kept.into_iter()) as Addrs),
            }
        })
    }
}
