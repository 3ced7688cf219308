use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{as_python_writes, checked_inputs};
use crate::{
    domain::{
        Code, Error,
        app::{Definition, Workflow, form::FormVariable},
        id::WorkflowId,
    },
    service::app::{
        run_files::{FileForm, RunFiles},
        tests::model_config,
    },
};

fn graph(variables: &Value) -> Definition {
    Definition::Workflow(Box::new(Workflow {
        id: WorkflowId(uuid::Uuid::nil()),
        version: "2026-04-01 08:00:00".to_owned(),
        graph: json!({"nodes": [{"data": {"type": "end"}}, {"data": {"type": "start", "variables": variables}}]}),
        features: Value::Null,
        environment_variables: Value::Null,
        conversation_variables: Value::Null,
    }))
}

fn model(user_input_form: Value) -> Definition {
    let mut config = model_config();
    config.user_input_form = user_input_form;
    Definition::Model(Box::new(config))
}

/// The files of a caller without uploads.
fn no_uploads() -> RunFiles {
    RunFiles { form: FileForm::Forwarded, max_files: 10, known: HashMap::new() }
}

fn check(definition: &Definition, given: &Value) -> Result<Value, Error> {
    checked_inputs(definition, given.as_object().unwrap().clone(), &no_uploads()).map(Value::Object)
}

/// Checks one input against a variable with these members.
fn one(mut variable: Value, given: &Value) -> Result<Value, String> {
    variable["variable"] = "v".into();
    let definition = graph(&json!([variable]));
    match check(&definition, &json!({"v": given})) {
        Ok(mut inputs) => Ok(inputs["v"].take()),
        Err(error) => {
            assert_eq!(error.code(), Code::InvalidParam);
            assert_eq!(error.details()[0].loc, ["body", "inputs", "v"]);
            assert_eq!(error.details()[0].msg, error.message());
            Err(error.message().to_owned())
        }
    }
}

#[test]
fn error_names_every_missing_variable() {
    let definition = graph(&json!([
        {"variable": "city", "type": "text-input", "required": true, "default": "Paris"},
        {"variable": "n", "type": "number", "required": true},
        {"variable": "doc", "type": "file", "required": true},
        {"variable": "note", "type": "paragraph", "required": false},
    ]));
    let doc = json!({"transfer_method": "remote_url", "url": "https://example.com/a.pdf"});
    let error = check(&definition, &json!({"n": null, "doc": doc, "other": 1})).unwrap_err();
    assert_eq!(error.code(), Code::InputRequired);
    assert_eq!(error.message(), "city, n are required in input form");
    let places: Vec<_> = error.details().iter().map(|detail| (detail.kind, detail.loc.join("."))).collect();
    let expected = [("missing", "body.inputs.city".to_owned()), ("missing", "body.inputs.n".to_owned())];
    assert_eq!(places, expected);
    let error = check(&definition, &json!({"city": "", "doc": doc})).unwrap_err();
    assert_eq!(error.message(), "n is required in input form");
}

#[test]
fn every_failure_is_a_detail_in_the_order_of_the_form() {
    let definition = graph(&json!([
        {"variable": "n", "type": "number"},
        {"variable": "city", "type": "text-input", "required": true},
        {"variable": "doc", "type": "file", "allowed_file_types": ["image"]},
        {"variable": "ok", "type": "checkbox"},
    ]));
    let doc = json!({"type": "document", "transfer_method": "remote_url", "url": "https://example.com/a.pdf"});
    let error = check(&definition, &json!({"doc": doc, "n": "x", "ok": true})).unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::InvalidParam, "n in input form must be a valid number"));
    let places: Vec<_> = error.details().iter().map(|detail| detail.loc[2].as_str()).collect();
    assert_eq!(places, ["n", "city", "doc"]);
    let error = check(&definition, &json!({"doc": doc})).unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::InputRequired, "city is required in input form"));
    assert_eq!(error.details().len(), 2);
}

#[test]
fn unknown_inputs_are_dropped_and_defaults_are_added() {
    let definition = model(json!([
        {"text-input": {"variable": "city", "default": "Paris", "max_length": 48}},
        {"paragraph": {"variable": "note", "default": ""}},
        {"select": {"variable": "lang", "options": ["en", "fr"], "default": ""}},
        {"number": {"variable": "n", "default": "3"}},
        {"checkbox": {"variable": "ok", "default": true}},
        {"json_object": {"variable": "o", "default": "{\"a\": 1}"}},
        {"external_data_tool": {"variable": "ext", "required": true}},
        {"hologram": {"variable": "later", "required": true}},
        {"text-input": {"variable": "two", "x": 1}, "select": {"variable": "keys"}},
        {"text-input": {"variable": ""}},
        {"text-input": "a text"},
        "a text",
    ]));
    let inputs = check(&definition, &json!({"ext": "x", "unknown": 1, "two": 2})).unwrap();
    let expected = json!({"city": "Paris", "note": "", "lang": null, "n": 3, "ok": true, "o": {"a": 1}});
    assert_eq!(inputs, expected);
    // The inputs are in the order of the form.
    assert_eq!(inputs.as_object().unwrap().keys().collect::<Vec<_>>(), ["city", "note", "lang", "n", "ok", "o"]);
}

#[test]
fn variables_of_the_same_name_are_one_variable() {
    let definition = graph(&json!([
        {"variable": "v", "type": "text-input", "required": true},
        {"variable": "v", "type": "text-input", "required": true},
    ]));
    assert_eq!(check(&definition, &json!({"v": "x"})).unwrap(), json!({"v": "x"}));
}

#[test]
fn malformed_form_has_no_variables() {
    for form in [json!(null), json!({}), json!("text"), json!([[]])] {
        assert_eq!(check(&model(form.clone()), &json!({"a": 1})).unwrap(), json!({}));
        assert_eq!(check(&graph(&form), &json!({"a": 1})).unwrap(), json!({}));
    }
}

#[test]
fn text_longer_than_its_limit_is_rejected() {
    let text = |given: Value| one(json!({"type": "text-input", "max_length": 3}), &given);
    assert_eq!(text(json!("äöü")), Ok(json!("äöü")), "characters count, not bytes");
    assert_eq!(text(json!("four")), Err("v in input form must be less than 3 characters".to_owned()));
    assert_eq!(text(json!("a\0b")), Ok(json!("ab")));
    for given in [json!(1), json!(true), json!(["a"]), json!({"a": 1})] {
        assert_eq!(text(given), Err("(type 'text-input') v in input form must be a string".to_owned()));
    }
    for max in [json!(0), json!(null), json!(-1), json!("x"), json!({})] {
        let long = "x".repeat(5_000);
        assert_eq!(one(json!({"type": "paragraph", "max_length": max}), &json!(long)), Ok(json!(long)));
    }
    let written = one(json!({"type": "paragraph", "max_length": "2"}), &json!("abc"));
    assert_eq!(written, Err("v in input form must be less than 2 characters".to_owned()));
}

#[test]
fn selection_that_is_not_an_option_is_rejected() {
    let select = |given: Value| one(json!({"type": "select", "options": ["A", "B", "it's"]}), &given);
    assert_eq!(select(json!("B")), Ok(json!("B")));
    for given in ["C", "", "a"] {
        let expected = r#"v in input form must be one of the following: ['A', 'B', "it's"]"#;
        assert_eq!(select(json!(given)), Err(expected.to_owned()));
    }
    assert_eq!(select(json!(1)), Err("(type 'select') v in input form must be a string".to_owned()));
    let none = one(json!({"type": "select"}), &json!("A"));
    assert_eq!(none, Err("v in input form must be one of the following: []".to_owned()));
}

#[test]
fn text_is_converted_to_numbers() {
    let number = |given: Value| one(json!({"type": "number"}), &given);
    for (given, expected) in [
        (json!(3), json!(3)),
        (json!(-1.5), json!(-1.5)),
        (json!(" 42 "), json!(42)),
        (json!("+7"), json!(7)),
        (json!("-7"), json!(-7)),
        (json!("1.50"), json!(1.5)),
        (json!("5."), json!(5.0)),
        (json!(".5"), json!(0.5)),
        (json!("18446744073709551615"), json!(u64::MAX)),
        (json!("-9223372036854775809"), json!(-9_223_372_036_854_775_809.0)),
        (json!("  "), json!(null)),
    ] {
        assert_eq!(number(given.clone()), Ok(expected), "{given}");
    }
    for given in [
        json!("three"),
        json!("1e5"),
        json!("."),
        json!("-"),
        json!("inf."),
        json!("nan"),
        json!("1.0e999"),
        json!("0x10"),
        json!("1,5"),
        json!(true),
        json!([1]),
        json!({}),
    ] {
        assert_eq!(number(given.clone()), Err("v in input form must be a valid number".to_owned()), "{given}");
    }
}

#[test]
fn words_and_numbers_are_converted_to_booleans() {
    let flag = |given: Value| one(json!({"type": "checkbox"}), &given);
    for given in [json!(true), json!(1), json!(1.0), json!(" Yes "), json!("on"), json!("TRUE")] {
        assert_eq!(flag(given.clone()), Ok(json!(true)), "{given}");
    }
    for given in [json!(false), json!(0), json!("no"), json!("off"), json!("0")] {
        assert_eq!(flag(given.clone()), Ok(json!(false)), "{given}");
    }
    assert_eq!(flag(json!("")), Ok(json!(null)));
    for given in [json!("maybe"), json!(2), json!([true]), json!({})] {
        assert_eq!(flag(given), Err("v in input form must be true or false".to_owned()));
    }
}

#[test]
fn files_over_the_limit_are_rejected() {
    let file = json!({"type": "image", "transfer_method": "remote_url", "url": "https://example.com/a.png"});
    assert_eq!(one(json!({"type": "file"}), &file), Ok(file.clone()), "as clients send it");
    assert_eq!(one(json!({"type": "file"}), &json!("")), Ok(json!(null)));
    for (required, given) in [(true, json!("")), (false, json!([file])), (false, json!(1))] {
        let outcome = one(json!({"type": "file", "required": required}), &given);
        assert_eq!(outcome, Err("v in input form must be a file".to_owned()));
    }
    let files = |given: Value| one(json!({"type": "file-list", "max_length": 2}), &given);
    assert_eq!(files(json!([file, file])), Ok(json!([file, file])));
    assert_eq!(files(json!([])), Ok(json!([])));
    assert_eq!(files(json!([file, file, file])), Err("v in input form must be less than 2 files".to_owned()));
    for given in [file.clone(), json!(["a"]), json!("a")] {
        assert_eq!(files(given), Err("v in input form must be a list of files".to_owned()));
    }
}

#[test]
fn object_inputs_must_be_objects() {
    let object = |given: Value| one(json!({"type": "json_object"}), &given);
    assert_eq!(object(json!({"a": [1]})), Ok(json!({"a": [1]})));
    assert_eq!(object(json!("")), Ok(json!(null)));
    for given in [json!([1]), json!("{}"), json!(1)] {
        assert_eq!(object(given), Err("v in input form must be a dict".to_owned()));
    }
    let required = one(json!({"type": "json_object", "required": true}), &json!(""));
    assert_eq!(required, Err("v in input form must be a dict".to_owned()));
}

#[test]
fn text_is_formatted_as_python_does() {
    for (text, written) in [
        ("A", "'A'"),
        ("it's", r#""it's""#),
        (r#"both ' and ""#, r#"'both \' and "'"#),
        ("back\\slash", r"'back\\slash'"),
        ("line\nbreak\t\u{1}", r"'line\nbreak\t\x01'"),
        ("日本", "'日本'"),
    ] {
        assert_eq!(as_python_writes(text), written);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        "[-+.0-9e]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[abv]{0,2}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn any_variable() -> impl Strategy<Value = Value> {
    let kind = prop_oneof![
        Just("text-input"),
        Just("paragraph"),
        Just("select"),
        Just("number"),
        Just("checkbox"),
        Just("file"),
        Just("file-list"),
        Just("json_object"),
        Just("external_data_tool"),
    ];
    (kind, "[abv]{0,2}", any_json(), any_json(), any_json(), any_json()).prop_map(
        |(kind, name, required, max_length, options, default)| {
            json!({
                "type": kind, "variable": name, "required": required, "max_length": max_length,
                "options": options, "default": default,
            })
        },
    )
}

proptest! {
    #[test]
    fn any_form_and_inputs_give_inputs_or_an_error(
        variables in proptest::collection::vec(any_variable(), 0..4),
        junk in any_json(),
        given in proptest::collection::vec(("[abv]{0,2}", any_json()), 0..4),
    ) {
        let given: Map<_, _> = given.into_iter().collect();
        let rows: Vec<_> = variables.iter().map(|row| json!({row["type"].as_str().unwrap(): row})).collect();
        for definition in [graph(&json!(variables)), model(json!(rows)), graph(&junk), model(junk)] {
            match checked_inputs(&definition, given.clone(), &no_uploads()) {
                Ok(inputs) => {
                    let variables = definition.variables();
                    let names: Vec<_> = variables.iter().map(|variable| variable.name.to_owned()).collect();
                    prop_assert!(inputs.keys().all(|name| names.contains(name)));
                    // Accepted inputs are accepted again unchanged, except that empty ones then have their defaults.
                    let is_emptied =
                        |variable: &FormVariable<'_>| variable.default().is_some() && inputs[variable.name].is_null();
                    if !definition.variables().iter().any(is_emptied) {
                        prop_assert_eq!(checked_inputs(&definition, inputs.clone(), &no_uploads()).unwrap(), inputs);
                    }
                }
                Err(error) => prop_assert!(matches!(error.code(), Code::InputRequired | Code::InvalidParam)),
            }
        }
    }
}
