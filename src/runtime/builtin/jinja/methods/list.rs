//! Methods of lists, and those that tuples and ranges share with them.

use std::rc::Rc;

use crate::runtime::builtin::{
    jinja::arguments::{Arguments, flag, integer},
    jinja::compare::equal,
    jinja::error::{Result, failed},
    jinja::iterate::{Cursor, collect},
    jinja::slices::position,
    jinja::sort::sorted_indexes,
    jinja::state::RenderState,
    jinja::value::{Items, PyValue},
};

pub(super) fn call(state: &RenderState, list: &Rc<Items>, name: &str, arguments: Arguments) -> Result<PyValue> {
    let heap = &state.heap;
    match name {
        "append" => {
            let [value] = arguments.bind(name, [""], 1)?;
            heap.reserve_items(1)?;
            list.items.borrow_mut().extend(value);
        }
        "extend" => {
            let [values] = arguments.bind(name, [""], 1)?;
            // The values may be the list itself.
            let values = collect(heap, &values.unwrap_or(PyValue::None))?.items.borrow().clone();
            list.items.borrow_mut().extend(values);
        }
        "insert" => {
            let [index, value] = arguments.bind(name, ["", ""], 2)?;
            heap.reserve_items(1)?;
            heap.budget().read(list.len() * size_of::<PyValue>())?;
            let index = integer(index.as_ref())?.unwrap_or(0);
            let mut items = list.items.borrow_mut();
            let length = i128::try_from(items.len()).unwrap_or(i128::MAX);
            let at = if index < 0 { index.saturating_add(length).max(0) } else { index.min(length) };
            items.insert(usize::try_from(at).unwrap_or(0), value.unwrap_or(PyValue::None));
        }
        "pop" => {
            let [index] = arguments.bind(name, [""], 0)?;
            heap.budget().read(list.len() * size_of::<PyValue>())?;
            let mut items = list.items.borrow_mut();
            if items.is_empty() {
                return Err(failed("pop from empty list"));
            }
            let index = integer(index.as_ref())?.unwrap_or(-1);
            let at = position(index, items.len()).ok_or_else(|| failed("pop index out of range"))?;
            return Ok(items.remove(at));
        }
        "remove" => {
            let [value] = arguments.bind(name, [""], 1)?;
            let at = find(state, &PyValue::List(Rc::clone(list)), &value.unwrap_or(PyValue::None), 0, usize::MAX)?;
            let at = at.ok_or_else(|| failed("list.remove(x): x not in list"))?;
            list.items.borrow_mut().remove(at);
        }
        "clear" => {
            arguments.none(name)?;
            list.items.borrow_mut().clear();
        }
        "copy" => {
            arguments.none(name)?;
            return collect(heap, &PyValue::List(Rc::clone(list))).map(PyValue::List);
        }
        "reverse" => {
            arguments.none(name)?;
            heap.budget().read(list.len() * size_of::<PyValue>())?;
            list.items.borrow_mut().reverse();
        }
        "sort" => {
            let [key, reverse] = arguments.bind(name, ["key", "reverse"], 0)?;
            if key.is_some_and(|key| !matches!(key, PyValue::None)) {
                return Err(failed("sort(key=…) is not offered; use the filter 'sort' with an attribute"));
            }
            heap.reserve_items(list.len())?;
            let items = list.items.borrow().clone();
            let order = sorted_indexes(heap, &items, flag(reverse.as_ref()))?;
            *list.items.borrow_mut() = order.into_iter().map(|at| items[at].clone()).collect();
        }
        name => return search(state, &PyValue::List(Rc::clone(list)), name, arguments),
    }
    Ok(PyValue::None)
}

/// `count` and `index`.
pub(super) fn search(state: &RenderState, values: &PyValue, name: &str, arguments: Arguments) -> Result<PyValue> {
    let int = |number: usize| PyValue::Int(i128::try_from(number).unwrap_or(i128::MAX));
    if name == "count" {
        let [value] = arguments.bind(name, [""], 1)?;
        let value = value.unwrap_or(PyValue::None);
        let mut cursor = Cursor::new(values)?;
        let mut count = 0;
        while let Some(item) = cursor.next(&state.heap)? {
            count += usize::from(equal(&state.heap, &item, &value)?);
        }
        return Ok(int(count));
    }
    let [value, start, stop] = arguments.bind(name, ["", "", ""], 1)?;
    let length = crate::runtime::builtin::jinja::iterate::length(&state.heap, values)?;
    let place = |index: Option<i128>, default: usize| match index {
        None => default,
        Some(index) if index < 0 => length.saturating_sub(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX)),
        Some(index) => usize::try_from(index).unwrap_or(usize::MAX),
    };
    let (start, stop) = (place(integer(start.as_ref())?, 0), place(integer(stop.as_ref())?, length));
    let found = find(state, values, &value.unwrap_or(PyValue::None), start, stop)?;
    found.map(int).ok_or_else(|| failed("the value is not in the list"))
}

fn find(state: &RenderState, values: &PyValue, value: &PyValue, start: usize, stop: usize) -> Result<Option<usize>> {
    let mut cursor = Cursor::new(values)?;
    let mut at = 0;
    while let Some(item) = cursor.next(&state.heap)? {
        if at >= stop {
            break;
        }
        if at >= start && equal(&state.heap, &item, value)? {
            return Ok(Some(at));
        }
        at += 1;
    }
    Ok(None)
}
