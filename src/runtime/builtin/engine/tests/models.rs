//! `llm` nodes: structured output, separated reasoning, and parameters.

use serde_json::{Value, json};

use super::run_setup::{FinishedRun, RunSetup, llm, node};

/// Runs one `llm` node that answers with this text.
async fn run_llm(text: &str, more: Value) -> FinishedRun {
    let nodes = [
        node("start", "start", json!({})),
        llm("l", "words", text, more),
        node("a", "answer", json!({"answer": "{{#l.text#}}|{{#l.reasoning_content#}}"})),
    ];
    RunSetup::chat(nodes, "start>l l>a").inputs(json!({"t": "0.5"})).execute().await
}

#[tokio::test]
async fn structured_output_is_requested_and_parsed() {
    let schema = json!({"type": "object", "properties": {"answer": {"type": "string"}}});
    let more = json!({"structured_output_enabled": true, "structured_output": {"schema": schema}});
    let run = run_llm("Sure: {'answer': 'yes',}", more.clone()).await;
    assert_eq!(run.event_data("node_finished", "l")["outputs"]["structured_output"], json!({"answer": "yes"}));
    assert_eq!(run.models.prompts.lock()[0].output_schema, Some(schema));
    let run = run_llm("no JSON", more).await;
    let message = "Failed to parse structured output: the model's answer is not a JSON object";
    assert_eq!(run.outcome.error.as_deref(), Some(message));
}

#[tokio::test]
async fn structured_output_that_is_disabled_is_not_requested() {
    let more = json!({"structured_output_enabled": "false", "structured_output": {"schema": {"type": "object"}}});
    let run = run_llm("{}", more).await;
    assert_eq!(run.models.prompts.lock()[0].output_schema, None);
    assert_eq!(run.event_data("node_finished", "l")["outputs"].get("structured_output"), None);
}

#[tokio::test]
async fn reasoning_is_separated_from_the_streamed_text() {
    let answer = "<think>hm, well</think>\n\n\n\nYes, of course. ";
    let run = run_llm(answer, json!({"reasoning_format": "separated"})).await;
    let outputs = &run.event_data("node_finished", "l")["outputs"];
    assert_eq!((&outputs["text"], &outputs["reasoning_content"]), (&json!("Yes, of course."), &json!("hm, well")));
    assert_eq!(run.streamed_text(), "Yes, of course. |hm, well");
    let run = run_llm(answer, json!({})).await;
    assert_eq!(run.streamed_text(), format!("{answer}|"));
}

#[tokio::test]
async fn context_is_a_text_or_the_trimmed_lines_of_a_list() {
    let found = |item: Value| json!({"l": [item]});
    for (variables, prompt, input) in [
        (json!({"l": " a "}), "< a >", Some(" a ")),
        (json!({"l": ["", "b", "c"]}), "<b\nc>", Some("b\nc")),
        (json!({"l": []}), "<>", None),
        (json!({"l": 5}), "<>", None),
        (found(json!({"content": "text", "summary": "in short"})), "<in short\ntext>", Some("in short\ntext")),
    ] {
        let context = json!({
            "context": {"enabled": true, "variable_selector": ["conversation", "l"]},
            "prompt_template": [{"role": "user", "text": "<{{#context#}}>"}],
        });
        let nodes = [node("start", "start", json!({})), llm("l", "words", "x", context)];
        let mut setup = RunSetup::chat(nodes, "start>l");
        setup.conversation = variables;
        let run = setup.execute().await;
        assert_eq!(run.models.prompts.lock()[0].messages[0].text, prompt);
        assert_eq!(run.event_data("node_finished", "l")["inputs"].get("#context#"), input.map(Value::from).as_ref());
    }
}

#[tokio::test]
async fn references_in_model_parameters_are_filled_in() {
    let model = json!({"model": {"provider": "scripted", "name": "words", "mode": "chat", "completion_params": {
        "temperature": "{{#start.t#}}", "top_p": 1,
    }}});
    let run = run_llm("x", model).await;
    assert_eq!(json!(run.models.prompts.lock()[0].parameters), json!({"temperature": 0.5, "top_p": 1}));
}

#[tokio::test]
async fn memory_window_written_as_text_is_read() {
    use crate::runtime::builtin::model::{PromptMessage, PromptRole};
    for size in [json!("1"), json!(1.0)] {
        let memory = json!({"memory": {"window": {"enabled": "true", "size": size}}});
        let nodes = [node("start", "start", json!({})), llm("l", "words", "x", memory)];
        let mut setup = RunSetup::chat(nodes, "start>l");
        let message = |role, text: &str| PromptMessage::new(role, text);
        for text in ["old", "new"] {
            setup.history.extend([message(PromptRole::User, text), message(PromptRole::Assistant, text)]);
        }
        let run = setup.execute().await;
        let texts: Vec<String> = run.models.prompts.lock()[0].messages.iter().map(|line| line.text.clone()).collect();
        assert_eq!(texts, ["x", "new", "new", "What now?"]);
    }
}
