//! The ledger: the accounts of all kinds of work, and the permits that it grants.

use std::sync::Arc;

use super::{account::Accounts, error::MemoryError, fair_share::Owner, kind::MemoryKind, permit::MemoryPermit};

/// The memory of the process by kind of work. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryLedger(Arc<Accounts>);

impl MemoryLedger {
    /// Divides `bytes`, the memory that the process may use, among the kinds.
    pub fn new(bytes: usize) -> Self {
        Self::with_limits(|kind| (bytes / 100 * kind.percent()).max(kind.minimum()))
    }

    /// A ledger that refuses nothing: for commands and tests that have nothing to divide.
    pub fn unlimited() -> Self {
        Self::with_limits(|_| usize::MAX / 4)
    }

    /// A ledger with these limits, in bytes.
    pub fn with_limits(limit: impl Fn(MemoryKind) -> usize) -> Self {
        Self(Arc::new(Accounts::new(limit)))
    }

    /// The most that work of a kind may hold, in bytes.
    pub fn limit(&self, kind: MemoryKind) -> usize {
        self.0.of(kind).limit
    }

    /// What work of a kind holds, in bytes.
    pub fn used(&self, kind: MemoryKind) -> usize {
        self.0.of(kind).used()
    }

    /// How often memory for a kind was refused.
    pub fn refusals(&self, kind: MemoryKind) -> u64 {
        self.0.of(kind).refusals()
    }

    /// A permit of nothing, to be resized.
    pub(crate) fn permit(&self, kind: MemoryKind, owner: Option<Owner>) -> MemoryPermit {
        MemoryPermit::new(&self.0, kind, owner)
    }

    /// Reserves `bytes` until the permit is dropped.
    pub(crate) fn reserve(&self, kind: MemoryKind, bytes: usize) -> Result<MemoryPermit, MemoryError> {
        let mut permit = self.permit(kind, None);
        permit.resize(bytes)?;
        Ok(permit)
    }

    /// Reserves `bytes` of an owner's fair share.
    pub(crate) fn reserve_for(
        &self,
        owner: Owner,
        kind: MemoryKind,
        bytes: usize,
    ) -> Result<MemoryPermit, MemoryError> {
        let mut permit = self.permit(kind, Some(owner));
        permit.resize(bytes)?;
        Ok(permit)
    }

    /// Counts `bytes` that are held already, whatever the limit is.
    pub(crate) fn charge(&self, kind: MemoryKind, bytes: usize) -> MemoryPermit {
        let mut permit = self.permit(kind, None);
        permit.charge(bytes);
        permit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: MemoryKind = MemoryKind::Runs;

    fn ledger(bytes: usize) -> MemoryLedger {
        MemoryLedger::with_limits(|kind| if kind == KIND { bytes } else { 0 })
    }

    #[test]
    fn reserved_memory_is_unavailable_until_it_is_returned() {
        let ledger = ledger(100);
        let mut first = ledger.reserve(KIND, 60).unwrap();
        let second = ledger.reserve(KIND, 40).unwrap();
        assert_eq!(ledger.reserve(KIND, 1).err(), Some(MemoryError::Exhausted(KIND)));
        assert_eq!(first.resize(61), Err(MemoryError::Exhausted(KIND)));
        assert_eq!((first.bytes(), ledger.used(KIND), ledger.refusals(KIND)), (60, 100, 2));
        first.resize(10).unwrap();
        drop(second);
        first.resize(100).unwrap();
        drop(first);
        assert_eq!(ledger.used(KIND), 0);
    }

    #[test]
    fn more_than_there_is_can_never_be_granted() {
        let ledger = ledger(99);
        assert_eq!(ledger.reserve(KIND, 100).err(), Some(MemoryError::TooLarge(KIND)));
        let owner = Owner::of(&1);
        assert_eq!(ledger.reserve_for(owner, KIND, 67).err(), Some(MemoryError::TooLarge(KIND)));
        assert!(ledger.reserve_for(owner, KIND, 66).is_ok());
    }

    #[test]
    fn an_owner_leaves_memory_to_others() {
        let ledger = ledger(90);
        let reserve = |owner: u8| ledger.reserve_for(Owner::of(&owner), KIND, 10);
        let mut first: Vec<_> = std::iter::from_fn(|| reserve(1).ok()).collect();
        assert_eq!(first.len(), 6, "two thirds");
        assert_eq!(reserve(1).err(), Some(MemoryError::OwnerExhausted(KIND)));
        assert!(first[0].resize(11).is_err());
        let second: Vec<_> = std::iter::from_fn(|| reserve(2).ok()).collect();
        assert_eq!(second.len(), 2);
        let third = reserve(3).expect("the first permit of an owner needs only free memory");
        assert_eq!(reserve(4).err(), Some(MemoryError::Exhausted(KIND)));
        drop((first, second, third));
        assert_eq!(ledger.used(KIND), 0);
        assert!(reserve(1).is_ok());
    }

    #[test]
    fn charged_memory_counts_beyond_the_limit() {
        let ledger = ledger(10);
        let charged = ledger.charge(KIND, 15);
        assert_eq!((ledger.used(KIND), charged.bytes()), (15, 15));
        assert!(ledger.reserve(KIND, 1).is_err());
        drop(charged);
        assert!(ledger.reserve(KIND, 10).is_ok());
    }

    #[test]
    fn a_limit_is_divided_by_kind() {
        let ledger = MemoryLedger::new(512 << 20);
        let sum: usize = MemoryKind::ALL.into_iter().map(|kind| ledger.limit(kind)).sum();
        assert!((409 << 20..=410 << 20).contains(&sum), "{sum}");
    }
}
