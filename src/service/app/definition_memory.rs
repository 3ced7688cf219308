//! The memory of an app's definition: reserved before it is read, and again by its weight before it is parsed.

use crate::{
    domain::{Result, app::stored_app::AppDetail},
    memory::{MemoryKind, MemoryLedger, MemoryPermit, Owner, weight::json_weight},
};

/// Memory that is reserved for a definition before its size is known, in bytes.
const UNREAD_BYTES: usize = 64 << 10;

pub(super) struct DefinitionMemory {
    permit: MemoryPermit,
    /// Of the texts that have been admitted, in bytes.
    weight: usize,
}

impl DefinitionMemory {
    /// Fails like [`MemoryPermit::resize`]. An outline has no definition.
    pub(super) fn reserve(ledger: &MemoryLedger, owner: Owner, wanted: AppDetail) -> Result<Self> {
        let mut permit = ledger.permit(MemoryKind::Json, Some(owner));
        permit.resize(if wanted == AppDetail::Outline { 0 } else { UNREAD_BYTES })?;
        Ok(Self { permit, weight: 0 })
    }

    /// Reserves what the parsed text takes.
    pub(super) fn admit(&mut self, text: &str) -> Result<()> {
        self.weight += json_weight(text.as_bytes());
        Ok(self.permit.resize(self.weight.max(UNREAD_BYTES))?)
    }

    pub(super) fn into_permit(self) -> MemoryPermit {
        self.permit
    }
}
