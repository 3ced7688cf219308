//! Failed nodes: retries, default outputs, fail branches and limits.

use std::time::Duration;

use serde_json::{Value, json};

use super::run_setup::{RunSetup, llm, node};
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
async fn failed_node_fails_the_run() {
    let nodes = [start(), llm("a", "fails", "x", json!({})), answer("said: {{#a.text#}}")];
    let run = RunSetup::chat(nodes, "start>a a>answer").execute().await;
    assert_eq!(run.summary(), r#"( "said: " +start -start +a "half " -a:failed message_end ) failed"#);
    assert_eq!(run.event_data("node_finished", "a")["error"], "the line broke");
    let finished = run.events.last().unwrap();
    assert_eq!((&finished["data"]["status"], &finished["data"]["error"]), (&json!("failed"), &json!("the line broke")));
    assert_eq!(run.outcome.status, RunStatus::Failed);
    assert_eq!(run.outcome.answer, "said: half ");
    // 1 token of the prompt and 2 of the text before the failure.
    assert_eq!(run.event_data("node_finished", "a")["execution_metadata"]["total_tokens"], 3);
    assert_eq!(finished["data"]["total_tokens"], 3);
}

#[tokio::test]
async fn tokens_of_every_attempt_are_counted_but_not_of_rejected_prompts() {
    let nodes = [start(), llm("a", "flaky", "one two", retrying(2)), llm("b", "refuses", "x", json!({}))];
    let run = RunSetup::workflow(nodes, "start>a a>b").execute().await;
    assert_eq!(run.event_data("node_retry", "a")["execution_metadata"]["total_tokens"], 4);
    assert_eq!(
        run.event_data("node_finished", "a")["execution_metadata"]["total_tokens"],
        5,
        "the usage that the model reports"
    );
    assert_eq!(run.event_data("node_finished", "b")["execution_metadata"]["total_tokens"], 0);
    assert_eq!(run.outcome.total_tokens(), 9);
}

#[tokio::test]
async fn missing_usage_is_estimated_and_finish_reason_is_reported() {
    let nodes = [start(), llm("a", "cut", "one two", json!({})), answer("{{#a.text#}}")];
    let run = RunSetup::chat(nodes, "start>a a>answer").execute().await;
    let node = run.event_data("node_finished", "a");
    assert_eq!(
        (&node["outputs"]["finish_reason"], &node["process_data"]["finish_reason"]),
        (&json!("length"), &json!("length"))
    );
    assert_eq!(node["outputs"]["usage"]["total_tokens"], 4);
    let end = run.events.iter().find(|event| event["event"] == "message_end").unwrap();
    assert_eq!(
        (&end["metadata"]["usage"]["prompt_tokens"], &end["metadata"]["usage"]["completion_tokens"]),
        (&json!(2), &json!(2))
    );
}

#[tokio::test]
async fn tokens_of_stopped_nodes_are_counted_when_another_node_fails() {
    let nodes = [
        start(),
        llm("b", "hangs", "y", json!({})),
        llm("a", "slow", "one two three", json!({})),
        llm("c", "refuses", "x", json!({})),
    ];
    let run = RunSetup::workflow(nodes, "start>a start>b a>c").execute().await;
    assert_eq!(run.outcome.status, RunStatus::Failed);
    // 4 + 4 tokens of `a`, 1 + 1 of `b`.
    assert_eq!(run.outcome.total_tokens(), 10);
}

#[tokio::test]
async fn failed_node_stops_nodes_that_run_concurrently() {
    let nodes = [start(), llm("a", "refuses", "x", json!({})), llm("b", "hangs", "y", json!({}))];
    let run = RunSetup::workflow(nodes, "start>a start>b").execute().await;
    assert_eq!(run.summary(), "( +start -start +a +b -a:failed ) failed");
    assert_eq!(run.outcome.error.as_deref(), Some("no such model"));
}

#[tokio::test]
async fn retry_replaces_the_partial_text_of_the_failed_attempt() {
    let nodes = [start(), llm("a", "flaky", "one two", retrying(2)), answer("<{{#a.text#}}>")];
    let run = RunSetup::chat(nodes, "start>a a>answer").execute().await;
    assert_eq!(
        run.summary(),
        "( \"<\" +start -start +a \"half \" ~a message_replace \"one \" \"two\" \">\" -a +answer -answer \
         message_end ) partial-succeeded"
    );
    let retry = run.event_data("node_retry", "a");
    assert_eq!(
        (&retry["retry_index"], &retry["status"], &retry["error"]),
        (&json!(1), &json!("retry"), &json!("the line broke"))
    );
    let replaced = run.events.iter().find(|event| event["event"] == "message_replace").unwrap();
    assert_eq!(replaced["answer"], "<");
    assert_eq!(run.outcome.answer, "<one two>");
    // As in Dify, every attempt that fails counts.
    assert_eq!((run.outcome.status, run.outcome.exceptions_count), (RunStatus::PartlySucceeded, 1));
}

#[tokio::test]
async fn retries_are_limited() {
    let nodes = [start(), llm("a", "refuses", "x", retrying(3))];
    let run = RunSetup::workflow(nodes, "start>a").execute().await;
    assert_eq!(run.summary(), "( +start -start +a ~a ~a ~a -a:failed ) failed");
    assert_eq!(run.models.prompts.lock().len(), 4);
}

#[tokio::test]
async fn default_outputs_replace_those_of_a_failed_node() {
    let defaults = json!({"error_strategy": "default-value", "default_value": [
        {"key": "text", "type": "string", "value": "nothing"},
        {"key": "list", "type": "array[number]", "value": "[1, 2]"},
    ]});
    let nodes = [
        start(),
        llm("a", "refuses", "x", defaults),
        answer("{{#a.text#}} {{#a.list#}} {{#a.error_message#}} {{#a.error_type#}}"),
    ];
    let run = RunSetup::chat(nodes, "start>a a>answer").execute().await;
    assert_eq!(run.outcome.answer, "nothing - 1\n- 2 no such model InvokeError");
    assert_eq!((run.outcome.status, run.outcome.exceptions_count), (RunStatus::PartlySucceeded, 1));
    let failed = run.event_data("node_finished", "a");
    assert_eq!((&failed["status"], &failed["error"]), (&json!("exception"), &json!("no such model")));
    let finished = &run.events.last().unwrap()["data"];
    assert_eq!((&finished["status"], &finished["exceptions_count"]), (&json!("partial-succeeded"), &json!(1)));
}

#[tokio::test]
async fn fail_branch_is_followed_only_when_the_node_fails() {
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
        let run = RunSetup::chat(nodes, "start>a a>good a:fail-branch>bad").execute().await;
        assert_eq!(run.summary(), line);
        assert_eq!(run.streamed_text(), run.outcome.answer);
    }
}

#[tokio::test]
async fn fail_branch_edge_of_another_error_strategy_is_ignored() {
    for strategy in [json!({}), json!({"error_strategy": "default-value", "default_value": []})] {
        let nodes = [
            start(),
            llm("a", "words", "x", strategy),
            node("good", "answer", json!({"answer": "{{#a.text#}}"})),
            node("bad", "answer", json!({"answer": "sorry"})),
        ];
        let run = RunSetup::chat(nodes, "start>a a>good a:fail-branch>bad").execute().await;
        assert_eq!(run.summary(), r#"( +start -start +a "x" -a +good -good message_end ) succeeded"#);
    }
}

#[tokio::test]
async fn node_timeout_fails_the_node() {
    let nodes = [start(), llm("a", "hangs", "x", json!({}))];
    let setup = RunSetup::workflow(nodes, "start>a").limits(|limits| limits.node_timeout = Duration::from_millis(20));
    let dropped = setup.models.dropped_streams.clone();
    let run = setup.execute().await;
    assert_eq!(run.summary(), "( +start -start +a -a:failed ) failed");
    assert_eq!(dropped.load(std::sync::atomic::Ordering::Relaxed), 1, "the call of the model is dropped");
    // 1 token of the prompt and 1 of the text before the timeout.
    assert_eq!(run.event_data("node_finished", "a")["execution_metadata"]["total_tokens"], 2);
    assert_eq!(run.outcome.total_tokens(), 2);
}

#[tokio::test]
async fn run_timeout_fails_the_run() {
    let nodes = [start(), llm("a", "hangs", "x", json!({}))];
    let setup = RunSetup::workflow(nodes, "start>a").limits(|limits| limits.run_timeout = Duration::from_millis(20));
    let run = setup.execute().await;
    assert_eq!(run.summary(), "( +start -start +a ) failed");
    assert!(run.outcome.error.unwrap().starts_with("The run took longer than"));
}

#[tokio::test]
async fn number_of_steps_is_limited() {
    let chain: Vec<Value> =
        (0..10).map(|at| node(&format!("n{at}"), "variable-aggregator", json!({"variables": []}))).collect();
    let edges: Vec<String> = (0..9).map(|at| format!("n{at}>n{}", at + 1)).collect();
    let nodes = std::iter::once(start()).chain(chain);
    let setup =
        RunSetup::workflow(nodes, &format!("start>n0 {}", edges.join(" "))).limits(|limits| limits.root_steps = 5);
    let run = setup.execute().await;
    assert_eq!(run.outcome.status, RunStatus::Failed);
    assert_eq!(run.outcome.error.as_deref(), Some("Maximum execution steps exceeded: 5"));
}

#[tokio::test]
async fn variable_over_the_limit_fails_its_node() {
    let template = |text: &str| json!({"variables": [], "template": text});
    let nodes = [start(), node("t", "template-transform", template("{{ 'x' * 300 }}"))];
    let run = RunSetup::workflow(nodes, "start>t").limits(|limits| limits.variable_bytes = 100 + 32).execute().await;
    assert_eq!(run.event_data("node_finished", "t")["status"], "failed");
    assert!(run.outcome.error.unwrap().contains("larger than"));
}

#[tokio::test]
async fn answer_length_is_limited() {
    let nodes = [start(), llm("a", "many", "x", json!({})), answer("{{#a.text#}}")];
    let run = RunSetup::chat(nodes, "start>a a>answer").limits(|limits| limits.answer_bytes = 1000).execute().await;
    assert_eq!(run.outcome.status, RunStatus::Failed);
    assert_eq!(run.outcome.answer.len(), 1000);
}

#[tokio::test]
async fn values_that_one_node_reads_are_limited_together() {
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
        let setup = RunSetup::workflow([start(), large(), greedy], "start>t t>n")
            .limits(|limits| limits.variable_bytes = 100_000);
        let run = setup.execute().await;
        assert_eq!(run.outcome.error.as_deref(), Some("the values of this node take more than 400000 bytes"));
    }
}

#[tokio::test]
async fn outputs_of_all_rounds_share_the_limit_of_one_variable() {
    let data = json!({"iterator_selector": ["start", "list"], "output_selector": ["t", "output"]});
    let template = json!({"variables": [], "template": "{{ 'x' * 900 }}"});
    let nodes = [
        start(),
        node("it", "iteration", data),
        super::run_setup::inside("it", node("istart", "iteration-start", json!({}))),
        super::run_setup::inside("it", node("t", "template-transform", template)),
    ];
    let setup = RunSetup::workflow(nodes, "start>it istart>t").inputs(json!({"list": vec![0; 20]}));
    let run = setup.limits(|limits| limits.variable_bytes = 10_000).execute().await;
    assert_eq!(run.event_data("iteration_completed", "it")["status"], "failed");
}
