//! Requests an answer that follows a JSON schema from a model: with the endpoint's own format, or by instructions.

use serde_json::{Value, json};

use super::prompt::{PromptMessage, PromptRole};

/// The name of the schema in requests. Endpoints require one.
const SCHEMA_NAME: &str = "llm_response";

/// The `response_format` of `OpenAI`'s API.
pub(super) fn schema_format(schema: &Value) -> Value {
    json!({"type": "json_schema", "json_schema": {"name": SCHEMA_NAME, "schema": schema}})
}

/// The messages, with instructions at the beginning of the system message.
pub(super) fn with_instructions(messages: &[PromptMessage], schema: &Value) -> Vec<PromptMessage> {
    let instructions = format!(
        "Answer with one JSON object that follows the JSON schema below. Write nothing before or after the object, and \
         no Markdown.\n\nJSON schema:\n{schema}\n"
    );
    let (system, others): (Vec<&PromptMessage>, Vec<&PromptMessage>) =
        messages.iter().partition(|message| message.role == PromptRole::System);
    let parts = std::iter::once(instructions.as_str()).chain(system.iter().map(|message| message.text.as_str()));
    let system = PromptMessage::new(PromptRole::System, parts.collect::<Vec<_>>().join("\n"));
    std::iter::once(system).chain(others.into_iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_precede_the_system_messages() {
        let message = |role, text: &str| PromptMessage::new(role, text);
        let messages = [
            message(PromptRole::System, "Be kind."),
            message(PromptRole::User, "Hi"),
            message(PromptRole::System, "!"),
        ];
        let instructed = with_instructions(&messages, &json!({"type": "object"}));
        assert_eq!(instructed.len(), 2);
        assert_eq!((instructed[0].role, &instructed[1]), (PromptRole::System, &messages[1]));
        assert!(instructed[0].text.contains("{\"type\":\"object\"}\n\nBe kind.\n!"), "{}", instructed[0].text);
    }
}
