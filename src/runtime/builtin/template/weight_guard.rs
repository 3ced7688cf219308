//! Limits the memory of a rendering: weighs values, and subtracts their weights from what the rendering may still use.

use std::cell::Cell;

use minijinja::{Error, ErrorKind, Value, value::ValueKind};

/// Largest weight of one value.
const MAX_VALUE: usize = 4 << 20;
/// Weight of a value besides its text.
const SLOT: usize = 32;
/// Deepest nesting of a value.
const MAX_DEPTH: usize = 64;

thread_local! {
    /// The weight that the rendering on this thread may still use, in bytes.
    static REMAINING: Cell<usize> = const { Cell::new(0) };
    /// The length of its template, in bytes.
    static SOURCE_LENGTH: Cell<usize> = const { Cell::new(0) };
}

/// Sets the limits for a rendering that starts on this thread: the template's length, and the total weight of the values
/// that it may name, write and repeat.
pub(super) fn start(source_length: usize, max_weight: usize) {
    REMAINING.set(max_weight);
    SOURCE_LENGTH.set(source_length);
}

/// Subtracts a weight from the remaining weight.
pub(super) fn charge(weight: usize) -> Result<(), Error> {
    match REMAINING.get().checked_sub(weight) {
        Some(remaining) => {
            REMAINING.set(remaining);
            Ok(())
        }
        None => Err(too_large()),
    }
}

/// The filter that instrumented templates call: charges the value, and the text between this call and the next one.
/// Writes nothing.
pub(super) fn weigh_filter(value: Value) -> Result<String, Error> {
    charge(SOURCE_LENGTH.get())?;
    charged(value)?;
    Ok(String::new())
}

/// Returns the value after charging it; fails when it is too large.
pub(super) fn charged(value: Value) -> Result<Value, Error> {
    let mut weight = 0;
    add(&value, &mut weight, 0)?;
    charge(weight)?;
    Ok(value)
}

fn add(value: &Value, weight: &mut usize, depth: usize) -> Result<(), Error> {
    *weight += SLOT + value.as_str().map_or(0, str::len);
    if *weight > MAX_VALUE || depth > MAX_DEPTH {
        return Err(too_large());
    }
    if matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::Iterable) {
        for item in value.try_iter()? {
            add(&item, weight, depth + 1)?;
            if value.kind() == ValueKind::Map {
                add(&value.get_item(&item)?, weight, depth + 1)?;
            }
        }
    }
    Ok(())
}

/// The error for a value that exceeds a limit.
pub(super) fn too_large() -> Error {
    Error::new(ErrorKind::InvalidOperation, "the template creates a value that is too large")
}
