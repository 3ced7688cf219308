//! Expressions, from the conditional one down to literals.

use super::stream::Parser;
use crate::runtime::builtin::jinja::{
    error::{Result, unsupported},
    lexer::Token,
    syntax::{ArithmeticOperator, CompareOperator, Expression, Literal},
    text::PyText,
};

/// Where a list of expressions that may be a tuple stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TupleContext {
    /// In a tag or an output.
    Tag,
    /// In an `if` tag: a conditional expression needs parentheses there.
    Condition,
    /// In a `for` tag: `if` and `recursive` follow the list.
    Loop,
    /// In parentheses, which may be empty.
    Parentheses,
}

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Result<Expression> {
        self.nested(Self::conditional)
    }

    fn conditional(&mut self) -> Result<Expression> {
        let mut value = self.disjunction()?;
        loop {
            let line = self.line();
            if !self.skip_name("if")? {
                return Ok(value);
            }
            let test = Box::new(self.disjunction()?);
            let otherwise =
                if self.skip_name("else")? { Some(Box::new(self.nested(Self::conditional)?)) } else { None };
            value = Expression::Conditional { test, then: Box::new(value), otherwise, line };
        }
    }

    /// One expression, or a tuple of several.
    pub(super) fn expression_list(&mut self, context: TupleContext) -> Result<Expression> {
        self.nested(|parser| parser.expression_list_at(context))
    }

    fn expression_list_at(&mut self, context: TupleContext) -> Result<Expression> {
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            if !items.is_empty() {
                self.expect_operator(",")?;
            }
            let ends = matches!(self.current(), Token::OutputEnd | Token::TagEnd)
                || self.is_operator(")")
                || (context == TupleContext::Loop && self.is_name("recursive"));
            if ends {
                break;
            }
            let is_whole = matches!(context, TupleContext::Tag | TupleContext::Parentheses);
            items.push(if is_whole { self.conditional()? } else { self.disjunction()? });
            if !self.is_operator(",") {
                break;
            }
            is_tuple = true;
        }
        if is_tuple {
            return Ok(Expression::Tuple(items));
        }
        match items.pop() {
            Some(item) => Ok(item),
            None if context == TupleContext::Parentheses => Ok(Expression::Tuple(Vec::new())),
            None => Err(self.expected("an expression")),
        }
    }

    pub(super) fn disjunction(&mut self) -> Result<Expression> {
        let first = self.conjunction()?;
        if !self.is_name("or") {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.skip_name("or")? {
            operands.push(self.conjunction()?);
        }
        Ok(Expression::Or(operands))
    }

    fn conjunction(&mut self) -> Result<Expression> {
        let first = self.negation()?;
        if !self.is_name("and") {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.skip_name("and")? {
            operands.push(self.negation()?);
        }
        Ok(Expression::And(operands))
    }

    fn negation(&mut self) -> Result<Expression> {
        if self.skip_name("not")? {
            return Ok(Expression::Not(Box::new(self.nested(Self::negation)?)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expression> {
        let first = self.sum()?;
        let mut operands = Vec::new();
        while let Some(operator) = self.compare_operator()? {
            operands.push((operator, self.sum()?));
        }
        Ok(if operands.is_empty() { first } else { Expression::Compare(Box::new(first), operands) })
    }

    fn compare_operator(&mut self) -> Result<Option<CompareOperator>> {
        let operator = match *self.current() {
            Token::Operator("==") => CompareOperator::Equal,
            Token::Operator("!=") => CompareOperator::NotEqual,
            Token::Operator("<") => CompareOperator::Less,
            Token::Operator("<=") => CompareOperator::LessOrEqual,
            Token::Operator(">") => CompareOperator::Greater,
            Token::Operator(">=") => CompareOperator::GreaterOrEqual,
            Token::Name("in") => CompareOperator::In,
            Token::Name("not") if matches!(*self.look(), Token::Name("in")) => {
                self.advance()?;
                CompareOperator::NotIn
            }
            _ => return Ok(None),
        };
        self.advance()?;
        Ok(Some(operator))
    }

    fn sum(&mut self) -> Result<Expression> {
        self.arithmetic(Self::concatenation, |token| match token {
            Token::Operator("+") => Some(ArithmeticOperator::Add),
            Token::Operator("-") => Some(ArithmeticOperator::Subtract),
            _ => None,
        })
    }

    fn concatenation(&mut self) -> Result<Expression> {
        let first = self.product()?;
        if !self.is_operator("~") {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.skip_operator("~")? {
            operands.push(self.product()?);
        }
        Ok(Expression::Concat(operands))
    }

    fn product(&mut self) -> Result<Expression> {
        self.arithmetic(Self::power, |token| match token {
            Token::Operator("*") => Some(ArithmeticOperator::Multiply),
            Token::Operator("/") => Some(ArithmeticOperator::Divide),
            Token::Operator("//") => Some(ArithmeticOperator::FloorDivide),
            Token::Operator("%") => Some(ArithmeticOperator::Modulo),
            _ => None,
        })
    }

    fn power(&mut self) -> Result<Expression> {
        self.arithmetic(Self::filtered, |token| {
            matches!(token, Token::Operator("**")).then_some(ArithmeticOperator::Power)
        })
    }

    fn arithmetic(
        &mut self,
        operand: fn(&mut Self) -> Result<Expression>,
        operator: fn(&Token<'_>) -> Option<ArithmeticOperator>,
    ) -> Result<Expression> {
        let first = operand(self)?;
        let mut rest = Vec::new();
        while let Some(operator) = operator(self.current()) {
            self.advance()?;
            rest.push((operator, operand(self)?));
        }
        Ok(if rest.is_empty() { first } else { Expression::Arithmetic(Box::new(first), rest) })
    }

    /// A value with a sign, attributes, calls, filters and tests.
    fn filtered(&mut self) -> Result<Expression> {
        let value = self.signed()?;
        self.with_filters(value)
    }

    fn signed(&mut self) -> Result<Expression> {
        let value = if self.skip_operator("-")? {
            Expression::Negative(Box::new(self.nested(Self::signed)?))
        } else if self.skip_operator("+")? {
            Expression::Positive(Box::new(self.nested(Self::signed)?))
        } else {
            self.primary()?
        };
        self.with_attributes(value)
    }

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
