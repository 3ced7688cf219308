//! The runtime beside Dify without the address of its service API: apps are listed and described, but not run.

use async_trait::async_trait;

use crate::{
    domain::{
        Code, Error, Result,
        app::App,
        human_form::{FormToken, OpenForm},
    },
    ports::{
        file_uploads::{FileUploads, NewFile, PendingUpload},
        runtime::{AppRuntime, FormSubmission, RunOfUser, RunRequest, RunStream},
    },
};

/// Rejects every run and every upload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnavailableRuntime;

#[async_trait]
impl AppRuntime for UnavailableRuntime {
    /// Returns `service_unavailable`.
    async fn start(&self, _: RunRequest) -> Result<RunStream> {
        Err(cannot_run())
    }

    /// Returns `service_unavailable`.
    async fn find_form(&self, _: &App, _: &FormToken) -> Result<Option<OpenForm>> {
        Err(cannot_run())
    }

    /// Returns `service_unavailable`.
    async fn submit_form(&self, _: RunOfUser<'_>, _: FormSubmission<'_>) -> Result<bool> {
        Err(cannot_run())
    }
}

fn cannot_run() -> Error {
    Error::new(Code::ServiceUnavailable, "This server cannot run apps.")
        .with_hint("Ask the operator to set DIFY_API_URL to the address of Dify's API.")
}

#[async_trait]
impl FileUploads for UnavailableRuntime {
    fn memory_bytes(&self) -> usize {
        0
    }

    /// Returns `service_unavailable`.
    async fn begin(&self, _: NewFile) -> Result<Box<dyn PendingUpload>> {
        Err(Error::new(Code::ServiceUnavailable, "This server cannot store files.")
            .with_hint("Ask the operator to set DIFY_API_URL to the address of Dify's API."))
    }
}
