//! The variables of a conversation keep the types that the app declares.

use super::*;

/// Appends this to the conversation's `list`, which is declared to be of this type, and answers with it.
fn appending(declared: &str, value: &serde_json::Value) -> RunRequest {
    let node = |id: &str, data: serde_json::Value| json!({"id": id, "type": "custom", "data": data});
    let item = json!({"variable_selector": ["conversation", "list"], "input_type": "constant", "operation": "append", "value": value});
    let mut run = graph(AppMode::AdvancedChat, "Hi");
    let Definition::Workflow(workflow) = &mut run.definition else { unreachable!() };
    // Graphs are remembered by their version.
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
async fn a_list_of_texts_takes_no_number() {
    let stand = Stand::new().await;
    let first = stand.play(appending("array[string]", &json!("a"))).await;
    assert_eq!(said(&first), r#"["a"]"#);
    let again = |declared: &str, value: &serde_json::Value| RunRequest {
        conversation_id: conversation_of(&first),
        ..appending(declared, value)
    };
    let refused = stand.play(again("array[string]", &json!(1))).await;
    let finished = &refused.last().unwrap()["data"];
    assert_eq!(
        (&finished["status"], &finished["error"]),
        (&json!("failed"), &json!("Invalid input value for type array[string]: number"))
    );
    // What did not happen is not kept.
    assert_eq!(said(&stand.play(again("array[string]", &json!("b"))).await), r#"["a", "b"]"#);
    // A version with another type begins anew.
    assert_eq!(said(&stand.play(again("array[number]", &json!(1))).await), "[1]");
}
