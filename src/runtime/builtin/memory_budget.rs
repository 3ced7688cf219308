//! The memory that all runs of the process share. Each run has limits of its own, but many large runs at once would
//! exceed the memory of the machine.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes per semaphore permit.
const UNIT: usize = 1 << 10;

/// The memory that runs may use together. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct MemoryBudget(Arc<Semaphore>);

impl MemoryBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / UNIT).min(Semaphore::MAX_PERMITS))))
    }

    /// An empty reservation, to be resized.
    pub(crate) fn reservation(&self) -> MemoryReservation {
        MemoryReservation { budget: self.clone(), permit: None }
    }
}

/// A share of the budget; returned when it is dropped.
#[derive(Debug)]
pub(crate) struct MemoryReservation {
    budget: MemoryBudget,
    permit: Option<OwnedSemaphorePermit>,
}

impl MemoryReservation {
    /// Changes the reservation to `bytes`. Returns `false`, and keeps the previous size, when the budget is exhausted.
    /// Shrinking always succeeds.
    #[must_use]
    pub(crate) fn resize(&mut self, bytes: usize) -> bool {
        let wanted = bytes.div_ceil(UNIT);
        let current = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if wanted <= current {
            drop(self.permit.as_mut().and_then(|permit| permit.split(current - wanted)));
            return true;
        }
        let Ok(more) = u32::try_from(wanted - current) else { return false };
        let Ok(more) = Arc::clone(&self.budget.0).try_acquire_many_owned(more) else { return false };
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_memory_is_unavailable_until_it_is_returned() {
        let budget = MemoryBudget::new(100 * UNIT);
        let (mut first, mut second) = (budget.reservation(), budget.reservation());
        assert!(first.resize(60 * UNIT) && second.resize(40 * UNIT));
        assert!(!first.resize(60 * UNIT + 1) && !second.resize(usize::MAX));
        assert!(first.resize(10 * UNIT) && second.resize(90 * UNIT));
        drop(second);
        assert!(first.resize(100 * UNIT) && first.resize(0) && budget.reservation().resize(100 * UNIT));
    }
}
