//! Evaluates what follows a value: attributes, items, calls, filters and tests.

use std::rc::Rc;

use super::program::Evaluator;
use crate::runtime::builtin::{
    jinja::arguments::Arguments,
    jinja::attributes,
    jinja::error::{Result, failed},
    jinja::iterate::Cursor,
    jinja::key::DictKey,
    jinja::method_names::method_of,
    jinja::slices,
    jinja::syntax::{CallSyntax, Expression, Postfix},
    jinja::value::{PyValue, Variables},
};

impl Evaluator<'_> {
    pub(super) fn chain(&self, value: PyValue, chain: &[Postfix], scope: &Rc<Variables>) -> Result<PyValue> {
        let mut value = value;
        let mut rest = chain;
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            if let (Postfix::Attribute { name, .. }, Some((Postfix::Call { arguments, line }, after))) =
                (first, rest.split_first())
                && let Some(name) = method_of(&value, name)
            {
                // A method that is called at once needs no object of its own.
                rest = after;
                let arguments = self.arguments(arguments, scope)?;
                value = self.call_method(&value, name, arguments).map_err(|error| error.at(*line))?;
                continue;
            }
            value = self.link(&value, first, scope)?;
        }
        Ok(value)
    }

    fn link(&self, value: &PyValue, link: &Postfix, scope: &Rc<Variables>) -> Result<PyValue> {
        match link {
            Postfix::Attribute { name, line } => {
                attributes::attribute(self.state, value, name).map_err(|error| error.at(*line))
            }
            Postfix::Item { index, line } => {
                let index = self.evaluate(index, scope)?;
                attributes::item(self.state, value, &index).map_err(|error| error.at(*line))
            }
            Postfix::Slice { start, stop, step, line } => {
                let bounds = self.bounds([start.as_ref(), stop.as_ref(), step.as_ref()], scope)?;
                let bounds = [bounds[0].as_ref(), bounds[1].as_ref(), bounds[2].as_ref()];
                slices::slice(&self.state.heap, value, bounds).map_err(|error| error.at(*line))
            }
            Postfix::Call { arguments, line } => {
                let arguments = self.arguments(arguments, scope)?;
                self.call(value, arguments).map_err(|error| error.at(*line))
            }
            Postfix::Filter { name, arguments, line } => {
                let arguments = self.arguments(arguments, scope)?;
                self.state.heap.budget().steps(1)?;
                let filter = (self.state.filters)(name);
                let filter = filter.ok_or_else(|| failed(format!("No filter named '{name}'.")).at(*line))?;
                filter(self.state, value, arguments).map_err(|error| error.at(*line))
            }
            Postfix::Test { name, arguments, negated, line } => {
                let arguments = self.arguments(arguments, scope)?;
                self.state.heap.budget().steps(1)?;
                let test = (self.state.tests)(name);
                let test = test.ok_or_else(|| failed(format!("No test named '{name}'.")).at(*line))?;
                let holds = test(self.state, value, arguments).map_err(|error| error.at(*line))?;
                Ok(PyValue::Bool(holds.is_true() != *negated))
            }
        }
    }

    fn bounds(&self, bounds: [Option<&Expression>; 3], scope: &Rc<Variables>) -> Result<[Option<PyValue>; 3]> {
        let mut values = [const { None }; 3];
        for (value, bound) in values.iter_mut().zip(bounds) {
            if let Some(bound) = bound {
                *value = Some(self.evaluate(bound, scope)?);
            }
        }
        Ok(values)
    }

    /// The arguments of a call, with `*` and `**` spread.
    pub(super) fn arguments(&self, syntax: &CallSyntax, scope: &Rc<Variables>) -> Result<Arguments> {
        let mut arguments = Arguments::default();
        for argument in &syntax.positional {
            arguments.positional.push(self.evaluate(argument, scope)?);
        }
        for (name, argument) in &syntax.named {
            arguments.named.push((Rc::clone(name), self.evaluate(argument, scope)?));
        }
        if let Some(rest) = &syntax.rest {
            self.spread(&self.evaluate(rest, scope)?, &mut arguments)?;
        }
        if let Some(rest) = &syntax.named_rest {
            self.spread_named(&self.evaluate(rest, scope)?, &mut arguments)?;
        }
        Ok(arguments)
    }

    fn spread(&self, values: &PyValue, arguments: &mut Arguments) -> Result<()> {
        let mut cursor = Cursor::new(values)?;
        while let Some(value) = cursor.next(&self.state.heap)? {
            self.state.heap.reserve_items(1)?;
            arguments.positional.push(value);
        }
        Ok(())
    }

    fn spread_named(&self, values: &PyValue, arguments: &mut Arguments) -> Result<()> {
        let PyValue::Dict(entries) = values else {
            return Err(failed(format!("argument after ** must be a mapping, not {}", values.type_name())));
        };
        for (key, value) in entries.0.borrow().iter() {
            self.state.heap.reserve_entry()?;
            let DictKey::Text(name) = key else { return Err(failed("keywords must be strings")) };
            // Each name is compared with those before it.
            self.state.heap.budget().read(name.len() + 32 * arguments.named.len())?;
            if arguments.named.iter().any(|(other, _)| **other == **name) {
                return Err(failed(format!("got multiple values for keyword argument '{}'", &**name)));
            }
            arguments.named.push(((**name).into(), value.clone()));
        }
        Ok(())
    }
}
