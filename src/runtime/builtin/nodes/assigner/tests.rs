use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::runtime::builtin::variables::{pool::SystemVariables, value_type::DeclaredTypes};

const OPERATIONS: [&str; 11] =
    ["over-write", "set", "clear", "append", "extend", "remove-first", "remove-last", "+=", "-=", "*=", "/="];

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn pool(kept: Value) -> VariablePool {
    let mut pool = VariablePool::new(SystemVariables::default(), Map::new(), map(kept), (1 << 16, 1 << 20));
    let values = json!({"text": "t", "number": 2, "list": [1, 2], "object": {"k": 1}, "none": null});
    pool.set(VariablePool::ROOT, &"n".into(), Arc::new(map(values))).unwrap();
    pool
}

/// What the conversation keeps after the node ran.
fn after(kept: Value, data: Value) -> Result<Value, String> {
    let mut pool = pool(kept);
    let data: AssignerNodeData = serde_json::from_value(data).unwrap();
    run(&data, &mut pool, VariablePool::ROOT).map_err(|failure| failure.message)?;
    Ok(Value::Object(pool.conversation().clone()))
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn constant(operation: &str, value: Value) -> Value {
    json!({"items": [{"variable_selector": ["conversation", "v"], "input_type": "constant", "operation": operation, "value": value}]})
}

fn variable(operation: &str, from: &str) -> Value {
    let from: Vec<_> = from.split('.').collect();
    json!({"items": [{"variable_selector": ["conversation", "v"], "input_type": "variable", "operation": operation, "value": from}]})
}

#[test]
fn every_operation_does_what_it_says() {
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
fn what_does_not_fit_is_refused() {
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
    let elsewhere = json!({"items": [{"variable_selector": ["n", "text"], "input_type": "constant", "operation": "set", "value": "x"}]});
    assert!(after(json!({}), elsewhere).is_err());
    assert!(after(json!({}), constant("set", json!("x"))).is_err(), "only variables that exist");
}

#[test]
fn the_first_version_assigns_one_variable() {
    let one = |mode: &str, from: &[&str]| json!({"assigned_variable_selector": ["conversation", "v"], "write_mode": mode, "input_variable_selector": from});
    assert_eq!(after(json!({"v": "a"}), one("over-write", &["n", "text"])), Ok(json!({"v": "t"})));
    assert_eq!(after(json!({"v": [1]}), one("append", &["n", "text"])), Ok(json!({"v": [1, "t"]})));
    assert_eq!(after(json!({"v": [1]}), one("clear", &[])), Ok(json!({"v": []})));
    assert!(after(json!({"v": "a"}), one("over-write", &["n", "missing"])).is_err());
}

#[test]
fn items_see_what_those_before_them_wrote_and_nothing_is_written_when_one_fails() {
    let item = |name: &str, operation: &str, value: Value| json!({"variable_selector": ["conversation", name], "input_type": "constant", "operation": operation, "value": value});
    let data = json!({"items": [item("v", "+=", json!(1)), item("v", "*=", json!(10))]});
    assert_eq!(after(json!({"v": 1}), data), Ok(json!({"v": 20})));
    let mut pool = pool(json!({"v": 1, "w": "text"}));
    let data = json!({"items": [item("v", "+=", json!(1)), item("w", "+=", json!(1))]});
    let data: AssignerNodeData = serde_json::from_value(data).unwrap();
    assert!(run(&data, &mut pool, VariablePool::ROOT).is_err());
    assert_eq!(pool.conversation(), &map(json!({"v": 1, "w": "text"})));
}

#[test]
fn a_list_that_is_extended_by_itself_ends_at_the_limit() {
    let own = json!({"variable_selector": ["conversation", "v"], "input_type": "variable", "operation": "extend", "value": ["conversation", "v"]});
    let data = json!({"items": vec![own; 60]});
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

/// What becomes of `v`, or why nothing does.
fn becomes(declared: &str, old: &Value, data: &Value) -> Result<Value, String> {
    let types = DeclaredTypes::from([("v".to_owned(), ValueType::from_name(declared).unwrap())]);
    let mut pool = pool(json!({"v": old})).with_types(types);
    let data: AssignerNodeData = serde_json::from_value(data.clone()).unwrap();
    run(&data, &mut pool, VariablePool::ROOT).map_err(|failure| failure.message)?;
    Ok(pool.conversation()["v"].clone())
}

#[test]
fn a_variable_takes_what_its_type_takes_and_nothing_else() {
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
        assert_eq!(becomes(declared, &old, &data), outcome.map_err(str::to_owned), "{declared} {data}");
    }
    // The first version asks the same.
    let one = |from: &str| json!({"assigned_variable_selector": ["conversation", "v"], "write_mode": "append", "input_variable_selector": ["n", from]});
    assert_eq!(becomes("array[string]", &json!([]), &one("text")), Ok(json!(["t"])));
    assert!(becomes("array[string]", &json!([]), &one("number")).is_err());
}

#[test]
fn the_event_tells_the_declared_type() {
    let types = DeclaredTypes::from([("v".to_owned(), ValueType::ArrayString)]);
    let mut pool = pool(json!({"v": []})).with_types(types);
    let data: AssignerNodeData = serde_json::from_value(variable("append", "n.text")).unwrap();
    let NodeOutcome { process_data, .. } = run(&data, &mut pool, VariablePool::ROOT).unwrap();
    let told =
        json!([{"name": "v", "selector": ["conversation", "v"], "value_type": "array[string]", "new_value": ["t"]}]);
    assert_eq!(process_data["updated_variables"], told);
}

proptest! {
    #[test]
    fn a_variable_keeps_its_type(
        old in any_json(),
        value in any_json(),
        operation in prop::sample::select(OPERATIONS.to_vec()),
        declared in prop::sample::select(vec!["string", "number", "boolean", "object", "array[any]", "array[string]", "array[number]"]),
    ) {
        let operation: Operation = serde_json::from_value(json!(operation)).unwrap();
        prop_assert_eq!(json!(operation), json!(operation.name()));
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
