//! Buckets of S3 and of services that speak its protocol.

use std::time::Duration;

use opendal::{HttpTransporter, OperationContext, Operator, services::S3};
use opendal_http_transport_reqwest::ReqwestTransport;
use url::Url;

use crate::{
    domain::{Error, Result, secret::Secret},
    http_client::HttpClients,
};

/// A bucket with its credentials.
#[derive(Clone, Debug)]
pub(crate) struct S3Settings {
    /// `None` for AWS.
    pub endpoint: Option<Url>,
    pub region: String,
    pub bucket: String,
    pub access_key: String,
    pub secret_key: Secret,
    /// Whether the bucket is part of the host name instead of the path.
    pub virtual_host: bool,
    /// Longest time of a request, which has at most one part of a file.
    pub request_timeout: Duration,
    pub clients: HttpClients,
}

impl S3Settings {
    pub(super) fn operator(&self) -> Result<Operator> {
        // Only the configured credentials are used: none of the environment, of files, or of the machine.
        let mut service = S3::default()
            .bucket(&self.bucket)
            .region(&self.region)
            .access_key_id(&self.access_key)
            .secret_access_key(self.secret_key.expose())
            .disable_config_load()
            .disable_ec2_metadata();
        if let Some(endpoint) = &self.endpoint {
            service = service.endpoint(endpoint.as_str().trim_end_matches('/'));
        }
        if self.virtual_host {
            service = service.enable_virtual_host_style();
        }
        let client =
            self.clients.for_configured_server()?.timeout(self.request_timeout).build().map_err(Error::internal)?;
        let context = OperationContext::new().with_http_transport(HttpTransporter::new(ReqwestTransport::new(client)));
        Ok(Operator::new(service).map_err(Error::unavailable)?.with_context(context))
    }
}
