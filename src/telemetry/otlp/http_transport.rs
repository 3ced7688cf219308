//! OTLP over HTTP with the client that this service uses for all HTTP.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;

use crate::{
    domain::{Error, Result},
    http_client::{HttpClients, read_body},
    ports::outgoing_certificates::OutgoingCertificates,
};

/// The longest response of a collector that is read, in bytes.
const MAX_RESPONSE_BYTES: usize = 1 << 20;

/// Sends on the runtime of the process, because the threads of the SDK have none.
#[derive(Debug)]
pub(super) struct HttpTransport {
    client: reqwest::Client,
    runtime: Handle,
}

impl HttpTransport {
    pub(super) fn new(certificates: &OutgoingCertificates, timeout: Duration) -> Result<Self> {
        let builder = HttpClients::from_pem(certificates)?.for_configured_server()?;
        let client = builder.timeout(timeout).build().map_err(Error::internal)?;
        Ok(Self { client, runtime: Handle::try_current().map_err(Error::internal)? })
    }
}

#[async_trait]
impl HttpClient for HttpTransport {
    async fn send_bytes(&self, request: Request<Bytes>) -> std::result::Result<Response<Bytes>, HttpError> {
        let (client, request) = (self.client.clone(), request.try_into()?);
        let sent = self.runtime.spawn(async move { send(&client, request).await });
        sent.await?
    }
}

async fn send(client: &reqwest::Client, request: reqwest::Request) -> std::result::Result<Response<Bytes>, HttpError> {
    // Without its URL, which is in the log already.
    let mut response = client.execute(request).await.map_err(reqwest::Error::without_url)?;
    let mut answer = Response::builder().status(response.status());
    if let Some(headers) = answer.headers_mut() {
        headers.clone_from(response.headers());
    }
    Ok(answer.body(read_body(&mut response, MAX_RESPONSE_BYTES).await?)?)
}
