//! Iterations: one round after the other, several at a time, inside each other, and rounds that fail.

use serde_json::{Value, json};

use super::stage::{Played, Stage, inside, llm, node};
use crate::domain::conversation::RunStatus;

/// An iteration over the start's `list` whose rounds are a template and what comes after it, with its result at `end`.
fn iterating(more: Value, inner: Vec<Value>, output: &str, edges: &str) -> Stage {
    let mut data = json!({
        "iterator_selector": ["start", "list"], "output_selector": output.split('.').collect::<Vec<_>>(), "start_node_id": "istart",
    });
    data.as_object_mut().unwrap().extend(super::stage::map(more));
    let mut nodes = vec![
        node("start", "start", json!({})),
        node("it", "iteration", data),
        inside("it", node("istart", "iteration-start", json!({}))),
        node("end", "end", json!({"outputs": [{"variable": "all", "value_selector": ["it", "output"]}]})),
    ];
    nodes.extend(inner.into_iter().map(|node| inside("it", node)));
    Stage::workflow(nodes, &format!("start>it it>end {edges}"))
}

fn template(text: &str) -> Value {
    let variable = |name: &str| json!({"variable": name, "value_selector": ["it", name]});
    node("t", "template-transform", json!({"variables": [variable("item"), variable("index")], "template": text}))
}

fn all(played: &Played) -> Value {
    played.outcome.outputs["all"].clone()
}

#[tokio::test]
async fn rounds_run_one_after_the_other() {
    let stage = iterating(json!({}), vec![template("{{ index }}:{{ item }}")], "t.output", "istart>t");
    let played = stage.inputs(json!({"list": ["a", "b"]})).play().await;
    insta::assert_snapshot!(played.wire());
    assert_eq!(all(&played), json!(["0:a", "1:b"]));
}

#[tokio::test]
async fn rounds_run_side_by_side_and_stay_in_order() {
    let model = llm("m", "slow", "{{#it.item#}}", json!({}));
    let stage = iterating(json!({"is_parallel": true, "parallel_nums": 2}), vec![model], "m.text", "istart>m");
    let played = stage.inputs(json!({"list": ["a b c", "d", "e f"]})).play().await;
    assert_eq!(all(&played), json!(["a b c", "d", "e f"]));
    assert_eq!(
        played.line(),
        "( +start -start [it #0 #1 +istart -istart +istart -istart +m +m -m #2 +istart -istart +m -m -m it] \
         \"[\\\"a b c\\\", \\\"d\\\", \\\"e f\\\"]\" +end -end ) succeeded"
            .replace(
                "it] \"[\\\"a b c\\\", \\\"d\\\", \\\"e f\\\"]\"",
                "\"[\\\"a b c\\\", \\\"d\\\", \\\"e f\\\"]\" it]"
            )
    );
}

#[tokio::test]
async fn nothing_to_iterate_over_is_an_empty_list() {
    let stage = || iterating(json!({}), vec![template("x")], "t.output", "istart>t");
    for list in [json!([]), json!(null)] {
        let played = stage().inputs(json!({"list": list})).play().await;
        assert_eq!(all(&played), json!([]));
        assert_eq!(played.outcome.status, RunStatus::Succeeded);
    }
    for inputs in [json!({"list": "text"}), json!({})] {
        let played = stage().inputs(inputs).play().await;
        assert_eq!(played.line(), "( +start -start it:failed] ) failed");
    }
}

#[tokio::test]
async fn a_round_that_fails_ends_the_iteration_or_leaves_a_hole() {
    // TemplateRenderer that divide by their item fail for 0.
    for (mode, parallel, expected) in [
        ("terminated", false, None),
        ("continue-on-error", false, Some(json!(["1.0", null, "0.5"]))),
        ("remove-abnormal-output", false, Some(json!(["1.0", "0.5"]))),
        ("terminated", true, None),
        ("continue-on-error", true, Some(json!(["1.0", null, "0.5"]))),
        ("remove-abnormal-output", true, Some(json!(["1.0", "0.5"]))),
    ] {
        let data = json!({"error_handle_mode": mode, "is_parallel": parallel});
        let stage =
            iterating(data, vec![template("{{ 1 / item if item else item.missing.more }}")], "t.output", "istart>t");
        let played = stage.inputs(json!({"list": [1, 0, 2]})).play().await;
        if let Some(expected) = expected {
            assert_eq!((all(&played), played.outcome.status), (expected, RunStatus::Succeeded));
        } else {
            assert_eq!(played.outcome.status, RunStatus::Failed);
            assert_eq!(played.data("iteration_completed", "it")["status"], "failed");
        }
    }
}

#[tokio::test]
async fn what_runs_in_other_rounds_is_stopped_when_the_iteration_fails() {
    let model = |id, name| llm(id, name, "x", json!({}));
    let fork = node(
        "fork",
        "if-else",
        json!({"cases": [{"case_id": "first", "logical_operator": "and", "conditions": [
            {"variable_selector": ["it", "index"], "comparison_operator": "=", "value": "1"},
        ]}]}),
    );
    let inner = vec![fork, model("bad", "refuses"), model("good", "hangs")];
    let data = json!({"is_parallel": true, "parallel_nums": 3});
    let stage = iterating(data, inner, "good.text", "istart>fork fork:first>bad fork:false>good");
    let dropped = stage.models.dropped.clone();
    let played = stage.inputs(json!({"list": [1, 2, 3]})).play().await;
    assert_eq!(played.outcome.status, RunStatus::Failed);
    assert_eq!(dropped.load(std::sync::atomic::Ordering::Relaxed), 2, "both models that hung were hung up on");
}

#[tokio::test]
async fn lists_of_lists_become_one_unless_that_is_switched_off() {
    let pick = |id: &str| node(id, "variable-aggregator", json!({"variables": [["it", "item"]]}));
    for (data, expected) in
        [(json!({}), json!([1, 2, 3])), (json!({"flatten_output": false}), json!([[1, 2], [], [3]]))]
    {
        let stage = iterating(data, vec![pick("p")], "p.output", "istart>p");
        assert_eq!(all(&stage.inputs(json!({"list": [[1, 2], [], [3]]})).play().await), expected);
    }
    let stage = iterating(json!({}), vec![pick("p")], "p.output", "istart>p");
    assert_eq!(all(&stage.inputs(json!({"list": [[1], 2]})).play().await), json!([[1], 2]));
}

#[tokio::test]
async fn iterations_run_inside_iterations() {
    let inner_data = json!({"iterator_selector": ["it", "item"], "output_selector": ["deep", "output"]});
    let deep_template = json!({"template": "{{ a }}{{ b }}", "variables": [
        {"variable": "a", "value_selector": ["it", "index"]}, {"variable": "b", "value_selector": ["inner", "item"]},
    ]});
    let mut stage = iterating(
        json!({"is_parallel": true}),
        vec![node("inner", "iteration", inner_data)],
        "inner.output",
        "istart>inner dstart>deep",
    );
    let nodes = stage.graph["nodes"].as_array_mut().unwrap();
    nodes.push(inside("inner", node("dstart", "iteration-start", json!({}))));
    nodes.push(inside("inner", node("deep", "template-transform", deep_template)));
    let played = stage.inputs(json!({"list": [["x", "y"], ["z"]]})).play().await;
    assert_eq!(all(&played), json!(["0x", "0y", "1z"]));
    assert_eq!(played.data("node_started", "deep")["iteration_id"], "inner");
    assert_eq!(played.data("iteration_started", "inner")["metadata"], json!({"iterator_length": 2}));
}

#[tokio::test]
async fn an_iteration_may_fail_without_failing_the_run() {
    let data = json!({"error_strategy": "default-value", "default_value": [{"key": "output", "type": "array[string]", "value": "[\"none\"]"}]});
    let stage = iterating(data, vec![llm("m", "refuses", "x", json!({}))], "m.text", "istart>m");
    let played = stage.inputs(json!({"list": [1]})).play().await;
    assert_eq!((all(&played), played.outcome.status), (json!(["none"]), RunStatus::PartlySucceeded));
}

#[tokio::test]
async fn answers_inside_an_iteration_are_said_round_by_round() {
    let mut stage = iterating(
        json!({}),
        vec![node("say", "answer", json!({"answer": "{{#it.item#}};"}))],
        "say.answer",
        "istart>say",
    );
    stage.mode = crate::domain::app::AppMode::AdvancedChat;
    let played = stage.inputs(json!({"list": ["a", "b"]})).play().await;
    assert!(played.outcome.answer.starts_with("a;b;"), "{}", played.outcome.answer);
    assert_eq!(played.said(), played.outcome.answer);
}

#[tokio::test]
async fn an_iteration_took_what_its_rounds_took() {
    let inner = vec![llm("l", "words", "{{#it.item#}}", json!({}))];
    let played = iterating(json!({}), inner, "l.text", "istart>l").inputs(json!({"list": ["a", "b c"]})).play().await;
    let completed = played.data("iteration_completed", "it");
    // Three of each prompt, and one and two of the answers.
    assert_eq!((&completed["total_tokens"], &completed["execution_metadata"]["total_tokens"]), (&json!(9), &json!(9)));
    assert_eq!(played.outcome.total_tokens(), 9);
}
