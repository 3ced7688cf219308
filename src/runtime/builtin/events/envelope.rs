//! The members that every event has.

use serde::Serialize;

use crate::{
    domain::{Error, Result},
    ports::runtime::RunEvent,
};

/// The members that every event of one run begins with, after its name.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct EventHead {
    /// `None` for completion apps and workflows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<String>,
    /// `None` for workflows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// When the message was created, in Unix seconds; `None` for workflows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<i64>,
    pub task_id: String,
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    event: &'static str,
    #[serde(flatten)]
    head: &'a EventHead,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_run_id: Option<&'a str>,
    #[serde(flatten)]
    members: T,
}

#[derive(Serialize)]
struct GraphEvent<T> {
    data: T,
}

impl EventHead {
    /// An event whose own members follow the head.
    pub(crate) fn event(&self, event: &'static str, members: impl Serialize) -> Result<RunEvent> {
        write(&Envelope { event, head: self, workflow_run_id: None, members })
    }

    /// An event of a graph: it has the id of the run, and its own members are those of `data`.
    pub(crate) fn graph_event(
        &self,
        event: &'static str,
        workflow_run_id: &str,
        data: impl Serialize,
    ) -> Result<RunEvent> {
        write(&Envelope { event, head: self, workflow_run_id: Some(workflow_run_id), members: GraphEvent { data } })
    }
}

fn write<T: Serialize>(envelope: &Envelope<'_, T>) -> Result<RunEvent> {
    let json = serde_json::to_vec(envelope).map_err(Error::internal)?;
    Ok(RunEvent { event: envelope.event.into(), json: json.into() })
}
