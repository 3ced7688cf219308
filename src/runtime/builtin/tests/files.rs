//! Files are refused before a run, by the name of their variable.

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
async fn file_input_of_a_graph_is_refused_and_its_absence_is_not() {
    let test = TestRuntime::new().await;
    for kind in ["file", "file-list"] {
        let mut run = graph_request(AppMode::AdvancedChat, "Hi");
        let Definition::Workflow(workflow) = &mut run.definition else { unreachable!() };
        workflow.id = WorkflowId(Uuid::new_v4());
        workflow.graph["nodes"][0]["data"]["variables"] = json!([{"variable": "photo", "type": kind}]);
        for absent in [json!(null), json!([]), json!("")] {
            run.inputs.insert("photo".to_owned(), absent);
            test.run(run.clone()).await;
        }
        run.inputs.insert("photo".to_owned(), if kind == "file" { file() } else { json!([file()]) });
        let message = "This app uses the file input `photo`, which this service does not support.";
        assert_eq!(refusal(&test, run).await, message);
    }
    test.wait_for_all_runs().await;
}

#[tokio::test]
async fn file_input_of_a_prompt_app_is_refused() {
    let test = TestRuntime::new().await;
    let mut run = prompt_request(AppMode::Chat, "Hi");
    let Definition::Model(config) = &mut run.definition else { unreachable!() };
    config.user_input_form = json!([{"file": {"variable": "photo"}}]);
    run.inputs.insert("photo".to_owned(), file());
    let message = "This app uses the file input `photo`, which this service does not support.";
    assert_eq!(refusal(&test, run).await, message);
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
    workflow.graph["nodes"][0]["data"]["variables"] = json!([{"variable": "photo", "type": "file"}]);
    workflow.features = json!({"sensitive_word_avoidance": {"enabled": true, "type": "keywords"}});
    run.inputs.insert("photo".to_owned(), file());
    let message = "The app's graph cannot be run: the node \"Sums\" (c) of type code is not supported here. It also uses \
                   moderation by `keywords` in a graph and the file input `photo`, which this service does not support.";
    assert_eq!(refusal(&test, run).await, message);
}
