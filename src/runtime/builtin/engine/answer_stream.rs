//! Decides which text of a graph can be written while the graph still runs.
//!
//! Every `answer` and `end` node of the graph itself has a text with references. As soon as it is certain that such a
//! node will run, its text is written up to the first reference whose node has not ended; where that node is a model,
//! what the model has generated is written, too. When several such nodes are certain, their texts follow each other.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet, VecDeque},
};

use super::{
    certainty::Certainty,
    frame::{Frame, NodeProgress},
    text_node::{Segment, TextNode, referenced_model},
};
use crate::runtime::builtin::{
    graph::{
        index::NodeIx,
        topology::{Edge, Graph},
    },
    variables::{
        pool::VariableView,
        selector::Selector,
        value::{self, TextTooLongError},
    },
};

/// Where a piece of text comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum TextSource<'g> {
    /// The text of the node itself.
    Node(NodeIx),
    Variable(&'g Selector),
}

#[derive(Debug)]
pub(super) struct StreamedText<'g> {
    pub text: String,
    pub source: TextSource<'g>,
}

/// The texts of all nodes of the graph itself.
#[derive(Debug)]
pub(super) struct AnswerStream<'g> {
    graph: &'g Graph,
    nodes: Vec<TextNode<'g>>,
    /// Indices into `nodes`: the texts that are certain and not yet complete. The first is being written.
    queue: VecDeque<usize>,
    /// What each model that a text refers to has generated so far.
    generated: HashMap<NodeIx, String>,
    /// The models that succeeded: what they generated is complete.
    succeeded: HashSet<NodeIx>,
    certainty: Certainty<'g>,
    /// Largest length of a value, in bytes.
    value_limit: usize,
    /// Largest length of the texts of one flush, in bytes.
    flush_limit: usize,
}

impl<'g> AnswerStream<'g> {
    pub(super) fn new(graph: &'g Graph, value_limit: usize, flush_limit: usize) -> Self {
        let root = &graph.level(Graph::ROOT).nodes;
        let nodes: Vec<_> = root.iter().filter_map(|&ix| TextNode::new(graph, ix)).collect();
        let generated = nodes.iter().flat_map(|node| node.models(graph)).map(|model| (model, String::new())).collect();
        let certainty = Certainty::new(graph, nodes.iter().map(|node| &node.variables));
        let succeeded = HashSet::new();
        Self { graph, nodes, queue: VecDeque::new(), generated, succeeded, certainty, value_limit, flush_limit }
    }

    /// Whether a text refers to what this model generates.
    pub(super) fn contains_model(&self, node: NodeIx) -> bool {
        self.generated.contains_key(&node)
    }

    /// A model generated text.
    pub(super) fn receive(&mut self, node: NodeIx, text: &str) {
        if let Some(generated) = self.generated.get_mut(&node) {
            generated.push_str(text);
        }
    }

    /// A model succeeded.
    pub(super) fn model_succeeded(&mut self, node: NodeIx) {
        self.succeeded.insert(node);
    }

    /// A model starts again. Returns what is written of its text, if that is the end of everything written.
    pub(super) fn restart(&mut self, node: NodeIx) -> Option<String> {
        let mut generated = std::mem::take(self.generated.get_mut(&node)?);
        let current = self.queue.front().map(|&first| &mut self.nodes[first])?;
        match current.segments.get(current.next) {
            Some(Segment::Reference(selector)) if referenced_model(self.graph, selector) == Some(node) => {
                generated.truncate(std::mem::take(&mut current.written));
                Some(generated).filter(|written| !written.is_empty())
            }
            _ => None,
        }
    }

    /// The run begins: queues the texts that are certain from the start.
    pub(super) fn begin(&mut self) {
        let reached = self.certainty.begin();
        self.enqueue_certain(reached);
    }

    /// A node ended, and some of its edges are followed.
    pub(super) fn node_ended(&mut self, node: NodeIx, follows: impl Fn(&Edge) -> bool) {
        if let Some(own) = self.find(node) {
            self.nodes[own].ended = true;
            self.enqueue(own);
        }
        let reached = self.certainty.node_ended(node, follows);
        self.enqueue_certain(reached);
    }

    fn enqueue_certain(&mut self, reached: Vec<NodeIx>) {
        for ix in reached {
            if let Some(found) = self.find(ix)
                && self.certainty.is_certain(ix, &self.nodes[found].variables)
            {
                self.enqueue(found);
            }
        }
    }

    fn find(&self, node: NodeIx) -> Option<usize> {
        self.nodes.iter().position(|text| text.node == node)
    }

    fn enqueue(&mut self, index: usize) {
        if !std::mem::replace(&mut self.nodes[index].queued, true) {
            self.queue.push_back(index);
        }
    }

    /// Returns the texts that can be written now and have not been returned before.
    pub(super) fn flush(
        &mut self,
        frame: &Frame,
        view: VariableView<'_>,
    ) -> Result<Vec<StreamedText<'g>>, TextTooLongError> {
        let (mut texts, mut length) = (Vec::<StreamedText<'g>>::new(), 0);
        while let Some(&first) = self.queue.front() {
            while let Some(&segment) = self.nodes[first].segments.get(self.nodes[first].next) {
                let before = texts.len();
                let complete = self.flush_segment(first, segment, frame, view, &mut texts)?;
                length += texts[before..].iter().map(|text| text.text.len()).sum::<usize>();
                if length > self.flush_limit {
                    return Err(TextTooLongError { limit: self.flush_limit });
                }
                if !complete {
                    return Ok(texts);
                }
                let node = &mut self.nodes[first];
                node.next += 1;
                node.written = 0;
            }
            self.queue.pop_front();
        }
        Ok(texts)
    }

    /// Appends the rest of a segment, or what exists of it. Returns whether the segment is complete.
    fn flush_segment(
        &mut self,
        index: usize,
        segment: Segment<'g>,
        frame: &Frame,
        view: VariableView<'_>,
        texts: &mut Vec<StreamedText<'g>>,
    ) -> Result<bool, TextTooLongError> {
        let node = &mut self.nodes[index];
        let selector = match segment {
            Segment::Literal(text) => {
                texts.push(StreamedText { text: text.to_owned(), source: TextSource::Node(node.node) });
                return Ok(true);
            }
            Segment::Reference(selector) => selector,
        };
        let mut append = |text: Cow<'_, str>| {
            if !text.is_empty() {
                texts.push(StreamedText { text: text.into_owned(), source: TextSource::Variable(selector) });
            }
        };
        let source = selector.node().and_then(|id| self.graph.find(id));
        let progress = source.and_then(|source| frame.progress(self.graph, source));
        let model = referenced_model(self.graph, selector);
        let generated = model.and_then(|model| self.generated.get(&model));
        match progress {
            // The inputs of the start node are values before it runs.
            Some(NodeProgress::Waiting | NodeProgress::Running) if !node.ended && view.get(selector).is_some() => {}
            Some(NodeProgress::Skipped) => return Ok(true),
            Some(NodeProgress::Waiting | NodeProgress::Running) if !node.ended => {
                if let Some(generated) = generated {
                    append(generated[node.written..].into());
                    node.written = generated.len();
                }
                return Ok(false);
            }
            _ => {}
        }
        // The text of a model that succeeded may differ from what it generated in blanks around its reasoning.
        if let Some(generated) = generated.filter(|_| model.is_some_and(|model| self.succeeded.contains(&model))) {
            append(generated[node.written..].into());
            return Ok(true);
        }
        if let Some(found) = view.get(selector) {
            let text = value::markdown(found, self.value_limit)?;
            // A model that failed may have a default output that begins with what it generated.
            let written = generated.and_then(|generated| generated.get(..node.written)).unwrap_or_default();
            match text.strip_prefix(written) {
                Some(rest) => append(rest.to_owned().into()),
                None => append(text),
            }
        }
        Ok(true)
    }
}
