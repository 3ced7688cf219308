//! Branches side by side, branches not taken, and where they meet again.

use serde_json::json;

use super::stage::{Stage, llm, node};

#[tokio::test]
async fn branches_run_side_by_side_and_the_join_waits_for_all_of_them() {
    let nodes = [
        node("start", "start", json!({})),
        llm("a", "slow", "one two", json!({})),
        llm("b", "slow", "three", json!({})),
        node(
            "end",
            "end",
            json!({"outputs": [
                {"variable": "a", "value_selector": ["a", "text"]},
                {"variable": "b", "value_selector": ["b", "text"]},
            ]}),
        ),
    ];
    let played = Stage::workflow(nodes, "start>a start>b a>end b>end").play().await;
    assert_eq!(played.line(), r#"( +start -start +a +b "one " -b "two" "\n" "three" -a +end -end ) succeeded"#);
    assert_eq!(json!(played.outcome.outputs), json!({"a": "one two", "b": "three"}));
}
