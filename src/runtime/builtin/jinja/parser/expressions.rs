//! Expressions, from the conditional one down to literals.

use super::stream::TemplateParser;
use crate::runtime::builtin::{
    jinja::error::{Result, TemplateError},
    jinja::syntax::{ArithmeticOperator, CompareOperator, Expression},
    jinja::token::Token,
};

/// Most `if` without `else` that follow one value; each is a level of the tree.
const MAX_CONDITIONS: usize = 8;

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

impl TemplateParser<'_> {
    pub(super) fn expression(&mut self) -> Result<Expression> {
        self.nested(Self::conditional)
    }

    fn conditional(&mut self) -> Result<Expression> {
        let mut value = self.disjunction()?;
        for _ in 0..MAX_CONDITIONS {
            let line = self.line();
            if !self.skip_name("if")? {
                return Ok(value);
            }
            let test = Box::new(self.disjunction()?);
            let otherwise =
                if self.skip_name("else")? { Some(Box::new(self.nested(Self::conditional)?)) } else { None };
            value = Expression::Conditional { test, then: Box::new(value), otherwise, line };
        }
        Err(TemplateError::TooDeep)
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
}
