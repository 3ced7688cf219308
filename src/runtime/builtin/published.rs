//! Published graphs, checked once: a version never changes.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;

use super::graph::{parse::parse_graph, topology::Graph};
use crate::domain::{
    Result,
    app::{AppMode, Workflow},
    id::WorkflowId,
};

/// Graphs that are kept at most.
const KEPT: usize = 256;
/// Bytes of JSON that those may come from at most; checked, they take a few times that.
const KEPT_BYTES: usize = 16 << 20;

/// A graph that can be run, and what it came from.
#[derive(Debug)]
pub(super) struct PublishedGraph {
    /// The graph.
    pub graph: Arc<Graph>,
    /// Its JSON, as runs of it are stored with.
    pub json: Arc<str>,
}

/// Which version, and of which mode: the same graph may be good for one and not for the other.
type Key = (WorkflowId, String, AppMode);

/// The graphs that ran last.
#[derive(Default)]
pub(super) struct Published(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    graphs: HashMap<Key, Arc<PublishedGraph>>,
    /// In the order they came.
    order: VecDeque<Key>,
    bytes: usize,
}

impl Published {
    /// The graph of a version, checked. Fails as [`parse_graph`] does, and that is not remembered.
    pub(super) fn graph(&self, workflow: &Workflow, mode: AppMode) -> Result<Arc<PublishedGraph>> {
        let key = (workflow.id, workflow.version.clone(), mode);
        if let Some(known) = self.0.lock().graphs.get(&key) {
            return Ok(Arc::clone(known));
        }
        let graph = Arc::new(parse_graph(&workflow.graph, mode)?);
        let fresh = Arc::new(PublishedGraph { graph, json: workflow.graph.to_string().into() });
        self.0.lock().keep(key, &fresh);
        Ok(fresh)
    }
}

impl Kept {
    fn keep(&mut self, key: Key, fresh: &Arc<PublishedGraph>) {
        if fresh.json.len() > KEPT_BYTES || self.graphs.contains_key(&key) {
            return;
        }
        self.bytes += fresh.json.len();
        self.order.push_back(key.clone());
        self.graphs.insert(key, Arc::clone(fresh));
        while self.order.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.graphs.remove(&oldest).map_or(0, |graph| graph.json.len());
        }
    }
}
