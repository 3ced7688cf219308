//! Methods of numbers.

use crate::runtime::builtin::{
    jinja::arguments::Arguments,
    jinja::arithmetic::sign,
    jinja::compare::{Numeric, numeric},
    jinja::error::{Result, failed},
    jinja::value::PyValue,
};

pub(super) fn call(receiver: &PyValue, name: &str, arguments: Arguments) -> Result<PyValue> {
    arguments.none(name)?;
    match (name, numeric(receiver)) {
        ("conjugate", _) => sign(receiver, false),
        ("is_integer", Some(Numeric::Float(number))) => Ok(PyValue::Bool(number.is_finite() && number.fract() == 0.0)),
        ("bit_length", Some(Numeric::Int(number))) => {
            Ok(PyValue::Int((128 - number.unsigned_abs().leading_zeros()).into()))
        }
        ("bit_count", Some(Numeric::Int(number))) => Ok(PyValue::Int(number.unsigned_abs().count_ones().into())),
        _ => Err(failed(format!("'{}' object has no method '{name}'", receiver.type_name()))),
    }
}
