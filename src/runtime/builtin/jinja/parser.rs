//! Parses templates by Jinja2's grammar.
//!
//! minijinja's parser is not used for templates of apps: it recurses without a limit in chains of `not`, `-`, `elif`
//! and `else`, and its tree of a long chain of operators overflows the stack when it is dropped.

mod arguments;
mod expressions;
mod postfix;
mod primary;
mod statements;
mod stream;
mod targets;

use self::stream::TemplateParser;
use super::{
    budget::RenderBudget,
    error::{Result, TemplateError, syntax},
    limits::MAX_SOURCE,
    syntax::Statement,
    token::Token,
};

/// Parses a template; its texts take memory of the budget.
pub(super) fn parse(source: &str, budget: &RenderBudget) -> Result<Vec<Statement>> {
    if source.len() > MAX_SOURCE {
        return Err(TemplateError::SourceTooLong);
    }
    budget.read(source.len())?;
    let source = normalized(source);
    let mut parser = TemplateParser::new(&source, budget)?;
    let statements = parser.statements_until(&[])?;
    match parser.current() {
        Token::End => Ok(statements),
        other => Err(syntax(parser.line(), format!("unexpected {}", other.describe()))),
    }
}

/// The source with LF as ends of lines, and without the last one.
fn normalized(source: &str) -> String {
    let mut source = source.replace("\r\n", "\n").replace('\r', "\n");
    if source.ends_with('\n') {
        source.pop();
    }
    source
}
