//! Renders Jinja2 templates that are not trusted, with Python's semantics.
//!
//! Apps come with templates for Dify's sandbox, which runs `jinja2.Template(…).render(…)`. This engine gives their
//! results within limits: each operation is charged to a budget of steps and memory before it works. It never suspends,
//! so that it belongs on a blocking thread; a flag ends it from outside.

mod arguments;
mod arithmetic;
mod attributes;
pub(crate) mod budget;
mod check;
mod compare;
mod decimal;
mod dicts;
pub(crate) mod error;
mod evaluator;
mod filters;
mod format;
mod globals;
mod heap;
mod iterate;
mod json_values;
mod key;
mod lexer;
pub(crate) mod limits;
mod loops;
mod markup;
mod method_names;
mod methods;
mod parser;
mod predicates;
mod repr;
mod slices;
mod sort;
mod state;
mod syntax;
mod text;
mod token;
mod value;

use std::cell::Cell;

use self::{
    budget::{CancelFlag, RenderBudget},
    error::TemplateError,
    heap::Heap,
    limits::RenderLimits,
    state::RenderState,
};
use super::json::JsonObject;

/// The budget for parsing a template when an app is imported.
const CHECK_LIMITS: RenderLimits = RenderLimits { steps: 4_000_000, bytes: 96 << 20 };

/// How one rendering runs.
#[derive(Clone, Debug)]
pub(crate) struct RenderSettings {
    pub limits: RenderLimits,
    pub cancelled: CancelFlag,
    /// Seeds the filter `random`.
    pub seed: u64,
}

/// Checks that a template can be parsed, and that this service offers everything it names.
pub(crate) fn check(source: &str) -> Result<(), TemplateError> {
    let budget = RenderBudget::new(CHECK_LIMITS, CancelFlag::default());
    check::check_statements(&parser::parse(source, &budget)?)
}

/// Renders a template with values.
pub(crate) fn render(source: &str, values: &JsonObject, settings: RenderSettings) -> Result<String, TemplateError> {
    let state = RenderState {
        heap: Heap::new(RenderBudget::new(settings.limits, settings.cancelled)),
        autoescape: Cell::new(false),
        random: Cell::new(settings.seed),
        filters: filters::find,
        tests: predicates::find,
    };
    let statements = parser::parse(source, state.heap.budget())?;
    check::check_statements(&statements)?;
    let mut variables = Vec::with_capacity(values.len());
    for (name, value) in values {
        variables.push((name.as_str().into(), json_values::from_json(&state.heap, value)?));
    }
    evaluator::run(&state, &statements, variables)
}

#[cfg(test)]
mod tests;
