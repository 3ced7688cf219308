//! The client that sends the requests of apps.

use std::{error::Error as _, net::IpAddr, sync::Arc, time::Duration};

use bytes::BytesMut;
use http::HeaderMap;
use ipnet::IpNet;
use reqwest::Client;
use tokio::time::{Instant, timeout, timeout_at};
use url::{Host, Url};

use super::{
    address::{UnreachableHostError, check_address},
    error::{MAX_REDIRECTS, OutboundError},
    message::{OutboundRequest, OutboundResponse},
    permits::OutboundPermits,
    redirect::redirected,
    resolver::{AddressResolver, CheckedResolver, SystemResolver},
};
use crate::{
    domain::{Error, Result},
    http_client::HttpClients,
    memory::{MemoryKind, MemoryLedger, MemoryPermit, Owner},
};

/// Longest wait for the next part of a response.
pub(crate) const MAX_READ_TIMEOUT: Duration = Duration::from_mins(1);
/// Requests at the same time in this process.
pub(super) const MAX_CONCURRENT: usize = 64;
/// Longest time for a request with all of its redirects.
const TOTAL_TIMEOUT: Duration = Duration::from_mins(1);
/// The least memory of a body, in bytes.
const BODY_STEP: usize = 16 << 10;

/// Sends the requests of apps.
#[derive(Debug)]
pub(crate) struct OutboundClient {
    client: Client,
    allowed: Arc<[IpNet]>,
    permits: Arc<OutboundPermits>,
    /// Has the memory of responses, which are parts of runs.
    memory: MemoryLedger,
}

impl OutboundClient {
    /// A client for public addresses and the `allowed` networks.
    pub(crate) fn new(allowed: Vec<IpNet>, memory: &MemoryLedger, clients: &HttpClients) -> Result<Self> {
        Self::with_resolver(allowed, memory, clients, Arc::new(SystemResolver))
    }

    /// A client that resolves names with `resolver`.
    pub(crate) fn with_resolver(
        allowed: Vec<IpNet>,
        memory: &MemoryLedger,
        clients: &HttpClients,
        resolver: Arc<dyn AddressResolver>,
    ) -> Result<Self> {
        let allowed: Arc<[IpNet]> = allowed.into();
        let client = clients
            .for_other_servers()?
            .dns_resolver(CheckedResolver { resolver, allowed: allowed.clone() })
            .pool_max_idle_per_host(0)
            .build()
            .map_err(Error::internal)?;
        Ok(Self { client, allowed, permits: Arc::new(OutboundPermits::new(MAX_CONCURRENT)), memory: memory.clone() })
    }

    /// Sends a request of an app, follows redirects, and reads the response. `limit` returns the maximum of bytes for
    /// its headers. The response holds memory of the workspace, the first of the owners.
    pub(crate) async fn send(
        &self,
        owners: [Owner; 2],
        request: OutboundRequest,
        limit: impl Fn(&HeaderMap) -> usize,
    ) -> Result<OutboundResponse, OutboundError> {
        let _permit = self.permits.acquire(owners).await?;
        let deadline = Instant::now() + TOTAL_TIMEOUT;
        let memory = self.memory.permit(MemoryKind::Runs, Some(owners[0]));
        timeout_at(deadline, self.send_all(request, limit, memory)).await.unwrap_or(Err(OutboundError::TimedOut))
    }

    /// Sends a request as [`Self::send`] does, but follows no redirect: the body may hold a secret of the receiver.
    pub(crate) async fn send_without_redirects(
        &self,
        owners: [Owner; 2],
        request: OutboundRequest,
        limit: usize,
    ) -> Result<OutboundResponse, OutboundError> {
        let _permit = self.permits.acquire(owners).await?;
        let memory = self.memory.permit(MemoryKind::Runs, Some(owners[0]));
        let wait = request.read_timeout.min(MAX_READ_TIMEOUT);
        let sending = async { read(self.send_once(&request, wait).await?, limit, wait, memory).await };
        timeout(TOTAL_TIMEOUT, sending).await.unwrap_or(Err(OutboundError::TimedOut))
    }

    async fn send_all(
        &self,
        mut request: OutboundRequest,
        limit: impl Fn(&HeaderMap) -> usize,
        memory: MemoryPermit,
    ) -> Result<OutboundResponse, OutboundError> {
        for _ in 0..=MAX_REDIRECTS {
            let wait = request.read_timeout.min(MAX_READ_TIMEOUT);
            let response = self.send_once(&request, wait).await?;
            let Some(next) = redirected(&request, response.status(), response.headers())? else {
                let limit = limit(response.headers());
                return read(response, limit, wait, memory).await;
            };
            request = next;
        }
        Err(OutboundError::TooManyRedirects)
    }

    async fn send_once(&self, request: &OutboundRequest, wait: Duration) -> Result<reqwest::Response, OutboundError> {
        self.check(&request.url)?;
        let mut sending =
            self.client.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
        if let Some(body) = &request.body {
            sending = sending.body(body.clone());
        }
        match timeout(wait, sending.send()).await {
            Ok(sent) => sent.map_err(|error| outbound_error(&error)),
            Err(_) => Err(OutboundError::TimedOut),
        }
    }

    /// Checks the URL. Names are checked when they are resolved; a literal address is not resolved and is checked here.
    fn check(&self, url: &Url) -> Result<(), OutboundError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OutboundError::Url("url should start with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OutboundError::Url("the url must not contain a user name or a password"));
        }
        match url.host() {
            None => Err(OutboundError::Url("the url has no host")),
            Some(Host::Domain(_)) => Ok(()),
            Some(Host::Ipv4(v4)) => Ok(check_address(IpAddr::V4(v4), &self.allowed)?),
            Some(Host::Ipv6(v6)) => Ok(check_address(IpAddr::V6(v6), &self.allowed)?),
        }
    }
}

async fn read(
    mut response: reqwest::Response,
    limit: usize,
    wait: Duration,
    mut memory: MemoryPermit,
) -> Result<OutboundResponse, OutboundError> {
    // A declared length is rejected before reading; an undeclared one is counted.
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(OutboundError::TooLarge { limit });
    }
    let mut body = BytesMut::new();
    loop {
        let chunk = timeout(wait, response.chunk()).await.map_err(|_| OutboundError::TimedOut)?;
        let Some(chunk) = chunk.map_err(|error| outbound_error(&error))? else { break };
        let length = body.len() + chunk.len();
        if length > limit {
            return Err(OutboundError::TooLarge { limit });
        }
        if length > memory.bytes() {
            memory.resize(length.max(memory.bytes() * 2).max(BODY_STEP))?;
            body.reserve(memory.bytes() - body.len());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(OutboundResponse {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body: body.freeze(),
        memory,
    })
}

/// Uses the innermost source only: the outer ones repeat the URL, which may hold secrets.
fn outbound_error(error: &reqwest::Error) -> OutboundError {
    if error.is_timeout() {
        return OutboundError::TimedOut;
    }
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(inner) = cause.source() {
        cause = inner;
        if let Some(unreachable) = cause.downcast_ref::<UnreachableHostError>() {
            return OutboundError::Unreachable(*unreachable);
        }
    }
    if error.source().is_none() {
        OutboundError::Failed("the connection was lost".to_owned())
    } else {
        OutboundError::Failed(cause.to_string())
    }
}
