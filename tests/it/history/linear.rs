//! Whether some order of concurrent calls explains their replies: the search of Wing and Gong, with the visited states
//! remembered as Lowe does.

use std::{collections::HashSet, hash::Hash};

/// A call of a small history.
#[derive(Clone, Debug)]
pub struct Operation<T> {
    pub start: u64,
    /// The end; `u64::MAX` for a call without a definite reply.
    pub end: u64,
    /// Whether the call may have had no effect.
    pub is_optional: bool,
    pub what: T,
}

/// Whether an order explains all operations. `step` returns the state after an operation, `None` when its reply is
/// impossible in that state. An operation that ended before another began comes before it.
pub fn is_explained<S: Clone + Eq + Hash, T>(
    initial: S,
    operations: &[Operation<T>],
    step: impl Fn(&S, &T) -> Option<S>,
) -> bool {
    assert!(operations.len() <= 128, "{} operations are too many", operations.len());
    let mandatory = mask(operations, |operation| !operation.is_optional);
    let mut seen = HashSet::new();
    let mut open = vec![(0_u128, initial)];
    while let Some((done, state)) = open.pop() {
        if done & mandatory == mandatory {
            return true;
        }
        if !seen.insert((done, state.clone())) {
            continue;
        }
        // The first end of an operation that must happen: whatever begins later comes after it.
        let waiting = operations.iter().enumerate().filter(|(nth, one)| done & bit(*nth) == 0 && !one.is_optional);
        let first_end = waiting.map(|(_, operation)| operation.end).min().unwrap_or(u64::MAX);
        for (nth, operation) in operations.iter().enumerate() {
            if done & bit(nth) != 0 || operation.start > first_end {
                continue;
            }
            if let Some(next) = step(&state, &operation.what) {
                open.push((done | bit(nth), next));
            }
        }
    }
    false
}

fn bit(nth: usize) -> u128 {
    1 << nth
}

fn mask<T>(operations: &[Operation<T>], filter: impl Fn(&Operation<T>) -> bool) -> u128 {
    let selected = operations.iter().enumerate().filter(|(_, operation)| filter(operation));
    selected.fold(0, |mask, (nth, _)| mask | bit(nth))
}
