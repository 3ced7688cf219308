//! A table of templates with what Jinja2 gives; a deliberate difference has a reason.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{TemplateError, rendered};
use crate::runtime::builtin::jinja::{filters, globals, method_names, predicates};

#[derive(Deserialize)]
struct Table {
    values: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    /// The output; null where Jinja2 raises.
    jinja2: Option<String>,
    /// Why the output here differs.
    reason: Option<String>,
    /// The output here, where it differs.
    here: Option<String>,
}

fn table() -> Table {
    serde_json::from_str(include_str!("../../../../../tests/jinja/cases.json")).unwrap()
}

#[test]
fn templates_give_what_jinja2_gives() {
    let Table { values, cases } = table();
    let mut differences = Vec::new();
    for case in &cases {
        let expected = if case.reason.is_some() { &case.here } else { &case.jinja2 };
        let found = rendered(&case.template, &values);
        let is_limit = matches!(found, Err(TemplateError::TooManySteps | TemplateError::TooMuchMemory));
        if is_limit || found.as_ref().ok() != expected.as_ref() {
            differences.push(format!("{}\n  expected {expected:?}\n  found    {found:?}", case.template));
        }
        if case.reason.is_some() {
            assert_ne!(case.here, case.jinja2, "{} is no difference any more", case.template);
        }
    }
    assert!(cases.len() >= 480 && differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn table_has_every_filter_test_function_and_method() {
    let all: String = table().cases.into_iter().map(|case| case.template + "\n").collect();
    let names = filters::names().map(|name| format!("|{name}"));
    let names = names.chain(globals::NAMES.into_iter().map(|name| format!("{name}(")));
    let methods = method_names::TEXT.into_iter().chain(method_names::LIST).chain(method_names::DICT);
    let names = names.chain(methods.map(|name| format!(".{name}(")));
    let tests = predicates::names().filter(|name| name.starts_with(char::is_alphabetic));
    let names = names.chain(tests.map(|name| format!("is {name}")));
    let missing: Vec<String> = names.filter(|name| !all.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Renders the table with Jinja2 itself, where `TEST_PYTHON` has it.
#[test]
fn table_is_what_jinja2_gives() {
    let Ok(python) = std::env::var("TEST_PYTHON") else { return };
    let Table { values, cases } = table();
    // The seed of the filter `random` and addresses are never part of the table.
    let templates: Vec<&str> = cases.iter().map(|case| case.template.as_str()).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/jinja/oracle.py");
    let mut child = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let request = json!({"values": values, "templates": templates}).to_string();
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "Jinja2 of tests/clients/requirements.txt is installed");
    let results = String::from_utf8(output.stdout).unwrap();
    let results: Vec<Option<String>> = results.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(results.len(), cases.len());
    for (case, result) in cases.iter().zip(results) {
        assert_eq!(case.jinja2, result, "{}", case.template);
    }
}
