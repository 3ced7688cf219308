//! Sorts by Python's `<`. The standard library's sort cannot stop early and needs a total order, which `<` is not.

use std::cmp::Ordering;

use super::{compare::ordered, error::Result, heap::Heap, value::PyValue};

/// The order of the keys, as indexes; equal keys keep their places.
pub(super) fn sorted_indexes(heap: &Heap, keys: &[PyValue], reverse: bool) -> Result<Vec<usize>> {
    heap.budget().produce(keys.len().saturating_mul(32))?;
    let mut order: Vec<usize> = (0..keys.len()).collect();
    let mut merged = Vec::with_capacity(keys.len());
    let mut width = 1;
    while width < order.len() {
        merged.clear();
        for run in order.chunks(width * 2) {
            let (left, right) = run.split_at(width.min(run.len()));
            merge(heap, keys, (left, right), reverse, &mut merged)?;
        }
        std::mem::swap(&mut order, &mut merged);
        width *= 2;
    }
    heap.budget().memory().give_back(keys.len().saturating_mul(32));
    Ok(order)
}

fn merge(
    heap: &Heap,
    keys: &[PyValue],
    (mut left, mut right): (&[usize], &[usize]),
    reverse: bool,
    merged: &mut Vec<usize>,
) -> Result<()> {
    while let (Some((&first, left_rest)), Some((&second, right_rest))) = (left.split_first(), right.split_first()) {
        let (low, high) = if reverse { (first, second) } else { (second, first) };
        if ordered(heap, &keys[low], &keys[high], "<")? == Some(Ordering::Less) {
            merged.push(second);
            right = right_rest;
        } else {
            merged.push(first);
            left = left_rest;
        }
    }
    merged.extend_from_slice(left);
    merged.extend_from_slice(right);
    Ok(())
}
