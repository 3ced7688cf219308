//! Conversation variables keep the types that the app declares.

use super::*;

/// A run that appends `value` to the conversation variable `list` of the type `declared`, and answers with the list.
fn append_request(declared: &str, value: &serde_json::Value) -> RunRequest {
    let node = |id: &str, data: serde_json::Value| json!({"id": id, "type": "custom", "data": data});
    let item = json!({
        "variable_selector": ["conversation", "list"],
        "input_type": "constant",
        "operation": "append",
        "value": value,
    });
    let mut run = graph_request(AppMode::AdvancedChat, "Hi");
    let Definition::Workflow(workflow) = &mut run.definition else { unreachable!() };
    // Graphs are cached by id and version.
    workflow.id = WorkflowId(Uuid::new_v4());
    workflow.graph = json!({
        "nodes": [
            node("start", json!({"type": "start", "title": "Start", "variables": []})),
            node("append", json!({"type": "assigner", "title": "Append", "version": "2", "items": [item]})),
            node("last", json!({"type": "answer", "title": "Answer", "answer": "{{#conversation.list#}}"})),
        ],
        "edges": [{"source": "start", "target": "append"}, {"source": "append", "target": "last"}],
    });
    workflow.conversation_variables = json!([{"name": "list", "value_type": declared, "value": []}]);
    run
}

#[tokio::test]
async fn value_of_another_type_is_not_appended_to_a_typed_list() {
    let test = TestRuntime::new().await;
    let first = test.run(append_request("array[string]", &json!("a"))).await;
    assert_eq!(answer_text(&first), "- a");
    let again = |declared: &str, value: &serde_json::Value| RunRequest {
        conversation_id: conversation_id_of(&first),
        ..append_request(declared, value)
    };
    let refused = test.run(again("array[string]", &json!(1))).await;
    let finished = &refused.last().unwrap()["data"];
    assert_eq!(
        (&finished["status"], &finished["error"]),
        (&json!("failed"), &json!("Invalid input value for type array[string]: number"))
    );
    // The failed run did not change the variable.
    assert_eq!(answer_text(&test.run(again("array[string]", &json!("b"))).await), "- a\n- b");
    // A version with another type starts with the default.
    assert_eq!(answer_text(&test.run(again("array[number]", &json!(1))).await), "- 1");
}
