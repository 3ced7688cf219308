//! The one loop of a run.
//!
//! What has to be done lies in a queue; what takes a while runs beside it, and its end goes into the queue as well. Everything
//! that is decided — which node is next, what is said, which event goes out — is decided here, one after the other.

use std::{
    collections::{HashMap, VecDeque},
    pin::pin,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use parking_lot::Mutex;
use tokio::{sync::mpsc, time};

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
        graph::{index::NodeIx, topology::Graph},
        json::JsonObject,
        model::usage::UsageCounter,
        nodes::outcome::NodeResult,
        variables::VariablePool,
    },
};

/// Pieces of text that models may be ahead of the loop.
const HEARD_AHEAD: usize = 16;

/// Why a run ends before its graph does.
#[derive(Debug)]
pub(super) enum Halt {
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
pub(super) struct Heard {
    pub(super) sender: mpsc::Sender<(NodeIx, String)>,
    receiver: mpsc::Receiver<(NodeIx, String)>,
}

impl Heard {
    fn new() -> Self {
        let (sender, receiver) = mpsc::channel(HEARD_AHEAD);
        Self { sender, receiver }
    }
}

pub(super) type Running = FuturesUnordered<BoxFuture<'static, Option<Work>>>;

/// A run under way.
pub(super) struct Schedule<'g> {
    pub(super) execution: &'g Execution,
    pub(super) graph: &'g Graph,
    pub(super) pool: VariablePool,
    pub(super) frames: HashMap<FrameId, Frame>,
    pub(super) frames_made: FrameId,
    pub(super) iterations: HashMap<u64, Iteration>,
    pub(super) iterations_made: u64,
    pub(super) work: VecDeque<Work>,
    pub(super) teller: Teller<'g>,
    /// Never locked: the mutex makes it `Sync`, which what runs in it need not be.
    pub(super) running: Mutex<Running>,
    pub(super) stream: Stream<'g>,
    pub(super) heard: Heard,
    events: &'g RunEvents,
    deadline: time::Instant,
    /// Unix seconds.
    pub(super) run_created_at: i64,
    pub(super) outputs: JsonObject,
    started: Instant,
    /// When the first word was said, since the run began.
    pub(super) first_said: Option<Duration>,
    /// Everything said so far.
    pub(super) answer: String,
    /// Whether an `answer` node ran.
    pub(super) answered: bool,
    /// What models took.
    pub(super) taken: UsageCounter,
    pub(super) steps: usize,
    pub(super) root_steps: usize,
    pub(super) exceptions: usize,
}

impl<'g> Schedule<'g> {
    pub(super) fn new(execution: &'g Execution, graph: &'g Graph, events: &'g RunEvents) -> Self {
        let limits = execution.limits;
        let deadline = time::Instant::now() + limits.run;
        let pool = VariablePool::new(
            execution.system.clone(),
            execution.environment.clone(),
            execution.conversation_variables.clone(),
            (limits.variable, limits.variables),
        )
        .declaring(execution.conversation_types.clone())
        .within(execution.memory_budget.reservation());
        let root = Frame::new(graph, Graph::ROOT, VariablePool::ROOT, None);
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
            stream: Stream::new(graph, limits.variable, limits.answer.saturating_mul(2)),
            heard: Heard::new(),
            events,
            deadline,
            run_created_at: execution.clock.now().timestamp(),
            outputs: JsonObject::new(),
            started: Instant::now(),
            first_said: None,
            answer: String::new(),
            answered: false,
            taken: UsageCounter::default(),
            steps: 0,
            root_steps: 0,
            exceptions: 0,
        }
    }

    /// Runs to the end, or to why there is none.
    pub(super) async fn run(&mut self) -> Result<(), Halt> {
        self.tell_start().await?;
        self.enter(frame::ROOT);
        let events = self.events;
        let mut deserted = pin!(events.closed());
        let mut late = pin!(time::sleep_until(self.deadline));
        loop {
            while let Some(work) = self.work.pop_front() {
                // Nodes that are done at once never let the loop rest below.
                if events.is_closed() {
                    return Err(Halt::Deserted);
                }
                if time::Instant::now() >= self.deadline {
                    return Err(Halt::Late);
                }
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

    async fn hear(&mut self, node: NodeIx, text: &str) -> Result<(), Halt> {
        self.stream.heard(node, text);
        self.flush().await
    }

    /// Says what can be said by now.
    pub(super) async fn flush(&mut self) -> Result<(), Halt> {
        let Some(root) = self.frames.get(&frame::ROOT) else { return Ok(()) };
        let said = self
            .stream
            .flush(root, self.pool.view(VariablePool::ROOT))
            .map_err(|fault| Halt::Failed(fault.to_string()))?;
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

    pub(super) async fn say(&mut self, words: &str, from: &[&str]) -> Result<(), Halt> {
        let limit = self.execution.limits.answer;
        if self.answer.len() + words.len() > limit {
            return Err(Halt::Failed(format!("The answer is longer than {limit} bytes")));
        }
        self.first_said.get_or_insert_with(|| self.started.elapsed());
        self.answer.push_str(words);
        self.teller.say(words, from).await
    }

    /// Unix seconds.
    pub(super) fn now(&self) -> i64 {
        self.execution.clock.now().timestamp()
    }
}
