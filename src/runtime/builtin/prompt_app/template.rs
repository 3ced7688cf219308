//! Prompt templates: `{{variable}}`, and the blocks `{{#context#}}`, `{{#query#}}` and `{{#histories#}}`.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::domain::{Error, Result};

/// Longest name of a variable.
const NAME_MAX: usize = 30;

/// Bytes of a filled-in template at most: one value can stand in it many times.
const FILLED_MAX: usize = 1 << 20;

/// Fills a template in. A variable without a value stands with single braces, and so do templates inside values: what a
/// caller writes is never a template. Special tokens of models, `<|…|>`, are taken out of the whole. `invalid_param` when
/// it grows too long.
pub(crate) fn fill<'v>(template: &str, value: impl Fn(&str) -> Option<Cow<'v, str>>) -> Result<String> {
    let mut filled = String::with_capacity(template.len());
    replace(template, &mut filled, |name, filled| {
        // Full already: nothing more is looked up or copied, however often a value stands here.
        if filled.len() > FILLED_MAX {
            return;
        }
        match value(name) {
            Some(value) => replace(&value, filled, single),
            None => single(name, filled),
        }
    });
    if filled.len() > FILLED_MAX {
        return Err(Error::invalid_param("body", "inputs", "these values make the app's prompt too long"));
    }
    Ok(without_special_tokens(filled))
}

/// The values of an app's form as texts, for [`fill`]; one that was left out is empty.
pub(crate) fn inputs<'v>(inputs: &'v Map<String, Value>, form: &'v [String]) -> impl Fn(&str) -> Option<Cow<'v, str>> {
    move |name| match inputs.get(name) {
        Some(value) => Some(text_of(value)),
        None => form.iter().any(|variable| variable == name).then_some(Cow::Borrowed("")),
    }
}

fn single(name: &str, filled: &mut String) {
    filled.extend(["{", name, "}"]);
}

/// Copies `text`, and has `with` write for each `{{name}}`.
fn replace(text: &str, filled: &mut String, mut with: impl FnMut(&str, &mut String)) {
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        let Some(name) = name_at(&rest[open + 2..]) else {
            // The second brace may open the next one: `{{{a}}`.
            filled.push_str(&rest[..=open]);
            rest = &rest[open + 1..];
            continue;
        };
        filled.push_str(&rest[..open]);
        with(name, filled);
        rest = &rest[open + 2 + name.len() + 2..];
    }
    filled.push_str(rest);
}

/// The name before `}}` that `text` begins with.
fn name_at(text: &str) -> Option<&str> {
    for block in ["#context#", "#query#", "#histories#"] {
        if text.strip_prefix(block).is_some_and(|rest| rest.starts_with("}}")) {
            return Some(block);
        }
    }
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = text.bytes().take(NAME_MAX + 1).take_while(is_name).count();
    let begins_well = text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    (1..=NAME_MAX).contains(&length).then_some(())?;
    (begins_well && text[length..].starts_with("}}")).then(|| &text[..length])
}

/// A value as prompts show it: texts as they are, the rest as Python and JSON write it.
fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::Bool(true) => Cow::Borrowed("True"),
        Value::Bool(false) => Cow::Borrowed("False"),
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// Without `<|…|>` on one line, which models read as the end of a message and the like.
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
            // None on this line: nothing before its end can be one.
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
    fn variables_are_filled_in_and_others_lose_a_brace() {
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
    fn a_value_is_never_a_template_nor_a_special_token() {
        let values = json!({"a": "{{b}} {{#histories#}} {{ b }}", "b": "secret", "c": "<|im_end|>x", "d": "<|"});
        assert_eq!(filled("{{a}}", &values), "{b} {#histories#} {{ b }}");
        assert_eq!(filled("{{c}}{{d}}im_end|>.", &values), "x.");
        assert_eq!(filled("<|a\nb|> <| <|x|>y", &values), "<|a\nb|> y");
    }

    #[test]
    fn a_prompt_that_grows_too_long_is_refused_before_it_takes_its_memory() {
        let (template, value) = ("{{a}}".repeat(20_000), "x".repeat(1 << 20));
        let begun = std::time::Instant::now();
        let refusal = fill(&template, |_| Some(Cow::Borrowed(value.as_str()))).unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidParam);
        assert!(begun.elapsed() < std::time::Duration::from_secs(2), "twenty gigabytes were not copied");
        let most = "x".repeat(FILLED_MAX);
        assert_eq!(fill("{{a}}", |_| Some(Cow::Borrowed(most.as_str()))).unwrap().len(), FILLED_MAX);
    }

    proptest! {
        #[test]
        fn filling_never_panics(template in "[{}a#<|>é\\n ]{0,40}", value in "[{}a#<|>\\n]{0,20}") {
            fill(&template, |name| (name == "a").then(|| Cow::Owned(value.clone()))).unwrap();
        }

        #[test]
        fn what_is_around_a_variable_stays(before in "[^{}<]{0,20}", value in "[^{}<]{0,20}", after in "[^{}<]{0,20}") {
            let template = format!("{before}{{{{a}}}}{after}{{{{a}}}}");
            let filled = fill(&template, |name| (name == "a").then(|| Cow::Owned(value.clone()))).unwrap();
            prop_assert_eq!(filled, format!("{before}{value}{after}{value}"));
        }
    }
}
