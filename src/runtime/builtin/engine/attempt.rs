//! Nodes begin, and begin again.

use std::time::Instant;

use futures_util::{
    FutureExt,
    future::{AbortHandle, Abortable},
};
use tokio::time;

use super::{
    frame::{self, FrameId},
    schedule::{Halt, Schedule, Task, Work},
};
use crate::runtime::builtin::{
    graph::{
        index::NodeIx,
        node::{NodeKind, OnError},
    },
    model::usage::UsageCounter,
    nodes::{
        self, answer, assigner, http_request, llm,
        outcome::{NodeError, NodeOutcome, NodeRun},
        text_sender::TextSender,
    },
};

impl Schedule<'_> {
    pub(super) async fn begin(&mut self, id: FrameId, node: NodeIx) -> Result<(), Halt> {
        if !self.frames.contains_key(&id) {
            return Ok(());
        }
        let limits = self.execution.limits;
        self.steps += 1;
        self.root_steps += usize::from(id == frame::ROOT);
        if self.root_steps > limits.steps || self.steps > limits.steps_in_all {
            return Err(Halt::Failed(format!("Maximum execution steps exceeded: {}", limits.steps)));
        }
        let task = Task {
            frame: id,
            node,
            id: self.random_id()?,
            index: self.steps,
            started: Instant::now(),
            created_at: self.now(),
            failed: 0,
        };
        if !matches!(self.graph.node(node).kind, NodeKind::Iteration(_)) {
            self.teller.tell("node_started", self.told(&task)).await?;
        }
        self.attempt(task).await
    }

    pub(super) async fn again(&mut self, task: Task) -> Result<(), Halt> {
        if !self.frames.contains_key(&task.frame) {
            return Ok(());
        }
        if task.frame == frame::ROOT {
            // Where a round of an iteration has said something since, the words stay: they are no longer the last ones.
            if let Some(said) = self.stream.restart(task.node)
                && self.answer.ends_with(&said)
            {
                self.answer.truncate(self.answer.len() - said.len());
                self.teller.say_instead(&self.answer).await?;
            }
        }
        self.attempt(task).await
    }

    async fn attempt(&mut self, task: Task) -> Result<(), Halt> {
        let (execution, graph) = (self.execution, self.graph);
        let Some(frame) = self.frames.get(&task.frame) else { return Ok(()) };
        let scope = frame.scope;
        let view = self.pool.view(scope);
        let limit = execution.limits.variable;
        let mut taken = None;
        let step = match &graph.node(task.node).kind {
            NodeKind::Start => NodeRun::Ready(Ok(nodes::start::run(&execution.inputs, view))),
            NodeKind::IterationStart => NodeRun::Ready(Ok(NodeOutcome::default())),
            NodeKind::Answer(data) => NodeRun::Ready(answer::run(data, view, limit)),
            NodeKind::End(data) => NodeRun::Ready(nodes::end::run(data, view)),
            NodeKind::Aggregator(data) => NodeRun::Ready(nodes::aggregator::run(data, view)),
            NodeKind::IfElse(data) => nodes::if_else::start(data, view, limit, &execution.templates),
            NodeKind::TemplateTransform(data) => nodes::template_transform::start(data, view, &execution.templates),
            NodeKind::Llm(data) => {
                let around = llm::LlmContext {
                    view,
                    history: &execution.history,
                    models: &execution.models,
                    templates: &execution.templates,
                    taken: taken.insert(self.taken.attempt()),
                    limit,
                };
                let repeated = task.frame == frame::ROOT && self.stream.repeats(task.node);
                llm::start(data, &around, repeated.then(|| TextSender::new(task.node, self.heard.sender.clone())))
            }
            NodeKind::Assigner(data) => NodeRun::Ready(assigner::run(data, &mut self.pool, scope)),
            NodeKind::HttpRequest(data) => {
                let node = graph.node(task.node);
                let around = http_request::HttpRequestContext {
                    view,
                    outbound: &execution.outbound,
                    limit,
                    masks: &execution.masks,
                    strict: node.retry.is_some() || node.on_error != OnError::Abort,
                    boundary: self.random_id()?,
                };
                http_request::start(data, &around)
            }
            NodeKind::Iteration(data) => return self.iterate(task, data).await,
        };
        match step {
            NodeRun::Ready(result) => self.work.push_front(Work::Ended(task, result)),
            NodeRun::Pending(future) => {
                let most = execution.limits.node;
                let frame = task.frame;
                let work = async move {
                    let result = time::timeout(most, future).await.unwrap_or_else(|_| {
                        let message = format!("the node ran for more than {} seconds", most.as_secs());
                        let mut late = NodeError::new("Timeout", message);
                        late.usage = taken.as_ref().map(UsageCounter::of_attempt);
                        Err(late)
                    });
                    Work::Ended(task, result)
                };
                self.spawn(frame, work);
            }
        }
        Ok(())
    }

    /// Lets something run beside the loop, for as long as its frame is there.
    pub(super) fn spawn(&mut self, frame: FrameId, work: impl Future<Output = Work> + Send + 'static) {
        let (handle, registration) = AbortHandle::new_pair();
        if let Some(frame) = self.frames.get_mut(&frame) {
            frame.tasks.push(handle);
        }
        self.running.get_mut().push(Abortable::new(work, registration).map(Result::ok).boxed());
    }

    fn random_id(&self) -> Result<String, Halt> {
        let id = self.execution.entropy.uuid_v4().map_err(|error| Halt::Failed(error.message().to_owned()))?;
        Ok(id.to_string())
    }
}
