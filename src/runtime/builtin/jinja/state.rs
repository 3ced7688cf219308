//! What the operations of one rendering share.

use std::cell::Cell;

use super::{arguments::Arguments, error::Result, heap::Heap, value::PyValue};

/// A filter or a test: gets the value before it and its arguments.
pub(super) type Builtin = fn(&RenderState, &PyValue, Arguments) -> Result<PyValue>;

/// Finds a filter or a test by its name.
pub(super) type BuiltinLookup = fn(&str) -> Option<Builtin>;

#[derive(Debug)]
pub(super) struct RenderState {
    pub heap: Heap,
    pub autoescape: Cell<bool>,
    /// The state of the generator behind the filter `random`.
    pub random: Cell<u64>,
    /// Filters like `map` find other filters here.
    pub filters: BuiltinLookup,
    pub tests: BuiltinLookup,
}

impl RenderState {
    /// A number below `bound`, drawn by `SplitMix64`.
    pub(super) fn random_below(&self, bound: usize) -> usize {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from((mixed ^ (mixed >> 31)) % bound).unwrap_or(0)
    }
}
