//! Forms of runs that wait for a person.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    error::{Code, Detail, Error, Result},
    id::{AppId, EndUserId, HumanFormId, TaskId, WorkflowId, WorkflowRunId},
    secret::{Secret, sha256_hex},
};

/// Longest token of a form, in bytes. Dify's have 22 characters.
const MAX_TOKEN: usize = 128;

/// The secret that admits to one form.
#[derive(Clone, Debug)]
pub struct FormToken(Secret);

impl FormToken {
    /// A token of 43 base64url characters.
    pub fn from_entropy(entropy: &[u8; 32]) -> Self {
        Self(Secret::new(URL_SAFE_NO_PAD.encode(entropy)))
    }

    /// Reads a token from a request. `None` for text that is no token of any form.
    pub fn parse(text: &str) -> Option<Self> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = (1..=MAX_TOKEN).contains(&text.len()) && text.bytes().all(known);
        fits.then(|| Self(Secret::new(text)))
    }

    /// What SQL holds of the token.
    pub fn hash(&self) -> FormTokenHash {
        FormTokenHash(sha256_hex(self.0.expose().as_bytes()))
    }

    /// The token, for the reader of the run.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// SHA-256 of a token, in hexadecimal. It identifies the token, so it is not printed either.
#[derive(Clone, PartialEq, Eq)]
pub struct FormTokenHash(String);

impl FormTokenHash {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FormTokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormTokenHash(redacted)")
    }
}

/// A form as a person gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HumanForm {
    /// Markdown with the values of the run's variables. `{{#$output.name#}}` is the place of an input's value.
    pub form_content: String,
    /// The inputs as the app defines them.
    pub inputs: Vec<Map<String, Value>>,
    pub user_actions: Vec<UserAction>,
    /// The values of variables that are defaults of inputs, by the names of the inputs.
    pub resolved_default_values: Map<String, Value>,
    /// `false` for delivery by e-mail only.
    #[serde(default)]
    pub display_in_ui: bool,
}

/// A form that can be submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenForm {
    pub form: HumanForm,
    /// Later it cannot be submitted.
    pub expires_at: DateTime<Utc>,
}

/// What a person can choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAction {
    pub id: String,
    #[serde(default)]
    pub title: String,
    #[serde(default = "default_style")]
    pub button_style: String,
}

fn default_style() -> String {
    "default".to_owned()
}

/// A form that a run waits for, without what is kept of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredHumanForm {
    pub id: HumanFormId,
    pub app_id: AppId,
    /// The version of the graph that the run follows.
    pub workflow_id: WorkflowId,
    pub run_id: WorkflowRunId,
    pub task_id: TaskId,
    /// The caller who started the run.
    pub owner: EndUserId,
    /// JSON of a [`HumanForm`]; empty once it is resolved.
    pub form: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// When the form was resolved; `None` while the run waits.
    pub resolved_at: Option<DateTime<Utc>>,
}

/// How a form is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormResolution {
    /// By a person, before it expires.
    Submitted,
    /// After it has expired.
    Expired,
    /// By the caller who started the run and stops it.
    Stopped,
}

impl HumanForm {
    pub fn find_action(&self, id: &str) -> Option<&UserAction> {
        self.user_actions.iter().find(|action| action.id == id)
    }

    /// The values of a submission, with the defaults of inputs that it leaves out and without unknown inputs.
    ///
    /// Fails with `invalid_param` for an unknown action, a value that is no text and a choice that the input does not
    /// have, and with `input_required` for a missing value without a default.
    pub fn checked_values(&self, action: &str, mut given: Map<String, Value>) -> Result<Map<String, Value>> {
        if self.find_action(action).is_none() {
            let known: Vec<_> = self.user_actions.iter().map(|known| known.id.as_str()).collect();
            return Err(Error::invalid_param("body", "action", "is no action of this form")
                .with_hint(format!("Use one of: {}.", known.join(", "))));
        }
        let (mut values, mut errors) = (Map::new(), Vec::new());
        for input in &self.inputs {
            let Some(name) = input_name(input) else { continue };
            let value = given.remove(name).filter(|value| !value.is_null()).or_else(|| self.default_value(name, input));
            let reason = match &value {
                None => Some((Code::InputRequired, "is required".to_owned())),
                Some(Value::String(text)) => wrong_choice(input, text).map(|reason| (Code::InvalidParam, reason)),
                Some(_) => Some((Code::InvalidParam, "must be a text".to_owned())),
            };
            match (reason, value) {
                (Some((code, reason)), _) => errors.push((code, name, reason)),
                (None, Some(value)) => _ = values.insert(name.to_owned(), value),
                (None, None) => {}
            }
        }
        let Some((code, name, reason)) = errors.first() else { return Ok(values) };
        let mut error = Error::new(*code, format!("The input \"{name}\" {reason}."));
        for (_, name, reason) in &errors {
            let loc = vec!["body".into(), "inputs".into(), (*name).to_owned()];
            error = error.with_detail(Detail { kind: "value_error", loc, msg: format!("{name} {reason}") });
        }
        Err(error)
    }

    fn default_value(&self, name: &str, input: &Map<String, Value>) -> Option<Value> {
        if let Some(resolved) = self.resolved_default_values.get(name) {
            // Variables of other types are shown as text.
            return Some(Value::String(resolved.as_str().map_or_else(|| resolved.to_string(), str::to_owned)));
        }
        let default = input.get("default")?;
        let is_constant = default.get("type").and_then(Value::as_str) == Some("constant");
        default.get("value").filter(|value| is_constant && value.is_string()).cloned()
    }
}

/// The output of an input.
pub(crate) fn input_name(input: &Map<String, Value>) -> Option<&str> {
    input.get("output_variable_name")?.as_str()
}

/// Why a text is no choice of an input with constant options; `None` when it is one, or for another input.
fn wrong_choice(input: &Map<String, Value>, text: &str) -> Option<String> {
    let source = input.get("option_source").filter(|_| input.get("type").is_some_and(|kind| kind == "select"))?;
    if source.get("type").and_then(Value::as_str) != Some("constant") {
        return None;
    }
    let options: Vec<_> = source.get("value")?.as_array()?.iter().filter_map(Value::as_str).collect();
    (!options.contains(&text)).then(|| format!("must be one of: {}", options.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form() -> HumanForm {
        let input = |value: Value| value.as_object().unwrap().clone();
        HumanForm {
            form_content: String::new(),
            inputs: vec![
                input(json!({"output_variable_name": "note", "type": "paragraph"})),
                input(json!({"output_variable_name": "to", "type": "paragraph",
                    "default": {"type": "variable", "selector": ["start", "to"], "value": "unused"}})),
                input(json!({"output_variable_name": "tone", "type": "select",
                    "default": {"type": "constant", "value": "warm"},
                    "option_source": {"type": "constant", "value": ["warm", "cold"]}})),
            ],
            user_actions: vec![serde_json::from_value(json!({"id": "send"})).unwrap()],
            resolved_default_values: input(json!({"to": 7})),
            display_in_ui: true,
        }
    }

    fn checked(values: &Value) -> Result<Value> {
        form().checked_values("send", values.as_object().unwrap().clone()).map(Value::Object)
    }

    #[test]
    fn missing_values_have_defaults_and_unknown_inputs_are_left_out() {
        let values = checked(&json!({"note": "today", "other": 1, "to": null})).unwrap();
        assert_eq!(values, json!({"note": "today", "to": "7", "tone": "warm"}));
    }

    #[test]
    fn all_wrong_values_are_reported() {
        let error = checked(&json!({"to": ["x"], "tone": "hot"})).unwrap_err();
        let reasons: Vec<_> = error.details().iter().map(|detail| detail.msg.as_str()).collect();
        assert_eq!(reasons, ["note is required", "to must be a text", "tone must be one of: warm, cold"]);
        assert_eq!(error.code(), Code::InputRequired);
        assert_eq!(checked(&json!({"note": 1})).unwrap_err().code(), Code::InvalidParam);
    }

    #[test]
    fn unknown_action_is_rejected_with_the_known_ones() {
        let error = form().checked_values("other", Map::new()).unwrap_err();
        assert_eq!((error.code(), error.hint()), (Code::InvalidParam, Some("Use one of: send.")));
    }

    #[test]
    fn tokens_are_base64url_and_do_not_print() {
        let token = FormToken::from_entropy(&[7; 32]);
        assert_eq!(token.expose().len(), 43);
        assert_eq!(FormToken::parse(token.expose()).unwrap().hash(), token.hash());
        assert!(!format!("{token:?}{:?}", token.hash()).contains(token.expose()));
        for text in ["", "a b", "a/b", "é", &"a".repeat(129)] {
            assert!(FormToken::parse(text).is_none(), "{text}");
        }
    }
}
