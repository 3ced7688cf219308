//! The loop of a run. It decides, one piece of work after the other, which nodes start and what follows when they end.
//!
//! The parts of the run have their own modules: [`WorkQueue`] has the work to do next, [`RunningWork`] the attempts
//! that run concurrently, [`Frames`] the progress of nodes and their variables, [`IterationRunner`] the rounds of
//! iterations, [`AnswerWriter`] the text, and [`EventWriter`] the events.

mod pausing;

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::time;

use super::{
    answer_writer::AnswerWriter,
    attempt::{start_attempt, with_timeout},
    error::RunError,
    event_writer::EventWriter,
    execution::Execution,
    frame::Frame,
    frames::Frames,
    ids::{FrameId, ROOT_FRAME},
    iteration_runner::IterationRunner,
    node_end::{self, FollowedEdges, NodeEnd},
    node_end_writer::{has_node_events, write_node_end},
    node_events,
    outcome::RunOutcome,
    run_outputs::RunOutputs,
    running::{RunningEvent, RunningWork},
    step_counter::StepCounter,
    task::Task,
    work_queue::{Work, WorkQueue},
};
use crate::{
    domain::conversation::RunStatus,
    ports::runtime::RunEvents,
    runtime::builtin::{
        graph::{index::NodeIx, node::NodeKind, topology::Graph},
        json::JsonObject,
        model::usage::UsageCounter,
        nodes::outcome::{NodeError, NodeResult, NodeRun},
        variables::pool::VariablePool,
    },
};

/// One run of a graph.
pub(super) struct Scheduler<'g> {
    execution: &'g Execution,
    graph: &'g Graph,
    events: &'g EventWriter<'g>,
    queue: WorkQueue,
    running: RunningWork,
    frames: Frames<'g>,
    iterations: IterationRunner<'g>,
    answer: AnswerWriter<'g>,
    outputs: RunOutputs,
    usage: UsageCounter,
    steps: StepCounter,
    /// Number of attempts of nodes of the graph itself that failed, and of failures that the graph handled in rounds.
    exceptions: usize,
    /// The tasks that wait for a form.
    waiting: Vec<Task>,
    /// The ends of nodes of the graph itself; `None` for a graph that cannot pause.
    ended: Option<Vec<(NodeIx, Arc<JsonObject>, FollowedEdges)>>,
}

impl<'g> Scheduler<'g> {
    pub(super) fn new(execution: &'g Execution, events: &'g EventWriter<'g>) -> Self {
        let (graph, limits) = (&*execution.graph, execution.limits);
        let pool = VariablePool::new(
            execution.system.clone(),
            execution.environment.clone(),
            execution.conversation_variables.clone(),
            (limits.variable_bytes, limits.run_bytes),
        )
        .with_types(execution.conversation_types.clone())
        .with_memory(execution.memory.permit());
        Self {
            execution,
            graph,
            events,
            queue: WorkQueue::default(),
            running: RunningWork::new(),
            frames: Frames::new(graph, pool),
            iterations: IterationRunner::new(graph, events),
            answer: AnswerWriter::new(graph, events, limits.variable_bytes, limits.answer_bytes),
            outputs: RunOutputs::default(),
            usage: UsageCounter::default(),
            steps: StepCounter::default(),
            exceptions: 0,
            waiting: Vec::new(),
            ended: graph.nodes().iter().any(|node| matches!(node.kind, NodeKind::HumanInput(_))).then(Vec::new),
        }
    }

    /// Runs the graph until it ends, it is stopped, `reader` is closed, or the deadline passes.
    pub(super) async fn run(&mut self, reader: &RunEvents, deadline: time::Instant) -> Result<(), RunError> {
        if let Some(resumption) = &self.execution.resumption {
            self.resume(resumption).await?;
        } else {
            self.events.write_start().await?;
            self.begin_answer().await?;
            if let Some(start) = self.frames.start(ROOT_FRAME) {
                self.queue.push(Work::Start(ROOT_FRAME, start));
            }
        }
        let mut disconnected = pin!(reader.closed());
        let mut timed_out = pin!(time::sleep_until(deadline));
        loop {
            while let Some(work) = self.queue.pop() {
                // While nodes end at once, the loop does not reach the `select!` below.
                if reader.is_closed() {
                    return Err(RunError::ClientDisconnected);
                }
                if self.execution.stop.is_cancelled() {
                    return Err(RunError::Stopped);
                }
                if time::Instant::now() >= deadline {
                    return Err(RunError::TimedOut);
                }
                self.perform(work).await?;
            }
            if self.running.is_empty() {
                return if self.waiting.is_empty() { Ok(()) } else { Err(RunError::Paused) };
            }
            let event = tokio::select! {
                biased;
                () = &mut disconnected => return Err(RunError::ClientDisconnected),
                () = self.execution.stop.cancelled() => return Err(RunError::Stopped),
                () = &mut timed_out => return Err(RunError::TimedOut),
                event = self.running.next() => event,
            };
            match event {
                RunningEvent::Text(node, text) => self.answer.receive(node, &text, &self.frames).await?,
                RunningEvent::Ended(work) => {
                    // Texts that a node sent before it ended come first.
                    while let Some((node, text)) = self.running.try_next_text() {
                        self.answer.receive(node, &text, &self.frames).await?;
                    }
                    if let Some(work) = work {
                        self.queue.push(work);
                    }
                }
            }
        }
    }

    /// Writes the texts that need no node to run. They can refer to the inputs, which the start node outputs later.
    async fn begin_answer(&mut self) -> Result<(), RunError> {
        let start = self.graph.node(self.graph.level(Graph::ROOT).start);
        // Inputs over the limit fail the start node.
        let _ = self.frames.set(ROOT_FRAME, &start.id, Arc::new(self.execution.inputs.clone()));
        self.answer.begin(&self.frames).await
    }

    async fn perform(&mut self, work: Work) -> Result<(), RunError> {
        match work {
            Work::Start(frame, node) => self.start_node(frame, node).await,
            Work::Retry(task) => self.retry(task).await,
            Work::NodeEnded(task, result) => self.attempt_ended(task, result).await,
            Work::RoundEnded(frame, result) => {
                self.iterations.end_round(frame, result, &mut self.frames, &mut self.queue).await
            }
        }
    }

    async fn start_node(&mut self, id: FrameId, node: NodeIx) -> Result<(), RunError> {
        let Some(frame) = self.frames.get(id) else { return Ok(()) };
        let index = self.steps.count(id, &self.execution.limits)?;
        let predecessor = frame.predecessor(self.graph, node);
        let iteration_id = frame.round.as_ref().map(|round| Arc::clone(&round.iteration_node_id));
        let task = Task::new(self.execution, id, (node, predecessor), iteration_id, index)?;
        if has_node_events(&self.graph.node(node).kind) {
            self.events.write("node_started", node_events::node_started(self.graph, &task)).await?;
        }
        self.attempt(task).await
    }

    async fn retry(&mut self, task: Task) -> Result<(), RunError> {
        if self.frames.get(task.frame).is_none() {
            return Ok(());
        }
        if task.frame == ROOT_FRAME {
            self.answer.restart(task.node).await?;
        }
        self.attempt(task).await
    }

    async fn attempt(&mut self, task: Task) -> Result<(), RunError> {
        let node = self.graph.node(task.node);
        if let NodeKind::Iteration(data) = &node.kind {
            return self.iterations.start(task, data, &mut self.frames, &mut self.queue).await;
        }
        if let NodeKind::HumanInput(_) = &node.kind {
            self.waiting.push(task);
            return Ok(());
        }
        let usage = self.usage.attempt();
        let streams = task.frame == ROOT_FRAME && self.answer.contains_model(task.node);
        let texts = streams.then(|| self.running.text_sender(task.node));
        let Some(run) = start_attempt(self.execution, node, &task, &mut self.frames, &usage, texts)? else {
            return Ok(());
        };
        match run {
            NodeRun::Ready(result) => self.queue.push_front(Work::NodeEnded(task, result)),
            NodeRun::Pending(future) => {
                let usage = matches!(node.kind, NodeKind::Llm(_)).then_some(usage);
                let attempt = with_timeout(self.execution.limits.node_timeout, future, usage);
                self.spawn(task, attempt, Work::NodeEnded);
            }
        }
        Ok(())
    }

    /// Runs a future of a task concurrently with the loop, until it ends or the frame of the task is closed. Its end
    /// becomes the work that continues the task.
    fn spawn<T, F>(&mut self, task: Task, future: F, work: fn(Task, T) -> Work)
    where
        F: Future<Output = T> + Send + 'static,
        T: 'static,
    {
        let running = task.clone();
        let handle = self.running.spawn(future.map(move |ended| work(running, ended)));
        self.frames.add_task(task, handle);
    }

    async fn attempt_ended(&mut self, mut task: Task, mut result: NodeResult) -> Result<(), RunError> {
        if self.frames.get(task.frame).is_none() {
            return Ok(());
        }
        self.frames.remove_task(&task);
        let node = self.graph.node(task.node);
        self.iterations.add_usage(task.frame, node_end::usage(&result).unwrap_or_default(), &self.frames);
        node_end::mask_secrets(&mut result, &self.execution.masks);
        let stored = result.and_then(|mut outcome| {
            let outputs = Arc::new(std::mem::take(&mut outcome.outputs));
            self.frames.set(task.frame, &node.id, Arc::clone(&outputs))?;
            Ok((outcome, outputs))
        });
        let error = match stored {
            Ok((outcome, outputs)) => {
                if task.frame == ROOT_FRAME {
                    self.answer.model_succeeded(task.node);
                }
                let (end, followed) = NodeEnd::succeeded(outcome, outputs);
                return self.leave(&task, &end, &followed).await;
            }
            Err(error) => error,
        };
        self.exceptions += usize::from(task.frame == ROOT_FRAME);
        if let Some(retry) = node.retry
            && task.failed_attempts < retry.times
        {
            task.failed_attempts += 1;
            let pause = time::sleep(retry.interval);
            if has_node_events(&node.kind) {
                let event = node_events::node_retry(self.graph, &task, &error, self.events.now());
                self.events.write("node_retry", event).await?;
            }
            self.spawn(task, pause, |task, ()| Work::Retry(task));
            return Ok(());
        }
        let Some(outputs) = node_end::outputs_after(&error, &node.on_error) else {
            return self.fail(&task, NodeEnd::failed(*error)).await;
        };
        // Unlike in Dify, a failure that is handled inside an iteration makes the run a partial success: its result
        // lacks something there, too.
        self.exceptions += usize::from(task.frame != ROOT_FRAME);
        let outputs = Arc::new(outputs);
        if let Err(limit) = self.frames.set(task.frame, &node.id, Arc::clone(&outputs)) {
            return self.fail(&task, NodeEnd::failed(*Box::<NodeError>::from(limit))).await;
        }
        let (end, followed) = NodeEnd::handled(*error, outputs, &node.on_error);
        self.leave(&task, &end, &followed).await
    }

    /// Follows the edges of a node that ended: writes the text that is certain now, then the node's event, and queues
    /// the nodes that can start.
    async fn leave(&mut self, task: &Task, end: &NodeEnd, followed: &FollowedEdges) -> Result<(), RunError> {
        let follows = |edge: &_| followed.contains(edge);
        let Some(ready) = self.frames.leave(task.frame, task.node, follows) else { return Ok(()) };
        let kind = &self.graph.node(task.node).kind;
        if task.frame == ROOT_FRAME {
            if let Some(ended) = &mut self.ended {
                ended.push((task.node, Arc::clone(&end.outputs), followed.clone()));
            }
            self.answer.node_ended(task.node, followed, &self.frames).await?;
            match kind {
                NodeKind::End(_) => self.outputs.extend(&end.outputs),
                NodeKind::Answer(_) => self.add_answer(end_answer(end))?,
                _ => {}
            }
        } else if let NodeKind::Answer(_) = kind {
            // An answer inside an iteration is not streamed: it is written as a whole when its node ends.
            self.add_answer(end_answer(end))?;
            self.answer.write_answer(task.node, end_answer(end)).await?;
        }
        write_node_end(self.events, self.graph, task, end).await?;
        for node in ready {
            self.queue.push(Work::Start(task.frame, node));
        }
        let finished = self.frames.get(task.frame).is_some_and(Frame::is_finished);
        if finished && task.frame != ROOT_FRAME {
            self.queue.push(Work::RoundEnded(task.frame, Ok(())));
        }
        Ok(())
    }

    /// Adds the text of an `answer` node to the outputs.
    fn add_answer(&mut self, text: &str) -> Result<(), RunError> {
        let limit = self.execution.limits.answer_bytes;
        if self.outputs.add_answer(text) > limit {
            return Err(RunError::Failed(format!("The answer is longer than {limit} bytes")));
        }
        Ok(())
    }

    /// Ends the run, or the round of an iteration, whose node failed.
    async fn fail(&mut self, task: &Task, end: NodeEnd) -> Result<(), RunError> {
        write_node_end(self.events, self.graph, task, &end).await?;
        let message = end.error.unwrap_or_default();
        if task.frame == ROOT_FRAME {
            return Err(RunError::Failed(message));
        }
        self.queue.push(Work::RoundEnded(task.frame, Err(message)));
        Ok(())
    }

    /// Number of failures, which make a run that ends well a partial success.
    pub(super) fn exceptions(&self) -> usize {
        self.exceptions
    }

    /// Stops nodes that still run, so that their tokens are counted, and returns what is left of the run.
    pub(super) fn into_outcome(mut self, status: RunStatus, error: Option<String>, elapsed: Duration) -> RunOutcome {
        self.running.stop();
        let conversation_variables = self.frames.conversation().clone();
        let (answer, time_to_first_text) = self.answer.into_text();
        RunOutcome {
            status,
            outputs: self.outputs.into_values(),
            answer,
            error,
            elapsed,
            time_to_first_text,
            usage: self.usage.of_run(),
            total_steps: self.steps.total(),
            exceptions_count: self.exceptions,
            conversation_variables,
            pause: None,
        }
    }
}

/// The text of an `answer` node that ended.
fn end_answer(end: &NodeEnd) -> &str {
    end.outputs.get("answer").and_then(serde_json::Value::as_str).unwrap_or_default()
}
