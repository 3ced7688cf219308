//! A cache of checked graphs. A published version never changes, so each is checked once.

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

/// Largest number of cached graphs.
const MAX_GRAPHS: usize = 256;
/// Largest size of the JSON of all cached graphs, in bytes; a checked graph takes a few times as much.
const MAX_BYTES: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct PublishedGraph {
    pub graph: Arc<Graph>,
    /// The JSON of the graph, which is stored with each run.
    pub json: Arc<str>,
}

/// The id and the version of the workflow. The mode is part of the key: a graph may be valid in one mode only.
type GraphKey = (WorkflowId, String, AppMode);

#[derive(Default)]
pub(crate) struct PublishedGraphs(Mutex<GraphCache>);

#[derive(Default)]
struct GraphCache {
    graphs: HashMap<GraphKey, Arc<PublishedGraph>>,
    /// Oldest first.
    order: VecDeque<GraphKey>,
    bytes: usize,
}

impl PublishedGraphs {
    /// The checked graph of a version. Fails as [`parse_graph`] does; failures are not cached.
    pub(super) fn get(&self, workflow: &Workflow, mode: AppMode) -> Result<Arc<PublishedGraph>> {
        let key = (workflow.id, workflow.version.clone(), mode);
        if let Some(cached) = self.0.lock().graphs.get(&key) {
            return Ok(Arc::clone(cached));
        }
        let graph = Arc::new(parse_graph(&workflow.graph, mode)?);
        let published = Arc::new(PublishedGraph { graph, json: workflow.graph.to_string().into() });
        self.0.lock().insert(key, &published);
        Ok(published)
    }
}

impl GraphCache {
    fn insert(&mut self, key: GraphKey, graph: &Arc<PublishedGraph>) {
        if graph.json.len() > MAX_BYTES || self.graphs.contains_key(&key) {
            return;
        }
        self.bytes += graph.json.len();
        self.order.push_back(key.clone());
        self.graphs.insert(key, Arc::clone(graph));
        while self.order.len() > MAX_GRAPHS || self.bytes > MAX_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.graphs.remove(&oldest).map_or(0, |graph| graph.json.len());
        }
    }
}
