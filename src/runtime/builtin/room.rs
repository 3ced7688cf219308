//! The memory that all runs of a process share: each is bounded, but two thousand of the largest would be more than there is.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Parts are counted in units of so many bytes.
const UNIT: usize = 1 << 10;

/// Room for the runs of a process. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    /// Room for so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / UNIT).min(Semaphore::MAX_PERMITS))))
    }

    /// A part of it, empty yet.
    pub(crate) fn held(&self) -> Held {
        Held { room: self.clone(), held: None }
    }
}

/// A part of the room, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    room: Room,
    held: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// Holds so many bytes from now on, more or fewer than before. `false`, and what was held before, when there is no room.
    #[must_use]
    pub(crate) fn resize(&mut self, bytes: usize) -> bool {
        let (wanted, had) = (bytes.div_ceil(UNIT), self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if wanted <= had {
            drop(self.held.as_mut().and_then(|held| held.split(had - wanted)));
            return true;
        }
        let Ok(more) = u32::try_from(wanted - had) else { return false };
        let Ok(more) = Arc::clone(&self.room.0).try_acquire_many_owned(more) else { return false };
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_holds_another_cannot_have_until_it_is_given_back() {
        let room = Room::new(100 * UNIT);
        let (mut one, mut other) = (room.held(), room.held());
        assert!(one.resize(60 * UNIT) && other.resize(40 * UNIT));
        assert!(!one.resize(60 * UNIT + 1) && !other.resize(usize::MAX));
        assert!(one.resize(10 * UNIT) && other.resize(90 * UNIT));
        drop(other);
        assert!(one.resize(100 * UNIT) && one.resize(0) && room.held().resize(100 * UNIT));
    }
}
