//! HTTP requests that apps send, to wherever their authors please: so nowhere near this machine or its network.
//!
//! Every address that a name resolves to is checked, the connection goes to an address that was checked and to no other, and a
//! redirect is a new request with everything checked again. What comes back is bounded in size and in time. Connections are not
//! kept: what one app's request left behind is never another's.

mod address;
mod redirect;
mod resolve;
mod share;

use std::{error::Error as _, net::IpAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use ipnet::IpNet;
use reqwest::Client;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};
use url::{Host, Url};

pub(crate) use self::{
    address::{ForbiddenAddressError, permitted},
    resolve::{AddressResolver, SystemResolver},
    share::RunOutboundClient,
};
use self::{redirect::follow, resolve::CheckedResolver};
use crate::{
    domain::{Error, Result},
    runtime::http_client,
};

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 5;
/// Longest wait for the next piece of an answer.
pub(crate) const READ_MAX: Duration = Duration::from_mins(1);
/// Requests at the same time in this process: each may hold an answer of several megabytes.
const AT_ONCE: usize = 64;
/// Longest time for a request with all of its redirects.
pub(crate) const TOTAL_MAX: Duration = Duration::from_mins(1);

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct OutboundRequest {
    /// Its method.
    pub method: Method,
    /// Where to: `http` or `https`, without user and password.
    pub url: Url,
    /// Its headers, without those that the connection sets.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Option<Bytes>,
    /// Longest wait for the next piece of the answer; at most `READ_MAX`.
    pub read_timeout: Duration,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct OutboundResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as it came: a compressed one stays so.
    pub body: Bytes,
}

/// Why there is no answer, in words fit for the app's author.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboundError {
    /// The URL is nothing that a request can go to.
    #[error("{0}")]
    Url(&'static str),
    /// It would go where requests may not go.
    #[error(transparent)]
    Refused(#[from] ForbiddenAddressError),
    /// One redirect led to the next.
    #[error("more than {REDIRECTS_MAX} redirects")]
    Redirects,
    /// The body is larger than that may be.
    #[error("the response is larger than {limit} bytes")]
    TooLarge {
        /// The most it may be, in bytes.
        limit: usize,
    },
    /// It took too long.
    #[error("no response in time")]
    Late,
    /// The other side cannot be reached, or broke off.
    #[error("the request failed: {0}")]
    Failed(String),
}

/// Sends requests for apps.
#[derive(Debug)]
pub(crate) struct OutboundClient {
    client: Client,
    allowed: Arc<[IpNet]>,
    places: Semaphore,
}

impl OutboundClient {
    /// Sends requests to public addresses, and to those of these networks.
    pub(crate) fn new(allowed: Vec<IpNet>) -> Result<Self> {
        Self::with_resolver(allowed, Arc::new(SystemResolver))
    }

    /// The same, with names looked up elsewhere.
    pub(crate) fn with_resolver(allowed: Vec<IpNet>, resolver: Arc<dyn AddressResolver>) -> Result<Self> {
        let allowed: Arc<[IpNet]> = allowed.into();
        let client = http_client::client_builder()?
            .dns_resolver(CheckedResolver { resolver, allowed: allowed.clone() })
            .pool_max_idle_per_host(0)
            .build()
            .map_err(Error::internal)?;
        Ok(Self { client, allowed, places: Semaphore::new(AT_ONCE) })
    }

    /// Sends a request, follows where it leads, and reads the answer: of at most as many bytes as `limit` says of its headers.
    pub(crate) async fn send(
        &self,
        request: OutboundRequest,
        limit: impl Fn(&HeaderMap) -> usize,
    ) -> Result<OutboundResponse, OutboundError> {
        // Never closed: it would only mean no bound.
        let _place = self.places.acquire().await;
        let deadline = Instant::now() + TOTAL_MAX;
        timeout_at(deadline, self.send_all(request, limit)).await.unwrap_or(Err(OutboundError::Late))
    }

    async fn send_all(
        &self,
        mut request: OutboundRequest,
        limit: impl Fn(&HeaderMap) -> usize,
    ) -> Result<OutboundResponse, OutboundError> {
        for _ in 0..=REDIRECTS_MAX {
            let wait = request.read_timeout.min(READ_MAX);
            let response = self.send_once(&request, wait).await?;
            let Some(next) = follow(&request, response.status(), response.headers())? else {
                let limit = limit(response.headers());
                return read(response, limit, wait).await;
            };
            request = next;
        }
        Err(OutboundError::Redirects)
    }

    async fn send_once(&self, request: &OutboundRequest, wait: Duration) -> Result<reqwest::Response, OutboundError> {
        self.check(&request.url)?;
        let mut sending =
            self.client.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
        if let Some(body) = &request.body {
            sending = sending.body(body.clone());
        }
        match timeout(wait, sending.send()).await {
            Ok(sent) => sent.map_err(|fault| told(&fault)),
            Err(_) => Err(OutboundError::Late),
        }
    }

    /// What can be seen from the URL. Names are checked when they are resolved; an address is never resolved, so it is checked here.
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
            Some(Host::Ipv4(v4)) => Ok(permitted(IpAddr::V4(v4), &self.allowed)?),
            Some(Host::Ipv6(v6)) => Ok(permitted(IpAddr::V6(v6), &self.allowed)?),
        }
    }
}

async fn read(
    mut response: reqwest::Response,
    limit: usize,
    wait: Duration,
) -> Result<OutboundResponse, OutboundError> {
    // What is announced need not be read to be refused; what is not announced is counted.
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(OutboundError::TooLarge { limit });
    }
    let mut body = BytesMut::new();
    loop {
        let chunk = timeout(wait, response.chunk()).await.map_err(|_| OutboundError::Late)?;
        let Some(chunk) = chunk.map_err(|fault| told(&fault))? else { break };
        if body.len() + chunk.len() > limit {
            return Err(OutboundError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(OutboundResponse {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body: body.freeze(),
    })
}

/// The innermost cause says what happened; the layers around it repeat the URL, which may hold secrets.
fn told(fault: &reqwest::Error) -> OutboundError {
    if fault.is_timeout() {
        return OutboundError::Late;
    }
    let mut cause: &(dyn std::error::Error + 'static) = fault;
    while let Some(inner) = cause.source() {
        cause = inner;
        if let Some(refusal) = cause.downcast_ref::<ForbiddenAddressError>() {
            return OutboundError::Refused(*refusal);
        }
    }
    if fault.source().is_none() {
        OutboundError::Failed("the connection was lost".to_owned())
    } else {
        OutboundError::Failed(cause.to_string())
    }
}

#[cfg(test)]
mod tests;
