//! Unread events of a run take a limited amount of memory.

use super::*;

/// Waits until the run is blocked, and returns the number of long chunks that the model has sent.
async fn chunks_when_blocked(test: &TestRuntime) -> usize {
    let mut before = 0;
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = test.models.long_chunks.load(Ordering::Relaxed);
        if now == before && now > 0 {
            return now;
        }
        before = now;
    }
    panic!("the run is never blocked");
}

#[tokio::test]
async fn unread_events_of_a_prompt_app_are_limited_in_bytes() {
    let test = TestRuntime::new().await;
    let mut stream = test.runtime.start(prompt_request(AppMode::Chat, "flood")).await.unwrap();
    // One event is in the channel, and one waits for the channel.
    let sent = chunks_when_blocked(&test).await;
    assert!(sent <= 3, "{sent} events of {LONG} bytes are ahead of the reader");
    for _ in 0..5 {
        assert!(stream.next().await.unwrap().unwrap().json.len() > LONG);
    }
}

#[tokio::test]
async fn unread_events_of_a_graph_are_limited_in_bytes() {
    let test = TestRuntime::new().await;
    let node = |id: &str, data: serde_json::Value| json!({"id": id, "type": "custom", "data": data});
    let inside = |mut node: serde_json::Value| {
        node["parentId"] = json!("each");
        node
    };
    let start = json!({"type": "start", "title": "Start", "variables": []});
    let each = json!({"type": "iteration", "title": "Each", "iterator_selector": ["start", "list"],
        "output_selector": ["each", "index"], "start_node_id": "first"});
    let llm = json!({"type": "llm", "title": "LLM", "model": {"provider": "echo", "name": "echo", "mode": "chat"},
        "prompt_template": [{"role": "user", "text": "pour"}], "context": {"enabled": false}});
    let first = json!({"type": "iteration-start", "title": ""});
    let mut run = graph_request(AppMode::Workflow, "");
    run.inputs = Map::from_iter([("list".to_owned(), json!(vec![0; 60]))]);
    let Definition::Workflow(workflow) = &mut run.definition else { unreachable!() };
    workflow.graph = json!({
        "nodes": [node("start", start), node("each", each), inside(node("first", first)), inside(node("llm", llm))],
        "edges": [{"source": "start", "target": "each"}, {"source": "first", "target": "llm"}],
    });
    let mut stream = test.runtime.start(run).await.unwrap();
    // One event is in each of the two channels, and one waits for each.
    let sent = chunks_when_blocked(&test).await;
    assert!(sent <= 5, "{sent} events of {LONG} bytes are ahead of the reader");
    let mut long = 0;
    while long < 20 {
        let event = stream.next().await.unwrap().unwrap();
        long += usize::from(event.json.len() > LONG);
    }
}
