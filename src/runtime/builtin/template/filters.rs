//! The engine's filters that could make much of little, each with a bound.

use minijinja::{Environment, Error, ErrorKind, State, Value, filters, value::Rest};

use super::guard;

/// The most a filter may make of what it is given, in bytes.
const MADE_MAX: usize = 4 << 20;

/// Puts bounds around filters, and takes away those that nothing can be put around.
pub(super) fn bind(environment: &mut Environment<'_>) {
    // Each keeps its work under another name, and what it made is weighed.
    environment.add_filter("__replace", filters::replace);
    environment.add_filter("__join", filters::join);
    environment.add_filter("__tojson", filters::tojson);
    environment.add_filter("__urlencode", filters::urlencode);
    environment.add_filter("__list", filters::list);
    environment.add_filter("__string", filters::string);
    environment.add_filter("__batch", filters::batch);
    for (name, inner) in
        [("tojson", "__tojson"), ("urlencode", "__urlencode"), ("list", "__list"), ("string", "__string")]
    {
        environment.add_filter(name, move |state: &mut State<'_, '_>, all: Rest<Value>| {
            if let Some(value) = all.first() {
                guard::bounded(value.clone())?;
            }
            guard::bounded(state.apply_filter(inner, &all)?)
        });
    }
    environment.add_filter("replace", |state: &mut State<'_, '_>, all: Rest<Value>| {
        let text = |at: usize| all.get(at).and_then(Value::as_str).unwrap_or_default();
        let (whole, from, to) = (text(0), text(1), text(2));
        let places = if from.is_empty() { whole.chars().count() + 1 } else { whole.matches(from).count() };
        fits(places.saturating_mul(to.len()).saturating_add(whole.len()))?;
        state.apply_filter("__replace", &all)
    });
    environment.add_filter("join", |state: &mut State<'_, '_>, all: Rest<Value>| {
        let mut length = 0_usize;
        if let Some(items) = all.first() {
            guard::bounded(items.clone())?;
            let between = all.get(1).and_then(Value::as_str).map_or(0, str::len);
            length = items.len().unwrap_or_default().saturating_mul(between);
        }
        fits(length)?;
        guard::bounded(state.apply_filter("__join", &all)?)
    });
    environment.add_filter("batch", |state: &mut State<'_, '_>, all: Rest<Value>| {
        fits(all.get(1).and_then(Value::as_usize).unwrap_or(1).saturating_mul(32))?;
        guard::bounded(state.apply_filter("__batch", &all)?)
    });
    // A width or a precision makes any text of nothing.
    for name in ["format", "indent", "slice", "pprint"] {
        environment.remove_filter(name);
    }
}

fn fits(length: usize) -> Result<(), Error> {
    if length > MADE_MAX {
        return Err(Error::new(ErrorKind::InvalidOperation, "the template creates a value that is too large"));
    }
    guard::charge(length)
}
