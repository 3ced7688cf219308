//! The order of replies, and when each is written.

use serde_json::{Value, json};

use super::run_setup::{RunSetup, llm, node};

fn answer(id: &str, text: &str) -> Value {
    node(id, "answer", json!({"answer": text}))
}

fn start() -> Value {
    node("start", "start", json!({}))
}

#[tokio::test]
async fn replies_come_in_the_order_in_which_they_run() {
    let nodes =
        [start(), answer("a2", "second {{#l.text#}}"), answer("a1", "first "), llm("l", "words", "x", json!({}))];
    let run = RunSetup::chat(nodes, "start>a1 a1>l l>a2").execute().await;
    assert_eq!(run.outcome.answer, "first second x");
    assert_eq!(run.outcome.outputs["answer"], "first second x");
    assert_eq!(
        run.summary(),
        r#"( "first " +start -start +a1 "second " -a1 +l "x" -l +a2 -a2 message_end ) succeeded"#
    );
}

#[tokio::test]
async fn replies_of_concurrent_branches_come_by_id() {
    let nodes = [start(), answer("b", "B"), answer("a", "A")];
    let run = RunSetup::chat(nodes, "start>b start>a").execute().await;
    assert_eq!(run.summary(), r#"( "A" "B" +start -start +b -b +a -a message_end ) succeeded"#);
    assert_eq!(run.outcome.outputs["answer"], "BA", "the outputs are in the order in which the nodes end");
}

#[tokio::test]
async fn certain_reply_starts_before_the_start_node() {
    let nodes =
        [start(), llm("l", "words", "x", json!({})), answer("a", "Hi {{#start.name#}}, {{#sys.query#}} {{#l.text#}}")];
    let run = RunSetup::chat(nodes, "start>l l>a").inputs(json!({"name": "Ann"})).execute().await;
    let events: Vec<&str> = run.events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(events[..3], ["workflow_started", "message", "message"]);
    assert_eq!(run.outcome.answer, "Hi Ann, What now? x");
}

#[tokio::test]
async fn text_of_an_end_node_is_not_in_the_answer_output() {
    let outputs = json!({"outputs": [{"variable": "o", "value_selector": ["start", "name"]}]});
    let nodes = [start(), answer("a", "A"), node("end", "end", outputs)];
    let run = RunSetup::chat(nodes, "start>a a>end").inputs(json!({"name": "Ann"})).execute().await;
    assert_eq!(json!(run.outcome.outputs), json!({"o": "Ann", "answer": "A", "files": []}));
}

#[tokio::test]
async fn lists_and_objects_in_an_answer_are_markdown() {
    let nodes = [start(), answer("a", "{{#conversation.l#}}\n{{#conversation.o#}}")];
    let mut setup = RunSetup::chat(nodes, "start>a");
    setup.conversation = json!({"l": ["a", "b"], "o": {"k": 1}});
    let run = setup.execute().await;
    assert_eq!(run.outcome.answer, "- a\n- b\n{\n  \"k\": 1\n}");
    assert_eq!(run.event_data("node_finished", "a")["outputs"]["answer"], run.outcome.answer);
}

#[tokio::test]
async fn reply_waits_only_for_nodes_that_change_its_variables() {
    let item = json!({
        "variable_selector": ["conversation", "a"], "input_type": "constant", "operation": "set", "value": "new",
    });
    let set = node("set", "assigner", json!({"version": "2", "items": [item]}));
    for (text, answer, first) in [
        ("{{#conversation.b#}}", "old b", "message"),
        ("{{#conversation.a#}}", "new", "node_started"),
        ("{{#conversation.b#}} {{#conversation.a#}}", "old b new", "node_started"),
    ] {
        let mut setup = RunSetup::chat([start(), set.clone(), self::answer("r", text)], "start>set set>r");
        setup.conversation = json!({"a": "old a", "b": "old b"});
        let run = setup.execute().await;
        assert_eq!((run.outcome.answer.as_str(), &run.events[1]["event"]), (answer, &json!(first)), "{text}");
    }
}
