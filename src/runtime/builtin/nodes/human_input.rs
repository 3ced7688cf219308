//! `human-input`: pauses the run until a person submits a form, or until its timeout.

use std::{collections::HashSet, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Value, json};

use super::outcome::{NodeError, NodeOutcome};
use crate::{
    domain::human_form::{HumanForm, UserAction, input_name},
    runtime::builtin::{
        json::{JsonObject, count, or_default},
        variables::{
            pool::VariableView,
            selector::Selector,
            text::{TextPart, TextTemplate},
            value::{self, TextTooLongError},
        },
    },
};

/// The branch of a form that has expired.
pub(crate) const TIMEOUT: &str = "__timeout";
/// The output with the id of the chosen action; empty after the timeout.
const ACTION_ID: &str = "__action_id";
/// The output with the title of the chosen action; empty after the timeout.
const ACTION_VALUE: &str = "__action_value";
/// The output with the form's text, filled in.
const RENDERED_CONTENT: &str = "__rendered_content";
/// Timeout of a form without one.
const DEFAULT_TIMEOUT_HOURS: u64 = 36;
/// Longest id of an action, in characters.
const MAX_ACTION_ID: usize = 20;
/// Longest name of an input that a text can refer to, in bytes.
const MAX_NAME: usize = 30;
/// The beginning of the place of an input's value.
const PLACE: &str = "{{#$output.";
/// The end of that place.
const PLACE_END: &str = "#}}";

#[derive(Debug, Deserialize)]
pub(crate) struct HumanInputNodeData {
    #[serde(default, deserialize_with = "or_default")]
    form_content: TextTemplate,
    #[serde(default, deserialize_with = "inputs")]
    inputs: Vec<JsonObject>,
    #[serde(default, deserialize_with = "user_actions")]
    user_actions: Vec<UserAction>,
    /// Absent and 0 are the default.
    #[serde(default, deserialize_with = "count")]
    timeout: u64,
    #[serde(default, deserialize_with = "or_default")]
    timeout_unit: TimeoutUnit,
    #[serde(default, deserialize_with = "or_default")]
    delivery_methods: Vec<DeliveryMethod>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TimeoutUnit {
    #[default]
    Hour,
    Day,
}

#[derive(Debug, Deserialize)]
struct DeliveryMethod {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default = "enabled")]
    enabled: bool,
}

const fn enabled() -> bool {
    true
}

/// Reads the inputs, whose values are texts. Their names differ.
fn inputs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<JsonObject>, D::Error> {
    let inputs: Vec<JsonObject> = or_default(deserializer)?;
    let mut names = HashSet::new();
    for input in &inputs {
        let name = input_name(input).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| D::Error::custom("has an input without an output_variable_name; add it"))?;
        if !names.insert(name) {
            return Err(D::Error::custom(format!("has two inputs named `{name}`; rename one")));
        }
        match input.get("type").and_then(Value::as_str).unwrap_or("paragraph") {
            "paragraph" | "text-input" | "select" => {}
            "file" | "file-list" => {
                let problem = format!("has the file input `{name}`; forms have inputs of text only here, so remove it");
                return Err(D::Error::custom(problem));
            }
            other => {
                let problem = format!("has the input `{name}` of type `{other}`, which is unknown; choose another");
                return Err(D::Error::custom(problem));
            }
        }
    }
    Ok(inputs)
}

/// Reads the actions, whose ids are handles of edges.
fn user_actions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<UserAction>, D::Error> {
    let actions: Vec<UserAction> = or_default(deserializer)?;
    let mut ids = HashSet::new();
    for UserAction { id, .. } in &actions {
        if !is_identifier(id) || id.len() > MAX_ACTION_ID || id == TIMEOUT {
            let problem = format!("has an action with the id `{id}`; write 1 to 20 letters, digits or underscores");
            return Err(D::Error::custom(problem));
        }
        if !ids.insert(id) {
            return Err(D::Error::custom(format!("has two actions with the id `{id}`; rename one")));
        }
    }
    Ok(actions)
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|next| next.is_ascii_alphanumeric() || next == '_')
}

impl HumanInputNodeData {
    /// How long the run waits for the form.
    pub(crate) fn timeout(&self) -> Duration {
        let hours = match (self.timeout, self.timeout_unit) {
            (0, _) => DEFAULT_TIMEOUT_HOURS,
            (days, TimeoutUnit::Day) => days.saturating_mul(24),
            (hours, TimeoutUnit::Hour) => hours,
        };
        Duration::from_secs(hours.saturating_mul(3_600))
    }

    /// The form with the values of the variables, whose text has at most `limit` bytes.
    pub(crate) fn form(&self, view: VariableView<'_>, limit: usize) -> Result<HumanForm, Box<NodeError>> {
        let in_ui = |method: &DeliveryMethod| method.enabled && method.kind != "email";
        let default = |input: &JsonObject| Some((input_name(input)?.to_owned(), resolved_default(input, view)?));
        Ok(HumanForm {
            form_content: self.content(view, limit)?,
            inputs: self.inputs.clone(),
            user_actions: self.user_actions.clone(),
            resolved_default_values: self.inputs.iter().filter_map(default).collect(),
            display_in_ui: self.delivery_methods.is_empty() || self.delivery_methods.iter().any(in_ui),
        })
    }

    fn content(&self, view: VariableView<'_>, limit: usize) -> Result<String, TextTooLongError> {
        let mut content = String::new();
        for part in self.form_content.parts() {
            match part {
                TextPart::Literal(text) => content.push_str(text),
                // A missing value is empty.
                TextPart::Reference(selector) => {
                    if let Some(found) = view.get(selector) {
                        content.push_str(&value::markdown(found, limit)?);
                    }
                }
            }
            if content.len() > limit {
                return Err(TextTooLongError { limit });
            }
        }
        Ok(content)
    }
}

/// The value of the variable that is the default of an input.
fn resolved_default(input: &JsonObject, view: VariableView<'_>) -> Option<Value> {
    let default = input.get("default")?;
    if default.get("type")?.as_str()? != "variable" {
        return None;
    }
    let selector: Selector = serde_json::from_value(default.get("selector")?.clone()).ok()?;
    view.get(&selector).cloned()
}

/// What the node gives after the form was submitted.
pub(crate) fn submitted(form: &HumanForm, action: &UserAction, values: JsonObject) -> NodeOutcome {
    let content = filled_in(&form.form_content, &values);
    let mut outputs = values.clone();
    outputs.extend(special_outputs(&action.id, &action.title, &content));
    NodeOutcome { inputs: values, outputs, branch: Some(action.id.clone()), ..NodeOutcome::default() }
}

/// What the node gives after its timeout.
pub(crate) fn timed_out(form: &HumanForm) -> NodeOutcome {
    let outputs = special_outputs("", "", &form.form_content).into_iter().collect();
    NodeOutcome { outputs, branch: Some(TIMEOUT.to_owned()), ..NodeOutcome::default() }
}

fn special_outputs(action: &str, title: &str, content: &str) -> [(String, Value); 3] {
    [(ACTION_ID, action), (RENDERED_CONTENT, content), (ACTION_VALUE, title)]
        .map(|(name, value)| (name.to_owned(), json!(value)))
}

/// The text of a form with the values of its inputs. A place without a value is empty.
pub(crate) fn filled_in(content: &str, values: &JsonObject) -> String {
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = rest.find(PLACE) {
        let (before, place) = rest.split_at(at);
        out.push_str(before);
        let name = place[PLACE.len()..].split(PLACE_END).next().unwrap_or_default();
        let end = PLACE.len() + name.len();
        if is_identifier(name) && name.len() <= MAX_NAME && place[end..].starts_with(PLACE_END) {
            out.push_str(values.get(name).and_then(Value::as_str).unwrap_or_default());
            rest = &place[end + PLACE_END.len()..];
        } else {
            out.push_str(PLACE);
            rest = &place[PLACE.len()..];
        }
    }
    out + rest
}

#[cfg(test)]
mod tests;
