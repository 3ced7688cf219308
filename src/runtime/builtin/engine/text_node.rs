//! Nodes whose text is streamed: `answer` and `end` nodes.

use super::certainty::ReadVariables;
use crate::runtime::builtin::{
    graph::{index::NodeIx, node::NodeKind, topology::Graph},
    variables::{
        selector::{CONVERSATION, Selector},
        text::TextPart,
    },
};

/// Separates the outputs of an `end` node.
const SEPARATOR: &str = "\n";
/// The output variable of a model's text.
const MODEL_TEXT: &str = "text";

/// A part of a text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Segment<'g> {
    Literal(&'g str),
    Reference(&'g Selector),
}

/// A node whose text is streamed.
#[derive(Debug)]
pub(super) struct TextNode<'g> {
    pub node: NodeIx,
    pub segments: Vec<Segment<'g>>,
    /// Index of the next segment.
    pub next: usize,
    /// Length of what is written of that segment, in bytes: the text of a model that still generates it.
    pub written: usize,
    /// The conversation variables that the text refers to.
    pub variables: ReadVariables<'g>,
    /// Whether the text is queued or written.
    pub queued: bool,
    /// Whether the node itself has ended, so that all values of the text are final.
    pub ended: bool,
}

impl<'g> TextNode<'g> {
    /// Returns `None` for a node without a text.
    pub(super) fn new(graph: &'g Graph, node: NodeIx) -> Option<Self> {
        let segments: Vec<Segment<'_>> = match &graph.node(node).kind {
            NodeKind::Answer(data) => {
                let segment = |part: &'g TextPart| match part {
                    TextPart::Literal(text) => Segment::Literal(text),
                    TextPart::Reference(selector) => Segment::Reference(selector),
                };
                data.answer.parts().iter().map(segment).collect()
            }
            NodeKind::End(data) => {
                let outputs = data.outputs.iter().filter(|output| !output.value_selector.is_empty()).enumerate();
                outputs
                    .flat_map(|(at, output)| {
                        let separator = (at > 0).then_some(Segment::Literal(SEPARATOR));
                        separator.into_iter().chain([Segment::Reference(&output.value_selector)])
                    })
                    .collect()
            }
            _ => return None,
        };
        let variable = |segment: &Segment<'g>| match segment {
            Segment::Reference(selector) => match selector.split() {
                Some((CONVERSATION, name, _)) => Some(name),
                _ => None,
            },
            Segment::Literal(_) => None,
        };
        let variables = segments.iter().filter_map(variable).collect();
        Some(Self { node, segments, next: 0, written: 0, variables, queued: false, ended: false })
    }

    /// The models of the graph itself whose text this text contains.
    pub(super) fn models(&self, graph: &Graph) -> impl Iterator<Item = NodeIx> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Reference(selector) => referenced_model(graph, selector),
            Segment::Literal(_) => None,
        })
    }
}

/// The model of the graph itself whose text a selector refers to.
pub(super) fn referenced_model(graph: &Graph, selector: &Selector) -> Option<NodeIx> {
    let ix = graph.find(selector.node()?)?;
    let node = graph.node(ix);
    let is_text = selector.is(&node.id, MODEL_TEXT);
    (matches!(node.kind, NodeKind::Llm(_)) && node.level == Graph::ROOT && is_text).then_some(ix)
}
