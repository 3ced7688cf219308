//! Readers that do not read hold up their run, and not memory.

use super::*;

/// How many long pieces were said when nothing moves any more.
async fn standing_still(stand: &Stand) -> usize {
    let mut before = 0;
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = stand.models.poured.load(Ordering::Relaxed);
        if now == before && now > 0 {
            return now;
        }
        before = now;
    }
    panic!("it never stands still");
}

#[tokio::test]
async fn a_slow_reader_holds_up_a_prompt_app_and_not_memory() {
    let stand = Stand::new().await;
    let mut stream = stand.runtime.start(request(AppMode::Chat, "flood")).await.unwrap();
    // One waits for the reader, one for room.
    let said = standing_still(&stand).await;
    assert!(said <= 3, "{said} events of {LONG} bytes are ahead of the reader");
    for _ in 0..5 {
        assert!(stream.next().await.unwrap().unwrap().json.len() > LONG);
    }
}

#[tokio::test]
async fn a_slow_reader_holds_up_a_graph_and_not_memory() {
    let stand = Stand::new().await;
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
    let mut run = graph(AppMode::Workflow, "");
    run.inputs = Map::from_iter([("list".to_owned(), json!(vec![0; 60]))]);
    let Definition::Workflow(workflow) = &mut run.definition else { unreachable!() };
    workflow.graph = json!({
        "nodes": [node("start", start), node("each", each), inside(node("first", first)), inside(node("llm", llm))],
        "edges": [{"source": "start", "target": "each"}, {"source": "first", "target": "llm"}],
    });
    let mut stream = stand.runtime.start(run).await.unwrap();
    // One waits for the reader and one for whoever hands events on; those two hold one each.
    let said = standing_still(&stand).await;
    assert!(said <= 5, "{said} events of {LONG} bytes are ahead of the reader");
    let mut long = 0;
    while long < 20 {
        let event = stream.next().await.unwrap().unwrap();
        long += usize::from(event.json.len() > LONG);
    }
}
