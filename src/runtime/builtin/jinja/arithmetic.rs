//! Python's `+ - * / // % **` and `~`. Integers whose results exceed 127 bits are errors.

use super::{
    compare::{Numeric, float, numeric},
    error::{Result, TemplateError, failed},
    format::printf,
    heap::Heap,
    iterate::Cursor,
    markup::escape,
    repr::write_str,
    state::RenderState,
    syntax::ArithmeticOperator,
    value::PyValue,
};

pub(super) fn apply(
    state: &RenderState,
    operator: ArithmeticOperator,
    left: &PyValue,
    right: &PyValue,
) -> Result<PyValue> {
    state.heap.budget().steps(1)?;
    if let PyValue::Undefined(message) = left {
        return Err(failed(&**message));
    }
    if let (ArithmeticOperator::Modulo, PyValue::Text(format)) = (operator, left) {
        return printf::format(state, format, right).map(PyValue::Text);
    }
    if let PyValue::Undefined(message) = right {
        return Err(failed(&**message));
    }
    if let (Some(left), Some(right)) = (numeric(left), numeric(right)) {
        return match (left, right) {
            (Numeric::Int(left), Numeric::Int(right)) => integers(operator, left, right),
            (left, right) => floats(operator, float(left), float(right)).map(PyValue::Float),
        };
    }
    match operator {
        ArithmeticOperator::Add => add(state, left, right),
        ArithmeticOperator::Multiply => match (left, right) {
            (value, PyValue::Int(_) | PyValue::Bool(_)) => repeat(&state.heap, value, right),
            (PyValue::Int(_) | PyValue::Bool(_), value) => repeat(&state.heap, value, left),
            _ => Err(unsupported(operator, left, right)),
        },
        _ => Err(unsupported(operator, left, right)),
    }
}

pub(super) fn too_large() -> TemplateError {
    failed("the integer is too large here; the most are 38 digits")
}

fn integers(operator: ArithmeticOperator, left: i128, right: i128) -> Result<PyValue> {
    let result = match operator {
        ArithmeticOperator::Add => left.checked_add(right),
        ArithmeticOperator::Subtract => left.checked_sub(right),
        ArithmeticOperator::Multiply => left.checked_mul(right),
        ArithmeticOperator::Divide | ArithmeticOperator::FloorDivide | ArithmeticOperator::Modulo if right == 0 => {
            return Err(failed("division by zero"));
        }
        ArithmeticOperator::Divide => {
            let (left, right) = (float(Numeric::Int(left)), float(Numeric::Int(right)));
            return floats(operator, left, right).map(PyValue::Float);
        }
        ArithmeticOperator::FloorDivide => left
            .checked_div(right)
            .map(|quotient| quotient - i128::from(left % right != 0 && (left < 0) != (right < 0))),
        ArithmeticOperator::Modulo => {
            left.checked_rem(right).map(|rest| if rest != 0 && (rest < 0) != (right < 0) { rest + right } else { rest })
        }
        ArithmeticOperator::Power if right < 0 => {
            let (left, right) = (float(Numeric::Int(left)), float(Numeric::Int(right)));
            return floats(operator, left, right).map(PyValue::Float);
        }
        ArithmeticOperator::Power => match left {
            0 | 1 => Some(if right == 0 { 1 } else { left }),
            -1 => Some(if right % 2 == 0 { 1 } else { -1 }),
            _ => u32::try_from(right).ok().and_then(|right| left.checked_pow(right)),
        },
    };
    result.map(PyValue::Int).ok_or_else(too_large)
}

fn floats(operator: ArithmeticOperator, left: f64, right: f64) -> Result<f64> {
    Ok(match operator {
        ArithmeticOperator::Add => left + right,
        ArithmeticOperator::Subtract => left - right,
        ArithmeticOperator::Multiply => left * right,
        ArithmeticOperator::Divide | ArithmeticOperator::FloorDivide | ArithmeticOperator::Modulo if right == 0.0 => {
            return Err(failed("float division by zero"));
        }
        ArithmeticOperator::Divide => left / right,
        ArithmeticOperator::FloorDivide => (left / right).floor(),
        ArithmeticOperator::Modulo => {
            let rest = left % right;
            if rest != 0.0 && (rest < 0.0) != (right < 0.0) { rest + right } else { rest }
        }
        ArithmeticOperator::Power => {
            if left == 0.0 && right < 0.0 {
                return Err(failed("0.0 cannot be raised to a negative power"));
            }
            let power = left.powf(right);
            if power.is_nan() && !left.is_nan() && !right.is_nan() {
                return Err(failed("complex numbers are not offered"));
            }
            if power.is_infinite() && left.is_finite() && right.is_finite() {
                return Err(failed("Numerical result out of range"));
            }
            power
        }
    })
}

fn add(state: &RenderState, left: &PyValue, right: &PyValue) -> Result<PyValue> {
    let heap = &state.heap;
    match (left, right) {
        (PyValue::Text(first), PyValue::Text(second)) => {
            let markup = first.markup || second.markup;
            let mut out = heap.builder();
            for text in [first, second] {
                if markup && !text.markup { escape(&mut out, text)? } else { out.push_str(text)? }
            }
            Ok(PyValue::Text(out.finish()?.marked(markup)))
        }
        (PyValue::List(first), PyValue::List(second)) => {
            heap.reserve_items(first.len() + second.len())?;
            let items = first.items.borrow().iter().chain(second.items.borrow().iter()).cloned().collect();
            heap.items(items, false).map(PyValue::List)
        }
        (PyValue::Tuple(first), PyValue::Tuple(second)) => {
            heap.reserve_items(first.len() + second.len())?;
            let items = first.items.borrow().iter().chain(second.items.borrow().iter()).cloned().collect();
            heap.items(items, false).map(PyValue::Tuple)
        }
        (PyValue::Text(_), other) => {
            Err(failed(format!("can only concatenate str (not \"{}\") to str", other.type_name())))
        }
        (PyValue::List(_), other) => {
            Err(failed(format!("can only concatenate list (not \"{}\") to list", other.type_name())))
        }
        _ => Err(unsupported(ArithmeticOperator::Add, left, right)),
    }
}

fn repeat(heap: &Heap, value: &PyValue, times: &PyValue) -> Result<PyValue> {
    let times = match times {
        PyValue::Int(times) => usize::try_from((*times).max(0)).unwrap_or(usize::MAX),
        other => usize::from(other.is_true()),
    };
    match value {
        PyValue::Text(text) => {
            let mut out = heap.builder();
            out.repeat(text, times)?;
            Ok(PyValue::Text(out.finish()?.marked(text.markup)))
        }
        PyValue::List(items) | PyValue::Tuple(items) => {
            let length = items.len();
            heap.reserve_items(length.saturating_mul(times))?;
            let source = items.items.borrow();
            let mut repeated = Vec::with_capacity(length.saturating_mul(times));
            if length > 0 {
                for _ in 0..times {
                    repeated.extend(source.iter().cloned());
                }
            }
            let repeated = heap.items(repeated, false)?;
            Ok(if matches!(value, PyValue::List(_)) { PyValue::List(repeated) } else { PyValue::Tuple(repeated) })
        }
        other => Err(failed(format!("can't multiply sequence by non-int of type '{}'", other.type_name()))),
    }
}

fn unsupported(operator: ArithmeticOperator, left: &PyValue, right: &PyValue) -> TemplateError {
    let symbol = match operator {
        ArithmeticOperator::Add => "+",
        ArithmeticOperator::Subtract => "-",
        ArithmeticOperator::Multiply => "*",
        ArithmeticOperator::Divide => "/",
        ArithmeticOperator::FloorDivide => "//",
        ArithmeticOperator::Modulo => "%",
        ArithmeticOperator::Power => "** or pow()",
    };
    let (left, right) = (left.type_name(), right.type_name());
    failed(format!("unsupported operand type(s) for {symbol}: '{left}' and '{right}'"))
}

/// `-value` or `+value`.
pub(super) fn sign(value: &PyValue, negative: bool) -> Result<PyValue> {
    match (value, numeric(value)) {
        (PyValue::Undefined(message), _) => Err(failed(&**message)),
        (_, Some(Numeric::Int(number))) if negative => number.checked_neg().map(PyValue::Int).ok_or_else(too_large),
        (_, Some(Numeric::Int(number))) => Ok(PyValue::Int(number)),
        (_, Some(Numeric::Float(number))) => Ok(PyValue::Float(if negative { -number } else { number })),
        _ => {
            let symbol = if negative { '-' } else { '+' };
            Err(failed(format!("bad operand type for unary {symbol}: '{}'", value.type_name())))
        }
    }
}

/// The operands of `~` as one text.
pub(super) fn concat(state: &RenderState, values: &[PyValue]) -> Result<PyValue> {
    let markup =
        state.autoescape.get() && values.iter().any(|value| matches!(value, PyValue::Text(text) if text.markup));
    let mut out = state.heap.builder();
    for value in values {
        match value {
            PyValue::Text(text) if markup && !text.markup => escape(&mut out, text)?,
            value if markup && !matches!(value, PyValue::Text(_)) => {
                let text = super::repr::to_text(&state.heap, value)?;
                escape(&mut out, &text)?;
            }
            value => write_str(&state.heap, &mut out, value)?,
        }
    }
    Ok(PyValue::Text(out.finish()?.marked(markup)))
}

/// Python's `sum(values, start)`.
pub(super) fn sum(state: &RenderState, values: &PyValue, start: PyValue) -> Result<PyValue> {
    if matches!(start, PyValue::Text(_)) {
        return Err(failed("sum() can't sum strings; use the filter 'join'"));
    }
    let mut cursor = Cursor::new(values)?;
    let mut total = start;
    while let Some(value) = cursor.next(&state.heap)? {
        total = apply(state, ArithmeticOperator::Add, &total, &value)?;
    }
    Ok(total)
}
