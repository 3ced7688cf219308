//! Defines and calls macros.

use std::rc::Rc;

use super::{output::RenderOutput, program::Evaluator};
use crate::runtime::builtin::{
    jinja::arguments::Arguments,
    jinja::error::{Result, failed},
    jinja::syntax::MacroBody,
    jinja::value::{MacroObject, PyObject, PyValue, Variables},
};

impl Evaluator<'_> {
    /// The macro with the variables around it.
    pub(super) fn macro_value(&self, body: &Rc<MacroBody>, scope: &Rc<Variables>) -> Result<PyValue> {
        self.state.heap.keep_scope(scope)?;
        self.state.heap.object(PyObject::Macro(MacroObject {
            body: Rc::clone(body),
            variables: Rc::clone(scope),
            autoescape: self.state.autoescape.get(),
        }))
    }

    pub(super) fn call_macro(&self, object: &MacroObject, arguments: Arguments) -> Result<PyValue> {
        let heap = &self.state.heap;
        let scope = heap.scope(Some(Rc::clone(&object.variables)))?;
        let escapes = self.state.autoescape.replace(object.autoescape);
        self.bind(&object.body, arguments, &scope)?;
        let mut output = RenderOutput::captured(heap);
        self.statements(&object.body.body, &scope, &mut output)?;
        self.state.autoescape.set(escapes);
        output.finish(escapes).map(PyValue::Text)
    }

    /// Assigns the arguments to the parameters, and the rest to `varargs`, `kwargs` and `caller`.
    fn bind(&self, body: &MacroBody, mut arguments: Arguments, scope: &Rc<Variables>) -> Result<()> {
        let heap = &self.state.heap;
        let count = body.parameters.len();
        let extra = arguments.positional.split_off(arguments.positional.len().min(count));
        let mut positional = arguments.positional.drain(..).collect::<Vec<_>>().into_iter();
        for (at, name) in body.parameters.iter().enumerate() {
            heap.budget().steps(arguments.named.len())?;
            let default = (at + body.defaults.len()).checked_sub(count).and_then(|at| body.defaults.get(at));
            let value = match positional.next().or_else(|| arguments.take_named(name)) {
                Some(value) => value,
                None => match default {
                    Some(default) => self.evaluate(default, scope)?,
                    None => PyValue::Undefined(format!("parameter '{name}' was not provided").into()),
                },
            };
            heap.assign(scope, name, value)?;
        }
        let is_parameter = |name: &str| body.parameters.iter().any(|parameter| **parameter == *name);
        if body.uses.caller && !is_parameter("caller") {
            let caller = arguments.take_named("caller");
            let caller = caller.unwrap_or_else(|| PyValue::Undefined("No caller defined".into()));
            heap.assign(scope, &"caller".into(), caller)?;
        }
        if body.uses.kwargs && !is_parameter("kwargs") {
            let entries = heap.entries()?;
            for (name, value) in arguments.named {
                heap.set_text(&entries, &name, value)?;
            }
            heap.assign(scope, &"kwargs".into(), PyValue::Dict(entries))?;
        } else if let Some((name, _)) = arguments.named.first() {
            return Err(failed(format!("macro '{}' takes no keyword argument '{name}'", body.name)));
        }
        if body.uses.varargs && !is_parameter("varargs") {
            heap.assign(scope, &"varargs".into(), heap.tuple(extra)?)?;
        } else if !extra.is_empty() {
            return Err(failed(format!("macro '{}' takes not more than {count} argument(s)", body.name)));
        }
        Ok(())
    }
}
