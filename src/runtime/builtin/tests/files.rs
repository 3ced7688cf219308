//! Nodes that send files are refused before a run, and files that runs are started with are values.

use super::*;

/// The refusal of a run that is not started.
async fn refusal(test: &TestRuntime, run: RunRequest) -> String {
    let error = test.runtime.start(run).await.unwrap_err();
    assert_eq!(error.code(), Code::AppUnavailable);
    error.message().to_owned()
}

fn file() -> serde_json::Value {
    json!({"type": "image", "transfer_method": "remote_url", "url": "http://127.0.0.1/image"})
}

#[tokio::test]
async fn files_are_inputs_and_system_variables() {
    let test = TestRuntime::new().await;
    let mut run = graph_request(AppMode::AdvancedChat, "Hi");
    let Definition::Workflow(workflow) = &mut run.definition else { unreachable!() };
    workflow.id = WorkflowId(Uuid::new_v4());
    workflow.graph["nodes"][0]["data"]["variables"] = json!([{"variable": "photo", "type": "file"}]);
    let node = workflow.graph["nodes"].as_array_mut().unwrap().iter_mut().find(|node| node["data"]["type"] == "answer");
    node.unwrap()["data"]["answer"] = json!("{{#start.photo.url#}} {{#sys.files#}}");
    run.inputs.insert("photo".to_owned(), file());
    run.files = vec![file()];
    let events = test.run(run).await;
    let answer: String = events
        .iter()
        .filter(|event| event["event"] == "message")
        .map(|event| event["answer"].as_str().unwrap())
        .collect();
    assert_eq!(answer, "http://127.0.0.1/image ![file](http://127.0.0.1/image)");
    test.wait_for_all_runs().await;
}

#[tokio::test]
async fn request_that_sends_files_is_refused_with_all_of_its_variables() {
    let test = TestRuntime::new().await;
    let request = |id: &str, body: serde_json::Value| {
        let data = json!({"type": "http-request", "title": id, "method": "post", "url": "http://x", "body": body});
        json!({"id": id, "type": "custom", "data": data})
    };
    let form = json!({"type": "form-data", "data": [
        {"key": "a", "type": "text", "value": "x"}, {"key": "f", "type": "file", "file": ["start", "photo"]},
    ]});
    let binary = json!({"type": "binary", "data": [{"type": "file", "file": ["start", "scan"]}]});
    let without_files = json!({"type": "form-data", "data": [{"key": "a", "type": "text", "value": "x"}]});
    let mut run = graph_request(AppMode::Workflow, "Hi");
    let Definition::Workflow(workflow) = &mut run.definition else { unreachable!() };
    workflow.id = WorkflowId(Uuid::new_v4());
    let start = workflow.graph["nodes"][0].clone();
    workflow.graph = json!({
        "nodes": [start, request("h1", form), request("h2", binary), request("h3", without_files)],
        "edges": [{"source": "start", "target": "h1"}, {"source": "h1", "target": "h2"}, {"source": "h2", "target": "h3"}],
    });
    let message = "This app uses the file `start.photo` in the node \"h1\" (h1) and the file `start.scan` in the node \
                   \"h2\" (h2), which this service does not support.";
    assert_eq!(refusal(&test, run).await, message);
}

#[tokio::test]
async fn refusal_names_unsupported_nodes_and_features_together() {
    let test = TestRuntime::new().await;
    let mut run = graph_request(AppMode::AdvancedChat, "Hi");
    let Definition::Workflow(workflow) = &mut run.definition else { unreachable!() };
    workflow.id = WorkflowId(Uuid::new_v4());
    let code = json!({"id": "c", "type": "custom", "data": {"type": "code", "title": "Sums"}});
    workflow.graph["nodes"].as_array_mut().unwrap().push(code);
    workflow.features = json!({"sensitive_word_avoidance": {"enabled": true, "type": "keywords"}});
    let message = "The app's graph cannot be run: the node \"Sums\" (c) of type code is not supported here. It also uses \
                   moderation by `keywords` in a graph, which this service does not support.";
    assert_eq!(refusal(&test, run).await, message);
}
