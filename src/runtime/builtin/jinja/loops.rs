//! The attributes of `loop`.

use super::{
    error::Result,
    heap::Heap,
    value::{LoopObject, PyValue},
};

fn int(number: usize) -> PyValue {
    PyValue::Int(i128::try_from(number).unwrap_or(i128::MAX))
}

pub(super) fn loop_attribute(heap: &Heap, object: &LoopObject, name: &str) -> Result<Option<PyValue>> {
    heap.budget().steps(1)?;
    let index = object.index.get();
    let length = object.items.len();
    Ok(Some(match name {
        "index" => int(index + 1),
        "index0" => int(index),
        "revindex" => int(length.saturating_sub(index)),
        "revindex0" => int(length.saturating_sub(index + 1)),
        "first" => PyValue::Bool(index == 0),
        "last" => PyValue::Bool(index + 1 >= length),
        "length" => int(length),
        "depth" => int(object.depth + 1),
        "depth0" => int(object.depth),
        "previtem" => match index.checked_sub(1).and_then(|index| object.items.get(index)) {
            Some(item) => item,
            None => PyValue::Undefined("there is no previous item".into()),
        },
        "nextitem" => match object.items.get(index + 1) {
            Some(item) => item,
            None => PyValue::Undefined("there is no next item".into()),
        },
        _ => return Ok(None),
    }))
}
