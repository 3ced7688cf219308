//! Calls functions, methods and objects.

use super::{output::RenderOutput, program::Evaluator};
use crate::runtime::builtin::{
    jinja::arguments::Arguments,
    jinja::compare::equal,
    jinja::error::{Result, failed},
    jinja::globals,
    jinja::methods,
    jinja::value::{LoopObject, PyObject, PyValue},
};

impl Evaluator<'_> {
    pub(super) fn call(&self, callee: &PyValue, arguments: Arguments) -> Result<PyValue> {
        let budget = self.state.heap.budget();
        budget.enter()?;
        let result = match callee {
            PyValue::Undefined(message) => Err(failed(&**message)),
            PyValue::Object(object) => self.call_object(object, arguments),
            other => Err(failed(format!("'{}' object is not callable", other.type_name()))),
        }?;
        budget.leave();
        Ok(result)
    }

    fn call_object(&self, object: &PyObject, mut arguments: Arguments) -> Result<PyValue> {
        match object {
            PyObject::Global(name) => globals::call(self.state, name, arguments),
            PyObject::Method { receiver, name } => self.call_method(receiver, name, arguments),
            PyObject::Macro(object) => self.call_macro(object, arguments),
            PyObject::Loop(object) => {
                if arguments.positional.len() != 1 || !arguments.named.is_empty() {
                    return Err(failed("loop() takes one argument: the items of the next level"));
                }
                let items = arguments.positional.remove(0);
                self.recurse(object, &items)
            }
            PyObject::Joiner { separator, used } => {
                arguments.none("joiner")?;
                if used.replace(true) { Ok(PyValue::Text(separator.clone())) } else { self.state.heap.text("") }
            }
            PyObject::Block(name) => {
                arguments.none(name)?;
                let block = self.blocks.get(name);
                let block = block.ok_or_else(|| failed(format!("the block '{name}' is not defined")))?;
                let mut output = RenderOutput::captured(&self.state.heap);
                let scope = self.state.heap.scope(Some(self.root.clone()))?;
                self.statements(&block.body, &scope, &mut output)?;
                output.finish(self.state.autoescape.get()).map(PyValue::Text)
            }
            PyObject::Cycler { .. } | PyObject::TemplateReference => Err(failed("the object is not callable")),
        }
    }

    /// Calls a method that the value has.
    pub(super) fn call_method(&self, receiver: &PyValue, name: &str, arguments: Arguments) -> Result<PyValue> {
        let PyValue::Object(object) = receiver else {
            return methods::call(self.state, receiver, name, arguments);
        };
        match (&**object, name) {
            (PyObject::Loop(object), "cycle") => {
                let count = arguments.positional.len();
                if count == 0 {
                    return Err(failed("no items for cycling given"));
                }
                Ok(arguments.positional[object.index.get() % count].clone())
            }
            (PyObject::Loop(object), _) => self.changed(object, arguments),
            (PyObject::Cycler { items, at }, name) => {
                arguments.none(name)?;
                let current = at.get();
                at.set(if name == "next" { (current + 1) % items.len().max(1) } else { 0 });
                Ok(if name == "next" { items.get(current).unwrap_or(PyValue::None) } else { PyValue::None })
            }
            _ => Err(failed(format!("'{}' object has no method '{name}'", receiver.type_name()))),
        }
    }

    /// `loop.changed(…)`: whether the values differ from those of the last call.
    fn changed(&self, object: &LoopObject, arguments: Arguments) -> Result<PyValue> {
        let heap = &self.state.heap;
        let last = PyValue::Tuple(object.last_changed.clone());
        let values = heap.tuple(arguments.positional)?;
        let is_same = object.was_changed.replace(true) && equal(heap, &last, &values)?;
        if let PyValue::Tuple(values) = values {
            let values = values.items.borrow().clone();
            *object.last_changed.items.borrow_mut() = values;
        }
        Ok(PyValue::Bool(!is_same))
    }
}
