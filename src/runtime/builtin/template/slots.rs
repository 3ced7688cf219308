//! The threads that renderings occupy, shared fairly: a free thread goes to the workspace that has the fewest, and
//! within it to the app that has the fewest. A workspace whose queue is full fails at once.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{
    domain::id::{AppId, WorkspaceId},
    runtime::builtin::jinja::error::TemplateError,
};

/// Renderings of one workspace that may wait at the same time.
const MAX_WAITING: usize = 64;

/// Whose rendering occupies a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotOwner {
    pub workspace: WorkspaceId,
    pub app: AppId,
}

#[derive(Clone)]
pub(super) struct RenderSlots(Arc<Mutex<SlotState>>);

struct SlotState {
    free: usize,
    running: HashMap<WorkspaceId, Vec<AppId>>,
    /// In the order of their arrival.
    waiting: VecDeque<Waiter>,
}

struct Waiter {
    owner: SlotOwner,
    sender: oneshot::Sender<RenderSlot>,
}

impl RenderSlots {
    pub(super) fn new(threads: usize) -> Self {
        let state = SlotState { free: threads.max(1), running: HashMap::new(), waiting: VecDeque::new() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// A slot as soon as it is the owner's turn; the future gives `None` when the renderer is dropped.
    pub(super) fn acquire(
        &self,
        owner: SlotOwner,
    ) -> Result<impl Future<Output = Option<RenderSlot>> + Send + use<>, TemplateError> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.0.lock();
            state.drop_closed();
            if state.free == 0 && state.waiting_of(owner.workspace) >= MAX_WAITING {
                return Err(TemplateError::Busy);
            }
            state.waiting.push_back(Waiter { owner, sender });
        }
        self.grant();
        Ok(async move { receiver.await.ok() })
    }

    pub(super) fn is_full(&self, owner: SlotOwner) -> bool {
        let mut state = self.0.lock();
        state.drop_closed();
        state.waiting_of(owner.workspace) >= MAX_WAITING
    }

    /// Gives free slots to those that wait.
    fn grant(&self) {
        loop {
            let Some(waiter) = self.0.lock().take_next() else { return };
            // A slot whose receiver was just closed is dropped, which makes it free again.
            drop(waiter.sender.send(RenderSlot { slots: self.clone(), owner: waiter.owner }));
        }
    }
}

impl SlotState {
    /// Drops the waiters whose callers have left.
    fn drop_closed(&mut self) {
        self.waiting.retain(|waiter| !waiter.sender.is_closed());
    }

    fn waiting_of(&self, workspace: WorkspaceId) -> usize {
        self.waiting.iter().filter(|waiter| waiter.owner.workspace == workspace).count()
    }

    /// The slots of the workspace, and of the app.
    fn load(&self, owner: SlotOwner) -> (usize, usize) {
        self.running
            .get(&owner.workspace)
            .map_or((0, 0), |apps| (apps.len(), apps.iter().filter(|app| **app == owner.app).count()))
    }

    /// Takes a free slot for the waiter whose turn it is.
    fn take_next(&mut self) -> Option<Waiter> {
        if self.free == 0 {
            return None;
        }
        self.drop_closed();
        let waiting = self.waiting.iter().enumerate();
        let (at, _) = waiting.min_by_key(|(at, waiter)| (self.load(waiter.owner), *at))?;
        let waiter = self.waiting.remove(at)?;
        self.free -= 1;
        self.running.entry(waiter.owner.workspace).or_default().push(waiter.owner.app);
        Some(waiter)
    }
}

/// One of the threads; dropping it gives it to the next rendering.
pub(super) struct RenderSlot {
    slots: RenderSlots,
    owner: SlotOwner,
}

impl Drop for RenderSlot {
    fn drop(&mut self) {
        {
            let mut state = self.slots.0.lock();
            state.free += 1;
            if let Some(apps) = state.running.get_mut(&self.owner.workspace) {
                if let Some(at) = apps.iter().position(|app| *app == self.owner.app) {
                    apps.swap_remove(at);
                }
                if apps.is_empty() {
                    state.running.remove(&self.owner.workspace);
                }
            }
        }
        self.slots.grant();
    }
}
