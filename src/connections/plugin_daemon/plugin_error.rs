//! The error of a plugin, which the daemon wraps in its own: a text may be the JSON of an error inside.

use serde_json::{Map, Value};

use super::line_buffer::Line;

/// How deep errors of plugins are wrapped in errors of the daemon: two levels for each, a text and its object.
const MAX_DEPTH: usize = 8;

/// What a line that reports an error says. It may contain secrets.
#[derive(Debug, Default)]
pub(super) struct PluginError {
    /// The values of `error_type`, the outermost first.
    types: Vec<String>,
    /// The other texts, the outermost first.
    texts: Vec<String>,
}

impl PluginError {
    pub(super) fn of(line: &Line) -> Self {
        let mut error = Self::default();
        error.collect(&line.message, 0);
        error.collect(&line.data, 0);
        error
    }

    /// The error of a response whose status reports one; `None` for a body that is not the daemon's.
    pub(super) fn of_body(body: &[u8]) -> Option<Self> {
        Line::parse(body).ok().map(|line| Self::of(&line))
    }

    /// Whether any of the texts contains this one.
    pub(super) fn mentions(&self, text: &str) -> bool {
        self.types.iter().chain(&self.texts).any(|found| found.contains(text))
    }

    pub(super) fn has_type(&self, is_wanted: impl Fn(&str) -> bool) -> bool {
        self.types.iter().any(|found| is_wanted(found))
    }

    /// The innermost text, which the plugin itself wrote.
    pub(super) fn message(&self) -> Option<&str> {
        self.texts.last().map(String::as_str)
    }

    /// Whether the daemon does not have the plugin.
    pub(super) fn is_plugin_missing(&self) -> bool {
        self.mentions("PluginNotFound") || self.mentions("plugin not found")
    }

    fn collect(&mut self, value: &Value, depth: usize) {
        if depth == MAX_DEPTH {
            return;
        }
        match value {
            Value::String(text) => match serde_json::from_str::<Map<String, Value>>(text) {
                Ok(inner) => self.collect(&Value::Object(inner), depth + 1),
                Err(_) if text.trim().is_empty() => {}
                Err(_) => self.texts.push(text.clone()),
            },
            Value::Object(members) => {
                self.types.extend(members.get("error_type").and_then(Value::as_str).map(str::to_owned));
                if let Some(message) = members.get("message") {
                    self.collect(message, depth + 1);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn innermost_message_is_found() {
        let inner = json!({"args": {}, "error_type": "ValueError", "message": "no such city"});
        let outer = json!({"error_type": "PluginInvokeError", "message": inner.to_string()});
        let line = json!({"code": -500, "message": outer.to_string(), "data": null});
        let error = PluginError::of_body(line.to_string().as_bytes()).unwrap();
        assert_eq!(error.message(), Some("no such city"));
        assert_eq!(error.types, ["PluginInvokeError", "ValueError"]);
        assert!(error.has_type(|found| found == "ValueError") && !error.is_plugin_missing());
    }

    #[test]
    fn error_without_a_text_has_no_message() {
        for message in [json!(""), json!(null), json!({}), json!({"error_type": "X", "message": " "}), json!([1])] {
            let line = json!({"code": -1, "message": message}).to_string();
            assert_eq!(PluginError::of_body(line.as_bytes()).unwrap().message(), None, "{line}");
        }
        assert!(PluginError::of_body(b"404 page not found").is_none());
    }

    #[test]
    fn endless_wrapping_is_not_followed() {
        let wrapped = (0..20).fold(json!("deep"), |inner, _| json!({"message": inner.to_string()}));
        let line = json!({"code": -1, "message": wrapped}).to_string();
        assert_eq!(PluginError::of_body(line.as_bytes()).unwrap().message(), None);
    }
}
