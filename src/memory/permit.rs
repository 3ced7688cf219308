//! Memory that the ledger granted.

use std::sync::Arc;

use super::{account::Accounts, error::MemoryError, fair_share::Owner, kind::MemoryKind};

/// Memory of one kind; returned when it is dropped.
#[derive(Debug)]
pub struct MemoryPermit {
    accounts: Arc<Accounts>,
    kind: MemoryKind,
    owner: Option<Owner>,
    bytes: usize,
}

impl MemoryPermit {
    /// A permit of nothing.
    pub(super) fn new(accounts: &Arc<Accounts>, kind: MemoryKind, owner: Option<Owner>) -> Self {
        Self { accounts: Arc::clone(accounts), kind, owner, bytes: 0 }
    }

    /// Changes the permit to `bytes`. On an error it keeps its size. Shrinking always succeeds.
    pub(crate) fn resize(&mut self, bytes: usize) -> Result<(), MemoryError> {
        if bytes > self.bytes {
            self.accounts.take(self.kind, self.owner, bytes - self.bytes)?;
        } else {
            self.accounts.give_back(self.kind, self.owner, self.bytes - bytes);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Adds `bytes` that are held already, whatever the limit is.
    pub(crate) fn charge(&mut self, bytes: usize) {
        self.accounts.charge(self.kind, self.owner, bytes);
        self.bytes += bytes;
    }

    /// Splits off up to `bytes` as a permit of its own.
    pub(crate) fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { accounts: Arc::clone(&self.accounts), kind: self.kind, owner: self.owner, bytes }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        self.accounts.give_back(self.kind, self.owner, self.bytes);
    }
}
