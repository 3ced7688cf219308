//! Starts runs of apps: checks the caller, the app, the inputs and the number of runs, then calls the runtime.

mod collect;

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use self::collect::Collector;
use super::app::{
    Apps,
    inputs::checked_inputs,
    run_slots::{RunSlot, RunSlots},
};
use crate::{
    domain::{
        Code, Error, Result,
        app::AppMode,
        caller::Caller,
        conversation::ExternalUser,
        error::Detail,
        id::{ConversationId, WorkflowId},
        secret::hex,
        subject::Subject,
    },
    memory::MemoryPermit,
    ports::runtime::{AppRuntime, RunEvent, RunRequest, RunStream},
    telemetry::audit::AuditEvent,
};

/// Time to wait for the first event before the stream begins without one. An error within this time is the response; a
/// later one is the last event of the stream.
const FIRST_EVENT_TIMEOUT: Duration = Duration::from_secs(9);

/// The request of a run, as the caller sent it.
#[derive(Clone, Debug, Default)]
pub struct Run {
    pub app_id: String,
    pub workspace_id: Option<String>,
    /// Values of the form's variables, by name.
    pub inputs: Option<Map<String, Value>>,
    pub query: Option<String>,
    /// Files in Dify's format.
    pub files: Vec<Map<String, Value>>,
    /// The conversation to continue. Empty means a new one.
    pub conversation_id: Option<String>,
    /// Whether a new conversation is named after its first query.
    pub auto_generate_name: bool,
    /// A version of the graph. Empty means the published one.
    pub workflow_id: Option<String>,
}

#[derive(Clone)]
pub struct Runs {
    apps: Apps,
    slots: RunSlots,
    runtime: Arc<dyn AppRuntime>,
}

impl Runs {
    pub fn new(apps: Apps, slots: RunSlots, runtime: Arc<dyn AppRuntime>) -> Self {
        Self { apps, slots, runtime }
    }

    /// Starts a run for a caller.
    ///
    /// Checks membership and app (contract section 4, step 10), then the query, then the inputs. Fails with
    /// `not_found`, `workspace_membership_revoked`, `app_access_denied`, `app_unavailable`, `query_required_for_chat`,
    /// `query_not_supported_for_workflow`, `input_required`, `invalid_param`, `rate_limited`, or an error of the
    /// runtime before the first event.
    pub async fn start(&self, caller: &Caller, run: Run) -> Result<Running> {
        let given = run.inputs.ok_or_else(|| Error::missing("inputs"))?;
        let conversation_id = parse_id::<ConversationId>("conversation_id", run.conversation_id.as_deref())?;
        let workflow_id = parse_id::<WorkflowId>("workflow_id", run.workflow_id.as_deref())?;
        let version = run.workflow_id.as_deref();
        let ((app, definition, definition_memory), surface) = match caller.token.subject {
            Subject::Account { .. } => {
                let workspace = run.workspace_id.as_deref();
                (self.apps.find_runnable(caller, &run.app_id, workspace, version).await?, "apps")
            }
            Subject::ExternalSso { .. } => {
                let found = self.apps.find_permitted_runnable(caller, &run.app_id, version).await?;
                (found, "permitted-external-apps")
            }
        };
        let query = run.query.map(without_nul);
        check_query(app.mode, query.as_deref())?;
        let inputs = checked_inputs(&definition, given)?;
        let slot = self.slots.acquire(&app).await?;
        AuditEvent::AppRun {
            app_id: &app.id.to_string(),
            tenant_id: app.workspace_id,
            subject: &caller.token.subject,
            surface,
            token_id: caller.token.token_id,
        }
        .record();
        let mode = app.mode;
        let mut stream = self
            .runtime
            .start(RunRequest {
                app,
                definition,
                user: user_name(&caller.token.subject),
                external_user: external_user(&caller.token.subject),
                inputs,
                query,
                files: run.files.into_iter().map(Value::Object).collect(),
                conversation_id,
                auto_generate_name: run.auto_generate_name,
                workflow_id,
            })
            .await?;
        let first = match tokio::time::timeout(FIRST_EVENT_TIMEOUT, stream.next()).await {
            Ok(Some(first)) => Some(first?),
            Ok(None) => return Err(Error::new(Code::UpstreamError, "The run ended before it started.")),
            Err(_) => None,
        };
        Ok(Running { mode, first, stream, _slot: slot, _definition_memory: definition_memory })
    }
}

/// A run in progress. Dropping it cancels the run.
pub struct Running {
    mode: AppMode,
    first: Option<RunEvent>,
    stream: RunStream,
    _slot: RunSlot,
    _definition_memory: MemoryPermit,
}

impl Running {
    /// The next event; `None` at the end. An error is the last item.
    pub async fn next(&mut self) -> Option<Result<RunEvent>> {
        match self.first.take() {
            Some(first) => Some(Ok(first)),
            None => self.stream.next().await,
        }
    }

    /// Waits for the end and returns the body of a blocking run.
    pub async fn collect(mut self) -> Result<Value> {
        let mut collector = Collector::new(self.mode);
        while let Some(event) = self.next().await {
            if let Some(body) = collector.add(&event?)? {
                return Ok(body);
            }
        }
        collector.finish().ok_or_else(|| Error::new(Code::UpstreamError, "The run ended unexpectedly."))
    }
}

fn check_query(mode: AppMode, query: Option<&str>) -> Result<()> {
    let refuse = |code, message: &'static str, hint: &'static str| {
        let detail = Detail { kind: "value_error", loc: vec!["body".into(), "query".into()], msg: message.to_owned() };
        Err(Error::new(code, message).with_hint(hint).with_detail(detail))
    };
    match mode {
        mode if mode.is_chat() && query.is_none_or(|query| query.trim().is_empty()) => {
            refuse(Code::QueryRequiredForChat, "A chat app needs a query.", "Set `query` to what the user says.")
        }
        AppMode::Workflow if query.is_some() => refuse(
            Code::QueryNotSupportedForWorkflow,
            "A workflow does not take a query.",
            "Leave out `query` and pass values in `inputs`.",
        ),
        _ => Ok(()),
    }
}

/// Removes NUL characters, as Dify does. PostgreSQL cannot store them.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text }
}

/// Reads an optional id; empty text is `None`.
fn parse_id<T: std::str::FromStr>(member: &'static str, text: Option<&str>) -> Result<Option<T>> {
    match text.filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| Error::invalid_param("body", member, "must be a UUID")),
    }
}

/// The identity that the rows of an external identity's runs name.
fn external_user(subject: &Subject) -> Option<ExternalUser> {
    match subject {
        Subject::Account { .. } => None,
        Subject::ExternalSso { email, issuer } => {
            Some(ExternalUser { email: email.to_lowercase(), issuer: issuer.clone() })
        }
    }
}

/// The subject's name in the app's data. It does not depend on `SECRET_KEY` and does not reveal the subject.
fn user_name(subject: &Subject) -> String {
    let mut hash = Sha256::new();
    hash.update(b"dify-openapi app user\0");
    match subject {
        Subject::Account { id, .. } => hash.update(id.0.as_bytes()),
        Subject::ExternalSso { email, issuer } => {
            hash.update(issuer.as_bytes());
            hash.update([0]);
            hash.update(email.to_lowercase().as_bytes());
        }
    }
    format!("openapi-{}", hex(&hash.finalize()[..16]))
}

#[cfg(test)]
mod tests;
