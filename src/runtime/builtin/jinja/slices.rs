//! Python's indexes and slices.

use super::{
    arguments::integer,
    error::{Result, failed},
    heap::Heap,
    text::PyText,
    value::{IntRange, PyValue},
};

/// The place that an index means in a sequence; negative indexes count from the end.
pub(super) fn position(index: i128, length: usize) -> Option<usize> {
    let length = i128::try_from(length).ok()?;
    let index = if index < 0 { index.checked_add(length)? } else { index };
    if (0..length).contains(&index) { usize::try_from(index).ok() } else { None }
}

/// One character of a text.
pub(super) fn text_item(heap: &Heap, text: &PyText, index: i128) -> Result<Option<PyValue>> {
    heap.budget().read(text.len())?;
    let found = if text.is_ascii() {
        position(index, text.len()).and_then(|index| text[index..].chars().next())
    } else if index < 0 {
        let back = usize::try_from(index.unsigned_abs() - 1).unwrap_or(usize::MAX);
        text.chars().rev().nth(back)
    } else {
        text.chars().nth(usize::try_from(index).unwrap_or(usize::MAX))
    };
    let Some(character) = found else { return Ok(None) };
    let single = PyText::new(heap.budget(), character.encode_utf8(&mut [0; 4]))?;
    Ok(Some(PyValue::Text(single.marked(text.markup))))
}

/// `value[start:stop:step]`.
pub(super) fn slice(heap: &Heap, value: &PyValue, bounds: [Option<&PyValue>; 3]) -> Result<PyValue> {
    match value {
        PyValue::Undefined(message) => Err(failed(&**message)),
        PyValue::List(items) | PyValue::Tuple(items) => {
            let indexes = indexes(bounds, items.len())?;
            heap.reserve_items(indexes.len)?;
            let source = items.items.borrow();
            let chosen = places(&indexes).filter_map(|at| source.get(at).cloned()).collect();
            let chosen = heap.items(chosen, false)?;
            Ok(if matches!(value, PyValue::List(_)) { PyValue::List(chosen) } else { PyValue::Tuple(chosen) })
        }
        PyValue::Text(text) => text_slice(heap, text, bounds),
        PyValue::Range(range) => {
            let indexes = indexes(bounds, range.len)?;
            let number =
                |offset: i128| range.step.checked_mul(offset).and_then(|offset| range.start.checked_add(offset));
            let (start, end) = (number(indexes.start), number(indexes.stop));
            let (Some(start), Some(end), Some(step)) = (start, end, range.step.checked_mul(indexes.step)) else {
                return Err(super::arithmetic::too_large());
            };
            Ok(PyValue::Range(std::rc::Rc::new(IntRange { start, stop: end, step, len: indexes.len })))
        }
        other => Err(failed(format!("'{}' object is not subscriptable", other.type_name()))),
    }
}

fn text_slice(heap: &Heap, text: &PyText, bounds: [Option<&PyValue>; 3]) -> Result<PyValue> {
    let indexes = indexes(bounds, text.chars_count(heap.budget())?)?;
    let mut out = heap.builder();
    if indexes.step == 1 {
        let start = usize::try_from(indexes.start).unwrap_or(0);
        let from = byte_of(text, start);
        let length = byte_of(&text[from..], indexes.len);
        out.push_str(&text[from..from + length])?;
    } else {
        heap.budget().produce(text.len() * 4)?;
        let characters: Vec<char> = text.chars().collect();
        heap.budget().memory().give_back(text.len() * 4);
        for at in places(&indexes) {
            out.push(characters[at])?;
        }
    }
    Ok(PyValue::Text(out.finish()?.marked(text.markup)))
}

/// The byte at which a character starts.
fn byte_of(text: &str, character: usize) -> usize {
    text.char_indices().nth(character).map_or(text.len(), |(byte, _)| byte)
}

fn places(indexes: &IntRange) -> impl Iterator<Item = usize> {
    (0..indexes.len).filter_map(|at| indexes.get(at)).filter_map(|at| usize::try_from(at).ok())
}

/// Python's `slice.indices`.
fn indexes([start, end, step]: [Option<&PyValue>; 3], length: usize) -> Result<IntRange> {
    let step = integer(step)?.unwrap_or(1);
    if step == 0 {
        return Err(failed("slice step cannot be zero"));
    }
    let length = i128::try_from(length).unwrap_or(i128::MAX);
    let (lowest, highest) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let place = |index: i128| {
        let index = if index < 0 { index.saturating_add(length) } else { index };
        index.clamp(lowest, highest)
    };
    let start = integer(start)?.map_or(if step > 0 { lowest } else { highest }, place);
    let end = integer(end)?.map_or(if step > 0 { highest } else { lowest }, place);
    Ok(int_range(start, end, step))
}

/// The range with this start, end and step, which is not 0.
pub(super) fn int_range(start: i128, end: i128, step: i128) -> IntRange {
    let distance = if step > 0 { end.saturating_sub(start) } else { start.saturating_sub(end) };
    let len = if distance <= 0 {
        0
    } else {
        let steps = (distance - 1) / i128::try_from(step.unsigned_abs()).unwrap_or(i128::MAX) + 1;
        usize::try_from(steps).unwrap_or(usize::MAX)
    };
    IntRange { start, stop: end, step, len }
}
