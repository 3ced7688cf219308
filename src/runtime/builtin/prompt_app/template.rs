//! Prompt templates: `{{variable}}`, and the blocks `{{#context#}}`, `{{#query#}}` and `{{#histories#}}`.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::domain::{Error, Result};

/// Longest name of a variable, in bytes.
const MAX_NAME: usize = 30;

/// Longest filled template, in bytes. A template can refer to a value many times.
const MAX_FILLED: usize = 1 << 20;

/// Replaces the variables of a template. A variable without a value keeps single braces. References inside values also
/// get single braces, so that a caller's input is never a template. Special tokens of models, `<|…|>`, are removed.
/// Returns `invalid_param` when the result is too long.
pub(crate) fn fill<'v>(template: &str, value: impl Fn(&str) -> Option<Cow<'v, str>>) -> Result<String> {
    let mut filled = String::with_capacity(template.len());
    replace(template, &mut filled, |name, filled| {
        // Beyond the limit, values are neither looked up nor copied.
        if filled.len() > MAX_FILLED {
            return;
        }
        match value(name) {
            Some(value) => replace(&value, filled, push_with_single_braces),
            None => push_with_single_braces(name, filled),
        }
    });
    if filled.len() > MAX_FILLED {
        return Err(Error::invalid_param("body", "inputs", "these values make the app's prompt too long"));
    }
    Ok(without_special_tokens(filled))
}

/// The values of an app's form as texts, for [`fill`]. An omitted value is empty.
pub(crate) fn inputs<'v>(inputs: &'v Map<String, Value>, form: &'v [String]) -> impl Fn(&str) -> Option<Cow<'v, str>> {
    move |name| match inputs.get(name) {
        Some(value) => Some(text_of(value)),
        None => form.iter().any(|variable| variable == name).then_some(Cow::Borrowed("")),
    }
}

fn push_with_single_braces(name: &str, filled: &mut String) {
    filled.extend(["{", name, "}"]);
}

/// Copies `text`, and calls `write_value` for each `{{name}}`.
fn replace(text: &str, filled: &mut String, mut write_value: impl FnMut(&str, &mut String)) {
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        let Some(name) = name_at(&rest[open + 2..]) else {
            // The second brace may begin a reference: `{{{a}}`.
            filled.push_str(&rest[..=open]);
            rest = &rest[open + 1..];
            continue;
        };
        filled.push_str(&rest[..open]);
        write_value(name, filled);
        rest = &rest[open + 2 + name.len() + 2..];
    }
    filled.push_str(rest);
}

/// The name at the beginning of `text`, when `}}` follows.
fn name_at(text: &str) -> Option<&str> {
    for block in ["#context#", "#query#", "#histories#"] {
        if text.strip_prefix(block).is_some_and(|rest| rest.starts_with("}}")) {
            return Some(block);
        }
    }
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = text.bytes().take(MAX_NAME + 1).take_while(is_name).count();
    let valid_start = text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    (1..=MAX_NAME).contains(&length).then_some(())?;
    (valid_start && text[length..].starts_with("}}")).then(|| &text[..length])
}

/// A value in a prompt: booleans as in Python, numbers, lists and objects as JSON.
fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::Bool(true) => Cow::Borrowed("True"),
        Value::Bool(false) => Cow::Borrowed("False"),
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// Removes every `<|…|>` within a line. Models read these as control tokens, such as the end of a message.
fn without_special_tokens(text: String) -> String {
    if !text.contains("<|") {
        return text;
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(open) = rest.find("<|") {
        let inside = &rest[open + 2..];
        let line = &inside[..inside.find('\n').unwrap_or(inside.len())];
        let Some(close) = line.find("|>") else {
            // The rest of the line has no token.
            kept.push_str(&rest[..open + 2 + line.len()]);
            rest = &inside[line.len()..];
            continue;
        };
        kept.push_str(&rest[..open]);
        rest = &inside[close + 2..];
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::Code;

    fn filled(template: &str, values: &Value) -> String {
        let form = ["optional".to_owned()];
        fill(template, inputs(values.as_object().unwrap(), &form)).unwrap()
    }

    #[test]
    fn variables_are_replaced_and_unknown_ones_get_single_braces() {
        let values = json!({"name": "Ann", "n": 4.5, "yes": true, "none": null, "list": [1, "a"]});
        assert_eq!(filled("Hi {{name}}, {{n}} {{yes}} {{none}}{{list}}", &values), "Hi Ann, 4.5 True [1,\"a\"]");
        assert_eq!(filled("{{unknown}} {{optional}}.", &values), "{unknown} .");
        assert_eq!(
            filled("{{ name }} {{1a}} {{na me}} {{name} {name}} {{}}", &values),
            "{{ name }} {{1a}} {{na me}} {{name} {name}} {{}}"
        );
        assert_eq!(filled("{{{name}}}", &values), "{Ann}");
        assert_eq!(filled("{{#query#}} {{#other#}}", &values), "{#query#} {{#other#}}");
        let long = "a".repeat(30);
        assert_eq!(filled(&format!("{{{{{long}}}}} {{{{{long}a}}}}"), &values), format!("{{{long}}} {{{{{long}a}}}}"));
    }

    #[test]
    fn value_is_neither_template_nor_special_token() {
        let values = json!({"a": "{{b}} {{#histories#}} {{ b }}", "b": "secret", "c": "<|im_end|>x", "d": "<|"});
        assert_eq!(filled("{{a}}", &values), "{b} {#histories#} {{ b }}");
        assert_eq!(filled("{{c}}{{d}}im_end|>.", &values), "x.");
        assert_eq!(filled("<|a\nb|> <| <|x|>y", &values), "<|a\nb|> y");
    }

    #[test]
    fn too_long_prompt_is_rejected_without_using_the_memory() {
        let (template, value) = ("{{a}}".repeat(20_000), "x".repeat(1 << 20));
        let begun = std::time::Instant::now();
        let error = fill(&template, |_| Some(Cow::Borrowed(value.as_str()))).unwrap_err();
        assert_eq!(error.code(), Code::InvalidParam);
        assert!(begun.elapsed() < std::time::Duration::from_secs(2), "twenty gigabytes were not copied");
        let most = "x".repeat(MAX_FILLED);
        assert_eq!(fill("{{a}}", |_| Some(Cow::Borrowed(most.as_str()))).unwrap().len(), MAX_FILLED);
    }

    proptest! {
        #[test]
        fn filling_never_panics(template in "[{}a#<|>é\\n ]{0,40}", value in "[{}a#<|>\\n]{0,20}") {
            fill(&template, |name| (name == "a").then(|| Cow::Owned(value.clone()))).unwrap();
        }

        #[test]
        fn text_around_a_variable_is_kept(before in "[^{}<]{0,20}", value in "[^{}<]{0,20}", after in "[^{}<]{0,20}") {
            let template = format!("{before}{{{{a}}}}{after}{{{{a}}}}");
            let filled = fill(&template, |name| (name == "a").then(|| Cow::Owned(value.clone()))).unwrap();
            prop_assert_eq!(filled, format!("{before}{value}{after}{value}"));
        }
    }
}
