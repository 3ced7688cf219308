//! References of every type inside and outside quotes.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::runtime::builtin::variables::pool::{SystemVariables, VariablePool};

fn rendered(template: &str, value: &Value) -> Result<String, String> {
    let mut pool = VariablePool::new(SystemVariables::default(), Map::new(), Map::new(), (1 << 20, 1 << 20));
    let values = Map::from_iter([("v".to_owned(), value.clone())]);
    pool.set(VariablePool::ROOT, &"n".into(), Arc::new(values)).unwrap();
    let template = TextTemplate::parse(&template.replace('@', "{{#n.v#}}"));
    render(&template, pool.view(VariablePool::ROOT), 1 << 16).map_err(|error| error.message)
}

#[test]
fn reference_inside_quotes_is_escaped() {
    for (template, value, expected) in [
        (r#"{"q": "@"}"#, json!("say \"hi\""), r#"{"q":"say \"hi\""}"#),
        (r#"{"q": "a @ b"}"#, json!("C:\\new\nline"), r#"{"q":"a C:\\new\nline b"}"#),
        (
            r#"{"q": "@", "r": 1}"#,
            json!("\", \"admin\": true, \"x\": \""),
            r#"{"q":"\", \"admin\": true, \"x\": \"","r":1}"#,
        ),
        (r#"{"q": "@"}"#, json!(["a", "b"]), r#"{"q":"[\"a\", \"b\"]"}"#),
        (r#"{"q": "@"}"#, json!(7), r#"{"q":"7"}"#),
        (r#"{"q": "\"@\""}"#, json!("x"), r#"{"q":"\"x\""}"#),
        (r"{'q': '@'}", json!("it's \"so\""), r#"{"q":"it's \"so\""}"#),
        ("{\"q\": \"two\nlines @\"}", json!("x"), r#"{"q":"two\nlines x"}"#),
        (r#"{"@": 1}"#, json!("a\"b"), r#"{"a\"b":1}"#),
    ] {
        assert_eq!(rendered(template, &value).as_deref(), Ok(expected), "{template} {value}");
    }
}

#[test]
fn reference_outside_quotes_becomes_a_json_value() {
    for (template, value, expected) in [
        (r#"{"q": @}"#, json!("plain words"), r#"{"q":"plain words"}"#),
        (r#"{"q": @, "r": [@, @]}"#, json!("a \"b\""), r#"{"q":"a \"b\"","r":["a \"b\"","a \"b\""]}"#),
        (r#"{"q": @}"#, json!("12"), r#"{"q":12}"#),
        (r#"{"q": @}"#, json!("{\"a\": 1}"), r#"{"q":{"a":1}}"#),
        (r#"{"q": @}"#, json!("{'a': 1}, 'admin': true"), r#"{"q":{"a":1}}"#),
        (r#"{"q": @}"#, json!(2.5), r#"{"q":2.5}"#),
        (r#"{"q": @}"#, json!(true), r#"{"q":true}"#),
        (r#"{"q": @}"#, json!([]), r#"{"q":[]}"#),
        (r#"{"q": @}"#, json!([{"k": "v"}]), r#"{"q":[{"k":"v"}]}"#),
        (r#"{"q": @}"#, json!(null), r#"{"q":""}"#),
        (r#"{"q": Hello @, bye}"#, json!("you"), r#"{"q":"Hello you, bye"}"#),
        ("@", json!("{\"a\": [1, 2]}"), r#"{"a":[1,2]}"#),
        ("@", json!("```json\n{\"a\": 1,}\n```"), r#"{"a":1}"#),
        ("@", json!({"a": 1}), r#"{"a":1}"#),
        (r#"{"n": 12345678901234567890123, "f": 1.50}"#, json!(null), r#"{"n":12345678901234567890123,"f":1.50}"#),
    ] {
        assert_eq!(rendered(template, &value).as_deref(), Ok(expected), "{template} {value}");
    }
}

#[test]
fn text_that_is_not_json_fails() {
    assert!(rendered("@", &json!("plain words")).unwrap_err().starts_with("Failed to parse JSON: "));
    assert!(rendered("@", &json!("")).unwrap_err().starts_with("Failed to parse JSON: "));
    assert!(rendered(" ", &json!("")).is_err());
    assert!(rendered(r#"{"q": "@"}"#, &json!("x".repeat(1 << 16))).unwrap_err().contains("longer than"));
}

proptest! {
    #[test]
    fn text_inside_quotes_arrives_unchanged(text in "\\PC{0,20}|[\"'\\\\{}\\[\\],:\n\r\t ]{0,12}") {
        let sent: Value = serde_json::from_str(&rendered(r#"{"a": "@", "b": '@'}"#, &json!(text)).unwrap()).unwrap();
        prop_assert_eq!(&sent["a"], &json!(text));
    }

    #[test]
    fn unquoted_text_adds_no_members(text in "\\PC{0,20}|[\"'\\\\{}\\[\\],:a1 ]{0,12}") {
        let sent: Value = serde_json::from_str(&rendered(r#"{"a": @, "b": 1}"#, &json!(text)).unwrap()).unwrap();
        prop_assert_eq!(sent.as_object().unwrap().keys().collect::<Vec<_>>(), ["a", "b"]);
    }
}
