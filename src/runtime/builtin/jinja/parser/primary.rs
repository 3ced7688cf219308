//! Values without operators: names, literals, and what stands in brackets.

use super::{expressions::TupleContext, stream::TemplateParser};
use crate::runtime::builtin::{
    jinja::error::{Result, unsupported},
    jinja::syntax::{Expression, Literal},
    jinja::text::PyText,
    jinja::token::Token,
};

impl TemplateParser<'_> {
    pub(super) fn primary(&mut self) -> Result<Expression> {
        let line = self.line();
        match self.current() {
            Token::Name(name) => {
                let name = *name;
                let expression = self.name(name)?;
                self.advance()?;
                Ok(expression)
            }
            Token::Text(_) => self.string(),
            Token::Int(number) => {
                let number = *number;
                self.advance()?;
                Ok(Expression::Literal(Literal::Int(number)))
            }
            Token::Float(number) => {
                let number = *number;
                self.advance()?;
                if number.is_infinite() {
                    return Err(unsupported(line, "the number is too large"));
                }
                Ok(Expression::Literal(Literal::Float(number)))
            }
            Token::Operator("(") => {
                self.advance()?;
                let inner = self.expression_list(TupleContext::Parentheses)?;
                self.expect_operator(")")?;
                Ok(inner)
            }
            Token::Operator("[") => {
                self.advance()?;
                self.items("]", Self::expression).map(Expression::List)
            }
            Token::Operator("{") => {
                self.advance()?;
                let entry = |parser: &mut Self| {
                    let key = parser.expression()?;
                    parser.expect_operator(":")?;
                    Ok((key, parser.expression()?))
                };
                self.items("}", entry).map(Expression::Dict)
            }
            _ => Err(self.expected("an expression")),
        }
    }

    fn name(&mut self, name: &str) -> Result<Expression> {
        Ok(match name {
            "true" | "True" => Expression::Literal(Literal::Bool(true)),
            "false" | "False" => Expression::Literal(Literal::Bool(false)),
            "none" | "None" => Expression::Literal(Literal::None),
            name => {
                match name {
                    "caller" => self.special_names.caller = true,
                    "varargs" => self.special_names.varargs = true,
                    "kwargs" => self.special_names.kwargs = true,
                    _ => {}
                }
                Expression::Name(self.valid_name(name)?)
            }
        })
    }

    /// Strings that follow each other are one.
    fn string(&mut self) -> Result<Expression> {
        let mut whole = String::new();
        while let Token::Text(text) = self.current() {
            whole.push_str(text);
            self.advance()?;
        }
        Ok(Expression::Literal(Literal::Text(PyText::new(self.budget, &whole)?)))
    }

    /// Items between commas, up to and with the closing bracket.
    fn items<T>(&mut self, close: &str, item: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = Vec::new();
        while !self.is_operator(close) {
            if !items.is_empty() {
                self.expect_operator(",")?;
                if self.is_operator(close) {
                    break;
                }
            }
            items.push(item(self)?);
        }
        self.expect_operator(close)?;
        Ok(items)
    }
}
