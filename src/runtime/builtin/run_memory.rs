//! The memory of runs: each has limits of its own, and all of them share what the ledger gives to runs, fairly by
//! workspace.

use crate::{
    domain::id::WorkspaceId,
    memory::{MemoryKind, MemoryLedger, MemoryPermit, Owner},
};

/// Where a run of a workspace reserves its memory.
#[derive(Clone, Debug)]
pub(crate) struct RunMemory {
    ledger: MemoryLedger,
    workspace: Owner,
}

impl RunMemory {
    pub(crate) fn new(ledger: &MemoryLedger, workspace: WorkspaceId) -> Self {
        Self { ledger: ledger.clone(), workspace: Owner::of(&workspace.0) }
    }

    /// A permit of nothing, to be resized.
    pub(crate) fn permit(&self) -> MemoryPermit {
        self.ledger.permit(MemoryKind::Runs, Some(self.workspace))
    }
}
