//! Writes the prompt of a run from the app's configuration: simple or advanced, for a chat or a completion model.

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

/// Stop sequences of a completion model; without them it would continue with the user's next line.
const COMPLETION_STOPS: [&str; 2] = ["\nHuman:", "</histories>"];

/// The values of a prompt besides the app's configuration.
#[derive(Clone, Copy)]
pub(super) struct PromptValues<'a> {
    /// Values of the form's variables.
    pub inputs: &'a Map<String, Value>,
    /// Names of the form's variables.
    pub form: &'a [String],
    /// Empty without a query.
    pub query: &'a str,
    /// The last exchanges of the conversation, oldest first.
    pub history: &'a [PromptMessage],
}

/// Writes the prompt. Returns `app_unavailable` when the configuration has no model or no template.
pub(super) fn prompt(mode: AppMode, config: &ModelConfig, values: PromptValues<'_>) -> Result<Prompt> {
    let text = |member: &str| config.model.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (provider, model) = (text("provider"), text("name"));
    if provider.is_empty() || model.is_empty() {
        return Err(unavailable("This app has no model."));
    }
    let is_completion = text("mode") == "completion";
    let mut parameters = match config.model.get("completion_params") {
        Some(Value::Object(parameters)) => parameters.clone(),
        _ => Map::new(),
    };
    let writer = PromptWriter { values };
    let messages = match (config.prompt_type == "advanced", is_completion) {
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
    Ok(Prompt { provider, model, parameters, messages, output_schema: None })
}

/// The opening statement with the inputs filled in. It is shown to the user and, as in Dify, never part of a prompt.
pub(super) fn opening_statement(config: &ModelConfig, values: &Map<String, Value>, form: &[String]) -> Result<String> {
    fill(&config.opening_statement, inputs(values, form))
}

struct PromptWriter<'a> {
    values: PromptValues<'a>,
}

impl PromptWriter<'_> {
    /// Fills the form's values and the blocks into a template.
    fn fill(&self, template: &str, histories: &str) -> Result<String> {
        let form_values = inputs(self.values.inputs, self.values.form);
        fill(template, |name| match name {
            "#context#" => Some(Cow::Borrowed("")),
            "#histories#" => Some(Cow::Owned(histories.to_owned())),
            "#query#" => Some(Cow::Owned(self.values.query.to_owned())),
            // The query is also a variable, unless the form has one of that name.
            name => form_values(name).or_else(|| {
                (name == "query" && !self.values.query.is_empty()).then(|| self.values.query.to_owned().into())
            }),
        })
    }

    /// The template is the system message and the query the user's. Without a query, the template is the user's
    /// message.
    fn simple_chat(&self, template: &str) -> Result<Vec<PromptMessage>> {
        let instructions = if template.is_empty() { String::new() } else { self.fill(&format!("{template}\n"), "")? };
        let mut messages = Vec::new();
        let query = self.values.query;
        if !query.is_empty() && !instructions.is_empty() {
            messages.push(message(PromptRole::System, &instructions));
        }
        messages.extend(self.history().cloned());
        messages.push(message(PromptRole::User, if query.is_empty() { &instructions } else { query }));
        Ok(messages)
    }

    /// One message, with the wording of Dify.
    fn simple_completion(&self, mode: AppMode, template: &str) -> Result<Vec<PromptMessage>> {
        let mut text = String::new();
        if !template.is_empty() {
            text.extend([template, "\n"]);
        }
        if mode == AppMode::Completion {
            if !self.values.query.is_empty() {
                text.push_str("{{#query#}}");
            }
        } else {
            if !self.values.history.is_empty() {
                text.push_str(
                    "Here is the chat histories between human and assistant, inside <histories></histories> XML \
                     tags.\n\n\
                     <histories>\n{{#histories#}}\n</histories>\n\n",
                );
            }
            text.push_str("\n\nHuman: {{#query#}}\n\nAssistant: ");
        }
        Ok(vec![message(PromptRole::User, &self.fill(&text, &self.histories("Human", "Assistant"))?)])
    }

    fn advanced_chat(&self, config: &Value) -> Result<Vec<PromptMessage>> {
        let lines = config.get("prompt").and_then(Value::as_array);
        let lines = lines.filter(|lines| !lines.is_empty()).ok_or_else(|| unavailable("This app has no prompt."))?;
        let mut messages = Vec::new();
        for line in lines {
            let role = PromptRole::from_name(line.get("role").and_then(Value::as_str).unwrap_or_default());
            let text = self.fill(line.get("text").and_then(Value::as_str).unwrap_or_default(), "")?;
            if role != PromptRole::System || !text.is_empty() {
                messages.push(message(role, &text));
            }
        }
        messages.extend(self.history().cloned());
        if !self.values.query.is_empty() {
            messages.push(message(PromptRole::User, self.values.query));
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
        Ok(vec![message(PromptRole::User, &self.fill(template, &histories)?)])
    }

    /// The history without answers that are empty, such as those of runs that failed.
    fn history(&self) -> impl Iterator<Item = &PromptMessage> {
        self.values.history.iter().filter(|message| !message.text.is_empty())
    }

    /// The history as one text, with a prefix for each role.
    fn histories(&self, user: &str, assistant: &str) -> String {
        let lines = self.history().map(|message| {
            let prefix = if message.role == PromptRole::User { user } else { assistant };
            format!("{prefix}: {}", message.text)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn message(role: PromptRole, text: &str) -> PromptMessage {
    PromptMessage::new(role, text)
}

fn unavailable(message: &'static str) -> Error {
    Error::new(Code::AppUnavailable, message)
}

#[cfg(test)]
pub(super) mod tests;
