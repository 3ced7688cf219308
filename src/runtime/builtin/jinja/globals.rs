//! The global functions of Jinja2: `range`, `dict`, `cycler`, `joiner` and `namespace`.

use std::{cell::Cell, rc::Rc};

use super::{
    arguments::{Arguments, integer, text},
    dicts::update,
    error::{Result, failed},
    slices::int_range,
    state::RenderState,
    value::{PyObject, PyValue},
};

pub(super) const NAMES: [&str; 5] = ["range", "dict", "cycler", "joiner", "namespace"];

pub(super) fn call(state: &RenderState, name: &str, arguments: Arguments) -> Result<PyValue> {
    let heap = &state.heap;
    match name {
        "range" => range(arguments),
        "dict" | "namespace" => {
            let entries = heap.entries()?;
            update(state, &entries, arguments)?;
            Ok(if name == "dict" { PyValue::Dict(entries) } else { PyValue::Namespace(entries) })
        }
        "cycler" => {
            if arguments.positional.is_empty() {
                return Err(failed("at least one item has to be provided"));
            }
            let mut items = heap.list_builder();
            for item in arguments.positional {
                items.push(item)?;
            }
            heap.object(PyObject::Cycler { items: items.into_items()?, at: Cell::new(0) })
        }
        "joiner" => {
            let [separator] = arguments.bind("joiner", ["sep"], 0)?;
            let separator = match text(separator)? {
                Some(separator) => separator,
                None => super::text::PyText::new(heap.budget(), ", ")?,
            };
            heap.object(PyObject::Joiner { separator, used: Cell::new(false) })
        }
        name => Err(failed(format!("'{name}' is not offered"))),
    }
}

fn range(arguments: Arguments) -> Result<PyValue> {
    let [first, second, step] = arguments.bind("range", ["", "", ""], 1)?;
    let number = |value: Option<&PyValue>| {
        integer(value)?.ok_or_else(|| failed("'NoneType' object cannot be interpreted as an integer"))
    };
    let (start, end) = match &second {
        None => (0, number(first.as_ref())?),
        Some(end) => (number(first.as_ref())?, number(Some(end))?),
    };
    let step = if step.is_some() { number(step.as_ref())? } else { 1 };
    if step == 0 {
        return Err(failed("range() arg 3 must not be zero"));
    }
    Ok(PyValue::Range(Rc::new(int_range(start, end, step))))
}
