//! What is said while the graph still runs.
//!
//! Every `answer` and `end` node has a text with references in it. As soon as it is certain that such a node will run, its text
//! goes out, up to the first reference whose node has not ended; where that is a model still speaking, it goes out as it is
//! spoken. When several such nodes are certain, one speaks after the other.
//!
//! A node is certain when a way leads to it on which nothing is left to be decided: no branch, no iteration, and, for texts that
//! read the conversation's variables, no node that writes them. Certainty spreads along edges and every edge carries it once, so
//! it costs no more than the graph is large, however many ways there are through it.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
};

use super::frame::{Frame, Progress};
use crate::runtime::builtin::{
    graph::{
        index::NodeIx,
        node::NodeKind,
        topology::{Edge, Graph},
    },
    variables::{Selector, TextPart, VariableView, selector::CONVERSATION, value},
};

/// What stands between the outputs of an `end` node.
const BETWEEN: &str = "\n";
/// The variable a model's text is put out as.
const TEXT: &str = "text";

/// A part of a text.
#[derive(Clone, Copy, Debug)]
enum Segment<'g> {
    Literal(&'g str),
    Reference(&'g Selector),
}

/// Where something said comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum From<'g> {
    /// The text of the node that says it.
    Node(NodeIx),
    /// A variable.
    Variable(&'g Selector),
}

/// Something said.
#[derive(Debug)]
pub(super) struct Said<'g> {
    /// The words.
    pub text: String,
    /// Where they come from.
    pub from: From<'g>,
}

/// A node that says something.
#[derive(Debug)]
struct Speaker<'g> {
    node: NodeIx,
    segments: Vec<Segment<'g>>,
    /// The segment that is next.
    at: usize,
    /// How much of that segment has been said, where it is a model still speaking; in bytes.
    offset: usize,
    /// Whether it reads what the conversation keeps.
    reads_conversation: bool,
    /// Whether it has been certain.
    called: bool,
    /// Whether the node itself has run: nothing is waited for any more.
    ended: bool,
}

/// Certain, whatever is written to the conversation on the way.
const CERTAIN: u8 = 1;
/// Certain, with nothing written to the conversation on the way.
const SETTLED: u8 = 2;

/// Everything that is or will be said by the nodes of the graph itself.
#[derive(Debug)]
pub(super) struct Stream<'g> {
    graph: &'g Graph,
    speakers: Vec<Speaker<'g>>,
    /// Who speaks after whom; the first speaks.
    turn: VecDeque<usize>,
    /// What models have spoken so far that somebody repeats.
    speaking: HashMap<NodeIx, String>,
    /// How certain each node is.
    certain: Vec<u8>,
    /// Longest value that is said, in bytes.
    limit: usize,
    /// The most that is said at once, in bytes.
    at_once: usize,
}

impl<'g> Stream<'g> {
    /// Nothing is said yet. Values of at most `limit` bytes, and of all of them at most `at_once` bytes at a time.
    pub(super) fn new(graph: &'g Graph, limit: usize, at_once: usize) -> Self {
        let speakers: Vec<_> = graph.level(Graph::ROOT).nodes.iter().filter_map(|&ix| speaker(graph, ix)).collect();
        let mut speaking = HashMap::new();
        for segment in speakers.iter().flat_map(|speaker| &speaker.segments) {
            if let Segment::Reference(selector) = segment
                && let Some(node) = model(graph, selector)
            {
                speaking.insert(node, String::new());
            }
        }
        let certain = vec![0; graph.nodes().len()];
        Self { graph, speakers, turn: VecDeque::new(), speaking, certain, limit, at_once }
    }

    /// Whether anybody repeats what this node speaks.
    pub(super) fn repeats(&self, node: NodeIx) -> bool {
        self.speaking.contains_key(&node)
    }

    /// A model spoke.
    pub(super) fn heard(&mut self, node: NodeIx, text: &str) {
        if let Some(spoken) = self.speaking.get_mut(&node) {
            spoken.push_str(text);
        }
    }

    /// A model begins anew. Returns what was said of its words, if the one who speaks is in the midst of them.
    pub(super) fn restart(&mut self, node: NodeIx) -> Option<String> {
        let mut spoken = std::mem::take(self.speaking.get_mut(&node)?);
        let speaker = self.turn.front().map(|&first| &mut self.speakers[first])?;
        match speaker.segments.get(speaker.at) {
            Some(Segment::Reference(selector)) if model(self.graph, selector) == Some(node) => {
                spoken.truncate(std::mem::take(&mut speaker.offset));
                Some(spoken).filter(|said| !said.is_empty())
            }
            _ => None,
        }
    }

    /// A node ran, and takes some of its edges.
    pub(super) fn left(&mut self, node: NodeIx, takes: impl Fn(&Edge) -> bool) {
        let graph = self.graph;
        if let Some(own) = self.speakers.iter().position(|speaker| speaker.node == node) {
            self.speakers[own].ended = true;
            self.call(own);
        }
        // The start is where certainty comes from; after it, only nodes that held it back let it go on.
        let lets_through = if node == graph.level(Graph::ROOT).start { CERTAIN | SETTLED } else { held(graph, node) };
        let mut spread: VecDeque<(NodeIx, u8)> = VecDeque::new();
        if lets_through != 0 {
            let ahead = graph.node(node).outgoing.iter().map(|&edge| graph.edge(edge)).filter(|edge| takes(edge));
            spread.extend(ahead.map(|edge| (edge.target, lets_through)));
        }
        let mut reached = Vec::new();
        while let Some((ix, certainty)) = spread.pop_front() {
            let new = certainty & !self.certain[ix];
            if new == 0 {
                continue;
            }
            self.certain[ix] |= new;
            reached.push(ix);
            let on = new & !held(graph, ix);
            if on != 0 {
                spread.extend(graph.node(ix).outgoing.iter().map(|&edge| (graph.edge(edge).target, on)));
            }
        }
        reached.sort_unstable();
        for ix in reached {
            let found = self.speakers.iter().position(|speaker| speaker.node == ix);
            if let Some(found) = found {
                let needs = if self.speakers[found].reads_conversation { SETTLED } else { CERTAIN };
                if self.certain[ix] & needs != 0 {
                    self.call(found);
                }
            }
        }
    }

    fn call(&mut self, speaker: usize) {
        if !std::mem::replace(&mut self.speakers[speaker].called, true) {
            self.turn.push_back(speaker);
        }
    }

    /// Says what can be said by now.
    pub(super) fn flush(
        &mut self,
        frame: &Frame,
        view: VariableView<'_>,
    ) -> Result<Vec<Said<'g>>, value::TextTooLongError> {
        let (mut said, mut length) = (Vec::<Said<'g>>::new(), 0);
        while let Some(&first) = self.turn.front() {
            while let Some(&segment) = self.speakers[first].segments.get(self.speakers[first].at) {
                let before = said.len();
                let whole = self.say(first, segment, frame, view, &mut said)?;
                length += said[before..].iter().map(|said| said.text.len()).sum::<usize>();
                if length > self.at_once {
                    return Err(value::TextTooLongError { limit: self.at_once });
                }
                if !whole {
                    return Ok(said);
                }
                let speaker = &mut self.speakers[first];
                speaker.at += 1;
                speaker.offset = 0;
            }
            self.turn.pop_front();
        }
        Ok(said)
    }

    /// Says a segment, or what there is of it. Returns whether that is all of it.
    fn say(
        &mut self,
        speaker: usize,
        segment: Segment<'g>,
        frame: &Frame,
        view: VariableView<'_>,
        said: &mut Vec<Said<'g>>,
    ) -> Result<bool, value::TextTooLongError> {
        let speaker = &mut self.speakers[speaker];
        let selector = match segment {
            Segment::Literal(text) => {
                said.push(Said { text: text.to_owned(), from: From::Node(speaker.node) });
                return Ok(true);
            }
            Segment::Reference(selector) => selector,
        };
        let mut say = |text: Cow<'_, str>| {
            if !text.is_empty() {
                said.push(Said { text: text.into_owned(), from: From::Variable(selector) });
            }
        };
        let source = selector.node().and_then(|id| self.graph.find(id));
        let progress = source.and_then(|source| frame.progress(self.graph, source));
        let spoken = model(self.graph, selector).and_then(|node| self.speaking.get(&node));
        match progress {
            Some(Progress::Skipped) => return Ok(true),
            Some(Progress::Waiting | Progress::Running) if !speaker.ended => {
                if let Some(spoken) = spoken {
                    say(spoken[speaker.offset..].into());
                    speaker.offset = spoken.len();
                }
                return Ok(false);
            }
            _ => {}
        }
        if let Some(found) = view.get(selector) {
            let text = value::markdown(found, self.limit)?;
            // What the model put out in the end is what it spoke, unless it failed and a default stands in for it.
            let before = spoken.and_then(|spoken| spoken.get(..speaker.offset)).unwrap_or_default();
            match text.strip_prefix(before) {
                Some(rest) => say(rest.to_owned().into()),
                None => say(text),
            }
        }
        Ok(true)
    }
}

/// What a node keeps from going on to those after it until it has run.
fn held(graph: &Graph, node: NodeIx) -> u8 {
    let node = graph.node(node);
    match &node.kind {
        _ if node.has_branches() => CERTAIN | SETTLED,
        NodeKind::Iteration(_) => CERTAIN | SETTLED,
        NodeKind::Assigner(_) => SETTLED,
        _ => 0,
    }
}

/// The model whose text this is.
fn model(graph: &Graph, selector: &Selector) -> Option<NodeIx> {
    let node = graph.find(selector.node()?)?;
    let found = graph.node(node);
    (matches!(found.kind, NodeKind::Llm(_)) && found.level == Graph::ROOT && selector.is(&found.id, TEXT))
        .then_some(node)
}

fn speaker(graph: &Graph, node: NodeIx) -> Option<Speaker<'_>> {
    let segments: Vec<Segment<'_>> = match &graph.node(node).kind {
        NodeKind::Answer(data) => data
            .answer
            .pieces()
            .iter()
            .map(|piece| match piece {
                TextPart::Literal(text) => Segment::Literal(text),
                TextPart::Reference(selector) => Segment::Reference(selector),
            })
            .collect(),
        NodeKind::End(data) => {
            let outputs = data.outputs.iter().filter(|output| !output.value_selector.is_empty()).enumerate();
            outputs
                .flat_map(|(at, output)| {
                    let between = (at > 0).then_some(Segment::Literal(BETWEEN));
                    between.into_iter().chain([Segment::Reference(&output.value_selector)])
                })
                .collect()
        }
        _ => return None,
    };
    let reads_conversation = segments
        .iter()
        .any(|segment| matches!(segment, Segment::Reference(selector) if selector.node() == Some(CONVERSATION)));
    Some(Speaker { node, segments, at: 0, offset: 0, reads_conversation, called: false, ended: false })
}
