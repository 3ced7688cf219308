//! From the node's templates, the conversation so far and the question to the lines a model is asked with.

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{
    context::LlmContext,
    data::{LlmMode, LlmNodeData, MemoryConfig, PromptLine, PromptTemplate},
};
use crate::runtime::builtin::{
    json::JsonObject,
    model::{PromptMessage, PromptRole},
    nodes::{outcome::NodeError, template_transform},
    template::{Rendering, error::TemplateError},
    variables::{budget::ByteBudget, selector::Selector, text::TextPart, value},
};

/// Stands in a prompt for what a knowledge base found.
const CONTEXT: &str = "{{#context#}}";
/// Stands in a completion prompt for the conversation so far.
const HISTORIES: &str = "{{#histories#}}";
/// Stands in a prompt for the question.
const QUERY: [&str; 2] = ["sys", "query"];

/// A line whose text may still be under way.
pub(super) struct Pending {
    role: PromptRole,
    text: PendingText,
}

enum PendingText {
    Ready(String),
    Later(BoxFuture<'static, Result<String, TemplateError>>),
}

/// The inputs for the event, and the lines.
pub(super) fn lines(data: &LlmNodeData, around: &LlmContext<'_>) -> Result<(JsonObject, Vec<Pending>), Box<NodeError>> {
    let mut inputs = JsonObject::new();
    let mut budget = around.view.budget();
    let jinja = template_transform::values(&data.prompt_config.jinja2_variables, around.view, &mut budget)?;
    let context = context(data, around)?;
    let mut lines = Vec::new();
    match &data.prompt_template {
        PromptTemplate::Chat(template) => {
            for line in template {
                let text = text(line, context.as_deref(), &jinja, around, (&mut inputs, &mut budget))?;
                lines.push(Pending { role: PromptRole::from_name(&line.role), text });
            }
        }
        PromptTemplate::Completion(line) => {
            lines.push(Pending {
                role: PromptRole::User,
                text: text(line, context.as_deref(), &jinja, around, (&mut inputs, &mut budget))?,
            });
        }
    }
    inputs.extend(jinja);
    if let Some(context) = context {
        inputs.insert("#context#".to_owned(), Value::String(context));
    }
    if let Some(memory) = &data.memory {
        remember(memory, data.model.mode, around, &mut lines)?;
    }
    Ok((inputs, lines))
}

/// The lines with their texts; empty ones are left out.
pub(super) async fn finish(lines: Vec<Pending>, limit: usize) -> Result<Vec<PromptMessage>, Box<NodeError>> {
    let mut messages = Vec::with_capacity(lines.len());
    let mut length = 0;
    for line in lines {
        let text = match line.text {
            PendingText::Ready(text) => text,
            PendingText::Later(rendering) => rendering.await.map_err(|fault| template_failure(&fault))?,
        };
        length += text.len();
        if length > limit {
            return Err(value::TextTooLongError { limit }.into());
        }
        if !text.is_empty() {
            messages.push(PromptMessage { role: line.role, text });
        }
    }
    if messages.is_empty() {
        return Err(NodeError::new(
            "NoPromptFoundError",
            "No prompt found in the LLM configuration. Please ensure a prompt is properly configured before proceeding.",
        ));
    }
    Ok(messages)
}

fn text(
    line: &PromptLine,
    context: Option<&str>,
    jinja: &JsonObject,
    around: &LlmContext<'_>,
    (inputs, budget): (&mut JsonObject, &mut ByteBudget),
) -> Result<PendingText, Box<NodeError>> {
    if line.edition_type == "jinja2" {
        let Some(source) = &line.jinja2_text else { return Ok(PendingText::Ready(String::new())) };
        return Ok(match around.templates.render(source, jinja) {
            Rendering::Ready(rendered) => PendingText::Ready(rendered.map_err(|fault| template_failure(&fault))?),
            Rendering::Pending(rendering) => PendingText::Later(rendering),
        });
    }
    let Some(template) = &line.text else { return Ok(PendingText::Ready(String::new())) };
    for selector in template.references() {
        let name = format!("#{selector}#");
        if !inputs.contains_key(&name) {
            inputs.insert(name, budget.copy(around.view.get(selector))?);
        }
    }
    let mut text = String::new();
    for piece in template.parts() {
        let part = match piece {
            TextPart::Literal(literal) => filled(literal, CONTEXT, context.unwrap_or_default(), around.limit)?.into(),
            TextPart::Reference(selector) => match around.view.get(selector) {
                Some(found) => value::text(found, around.limit)?,
                None => continue,
            },
        };
        if text.len() + part.len() > around.limit {
            return Err(value::TextTooLongError { limit: around.limit }.into());
        }
        text.push_str(&part);
    }
    Ok(PendingText::Ready(text))
}

fn template_failure(fault: &TemplateError) -> Box<NodeError> {
    NodeError::new("TemplateError", fault.to_string())
}

/// What stands for `{{#context#}}`: a text, or the texts or `content` of a list.
fn context(data: &LlmNodeData, around: &LlmContext<'_>) -> Result<Option<String>, Box<NodeError>> {
    if !data.context.enabled {
        return Ok(None);
    }
    let Some(found) = around.view.get(&data.context.variable_selector) else { return Ok(None) };
    let text = match found {
        Value::Array(items) => items
            .iter()
            .filter_map(|item| item.as_str().or_else(|| item.get("content").and_then(Value::as_str)))
            .collect::<Vec<_>>()
            .join("\n"),
        other => value::text(other, around.limit)?.into_owned(),
    };
    Ok(Some(text))
}

/// Adds the conversation so far, and the question after it.
fn remember(
    memory: &MemoryConfig,
    mode: LlmMode,
    around: &LlmContext<'_>,
    lines: &mut Vec<Pending>,
) -> Result<(), Box<NodeError>> {
    let most = match memory.window.size {
        Some(exchanges) if memory.window.enabled => exchanges.saturating_mul(2),
        _ => usize::MAX,
    };
    let history = &around.history[around.history.len().saturating_sub(most)..];
    let query = match memory.query_prompt_template.as_ref().filter(|template| !template.is_empty()) {
        Some(template) => template.render(around.view, around.limit)?,
        None => match around.view.get(&Selector::new(QUERY)) {
            Some(query) => value::text(query, around.limit)?.into_owned(),
            None => String::new(),
        },
    };
    if mode == LlmMode::Chat {
        let said = history.iter().map(|line| (line.role, line.text.clone()));
        let ready = |(role, text)| Pending { role, text: PendingText::Ready(text) };
        lines.extend(said.chain(std::iter::once((PromptRole::User, query))).map(ready));
        return Ok(());
    }
    // A completion model gets one text: the conversation stands where the prompt wants it, else at its beginning.
    let (user, assistant) = match &memory.role_prefix {
        Some(prefix) => (prefix.user.as_str(), prefix.assistant.as_str()),
        None => ("Human", "Assistant"),
    };
    let said: Vec<String> = history
        .iter()
        .map(|line| format!("{}: {}", if line.role == PromptRole::Assistant { assistant } else { user }, line.text))
        .collect();
    if let Some(Pending { text: PendingText::Ready(text), .. }) = lines.first_mut() {
        let said = said.join("\n");
        *text = if text.contains(HISTORIES) {
            filled(text, HISTORIES, &said, around.limit)?
        } else {
            format!("{said}\n{text}")
        };
    }
    Ok(())
}

/// The text with `value` in every place of `mark`. Measured first: a short text with many marks and a long value is how memory
/// would be used up.
fn filled(text: &str, mark: &str, value: &str, limit: usize) -> Result<String, value::TextTooLongError> {
    let places = text.matches(mark).count();
    if places.saturating_mul(value.len()).saturating_add(text.len()) > limit.saturating_add(places * mark.len()) {
        return Err(value::TextTooLongError { limit });
    }
    Ok(text.replace(mark, value))
}
