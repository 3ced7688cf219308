//! Statements: text, outputs and tags.

use std::{mem, rc::Rc};

use super::{expressions::TupleContext, stream::TemplateParser};
use crate::runtime::builtin::{
    jinja::error::{Result, TemplateError, syntax, unsupported},
    jinja::syntax::{Block, Expression, ForLoop, MacroBody, Postfix, SpecialNames, Statement},
    jinja::text::PyText,
    jinja::token::Token,
};

const TAGS: [&str; 10] = ["if", "for", "set", "with", "macro", "call", "filter", "autoescape", "block", "print"];

impl TemplateParser<'_> {
    /// Statements up to a tag with one of the names, which becomes the current token, or to the end of the source.
    pub(super) fn statements_until(&mut self, ends: &[&str]) -> Result<Vec<Statement>> {
        let mut statements = Vec::new();
        loop {
            let line = self.line();
            match self.current() {
                Token::End => return Ok(statements),
                Token::Data(text) => {
                    let text = PyText::new(self.budget, text)?;
                    self.advance()?;
                    statements.push(Statement::Text(text));
                }
                Token::OutputStart => {
                    self.advance()?;
                    let value = self.expression_list(TupleContext::Tag)?;
                    if *self.current() != Token::OutputEnd {
                        return Err(self.expected("'}}'"));
                    }
                    self.advance()?;
                    statements.push(Statement::Output { value, line });
                }
                Token::TagStart => {
                    self.advance()?;
                    if ends.iter().any(|end| self.is_name(end)) {
                        return Ok(statements);
                    }
                    self.nested(|parser| parser.tag(&mut statements))?;
                    self.expect_tag_end()?;
                }
                other => return Err(syntax(line, format!("unexpected {}", other.describe()))),
            }
        }
    }

    /// The end of the tag, then statements up to one of the names.
    fn body(&mut self, tag: &str, line: u32, ends: &[&str]) -> Result<Vec<Statement>> {
        self.skip_operator(":")?;
        self.expect_tag_end()?;
        let body = self.statements_until(ends)?;
        if *self.current() == Token::End {
            let end = ends.last().copied().unwrap_or_default();
            return Err(syntax(line, format!("the block '{tag}' is not closed; add '{{% {end} %}}'")));
        }
        Ok(body)
    }

    /// Like [`TemplateParser::body`], and moves past the name.
    fn closed_body(&mut self, tag: &str, line: u32) -> Result<Vec<Statement>> {
        let body = self.body(tag, line, &[&format!("end{tag}")])?;
        self.advance()?;
        Ok(body)
    }

    fn tag(&mut self, statements: &mut Vec<Statement>) -> Result<()> {
        let line = self.line();
        let Token::Name(name) = *self.current() else { return Err(self.expected("the name of a tag")) };
        if !TAGS.contains(&name) {
            return Err(refused_tag(name, line));
        }
        self.advance()?;
        let statement = match name {
            "if" => self.if_statement(line)?,
            "for" => self.for_statement(line)?,
            "set" => self.set_statement(line)?,
            "with" => self.with_statement(line)?,
            "macro" => {
                let name = self.assigned_name()?;
                let (parameters, defaults) = self.parameters()?;
                self.macro_body("macro", name, (parameters, defaults), line).map(Statement::Macro)?
            }
            "call" => self.call_statement(line)?,
            "filter" => {
                let filters = self.filters()?;
                Statement::Filter { filters, body: self.closed_body("filter", line)?, line }
            }
            "autoescape" => {
                let enabled = self.expression()?;
                Statement::Autoescape { enabled, body: self.closed_body("autoescape", line)?, line }
            }
            "block" => self.block_statement(line)?,
            _ => return self.print_statement(statements, line),
        };
        statements.push(statement);
        Ok(())
    }

    fn if_statement(&mut self, line: u32) -> Result<Statement> {
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        loop {
            let test = self.expression_list(TupleContext::Condition)?;
            branches.push((test, self.body("if", line, &["elif", "else", "endif"])?));
            if self.skip_name("elif")? {
                continue;
            }
            if self.skip_name("else")? {
                otherwise = self.body("if", line, &["endif"])?;
            }
            self.advance()?;
            return Ok(Statement::If { branches, otherwise, line });
        }
    }

    fn for_statement(&mut self, line: u32) -> Result<Statement> {
        let target = self.target(false)?;
        self.expect_keyword("in")?;
        let iterable = self.expression_list(TupleContext::Loop)?;
        let condition = if self.skip_name("if")? { Some(self.expression()?) } else { None };
        let recursive = self.skip_name("recursive")?;
        let body = self.body("for", line, &["else", "endfor"])?;
        let otherwise = if self.skip_name("else")? { self.body("for", line, &["endfor"])? } else { Vec::new() };
        self.advance()?;
        Ok(Statement::For(Rc::new(ForLoop { target, iterable, condition, recursive, body, otherwise, line })))
    }

    fn set_statement(&mut self, line: u32) -> Result<Statement> {
        let target = self.target(true)?;
        if self.skip_operator("=")? {
            return Ok(Statement::Set { target, value: self.expression_list(TupleContext::Tag)?, line });
        }
        let filters = if self.skip_operator("|")? { self.filters()? } else { Vec::new() };
        Ok(Statement::SetBlock { target, filters, body: self.closed_body("set", line)?, line })
    }

    fn with_statement(&mut self, line: u32) -> Result<Statement> {
        let mut bindings = Vec::new();
        while *self.current() != Token::TagEnd {
            if !bindings.is_empty() {
                self.expect_operator(",")?;
            }
            let target = self.target(false)?;
            self.expect_operator("=")?;
            bindings.push((target, self.expression()?));
        }
        Ok(Statement::With { bindings, body: self.closed_body("with", line)?, line })
    }

    fn call_statement(&mut self, line: u32) -> Result<Statement> {
        let signature = if self.is_operator("(") { self.parameters()? } else { (Vec::new(), Vec::new()) };
        let call = self.expression()?;
        let is_call =
            matches!(&call, Expression::Postfix(_, chain) if matches!(chain.last(), Some(Postfix::Call { .. })));
        if !is_call {
            return Err(syntax(line, "expected a call, like '{% call name() %}'"));
        }
        let caller = self.macro_body("call", "caller".into(), signature, line)?;
        Ok(Statement::Call { call, caller, line })
    }

    fn macro_body(
        &mut self,
        tag: &str,
        name: Rc<str>,
        (parameters, defaults): (Vec<Rc<str>>, Vec<Expression>),
        line: u32,
    ) -> Result<Rc<MacroBody>> {
        let outer = mem::take(&mut self.special_names);
        let body = self.closed_body(tag, line)?;
        let uses = mem::replace(&mut self.special_names, outer);
        self.special_names = SpecialNames {
            caller: outer.caller || uses.caller,
            varargs: outer.varargs || uses.varargs,
            kwargs: outer.kwargs || uses.kwargs,
        };
        Ok(Rc::new(MacroBody { name, parameters, defaults, body, uses, line }))
    }

    fn block_statement(&mut self, line: u32) -> Result<Statement> {
        let name = self.expect_name()?;
        self.budget.steps(self.blocks.len())?;
        if self.blocks.contains(&name) {
            return Err(syntax(line, format!("the block '{name}' is defined twice")));
        }
        self.blocks.push(Rc::clone(&name));
        let scoped = self.skip_name("scoped")?;
        if self.is_name("required") {
            return Err(unsupported(line, "'required' blocks are not offered: templates cannot be extended here"));
        }
        let body = self.body("block", line, &["endblock"])?;
        self.advance()?;
        self.skip_name(&name)?;
        Ok(Statement::Block(Rc::new(Block { name, scoped, body })))
    }

    fn print_statement(&mut self, statements: &mut Vec<Statement>, line: u32) -> Result<()> {
        let mut is_first = true;
        while *self.current() != Token::TagEnd {
            if !is_first {
                self.expect_operator(",")?;
            }
            is_first = false;
            statements.push(Statement::Output { value: self.expression()?, line });
        }
        Ok(())
    }
}

fn refused_tag(name: &str, line: u32) -> TemplateError {
    match name {
        "include" | "import" | "from" | "extends" => {
            let message = format!("'{name}' is not offered: there are no other template files; write the text here");
            unsupported(line, message)
        }
        "do" => unsupported(line, "'do' is not offered, as in Dify; write '{% set _ = … %}'"),
        "break" | "continue" => unsupported(line, format!("'{name}' is not offered, as in Dify; use 'if' in the loop")),
        "trans" | "debug" => unsupported(line, format!("'{name}' is not offered, as in Dify; remove it")),
        name if name.starts_with("end") || matches!(name, "else" | "elif") => {
            syntax(line, format!("unexpected '{name}': there is no open block that it belongs to"))
        }
        name => syntax(line, format!("unknown tag '{}'", name.chars().take(40).collect::<String>())),
    }
}
