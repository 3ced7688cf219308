//! Audit events of apps: their runs, their files and what operators change.

use uuid::Uuid;

use super::{TARGET, request_id};
use crate::domain::{
    id::{AppId, FileId, TaskId, TokenId, WorkspaceId},
    subject::{Subject, SubjectType},
};

/// An event about an app. No variant has a field for a secret.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AppEvent<'a> {
    /// `app.run.openapi`: a run of an app started. A refused run has no event. Field names are those of Dify.
    Run { app_id: AppId, tenant_id: WorkspaceId, subject: &'a Subject, surface: &'a str, token_id: TokenId },
    /// `app.run_stopped`: a caller stopped a run, which may have finished before.
    RunStopped { app_id: AppId, tenant_id: WorkspaceId, task_id: TaskId, subject: &'a Subject, token_id: TokenId },
    /// `app.file.uploaded`: a caller uploaded a file for an app.
    FileUploaded { file_id: FileId, app_id: AppId, tenant_id: WorkspaceId, subject: &'a Subject, token_id: TokenId },
    /// `app.overwritten`: an operator replaced the definition of an app.
    Overwritten { app_id: AppId, tenant_id: WorkspaceId },
    /// `app.access_mode_changed`: an operator changed the access mode of an app.
    AccessModeChanged {
        app_id: AppId,
        mode: &'a str,
        /// The number of accounts that may use it when it is private.
        allowed: usize,
    },
    /// `app.api_key_created`: an app got a key of Dify's service API, with which runs are forwarded.
    ApiKeyCreated {
        app_id: AppId,
        tenant_id: WorkspaceId,
        /// The row of `api_tokens`.
        api_token_id: Uuid,
    },
}

impl AppEvent<'_> {
    pub(crate) fn record(&self) {
        match *self {
            Self::Run { app_id, tenant_id, subject, surface, token_id } => event!(
                "app.run.openapi",
                app_id = %app_id,
                tenant_id = %tenant_id,
                subject = subject.email(),
                surface,
                source = run_source(subject.subject_type()),
                token_id = %token_id,
            ),
            Self::RunStopped { app_id, tenant_id, task_id, subject, token_id } => event!(
                "app.run_stopped",
                app_id = %app_id,
                tenant_id = %tenant_id,
                task_id = %task_id,
                subject = subject.email(),
                source = run_source(subject.subject_type()),
                token_id = %token_id,
            ),
            Self::FileUploaded { file_id, app_id, tenant_id, subject, token_id } => event!(
                "app.file.uploaded",
                file_id = %file_id,
                app_id = %app_id,
                tenant_id = %tenant_id,
                subject = subject.email(),
                token_id = %token_id,
            ),
            Self::Overwritten { app_id, tenant_id } => {
                event!("app.overwritten", app_id = %app_id, tenant_id = %tenant_id);
            }
            Self::AccessModeChanged { app_id, mode, allowed } => {
                event!("app.access_mode_changed", app_id = %app_id, mode, allowed, by = "operator");
            }
            Self::ApiKeyCreated { app_id, tenant_id, api_token_id } => event!(
                "app.api_key_created",
                app_id = %app_id,
                tenant_id = %tenant_id,
                api_token_id = %api_token_id,
            ),
        }
    }
}

/// The `source` of a run, as Dify names it.
pub(super) const fn run_source(subject_type: SubjectType) -> &'static str {
    match subject_type {
        SubjectType::Account => "oauth_account",
        SubjectType::ExternalSso => "oauth_sso",
    }
}
