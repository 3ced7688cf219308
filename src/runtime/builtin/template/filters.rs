//! Limits the filters of minijinja that can make a large value of a small one.

use minijinja::{Environment, Error, State, Value, filters, value::Rest};

use super::weight_guard::{charge, charged, too_large};

/// Largest result of a filter, in bytes.
const MAX_RESULT: usize = 4 << 20;

/// Wraps filters in limits, and removes the filters that cannot be limited.
pub(super) fn limit(environment: &mut Environment<'_>) {
    // The wrappers call the original filters under these names.
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
                charged(value.clone())?;
            }
            charged(state.apply_filter(inner, &all)?)
        });
    }
    environment.add_filter("replace", |state: &mut State<'_, '_>, all: Rest<Value>| {
        let text = |at: usize| all.get(at).and_then(Value::as_str).unwrap_or_default();
        let (whole, from, to) = (text(0), text(1), text(2));
        let places = if from.is_empty() { whole.chars().count() + 1 } else { whole.matches(from).count() };
        charge_result(places.saturating_mul(to.len()).saturating_add(whole.len()))?;
        state.apply_filter("__replace", &all)
    });
    environment.add_filter("join", |state: &mut State<'_, '_>, all: Rest<Value>| {
        let mut length = 0_usize;
        if let Some(items) = all.first() {
            charged(items.clone())?;
            let between = all.get(1).and_then(Value::as_str).map_or(0, str::len);
            length = items.len().unwrap_or_default().saturating_mul(between);
        }
        charge_result(length)?;
        charged(state.apply_filter("__join", &all)?)
    });
    environment.add_filter("batch", |state: &mut State<'_, '_>, all: Rest<Value>| {
        charge_result(all.get(1).and_then(Value::as_usize).unwrap_or(1).saturating_mul(32))?;
        charged(state.apply_filter("__batch", &all)?)
    });
    // Their width and precision can make a large text of an empty value.
    for name in ["format", "indent", "slice", "pprint"] {
        environment.remove_filter(name);
    }
}

fn charge_result(length: usize) -> Result<(), Error> {
    if length > MAX_RESULT {
        return Err(too_large());
    }
    charge(length)
}
