use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    budget::VariableLimitError,
    pool::{SystemVariables, VariablePool},
    selector::Selector,
    text::{TextPart, TextTemplate},
    value,
};
use crate::{domain::id::WorkspaceId, memory::MemoryLedger, runtime::builtin::run_memory::RunMemory};

const LIMITS: (usize, usize) = (1 << 20, 1 << 22);

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

fn pool(outputs: Value) -> VariablePool {
    let system = SystemVariables(map(json!({"query": "hi", "files": []})));
    let mut pool = VariablePool::new(system, map(json!({"KEY": "s3"})), map(json!({"mood": "calm"})), LIMITS);
    pool.set(VariablePool::ROOT, &"node".into(), Arc::new(map(outputs))).unwrap();
    pool
}

fn rendered(template: &str, outputs: Value) -> String {
    TextTemplate::parse(template).render(pool(outputs).view(VariablePool::ROOT), 1 << 20).unwrap()
}

#[test]
fn values_are_written_as_in_dify() {
    let outputs = json!({
        "text": "a", "yes": true, "no": false, "int": 7, "float": 1.0, "big": 1e16, "small": 1e-5, "none": null,
        "list": [1, "ü", {"k": 1.5}], "texts": ["a", "ü"], "empty": [], "object": {"a": {"b": [true]}},
        "file": {"type": "image", "transfer_method": "remote_url", "url": "http://x/y.png"},
    });
    for (reference, expected) in [
        ("text", "a"),
        ("yes", "True"),
        ("no", "False"),
        ("int", "7"),
        ("float", "1.0"),
        ("big", "1e+16"),
        ("small", "1e-05"),
        ("none", ""),
        ("list", "[1, 'ü', {'k': 1.5}]"),
        ("texts", r#"["a", "ü"]"#),
        ("empty", ""),
        ("object", r#"{"a": {"b": [true]}}"#),
        ("object.a", r#"{"b": [true]}"#),
        ("file", ""),
        ("file.url", "http://x/y.png"),
        ("missing", ""),
        ("object.missing.more", ""),
    ] {
        assert_eq!(rendered(&format!("<{{{{#node.{reference}#}}}}>"), outputs.clone()), format!("<{expected}>"));
    }
}

#[test]
fn markdown_shows_files_as_links() {
    let image = json!({"type": "image", "transfer_method": "remote_url", "url": "http://x/y.png", "filename": "y"});
    let document = json!({"type": "document", "transfer_method": "local_file", "url": "http://x/z"});
    assert_eq!(value::markdown(&image, 100).unwrap(), "![y](http://x/y.png)");
    assert_eq!(value::markdown(&json!([image, document]), 100).unwrap(), "![y](http://x/y.png)\n[file](http://x/z)");
    assert!(value::markdown(&image, 5).is_err());
}

#[test]
fn markdown_shows_lists_and_objects() {
    for (value, expected) in [
        (json!(["a", 1, null, {"k": [true]}]), "- a\n- 1\n- None\n- {'k': [True]}"),
        (json!({"k": [1, "ü"]}), "{\n  \"k\": [\n    1,\n    \"ü\"\n  ]\n}"),
        (json!([]), ""),
    ] {
        assert_eq!(value::markdown(&value, 100).unwrap(), expected);
        assert!(expected.is_empty() || value::markdown(&value, expected.len() - 1).is_err());
        assert!(value::markdown(&value, expected.len()).is_ok());
    }
}

#[test]
fn sys_env_and_conversation_variables_are_found() {
    assert_eq!(rendered("{{#sys.query#}} {{#env.KEY#}} {{#conversation.mood#}}", json!({})), "hi s3 calm");
}

#[test]
fn invalid_references_are_literal_text() {
    for text in [
        "{{#node#}}",
        "{{node.text}}",
        "{{#node.1x#}}",
        "{{#.x#}}",
        "{{#a.b#}",
        "{{# a.b #}}",
        "{{#context#}}",
        "{{#a.b.c.d.e.f.g.h.i.j.k.l#}}",
        "{{#a..b#}}",
        "{{#",
        "{{#a.b",
    ] {
        assert_eq!(TextTemplate::parse(text).parts(), [TextPart::Literal(text.to_owned())], "{text}");
    }
    assert_eq!(rendered("{{{{#node.a#}}}}", json!({"a": 1})), "{{1}}");
    assert_eq!(rendered("{{#{{#node.a#}}", json!({"a": 1})), "{{#1");
}

#[test]
fn inner_scope_shadows_outer_values_until_it_is_closed() {
    let mut pool = pool(json!({"a": "outer"}));
    let round = pool.open(VariablePool::ROOT);
    let selector = Selector::new(["node", "a"]);
    assert_eq!(pool.view(round).get(&selector), Some(&json!("outer")));
    pool.set(round, &"node".into(), Arc::new(map(json!({"a": "inner"})))).unwrap();
    assert_eq!(pool.view(round).get(&selector), Some(&json!("inner")));
    assert_eq!(pool.view(VariablePool::ROOT).get(&selector), Some(&json!("outer")));
    let weight = pool.weight();
    pool.close(round);
    assert!(pool.weight() < weight);
    assert_eq!(pool.open(VariablePool::ROOT), round, "closed scopes are reused");
    assert_eq!(pool.view(round).get(&selector), Some(&json!("outer")));
}

#[test]
fn variable_and_run_limits_are_enforced() {
    let mut pool = pool(json!({}));
    let large = |bytes: usize| Arc::new(map(json!({"a": "x".repeat(bytes)})));
    assert!(matches!(
        pool.set(VariablePool::ROOT, &"n".into(), large(2 << 20)),
        Err(VariableLimitError::Variable { .. })
    ));
    for node in 0..4 {
        let kept = pool.set(VariablePool::ROOT, &format!("n{node}").into(), large((1 << 20) - 100));
        assert_eq!(kept, Ok(()));
    }
    assert!(matches!(pool.set(VariablePool::ROOT, &"n5".into(), large(1000)), Err(VariableLimitError::Run { .. })));
    pool.set(VariablePool::ROOT, &"n1".into(), large(0)).unwrap();
    assert_eq!(pool.set(VariablePool::ROOT, &"n5".into(), large(1000)), Ok(()), "replaced outputs do not count");
}

#[test]
fn runs_share_the_memory_of_the_process() {
    let ledger = MemoryLedger::with_limits(|_| 100 << 10);
    let pool_of = |workspace: u128| {
        pool(json!({})).with_memory(RunMemory::new(&ledger, WorkspaceId(Uuid::from_u128(workspace))).permit())
    };
    let (mut one, mut other) = (pool_of(1), pool_of(2));
    let large = |bytes: usize| Arc::new(map(json!({"a": "x".repeat(bytes)})));
    one.set(VariablePool::ROOT, &"n".into(), large(60 << 10)).unwrap();
    let round = other.open(VariablePool::ROOT);
    assert_eq!(other.set(round, &"n".into(), large(60 << 10)), Err(VariableLimitError::Process));
    other.set(round, &"n".into(), large(30 << 10)).unwrap();
    other.close(round);
    let mut sibling = pool_of(1);
    assert_eq!(
        sibling.set(VariablePool::ROOT, &"m".into(), large(30 << 10)),
        Err(VariableLimitError::Process),
        "a workspace leaves memory to others"
    );
    drop(one);
    other.set(VariablePool::ROOT, &"n".into(), large(60 << 10)).unwrap();
}

#[test]
fn only_existing_conversation_variables_are_assigned() {
    let mut pool = pool(json!({}));
    assert_eq!(pool.assign("mood", json!("glad")), Ok(true));
    assert_eq!(pool.assign("other", json!(1)), Ok(false));
    assert_eq!(pool.conversation(), &map(json!({"mood": "glad"})));
    assert!(pool.assign("mood", json!("x".repeat(2 << 20))).is_err());
}

#[test]
fn texts_over_their_limit_fail() {
    let pool = pool(json!({"a": "x".repeat(100), "list": vec!["y"; 100]}));
    for (template, limit) in [("{{#node.a#}}", 99), ("{{#node.a#}}z", 100), ("{{#node.list#}}", 300), ("abc", 2)] {
        assert!(TextTemplate::parse(template).render(pool.view(VariablePool::ROOT), limit).is_err(), "{template}");
    }
    assert!(TextTemplate::parse("{{#node.a#}}").render(pool.view(VariablePool::ROOT), 100).is_ok());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|quarters| (f64::from(quarters) / 4.0).into()),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,4}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_text_is_displayed_as_its_source(source in "(\\{\\{#|#\\}\\}|node|sys|\\.|[a-z#{}. ü]){0,24}") {
        prop_assert_eq!(TextTemplate::parse(&source).to_string(), source);
    }

    #[test]
    fn references_are_found_at_every_position(
        before in "[^{]{0,8}",
        after in "\\PC{0,8}",
        node in "[a-zA-Z0-9_]{1,50}",
        names in prop::collection::vec("[a-zA-Z_][a-zA-Z0-9_]{0,29}", 1..=10),
    ) {
        let selector = Selector::new(std::iter::once(node).chain(names));
        let text = TextTemplate::parse(&format!("{before}{{{{#{selector}#}}}}{after}"));
        prop_assert_eq!(text.references().next(), Some(&selector));
    }

    #[test]
    fn value_text_keeps_the_limit_and_is_valid_json(value in any_json(), limit in 0..200usize) {
        if let Ok(text) = value::text(&value, limit) {
            prop_assert!(text.len() <= limit);
        }
        let whole = value::text(&value, usize::MAX).unwrap();
        let is_json = value.is_object() || value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
        if is_json && !whole.is_empty() {
            let back: Value = serde_json::from_str(&whole).unwrap();
            prop_assert_eq!(back, value);
        }
    }

    #[test]
    fn rendering_within_the_limit_succeeds(
        template in "(\\{\\{#|#\\}\\}|node\\.a|node\\.b\\.c|[a-z]){0,12}",
        value in any_json(),
    ) {
        let pool = pool(json!({"a": value.clone(), "b": {"c": value}}));
        prop_assert!(TextTemplate::parse(&template).render(pool.view(VariablePool::ROOT), usize::MAX / 2).is_ok());
    }
}

#[test]
fn numbers_have_the_type_of_their_value_at_the_start_of_a_run() {
    use super::value_type::ValueType;
    let number = ValueType::from_name("number").unwrap();
    for (value, name, empty) in [(json!(1), "integer", json!(0)), (json!(1.0), "float", json!(0.0))] {
        let declared = number.at_start(&value);
        assert_eq!((declared.to_string().as_str(), declared.empty()), (name, empty));
        assert!(declared.accepts(&json!(2)) && declared.accepts(&json!(2.5)) && !declared.accepts(&json!("2")));
    }
    assert_eq!(number.at_start(&json!(null)), number);
    assert_eq!(ValueType::String.at_start(&json!(1)), ValueType::String);
}
