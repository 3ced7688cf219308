//! What `set`, `for` and `with` assign to.

use std::rc::Rc;

use super::stream::TemplateParser;
use crate::runtime::builtin::{
    jinja::error::{Result, syntax},
    jinja::syntax::AssignTarget,
    jinja::token::Token,
};

impl TemplateParser<'_> {
    /// A name, an attribute of a namespace where `attributes` are allowed, or several of them.
    pub(super) fn target(&mut self, attributes: bool) -> Result<AssignTarget> {
        self.nested(|parser| parser.targets(attributes, false))
    }

    fn targets(&mut self, attributes: bool, in_parentheses: bool) -> Result<AssignTarget> {
        let mut targets = Vec::new();
        let mut is_tuple = false;
        loop {
            if !targets.is_empty() {
                self.expect_operator(",")?;
            }
            let ends = *self.current() == Token::TagEnd || self.is_name("in");
            if ends || self.is_operator(")") || self.is_operator("=") {
                break;
            }
            targets.push(self.single_target(attributes)?);
            if !self.is_operator(",") {
                break;
            }
            is_tuple = true;
        }
        if is_tuple {
            return Ok(AssignTarget::Tuple(targets));
        }
        match targets.pop() {
            Some(target) => Ok(target),
            None if in_parentheses => Ok(AssignTarget::Tuple(Vec::new())),
            None => Err(self.expected("a name")),
        }
    }

    fn single_target(&mut self, attributes: bool) -> Result<AssignTarget> {
        if self.skip_operator("(")? {
            let target = self.nested(|parser| parser.targets(attributes, true))?;
            self.expect_operator(")")?;
            return Ok(target);
        }
        let name = self.assigned_name()?;
        if attributes && self.skip_operator(".")? {
            return Ok(AssignTarget::Attribute { namespace: name, attribute: self.expect_name()? });
        }
        Ok(AssignTarget::Name(name))
    }

    /// A name that values can be assigned to.
    pub(super) fn assigned_name(&mut self) -> Result<Rc<str>> {
        let line = self.line();
        let name = self.expect_name()?;
        if matches!(&*name, "true" | "True" | "false" | "False" | "none" | "None") {
            return Err(syntax(line, format!("cannot assign to '{name}'; choose another name")));
        }
        Ok(name)
    }
}
