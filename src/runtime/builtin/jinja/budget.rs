//! Counts the steps, the memory and the depth of one rendering. Every operation charges it before it works or
//! allocates.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    error::{Result, TemplateError},
    limits::{MAX_CALL_DEPTH, RenderLimits},
};

/// Bytes that an operation reads or writes in the time of one step.
const BYTES_PER_STEP: usize = 32;

/// Set when the rendering has to end early: the caller has left, or the time is up.
#[derive(Clone, Debug, Default)]
pub(crate) struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    pub(crate) fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The memory that the values of a rendering occupy. Texts return their bytes when they are dropped; lists and other
/// containers exist until the rendering ends.
#[derive(Debug)]
pub(super) struct MemoryMeter {
    used: Cell<usize>,
    peak: Cell<usize>,
    limit: usize,
}

impl MemoryMeter {
    fn take(&self, bytes: usize) -> Result<()> {
        let used = self.used.get().saturating_add(bytes);
        if used > self.limit {
            return Err(TemplateError::TooMuchMemory);
        }
        self.used.set(used);
        self.peak.set(self.peak.get().max(used));
        Ok(())
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.used.set(self.used.get().saturating_sub(bytes));
    }
}

#[derive(Debug)]
pub(super) struct RenderBudget {
    steps: Cell<u64>,
    memory: Rc<MemoryMeter>,
    depth: Cell<usize>,
    cancelled: CancelFlag,
}

impl RenderBudget {
    pub(super) fn new(limits: RenderLimits, cancelled: CancelFlag) -> Self {
        let memory = MemoryMeter { used: Cell::new(0), peak: Cell::new(0), limit: limits.bytes };
        Self { steps: Cell::new(limits.steps), memory: Rc::new(memory), depth: Cell::new(0), cancelled }
    }

    /// Counts operations.
    pub(super) fn steps(&self, count: usize) -> Result<()> {
        if self.cancelled.is_cancelled() {
            return Err(TemplateError::Cancelled);
        }
        let left = self.steps.get().checked_sub(u64::try_from(count).unwrap_or(u64::MAX));
        self.steps.set(left.unwrap_or(0));
        left.map(drop).ok_or(TemplateError::TooManySteps)
    }

    /// Counts an operation that reads this many bytes.
    pub(super) fn read(&self, bytes: usize) -> Result<()> {
        self.steps(1 + bytes / BYTES_PER_STEP)
    }

    /// Counts an operation that produces this many bytes of a value.
    pub(super) fn produce(&self, bytes: usize) -> Result<()> {
        self.read(bytes)?;
        self.memory.take(bytes)
    }

    pub(super) fn memory(&self) -> &Rc<MemoryMeter> {
        &self.memory
    }

    /// Most bytes that existed at the same time.
    #[cfg(test)]
    pub(super) fn peak(&self) -> usize {
        self.memory.peak.get()
    }

    /// Enters a block, an expression or a call; [`RenderBudget::leave`] ends it.
    pub(super) fn enter(&self) -> Result<()> {
        self.steps(1)?;
        if self.depth.get() >= MAX_CALL_DEPTH {
            return Err(TemplateError::TooDeep);
        }
        self.depth.set(self.depth.get() + 1);
        Ok(())
    }

    pub(super) fn leave(&self) {
        self.depth.set(self.depth.get().saturating_sub(1));
    }
}
