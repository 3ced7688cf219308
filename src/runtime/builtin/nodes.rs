//! What each type of node does: its data, as the graph holds it, and one run of it.
//!
//! A node takes what it needs from the pool when it starts, and runs on its own from there: nothing here holds on to the pool,
//! sends events, or knows of other nodes. Retries, error branches and time limits are the engine's.

pub(crate) mod aggregator;
pub(crate) mod answer;
pub(crate) mod assigner;
pub(crate) mod end;
pub(crate) mod http_request;
pub(crate) mod if_else;
pub(crate) mod iteration;
pub(crate) mod llm;
pub(crate) mod start;
pub(crate) mod template_transform;

use futures_util::future::BoxFuture;

use tokio::sync::mpsc;

use super::{graph::index::NodeIx, model::Usage, variables::pool::Overflow, variables::value::TooLong};
use crate::runtime::builtin::json::JsonObject;

/// What a run of a node gave.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    /// What it worked on, for the event.
    pub inputs: JsonObject,
    /// What it did on the way, for the event.
    pub process_data: JsonObject,
    /// What others can read.
    pub outputs: JsonObject,
    /// What models took, where one was asked.
    pub usage: Option<Usage>,
    /// The branch it chose, where it has branches.
    pub branch: Option<String>,
}

/// Why a run of a node failed, and how far it got.
#[derive(Debug, Default)]
pub struct Failure {
    /// In words, for the person who runs the app.
    pub message: String,
    /// A word for programs: Dify's name of the exception.
    pub kind: &'static str,
    /// What it worked on.
    pub inputs: JsonObject,
    /// What it did on the way.
    pub process_data: JsonObject,
    /// What it put out although it failed.
    pub outputs: JsonObject,
    /// What models took all the same.
    pub usage: Option<Usage>,
}

impl Failure {
    /// A failure before anything was done.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { message: message.into(), kind, ..Self::default() })
    }

    /// Adds what the node worked on.
    #[must_use]
    pub fn on(mut self: Box<Self>, inputs: JsonObject) -> Box<Self> {
        self.inputs = inputs;
        self
    }

    /// Adds what the node did on the way.
    #[must_use]
    pub fn after(mut self: Box<Self>, process_data: JsonObject) -> Box<Self> {
        self.process_data = process_data;
        self
    }
}

impl From<TooLong> for Box<Failure> {
    fn from(fault: TooLong) -> Self {
        Failure::new("TextTooLong", fault.to_string())
    }
}

impl From<Overflow> for Box<Failure> {
    fn from(fault: Overflow) -> Self {
        Failure::new("VariablesTooLarge", fault.to_string())
    }
}

/// How a run of a node ended.
pub(crate) type NodeResult = Result<Finished, Box<Failure>>;

/// A run of a node that has begun.
#[expect(clippy::large_enum_variant, reason = "most nodes are done at once")]
pub(crate) enum Step {
    /// It is over already.
    Done(NodeResult),
    /// It takes a while.
    Later(BoxFuture<'static, NodeResult>),
}

/// Hands on the text of a node while it still runs. It waits when the engine is busy, and with it whoever writes the text.
#[derive(Clone, Debug)]
pub(crate) struct Teller {
    node: NodeIx,
    sender: mpsc::Sender<(NodeIx, String)>,
}

impl Teller {
    /// Speaks for this node.
    pub(crate) fn new(node: NodeIx, sender: mpsc::Sender<(NodeIx, String)>) -> Self {
        Self { node, sender }
    }

    /// Hands on a piece of text.
    pub(crate) async fn tell(&self, text: String) {
        // The engine is gone only when the node is about to be dropped as well.
        let _ = self.sender.send((self.node, text)).await;
    }
}
