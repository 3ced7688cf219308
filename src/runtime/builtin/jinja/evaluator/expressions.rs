//! Evaluates expressions.

use std::rc::Rc;

use super::program::Evaluator;
use crate::runtime::builtin::{
    jinja::arithmetic,
    jinja::compare::compare,
    jinja::error::Result,
    jinja::syntax::{ArithmeticOperator, CompareOperator, Expression, Literal},
    jinja::value::{PyValue, Variables},
};

impl Evaluator<'_> {
    pub(super) fn evaluate(&self, expression: &Expression, scope: &Rc<Variables>) -> Result<PyValue> {
        match expression {
            Expression::Literal(literal) => {
                self.state.heap.budget().steps(1)?;
                Ok(value_of(literal))
            }
            Expression::Name(name) => {
                self.state.heap.budget().steps(1)?;
                Ok(self.find(scope, name))
            }
            compound => {
                self.state.heap.budget().enter()?;
                let value = self.compound(compound, scope)?;
                self.state.heap.budget().leave();
                Ok(value)
            }
        }
    }

    fn compound(&self, expression: &Expression, scope: &Rc<Variables>) -> Result<PyValue> {
        match expression {
            Expression::List(items) => self.list(items, scope, false),
            Expression::Tuple(items) => self.list(items, scope, true),
            Expression::Dict(entries) => self.dict(entries, scope),
            Expression::Negative(value) => arithmetic::sign(&self.evaluate(value, scope)?, true),
            Expression::Positive(value) => arithmetic::sign(&self.evaluate(value, scope)?, false),
            Expression::Not(value) => Ok(PyValue::Bool(!self.evaluate(value, scope)?.is_true())),
            Expression::And(operands) => self.logical(operands, scope, false),
            Expression::Or(operands) => self.logical(operands, scope, true),
            Expression::Arithmetic(first, rest) => self.arithmetic(first, rest, scope),
            Expression::Concat(operands) => self.concat(operands, scope),
            Expression::Compare(first, rest) => self.comparison(first, rest, scope),
            Expression::Conditional { test, then, otherwise, line } => {
                self.conditional([Some(&**test), Some(&**then), otherwise.as_deref()], *line, scope)
            }
            Expression::Postfix(value, chain) => {
                let value = self.evaluate(value, scope)?;
                self.chain(value, chain, scope)
            }
            Expression::Literal(literal) => Ok(value_of(literal)),
            Expression::Name(name) => Ok(self.find(scope, name)),
        }
    }

    fn list(&self, items: &[Expression], scope: &Rc<Variables>, is_tuple: bool) -> Result<PyValue> {
        let mut list = self.state.heap.list_builder();
        for item in items {
            list.push(self.evaluate(item, scope)?)?;
        }
        if is_tuple { list.into_tuple() } else { list.into_list() }
    }

    fn dict(&self, entries: &[(Expression, Expression)], scope: &Rc<Variables>) -> Result<PyValue> {
        let heap = &self.state.heap;
        let dict = heap.entries()?;
        for (key, value) in entries {
            let key = heap.key(&self.evaluate(key, scope)?)?;
            heap.set(&dict, key, self.evaluate(value, scope)?)?;
        }
        Ok(PyValue::Dict(dict))
    }

    /// `and` and `or`: the first operand that decides, or the last one.
    fn logical(&self, operands: &[Expression], scope: &Rc<Variables>, deciding: bool) -> Result<PyValue> {
        let mut value = PyValue::None;
        for operand in operands {
            value = self.evaluate(operand, scope)?;
            if value.is_true() == deciding {
                break;
            }
        }
        Ok(value)
    }

    fn arithmetic(
        &self,
        first: &Expression,
        rest: &[(ArithmeticOperator, Expression)],
        scope: &Rc<Variables>,
    ) -> Result<PyValue> {
        let mut left = self.evaluate(first, scope)?;
        for (operator, right) in rest {
            let right = self.evaluate(right, scope)?;
            left = arithmetic::apply(self.state, *operator, &left, &right)?;
        }
        Ok(left)
    }

    fn concat(&self, operands: &[Expression], scope: &Rc<Variables>) -> Result<PyValue> {
        let mut values = Vec::with_capacity(operands.len());
        for operand in operands {
            values.push(self.evaluate(operand, scope)?);
        }
        arithmetic::concat(self.state, &values)
    }

    fn comparison(
        &self,
        first: &Expression,
        rest: &[(CompareOperator, Expression)],
        scope: &Rc<Variables>,
    ) -> Result<PyValue> {
        let mut left = self.evaluate(first, scope)?;
        for (operator, right) in rest {
            let right = self.evaluate(right, scope)?;
            if !compare(&self.state.heap, *operator, &left, &right)? {
                return Ok(PyValue::Bool(false));
            }
            left = right;
        }
        Ok(PyValue::Bool(true))
    }

    fn conditional(
        &self,
        [test, then, otherwise]: [Option<&Expression>; 3],
        line: u32,
        scope: &Rc<Variables>,
    ) -> Result<PyValue> {
        let holds = match test {
            Some(test) => self.evaluate(test, scope)?.is_true(),
            None => true,
        };
        if let Some(chosen) = if holds { then } else { otherwise } {
            self.evaluate(chosen, scope)
        } else {
            let message = format!("the inline 'if' on line {line} is false and has no 'else'");
            Ok(PyValue::Undefined(message.into()))
        }
    }
}

fn value_of(literal: &Literal) -> PyValue {
    match literal {
        Literal::None => PyValue::None,
        Literal::Bool(truth) => PyValue::Bool(*truth),
        Literal::Int(number) => PyValue::Int(*number),
        Literal::Float(number) => PyValue::Float(*number),
        Literal::Text(text) => PyValue::Text(text.clone()),
    }
}
