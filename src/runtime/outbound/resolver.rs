//! Resolves names to the addresses that requests may reach.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolving};

use super::address::{UnreachableHostError, check_address};

pub(crate) trait AddressResolver: fmt::Debug + Send + Sync + 'static {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// Uses the resolver of the operating system.
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

/// The resolver of the HTTP client. The client connects only to the addresses that it returns, and all of them are
/// checked, so a name that resolves differently a moment later cannot bypass the check.
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
            let found = found.await.inspect_err(|error| tracing::debug!(cause = %error, "a name does not resolve"));
            let is_allowed = |address: &IpAddr| check_address(*address, &allowed).is_ok();
            // Port 0: the client uses the port of the URL.
            let socket = |address| SocketAddr::new(address, 0);
            let kept: Vec<_> = found.unwrap_or_default().into_iter().filter(is_allowed).map(socket).collect();
            if kept.is_empty() { Err(UnreachableHostError.into()) } else { Ok(Box::new(kept.into_iter()) as Addrs) }
        })
    }
}
