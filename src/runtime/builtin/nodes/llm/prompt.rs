//! Renders the prompt from the node's templates, the history and the query.

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{
    context::LlmContext,
    data::{LlmMode, LlmNodeData, MemoryConfig, PromptLine, PromptTemplate},
};
use crate::runtime::builtin::{
    jinja::error::TemplateError,
    json::JsonObject,
    model::{PromptMessage, PromptRole},
    nodes::{outcome::NodeError, template_transform},
    template::Rendering,
    variables::{selector::Selector, text::TextPart, value},
};

/// Placeholder of the context: the text that a knowledge retrieval found.
const CONTEXT: &str = "{{#context#}}";
/// Placeholder of the history in the prompt of a completion model.
const HISTORIES: &str = "{{#histories#}}";
/// The variable of the query.
const QUERY: [&str; 2] = ["sys", "query"];

/// A message whose template may still be rendering.
pub(super) struct PendingMessage {
    role: PromptRole,
    text: PendingText,
}

enum PendingText {
    Ready(String),
    Rendering(BoxFuture<'static, Result<String, TemplateError>>),
}

/// The inputs for the event, which are the context as in Dify, and the messages.
pub(super) fn messages(
    data: &LlmNodeData,
    context: &LlmContext<'_>,
) -> Result<(JsonObject, Vec<PendingMessage>), Box<NodeError>> {
    let mut inputs = JsonObject::new();
    let jinja_variables = &data.prompt_config.jinja2_variables;
    let jinja = template_transform::values(jinja_variables, context.view, &mut context.view.budget())?;
    let retrieved = retrieved_context(data, context)?;
    let mut messages = Vec::new();
    match &data.prompt_template {
        PromptTemplate::Chat(template) => {
            for line in template {
                let text = text(line, retrieved.as_deref(), &jinja, context)?;
                messages.push(PendingMessage { role: PromptRole::from_name(&line.role), text });
            }
        }
        PromptTemplate::Completion(line) => {
            messages.push(PendingMessage {
                role: PromptRole::User,
                text: text(line, retrieved.as_deref(), &jinja, context)?,
            });
        }
    }
    if let Some(retrieved) = retrieved.filter(|retrieved| !retrieved.is_empty()) {
        inputs.insert("#context#".to_owned(), Value::String(retrieved));
    }
    if let Some(memory) = &data.memory {
        add_memory(memory, data.model.mode, context, &mut messages)?;
    }
    Ok((inputs, messages))
}

/// Waits for templates that still render, and leaves out empty messages.
pub(super) async fn finish(pending: Vec<PendingMessage>, limit: usize) -> Result<Vec<PromptMessage>, Box<NodeError>> {
    let mut messages = Vec::with_capacity(pending.len());
    let mut length = 0;
    for message in pending {
        let text = match message.text {
            PendingText::Ready(text) => text,
            PendingText::Rendering(rendering) => rendering.await.map_err(|error| template_error(&error))?,
        };
        length += text.len();
        if length > limit {
            return Err(value::TextTooLongError { limit }.into());
        }
        if !text.is_empty() {
            messages.push(PromptMessage::new(message.role, text));
        }
    }
    if messages.is_empty() {
        let message = "No prompt found in the LLM configuration. \
                       Please ensure a prompt is properly configured before proceeding.";
        return Err(NodeError::new("NoPromptFoundError", message));
    }
    Ok(messages)
}

fn text(
    line: &PromptLine,
    retrieved: Option<&str>,
    jinja: &JsonObject,
    context: &LlmContext<'_>,
) -> Result<PendingText, Box<NodeError>> {
    if line.edition_type == "jinja2" {
        let Some(source) = &line.jinja2_text else { return Ok(PendingText::Ready(String::new())) };
        return Ok(match context.templates.render(source, jinja) {
            Rendering::Ready(rendered) => PendingText::Ready(rendered.map_err(|error| template_error(&error))?),
            Rendering::Pending(rendering) => PendingText::Rendering(rendering),
        });
    }
    let Some(template) = &line.text else { return Ok(PendingText::Ready(String::new())) };
    let mut text = String::new();
    for part in template.parts() {
        let part = match part {
            TextPart::Literal(literal) => {
                replace(literal, CONTEXT, retrieved.unwrap_or_default(), context.limit)?.into()
            }
            TextPart::Reference(selector) => match context.view.get(selector) {
                Some(found) => value::text(found, context.limit)?,
                None => continue,
            },
        };
        if text.len() + part.len() > context.limit {
            return Err(value::TextTooLongError { limit: context.limit }.into());
        }
        text.push_str(&part);
    }
    Ok(PendingText::Ready(text))
}

fn template_error(error: &TemplateError) -> Box<NodeError> {
    NodeError::new("TemplateError", error.to_string())
}

/// The value of `{{#context#}}`: a text, or the texts of the items of a list, each on lines of its own.
fn retrieved_context(data: &LlmNodeData, context: &LlmContext<'_>) -> Result<Option<String>, Box<NodeError>> {
    if !data.context.enabled {
        return Ok(None);
    }
    match context.view.get(&data.context.variable_selector) {
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Array(items)) => {
            let texts = items.iter().map(context_item).collect::<Result<Vec<_>, _>>()?;
            Ok(Some(texts.join("\n").trim().to_owned()))
        }
        _ => Ok(None),
    }
}

/// A text, or the `content` of what a knowledge retrieval found, after its summary.
fn context_item(item: &Value) -> Result<String, Box<NodeError>> {
    let invalid =
        || NodeError::new("InvalidContextStructureError", "Invalid context structure: an item has no content");
    match item {
        Value::String(text) => Ok(text.clone()),
        Value::Object(found) => {
            let content = found.get("content").ok_or_else(invalid)?;
            let content = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
            match found.get("summary").and_then(Value::as_str).filter(|summary| !summary.is_empty()) {
                Some(summary) => Ok(format!("{summary}\n{content}")),
                None => Ok(content),
            }
        }
        _ => Err(invalid()),
    }
}

/// Adds the history, and the query after it.
fn add_memory(
    memory: &MemoryConfig,
    mode: LlmMode,
    context: &LlmContext<'_>,
    messages: &mut Vec<PendingMessage>,
) -> Result<(), Box<NodeError>> {
    let max_messages = match memory.window.size {
        Some(exchanges) if memory.window.enabled => exchanges.saturating_mul(2),
        _ => usize::MAX,
    };
    let history = &context.history[context.history.len().saturating_sub(max_messages)..];
    let query = match memory.query_prompt_template.as_ref().filter(|template| !template.is_empty()) {
        Some(template) => template.render(context.view, context.limit)?,
        None => match context.view.get(&Selector::new(QUERY)) {
            Some(query) => value::text(query, context.limit)?.into_owned(),
            None => String::new(),
        },
    };
    if mode == LlmMode::Chat {
        let history = history.iter().map(|message| (message.role, message.text.clone()));
        let ready = |(role, text)| PendingMessage { role, text: PendingText::Ready(text) };
        messages.extend(history.chain(std::iter::once((PromptRole::User, query))).map(ready));
        return Ok(());
    }
    // A completion model gets one text. The history replaces its placeholder, or comes first without one.
    let (user, assistant) = match &memory.role_prefix {
        Some(prefix) => (prefix.user.as_str(), prefix.assistant.as_str()),
        None => ("Human", "Assistant"),
    };
    let lines = history.iter().map(|message| {
        let prefix = if message.role == PromptRole::Assistant { assistant } else { user };
        format!("{prefix}: {}", message.text)
    });
    let history = lines.collect::<Vec<_>>().join("\n");
    if let Some(PendingMessage { text: PendingText::Ready(text), .. }) = messages.first_mut() {
        *text = if text.contains(HISTORIES) {
            replace(text, HISTORIES, &history, context.limit)?
        } else {
            format!("{history}\n{text}")
        };
    }
    Ok(())
}

/// Replaces a placeholder. The length is checked first: a short text with many placeholders and a long value would use
/// much memory.
fn replace(text: &str, placeholder: &str, value: &str, limit: usize) -> Result<String, value::TextTooLongError> {
    let places = text.matches(placeholder).count();
    if places.saturating_mul(value.len()).saturating_add(text.len()) > limit.saturating_add(places * placeholder.len())
    {
        return Err(value::TextTooLongError { limit });
    }
    Ok(text.replace(placeholder, value))
}
