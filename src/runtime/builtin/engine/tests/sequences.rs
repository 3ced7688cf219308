//! The events of whole runs, exactly as they stand on the wire.

use serde_json::json;

use super::stage::{SECRET, Stage, llm, node};

#[tokio::test]
async fn a_workflow_of_a_template_tells_every_step() {
    let template = json!({
        "template": "Hello {{ who }}!",
        "variables": [{"variable": "who", "value_selector": ["start", "name"]}],
    });
    let end = json!({"outputs": [{"variable": "greeting", "value_selector": ["t", "output"]}]});
    let nodes = [node("start", "start", json!({})), node("t", "template-transform", template), node("end", "end", end)];
    let played = Stage::workflow(nodes, "start>t t>end").inputs(json!({"name": "Ada"})).play().await;
    insta::assert_snapshot!(played.wire());
}

#[tokio::test]
async fn an_advanced_chat_streams_the_model_within_its_answer() {
    let nodes = [
        node("start", "start", json!({})),
        llm("llm", "words", "Say {{#sys.query#}}", json!({})),
        node("answer", "answer", json!({"answer": "You asked: {{#sys.query#}} {{#llm.text#}}!"})),
    ];
    let played = Stage::chat(nodes, "start>llm llm>answer").play().await;
    insta::assert_snapshot!(played.wire());
    assert_eq!(played.outcome.answer, "You asked: What now? Say What now?!");
    assert_eq!(played.said(), played.outcome.answer);
}

#[tokio::test]
async fn secrets_are_told_where_the_author_puts_them_out_and_nowhere_else() {
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
    let played = Stage::workflow(nodes, "start>t t>llm llm>end").play().await;
    assert_eq!(played.data("node_finished", "t")["inputs"]["key"], "****");
    let prompts = played.data("node_finished", "llm")["process_data"].to_string();
    assert!(prompts.contains("The key is ****.") && !prompts.contains(SECRET), "{prompts}");
    assert_eq!(played.outcome.outputs["said"], format!("Say The key is {SECRET}."));
}
