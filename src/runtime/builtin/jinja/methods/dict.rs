//! Methods of dicts.

use std::rc::Rc;

use crate::runtime::builtin::{
    jinja::arguments::Arguments,
    jinja::dicts::update,
    jinja::error::{Result, failed},
    jinja::iterate::Cursor,
    jinja::repr::write_repr,
    jinja::state::RenderState,
    jinja::value::{DictView, Entries, PyValue},
};

pub(super) fn call(state: &RenderState, dict: &Rc<Entries>, name: &str, arguments: Arguments) -> Result<PyValue> {
    let heap = &state.heap;
    match name {
        "items" | "keys" | "values" => {
            arguments.none(name)?;
            let view = match name {
                "items" => DictView::Items,
                "keys" => DictView::Keys,
                _ => DictView::Values,
            };
            Ok(PyValue::View(view, Rc::clone(dict)))
        }
        "get" => {
            let [key, default] = arguments.bind(name, ["", ""], 1)?;
            let key = heap.key(&key.unwrap_or(PyValue::None))?;
            let found = dict.0.borrow().get(&key).cloned();
            Ok(found.or(default).unwrap_or(PyValue::None))
        }
        "setdefault" => {
            let [key, default] = arguments.bind(name, ["", ""], 1)?;
            let key = heap.key(&key.unwrap_or(PyValue::None))?;
            if let Some(found) = dict.0.borrow().get(&key) {
                return Ok(found.clone());
            }
            let value = default.unwrap_or(PyValue::None);
            heap.set(dict, key, value.clone())?;
            Ok(value)
        }
        "pop" => {
            let [key, default] = arguments.bind(name, ["", ""], 1)?;
            let key_value = key.unwrap_or(PyValue::None);
            let key = heap.key(&key_value)?;
            heap.budget().read(dict.len() * 64)?;
            if let Some(value) = dict.0.borrow_mut().shift_remove(&key).or(default) {
                Ok(value)
            } else {
                let mut shown = heap.builder();
                write_repr(heap, &mut shown, &key_value)?;
                Err(failed(format!("KeyError: {}", shown.as_str().chars().take(60).collect::<String>())))
            }
        }
        "popitem" => {
            arguments.none(name)?;
            let popped = dict.0.borrow_mut().pop();
            let (key, value) = popped.ok_or_else(|| failed("popitem(): dictionary is empty"))?;
            heap.tuple([heap.key_value(&key)?, value])
        }
        "update" => {
            update(state, dict, arguments)?;
            Ok(PyValue::None)
        }
        "clear" => {
            arguments.none(name)?;
            dict.0.borrow_mut().clear();
            Ok(PyValue::None)
        }
        "copy" => {
            arguments.none(name)?;
            let copy = heap.entries()?;
            let source = PyValue::Dict(Rc::clone(dict));
            update(state, &copy, Arguments { positional: vec![source], named: Vec::new() })?;
            Ok(PyValue::Dict(copy))
        }
        _ => {
            let [keys, value] = arguments.bind(name, ["", ""], 1)?;
            let value = value.unwrap_or(PyValue::None);
            let created = heap.entries()?;
            let mut cursor = Cursor::new(&keys.unwrap_or(PyValue::None))?;
            while let Some(key) = cursor.next(heap)? {
                heap.set(&created, heap.key(&key)?, value.clone())?;
            }
            Ok(PyValue::Dict(created))
        }
    }
}
