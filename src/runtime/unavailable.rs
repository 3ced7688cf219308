//! The runtime beside Dify without the address of its service API: apps are listed and described, but not run.

use async_trait::async_trait;

use crate::{
    domain::{Code, Error, Result},
    ports::runtime::{AppRuntime, RunRequest, RunStream},
};

/// Rejects every run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnavailableRuntime;

#[async_trait]
impl AppRuntime for UnavailableRuntime {
    /// Returns `service_unavailable`.
    async fn start(&self, _: RunRequest) -> Result<RunStream> {
        Err(Error::new(Code::ServiceUnavailable, "This server cannot run apps.")
            .with_hint("Ask the operator to set DIFY_API_URL to the address of Dify's API."))
    }
}
