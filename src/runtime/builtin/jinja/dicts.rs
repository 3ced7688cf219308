//! Fills dicts as Python's `dict(…)` and `dict.update` do.

use super::{
    arguments::Arguments,
    error::{Result, failed},
    iterate::{Cursor, collect},
    state::RenderState,
    value::{Entries, PyValue},
};

/// Adds the entries of a mapping or of pairs, then the named ones.
pub(super) fn update(state: &RenderState, dict: &Entries, mut arguments: Arguments) -> Result<()> {
    let heap = &state.heap;
    if arguments.positional.len() > 1 {
        return Err(failed(format!("expected at most 1 argument, got {}", arguments.positional.len())));
    }
    match arguments.positional.pop() {
        None => {}
        Some(PyValue::Dict(source) | PyValue::Namespace(source)) => {
            // The source may be the dict itself.
            let length = source.len();
            for at in 0..length {
                let entry = source.0.borrow().get_index(at).map(|(key, value)| (key.clone(), value.clone()));
                if let Some((key, value)) = entry {
                    heap.set(dict, key, value)?;
                }
            }
        }
        Some(pairs) => {
            let mut cursor = Cursor::new(&pairs)?;
            while let Some(pair) = cursor.next(heap)? {
                let pair = collect(heap, &pair)?;
                let (Some(key), Some(value), 2) = (pair.get(0), pair.get(1), pair.len()) else {
                    return Err(failed("dictionary update sequence elements must have length 2"));
                };
                heap.set(dict, heap.key(&key)?, value)?;
            }
        }
    }
    for (name, value) in arguments.named {
        heap.set_text(dict, &name, value)?;
    }
    Ok(())
}
