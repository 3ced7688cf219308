//! Nodes end: well, or tried again, replaced, led around, or with the run.

use std::sync::Arc;

use futures_util::FutureExt;
use tokio::time;

use super::{
    frame,
    schedule::{Halt, Schedule, Task, Work},
};
use crate::runtime::builtin::{
    graph::{
        index::NodeIx,
        node::{NodeKind, OnError},
        topology::{Edge, FAIL_BRANCH},
    },
    json::JsonObject,
    nodes::outcome::{NodeError, NodeOutcome, NodeResult},
};

impl Schedule<'_> {
    pub(super) async fn ended(&mut self, mut task: Task, result: NodeResult) -> Result<(), Halt> {
        let graph = self.graph;
        let Some(scope) = self.frames.get(&task.frame).map(|frame| frame.scope) else { return Ok(()) };
        let node = graph.node(task.node);
        let usage = match &result {
            Ok(finished) => finished.usage,
            Err(failure) => failure.usage,
        };
        self.credit(task.frame, usage.unwrap_or_default());
        let result = self.masked(result);
        let kept = result.and_then(|mut finished| {
            let outputs = Arc::new(std::mem::take(&mut finished.outputs));
            self.pool.set(scope, &node.id, outputs.clone())?;
            Ok((finished, outputs))
        });
        let mut failure = match kept {
            Ok((finished, outputs)) => {
                let branch = finished.branch.clone();
                let takes = |edge: &Edge| match &branch {
                    Some(branch) => edge.handle == *branch,
                    None => edge.handle != FAIL_BRANCH,
                };
                return self.leave(&task, &finished, &outputs, "succeeded", None, takes).await;
            }
            Err(failure) => failure,
        };
        if let Some(retry) = node.retry
            && task.failed < retry.times
        {
            task.failed += 1;
            let pause = time::sleep(retry.interval);
            self.tell_attempt(&task, &failure).await?;
            let frame = task.frame;
            self.spawn(frame, pause.map(|()| Work::Again(task)));
            return Ok(());
        }
        let mut outputs = match &node.on_error {
            OnError::Abort => return self.abort(&task, failure).await,
            OnError::FailBranch => JsonObject::new(),
            OnError::DefaultValue(defaults) => defaults.clone(),
        };
        self.exceptions += 1;
        outputs.insert("error_message".to_owned(), failure.message.clone().into());
        outputs.insert("error_type".to_owned(), failure.kind.into());
        let outputs = Arc::new(outputs);
        if let Err(fault) = self.pool.set(scope, &node.id, outputs.clone()) {
            return self.abort(&task, fault.into()).await;
        }
        let finished = NodeOutcome {
            inputs: std::mem::take(&mut failure.inputs),
            process_data: std::mem::take(&mut failure.process_data),
            outputs: JsonObject::new(),
            usage: failure.usage,
            branch: None,
        };
        let fails = node.on_error == OnError::FailBranch;
        let takes = |edge: &Edge| (edge.handle == FAIL_BRANCH) == fails;
        self.leave(&task, &finished, &outputs, "exception", Some(&failure.message), takes).await
    }

    /// Without the app's secrets in what is told of the node; what it put out is as it is.
    fn masked(&self, mut result: NodeResult) -> NodeResult {
        let masks = &self.execution.masks;
        let (inputs, process_data) = match &mut result {
            Ok(finished) => (&mut finished.inputs, &mut finished.process_data),
            Err(failure) => {
                failure.message = masks.mask_text(&failure.message).into_owned();
                (&mut failure.inputs, &mut failure.process_data)
            }
        };
        masks.mask_object(inputs);
        masks.mask_object(process_data);
        result
    }

    /// A node is through: what can be said is said, its end is told, and the next nodes begin.
    async fn leave(
        &mut self,
        task: &Task,
        finished: &NodeOutcome,
        outputs: &Arc<JsonObject>,
        status: &'static str,
        error: Option<&str>,
        takes: impl Fn(&Edge) -> bool,
    ) -> Result<(), Halt> {
        let graph = self.graph;
        let Some(frame) = self.frames.get_mut(&task.frame) else { return Ok(()) };
        let ready = frame.leave(graph, task.node, &takes);
        let over = frame.active == 0;
        if task.frame == frame::ROOT {
            self.stream.left(task.node, &takes);
            self.flush().await?;
            self.put_out(task.node, outputs);
        } else if let NodeKind::Answer(_) = graph.node(task.node).kind
            && let Some(answer) = outputs.get("answer").and_then(serde_json::Value::as_str)
        {
            // Inside an iteration an answer says all of its text when it runs.
            self.answered = true;
            self.say(answer, &[&graph.node(task.node).id, "answer"]).await?;
        }
        self.tell_end_of(task, finished, outputs, status, error).await?;
        self.work.extend(ready.into_iter().map(|node| Work::Begin(task.frame, node)));
        if over && task.frame != frame::ROOT {
            self.work.push_back(Work::Round(task.frame, Ok(())));
        }
        Ok(())
    }

    /// The run's outputs are those of its `end` and `answer` nodes.
    fn put_out(&mut self, node: NodeIx, outputs: &JsonObject) {
        match self.graph.node(node).kind {
            NodeKind::End(_) => self.outputs.extend(outputs.iter().map(|(name, value)| (name.clone(), value.clone()))),
            NodeKind::Answer(_) => self.answered = true,
            _ => {}
        }
    }

    /// A node failed, and nothing in the graph provides for that: its frame fails.
    async fn abort(&mut self, task: &Task, failure: Box<NodeError>) -> Result<(), Halt> {
        let NodeError { message, inputs, process_data, outputs, usage, .. } = *failure;
        let finished = NodeOutcome { inputs, process_data, usage, ..NodeOutcome::default() };
        self.tell_end_of(task, &finished, &Arc::new(outputs), "failed", Some(&message)).await?;
        if task.frame == frame::ROOT {
            return Err(Halt::Failed(message));
        }
        self.work.push_back(Work::Round(task.frame, Err(message)));
        Ok(())
    }
}
