//! Python's `==`, `<` and `in`.

use std::{cmp::Ordering, rc::Rc};

use super::{
    error::{Result, TemplateError, failed},
    heap::Heap,
    iterate::Cursor,
    key::whole,
    limits::MAX_VALUE_DEPTH,
    syntax::CompareOperator,
    value::{Entries, Items, PyValue},
};

/// Applies one operator.
pub(super) fn compare(heap: &Heap, operator: CompareOperator, left: &PyValue, right: &PyValue) -> Result<bool> {
    match operator {
        CompareOperator::Equal => equal(heap, left, right),
        CompareOperator::NotEqual => equal(heap, left, right).map(|equal| !equal),
        CompareOperator::In => contains(heap, right, left),
        CompareOperator::NotIn => contains(heap, right, left).map(|found| !found),
        CompareOperator::Less => ordered(heap, left, right, "<").map(|order| order == Some(Ordering::Less)),
        CompareOperator::Greater => ordered(heap, left, right, ">").map(|order| order == Some(Ordering::Greater)),
        CompareOperator::LessOrEqual => {
            ordered(heap, left, right, "<=").map(|order| matches!(order, Some(Ordering::Less | Ordering::Equal)))
        }
        CompareOperator::GreaterOrEqual => {
            ordered(heap, left, right, ">=").map(|order| matches!(order, Some(Ordering::Greater | Ordering::Equal)))
        }
    }
}

/// A number of any type.
#[derive(Clone, Copy)]
pub(super) enum Numeric {
    Int(i128),
    Float(f64),
}

pub(super) fn numeric(value: &PyValue) -> Option<Numeric> {
    match value {
        PyValue::Bool(truth) => Some(Numeric::Int((*truth).into())),
        PyValue::Int(number) => Some(Numeric::Int(*number)),
        PyValue::Float(number) => Some(Numeric::Float(*number)),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "only the order beside a fraction matters")]
fn numeric_order(left: Numeric, right: Numeric) -> Option<Ordering> {
    match (left, right) {
        (Numeric::Int(left), Numeric::Int(right)) => Some(left.cmp(&right)),
        (Numeric::Float(left), Numeric::Float(right)) => left.partial_cmp(&right),
        (Numeric::Int(left), Numeric::Float(right)) => match whole(right) {
            Some(right) => Some(left.cmp(&right)),
            None => (left as f64).partial_cmp(&right),
        },
        (Numeric::Float(_), Numeric::Int(_)) => numeric_order(right, left).map(Ordering::reverse),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as Python converts integers to floats")]
pub(super) fn float(number: Numeric) -> f64 {
    match number {
        Numeric::Int(number) => number as f64,
        Numeric::Float(number) => number,
    }
}

pub(super) fn equal(heap: &Heap, left: &PyValue, right: &PyValue) -> Result<bool> {
    equal_at(heap, left, right, 0)
}

fn equal_at(heap: &Heap, left: &PyValue, right: &PyValue, depth: usize) -> Result<bool> {
    heap.budget().steps(1)?;
    if depth > MAX_VALUE_DEPTH {
        return Err(TemplateError::TooDeep);
    }
    if let (Some(left), Some(right)) = (numeric(left), numeric(right)) {
        return Ok(numeric_order(left, right) == Some(Ordering::Equal));
    }
    Ok(match (left, right) {
        (PyValue::Undefined(_), PyValue::Undefined(_)) | (PyValue::None, PyValue::None) => true,
        (PyValue::Text(left), PyValue::Text(right)) => {
            heap.budget().read(left.len().min(right.len()))?;
            **left == **right
        }
        (PyValue::List(left), PyValue::List(right)) | (PyValue::Tuple(left), PyValue::Tuple(right)) => {
            Rc::ptr_eq(left, right) || equal_items(heap, left, right, depth)?
        }
        (PyValue::Dict(left), PyValue::Dict(right)) => {
            Rc::ptr_eq(left, right) || equal_entries(heap, left, right, depth)?
        }
        (PyValue::Range(left), PyValue::Range(right)) => left == right,
        (PyValue::Namespace(left), PyValue::Namespace(right)) => Rc::ptr_eq(left, right),
        (PyValue::Generator(left), PyValue::Generator(right)) => Rc::ptr_eq(left, right),
        (PyValue::Object(left), PyValue::Object(right)) => Rc::ptr_eq(left, right),
        _ => false,
    })
}

fn equal_items(heap: &Heap, left: &Items, right: &Items, depth: usize) -> Result<bool> {
    let (left, right) = (left.items.borrow(), right.items.borrow());
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter().zip(right.iter()) {
        if !equal_at(heap, left, right, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_entries(heap: &Heap, left: &Entries, right: &Entries, depth: usize) -> Result<bool> {
    let (left, right) = (left.0.borrow(), right.0.borrow());
    if left.len() != right.len() {
        return Ok(false);
    }
    for (key, value) in left.iter() {
        let Some(other) = right.get(key) else { return Ok(false) };
        if !equal_at(heap, value, other, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The order of two values; `None` beside a NaN. `operator` is for the message.
pub(super) fn ordered(heap: &Heap, left: &PyValue, right: &PyValue, operator: &str) -> Result<Option<Ordering>> {
    ordered_at(heap, left, right, operator, 0)
}

fn ordered_at(heap: &Heap, left: &PyValue, right: &PyValue, operator: &str, depth: usize) -> Result<Option<Ordering>> {
    heap.budget().steps(1)?;
    if depth > MAX_VALUE_DEPTH {
        return Err(TemplateError::TooDeep);
    }
    if let (Some(left), Some(right)) = (numeric(left), numeric(right)) {
        return Ok(numeric_order(left, right));
    }
    match (left, right) {
        (PyValue::Undefined(message), _) | (_, PyValue::Undefined(message)) => Err(failed(&**message)),
        (PyValue::Text(left), PyValue::Text(right)) => {
            heap.budget().read(left.len().min(right.len()))?;
            Ok(Some((**left).cmp(&**right)))
        }
        (PyValue::List(left), PyValue::List(right)) | (PyValue::Tuple(left), PyValue::Tuple(right)) => {
            let (left, right) = (left.items.borrow(), right.items.borrow());
            for (left, right) in left.iter().zip(right.iter()) {
                if !equal_at(heap, left, right, depth + 1)? {
                    return ordered_at(heap, left, right, operator, depth + 1);
                }
            }
            Ok(Some(left.len().cmp(&right.len())))
        }
        _ => Err(failed(format!(
            "'{operator}' not supported between instances of '{}' and '{}'",
            left.type_name(),
            right.type_name()
        ))),
    }
}

/// `item in container`.
pub(super) fn contains(heap: &Heap, container: &PyValue, item: &PyValue) -> Result<bool> {
    match (container, item) {
        (PyValue::Text(text), PyValue::Text(part)) => {
            heap.budget().read(text.len())?;
            Ok(text.contains(&**part))
        }
        (PyValue::Text(_), other) => {
            let kind = other.type_name();
            Err(failed(format!("'in <string>' requires string as left operand, not {kind}")))
        }
        (PyValue::Dict(entries) | PyValue::View(super::value::DictView::Keys, entries), item) => {
            Ok(entries.0.borrow().contains_key(&heap.key(item)?))
        }
        (PyValue::Range(range), PyValue::Int(number)) => Ok(number.checked_sub(range.start).is_some_and(|offset| {
            let index = offset.checked_div(range.step).and_then(|index| usize::try_from(index).ok());
            offset % range.step == 0 && index.is_some_and(|index| index < range.len)
        })),
        (container, item) => {
            let mut cursor = Cursor::new(container).map_err(|error| match container {
                PyValue::None | PyValue::Bool(_) | PyValue::Int(_) | PyValue::Float(_) => {
                    failed(format!("argument of type '{}' is not iterable", container.type_name()))
                }
                _ => error,
            })?;
            while let Some(other) = cursor.next(heap)? {
                if equal(heap, &other, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}
