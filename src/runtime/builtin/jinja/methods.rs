//! The methods of values.

mod case;
mod dict;
mod kinds;
mod list;
mod number;
mod pad;
mod search;
mod split;
mod text;

pub(super) use self::{
    case::write as case, kinds::holds as is_case, pad::aligned as pad, split::lines, text::write_replaced,
};
use super::{
    arguments::Arguments,
    error::{Result, failed},
    state::RenderState,
    value::PyValue,
};

/// Calls a method that [`super::method_names::method_of`] has found.
pub(super) fn call(state: &RenderState, receiver: &PyValue, name: &str, arguments: Arguments) -> Result<PyValue> {
    state.heap.budget().steps(1)?;
    match receiver {
        PyValue::Text(text) => text::call(state, text, name, arguments),
        PyValue::List(items) => list::call(state, items, name, arguments),
        PyValue::Tuple(_) | PyValue::Range(_) => list::search(state, receiver, name, arguments),
        PyValue::Dict(entries) => dict::call(state, entries, name, arguments),
        PyValue::Int(_) | PyValue::Bool(_) | PyValue::Float(_) => number::call(receiver, name, arguments),
        other => Err(failed(format!("'{}' object has no method '{name}'", other.type_name()))),
    }
}
