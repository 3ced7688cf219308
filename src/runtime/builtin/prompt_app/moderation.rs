//! Sensitive words: the one kind of moderation that asks nobody, `keywords`.

use serde_json::{Map, Value};

/// The kind that is done here.
const KEYWORDS: &str = "keywords";

/// What is refused to be heard or said, and what is said instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moderation {
    words: Vec<String>,
    for_inputs: Option<String>,
    for_outputs: Option<String>,
}

impl Moderation {
    /// Reads `sensitive_word_avoidance`; one that is switched off refuses nothing.
    pub(crate) fn of(config: &Value) -> Self {
        if !is_on(config) {
            return Self::default();
        }
        let settings = &config["config"];
        let preset = |side: &str| {
            let side = settings.get(side).filter(|side| is_on(side))?;
            Some(side.get("preset_response").and_then(Value::as_str).unwrap_or_default().to_owned())
        };
        let words = settings.get("keywords").and_then(Value::as_str).unwrap_or_default();
        Self {
            words: words.lines().map(str::trim).filter(|word| !word.is_empty()).map(str::to_lowercase).collect(),
            for_inputs: preset("inputs_config"),
            for_outputs: preset("outputs_config"),
        }
    }

    /// What is answered instead when an input or the query has a sensitive word.
    pub(crate) fn of_inputs(&self, inputs: &Map<String, Value>, query: &str) -> Option<&str> {
        let preset = self.for_inputs.as_deref()?;
        let said = |value: &Value| match value {
            Value::String(text) => self.is_sensitive(text),
            other => self.is_sensitive(&other.to_string()),
        };
        (self.is_sensitive(query) || inputs.values().any(said)).then_some(preset)
    }

    /// What replaces an answer that has a sensitive word. `new` bytes at its end have not been looked at before.
    pub(crate) fn of_output(&self, answer: &str, new: usize) -> Option<&str> {
        let preset = self.for_outputs.as_deref()?;
        // A word may have begun before; lower case may be longer than upper case, but never this much.
        let longest = self.words.iter().map(String::len).max()? * 3;
        let mut from = answer.len().saturating_sub(new + longest);
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

/// The kind of moderation the app asks for, when it is not done here.
pub(crate) fn lacking_kind(config: &Value) -> Option<&str> {
    let kind = config.get("type").and_then(Value::as_str).unwrap_or_default();
    (is_on(config) && kind != KEYWORDS).then_some(kind)
}

fn is_on(config: &Value) -> bool {
    config.get("enabled").and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_found_in_any_case_across_chunks_and_only_where_asked() {
        let side = json!({"enabled": true, "preset_response": "No."});
        let config = json!({"enabled": true, "type": "keywords", "config": {
            "keywords": "Bomb\n\n  straße \n", "inputs_config": side, "outputs_config": side}});
        let moderation = Moderation::of(&config);
        let inputs = |value: Value| Map::from_iter([("a".to_owned(), value)]);
        assert_eq!(moderation.of_inputs(&inputs(json!("a BOMB")), ""), Some("No."));
        assert_eq!(moderation.of_inputs(&inputs(json!(["die STRAßE"])), ""), Some("No."));
        assert_eq!(moderation.of_inputs(&inputs(json!(1)), "bombastic"), Some("No."));
        assert_eq!(moderation.of_inputs(&inputs(json!("flower")), "hello"), None);
        assert_eq!(moderation.of_output(&format!("{}a bo", "é".repeat(50)), 4), None);
        assert_eq!(moderation.of_output(&format!("{}a bomb", "é".repeat(50)), 2), Some("No."));
        let mut heard = config.clone();
        heard["config"]["outputs_config"]["enabled"] = json!(false);
        assert_eq!(Moderation::of(&heard).of_output("bomb", 4), None);
        let mut off = config;
        off["enabled"] = json!(false);
        assert_eq!(Moderation::of(&off), Moderation::default());
        assert_eq!(Moderation::of(&Value::Null).of_inputs(&Map::new(), "bomb"), None);
    }

    #[test]
    fn other_kinds_are_named() {
        assert_eq!(lacking_kind(&json!({"enabled": true, "type": "openai_moderation"})), Some("openai_moderation"));
        assert_eq!(lacking_kind(&json!({"enabled": true})), Some(""));
        assert_eq!(lacking_kind(&json!({"enabled": true, "type": "keywords"})), None);
        assert_eq!(lacking_kind(&json!({"enabled": false, "type": "api"})), None);
        assert_eq!(lacking_kind(&Value::Null), None);
    }
}
