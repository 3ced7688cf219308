//! Audit events of forms that runs wait for.

use super::{TARGET, apps::run_source, request_id};
use crate::domain::{
    id::{AppId, TokenId, WorkflowRunId, WorkspaceId},
    subject::Subject,
};

/// `app.form_submitted`: a caller submitted the form of a run, which continues. It has no values of inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FormSubmitted<'a> {
    pub app_id: AppId,
    pub tenant_id: WorkspaceId,
    /// `None` beside Dify, which knows the run of the form.
    pub run_id: Option<WorkflowRunId>,
    /// The id of the chosen action.
    pub action: &'a str,
    pub subject: &'a Subject,
    pub token_id: TokenId,
}

impl FormSubmitted<'_> {
    pub(crate) fn record(&self) {
        let Self { app_id, tenant_id, run_id, action, subject, token_id } = *self;
        event!(
            "app.form_submitted",
            app_id = %app_id,
            tenant_id = %tenant_id,
            workflow_run_id = run_id.map(tracing::field::display),
            action,
            subject = subject.email(),
            source = run_source(subject.subject_type()),
            token_id = %token_id,
        );
    }
}
