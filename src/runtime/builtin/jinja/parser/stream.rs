//! The tokens that a parser reads, with one token of look-ahead, and the depth that it has reached.

use std::{mem, rc::Rc};

use crate::runtime::builtin::{
    jinja::budget::RenderBudget,
    jinja::error::{Result, TemplateError, syntax},
    jinja::lexer::Lexer,
    jinja::limits::MAX_SYNTAX_DEPTH,
    jinja::syntax::SpecialNames,
    jinja::token::Token,
};

/// Bytes that the nodes of one token take.
const NODE: usize = 160;

pub(super) struct TemplateParser<'s> {
    lexer: Lexer<'s>,
    pub(super) budget: &'s RenderBudget,
    current: (Token<'s>, u32),
    next: (Token<'s>, u32),
    depth: usize,
    /// The special names that the macro at hand has read.
    pub(super) special_names: SpecialNames,
    /// The names of the blocks.
    pub(super) blocks: Vec<Rc<str>>,
}

impl<'s> TemplateParser<'s> {
    pub(super) fn new(source: &'s str, budget: &'s RenderBudget) -> Result<Self> {
        let mut lexer = Lexer::new(source);
        let current = lexer.next_token()?;
        let next = lexer.next_token()?;
        Ok(Self { lexer, budget, current, next, depth: 0, special_names: SpecialNames::default(), blocks: Vec::new() })
    }

    pub(super) fn current(&self) -> &Token<'s> {
        &self.current.0
    }

    pub(super) fn line(&self) -> u32 {
        self.current.1
    }

    /// The token after the current one.
    pub(super) fn look(&self) -> &Token<'s> {
        &self.next.0
    }

    /// Returns the current token and moves to the next one.
    pub(super) fn advance(&mut self) -> Result<Token<'s>> {
        self.budget.produce(NODE)?;
        let after = if self.next.0 == Token::End { (Token::End, self.next.1) } else { self.lexer.next_token()? };
        let next = mem::replace(&mut self.next, after);
        Ok(mem::replace(&mut self.current, next).0)
    }

    pub(super) fn is_operator(&self, operator: &str) -> bool {
        matches!(self.current(), Token::Operator(current) if *current == operator)
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self.current(), Token::Name(current) if *current == name)
    }

    /// Moves past the operator when it is the current token.
    pub(super) fn skip_operator(&mut self, operator: &str) -> Result<bool> {
        let found = self.is_operator(operator);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Moves past the name when it is the current token.
    pub(super) fn skip_name(&mut self, name: &str) -> Result<bool> {
        let found = self.is_name(name);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    pub(super) fn expect_operator(&mut self, operator: &str) -> Result<()> {
        if self.skip_operator(operator)? { Ok(()) } else { Err(self.expected(&format!("'{operator}'"))) }
    }

    pub(super) fn expect_keyword(&mut self, name: &str) -> Result<()> {
        if self.skip_name(name)? { Ok(()) } else { Err(self.expected(&format!("'{name}'"))) }
    }

    pub(super) fn expect_tag_end(&mut self) -> Result<()> {
        if *self.current() == Token::TagEnd { self.advance().map(drop) } else { Err(self.expected("'%}'")) }
    }

    /// A name: a letter or `_`, then letters, digits and `_`.
    pub(super) fn expect_name(&mut self) -> Result<Rc<str>> {
        let Token::Name(name) = *self.current() else { return Err(self.expected("a name")) };
        let name = self.valid_name(name)?;
        self.advance()?;
        Ok(name)
    }

    pub(super) fn valid_name(&self, name: &str) -> Result<Rc<str>> {
        if name.starts_with(|first: char| first == '_' || first.is_alphabetic()) {
            Ok(name.into())
        } else {
            Err(syntax(self.line(), "a name must start with a letter or '_'"))
        }
    }

    pub(super) fn expected(&self, expected: &str) -> TemplateError {
        syntax(self.line(), format!("expected {expected}, found {}", self.current().describe()))
    }

    /// Parses something one level deeper.
    pub(super) fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_SYNTAX_DEPTH {
            return Err(TemplateError::TooDeep);
        }
        self.depth += 1;
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }
}
