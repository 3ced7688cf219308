//! Runs templates.

mod calls;
mod chains;
mod expressions;
mod loops;
mod macros;
mod output;
mod program;
mod statements;

use std::rc::Rc;

use self::{output::RenderOutput, program::Evaluator};
use super::{error::Result, limits::MAX_OUTPUT, state::RenderState, syntax::Statement, value::PyValue};

/// Runs the statements of a template with its variables; returns the output.
pub(super) fn run(
    state: &RenderState,
    statements: &[Statement],
    variables: impl IntoIterator<Item = (Rc<str>, PyValue)>,
) -> Result<String> {
    let evaluator = Evaluator::new(state, statements)?;
    for (name, value) in variables {
        state.heap.assign(&evaluator.root, &name, value)?;
    }
    let root = Rc::clone(&evaluator.root);
    let mut output = RenderOutput::limited(&state.heap, MAX_OUTPUT);
    evaluator.statements(statements, &root, &mut output)?;
    Ok(output.into_string())
}
