//! What follows a value: attributes, items, calls, filters and tests.

use std::rc::Rc;

use super::stream::TemplateParser;
use crate::runtime::builtin::{
    jinja::error::{Result, syntax, unsupported},
    jinja::syntax::{CallSyntax, Expression, Literal, Postfix},
    jinja::token::Token,
};

impl TemplateParser<'_> {
    /// Attributes, items and calls after a value.
    pub(super) fn with_attributes(&mut self, value: Expression) -> Result<Expression> {
        let mut chain = Vec::new();
        loop {
            match *self.current() {
                Token::Operator(".") => chain.push(self.attribute()?),
                Token::Operator("[") => chain.push(self.item()?),
                Token::Operator("(") => chain.push(self.call()?),
                _ => break,
            }
        }
        Ok(extended(value, chain))
    }

    /// Filters and tests after a value, and calls of their results.
    pub(super) fn with_filters(&mut self, value: Expression) -> Result<Expression> {
        let mut chain = Vec::new();
        loop {
            match *self.current() {
                Token::Operator("|") => {
                    self.advance()?;
                    chain.push(self.filter()?);
                }
                Token::Name("is") => chain.push(self.test()?),
                Token::Operator("(") => chain.push(self.call()?),
                _ => break,
            }
        }
        Ok(extended(value, chain))
    }

    /// Filters between `|`, the first without one.
    pub(super) fn filters(&mut self) -> Result<Vec<Postfix>> {
        let mut filters = vec![self.filter()?];
        while self.skip_operator("|")? {
            filters.push(self.filter()?);
        }
        Ok(filters)
    }

    fn filter(&mut self) -> Result<Postfix> {
        let line = self.line();
        let name = self.dotted_name()?;
        let arguments = if self.is_operator("(") { self.arguments()? } else { CallSyntax::default() };
        Ok(Postfix::Filter { name, arguments, line })
    }

    fn dotted_name(&mut self) -> Result<Rc<str>> {
        let mut name = self.expect_name()?;
        while self.skip_operator(".")? {
            name = format!("{name}.{}", self.expect_name()?).into();
        }
        Ok(name)
    }

    fn test(&mut self) -> Result<Postfix> {
        let line = self.line();
        self.advance()?;
        let negated = self.skip_name("not")?;
        let name = self.dotted_name()?;
        let has_argument = match self.current() {
            Token::Name(name) => !matches!(*name, "else" | "or" | "and"),
            Token::Text(_) | Token::Int(_) | Token::Float(_) => true,
            Token::Operator(operator) => matches!(*operator, "[" | "{"),
            _ => false,
        };
        let arguments = if self.is_operator("(") {
            self.arguments()?
        } else if self.is_name("is") {
            return Err(syntax(line, "tests cannot be chained; join them with 'and'"));
        } else if has_argument {
            let argument = self.nested(|parser| {
                let value = parser.primary()?;
                parser.with_attributes(value)
            })?;
            CallSyntax { positional: vec![argument], ..CallSyntax::default() }
        } else {
            CallSyntax::default()
        };
        Ok(Postfix::Test { name, arguments, negated, line })
    }

    fn attribute(&mut self) -> Result<Postfix> {
        let line = self.line();
        self.advance()?;
        match self.current() {
            Token::Int(number) => {
                let index = Expression::Literal(Literal::Int(*number));
                self.advance()?;
                Ok(Postfix::Item { index, line })
            }
            Token::Name(name) => {
                // Digits may start the name of an attribute.
                let name: Rc<str> = (*name).into();
                self.advance()?;
                Ok(Postfix::Attribute { name, line })
            }
            _ => Err(self.expected("a name or a number after '.'")),
        }
    }

    fn call(&mut self) -> Result<Postfix> {
        let line = self.line();
        Ok(Postfix::Call { arguments: self.arguments()?, line })
    }

    fn item(&mut self) -> Result<Postfix> {
        let line = self.line();
        self.advance()?;
        if self.is_operator("]") {
            return Err(self.expected("an expression"));
        }
        let first = if self.is_operator(":") { None } else { Some(self.expression()?) };
        if self.is_operator(":") {
            let slice = self.slice(first, line)?;
            if self.is_operator(",") {
                return Err(unsupported(line, "several slices in one pair of brackets are not offered; use one"));
            }
            self.expect_operator("]")?;
            return Ok(slice);
        }
        let mut items: Vec<Expression> = first.into_iter().collect();
        while self.skip_operator(",")? {
            items.push(self.expression()?);
        }
        self.expect_operator("]")?;
        let index = match items.len() {
            1 => items.remove(0),
            _ => Expression::Tuple(items),
        };
        Ok(Postfix::Item { index, line })
    }

    /// The rest of a slice from its first colon.
    fn slice(&mut self, start: Option<Expression>, line: u32) -> Result<Postfix> {
        let part = |parser: &mut Self| -> Result<Option<Expression>> {
            if !parser.skip_operator(":")? || [":", "]", ","].into_iter().any(|closing| parser.is_operator(closing)) {
                return Ok(None);
            }
            parser.expression().map(Some)
        };
        let end = part(self)?;
        let step = part(self)?;
        Ok(Postfix::Slice { start, stop: end, step, line })
    }
}

fn extended(value: Expression, chain: Vec<Postfix>) -> Expression {
    if chain.is_empty() {
        return value;
    }
    match value {
        Expression::Postfix(value, mut before) => {
            before.extend(chain);
            Expression::Postfix(value, before)
        }
        value => Expression::Postfix(Box::new(value), chain),
    }
}
