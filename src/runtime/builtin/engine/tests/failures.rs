//! Nodes that fail: tried again, replaced, led around, or the end of the run.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{Stage, llm, node};
use crate::domain::conversation::RunStatus;

fn start() -> Value {
    node("start", "start", json!({}))
}

fn answer(text: &str) -> Value {
    node("answer", "answer", json!({"answer": text}))
}

fn retrying(times: u32) -> Value {
    json!({"retry_config": {"retry_enabled": true, "max_retries": times, "retry_interval": 1}})
}

#[tokio::test]
async fn a_node_that_fails_fails_the_run() {
    let nodes = [start(), llm("a", "fails", "x", json!({})), answer("said: {{#a.text#}}")];
    let played = Stage::chat(nodes, "start>a a>answer").play().await;
    assert_eq!(played.line(), r#"( +start "said: " -start +a "half " -a:failed message_end ) failed"#);
    assert_eq!(played.data("node_finished", "a")["error"], "the line broke");
    let finished = played.events.last().unwrap();
    assert_eq!((&finished["data"]["status"], &finished["data"]["error"]), (&json!("failed"), &json!("the line broke")));
    assert_eq!(played.outcome.status, RunStatus::Failed);
    assert_eq!(played.outcome.answer, "said: half ");
    // One of the prompt, two of what it said until it failed.
    assert_eq!(played.data("node_finished", "a")["execution_metadata"]["total_tokens"], 3);
    assert_eq!(finished["data"]["total_tokens"], 3);
}

#[tokio::test]
async fn what_every_attempt_took_counts_and_what_was_refused_does_not() {
    let nodes = [start(), llm("a", "flaky", "one two", retrying(2)), llm("b", "refuses", "x", json!({}))];
    let played = Stage::workflow(nodes, "start>a a>b").play().await;
    assert_eq!(played.data("node_retry", "a")["execution_metadata"]["total_tokens"], 4);
    assert_eq!(played.data("node_finished", "a")["execution_metadata"]["total_tokens"], 5, "as the model tells");
    assert_eq!(played.data("node_finished", "b")["execution_metadata"]["total_tokens"], 0);
    assert_eq!(played.outcome.total_tokens(), 9);
}

#[tokio::test]
async fn a_model_that_tells_no_tokens_is_counted_and_one_that_is_out_of_words_says_so() {
    let nodes = [start(), llm("a", "cut", "one two", json!({})), answer("{{#a.text#}}")];
    let played = Stage::chat(nodes, "start>a a>answer").play().await;
    let node = played.data("node_finished", "a");
    assert_eq!(
        (&node["outputs"]["finish_reason"], &node["process_data"]["finish_reason"]),
        (&json!("length"), &json!("length"))
    );
    assert_eq!(node["outputs"]["usage"]["total_tokens"], 4);
    let end = played.events.iter().find(|event| event["event"] == "message_end").unwrap();
    assert_eq!(
        (&end["metadata"]["usage"]["prompt_tokens"], &end["metadata"]["usage"]["completion_tokens"]),
        (&json!(2), &json!(2))
    );
}

#[tokio::test]
async fn what_is_stopped_beside_a_node_that_fails_is_counted() {
    let nodes = [
        start(),
        llm("b", "hangs", "y", json!({})),
        llm("a", "slow", "one two three", json!({})),
        llm("c", "refuses", "x", json!({})),
    ];
    let played = Stage::workflow(nodes, "start>a start>b a>c").play().await;
    assert_eq!(played.outcome.status, RunStatus::Failed);
    // Four and four of `a`, one and one of `b`.
    assert_eq!(played.outcome.total_tokens(), 10);
}

#[tokio::test]
async fn what_ran_beside_a_node_that_failed_is_stopped() {
    let nodes = [start(), llm("a", "refuses", "x", json!({})), llm("b", "hangs", "y", json!({}))];
    let played = Stage::workflow(nodes, "start>a start>b").play().await;
    assert_eq!(played.line(), "( +start -start +a +b -a:failed ) failed");
    assert_eq!(played.outcome.error.as_deref(), Some("no such model"));
}

#[tokio::test]
async fn a_node_is_tried_again_and_what_it_half_said_is_taken_back() {
    let nodes = [start(), llm("a", "flaky", "one two", retrying(2)), answer("<{{#a.text#}}>")];
    let played = Stage::chat(nodes, "start>a a>answer").play().await;
    assert_eq!(
        played.line(),
        r#"( +start "<" -start +a "half " ~a message_replace "one " "two" ">" -a +answer -answer message_end ) succeeded"#
    );
    let retry = played.data("node_retry", "a");
    assert_eq!(
        (&retry["retry_index"], &retry["status"], &retry["error"]),
        (&json!(1), &json!("retry"), &json!("the line broke"))
    );
    let replaced = played.events.iter().find(|event| event["event"] == "message_replace").unwrap();
    assert_eq!(replaced["answer"], "<");
    assert_eq!(played.outcome.answer, "<one two>");
    assert_eq!((played.outcome.status, played.outcome.exceptions_count), (RunStatus::Succeeded, 0));
}

#[tokio::test]
async fn a_node_is_not_tried_for_ever() {
    let nodes = [start(), llm("a", "refuses", "x", retrying(3))];
    let played = Stage::workflow(nodes, "start>a").play().await;
    assert_eq!(played.line(), "( +start -start +a ~a ~a ~a -a:failed ) failed");
    assert_eq!(played.models.asked.lock().len(), 4);
}

#[tokio::test]
async fn defaults_stand_in_for_what_failed() {
    let defaults = json!({"error_strategy": "default-value", "default_value": [
        {"key": "text", "type": "string", "value": "nothing"}, {"key": "list", "type": "array[number]", "value": "[1, 2]"},
    ]});
    let nodes = [
        start(),
        llm("a", "refuses", "x", defaults),
        answer("{{#a.text#}} {{#a.list#}} {{#a.error_message#}} {{#a.error_type#}}"),
    ];
    let played = Stage::chat(nodes, "start>a a>answer").play().await;
    assert_eq!(played.outcome.answer, "nothing [1, 2] no such model InvokeError");
    assert_eq!((played.outcome.status, played.outcome.exceptions_count), (RunStatus::PartlySucceeded, 1));
    let told = played.data("node_finished", "a");
    assert_eq!((&told["status"], &told["error"]), (&json!("exception"), &json!("no such model")));
    let finished = &played.events.last().unwrap()["data"];
    assert_eq!((&finished["status"], &finished["exceptions_count"]), (&json!("partial-succeeded"), &json!(1)));
}

#[tokio::test]
async fn a_fail_branch_is_taken_when_the_node_fails_and_skipped_when_it_does_not() {
    for (model, line) in [
        (
            "refuses",
            r#"( +start -start +a "sorry: " "no such model" -a:exception +bad -bad message_end ) partial-succeeded"#,
        ),
        ("words", r#"( +start -start +a "x" -a +good -good message_end ) succeeded"#),
    ] {
        let nodes = [
            start(),
            llm("a", model, "x", json!({"error_strategy": "fail-branch"})),
            node("good", "answer", json!({"answer": "{{#a.text#}}"})),
            node("bad", "answer", json!({"answer": "sorry: {{#a.error_message#}}"})),
        ];
        let played = Stage::chat(nodes, "start>a a>good a:fail-branch>bad").play().await;
        assert_eq!(played.line(), line);
        assert_eq!(played.said(), played.outcome.answer);
    }
}

#[tokio::test]
async fn an_edge_for_failures_that_a_node_no_longer_has_leads_nowhere() {
    for strategy in [json!({}), json!({"error_strategy": "default-value", "default_value": []})] {
        let nodes = [
            start(),
            llm("a", "words", "x", strategy),
            node("good", "answer", json!({"answer": "{{#a.text#}}"})),
            node("bad", "answer", json!({"answer": "sorry"})),
        ];
        let played = Stage::chat(nodes, "start>a a>good a:fail-branch>bad").play().await;
        assert_eq!(played.line(), r#"( +start -start +a "x" -a +good -good message_end ) succeeded"#);
    }
}

#[tokio::test]
async fn a_node_that_runs_for_too_long_is_stopped() {
    let nodes = [start(), llm("a", "hangs", "x", json!({}))];
    let stage = Stage::workflow(nodes, "start>a").limits(|limits| limits.node_timeout = Duration::from_millis(20));
    let dropped = stage.models.dropped.clone();
    let played = stage.play().await;
    assert_eq!(played.line(), "( +start -start +a -a:failed ) failed");
    assert_eq!(dropped.load(std::sync::atomic::Ordering::Relaxed), 1, "the model is hung up on");
    // One of the prompt, one of the answer so far.
    assert_eq!(played.data("node_finished", "a")["execution_metadata"]["total_tokens"], 2);
    assert_eq!(played.outcome.total_tokens(), 2);
}

#[tokio::test]
async fn a_run_that_runs_for_too_long_fails() {
    let nodes = [start(), llm("a", "hangs", "x", json!({}))];
    let stage = Stage::workflow(nodes, "start>a").limits(|limits| limits.run_timeout = Duration::from_millis(20));
    let played = stage.play().await;
    assert_eq!(played.line(), "( +start -start +a ) failed");
    assert!(played.outcome.error.unwrap().starts_with("The run took longer than"));
}

#[tokio::test]
async fn a_run_takes_so_many_steps_and_no_more() {
    let chain: Vec<Value> =
        (0..10).map(|at| node(&format!("n{at}"), "variable-aggregator", json!({"variables": []}))).collect();
    let edges: Vec<String> = (0..9).map(|at| format!("n{at}>n{}", at + 1)).collect();
    let nodes = std::iter::once(start()).chain(chain);
    let stage = Stage::workflow(nodes, &format!("start>n0 {}", edges.join(" "))).limits(|limits| limits.root_steps = 5);
    let played = stage.play().await;
    assert_eq!(played.outcome.status, RunStatus::Failed);
    assert_eq!(played.outcome.error.as_deref(), Some("Maximum execution steps exceeded: 5"));
}

#[tokio::test]
async fn what_grows_too_large_fails_its_node() {
    let template = |text: &str| json!({"variables": [], "template": text});
    let nodes = [start(), node("t", "template-transform", template("{{ 'x' * 300 }}"))];
    let played = Stage::workflow(nodes, "start>t").limits(|limits| limits.variable_bytes = 100 + 32).play().await;
    assert_eq!(played.data("node_finished", "t")["status"], "failed");
    assert!(played.outcome.error.unwrap().contains("larger than"));
}

#[tokio::test]
async fn an_answer_grows_no_larger_than_it_may() {
    let nodes = [start(), llm("a", "many", "x", json!({})), answer("{{#a.text#}}")];
    let played = Stage::chat(nodes, "start>a a>answer").limits(|limits| limits.answer_bytes = 1000).play().await;
    assert_eq!(played.outcome.status, RunStatus::Failed);
    assert_eq!(played.outcome.answer.len(), 1000);
}

#[tokio::test]
async fn a_node_that_names_a_large_value_often_does_not_copy_it_as_often() {
    let template = json!({"variables": [], "template": "{{ 'x' * 90000 }}"});
    let large = || node("t", "template-transform", template.clone());
    let variables: Vec<_> =
        (0..40).map(|at| json!({"variable": format!("v{at}"), "value_selector": ["t", "output"]})).collect();
    let conditions: Vec<_> = (0..40)
        .map(|_| json!({"variable_selector": ["t", "output"], "comparison_operator": "contains", "value": "x"}))
        .collect();
    let cases = json!({"cases": [{"case_id": "a", "logical_operator": "and", "conditions": conditions}]});
    for greedy in [
        node("n", "end", json!({"outputs": variables})),
        node("n", "template-transform", json!({"variables": variables, "template": "y"})),
        node("n", "if-else", cases),
    ] {
        let stage =
            Stage::workflow([start(), large(), greedy], "start>t t>n").limits(|limits| limits.variable_bytes = 100_000);
        let played = stage.play().await;
        assert_eq!(played.outcome.error.as_deref(), Some("the values of this node take more than 400000 bytes"));
    }
}

#[tokio::test]
async fn what_the_rounds_of_an_iteration_put_out_is_one_variable_together() {
    let data = json!({"iterator_selector": ["start", "list"], "output_selector": ["t", "output"]});
    let template = json!({"variables": [], "template": "{{ 'x' * 900 }}"});
    let nodes = [
        start(),
        node("it", "iteration", data),
        super::stage::inside("it", node("istart", "iteration-start", json!({}))),
        super::stage::inside("it", node("t", "template-transform", template)),
    ];
    let stage = Stage::workflow(nodes, "start>it istart>t").inputs(json!({"list": vec![0; 20]}));
    let played = stage.limits(|limits| limits.variable_bytes = 10_000).play().await;
    assert_eq!(played.data("iteration_completed", "it")["status"], "failed");
}
