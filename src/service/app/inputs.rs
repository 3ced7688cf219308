//! Checks the inputs of a run against the app's form, with Dify's rules and messages.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

use crate::domain::{
    Code, Error, Result,
    app::{
        Definition,
        form::{FormVariable, VariableKind, is_truthy},
    },
    error::Detail,
};

/// The values of the form's variables: other inputs are dropped, defaults are added, text is converted to the type of
/// its variable, and NUL characters are removed.
///
/// Fails with `input_required`, which names every missing variable, or `invalid_param` for the first value that is not
/// valid.
pub(crate) fn checked_inputs(definition: &Definition, mut given: Map<String, Value>) -> Result<Map<String, Value>> {
    let variables = definition.variables();
    let is_missing =
        |variable: &&FormVariable<'_>| variable.is_required() && given.get(variable.name).is_none_or(Value::is_null);
    let missing: Vec<_> = variables.iter().filter(is_missing).map(|variable| variable.name).collect();
    if !missing.is_empty() {
        return Err(required(&missing));
    }
    let mut inputs = Map::with_capacity(variables.len());
    for variable in &variables {
        if inputs.contains_key(variable.name) {
            continue;
        }
        let value = match given.shift_remove(variable.name) {
            None | Some(Value::Null) => default(variable),
            Some(value) => value,
        };
        inputs.insert(variable.name.to_owned(), without_nul(checked(variable, value)?));
    }
    Ok(inputs)
}

/// The value of a variable without an input. Forms store an empty text in place of a missing default.
fn default(variable: &FormVariable<'_>) -> Value {
    match (variable.kind, variable.default()) {
        (VariableKind::TextInput | VariableKind::Paragraph, Some(default)) => default.clone(),
        (_, Some(Value::String(text))) if text.is_empty() => Value::Null,
        // The editor stores the default of an object as text.
        (VariableKind::JsonObject, Some(Value::String(text))) => serde_json::from_str(text).unwrap_or_default(),
        (_, default) => default.cloned().unwrap_or_default(),
    }
}

fn checked(variable: &FormVariable<'_>, value: Value) -> Result<Value> {
    if value.is_null() {
        return Ok(value);
    }
    match variable.kind {
        VariableKind::TextInput | VariableKind::Paragraph => text(variable, value),
        VariableKind::Select => option(variable, value),
        VariableKind::Number => number(variable, value),
        VariableKind::Checkbox => flag(variable, &value),
        VariableKind::File => file(variable, value),
        VariableKind::FileList => files(variable, value),
        VariableKind::JsonObject => object(variable, value),
    }
}

fn text(variable: &FormVariable<'_>, value: Value) -> Result<Value> {
    let Value::String(text) = &value else { return Err(not_a_string(variable)) };
    match variable.max_length() {
        Some(max) if text.chars().count() as u64 > max => {
            Err(invalid(variable, format_args!("must be less than {max} characters")))
        }
        _ => Ok(value),
    }
}

fn option(variable: &FormVariable<'_>, value: Value) -> Result<Value> {
    let Value::String(text) = &value else { return Err(not_a_string(variable)) };
    let options = variable.options();
    if options.contains(&text.as_str()) {
        return Ok(value);
    }
    let known = options.into_iter().map(as_python_writes).collect::<Vec<_>>().join(", ");
    Err(invalid(variable, format_args!("must be one of the following: [{known}]")))
}

fn number(variable: &FormVariable<'_>, value: Value) -> Result<Value> {
    match &value {
        Value::Number(_) => Ok(value),
        Value::String(text) if text.trim().is_empty() => Ok(Value::Null),
        Value::String(text) => match read_number(text.trim()) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(invalid(variable, "must be a valid number")),
        },
        _ => Err(invalid(variable, "must be a valid number")),
    }
}

/// Reads an integer, or a number with a decimal point. Integers with exponents, infinities and NaN are rejected.
fn read_number(text: &str) -> Option<Number> {
    if text.contains('.') {
        // A number that is too large parses as infinity, for which `from_f64` returns `None`.
        return text.parse().ok().and_then(Number::from_f64);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = text.strip_prefix('+').unwrap_or(text);
    let exact = whole.parse::<i64>().map(Number::from).or_else(|_| whole.parse::<u64>().map(Number::from));
    exact.ok().or_else(|| whole.parse().ok().and_then(Number::from_f64))
}

fn flag(variable: &FormVariable<'_>, value: &Value) -> Result<Value> {
    let flag = match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(true),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(false),
        Value::String(text) if text.is_empty() && !variable.is_required() => return Ok(Value::Null),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    };
    flag.map(Value::Bool).ok_or_else(|| invalid(variable, "must be true or false"))
}

fn file(variable: &FormVariable<'_>, value: Value) -> Result<Value> {
    match value {
        Value::Object(_) => Ok(value),
        Value::String(text) if text.is_empty() && !variable.is_required() => Ok(Value::Null),
        _ => Err(invalid(variable, "must be a file")),
    }
}

fn files(variable: &FormVariable<'_>, value: Value) -> Result<Value> {
    let files = match &value {
        Value::Array(items) if items.iter().all(Value::is_object) => items.len() as u64,
        Value::String(text) if text.is_empty() && !variable.is_required() => return Ok(Value::Null),
        _ => return Err(invalid(variable, "must be a list of files")),
    };
    match variable.max_length() {
        Some(max) if files > max => Err(invalid(variable, format_args!("must be less than {max} files"))),
        _ => Ok(value),
    }
}

fn object(variable: &FormVariable<'_>, value: Value) -> Result<Value> {
    match value {
        Value::Object(_) => Ok(value),
        // Forms send an empty value of any type for an object without input.
        empty if !is_truthy(&empty) && !variable.is_required() => Ok(Value::Null),
        _ => Err(invalid(variable, "must be a dict")),
    }
}

/// Removes NUL characters, which PostgreSQL cannot store.
fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\0') => Value::String(text.replace('\0', "")),
        _ => value,
    }
}

/// Formats text as Python does inside a list, because Dify's messages contain such lists.
fn as_python_writes(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut written = String::with_capacity(text.len() + 2);
    written.push(quote);
    for char in text.chars() {
        match char {
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            _ if char == quote => written.extend(['\\', char]),
            _ if char.is_control() => {
                // Writing to a `String` cannot fail.
                let _ = write!(written, "\\x{:02x}", u32::from(char));
            }
            _ => written.push(char),
        }
    }
    written.push(quote);
    written
}

fn required(names: &[&str]) -> Error {
    let verb = if names.len() == 1 { "is" } else { "are" };
    let error = Error::new(Code::InputRequired, format!("{} {verb} required in input form", names.join(", ")))
        .with_hint("GET /openapi/v1/apps/{id}/describe shows the app's input_schema.");
    names.iter().fold(error, |error, name| {
        error.with_detail(Detail {
            kind: "missing",
            loc: place(name),
            msg: format!("{name} is required in input form"),
        })
    })
}

fn not_a_string(variable: &FormVariable<'_>) -> Error {
    let FormVariable { name, kind, .. } = variable;
    refused(name, format!("(type '{}') {name} in input form must be a string", kind.as_str()))
}

fn invalid(variable: &FormVariable<'_>, what: impl std::fmt::Display) -> Error {
    refused(variable.name, format!("{} in input form {what}", variable.name))
}

fn refused(name: &str, message: String) -> Error {
    let detail = Detail { kind: "value_error", loc: place(name), msg: message.clone() };
    Error::new(Code::InvalidParam, message).with_detail(detail)
}

fn place(name: &str) -> Vec<String> {
    ["body", "inputs", name].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests;
