//! The kinds of invalid JSON, each with the value that Dify reads.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{MAX_REPAIRED, repair_json};

#[test]
fn every_kind_of_invalid_json_is_repaired() {
    for (text, expected) in [
        (r#"{"a": 1, "b": [true, null, "x"]}"#, json!({"a": 1, "b": [true, null, "x"]})),
        // Quotes.
        ("{'q': 'a', 'b': [1,2,],}", json!({"q": "a", "b": [1, 2]})),
        ("{“a”: “b”}", json!({"a": "b"})),
        ("{'q': 'it's'}", json!({"q": "it's"})),
        (r#"{"q": "say "hi""}"#, json!({"q": "say \"hi\""})),
        (r#"{"q": "say "hi", ok", "b": 1}"#, json!({"q": "say \"hi\", ok", "b": 1})),
        (r#"{"a": "he said: "x: y" ok"}"#, json!({"a": "he said: \"x: y\" ok"})),
        (r#"{"q": "a}"#, json!({"q": "a"})),
        (r#"{"q": "a"#, json!({"q": "a"})),
        // Keys and texts without quotes.
        ("{a: 1, b-c: 2}", json!({"a": 1, "b-c": 2})),
        (r#"{"q": plain words}"#, json!({"q": "plain words"})),
        (r#"{"q": Hello World, bye}"#, json!({"q": "Hello World, bye"})),
        ("{key: value}", json!({"key": "value"})),
        ("{a: x\nb: http://y/z}", json!({"a": "x", "b": "http://y/z"})),
        (r#"{"q": }"#, json!({"q": ""})),
        (r#"{"a": undefined, "b": 12abc, "c": 1.2.3}"#, json!({"a": "undefined", "b": "12abc", "c": "1.2.3"})),
        // Commas.
        (r#"{"a": 1 "b": 2}"#, json!({"a": 1, "b": 2})),
        (r#"{"a": "b" "c": "d"}"#, json!({"a": "b", "c": "d"})),
        ("[1 2 3]", json!([1, 2, 3])),
        (r#"["a" "b"]"#, json!(["a", "b"])),
        ("[1,,2,]", json!([1, 2])),
        // Brackets.
        (r#"{"a": {"b": [1, 2}"#, json!({"a": {"b": [1, 2]}})),
        (r#"{"a": [1,2}, "b": 3}"#, json!({"a": [1, 2], "b": 3})),
        (r#"[{"a":1},{"a":2}"#, json!([{"a": 1}, {"a": 2}])),
        (r#"[{"a": 1]"#, json!([{"a": 1}])),
        (r#"{"a": "x"}}"#, json!({"a": "x"})),
        // Comments and literals.
        ("{\"a\": 1 // c\n, \"b\": 2 /* x */}", json!({"a": 1, "b": 2})),
        ("# c\n{\"a\":1 # d\n}", json!({"a": 1})),
        (r#"{"a": True, "b": None, "c": FALSE}"#, json!({"a": true, "b": null, "c": false})),
        (
            r#"{"a": .5, "b": 1., "c": +3, "d": 1e5, "e": 007}"#,
            json!({"a": 0.5, "b": 1.0, "c": 3, "d": 100_000.0, "e": 7}),
        ),
        // Blanks, line breaks and escapes.
        ("{\"a\":\u{a0}1}", json!({"a": 1})),
        ("{\"a\": \"line\nbreak\ttab\"}", json!({"a": "line\nbreak\ttab"})),
        (r#"{"a": "\q \u00e9 \ud83d\ude00 \ud83d"}"#, json!({"a": "\\q é 😀 \u{fffd}"})),
        // Text around, and an ellipsis inside.
        ("Sure! ```json\n{\"a\": 1}\n``` done", json!({"a": 1})),
        (r#"{"a": 1} {"b": 2}"#, json!([{"a": 1}, {"b": 2}])),
        (r#"{"a": "b", ...}"#, json!({"a": "b"})),
        ("[1, 2, ...]", json!([1, 2])),
        (r#"{"a":"b","a":"c"}"#, json!({"a": "c"})),
    ] {
        assert_eq!(repair_json(text), Some(expected), "{text}");
    }
}

#[test]
fn text_without_json_is_not_repaired() {
    for text in ["plain words", "", "42", "\"x\""] {
        assert_eq!(repair_json(text), None, "{text}");
    }
}

#[test]
fn length_and_depth_are_limited() {
    assert_eq!(repair_json(&format!("[{}", " ".repeat(MAX_REPAIRED))), None);
    assert_eq!(repair_json(&"[".repeat(1000)), None);
    assert!(repair_json(&"[".repeat(100)).is_some());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z]{1,4}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn repairing_any_text_ends(text in "[{}\\[\\]\"':,/*#\\\\a1 \n“é.-]{0,60}") {
        let _ = repair_json(&text);
    }

    #[test]
    fn objects_without_inner_quotes_are_unchanged(value in any_json()) {
        let value = json!({"v": value});
        let text = value.to_string();
        prop_assume!(!text.contains("\\\""));
        prop_assert_eq!(repair_json(&text), Some(value));
    }
}
