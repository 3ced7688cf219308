//! Moderation by keywords: the one type of moderation that calls no other service.

use serde_json::{Map, Value};

const KEYWORDS: &str = "keywords";

/// Sensitive words, and the texts that replace answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moderation {
    /// In lower case.
    words: Vec<String>,
    /// Replaces the answer to a sensitive input; `None`: inputs are not checked.
    input_preset: Option<String>,
    /// Replaces a sensitive answer; `None`: answers are not checked.
    output_preset: Option<String>,
}

impl Moderation {
    /// Reads `sensitive_word_avoidance`. A disabled one matches nothing.
    pub(crate) fn from_config(config: &Value) -> Self {
        if !is_enabled(config) {
            return Self::default();
        }
        let settings = &config["config"];
        let preset = |name: &str| {
            let settings = settings.get(name).filter(|settings| is_enabled(settings))?;
            Some(settings.get("preset_response").and_then(Value::as_str).unwrap_or_default().to_owned())
        };
        let words = settings.get("keywords").and_then(Value::as_str).unwrap_or_default();
        Self {
            words: words.lines().map(str::trim).filter(|word| !word.is_empty()).map(str::to_lowercase).collect(),
            input_preset: preset("inputs_config"),
            output_preset: preset("outputs_config"),
        }
    }

    /// Returns the text to answer with when an input or the query contains a sensitive word.
    pub(crate) fn check_inputs(&self, inputs: &Map<String, Value>, query: &str) -> Option<&str> {
        let preset = self.input_preset.as_deref()?;
        let is_sensitive = |value: &Value| match value {
            Value::String(text) => self.is_sensitive(text),
            other => self.is_sensitive(&other.to_string()),
        };
        (self.is_sensitive(query) || inputs.values().any(is_sensitive)).then_some(preset)
    }

    /// Returns the text that replaces an answer with a sensitive word. The last `new_bytes` of the answer are unchecked
    /// so far.
    pub(crate) fn check_output(&self, answer: &str, new_bytes: usize) -> Option<&str> {
        let preset = self.output_preset.as_deref()?;
        // A word may begin before the new bytes. Upper case may be longer than lower case, at most three times.
        let longest = self.words.iter().map(String::len).max()? * 3;
        let mut from = answer.len().saturating_sub(new_bytes + longest);
        while !answer.is_char_boundary(from) {
            from -= 1;
        }
        self.is_sensitive(&answer[from..]).then_some(preset)
    }

    fn is_sensitive(&self, text: &str) -> bool {
        if self.words.is_empty() {
            return false;
        }
        let text = text.to_lowercase();
        self.words.iter().any(|word| text.contains(word))
    }
}

/// The type of an enabled moderation that is not supported here.
pub(crate) fn unsupported_type(config: &Value) -> Option<&str> {
    let kind = config.get("type").and_then(Value::as_str).unwrap_or_default();
    (is_enabled(config) && kind != KEYWORDS).then_some(kind)
}

fn is_enabled(config: &Value) -> bool {
    config.get("enabled").and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_match_in_any_case_across_chunks_and_where_enabled() {
        let settings = json!({"enabled": true, "preset_response": "No."});
        let config = json!({"enabled": true, "type": "keywords", "config": {
            "keywords": "Bomb\n\n  straße \n", "inputs_config": settings, "outputs_config": settings}});
        let moderation = Moderation::from_config(&config);
        let inputs = |value: Value| Map::from_iter([("a".to_owned(), value)]);
        assert_eq!(moderation.check_inputs(&inputs(json!("a BOMB")), ""), Some("No."));
        assert_eq!(moderation.check_inputs(&inputs(json!(["die STRAßE"])), ""), Some("No."));
        assert_eq!(moderation.check_inputs(&inputs(json!(1)), "bombastic"), Some("No."));
        assert_eq!(moderation.check_inputs(&inputs(json!("flower")), "hello"), None);
        assert_eq!(moderation.check_output(&format!("{}a bo", "é".repeat(50)), 4), None);
        assert_eq!(moderation.check_output(&format!("{}a bomb", "é".repeat(50)), 2), Some("No."));
        let mut input_only = config.clone();
        input_only["config"]["outputs_config"]["enabled"] = json!(false);
        assert_eq!(Moderation::from_config(&input_only).check_output("bomb", 4), None);
        let mut disabled = config;
        disabled["enabled"] = json!(false);
        assert_eq!(Moderation::from_config(&disabled), Moderation::default());
        assert_eq!(Moderation::from_config(&Value::Null).check_inputs(&Map::new(), "bomb"), None);
    }

    #[test]
    fn other_types_are_unsupported() {
        assert_eq!(unsupported_type(&json!({"enabled": true, "type": "openai_moderation"})), Some("openai_moderation"));
        assert_eq!(unsupported_type(&json!({"enabled": true})), Some(""));
        assert_eq!(unsupported_type(&json!({"enabled": true, "type": "keywords"})), None);
        assert_eq!(unsupported_type(&json!({"enabled": false, "type": "api"})), None);
        assert_eq!(unsupported_type(&Value::Null), None);
    }
}
