//! Iterations: sequential, parallel and nested rounds, and rounds that fail.

use serde_json::{Value, json};

use super::run_setup::{FinishedRun, RunSetup, inside, llm, node};
use crate::domain::conversation::RunStatus;

/// A workflow that iterates over the input `list` with these nodes inside and outputs the result as `all`.
fn iterating(more: Value, inner: Vec<Value>, output: &str, edges: &str) -> RunSetup {
    let mut data = json!({
        "iterator_selector": ["start", "list"],
        "output_selector": output.split('.').collect::<Vec<_>>(),
        "start_node_id": "istart",
    });
    data.as_object_mut().unwrap().extend(super::run_setup::map(more));
    let mut nodes = vec![
        node("start", "start", json!({})),
        node("it", "iteration", data),
        inside("it", node("istart", "iteration-start", json!({}))),
        node("end", "end", json!({"outputs": [{"variable": "all", "value_selector": ["it", "output"]}]})),
    ];
    nodes.extend(inner.into_iter().map(|node| inside("it", node)));
    RunSetup::workflow(nodes, &format!("start>it it>end {edges}"))
}

fn template(text: &str) -> Value {
    let variable = |name: &str| json!({"variable": name, "value_selector": ["it", name]});
    node("t", "template-transform", json!({"variables": [variable("item"), variable("index")], "template": text}))
}

fn all(run: &FinishedRun) -> Value {
    run.outcome.outputs["all"].clone()
}

#[tokio::test]
async fn rounds_run_sequentially_by_default() {
    let setup = iterating(json!({}), vec![template("{{ index }}:{{ item }}")], "t.output", "istart>t");
    let run = setup.inputs(json!({"list": ["a", "b"]})).execute().await;
    insta::assert_snapshot!(run.wire_events());
    assert_eq!(all(&run), json!(["0:a", "1:b"]));
}

#[tokio::test]
async fn parallel_rounds_keep_their_order_in_the_output() {
    let model = llm("m", "slow", "{{#it.item#}}", json!({}));
    let setup = iterating(json!({"is_parallel": true, "parallel_nums": 2}), vec![model], "m.text", "istart>m");
    let run = setup.inputs(json!({"list": ["a b c", "d", "e f"]})).execute().await;
    assert_eq!(all(&run), json!(["a b c", "d", "e f"]));
    assert_eq!(
        run.summary(),
        "( +start -start [it #0 #1 +m +m -m #2 +m -m -m \
         \"- a b c\\n- d\\n- e f\" it] +end -end ) succeeded"
    );
}

#[tokio::test]
async fn empty_or_null_input_gives_an_empty_list() {
    let setup = || iterating(json!({}), vec![template("x")], "t.output", "istart>t");
    for list in [json!([]), json!(null)] {
        let run = setup().inputs(json!({"list": list})).execute().await;
        assert_eq!(all(&run), json!([]));
        assert_eq!(run.summary(), "( +start -start +end -end ) succeeded");
    }
    for inputs in [json!({"list": "text"}), json!({})] {
        let run = setup().inputs(inputs).execute().await;
        assert_eq!(run.summary(), "( +start -start ) failed");
    }
}

#[tokio::test]
async fn failed_round_ends_the_iteration_or_is_skipped_by_error_mode() {
    // The template divides by its item and fails for 0.
    for (mode, parallel, expected) in [
        ("terminated", false, None),
        ("continue-on-error", false, Some(json!(["1.0", null, "0.5"]))),
        ("remove-abnormal-output", false, Some(json!(["1.0", "0.5"]))),
        ("terminated", true, None),
        ("continue-on-error", true, Some(json!(["1.0", null, "0.5"]))),
        ("remove-abnormal-output", true, Some(json!(["1.0", "0.5"]))),
    ] {
        let data = json!({"error_handle_mode": mode, "is_parallel": parallel});
        let setup =
            iterating(data, vec![template("{{ 1 / item if item else item.missing.more }}")], "t.output", "istart>t");
        let run = setup.inputs(json!({"list": [1, 0, 2]})).execute().await;
        if let Some(expected) = expected {
            assert_eq!((all(&run), run.outcome.status), (expected, RunStatus::Succeeded));
        } else {
            assert_eq!(run.outcome.status, RunStatus::Failed);
            let completed = run.event_data("iteration_completed", "it");
            assert_eq!(completed["status"], "failed");
            assert!(parallel || completed["outputs"] == json!({"output": ["1.0"]}), "{completed}");
        }
    }
}

#[tokio::test]
async fn failed_iteration_stops_its_other_rounds() {
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
    let setup = iterating(data, inner, "good.text", "istart>fork fork:first>bad fork:false>good");
    let dropped = setup.models.dropped_streams.clone();
    let run = setup.inputs(json!({"list": [1, 2, 3]})).execute().await;
    assert_eq!(run.outcome.status, RunStatus::Failed);
    assert_eq!(dropped.load(std::sync::atomic::Ordering::Relaxed), 2, "the calls of both other models are dropped");
}

#[tokio::test]
async fn nested_lists_are_flattened_unless_disabled() {
    let pick = |id: &str| node(id, "variable-aggregator", json!({"variables": [["it", "item"]]}));
    for (data, expected) in
        [(json!({}), json!([1, 2, 3])), (json!({"flatten_output": false}), json!([[1, 2], [], [3]]))]
    {
        let setup = iterating(data, vec![pick("p")], "p.output", "istart>p");
        assert_eq!(all(&setup.inputs(json!({"list": [[1, 2], [], [3]]})).execute().await), expected);
    }
    let setup = iterating(json!({}), vec![pick("p")], "p.output", "istart>p");
    assert_eq!(all(&setup.inputs(json!({"list": [[1], 2]})).execute().await), json!([[1], 2]));
}

#[tokio::test]
async fn iteration_inside_an_iteration_runs() {
    let inner_data = json!({"iterator_selector": ["it", "item"], "output_selector": ["deep", "output"]});
    let deep_template = json!({"template": "{{ a }}{{ b }}", "variables": [
        {"variable": "a", "value_selector": ["it", "index"]}, {"variable": "b", "value_selector": ["inner", "item"]},
    ]});
    let mut setup = iterating(
        json!({"is_parallel": true}),
        vec![node("inner", "iteration", inner_data)],
        "inner.output",
        "istart>inner dstart>deep",
    );
    let nodes = setup.graph["nodes"].as_array_mut().unwrap();
    nodes.push(inside("inner", node("dstart", "iteration-start", json!({}))));
    nodes.push(inside("inner", node("deep", "template-transform", deep_template)));
    let run = setup.inputs(json!({"list": [["x", "y"], ["z"]]})).execute().await;
    assert_eq!(all(&run), json!(["0x", "0y", "1z"]));
    assert_eq!(run.event_data("node_started", "deep")["iteration_id"], "inner");
    assert_eq!(run.event_data("iteration_started", "inner")["metadata"], json!({"iterator_length": 2}));
}

#[tokio::test]
async fn failed_iteration_with_default_output_does_not_fail_the_run() {
    let default = json!({"key": "output", "type": "array[string]", "value": "[\"none\"]"});
    let data = json!({"error_strategy": "default-value", "default_value": [default]});
    let setup = iterating(data, vec![llm("m", "refuses", "x", json!({}))], "m.text", "istart>m");
    let run = setup.inputs(json!({"list": [1]})).execute().await;
    assert_eq!((all(&run), run.outcome.status), (json!(["none"]), RunStatus::PartlySucceeded));
}

#[tokio::test]
async fn answers_inside_an_iteration_are_written_in_each_round() {
    let mut setup = iterating(
        json!({}),
        vec![node("say", "answer", json!({"answer": "{{#it.item#}};"}))],
        "say.answer",
        "istart>say",
    );
    setup.mode = crate::domain::app::AppMode::AdvancedChat;
    let run = setup.inputs(json!({"list": ["a", "b"]})).execute().await;
    assert!(run.outcome.answer.starts_with("a;b;"), "{}", run.outcome.answer);
    assert_eq!(run.streamed_text(), run.outcome.answer);
}

#[tokio::test]
async fn iteration_reports_the_tokens_of_its_rounds() {
    let inner = vec![llm("l", "words", "{{#it.item#}}", json!({}))];
    let run = iterating(json!({}), inner, "l.text", "istart>l").inputs(json!({"list": ["a", "b c"]})).execute().await;
    let completed = run.event_data("iteration_completed", "it");
    // 3 tokens for each prompt, 1 and 2 for the answers.
    assert_eq!((&completed["total_tokens"], &completed["execution_metadata"]["total_tokens"]), (&json!(9), &json!(9)));
    assert_eq!(run.outcome.total_tokens(), 9);
}

#[tokio::test]
async fn nodes_of_rounds_that_are_cut_off_end_as_stopped() {
    let fork = json!({"cases": [{"case_id": "first", "logical_operator": "and", "conditions": [
        {"variable_selector": ["it", "index"], "comparison_operator": "=", "value": "0"},
    ]}]});
    let deep = json!({"iterator_selector": ["start", "list"], "output_selector": ["slow", "text"]});
    let inner =
        vec![node("fork", "if-else", fork), llm("bad", "fails", "x", json!({})), node("deep", "iteration", deep)];
    let data = json!({"is_parallel": true, "parallel_nums": 2});
    let mut setup = iterating(data, inner, "deep.output", "istart>fork fork:first>bad fork:false>deep dstart>slow");
    let nodes = setup.graph["nodes"].as_array_mut().unwrap();
    nodes.push(inside("deep", node("dstart", "iteration-start", json!({}))));
    nodes.push(inside("deep", llm("slow", "hangs", "y", json!({}))));
    let run = setup.inputs(json!({"list": [1, 2]})).execute().await;
    assert_eq!(run.event_data("node_finished", "slow")["status"], "stopped");
    assert_eq!(run.event_data("iteration_completed", "deep")["status"], "stopped");
    let of = |name: &str| run.events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((of("node_started"), of("iteration_started")), (of("node_finished"), of("iteration_completed")));
    let summary = run.summary();
    assert!(summary.ends_with("-bad:failed -slow:stopped deep:stopped] it:failed] ) failed"), "{summary}");
}

#[tokio::test]
async fn handled_failure_inside_an_iteration_makes_the_run_a_partial_success() {
    let defaults = json!({"error_strategy": "default-value", "default_value": [
        {"key": "text", "type": "string", "value": "none"},
    ]});
    let run = iterating(json!({}), vec![llm("m", "refuses", "x", defaults)], "m.text", "istart>m")
        .inputs(json!({"list": [1]}))
        .execute()
        .await;
    assert_eq!(run.event_data("node_finished", "m")["status"], "exception");
    assert_eq!(
        (all(&run), run.outcome.status, run.outcome.exceptions_count),
        (json!(["none"]), RunStatus::PartlySucceeded, 1)
    );
}

#[tokio::test]
async fn numbers_and_flags_written_as_text_are_read() {
    let data = json!({"is_parallel": "true", "parallel_nums": "2", "flatten_output": "false"});
    let pick = node("p", "variable-aggregator", json!({"variables": [["it", "item"]]}));
    let run = iterating(data, vec![pick], "p.output", "istart>p").inputs(json!({"list": [[1], [2]]})).execute().await;
    assert_eq!(all(&run), json!([[1], [2]]));
    assert!(run.summary().contains("#0 #1"), "{}", run.summary());
}
