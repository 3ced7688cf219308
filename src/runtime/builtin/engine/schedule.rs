//! The one loop of a run.
//!
//! What has to be done lies in a queue; what takes a while runs beside it, and its end goes into the queue as well. Everything
//! that is decided — which node is next, what is said, which event goes out — is decided here, one after the other.

use std::{
    collections::{HashMap, VecDeque},
    pin::pin,
    sync::Arc,
    time::Instant,
};

use futures_util::{
    FutureExt, StreamExt,
    future::{AbortHandle, Abortable, BoxFuture},
    stream::FuturesUnordered,
};
use parking_lot::Mutex;
use tokio::{sync::mpsc, time};
use uuid::Builder;

use super::{
    Execution,
    event::Teller,
    frame::{self, Frame, FrameId},
    iteration::Iteration,
    stream::{From, Stream},
};
use crate::{
    ports::runtime::RunEvents,
    runtime::builtin::{
        graph::{Edge, FAIL_BRANCH, Graph, Kind, NodeIx, OnError},
        model::Usage,
        nodes::{self, Failure, Finished, Members, NodeResult, Step, answer, assigner, http_request, llm},
        variables::Pool,
    },
};

/// Pieces of text that models may be ahead of the loop.
const HEARD_AHEAD: usize = 16;

/// Why a run ends before its graph does.
#[derive(Debug)]
pub enum Halt {
    /// A node failed and nothing provides for that.
    Failed(String),
    /// It took too long.
    Late,
    /// Nobody listens any more.
    Deserted,
}

/// One run of one node, from its first attempt to its last.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub frame: FrameId,
    pub node: NodeIx,
    /// Its id on the wire.
    pub id: String,
    /// The how many'th of the run it is, from 1.
    pub index: usize,
    pub started: Instant,
    /// Unix seconds.
    pub created_at: i64,
    /// Attempts that failed.
    pub failed: u32,
}

/// What has to be done.
#[expect(clippy::large_enum_variant, reason = "nearly all of them are the largest")]
pub(super) enum Work {
    /// A node can run.
    Begin(FrameId, NodeIx),
    /// Its pause is over.
    Again(Task),
    /// A run of a node has ended.
    Ended(Task, NodeResult),
    /// A round of an iteration has: with why it failed, if it did.
    Round(FrameId, Result<(), String>),
}

/// What nodes say while they run.
struct Heard {
    sender: mpsc::Sender<(NodeIx, String)>,
    receiver: mpsc::Receiver<(NodeIx, String)>,
}

impl Heard {
    fn new() -> Self {
        let (sender, receiver) = mpsc::channel(HEARD_AHEAD);
        Self { sender, receiver }
    }
}

type Running = FuturesUnordered<BoxFuture<'static, Option<Work>>>;

/// A run under way.
pub struct Schedule<'g> {
    pub(super) execution: &'g Execution,
    pub(super) graph: &'g Graph,
    pub(super) pool: Pool,
    pub(super) frames: HashMap<FrameId, Frame>,
    pub(super) frames_made: FrameId,
    pub(super) iterations: HashMap<u64, Iteration>,
    pub(super) iterations_made: u64,
    pub(super) work: VecDeque<Work>,
    pub(super) teller: Teller<'g>,
    /// Never locked: the mutex makes it `Sync`, which what runs in it need not be.
    running: Mutex<Running>,
    stream: Stream<'g>,
    heard: Heard,
    events: &'g RunEvents,
    deadline: time::Instant,
    /// Unix seconds.
    pub(super) run_created_at: i64,
    pub(super) outputs: Members,
    /// Everything said so far.
    pub(super) answer: String,
    /// Whether an `answer` node ran.
    pub(super) answered: bool,
    pub(super) usage: Usage,
    pub(super) steps: usize,
    root_steps: usize,
    pub(super) exceptions: usize,
}

impl<'g> Schedule<'g> {
    pub fn new(execution: &'g Execution, graph: &'g Graph, events: &'g RunEvents) -> Self {
        let limits = execution.limits;
        let deadline = time::Instant::now() + limits.run;
        let pool = Pool::new(
            execution.system.clone(),
            execution.environment.clone(),
            execution.conversation_variables.clone(),
            (limits.variable, limits.variables),
        );
        let root = Frame::new(graph, Graph::ROOT, Pool::ROOT, None);
        Self {
            execution,
            graph,
            pool,
            frames: HashMap::from([(frame::ROOT, root)]),
            frames_made: frame::ROOT + 1,
            iterations: HashMap::new(),
            iterations_made: 0,
            work: VecDeque::new(),
            teller: Teller::new(execution, events, deadline),
            running: Mutex::default(),
            stream: Stream::new(graph, limits.variable),
            heard: Heard::new(),
            events,
            deadline,
            run_created_at: execution.clock.now().timestamp(),
            outputs: Members::new(),
            answer: String::new(),
            answered: false,
            usage: Usage::default(),
            steps: 0,
            root_steps: 0,
            exceptions: 0,
        }
    }

    /// Runs to the end, or to why there is none.
    pub async fn run(&mut self) -> Result<(), Halt> {
        self.tell_start().await?;
        self.enter(frame::ROOT);
        let events = self.events;
        let mut deserted = pin!(events.closed());
        let mut late = pin!(time::sleep_until(self.deadline));
        loop {
            while let Some(work) = self.work.pop_front() {
                self.act(work).await?;
            }
            if self.running.get_mut().is_empty() {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = &mut deserted => return Err(Halt::Deserted),
                () = &mut late => return Err(Halt::Late),
                Some((node, text)) = self.heard.receiver.recv() => self.hear(node, &text).await?,
                Some(done) = self.running.get_mut().next() => {
                    // What it said before it ended comes first.
                    while let Ok((node, text)) = self.heard.receiver.try_recv() {
                        self.hear(node, &text).await?;
                    }
                    self.work.extend(done);
                }
            }
        }
    }

    async fn act(&mut self, work: Work) -> Result<(), Halt> {
        match work {
            Work::Begin(frame, node) => self.begin(frame, node).await,
            Work::Again(task) => self.again(task).await,
            Work::Ended(task, result) => self.ended(task, result).await,
            Work::Round(frame, result) => self.round_ended(frame, result).await,
        }
    }

    /// Begins a frame with its first node.
    pub(super) fn enter(&mut self, id: FrameId) {
        if let Some(frame) = self.frames.get_mut(&id) {
            let start = self.graph.level(frame.level).start;
            frame.enter(self.graph, start);
            self.work.push_back(Work::Begin(id, start));
        }
    }

    async fn begin(&mut self, id: FrameId, node: NodeIx) -> Result<(), Halt> {
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
        if !matches!(self.graph.node(node).kind, Kind::Iteration(_)) {
            self.teller.tell("node_started", self.told(&task)).await?;
        }
        self.attempt(task).await
    }

    async fn again(&mut self, task: Task) -> Result<(), Halt> {
        if !self.frames.contains_key(&task.frame) {
            return Ok(());
        }
        if task.frame == frame::ROOT {
            let taken_back = self.stream.restart(task.node);
            if taken_back > 0 {
                self.answer.truncate(self.answer.len() - taken_back);
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
        let step = match &graph.node(task.node).kind {
            Kind::Start => Step::Done(Ok(nodes::start::run(&execution.inputs, view))),
            Kind::IterationStart => Step::Done(Ok(Finished::default())),
            Kind::Answer(data) => Step::Done(answer::run(data, view, limit)),
            Kind::End(data) => Step::Done(Ok(nodes::end::run(data, view))),
            Kind::Aggregator(data) => Step::Done(Ok(nodes::aggregator::run(data, view))),
            Kind::IfElse(data) => nodes::if_else::start(data, view, limit),
            Kind::TemplateTransform(data) => nodes::template_transform::start(data, view, &execution.templates),
            Kind::Llm(data) => {
                let around = llm::Surroundings {
                    view,
                    history: &execution.history,
                    models: &execution.models,
                    templates: &execution.templates,
                    limit,
                };
                let repeated = task.frame == frame::ROOT && self.stream.repeats(task.node);
                llm::start(data, &around, repeated.then(|| nodes::Teller::new(task.node, self.heard.sender.clone())))
            }
            Kind::Assigner(data) => Step::Done(assigner::run(data, &mut self.pool, scope)),
            Kind::HttpRequest(data) => {
                let node = graph.node(task.node);
                let around = http_request::Surroundings {
                    view,
                    outbound: &execution.outbound,
                    limit,
                    strict: node.retry.is_some() || node.on_error != OnError::Abort,
                    boundary: self.random_id()?,
                };
                http_request::start(data, &around)
            }
            Kind::Iteration(data) => return self.iterate(task, data).await,
        };
        match step {
            Step::Done(result) => self.work.push_front(Work::Ended(task, result)),
            Step::Later(future) => {
                let most = execution.limits.node;
                let frame = task.frame;
                let work = async move {
                    let late =
                        || Failure::new("Timeout", format!("the node ran for more than {} seconds", most.as_secs()));
                    let result = time::timeout(most, future).await.unwrap_or_else(|_| Err(late()));
                    Work::Ended(task, result)
                };
                self.spawn(frame, work);
            }
        }
        Ok(())
    }

    /// Lets something run beside the loop, for as long as its frame is there.
    fn spawn(&mut self, frame: FrameId, work: impl Future<Output = Work> + Send + 'static) {
        let (handle, registration) = AbortHandle::new_pair();
        if let Some(frame) = self.frames.get_mut(&frame) {
            frame.tasks.push(handle);
        }
        self.running.get_mut().push(Abortable::new(work, registration).map(Result::ok).boxed());
    }

    async fn hear(&mut self, node: NodeIx, text: &str) -> Result<(), Halt> {
        self.stream.heard(node, text);
        self.flush().await
    }

    /// Says what can be said by now.
    async fn flush(&mut self) -> Result<(), Halt> {
        let Some(root) = self.frames.get(&frame::ROOT) else { return Ok(()) };
        let said =
            self.stream.flush(root, self.pool.view(Pool::ROOT)).map_err(|fault| Halt::Failed(fault.to_string()))?;
        for said in said {
            match said.from {
                From::Node(node) => self.say(&said.text, &[&self.graph.node(node).id, "answer"]).await?,
                From::Variable(selector) => {
                    let parts: Vec<&str> = selector.parts().iter().map(String::as_str).collect();
                    self.say(&said.text, &parts).await?;
                }
            }
        }
        Ok(())
    }

    async fn say(&mut self, words: &str, from: &[&str]) -> Result<(), Halt> {
        let limit = self.execution.limits.answer;
        if self.answer.len() + words.len() > limit {
            return Err(Halt::Failed(format!("The answer is longer than {limit} bytes")));
        }
        self.answer.push_str(words);
        self.teller.say(words, from).await
    }

    async fn ended(&mut self, mut task: Task, result: NodeResult) -> Result<(), Halt> {
        let graph = self.graph;
        let Some(scope) = self.frames.get(&task.frame).map(|frame| frame.scope) else { return Ok(()) };
        let node = graph.node(task.node);
        let usage = match &result {
            Ok(finished) => finished.usage,
            Err(failure) => failure.usage,
        };
        self.take(usage.unwrap_or_default());
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
            OnError::FailBranch => Members::new(),
            OnError::DefaultValue(defaults) => defaults.clone(),
        };
        self.exceptions += 1;
        outputs.insert("error_message".to_owned(), failure.message.clone().into());
        outputs.insert("error_type".to_owned(), failure.kind.into());
        let outputs = Arc::new(outputs);
        if let Err(fault) = self.pool.set(scope, &node.id, outputs.clone()) {
            return self.abort(&task, fault.into()).await;
        }
        let finished = Finished {
            inputs: std::mem::take(&mut failure.inputs),
            process_data: std::mem::take(&mut failure.process_data),
            outputs: Members::new(),
            usage: failure.usage,
            branch: None,
        };
        let fails = node.on_error == OnError::FailBranch;
        let takes = |edge: &Edge| (edge.handle == FAIL_BRANCH) == fails;
        self.leave(&task, &finished, &outputs, "exception", Some(&failure.message), takes).await
    }

    /// A node is through: what can be said is said, its end is told, and the next nodes begin.
    async fn leave(
        &mut self,
        task: &Task,
        finished: &Finished,
        outputs: &Arc<Members>,
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
        } else if let Kind::Answer(_) = graph.node(task.node).kind
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
    fn put_out(&mut self, node: NodeIx, outputs: &Members) {
        match self.graph.node(node).kind {
            Kind::End(_) => self.outputs.extend(outputs.iter().map(|(name, value)| (name.clone(), value.clone()))),
            Kind::Answer(_) => self.answered = true,
            _ => {}
        }
    }

    /// A node failed, and nothing in the graph provides for that: its frame fails.
    async fn abort(&mut self, task: &Task, failure: Box<Failure>) -> Result<(), Halt> {
        let Failure { message, inputs, process_data, outputs, usage, .. } = *failure;
        let finished = Finished { inputs, process_data, usage, ..Finished::default() };
        self.tell_end_of(task, &finished, &Arc::new(outputs), "failed", Some(&message)).await?;
        if task.frame == frame::ROOT {
            return Err(Halt::Failed(message));
        }
        self.work.push_back(Work::Round(task.frame, Err(message)));
        Ok(())
    }

    fn take(&mut self, usage: Usage) {
        self.usage.prompt_tokens = self.usage.prompt_tokens.saturating_add(usage.prompt_tokens);
        self.usage.completion_tokens = self.usage.completion_tokens.saturating_add(usage.completion_tokens);
    }

    fn random_id(&self) -> Result<String, Halt> {
        let mut bytes = [0; 16];
        self.execution.entropy.fill(&mut bytes).map_err(|fault| Halt::Failed(fault.message().to_owned()))?;
        Ok(Builder::from_random_bytes(bytes).into_uuid().to_string())
    }

    /// Unix seconds.
    pub(super) fn now(&self) -> i64 {
        self.execution.clock.now().timestamp()
    }
}
