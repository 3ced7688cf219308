//! The prompts of every mode, byte by byte.

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::domain::id::ModelConfigId;

pub(in super::super::super) fn config() -> ModelConfig {
    ModelConfig {
        id: ModelConfigId(Uuid::nil()),
        model: json!({"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {"temperature": 0.5}}),
        user_input_form: json!([{"text-input": {"variable": "name"}}, {"number": {"variable": "age"}}]),
        pre_prompt: "You help {{name}}, {{age}}.".to_owned(),
        prompt_type: "simple".to_owned(),
        chat_prompt_config: Value::Null,
        completion_prompt_config: Value::Null,
        opening_statement: "Hi {{name}}!".to_owned(),
        suggested_questions: Value::Null,
        suggested_questions_after_answer: Value::Null,
        more_like_this: Value::Null,
        speech_to_text: Value::Null,
        text_to_speech: Value::Null,
        retriever_resource: Value::Null,
        sensitive_word_avoidance: Value::Null,
        agent_mode: Value::Null,
        dataset_configs: Value::Null,
        external_data_tools: Value::Null,
        file_upload: Value::Null,
    }
}

fn prompt_text(mode: AppMode, config: &ModelConfig, query: &str, with_history: bool) -> String {
    let values = json!({"name": "Ann"});
    let form = ["name".to_owned(), "age".to_owned()];
    let history = [message(PromptRole::User, "before"), message(PromptRole::Assistant, "answered")];
    let prompt_values = PromptValues {
        inputs: values.as_object().unwrap(),
        form: &form,
        query,
        history: if with_history { &history } else { &[] },
    };
    let prompt = prompt(mode, config, prompt_values).unwrap();
    let lines = prompt.messages.iter().map(|message| format!("{:?}: {:?}", message.role, message.text));
    let stop = prompt.parameters.get("stop").map(|stop| format!("stop: {stop}"));
    lines.chain(stop).collect::<Vec<_>>().join("\n")
}

fn with_completion_model(mut config: ModelConfig) -> ModelConfig {
    config.model["mode"] = json!("completion");
    config
}

fn advanced(chat: Value, completion: Value) -> ModelConfig {
    ModelConfig {
        prompt_type: "advanced".to_owned(),
        chat_prompt_config: chat,
        completion_prompt_config: completion,
        ..config()
    }
}

#[test]
fn simple_chat_has_system_history_and_query() {
    insta::assert_snapshot!(prompt_text(AppMode::Chat, &config(), "Hello {{age}}", true), @r#"
    System: "You help Ann, .\n"
    User: "before"
    Assistant: "answered"
    User: "Hello {{age}}"
    "#);
    insta::assert_snapshot!(prompt_text(AppMode::AgentChat, &config(), "Hello", false), @r#"
    System: "You help Ann, .\n"
    User: "Hello"
    "#);
    let bare = ModelConfig { pre_prompt: String::new(), opening_statement: String::new(), ..config() };
    insta::assert_snapshot!(prompt_text(AppMode::Chat, &bare, "Hello", false), @r#"User: "Hello""#);
}

#[test]
fn simple_completion_consists_of_its_template() {
    let template = ModelConfig { pre_prompt: "Translate: {{query}} for {{name}}".to_owned(), ..config() };
    let text = prompt_text(AppMode::Completion, &template, "", false);
    insta::assert_snapshot!(text, @r#"User: "Translate: {query} for Ann\n""#);
    insta::assert_snapshot!(prompt_text(AppMode::Completion, &template, "dog", false), @r#"
    System: "Translate: dog for Ann\n"
    User: "dog"
    "#);
}

#[test]
fn completion_model_gets_one_message() {
    insta::assert_snapshot!(prompt_text(AppMode::Chat, &with_completion_model(config()), "Hello", true), @r#"
    User: "You help Ann, .\nHere is the chat histories between human and assistant, inside <histories></histories> XML tags.\n\n<histories>\nHuman: before\nAssistant: answered\n</histories>\n\n\n\nHuman: Hello\n\nAssistant: "
    stop: ["\nHuman:","</histories>"]
    "#);
    insta::assert_snapshot!(prompt_text(AppMode::Chat, &with_completion_model(config()), "Hello", false), @r#"
    User: "You help Ann, .\n\n\nHuman: Hello\n\nAssistant: "
    stop: ["\nHuman:","</histories>"]
    "#);
    let text = prompt_text(AppMode::Completion, &with_completion_model(config()), "dog", false);
    insta::assert_snapshot!(text, @r#"User: "You help Ann, .\ndog""#);
}

#[test]
fn advanced_chat_prompt_keeps_its_roles() {
    let lines = json!({"prompt": [
        {"role": "system", "text": "For {{name}}. {{#context#}}"},
        {"role": "user", "text": "Example"},
        {"role": "assistant", "text": "Sample"},
        {"role": "system", "text": "{{age}}"},
    ]});
    insta::assert_snapshot!(prompt_text(AppMode::Chat, &advanced(lines.clone(), Value::Null), "Hello", true), @r#"
    System: "For Ann. "
    User: "Example"
    Assistant: "Sample"
    User: "before"
    Assistant: "answered"
    User: "Hello"
    "#);
    insta::assert_snapshot!(prompt_text(AppMode::Completion, &advanced(lines, Value::Null), "", false), @r#"
    System: "For Ann. "
    User: "Example"
    Assistant: "Sample"
    "#);
}

#[test]
fn advanced_completion_prompt_fills_query_and_histories() {
    let template = json!({
        "prompt": {"text": "{{name}}|{{#context#}}|{{#histories#}}|{{#query#}}"},
        "conversation_histories_role": {"user_prefix": "Q", "assistant_prefix": "A"},
    });
    let config = with_completion_model(advanced(Value::Null, template));
    let text = prompt_text(AppMode::Chat, &config, "Why {{name}}?", true);
    insta::assert_snapshot!(text, @r#"User: "Ann||Q: before\nA: answered|Why {name}?""#);
}

#[test]
fn app_without_a_model_or_prompt_is_unavailable() {
    let values = Map::new();
    let prompt_values = PromptValues { inputs: &values, form: &[], query: "x", history: &[] };
    let mut no_model = config();
    no_model.model = json!({"provider": "echo"});
    let configs = [
        no_model,
        advanced(json!({"prompt": []}), Value::Null),
        with_completion_model(advanced(Value::Null, json!({"prompt": {"text": ""}}))),
        advanced(json!("nonsense"), json!(3)),
    ];
    for config in configs {
        assert_eq!(prompt(AppMode::Chat, &config, prompt_values).unwrap_err().code(), Code::AppUnavailable);
    }
}
