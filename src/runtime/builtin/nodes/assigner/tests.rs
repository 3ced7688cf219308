//! Every operation on every type of variable.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::runtime::builtin::variables::{pool::SystemVariables, value_type::DeclaredTypes};

const OPERATIONS: [&str; 11] =
    ["over-write", "set", "clear", "append", "extend", "remove-first", "remove-last", "+=", "-=", "*=", "/="];

const DECLARED_TYPES: [&str; 7] =
    ["string", "number", "boolean", "object", "array[any]", "array[string]", "array[number]"];

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

fn pool(conversation: Value) -> VariablePool {
    let mut pool = VariablePool::new(SystemVariables::default(), Map::new(), map(conversation), (1 << 16, 1 << 20));
    let values = json!({"text": "t", "number": 2, "list": [1, 2], "object": {"k": 1}, "none": null});
    pool.set(VariablePool::ROOT, &"n".into(), Arc::new(map(values))).unwrap();
    pool
}

/// The conversation variables after the node ran.
fn after(conversation: Value, data: Value) -> Result<Value, String> {
    let mut pool = pool(conversation);
    let data: AssignerNodeData = serde_json::from_value(data).unwrap();
    run(&data, &mut pool, VariablePool::ROOT).map_err(|failure| failure.message)?;
    Ok(Value::Object(pool.conversation().clone()))
}

fn constant(operation: &str, value: Value) -> Value {
    json!({"items": [item("v", "constant", operation, value)]})
}

fn variable(operation: &str, from: &str) -> Value {
    let from: Vec<_> = from.split('.').collect();
    json!({"items": [item("v", "variable", operation, json!(from))]})
}

#[expect(clippy::needless_pass_by_value, reason = "calls are shorter")]
fn item(name: &str, input_type: &str, operation: &str, value: Value) -> Value {
    let selector = ["conversation", name];
    json!({"variable_selector": selector, "input_type": input_type, "operation": operation, "value": value})
}

/// An assignment of version 1.
fn version_1(mode: &str, from: &[&str]) -> Value {
    let target = ["conversation", "v"];
    json!({"assigned_variable_selector": target, "write_mode": mode, "input_variable_selector": from})
}

#[test]
fn every_operation_writes_its_value() {
    for (old, data, new) in [
        (json!("a"), constant("set", json!("b")), json!("b")),
        (json!("a"), variable("over-write", "n.text"), json!("t")),
        (json!("a"), variable("over-write", "n.none"), json!("a")),
        (json!(null), variable("over-write", "n.list"), json!([1, 2])),
        (json!({}), constant("set", json!("{\"a\": 1}")), json!({"a": 1})),
        (json!("a"), constant("clear", json!(null)), json!("")),
        (json!([1]), constant("clear", json!(null)), json!([])),
        (json!(5), constant("clear", json!(null)), json!(0)),
        (json!([1]), variable("append", "n.object"), json!([1, {"k": 1}])),
        (json!([1]), variable("extend", "n.list"), json!([1, 1, 2])),
        (json!([1, 2]), constant("remove-first", json!(null)), json!([2])),
        (json!([1, 2]), constant("remove-last", json!(null)), json!([1])),
        (json!([]), constant("remove-first", json!(null)), json!([])),
        (json!(5), constant("+=", json!(2)), json!(7)),
        (json!(5), constant("-=", json!(2.5)), json!(2.5)),
        (json!(5), variable("*=", "n.number"), json!(10)),
        (json!(5), constant("/=", json!(2)), json!(2.5)),
        (json!(i64::MAX), constant("+=", json!(1)), json!(9_223_372_036_854_775_807.0_f64)),
    ] {
        assert_eq!(after(json!({"v": old}), data.clone()), Ok(json!({"v": new})), "{old} {data}");
    }
}

#[test]
fn values_of_another_type_are_rejected() {
    for (old, data) in [
        (json!("a"), constant("set", json!(1))),
        (json!("a"), constant("+=", json!("b"))),
        (json!(1), constant("/=", json!(0))),
        (json!(1), constant("+=", json!("1"))),
        (json!(1), constant("append", json!(1))),
        (json!([1]), constant("extend", json!(1))),
        (json!({}), constant("set", json!("[1]"))),
        (json!("a"), variable("over-write", "n.missing")),
    ] {
        assert!(after(json!({"v": old}), data.clone()).is_err(), "{old} {data}");
    }
    let mut node_output = constant("set", json!("x"));
    node_output["items"][0]["variable_selector"] = json!(["n", "text"]);
    assert!(after(json!({}), node_output).is_err());
    assert!(after(json!({}), constant("set", json!("x"))).is_err(), "the variable does not exist");
}

#[test]
fn version_1_assigns_one_variable() {
    assert_eq!(after(json!({"v": "a"}), version_1("over-write", &["n", "text"])), Ok(json!({"v": "t"})));
    assert_eq!(after(json!({"v": [1]}), version_1("append", &["n", "text"])), Ok(json!({"v": [1, "t"]})));
    assert_eq!(after(json!({"v": [1]}), version_1("clear", &[])), Ok(json!({"v": []})));
    assert!(after(json!({"v": "a"}), version_1("over-write", &["n", "missing"])).is_err());
}

#[test]
fn later_items_read_earlier_values_and_a_failed_item_writes_nothing() {
    let item = |name: &str, operation: &str, value: Value| item(name, "constant", operation, value);
    let data = json!({"items": [item("v", "+=", json!(1)), item("v", "*=", json!(10))]});
    assert_eq!(after(json!({"v": 1}), data), Ok(json!({"v": 20})));
    let mut pool = pool(json!({"v": 1, "w": "text"}));
    let data = json!({"items": [item("v", "+=", json!(1)), item("w", "+=", json!(1))]});
    let data: AssignerNodeData = serde_json::from_value(data).unwrap();
    assert!(run(&data, &mut pool, VariablePool::ROOT).is_err());
    assert_eq!(pool.conversation(), &map(json!({"v": 1, "w": "text"})));
}

#[test]
fn list_that_is_extended_by_itself_fails_at_the_limit() {
    let extend = item("v", "variable", "extend", json!(["conversation", "v"]));
    let data = json!({"items": vec![extend; 60]});
    assert!(after(json!({"v": [1]}), data).unwrap_err().contains("larger than"));
}

fn any_json() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,4}".prop_map(Value::from),
        prop::collection::vec(any::<i8>().prop_map(Value::from), 0..3).prop_map(Value::from),
        Just(json!({"a": 1})),
    ]
}

/// The new value of `v`.
fn assigned(declared: &str, old: &Value, data: &Value) -> Result<Value, String> {
    let types = DeclaredTypes::from([("v".to_owned(), ValueType::from_name(declared).unwrap())]);
    let mut pool = pool(json!({"v": old})).with_types(types);
    let data: AssignerNodeData = serde_json::from_value(data.clone()).unwrap();
    run(&data, &mut pool, VariablePool::ROOT).map_err(|failure| failure.message)?;
    Ok(pool.conversation()["v"].clone())
}

#[test]
fn declared_type_decides_which_values_are_accepted() {
    for (declared, old, data, outcome) in [
        ("array[string]", json!([]), variable("append", "n.text"), Ok(json!(["t"]))),
        (
            "array[string]",
            json!([]),
            variable("append", "n.number"),
            Err("Invalid input value for type array[string]: number"),
        ),
        (
            "array[string]",
            json!(["a"]),
            variable("extend", "n.list"),
            Err("Invalid input value for type array[string]: array[number]"),
        ),
        (
            "array[string]",
            json!([]),
            variable("over-write", "n.list"),
            Err("Invalid input value for type array[string]: array[number]"),
        ),
        ("array[number]", json!([1]), variable("extend", "n.list"), Ok(json!([1, 1, 2]))),
        (
            "array[number]",
            json!([]),
            constant("append", json!("1")),
            Err("Invalid input value for type array[number]: string"),
        ),
        ("array[object]", json!([]), variable("append", "n.object"), Ok(json!([{"k": 1}]))),
        (
            "array[object]",
            json!([]),
            variable("append", "n.text"),
            Err("Invalid input value for type array[object]: string"),
        ),
        ("array[boolean]", json!([]), constant("append", json!(true)), Ok(json!([true]))),
        ("array[any]", json!([1]), variable("append", "n.text"), Ok(json!([1, "t"]))),
        ("array[string]", json!(null), variable("append", "n.text"), Ok(json!(["t"]))),
        (
            "array[string]",
            json!(["a"]),
            constant("set", json!(["b"])),
            Err("Operation set is not supported for type array[string]"),
        ),
        (
            "array[string]",
            json!(["a"]),
            constant("+=", json!("b")),
            Err("Operation += is not supported for type array[string]"),
        ),
        ("string", json!(null), variable("over-write", "n.number"), Err("Invalid input value for type string: number")),
        ("string", json!(null), variable("over-write", "n.text"), Ok(json!("t"))),
        ("string", json!(null), constant("clear", json!(null)), Ok(json!(""))),
        ("string", json!("a"), variable("append", "n.text"), Err("Operation append is not supported for type string")),
        ("number", json!(null), constant("+=", json!(2)), Ok(json!(2))),
        ("number", json!(1), constant("/=", json!(0)), Err("Operation /= does not give a number")),
        ("integer", json!(1), constant("set", json!("2")), Err("Invalid input value for type number: string")),
        ("boolean", json!(null), constant("set", json!(1)), Err("Invalid input value for type boolean: number")),
        ("object", json!(null), constant("set", json!("{\"a\": 1}")), Ok(json!({"a": 1}))),
        ("object", json!({}), constant("set", json!("[1]")), Err("Invalid input value for type object: array[number]")),
        (
            "object",
            json!({}),
            variable("remove-first", "n.text"),
            Err("Operation remove-first is not supported for type object"),
        ),
    ] {
        assert_eq!(assigned(declared, &old, &data), outcome.map_err(str::to_owned), "{declared} {data}");
    }
    // Version 1 has the same rules.
    let append = |from: &str| version_1("append", &["n", from]);
    assert_eq!(assigned("array[string]", &json!([]), &append("text")), Ok(json!(["t"])));
    assert!(assigned("array[string]", &json!([]), &append("number")).is_err());
}

#[test]
fn event_contains_the_declared_type() {
    let types = DeclaredTypes::from([("v".to_owned(), ValueType::ArrayString)]);
    let mut pool = pool(json!({"v": []})).with_types(types);
    let data: AssignerNodeData = serde_json::from_value(variable("append", "n.text")).unwrap();
    let NodeOutcome { process_data, .. } = run(&data, &mut pool, VariablePool::ROOT).unwrap();
    let expected =
        json!([{"name": "v", "selector": ["conversation", "v"], "value_type": "array[string]", "new_value": ["t"]}]);
    assert_eq!(process_data["__updated_variables"], expected);
}

proptest! {
    #[test]
    fn variable_keeps_its_type(
        old in any_json(),
        value in any_json(),
        operation in prop::sample::select(OPERATIONS.to_vec()),
        declared in prop::sample::select(DECLARED_TYPES.to_vec()),
    ) {
        let operation: Operation = serde_json::from_value(json!(operation)).unwrap();
        prop_assert_eq!(json!(operation), json!(operation.as_str()));
        if let Ok(new) = apply(operation, ValueType::Any, old.clone(), value.clone()) {
            prop_assert!(ValueType::of(&old).accepts(&new), "{} became {}", old, new);
        }
        let declared = ValueType::from_name(declared).unwrap();
        let old = if declared.accepts(&old) { old } else { Value::Null };
        if let Ok(new) = apply(operation, declared, old, value) {
            prop_assert!(declared.accepts(&new), "{} of the type {}", new, declared);
        }
    }
}
