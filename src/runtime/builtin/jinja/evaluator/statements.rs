//! Runs statements.

use std::rc::Rc;

use super::{output::RenderOutput, program::Evaluator};
use crate::runtime::builtin::{
    jinja::error::{Result, failed},
    jinja::iterate::Cursor,
    jinja::markup::escaped,
    jinja::repr::to_text,
    jinja::syntax::{AssignTarget, Expression, MacroBody, Postfix, Statement},
    jinja::value::{PyValue, Variables},
};

impl Evaluator<'_> {
    pub(super) fn statements(
        &self,
        statements: &[Statement],
        scope: &Rc<Variables>,
        output: &mut RenderOutput<'_>,
    ) -> Result<()> {
        let budget = self.state.heap.budget();
        budget.enter()?;
        for statement in statements {
            budget.steps(1)?;
            match statement {
                Statement::Text(text) => output.push_str(text)?,
                Statement::Output { value, line } => {
                    self.write(value, scope, output).map_err(|error| error.at(*line))?;
                }
                Statement::Set { target, value, line } => {
                    let set = || self.assign(target, self.evaluate(value, scope)?, scope);
                    set().map_err(|error| error.at(*line))?;
                }
                other => self.block(other, scope, output)?,
            }
        }
        budget.leave();
        Ok(())
    }

    fn write(&self, value: &Expression, scope: &Rc<Variables>, output: &mut RenderOutput<'_>) -> Result<()> {
        let value = self.evaluate(value, scope)?;
        let heap = &self.state.heap;
        let text = if self.state.autoescape.get() { escaped(heap, &value)? } else { to_text(heap, &value)? };
        output.push_str(&text)
    }

    fn block(&self, statement: &Statement, scope: &Rc<Variables>, output: &mut RenderOutput<'_>) -> Result<()> {
        let heap = &self.state.heap;
        match statement {
            Statement::If { branches, otherwise, line } => {
                for (test, body) in branches {
                    if self.evaluate(test, scope).map_err(|error| error.at(*line))?.is_true() {
                        return self.statements(body, scope, output);
                    }
                }
                self.statements(otherwise, scope, output)
            }
            Statement::For(for_loop) => {
                let at = for_loop.line;
                let iterable = self.evaluate(&for_loop.iterable, scope).map_err(|error| error.at(at))?;
                self.run_loop(for_loop, scope, (&iterable, 0), output).map_err(|error| error.at(at))
            }
            Statement::SetBlock { target, filters, body, line } => {
                let text = self.captured(body, filters, scope).map_err(|error| error.at(*line))?;
                self.assign(target, text, scope).map_err(|error| error.at(*line))
            }
            Statement::Filter { filters, body, line } => {
                let text = self.captured(body, filters, scope).map_err(|error| error.at(*line))?;
                output.push_str(&to_text(heap, &text)?)
            }
            Statement::With { bindings, body, line } => {
                let inner = heap.scope(Some(Rc::clone(scope)))?;
                for (target, value) in bindings {
                    let value = self.evaluate(value, scope).map_err(|error| error.at(*line))?;
                    self.assign(target, value, &inner).map_err(|error| error.at(*line))?;
                }
                self.statements(body, &inner, output)
            }
            Statement::Macro(body) => heap.assign(scope, &body.name, self.macro_value(body, scope)?),
            Statement::Call { call, caller, line } => {
                self.call_block(call, caller, scope, output).map_err(|error| error.at(*line))
            }
            Statement::Autoescape { enabled, body, line } => {
                let enabled = self.evaluate(enabled, scope).map_err(|error| error.at(*line))?.is_true();
                let before = self.state.autoescape.replace(enabled);
                let inner = heap.scope(Some(Rc::clone(scope)))?;
                self.statements(body, &inner, output)?;
                self.state.autoescape.set(before);
                Ok(())
            }
            Statement::Block(block) => {
                let outer = if block.scoped { scope } else { &self.root };
                let inner = heap.scope(Some(Rc::clone(outer)))?;
                self.statements(&block.body, &inner, output)
            }
            Statement::Text(_) | Statement::Output { .. } | Statement::Set { .. } => Ok(()),
        }
    }

    /// What a body writes, after the filters.
    fn captured(&self, body: &[Statement], filters: &[Postfix], scope: &Rc<Variables>) -> Result<PyValue> {
        let inner = self.state.heap.scope(Some(Rc::clone(scope)))?;
        let mut output = RenderOutput::captured(&self.state.heap);
        self.statements(body, &inner, &mut output)?;
        let text = PyValue::Text(output.finish(self.state.autoescape.get())?);
        self.chain(text, filters, scope)
    }

    fn call_block(
        &self,
        call: &Expression,
        caller: &Rc<MacroBody>,
        scope: &Rc<Variables>,
        output: &mut RenderOutput<'_>,
    ) -> Result<()> {
        let Expression::Postfix(value, chain) = call else { return Err(failed("expected a call")) };
        let Some((Postfix::Call { arguments, .. }, before)) = chain.split_last() else {
            return Err(failed("expected a call"));
        };
        let function = self.chain(self.evaluate(value, scope)?, before, scope)?;
        let mut arguments = self.arguments(arguments, scope)?;
        arguments.named.push(("caller".into(), self.macro_value(caller, scope)?));
        let result = self.call(&function, arguments)?;
        let text = to_text(&self.state.heap, &result)?;
        let text = if self.state.autoescape.get() { escaped(&self.state.heap, &PyValue::Text(text))? } else { text };
        output.push_str(&text)
    }

    /// Assigns a value to a name, to several names, or to an attribute of a namespace.
    pub(super) fn assign(&self, target: &AssignTarget, value: PyValue, scope: &Rc<Variables>) -> Result<()> {
        let heap = &self.state.heap;
        match target {
            AssignTarget::Name(name) => heap.assign(scope, name, value),
            AssignTarget::Attribute { namespace, attribute } => match self.find(scope, namespace) {
                PyValue::Namespace(entries) => heap.set_text(&entries, attribute, value),
                _ => Err(failed(format!("cannot assign attribute on non-namespace object '{namespace}'"))),
            },
            AssignTarget::Tuple(targets) => {
                let mut cursor = Cursor::new(&value)
                    .map_err(|_| failed(format!("cannot unpack non-iterable {} object", value.type_name())))?;
                for (at, target) in targets.iter().enumerate() {
                    let value = cursor.next(heap)?.ok_or_else(|| {
                        failed(format!("not enough values to unpack (expected {}, got {at})", targets.len()))
                    })?;
                    self.assign(target, value, scope)?;
                }
                if cursor.next(heap)?.is_some() {
                    return Err(failed(format!("too many values to unpack (expected {})", targets.len())));
                }
                Ok(())
            }
        }
    }
}
