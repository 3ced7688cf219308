//! The arguments of calls, and the parameters of macros.

use std::rc::Rc;

use super::stream::TemplateParser;
use crate::runtime::builtin::{
    jinja::error::{Result, syntax},
    jinja::syntax::{CallSyntax, Expression},
    jinja::token::Token,
};

impl TemplateParser<'_> {
    /// The arguments of a call, with their parentheses.
    pub(super) fn arguments(&mut self) -> Result<CallSyntax> {
        self.expect_operator("(")?;
        let mut arguments = CallSyntax::default();
        let mut is_first = true;
        while !self.is_operator(")") {
            if !is_first {
                self.expect_operator(",")?;
                if self.is_operator(")") {
                    break;
                }
            }
            is_first = false;
            self.argument(&mut arguments)?;
        }
        self.expect_operator(")")?;
        Ok(arguments)
    }

    fn argument(&mut self, arguments: &mut CallSyntax) -> Result<()> {
        let line = self.line();
        let ordered = |holds: bool| {
            let message = "the arguments are in the wrong order; write positional ones, named ones, then '*' and '**'";
            if holds { Ok(()) } else { Err(syntax(line, message)) }
        };
        if self.skip_operator("*")? {
            ordered(arguments.rest.is_none() && arguments.named_rest.is_none())?;
            arguments.rest = Some(Box::new(self.expression()?));
        } else if self.skip_operator("**")? {
            ordered(arguments.named_rest.is_none())?;
            arguments.named_rest = Some(Box::new(self.expression()?));
        } else if matches!(self.current(), Token::Name(_)) && matches!(*self.look(), Token::Operator("=")) {
            ordered(arguments.named_rest.is_none())?;
            let name = self.expect_name()?;
            self.expect_operator("=")?;
            self.budget.steps(arguments.named.len())?;
            if arguments.named.iter().any(|(other, _)| *other == name) {
                return Err(syntax(line, format!("the argument '{name}' is given twice")));
            }
            arguments.named.push((name, self.expression()?));
        } else {
            ordered(arguments.rest.is_none() && arguments.named_rest.is_none() && arguments.named.is_empty())?;
            arguments.positional.push(self.expression()?);
        }
        Ok(())
    }

    /// The parameters of a macro, with their parentheses, and the defaults of the last ones.
    pub(super) fn parameters(&mut self) -> Result<(Vec<Rc<str>>, Vec<Expression>)> {
        self.expect_operator("(")?;
        let (mut parameters, mut defaults) = (Vec::new(), Vec::new());
        while !self.is_operator(")") {
            if !parameters.is_empty() {
                self.expect_operator(",")?;
            }
            let line = self.line();
            let name = self.assigned_name()?;
            self.budget.steps(parameters.len())?;
            if parameters.contains(&name) {
                return Err(syntax(line, format!("the parameter '{name}' is given twice")));
            }
            parameters.push(name);
            if self.skip_operator("=")? {
                defaults.push(self.expression()?);
            } else if !defaults.is_empty() {
                return Err(syntax(line, "a parameter without a default follows one with a default"));
            }
        }
        self.expect_operator(")")?;
        Ok((parameters, defaults))
    }
}
