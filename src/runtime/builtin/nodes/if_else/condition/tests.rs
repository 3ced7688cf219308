//! Every comparison with every type of value.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::runtime::builtin::variables::pool::{SystemVariables, VariablePool};

const NAMES: [&str; 21] = [
    "contains",
    "not contains",
    "start with",
    "end with",
    "is",
    "is not",
    "empty",
    "not empty",
    "=",
    "≠",
    ">",
    "<",
    "≥",
    "≤",
    "null",
    "not null",
    "in",
    "not in",
    "all of",
    "exists",
    "not exists",
];

fn named(name: &str) -> Comparison {
    serde_json::from_value(json!(name)).unwrap()
}

/// `actual comparison expected`, as a condition of a graph.
fn evaluate(actual: &Value, comparison: &str, expected: &Value) -> Result<bool, String> {
    let mut values = Map::new();
    values.insert("v".to_owned(), actual.clone());
    values.insert("three".to_owned(), json!(3));
    let mut pool = VariablePool::new(SystemVariables::default(), Map::new(), Map::new(), (1 << 20, 1 << 20));
    pool.set(VariablePool::ROOT, &"n".into(), std::sync::Arc::new(values)).unwrap();
    let condition = json!({"variable_selector": ["n", "v"], "comparison_operator": comparison, "value": expected});
    let condition: Condition = serde_json::from_value(condition).unwrap();
    condition
        .prepare(pool.view(VariablePool::ROOT), 1 << 20, &mut ByteBudget::new(1 << 20))
        .unwrap()
        .evaluate()
        .map(|evaluated| evaluated.result)
}

#[test]
fn values_compare_as_in_dify() {
    for (actual, comparison, expected, result) in [
        (json!("hello"), "contains", json!("ell"), true),
        (json!("hello"), "contains", json!("x"), false),
        (json!(""), "contains", json!(""), false),
        (json!(["a", "b"]), "contains", json!("b"), true),
        (json!([true, false]), "contains", json!("true"), true),
        (json!([true]), "contains", json!("false"), false),
        (json!("hello"), "not contains", json!("x"), true),
        (json!(null), "not contains", json!("x"), true),
        (json!("hello"), "start with", json!("he"), true),
        (json!(""), "start with", json!(""), false),
        (json!("hello"), "end with", json!("lo"), true),
        (json!("a"), "is", json!("a"), true),
        (json!(true), "is", json!("true"), true),
        (json!(true), "is", json!(false), false),
        (json!(null), "is", json!(""), false),
        (json!("a"), "is not", json!("b"), true),
        (json!(null), "is not", json!("b"), false),
        (json!(""), "empty", json!(""), true),
        (json!([]), "empty", json!(null), true),
        (json!({}), "empty", json!(null), true),
        (json!(0), "empty", json!(null), true),
        (json!(null), "empty", json!(null), true),
        (json!("a"), "not empty", json!(null), true),
        (json!({"a": 1}), "not empty", json!(null), true),
        (json!(3), "=", json!("3"), true),
        (json!(3), "=", json!(" 3 "), true),
        (json!(3), "=", json!("{{#n.three#}}"), true),
        (json!(3.0), "=", json!("3"), true),
        (json!(true), "=", json!("1"), true),
        (json!(3), "=", json!("1_000"), false),
        (json!(3.5), "=", json!("3.5"), true),
        (json!("it is None"), "contains", json!(null), true),
        (json!("True"), "contains", json!(true), true),
        (json!([1, 2.0]), "contains", json!("1"), false),
        (json!(9_007_199_254_740_993_i64), "=", json!("9007199254740992"), false),
        (json!(3), "≠", json!("4"), true),
        (json!(null), "≠", json!("4"), false),
        (json!(3), ">", json!("2"), true),
        (json!(3), ">", json!("2.5"), true),
        (json!(3), "<", json!("3"), false),
        (json!(3), "≥", json!("3"), true),
        (json!(2.5), "≤", json!("2.5"), true),
        (json!(null), ">", json!("1"), false),
        (json!(3), "<", json!("inf"), true),
        (json!(3), ">", json!("nan"), false),
        (json!(3), "<", json!("nan"), false),
        (json!(true), ">", json!("0"), true),
        (json!(5), "all of", json!(["5"]), false),
        (json!(null), "null", json!(null), true),
        (json!(""), "null", json!(null), false),
        (json!(0), "not null", json!(null), true),
        (json!("a"), "in", json!(["a", "b"]), true),
        (json!("c"), "in", json!(["a", "b"]), false),
        (json!("c"), "not in", json!(["a", "b"]), true),
        (json!(""), "not in", json!([""]), true),
        (json!(["a", "b", "c"]), "all of", json!(["a", "c"]), true),
        (json!(["a"]), "all of", json!(["a", "c"]), false),
        (json!("abc"), "all of", json!(["a", "c"]), true),
        (json!([]), "all of", json!([]), false),
        (json!("x"), "exists", json!(null), true),
        (json!(null), "not exists", json!(null), true),
    ] {
        assert_eq!(evaluate(&actual, comparison, &expected), Ok(result), "{actual} {comparison} {expected}");
    }
}

#[test]
fn expected_flags_written_as_text_are_read_as_json() {
    for (expected, flags) in [
        (json!("true"), Ok(json!(true))),
        (json!(" 0 "), Ok(json!(false))),
        (json!(["1", false]), Ok(json!([true, false]))),
        (json!(null), Ok(json!(null))),
        (json!("perhaps"), Err(())),
        (json!("1.0"), Err(())),
    ] {
        assert_eq!(as_flags(expected.clone()).map_err(drop), flags, "{expected}");
    }
}

#[test]
fn empty_list_that_is_declared_as_flags_expects_flags() {
    let declared = |name: &str| ("v".to_owned(), ValueType::from_name(name).unwrap());
    for (name, result) in [("array[boolean]", Err(())), ("array[string]", Ok(false))] {
        let values = Map::from_iter([("v".to_owned(), json!([]))]);
        let pool = VariablePool::new(SystemVariables::default(), Map::new(), values, (1 << 20, 1 << 20));
        let pool = pool.with_types(std::iter::once(declared(name)).collect());
        let condition =
            json!({"variable_selector": ["conversation", "v"], "comparison_operator": "contains", "value": "a"});
        let condition: Condition = serde_json::from_value(condition).unwrap();
        let prepared = condition.prepare(pool.view(VariablePool::ROOT), 1 << 20, &mut ByteBudget::new(1 << 20));
        let evaluated = prepared.unwrap().evaluate().map(|evaluated| evaluated.result);
        assert_eq!(evaluated.map_err(drop), result, "{name}");
    }
}

#[test]
fn values_of_unsupported_types_are_an_error() {
    for (actual, comparison, expected) in [
        (json!(5), "contains", json!("5")),
        (json!({"a": 1}), "contains", json!("a")),
        (json!(5), "start with", json!("5")),
        (json!("a"), "end with", json!(["a"])),
        (json!(5), "is", json!("5")),
        (json!("5"), "=", json!("5")),
        (json!("5"), ">", json!("4")),
        (json!(5), ">", json!("many")),
        (json!(5), ">", json!(null)),
        (json!(5), "=", json!("5.0")),
        (json!(5), "=", json!("")),
        (json!(5.5), "=", json!("many")),
        (json!(true), "=", json!("perhaps")),
        (json!(true), "is", json!("True")),
        (json!(true), "is", json!("")),
        (json!([true]), "contains", json!("a")),
        (json!("a"), "in", json!("abc")),
        (json!("a"), "all of", json!("abc")),
    ] {
        assert!(evaluate(&actual, comparison, &expected).is_err(), "{actual} {comparison} {expected}");
    }
}

#[test]
fn files_are_compared_by_their_members() {
    let file = |name: &str, extension: &str, size: u32| {
        let (kind, method) = ("document", "local_file");
        json!({"type": kind, "transfer_method": method, "name": name, "extension": extension, "size": size})
    };
    let files = json!([file("a.pdf", ".pdf", 10), file("b.txt", "txt", 2000)]);
    let evaluate_files = |files: &Value, operator: &str, logic: &str, conditions: Value| {
        let condition = json!({
            "variable_selector": ["sys", "files"], "comparison_operator": operator, "value": "",
            "sub_variable_condition": {"case_id": "x", "logical_operator": logic, "conditions": conditions},
        });
        let condition: Condition = serde_json::from_value(condition).unwrap();
        let system = SystemVariables(Map::from_iter([("files".to_owned(), files.clone())]));
        let pool = VariablePool::new(system, Map::new(), Map::new(), (1 << 20, 1 << 20));
        condition
            .prepare(pool.view(VariablePool::ROOT), 1 << 20, &mut ByteBudget::new(1 << 20))
            .unwrap()
            .evaluate()
            .map(|evaluated| evaluated.result)
    };
    let sub =
        |key: &str, operator: &str, value: Value| json!({"key": key, "comparison_operator": operator, "value": value});
    for (operator, logic, conditions, result) in [
        ("contains", "and", json!([sub("extension", "is", json!("pdf"))]), true),
        ("contains", "and", json!([sub("extension", "is", json!(".txt"))]), true),
        ("contains", "and", json!([sub("extension", "is not", json!("pdf"))]), false),
        ("contains", "and", json!([sub("size", ">", json!("1000"))]), true),
        ("contains", "and", json!([sub("size", ">", json!("5000"))]), false),
        ("contains", "or", json!([sub("size", ">", json!("5000")), sub("name", "start with", json!("a"))]), true),
        ("all of", "and", json!([sub("type", "in", json!(["document"]))]), true),
        ("contains", "and", json!([sub("mime_type", "exists", json!(null))]), false),
        ("contains", "and", json!([sub("mime_type", "not exists", json!(null))]), true),
    ] {
        let actual = evaluate_files(&files, operator, logic, conditions.clone());
        assert_eq!(actual, Ok(result), "{operator} {logic} {conditions}");
    }
    let result = evaluate_files(&files, "empty", "and", json!([]));
    assert_eq!(result, Ok(false), "other comparisons are about the list");
    for (operator, result) in [("contains", false), ("not contains", true), ("all of", false)] {
        for condition in [sub("extension", "is", json!("pdf")), sub("extension", "is not", json!("pdf"))] {
            let actual = evaluate_files(&json!([]), operator, "and", json!([condition]));
            assert_eq!(actual, Ok(result), "an empty list {operator} {condition}");
        }
    }
}

#[test]
fn logic_evaluates_no_more_conditions_than_necessary() {
    let never = || -> Result<bool, String> { panic!("evaluated too many") };
    let lazily = |results: Vec<bool>| results.into_iter().map(Ok).chain(std::iter::once_with(never));
    assert_eq!(Logic::And.evaluate(lazily(vec![true, false])), Ok((vec![true, false], false)));
    assert_eq!(Logic::Or.evaluate(lazily(vec![false, true])), Ok((vec![false, true], true)));
    assert_eq!(Logic::And.evaluate([]), Ok((vec![], true)));
    assert_eq!(Logic::Or.evaluate([]), Ok((vec![], false)));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-c0-9.]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-c]", inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_comparison_of_any_values_ends(
        actual in any_json(), expected in any_json(), comparison in prop::sample::select(NAMES.to_vec())
    ) {
        let _ = evaluate(&actual, comparison, &expected);
    }

    #[test]
    fn opposite_comparisons_have_opposite_results(actual in any_json(), expected in any_json()) {
        for (one, other) in [
            ("contains", "not contains"),
            ("empty", "not empty"),
            ("null", "not null"),
            ("in", "not in"),
            ("exists", "not exists"),
        ] {
            let (one, other) = (compare(named(one), &actual, &expected), compare(named(other), &actual, &expected));
            prop_assert_eq!(one.map(|result| !result), other);
        }
        if !actual.is_null() {
            for (one, other) in [("is", "is not"), ("=", "≠"), (">", "≤"), ("<", "≥")] {
                let (one, other) = (compare(named(one), &actual, &expected), compare(named(other), &actual, &expected));
                prop_assert_eq!(one.map(|result| !result), other);
            }
        }
    }

    #[test]
    fn numbers_are_ordered_as_numbers(a in any::<i32>(), b in any::<i32>()) {
        let compare = |comparison| evaluate(&json!(a), comparison, &json!(b.to_string())).unwrap();
        prop_assert_eq!((compare(">"), compare("="), compare("<")), (a > b, a == b, a < b));
    }

    #[test]
    fn comparisons_keep_their_names(name in prop::sample::select(NAMES.to_vec())) {
        prop_assert_eq!(json!(named(name)), json!(name));
    }
}
