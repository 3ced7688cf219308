//! The tests of Jinja2 3.1, as in `value is defined`.

use std::rc::Rc;

use super::{
    arguments::Arguments,
    arithmetic,
    compare::{compare, equal, numeric},
    error::{Result, failed},
    filters,
    iterate::Cursor,
    methods::is_case,
    repr::to_text,
    state::{Builtin, RenderState},
    syntax::{ArithmeticOperator, CompareOperator},
    value::{PyObject, PyValue},
};

/// All tests by their names.
const TESTS: [(&str, Builtin); 39] = [
    ("odd", |state, value, arguments| parity(state, value, arguments, 1)),
    ("even", |state, value, arguments| parity(state, value, arguments, 0)),
    ("divisibleby", divisible_by),
    ("defined", |_, value, arguments| plain(arguments, !value.is_undefined())),
    ("undefined", |_, value, arguments| plain(arguments, value.is_undefined())),
    ("filter", |_, value, arguments| plain(arguments, is_known(value, filters::find))),
    ("test", |_, value, arguments| plain(arguments, is_known(value, find))),
    ("none", |_, value, arguments| plain(arguments, matches!(value, PyValue::None))),
    ("boolean", |_, value, arguments| plain(arguments, matches!(value, PyValue::Bool(_)))),
    ("false", |_, value, arguments| plain(arguments, matches!(value, PyValue::Bool(false)))),
    ("true", |_, value, arguments| plain(arguments, matches!(value, PyValue::Bool(true)))),
    ("integer", |_, value, arguments| plain(arguments, matches!(value, PyValue::Int(_)))),
    ("float", |_, value, arguments| plain(arguments, matches!(value, PyValue::Float(_)))),
    ("lower", |state, value, arguments| has_case(state, value, arguments, "islower")),
    ("upper", |state, value, arguments| has_case(state, value, arguments, "isupper")),
    ("string", |_, value, arguments| plain(arguments, matches!(value, PyValue::Text(_)))),
    ("mapping", |_, value, arguments| plain(arguments, matches!(value, PyValue::Dict(_)))),
    ("number", |_, value, arguments| plain(arguments, numeric(value).is_some())),
    ("sequence", |_, value, arguments| plain(arguments, is_sequence(value))),
    ("iterable", |_, value, arguments| plain(arguments, Cursor::new(value).is_ok())),
    ("callable", |_, value, arguments| plain(arguments, is_callable(value))),
    ("sameas", same_as),
    ("escaped", |_, value, arguments| plain(arguments, matches!(value, PyValue::Text(text) if text.markup))),
    ("in", |state, value, arguments| compared(state, value, arguments, CompareOperator::In)),
    ("==", |state, value, arguments| compared(state, value, arguments, CompareOperator::Equal)),
    ("eq", |state, value, arguments| compared(state, value, arguments, CompareOperator::Equal)),
    ("equalto", |state, value, arguments| compared(state, value, arguments, CompareOperator::Equal)),
    ("!=", |state, value, arguments| compared(state, value, arguments, CompareOperator::NotEqual)),
    ("ne", |state, value, arguments| compared(state, value, arguments, CompareOperator::NotEqual)),
    (">", |state, value, arguments| compared(state, value, arguments, CompareOperator::Greater)),
    ("gt", |state, value, arguments| compared(state, value, arguments, CompareOperator::Greater)),
    ("greaterthan", |state, value, arguments| compared(state, value, arguments, CompareOperator::Greater)),
    ("ge", |state, value, arguments| compared(state, value, arguments, CompareOperator::GreaterOrEqual)),
    (">=", |state, value, arguments| compared(state, value, arguments, CompareOperator::GreaterOrEqual)),
    ("<", |state, value, arguments| compared(state, value, arguments, CompareOperator::Less)),
    ("lt", |state, value, arguments| compared(state, value, arguments, CompareOperator::Less)),
    ("lessthan", |state, value, arguments| compared(state, value, arguments, CompareOperator::Less)),
    ("<=", |state, value, arguments| compared(state, value, arguments, CompareOperator::LessOrEqual)),
    ("le", |state, value, arguments| compared(state, value, arguments, CompareOperator::LessOrEqual)),
];

/// The test of this name.
pub(super) fn find(name: &str) -> Option<Builtin> {
    TESTS.iter().find(|(known, _)| *known == name).map(|(_, test)| *test)
}

/// The names of all tests.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TESTS.iter().map(|(name, _)| *name)
}

fn plain(arguments: Arguments, holds: bool) -> Result<PyValue> {
    arguments.none("test")?;
    Ok(PyValue::Bool(holds))
}

fn is_known(name: &PyValue, find: fn(&str) -> Option<Builtin>) -> bool {
    matches!(name, PyValue::Text(name) if find(name).is_some())
}

fn rest(state: &RenderState, value: &PyValue, divisor: &PyValue) -> Result<PyValue> {
    arithmetic::apply(state, ArithmeticOperator::Modulo, value, divisor)
}

fn parity(state: &RenderState, value: &PyValue, arguments: Arguments, expected: i128) -> Result<PyValue> {
    arguments.none("test")?;
    let rest = rest(state, value, &PyValue::Int(2))?;
    equal(&state.heap, &rest, &PyValue::Int(expected)).map(PyValue::Bool)
}

fn divisible_by(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [divisor] = arguments.bind("divisibleby", ["num"], 1)?;
    let rest = rest(state, value, &divisor.unwrap_or(PyValue::None))?;
    equal(&state.heap, &rest, &PyValue::Int(0)).map(PyValue::Bool)
}

fn has_case(state: &RenderState, value: &PyValue, arguments: Arguments, name: &str) -> Result<PyValue> {
    arguments.none("test")?;
    let text = to_text(&state.heap, value)?;
    state.heap.budget().read(text.len())?;
    Ok(PyValue::Bool(is_case(&text, name)))
}

fn compared(state: &RenderState, value: &PyValue, arguments: Arguments, operator: CompareOperator) -> Result<PyValue> {
    let [other] = arguments.bind("test", [""], 1)?;
    compare(&state.heap, operator, value, &other.unwrap_or(PyValue::None)).map(PyValue::Bool)
}

fn is_sequence(value: &PyValue) -> bool {
    // Jinja2's undefined values have a length and items, too.
    matches!(
        value,
        PyValue::Undefined(_)
            | PyValue::Text(_)
            | PyValue::List(_)
            | PyValue::Tuple(_)
            | PyValue::Dict(_)
            | PyValue::Range(_)
    )
}

fn is_callable(value: &PyValue) -> bool {
    match value {
        // Jinja2's undefined values have a method that fails when they are called.
        PyValue::Undefined(_) => true,
        PyValue::Object(object) => !matches!(**object, PyObject::Cycler { .. } | PyObject::TemplateReference),
        _ => false,
    }
}

fn same_as(_: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [other] = arguments.bind("sameas", ["other"], 1)?;
    let other = other.ok_or_else(|| failed("sameas() needs the argument 'other'"))?;
    Ok(PyValue::Bool(match (value, &other) {
        (PyValue::None, PyValue::None) => true,
        (PyValue::Bool(value), PyValue::Bool(other)) => value == other,
        (PyValue::Int(value), PyValue::Int(other)) => value == other,
        (PyValue::Text(value), PyValue::Text(other)) => value.is_same(other),
        (PyValue::List(value), PyValue::List(other)) | (PyValue::Tuple(value), PyValue::Tuple(other)) => {
            Rc::ptr_eq(value, other)
        }
        (PyValue::Dict(value), PyValue::Dict(other)) | (PyValue::Namespace(value), PyValue::Namespace(other)) => {
            Rc::ptr_eq(value, other)
        }
        (PyValue::Object(value), PyValue::Object(other)) => Rc::ptr_eq(value, other),
        _ => false,
    }))
}
