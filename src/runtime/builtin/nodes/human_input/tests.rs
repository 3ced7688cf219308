use std::sync::Arc;

use serde_json::Map;

use super::*;
use crate::runtime::builtin::{
    graph::node_data::data_error,
    variables::pool::{SystemVariables, VariablePool},
};

fn map(value: Value) -> JsonObject {
    let Value::Object(members) = value else { panic!("{value} is not an object") };
    members
}

fn data(value: Value) -> HumanInputNodeData {
    serde_json::from_value(value).unwrap()
}

/// The form with the variables `n.name` and `n.count`.
fn form(value: Value) -> Result<HumanForm, Box<NodeError>> {
    let mut pool = VariablePool::new(SystemVariables::default(), Map::new(), Map::new(), (1 << 16, 1 << 20));
    pool.set(VariablePool::ROOT, &"n".into(), Arc::new(map(json!({"name": "Ann", "count": 2})))).unwrap();
    data(value).form(pool.view(VariablePool::ROOT), 80)
}

#[test]
fn content_has_the_values_of_variables_and_the_places_of_inputs() {
    let content = |text: &str| form(json!({"form_content": text})).map(|form| form.form_content);
    assert_eq!(content("Hi {{#n.name#}}, {{#$output.note#}}").unwrap(), "Hi Ann, {{#$output.note#}}");
    assert_eq!(content("{{#n.count#}} of {{#n.other#}}").unwrap(), "2 of ", "a missing value is empty");
    assert_eq!(content(&"x".repeat(81)).unwrap_err().kind, "TextTooLong");
    assert_eq!(content("").unwrap(), "");
}

#[test]
fn defaults_are_those_of_variables() {
    let input =
        |name: &str, default: Value| json!({"type": "paragraph", "output_variable_name": name, "default": default});
    let form = form(json!({"inputs": [
        input("a", json!({"type": "variable", "selector": ["n", "name"], "value": "unused"})),
        input("b", json!({"type": "variable", "selector": ["n", "other"]})),
        input("c", json!({"type": "constant", "value": "x"})),
        input("d", json!(null)),
    ]}))
    .unwrap();
    assert_eq!(form.resolved_default_values, map(json!({"a": "Ann"})));
    assert_eq!(form.inputs.iter().filter_map(input_name).collect::<Vec<_>>(), ["a", "b", "c", "d"]);
}

#[test]
fn timeout_has_a_default_and_two_units() {
    let hours = |value: Value| data(value).timeout().as_secs() / 3_600;
    assert_eq!(hours(json!({})), 36);
    assert_eq!(hours(json!({"timeout": 0})), 36);
    assert_eq!(hours(json!({"timeout": "2", "timeout_unit": "hour"})), 2);
    assert_eq!(hours(json!({"timeout": 3, "timeout_unit": "day"})), 72);
    assert_eq!(data(json!({"timeout": u64::MAX, "timeout_unit": "day"})).timeout().as_secs(), u64::MAX);
}

#[test]
fn form_is_displayed_unless_it_is_sent_by_email_only() {
    let displayed = |methods: Value| form(json!({"delivery_methods": methods})).unwrap().display_in_ui;
    let method = |kind: &str, enabled: bool| json!({"type": kind, "enabled": enabled});
    assert!(displayed(json!([])) && displayed(json!([method("email", true), method("webapp", true)])));
    assert!(!displayed(json!([method("email", true)])));
    assert!(!displayed(json!([method("email", true), method("webapp", false)])));
}

#[test]
fn faults_of_the_data_say_what_to_change() {
    let fault = |value: Value| data_error("human-input", &value).map(|error| error.to_string());
    let input = |name: &str, kind: &str| json!({"type": kind, "output_variable_name": name});
    let action = |id: &str| json!({"id": id, "title": "T"});
    for (value, expected) in [
        (json!({"inputs": [input("a", "file")]}), "text only"),
        (json!({"inputs": [input("a", "color")]}), "unknown"),
        (json!({"inputs": [input("a", "select"), input("a", "paragraph")]}), "two inputs"),
        (json!({"inputs": [{"type": "paragraph"}]}), "output_variable_name"),
        (json!({"user_actions": [action("a"), action("a")]}), "two actions"),
        (json!({"user_actions": [action("a b")]}), "letters"),
        (json!({"user_actions": [action("__timeout")]}), "letters"),
        (json!({"user_actions": [action(&"a".repeat(21))]}), "letters"),
        (json!({"timeout_unit": "week"}), "week"),
    ] {
        let fault = fault(value.clone()).unwrap_or_else(|| panic!("{value} is accepted"));
        assert!(fault.contains(expected), "{fault}");
    }
    assert_eq!(
        fault(json!({"inputs": null, "user_actions": null, "delivery_methods": null, "timeout_unit": null})),
        None
    );
}

#[test]
fn submission_gives_its_values_and_the_filled_in_text() {
    let form = form(json!({"form_content": "For {{#n.name#}}: {{#$output.note#}}{{#$output.gone#}}!",
        "user_actions": [{"id": "send", "title": "Send it"}]}))
    .unwrap();
    let outcome = submitted(&form, form.find_action("send").unwrap(), map(json!({"note": "{{#$output.note#}}"})));
    let expected = json!({"note": "{{#$output.note#}}", "__action_id": "send", "__action_value": "Send it",
        "__rendered_content": "For Ann: {{#$output.note#}}!"});
    assert_eq!(Value::Object(outcome.outputs), expected);
    assert_eq!((outcome.branch.as_deref(), outcome.inputs.len()), (Some("send"), 1));
    let late = timed_out(&form);
    let expected = json!({"__action_id": "", "__action_value": "",
        "__rendered_content": "For Ann: {{#$output.note#}}{{#$output.gone#}}!"});
    assert_eq!((Value::Object(late.outputs), late.branch.as_deref()), (expected, Some(TIMEOUT)));
}

#[test]
fn places_without_a_valid_name_stay() {
    let values = map(json!({"a": "1", "b": 2}));
    for (text, expected) in [
        ("{{#$output.a#}}{{#$output.a#}}", "11"),
        ("{{#$output.", "{{#$output."),
        ("{{#$output.a b#}} {{#$output.a#}}", "{{#$output.a b#}} 1"),
        ("{{#$output.{{#$output.a#}}", "{{#$output.1"),
        ("é{{#$output.b#}}é", "éé"),
    ] {
        assert_eq!(filled_in(text, &values), expected, "{text}");
    }
}
