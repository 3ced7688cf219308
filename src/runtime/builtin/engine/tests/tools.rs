//! `tool` nodes in a run, with a scripted tool.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::run_setup::{FinishedRun, RunSetup, SECRET, map, node};
use crate::{
    domain::conversation::RunStatus,
    ports::tool_invoker::{ToolCall, ToolError, ToolInvoker, ToolMessages},
};

/// A tool that fails `failures` times and then repeats its parameters.
#[derive(Default)]
struct ScriptedTool {
    failures: usize,
    calls: AtomicUsize,
    parameters: Mutex<Vec<Map<String, Value>>>,
}

#[async_trait]
impl ToolInvoker for ScriptedTool {
    async fn invoke(&self, call: ToolCall, messages: &mut dyn ToolMessages) -> Result<(), ToolError> {
        let turn = self.calls.fetch_add(1, Ordering::Relaxed);
        assert_eq!((call.provider.to_string().as_str(), call.tool.as_str()), ("acme/tools/weather", "forecast"));
        assert_eq!((call.credential_type.as_str(), call.user.as_str()), ("api-key", "someone"));
        assert!(call.credentials.is_empty());
        self.parameters.lock().push(call.parameters.clone());
        if turn < self.failures {
            return Err(ToolError::Failed { message: format!("no such city {SECRET}"), rejects_credentials: false });
        }
        let text = format!("turn {}", turn + 1);
        messages.receive(map(json!({"type": "text", "message": {"text": text}})))?;
        messages.receive(map(json!({"type": "json", "message": {"json_object": call.parameters}})))?;
        let variable = json!({"variable_name": "degrees", "variable_value": 21});
        messages.receive(map(json!({"type": "variable", "message": variable})))
    }
}

/// Runs a graph that invokes the tool and answers with its outputs, or on the fail branch with the error.
async fn run_tool(failures: usize, more: Value) -> (FinishedRun, Arc<ScriptedTool>) {
    let tool = Arc::new(ScriptedTool { failures, ..ScriptedTool::default() });
    let mut data = json!({
        "provider_id": "acme/tools/weather", "provider_type": "builtin", "provider_name": "acme/tools/weather",
        "tool_name": "forecast", "tool_label": "Forecast",
        "tool_configurations": {"unit": {"type": "constant", "value": "celsius"}, "key": {"type": "variable", "value": ["env", "KEY"]}},
        "tool_parameters": {
            "city": {"type": "mixed", "value": "in {{#start.city#}}"}, "days": {"type": "constant", "value": 3},
            "unit": {"type": "constant", "value": "kelvin"}, "all": {"type": "variable", "value": ["start", "list"]},
            "missing": {"type": "variable", "value": ["start", "nothing"]},
        },
    });
    data.as_object_mut().unwrap().extend(map(more));
    let nodes = [
        node("start", "start", json!({})),
        node("t", "tool", data),
        node("good", "answer", json!({"answer": "{{#t.text#}} {{#t.degrees#}}"})),
        node("bad", "answer", json!({"answer": "{{#t.error_type#}}: {{#t.error_message#}}"})),
    ];
    let setup = RunSetup::chat(nodes, "start>t t>good t:fail-branch>bad");
    let mut setup = setup.inputs(json!({"city": "Oslo", "list": [1, 2]}));
    setup.tools = Some(Arc::clone(&tool) as Arc<dyn ToolInvoker>);
    (setup.execute().await, tool)
}

#[tokio::test]
async fn tool_gets_its_parameters_and_gives_its_outputs() {
    let (run, tool) = run_tool(0, json!({})).await;
    assert_eq!((run.outcome.answer.as_str(), run.outcome.status), ("turn 1 21", RunStatus::Succeeded));
    let sent = json!({"city": "in Oslo", "days": 3, "unit": "celsius", "all": [1, 2], "key": SECRET});
    assert_eq!(Value::Object(tool.parameters.lock()[0].clone()), sent);
    let finished = run.event_data("node_finished", "t");
    let shown = json!({"city": "in Oslo", "days": 3, "unit": "celsius", "all": [1, 2], "key": "****"});
    assert_eq!((&finished["inputs"], &finished["node_type"]), (&shown, &json!("tool")));
    assert_eq!((&finished["outputs"]["files"], &finished["outputs"]["degrees"]), (&json!([]), &json!(21)));
}

#[tokio::test]
async fn failure_is_retried_and_then_fails_the_run() {
    let retries = json!({"retry_config": {"retry_enabled": true, "max_retries": 2, "retry_interval": 1}});
    let (run, _) = run_tool(1, retries.clone()).await;
    assert_eq!(run.outcome.answer, "turn 2 21");
    assert_eq!(run.event_data("node_retry", "t")["error"], "no such city ****");
    let (run, tool) = run_tool(9, retries).await;
    assert_eq!(run.summary(), "( +start -start +t ~t ~t -t:failed message_end ) failed");
    assert_eq!(run.outcome.error.as_deref(), Some("no such city ****"));
    assert_eq!(tool.calls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn failure_follows_the_fail_branch_or_gives_the_default_outputs() {
    let (run, _) = run_tool(1, json!({"error_strategy": "fail-branch"})).await;
    assert_eq!(run.outcome.answer, "ToolRuntimeInvocationError: no such city ****");
    assert_eq!(run.outcome.status, RunStatus::PartlySucceeded);
    let defaults = json!({"error_strategy": "default-value", "default_value": [
        {"key": "text", "type": "string", "value": "no forecast"}, {"key": "degrees", "type": "number", "value": 0},
    ]});
    let (run, _) = run_tool(1, defaults).await;
    assert_eq!(run.outcome.answer, "no forecast 0");
    assert_eq!(run.event_data("node_finished", "t")["status"], "exception");
}

#[tokio::test]
async fn node_that_cannot_call_its_tool_says_why() {
    let fails = |more: Value| async move {
        let mut more = map(more);
        more.insert("error_strategy".to_owned(), "fail-branch".into());
        let (run, tool) = run_tool(0, Value::Object(more)).await;
        assert_eq!(tool.calls.load(Ordering::Relaxed), 0);
        run.outcome.answer
    };
    assert_eq!(
        fails(json!({"credential_id": "mine"})).await,
        "ToolRuntimeResolutionError: Failed to get tool runtime: credential_id is not the id of a connection"
    );
    assert_eq!(
        fails(json!({"credential_id": "0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55"})).await,
        "ToolRuntimeResolutionError: Failed to get tool runtime: There is no such connection."
    );
    assert_eq!(
        fails(json!({"tool_configurations": {"a": {"type": "variable", "value": ["start", "nothing"]}}})).await,
        "ToolParameterError: Failed to get tool runtime: the variable of the setting a does not exist"
    );
}
