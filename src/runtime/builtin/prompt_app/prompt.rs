//! The prompt of a run, from the app's configuration: simple or advanced, for a chat or a completion model.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::template::{fill, inputs};
use crate::{
    domain::{
        Code, Error, Result,
        app::{AppMode, ModelConfig},
    },
    runtime::builtin::model::{Prompt, PromptMessage, PromptRole},
};

/// Where a completion model is told to stop, lest it write the person's next line too.
const COMPLETION_STOPS: [&str; 2] = ["\nHuman:", "</histories>"];

/// What a prompt is made of, besides the app's configuration.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    /// Values of the form's variables.
    pub inputs: &'a Map<String, Value>,
    /// The form's variables.
    pub form: &'a [String],
    /// What was said now; empty where nothing was.
    pub query: &'a str,
    /// What the app says first, filled in; empty where it says nothing.
    pub opening: &'a str,
    /// What was said before, oldest first.
    pub history: &'a [PromptMessage],
}

/// Writes the prompt. `app_unavailable` where the configuration has no usable model or template.
pub(super) fn prompt(mode: AppMode, config: &ModelConfig, said: Said<'_>) -> Result<Prompt> {
    let text = |member: &str| config.model.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (provider, model) = (text("provider"), text("name"));
    if provider.is_empty() || model.is_empty() {
        return Err(unavailable("This app has no model."));
    }
    let completes = text("mode") == "completion";
    let mut parameters = match config.model.get("completion_params") {
        Some(Value::Object(parameters)) => parameters.clone(),
        _ => Map::new(),
    };
    let writer = Writer { said, before: before(said) };
    let messages = match (config.prompt_type == "advanced", completes) {
        (false, false) => writer.simple_chat(&config.pre_prompt)?,
        (false, true) => {
            if mode != AppMode::Completion {
                parameters.entry("stop").or_insert_with(|| COMPLETION_STOPS.into_iter().collect());
            }
            writer.simple_completion(mode, &config.pre_prompt)?
        }
        (true, false) => writer.advanced_chat(&config.chat_prompt_config)?,
        (true, true) => writer.advanced_completion(&config.completion_prompt_config)?,
    };
    Ok(Prompt { provider, model, parameters, messages })
}

/// What the app says first, with the form's values.
pub(super) fn opening(config: &ModelConfig, values: &Map<String, Value>, form: &[String]) -> Result<String> {
    fill(&config.opening_statement, inputs(values, form))
}

/// The history: the opening statement is what the person answered, so it comes first.
fn before(said: Said<'_>) -> Vec<PromptMessage> {
    let opening = (!said.opening.is_empty()).then(|| line(PromptRole::Assistant, said.opening));
    opening.into_iter().chain(said.history.iter().cloned()).collect()
}

struct Writer<'a> {
    said: Said<'a>,
    before: Vec<PromptMessage>,
}

impl Writer<'_> {
    /// A template with the form's values, and with what blocks stand for.
    fn fill(&self, template: &str, histories: &str) -> Result<String> {
        let values = inputs(self.said.inputs, self.said.form);
        fill(template, |name| match name {
            "#context#" => Some(Cow::Borrowed("")),
            "#histories#" => Some(Cow::Owned(histories.to_owned())),
            "#query#" => Some(Cow::Owned(self.said.query.to_owned())),
            // The query is a variable too, unless the form has one of that name.
            name => values(name).or_else(|| {
                (name == "query" && !self.said.query.is_empty()).then(|| self.said.query.to_owned().into())
            }),
        })
    }

    /// The template instructs, and the query is what is said; without a query the template is.
    fn simple_chat(&self, template: &str) -> Result<Vec<PromptMessage>> {
        let instructions = if template.is_empty() { String::new() } else { self.fill(&format!("{template}\n"), "")? };
        let mut messages = Vec::new();
        let query = self.said.query;
        if !query.is_empty() && !instructions.is_empty() {
            messages.push(line(PromptRole::System, &instructions));
        }
        messages.extend(self.before.iter().cloned());
        messages.push(line(PromptRole::User, if query.is_empty() { &instructions } else { query }));
        Ok(messages)
    }

    /// All in one text, in Dify's own words.
    fn simple_completion(&self, mode: AppMode, template: &str) -> Result<Vec<PromptMessage>> {
        let mut whole = String::new();
        if !template.is_empty() {
            whole.extend([template, "\n"]);
        }
        if mode == AppMode::Completion {
            if !self.said.query.is_empty() {
                whole.push_str("{{#query#}}");
            }
        } else {
            if !self.before.is_empty() {
                whole.push_str(
                    "Here is the chat histories between human and assistant, inside <histories></histories> XML tags.\n\n\
                     <histories>\n{{#histories#}}\n</histories>\n\n",
                );
            }
            whole.push_str("\n\nHuman: {{#query#}}\n\nAssistant: ");
        }
        Ok(vec![line(PromptRole::User, &self.fill(&whole, &self.histories("Human", "Assistant"))?)])
    }

    fn advanced_chat(&self, config: &Value) -> Result<Vec<PromptMessage>> {
        let lines = config.get("prompt").and_then(Value::as_array);
        let lines = lines.filter(|lines| !lines.is_empty()).ok_or_else(|| unavailable("This app has no prompt."))?;
        let mut messages = Vec::new();
        for given in lines {
            let role = PromptRole::from_name(given.get("role").and_then(Value::as_str).unwrap_or_default());
            let text = self.fill(given.get("text").and_then(Value::as_str).unwrap_or_default(), "")?;
            if role != PromptRole::System || !text.is_empty() {
                messages.push(line(role, &text));
            }
        }
        messages.extend(self.before.iter().cloned());
        if !self.said.query.is_empty() {
            messages.push(line(PromptRole::User, self.said.query));
        }
        Ok(messages)
    }

    fn advanced_completion(&self, config: &Value) -> Result<Vec<PromptMessage>> {
        let template = config.pointer("/prompt/text").and_then(Value::as_str).filter(|text| !text.is_empty());
        let template = template.ok_or_else(|| unavailable("This app has no prompt."))?;
        let prefix = |member: &str, default: &'static str| {
            let roles = config.get("conversation_histories_role");
            let given = roles.and_then(|roles| roles.get(member)).and_then(Value::as_str);
            given.filter(|prefix| !prefix.is_empty()).unwrap_or(default).to_owned()
        };
        let histories = self.histories(&prefix("user_prefix", "Human"), &prefix("assistant_prefix", "Assistant"));
        Ok(vec![line(PromptRole::User, &self.fill(template, &histories)?)])
    }

    /// The history as text.
    fn histories(&self, user: &str, assistant: &str) -> String {
        let lines = self.before.iter().map(|message| {
            let who = if message.role == PromptRole::User { user } else { assistant };
            format!("{who}: {}", message.text)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn line(role: PromptRole, text: &str) -> PromptMessage {
    PromptMessage { role, text: text.to_owned() }
}

fn unavailable(message: &'static str) -> Error {
    Error::new(Code::AppUnavailable, message)
}

#[cfg(test)]
pub(super) mod tests;
