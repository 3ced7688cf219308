//! HTTP requests that apps send. Their authors choose the URL, so requests reach public addresses and allowed networks
//! only.
//!
//! Every address that a name resolves to is checked, and the connection uses a checked address. A redirect is a new
//! request with all checks. Responses are bounded in size and time. Connections are not reused: two apps never share
//! one.

mod address;
mod client;
mod error;
mod message;
mod permits;
mod redirect;
mod resolver;
mod run_client;
#[cfg(test)]
mod tests;
mod url_fetcher;

pub(crate) use self::{
    client::{MAX_READ_TIMEOUT, OutboundClient},
    error::OutboundError,
    message::{OutboundRequest, OutboundResponse},
    permits::OutboundPermits,
    run_client::RunOutboundClient,
};
