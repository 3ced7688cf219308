//! References in the parameters of a model.

use serde_json::Value;

use crate::runtime::builtin::{
    json::JsonObject,
    variables::{pool::VariableView, text::TextTemplate, value::TextTooLongError},
};

/// Longest value of a parameter with references, in characters; the rest is cut off, as in Dify.
const MAX_RESOLVED: usize = 1024;

/// Fills in the references of parameters that are texts. A result that is a number or a flag becomes one.
pub(super) fn resolve(
    parameters: &JsonObject,
    view: VariableView<'_>,
    limit: usize,
) -> Result<JsonObject, TextTooLongError> {
    let mut resolved = JsonObject::new();
    for (name, value) in parameters {
        let template = value.as_str().map(TextTemplate::parse);
        let value = match template.filter(|template| template.references().next().is_some()) {
            Some(template) => typed(template.render(view, limit)?),
            None => value.clone(),
        };
        resolved.insert(name.clone(), value);
    }
    Ok(resolved)
}

fn typed(text: String) -> Value {
    let text = match text.char_indices().nth(MAX_RESOLVED) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    };
    match serde_json::from_str(text.trim()) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => Value::String(text),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Map, json};

    use super::*;
    use crate::runtime::builtin::variables::pool::{SystemVariables, VariablePool};

    #[test]
    fn references_are_filled_in_and_become_numbers_and_flags() {
        let object = |value: Value| value.as_object().cloned().unwrap();
        let mut pool = VariablePool::new(SystemVariables::default(), Map::new(), Map::new(), (1 << 20, 1 << 20));
        let values = json!({"t": "0.7", "f": "true", "n": 5, "s": "a b", "long": "é".repeat(2000)});
        pool.set(VariablePool::ROOT, &"n".into(), Arc::new(object(values))).unwrap();
        let parameters = json!({
            "temperature": "{{#n.t#}}", "flag": "{{#n.f#}}", "max_tokens": "{{#n.n#}}0", "user": "x {{#n.s#}}",
            "long": "{{#n.long#}}", "text": "0.5", "top_p": 1, "stop": ["{{#n.s#}}"],
        });
        let resolved = resolve(&object(parameters), pool.view(VariablePool::ROOT), 1 << 20).unwrap();
        let expected = json!({
            "temperature": 0.7, "flag": true, "max_tokens": 50, "user": "x a b", "long": "é".repeat(1024),
            "text": "0.5", "top_p": 1, "stop": ["{{#n.s#}}"],
        });
        assert_eq!(Value::Object(resolved), expected);
    }
}
