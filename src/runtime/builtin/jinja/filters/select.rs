//! Filters that apply other filters and tests to each item.

use crate::runtime::builtin::{
    jinja::arguments::Arguments,
    jinja::attributes::AttributePath,
    jinja::error::{Result, failed},
    jinja::iterate::Cursor,
    jinja::state::{Builtin, BuiltinLookup, RenderState},
    jinja::value::PyValue,
};

/// The filter or test that a value names.
fn named(lookup: BuiltinLookup, name: &PyValue, kind: &str) -> Result<Builtin> {
    let PyValue::Text(name) = name else {
        return Err(failed(format!("the name of a {kind} must be a text, not {}", name.type_name())));
    };
    let shown: String = name.chars().take(40).collect();
    lookup(name).ok_or_else(|| failed(format!("No {kind} named '{shown}'.")))
}

pub(super) fn map(state: &RenderState, value: &PyValue, mut arguments: Arguments) -> Result<PyValue> {
    let mut mapped = state.heap.list_builder();
    let mut cursor = Cursor::new(value)?;
    let attribute = if arguments.positional.is_empty() { arguments.take_named("attribute") } else { None };
    if let Some(attribute) = attribute {
        let default = arguments.take_named("default").filter(|default| !matches!(default, PyValue::None));
        arguments.none("map")?;
        let path = AttributePath::new(state, &attribute)?;
        while let Some(item) = cursor.next(&state.heap)? {
            mapped.push(path.get(state, &item, default.as_ref())?)?;
        }
        return mapped.into_generator();
    }
    if arguments.positional.is_empty() {
        return Err(failed("map requires a filter argument"));
    }
    let filter = named(state.filters, &arguments.positional.remove(0), "filter")?;
    while let Some(item) = cursor.next(&state.heap)? {
        mapped.push(apply(state, filter, &item, &arguments)?)?;
    }
    mapped.into_generator()
}

/// Filters like `map` may apply themselves, so that each application is a level of depth.
fn apply(state: &RenderState, builtin: Builtin, value: &PyValue, arguments: &Arguments) -> Result<PyValue> {
    let budget = state.heap.budget();
    budget.enter()?;
    budget.steps(arguments.positional.len() + arguments.named.len())?;
    let applied = builtin(state, value, arguments.clone())?;
    budget.leave();
    Ok(applied)
}

pub(super) fn select(state: &RenderState, value: &PyValue, arguments: Arguments, keeps: bool) -> Result<PyValue> {
    filtered(state, value, None, arguments, keeps)
}

pub(super) fn select_attribute(
    state: &RenderState,
    value: &PyValue,
    mut arguments: Arguments,
    keeps: bool,
) -> Result<PyValue> {
    if arguments.positional.is_empty() {
        return Err(failed("Missing parameter for attribute name"));
    }
    let path = AttributePath::new(state, &arguments.positional.remove(0))?;
    filtered(state, value, Some(&path), arguments, keeps)
}

fn filtered(
    state: &RenderState,
    value: &PyValue,
    path: Option<&AttributePath>,
    mut arguments: Arguments,
    keeps: bool,
) -> Result<PyValue> {
    let test = if arguments.positional.is_empty() {
        None
    } else {
        Some(named(state.tests, &arguments.positional.remove(0), "test")?)
    };
    let mut kept = state.heap.list_builder();
    let mut cursor = Cursor::new(value)?;
    while let Some(item) = cursor.next(&state.heap)? {
        let tested = match path {
            Some(path) => path.get(state, &item, None)?,
            None => item.clone(),
        };
        let holds = match test {
            Some(test) => apply(state, test, &tested, &arguments)?.is_true(),
            None => tested.is_true(),
        };
        if holds == keeps {
            kept.push(item)?;
        }
    }
    kept.into_generator()
}
