//! Writes the text of a run: streams it to the reader, collects it, and limits its length.

use std::time::{Duration, Instant};

use super::{
    answer_stream::{AnswerStream, TextSource},
    error::RunError,
    event_writer::EventWriter,
    frames::Frames,
    ids::ROOT_FRAME,
    node_end::FollowedEdges,
};
use crate::runtime::builtin::graph::{index::NodeIx, topology::Graph};

/// The text of one run.
pub(super) struct AnswerWriter<'g> {
    graph: &'g Graph,
    events: &'g EventWriter<'g>,
    stream: AnswerStream<'g>,
    text: String,
    /// Largest length of the text, in bytes.
    limit: usize,
    started: Instant,
    time_to_first_text: Option<Duration>,
}

impl<'g> AnswerWriter<'g> {
    /// A text of at most `limit` bytes, with values of at most `value_limit` bytes.
    pub(super) fn new(graph: &'g Graph, events: &'g EventWriter<'g>, value_limit: usize, limit: usize) -> Self {
        Self {
            graph,
            events,
            stream: AnswerStream::new(graph, value_limit, limit.saturating_mul(2)),
            text: String::new(),
            limit,
            started: Instant::now(),
            time_to_first_text: None,
        }
    }

    /// Whether the text contains what this model generates.
    pub(super) fn contains_model(&self, node: NodeIx) -> bool {
        self.stream.contains_model(node)
    }

    /// Writes the texts that are certain before the first node runs.
    pub(super) async fn begin(&mut self, frames: &Frames<'_>) -> Result<(), RunError> {
        self.stream.begin();
        self.flush(frames).await
    }

    /// A model succeeded.
    pub(super) fn model_succeeded(&mut self, node: NodeIx) {
        self.stream.model_succeeded(node);
    }

    /// A model generated text.
    pub(super) async fn receive(&mut self, node: NodeIx, text: &str, frames: &Frames<'_>) -> Result<(), RunError> {
        self.stream.receive(node, text);
        self.flush(frames).await
    }

    /// A model starts again. Text of its failed attempt is removed when it is the end of the text; when a round of an
    /// iteration has written since, it stays.
    pub(super) async fn restart(&mut self, node: NodeIx) -> Result<(), RunError> {
        if let Some(written) = self.stream.restart(node)
            && self.text.ends_with(&written)
        {
            self.text.truncate(self.text.len() - written.len());
            self.events.replace_text(&self.text).await?;
        }
        Ok(())
    }

    /// A node of the graph itself ended.
    pub(super) async fn node_ended(
        &mut self,
        node: NodeIx,
        followed: &FollowedEdges,
        frames: &Frames<'_>,
    ) -> Result<(), RunError> {
        self.stream.node_ended(node, |edge| followed.contains(edge));
        self.flush(frames).await
    }

    /// Writes the text that is certain by now.
    async fn flush(&mut self, frames: &Frames<'_>) -> Result<(), RunError> {
        let (Some(root), Some(view)) = (frames.get(ROOT_FRAME), frames.view(ROOT_FRAME)) else { return Ok(()) };
        let chunks = self.stream.flush(root, view).map_err(|error| RunError::Failed(error.to_string()))?;
        for chunk in chunks {
            match chunk.source {
                TextSource::Node(node) => self.write_answer(node, &chunk.text).await?,
                TextSource::Variable(selector) => {
                    let selector: Vec<&str> = selector.parts().iter().map(String::as_str).collect();
                    self.write(&chunk.text, &selector).await?;
                }
            }
        }
        Ok(())
    }

    /// Writes text of an `answer` or `end` node.
    pub(super) async fn write_answer(&mut self, node: NodeIx, text: &str) -> Result<(), RunError> {
        let graph = self.graph;
        self.write(text, &[&graph.node(node).id, "answer"]).await
    }

    async fn write(&mut self, text: &str, selector: &[&str]) -> Result<(), RunError> {
        let limit = self.limit;
        if self.text.len() + text.len() > limit {
            return Err(RunError::Failed(format!("The answer is longer than {limit} bytes")));
        }
        self.time_to_first_text.get_or_insert_with(|| self.started.elapsed());
        self.text.push_str(text);
        self.events.write_text(text, selector).await
    }

    /// Repeats the end of a node without writing anything.
    pub(super) fn repeat_end(&mut self, node: NodeIx, followed: &FollowedEdges) {
        self.stream.node_ended(node, |edge| followed.contains(edge));
    }

    /// Continues with the text that was written before a pause. The ends of nodes have been repeated.
    pub(super) fn restore(&mut self, text: &str, frames: &Frames<'_>) {
        text.clone_into(&mut self.text);
        if let (Some(root), Some(view)) = (frames.get(ROOT_FRAME), frames.view(ROOT_FRAME)) {
            // The same texts as before, which fit.
            let _ = self.stream.flush(root, view);
        }
    }

    /// Begins to repeat the ends of nodes.
    pub(super) fn begin_again(&mut self) {
        self.stream.begin();
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The text, and the time from the start of the run to its first piece.
    pub(super) fn into_text(self) -> (String, Option<Duration>) {
        (self.text, self.time_to_first_text)
    }
}
