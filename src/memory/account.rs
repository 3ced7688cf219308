//! What each kind of work holds, and the most it may hold.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::{
    error::MemoryError,
    fair_share::{Holdings, Owner, is_fair},
    kind::MemoryKind,
};

/// An owner may hold as many bytes as are left, times this: alone two thirds of a share.
const OWNER_FACTOR: usize = 2;

#[derive(Debug)]
pub(super) struct Accounts([KindAccount; MemoryKind::ALL.len()]);

/// One kind's account.
#[derive(Debug)]
pub(super) struct KindAccount {
    /// In bytes.
    pub(super) limit: usize,
    /// In bytes. May exceed the limit by what is charged without asking.
    used: AtomicUsize,
    refusals: AtomicU64,
    owners: Mutex<Holdings>,
}

impl Accounts {
    pub(super) fn new(limit: impl Fn(MemoryKind) -> usize) -> Self {
        Self(MemoryKind::ALL.map(|kind| KindAccount {
            limit: limit(kind),
            used: AtomicUsize::new(0),
            refusals: AtomicU64::new(0),
            owners: Mutex::default(),
        }))
    }

    pub(super) fn of(&self, kind: MemoryKind) -> &KindAccount {
        // `ALL` lists the kinds in the order of their numbers.
        &self.0[kind as usize]
    }

    /// Adds to what a kind holds, if its limit and the owner's share allow it.
    pub(super) fn take(&self, kind: MemoryKind, owner: Option<Owner>, bytes: usize) -> Result<(), MemoryError> {
        let account = self.of(kind);
        let taken = account.take(kind, owner, bytes);
        if taken.is_err() {
            account.refusals.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Adds to what a kind holds, whatever the limit is.
    pub(super) fn charge(&self, kind: MemoryKind, owner: Option<Owner>, bytes: usize) {
        let account = self.of(kind);
        account.used.fetch_add(bytes, Ordering::Relaxed);
        if let Some(owner) = owner {
            account.owners.lock().add(owner, bytes);
        }
    }

    pub(super) fn give_back(&self, kind: MemoryKind, owner: Option<Owner>, bytes: usize) {
        let account = self.of(kind);
        account.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(owner) = owner {
            account.owners.lock().subtract(owner, bytes);
        }
    }
}

impl KindAccount {
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }

    fn take(&self, kind: MemoryKind, owner: Option<Owner>, bytes: usize) -> Result<(), MemoryError> {
        let max_bytes = if owner.is_some() { self.limit / (OWNER_FACTOR + 1) * OWNER_FACTOR } else { self.limit };
        if bytes > max_bytes {
            return Err(MemoryError::TooLarge(kind));
        }
        let add = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.limit);
        let before = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        let used = before.map_err(|_| MemoryError::Exhausted(kind))? + bytes;
        if let Some(owner) = owner {
            let mut owners = self.owners.lock();
            if !is_fair(owners.of(owner) + bytes, self.limit - used, OWNER_FACTOR) && owners.of(owner) > 0 {
                self.used.fetch_sub(bytes, Ordering::Relaxed);
                return Err(MemoryError::OwnerExhausted(kind));
            }
            owners.add(owner, bytes);
        }
        Ok(())
    }
}
