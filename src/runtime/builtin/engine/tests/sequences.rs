//! The events of whole runs, exactly as on the wire.

use serde_json::json;

use super::run_setup::{RunSetup, SECRET, llm, node};

#[tokio::test]
async fn workflow_writes_an_event_for_every_step() {
    let template = json!({
        "template": "Hello {{ who }}!",
        "variables": [{"variable": "who", "value_selector": ["start", "name"]}],
    });
    let end = json!({"outputs": [{"variable": "greeting", "value_selector": ["t", "output"]}]});
    let nodes = [node("start", "start", json!({})), node("t", "template-transform", template), node("end", "end", end)];
    let run = RunSetup::workflow(nodes, "start>t t>end").inputs(json!({"name": "Ada"})).execute().await;
    insta::assert_snapshot!(run.wire_events());
}

#[tokio::test]
async fn advanced_chat_streams_model_text_inside_its_answer() {
    let nodes = [
        node("start", "start", json!({})),
        llm("llm", "words", "Say {{#sys.query#}}", json!({})),
        node("answer", "answer", json!({"answer": "You asked: {{#sys.query#}} {{#llm.text#}}!"})),
    ];
    let run = RunSetup::chat(nodes, "start>llm llm>answer").execute().await;
    insta::assert_snapshot!(run.wire_events());
    assert_eq!(run.outcome.answer, "You asked: What now? Say What now?!");
    assert_eq!(run.streamed_text(), run.outcome.answer);
}

#[tokio::test]
async fn secrets_are_masked_everywhere_but_in_outputs() {
    let template = json!({
        "template": "The key is {{ key }}.",
        "variables": [{"variable": "key", "value_selector": ["env", "KEY"]}],
    });
    let nodes = [
        node("start", "start", json!({})),
        node("t", "template-transform", template),
        llm("llm", "words", "Say {{#t.output#}}", json!({})),
        node("end", "end", json!({"outputs": [{"variable": "said", "value_selector": ["llm", "text"]}]})),
    ];
    let run = RunSetup::workflow(nodes, "start>t t>llm llm>end").execute().await;
    assert_eq!(run.event_data("node_finished", "t")["inputs"]["key"], "****");
    let prompts = run.event_data("node_finished", "llm")["process_data"].to_string();
    assert!(prompts.contains("The key is ****.") && !prompts.contains(SECRET), "{prompts}");
    assert_eq!(run.outcome.outputs["said"], format!("Say The key is {SECRET}."));
}
