//! Attempts of nodes that run concurrently with the scheduler, and the texts that they stream.

use futures_util::{
    FutureExt, StreamExt,
    future::{AbortHandle, Abortable, BoxFuture},
    stream::FuturesUnordered,
};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::work_queue::Work;
use crate::runtime::builtin::{graph::index::NodeIx, nodes::text_sender::TextSender};

/// Number of texts by which models may be ahead of the scheduler.
const TEXTS_AHEAD: usize = 16;

/// Aborted work yields `None`.
type RunningFutures = FuturesUnordered<BoxFuture<'static, Option<Work>>>;

/// What happens while work runs.
#[expect(clippy::large_enum_variant, reason = "an event is moved once, into the queue")]
pub(super) enum RunningEvent {
    /// A node streams a text.
    Text(NodeIx, String),
    /// A future ended; `None` when it was aborted.
    Ended(Option<Work>),
}

/// The futures that run, and the channel of their texts.
pub(super) struct RunningWork {
    /// Never locked: the mutex makes the field `Sync`, which the futures are not.
    futures: Mutex<RunningFutures>,
    text_sender: mpsc::Sender<(NodeIx, String)>,
    texts: mpsc::Receiver<(NodeIx, String)>,
}

impl RunningWork {
    pub(super) fn new() -> Self {
        let (text_sender, texts) = mpsc::channel(TEXTS_AHEAD);
        Self { futures: Mutex::default(), text_sender, texts }
    }

    /// Sends texts of this node to [`Self::next`].
    pub(super) fn text_sender(&self, node: NodeIx) -> TextSender {
        TextSender::new(node, self.text_sender.clone())
    }

    /// Runs `work` until it ends or the handle aborts it.
    pub(super) fn spawn(&mut self, work: impl Future<Output = Work> + Send + 'static) -> AbortHandle {
        let (handle, registration) = AbortHandle::new_pair();
        self.futures.get_mut().push(Abortable::new(work, registration).map(Result::ok).boxed());
        handle
    }

    pub(super) fn is_empty(&mut self) -> bool {
        self.futures.get_mut().is_empty()
    }

    /// The next text or end. Texts come first. Cancel-safe; waits forever when nothing runs.
    pub(super) async fn next(&mut self) -> RunningEvent {
        tokio::select! {
            biased;
            Some((node, text)) = self.texts.recv() => RunningEvent::Text(node, text),
            Some(work) = self.futures.get_mut().next() => RunningEvent::Ended(work),
            else => std::future::pending().await,
        }
    }

    /// A text that has already been sent.
    pub(super) fn try_next_text(&mut self) -> Option<(NodeIx, String)> {
        self.texts.try_recv().ok()
    }

    /// Drops everything that runs.
    pub(super) fn stop(&mut self) {
        drop(std::mem::take(self.futures.get_mut()));
    }
}
