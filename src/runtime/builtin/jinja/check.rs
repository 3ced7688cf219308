//! Refuses what this service does not offer before a template runs: filters, tests, functions and methods by their
//! names.

use super::{
    error::{Result, unsupported},
    filters,
    method_names::is_refused,
    predicates,
    syntax::{CallSyntax, Expression, MacroBody, Postfix, Statement},
};

pub(super) fn check_statements(statements: &[Statement]) -> Result<()> {
    statements.iter().try_for_each(check_statement)
}

fn check_statement(statement: &Statement) -> Result<()> {
    match statement {
        Statement::Text(_) => Ok(()),
        Statement::Output { value, line } | Statement::Set { value, line, .. } => check_expression(value, *line),
        Statement::If { branches, otherwise, line } => {
            for (test, body) in branches {
                check_expression(test, *line)?;
                check_statements(body)?;
            }
            check_statements(otherwise)
        }
        Statement::For(for_loop) => {
            check_expression(&for_loop.iterable, for_loop.line)?;
            check_all(for_loop.condition.as_ref(), for_loop.line)?;
            check_statements(&for_loop.body)?;
            check_statements(&for_loop.otherwise)
        }
        Statement::SetBlock { filters, body, .. } | Statement::Filter { filters, body, .. } => {
            check_chain(filters)?;
            check_statements(body)
        }
        Statement::With { bindings, body, line } => {
            check_all(bindings.iter().map(|(_, value)| value), *line)?;
            check_statements(body)
        }
        Statement::Macro(body) => check_macro(body),
        Statement::Call { call, caller, line } => {
            check_expression(call, *line)?;
            check_macro(caller)
        }
        Statement::Autoescape { enabled, body, line } => {
            check_expression(enabled, *line)?;
            check_statements(body)
        }
        Statement::Block(block) => check_statements(&block.body),
    }
}

fn check_macro(body: &MacroBody) -> Result<()> {
    check_all(&body.defaults, body.line)?;
    check_statements(&body.body)
}

fn check_all<'a>(expressions: impl IntoIterator<Item = &'a Expression>, line: u32) -> Result<()> {
    expressions.into_iter().try_for_each(|expression| check_expression(expression, line))
}

fn check_expression(expression: &Expression, line: u32) -> Result<()> {
    match expression {
        Expression::Name(name) if &**name == "lipsum" => {
            Err(unsupported(line, "the function 'lipsum' is not offered; write the text itself"))
        }
        Expression::Literal(_) | Expression::Name(_) => Ok(()),
        Expression::List(items) | Expression::Tuple(items) | Expression::Concat(items) => check_all(items, line),
        Expression::And(operands) | Expression::Or(operands) => check_all(operands, line),
        Expression::Dict(entries) => check_all(entries.iter().flat_map(|(key, value)| [key, value]), line),
        Expression::Negative(value) | Expression::Positive(value) | Expression::Not(value) => {
            check_expression(value, line)
        }
        Expression::Arithmetic(first, rest) => {
            check_expression(first, line)?;
            check_all(rest.iter().map(|(_, operand)| operand), line)
        }
        Expression::Compare(first, rest) => {
            check_expression(first, line)?;
            check_all(rest.iter().map(|(_, operand)| operand), line)
        }
        Expression::Conditional { test, then, otherwise, line } => {
            check_all([&**test, &**then], *line)?;
            check_all(otherwise.as_deref(), *line)
        }
        Expression::Postfix(value, chain) => {
            check_expression(value, line)?;
            check_chain(chain)
        }
    }
}

fn check_chain(chain: &[Postfix]) -> Result<()> {
    for (at, link) in chain.iter().enumerate() {
        match link {
            Postfix::Attribute { name, line } => {
                let is_called = matches!(chain.get(at + 1), Some(Postfix::Call { .. }));
                check_attribute(name, is_called, *line)?;
            }
            Postfix::Item { index, line } => check_expression(index, *line)?,
            Postfix::Slice { start, stop, step, line } => {
                check_all([start, stop, step].into_iter().flatten(), *line)?;
            }
            Postfix::Call { arguments, line } => check_arguments(arguments, *line)?,
            Postfix::Filter { name, arguments, line } => {
                if filters::find(name).is_none() {
                    return Err(unknown("filter", name, filters::names(), *line));
                }
                check_arguments(arguments, *line)?;
            }
            Postfix::Test { name, arguments, line, .. } => {
                if predicates::find(name).is_none() {
                    return Err(unknown("test", name, predicates::names(), *line));
                }
                check_arguments(arguments, *line)?;
            }
        }
    }
    Ok(())
}

fn check_arguments(arguments: &CallSyntax, line: u32) -> Result<()> {
    check_all(&arguments.positional, line)?;
    check_all(arguments.named.iter().map(|(_, value)| value), line)?;
    check_all(arguments.rest.as_deref(), line)?;
    check_all(arguments.named_rest.as_deref(), line)
}

fn check_attribute(name: &str, is_called: bool, line: u32) -> Result<()> {
    if name.starts_with("__") && name.ends_with("__") && name.len() > 4 {
        let message = format!("the attribute '{name}' is not offered; write ['{name}'] for an entry of a dict");
        return Err(unsupported(line, message));
    }
    if is_called && is_refused(name) {
        return Err(unsupported(line, format!("the method '{name}' is not offered; use a filter or a code node")));
    }
    Ok(())
}

fn unknown(
    kind: &str,
    name: &str,
    known: impl Iterator<Item = &'static str>,
    line: u32,
) -> super::error::TemplateError {
    let shown: String = name.chars().take(40).collect();
    let similar = known.filter(|known| known.starts_with(name.get(..3).unwrap_or(name))).take(3).collect::<Vec<_>>();
    let cure = if similar.is_empty() {
        format!("use a {kind} of Jinja2 3.1 or a code node")
    } else {
        format!("did you mean '{}'?", similar.join("', '"))
    };
    unsupported(line, format!("there is no {kind} named '{shown}'; {cure}"))
}
