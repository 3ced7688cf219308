//! Checks the inputs of a run against the app's form, with Dify's rules and messages.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

use super::run_files::{RunFiles, list_limit, upload_feature};
use crate::domain::{
    Code, Error, Result,
    app::{
        Definition,
        form::{FormVariable, VariableKind, is_truthy},
    },
    error::Detail,
    file::input::FileRule,
};

/// The kind of a detail about an input that is missing.
const MISSING: &str = "missing";

/// The values of the form's variables: other inputs are dropped, defaults are added, text is converted to the type of
/// its variable, files are resolved, and NUL characters are removed.
///
/// Variables are checked in the order of the form, and every failure is in the error's details. Its code is that of the
/// first failure: `input_required`, whose message names every missing variable, or `invalid_param`.
pub(crate) fn checked_inputs(
    definition: &Definition,
    mut given: Map<String, Value>,
    files: &RunFiles,
) -> Result<Map<String, Value>> {
    let variables = definition.variables();
    let is_required = |name: &str| variables.iter().any(|other| other.name == name && other.is_required());
    let mut inputs = Map::with_capacity(variables.len());
    let mut failures = Vec::new();
    for variable in &variables {
        if inputs.contains_key(variable.name) {
            continue;
        }
        let value = match given.shift_remove(variable.name) {
            None | Some(Value::Null) if is_required(variable.name) => {
                failures.push(missing(variable.name));
                Value::Null
            }
            value => {
                let value = value.filter(|value| !value.is_null()).unwrap_or_else(|| default(variable));
                checked(variable, value, files).unwrap_or_else(|detail| {
                    failures.push(detail);
                    Value::Null
                })
            }
        };
        inputs.insert(variable.name.to_owned(), without_nul(value));
    }
    if failures.is_empty() { Ok(inputs) } else { Err(rejected(failures)) }
}

/// The files of a run besides its inputs. An app that takes none ignores them, as Dify does.
pub(crate) fn checked_files(
    definition: &Definition,
    given: &[Map<String, Value>],
    files: &RunFiles,
) -> Result<Vec<Value>> {
    let Some((rule, limit)) = upload_feature(definition, files.max_files) else { return Ok(Vec::new()) };
    let detail = |loc: Vec<String>, msg: String| Detail { kind: "value_error", loc, msg };
    if given.len() as u64 > limit {
        let msg = format!("files must be at most {limit} files");
        return Err(rejected(vec![detail(vec!["body".to_owned(), "files".to_owned()], msg)]));
    }
    let (mut values, mut failures) = (Vec::with_capacity(given.len()), Vec::new());
    for (at, file) in given.iter().enumerate() {
        match files.value(&rule, file) {
            Ok(value) => values.push(value),
            Err(what) => {
                let loc = vec!["body".to_owned(), "files".to_owned(), at.to_string()];
                failures.push(detail(loc, format!("files[{at}] {what}")));
            }
        }
    }
    if failures.is_empty() { Ok(values) } else { Err(rejected(failures)) }
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

fn checked(variable: &FormVariable<'_>, value: Value, files: &RunFiles) -> Result<Value, Detail> {
    if value.is_null() {
        return Ok(value);
    }
    match variable.kind {
        VariableKind::TextInput | VariableKind::Paragraph => text(variable, value),
        VariableKind::Select => option(variable, value),
        VariableKind::Number => number(variable, value),
        VariableKind::Checkbox => flag(variable, &value),
        VariableKind::File => file(variable, &value, files),
        VariableKind::FileList => file_list(variable, &value, files),
        VariableKind::JsonObject => object(variable, value),
    }
}

fn text(variable: &FormVariable<'_>, value: Value) -> Result<Value, Detail> {
    let Value::String(text) = &value else { return Err(not_a_string(variable)) };
    match variable.max_length() {
        Some(max) if text.chars().count() as u64 > max => {
            Err(invalid(variable, format_args!("must be less than {max} characters")))
        }
        _ => Ok(value),
    }
}

fn option(variable: &FormVariable<'_>, value: Value) -> Result<Value, Detail> {
    let Value::String(text) = &value else { return Err(not_a_string(variable)) };
    let options = variable.options();
    if options.contains(&text.as_str()) {
        return Ok(value);
    }
    let known = options.into_iter().map(as_python_writes).collect::<Vec<_>>().join(", ");
    Err(invalid(variable, format_args!("must be one of the following: [{known}]")))
}

fn number(variable: &FormVariable<'_>, value: Value) -> Result<Value, Detail> {
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

fn flag(variable: &FormVariable<'_>, value: &Value) -> Result<Value, Detail> {
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

fn file(variable: &FormVariable<'_>, value: &Value, files: &RunFiles) -> Result<Value, Detail> {
    match value {
        Value::Object(members) => {
            files.value(&FileRule::of(variable.row), members).map_err(|what| invalid(variable, what))
        }
        Value::String(text) if text.is_empty() && !variable.is_required() => Ok(Value::Null),
        _ => Err(invalid(variable, "must be a file")),
    }
}

fn file_list(variable: &FormVariable<'_>, value: &Value, files: &RunFiles) -> Result<Value, Detail> {
    let items = match value {
        Value::Array(items) if items.iter().all(Value::is_object) => items,
        Value::String(text) if text.is_empty() && !variable.is_required() => return Ok(Value::Null),
        _ => return Err(invalid(variable, "must be a list of files")),
    };
    let max = list_limit(variable, files.max_files);
    if items.len() as u64 > max {
        return Err(invalid(variable, format_args!("must be less than {max} files")));
    }
    let rule = FileRule::of(variable.row);
    let values = items.iter().filter_map(Value::as_object).enumerate().map(|(at, members)| {
        files.value(&rule, members).map_err(|what| invalid(variable, format_args!("{what} (file {})", at + 1)))
    });
    values.collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn object(variable: &FormVariable<'_>, value: Value) -> Result<Value, Detail> {
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

/// The error of several failures; there is at least one.
fn rejected(failures: Vec<Detail>) -> Error {
    let is_missing = |failure: &&Detail| failure.kind == MISSING;
    let error = match failures.first() {
        Some(first) if first.kind == MISSING => {
            let names: Vec<_> =
                failures.iter().filter(is_missing).filter_map(|missing| missing.loc.last().cloned()).collect();
            let verb = if names.len() == 1 { "is" } else { "are" };
            Error::new(Code::InputRequired, format!("{} {verb} required in input form", names.join(", ")))
                .with_hint("GET /openapi/v1/apps/{id}/describe shows the app's input_schema.")
        }
        first => Error::new(Code::InvalidParam, first.map(|first| first.msg.clone()).unwrap_or_default()),
    };
    failures.into_iter().fold(error, Error::with_detail)
}

fn missing(name: &str) -> Detail {
    Detail { kind: MISSING, loc: place(name), msg: format!("{name} is required in input form") }
}

fn not_a_string(variable: &FormVariable<'_>) -> Detail {
    let FormVariable { name, kind, .. } = variable;
    refused(name, format!("(type '{}') {name} in input form must be a string", kind.as_str()))
}

fn invalid(variable: &FormVariable<'_>, what: impl std::fmt::Display) -> Detail {
    refused(variable.name, format!("{} in input form {what}", variable.name))
}

fn refused(name: &str, msg: String) -> Detail {
    Detail { kind: "value_error", loc: place(name), msg }
}

fn place(name: &str) -> Vec<String> {
    ["body", "inputs", name].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests;
