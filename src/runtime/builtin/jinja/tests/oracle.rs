//! A table of templates with what Jinja2 gives; a deliberate difference has a reason.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{TemplateError, rendered};
use crate::runtime::builtin::jinja::{check, filters, globals, method_names, predicates};

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

/// Prints every name that Jinja2 and the types of JSON have in Python.
const NAMES: &str = "
import json, jinja2.defaults as d
members = lambda value: [name for name in dir(value) if not name.startswith('_')]
literals = {repr(value): members(value) for value in ('', [], (), {}, 1, 1.5, True)}
names = {'filters': [*d.DEFAULT_FILTERS], 'tests': [*d.DEFAULT_TESTS], 'functions': [*d.DEFAULT_NAMESPACE]}
print(json.dumps({**names, 'members': literals}))
";

/// Whether templates that contain this are refused at import with a message that names it.
fn is_refused(template: &str, name: &str) -> bool {
    let named = format!("'{name}'");
    matches!(check(template), Err(TemplateError::Unsupported { message, .. }) if message.contains(&named))
}

#[test]
fn every_name_of_jinja2_is_offered_or_refused_by_name() {
    let Ok(python) = std::env::var("TEST_PYTHON") else { return };
    let output = Command::new(python).args(["-c", NAMES]).output().unwrap();
    let names: Value = serde_json::from_slice(&output.stdout).unwrap();
    let listed = |kind: &str| names[kind].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let (all_filters, all_tests, functions): (Vec<_>, Vec<_>, Vec<_>) =
        (listed("filters"), listed("tests"), listed("functions"));
    assert!(all_filters.len() >= 50 && all_tests.len() >= 35 && functions.len() >= 6);
    let mut missing: Vec<String> = Vec::new();
    missing.extend(all_filters.into_iter().filter(|name| filters::names().all(|known| known != *name)).map(Into::into));
    missing
        .extend(all_tests.into_iter().filter(|name| predicates::names().all(|known| known != *name)).map(Into::into));
    let is_function = |name: &str| globals::NAMES.contains(&name) || is_refused(&format!("{{{{ {name}() }}}}"), name);
    missing.extend(functions.into_iter().filter(|name| !is_function(name)).map(Into::into));
    for (literal, members) in names["members"].as_object().unwrap() {
        for name in members.as_array().unwrap().iter().map(|name| name.as_str().unwrap()) {
            let is_offered = rendered(&format!("{{{{ ({literal}).{name} is defined }}}}"), &json!({}));
            if is_offered.as_deref() != Ok("True") && !is_refused(&format!("{{{{ ({literal}).{name}() }}}}"), name) {
                missing.push(format!("({literal}).{name}"));
            }
        }
    }
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
