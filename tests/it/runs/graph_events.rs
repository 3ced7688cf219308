//! The events of graphs that fail, try again, branch, repeat and ask models, through both doors.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{Router, response::IntoResponse, routing::post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::events::events;
use crate::support::{
    Stores, TestServer, apps, database,
    runs::{answer, graph_app, greeting},
};

/// An app with a published graph: a start that asks for nothing, these nodes, and edges written `from>to` or
/// `from:handle>to`, with blanks between.
async fn app(server: &TestServer, mode: &str, nodes: &[Value], edges: &str) -> String {
    let start = json!({"id": "start", "data": {"type": "start", "title": "Start", "variables": []}});
    let nodes: Vec<&Value> = std::iter::once(&start).chain(nodes).collect();
    let edges = edges.split_whitespace().map(|edge| {
        let (source, target) = edge.split_once('>').unwrap();
        let (source, handle) = source.split_once(':').unwrap_or((source, "source"));
        json!({"source": source, "target": target, "sourceHandle": handle, "targetHandle": "target"})
    });
    let graph = json!({"nodes": nodes, "edges": edges.collect::<Vec<_>>()});
    let workspace = apps::shared_workspace(server).await;
    let app = apps::insert(server, &workspace, mode, mode, 0).await;
    apps::publish(server, &app, &graph, &json!({})).await;
    app
}

fn broken() -> Value {
    json!({"id": "greet", "data": {"type": "template-transform", "title": "Greet", "template": "{{ 1 // 0 }}", "variables": []}})
}

fn llm(provider: &str, more: &[(&str, Value)]) -> Value {
    let mut node = json!({"id": "llm", "data": {"type": "llm", "title": "Ask",
        "model": {"provider": provider, "name": "small", "mode": "chat", "completion_params": {}},
        "prompt_template": [{"role": "user", "text": "Reply exactly: one two"}], "context": {"enabled": false}}});
    for (name, value) in more {
        node["data"][name] = value.clone();
    }
    node
}

fn end(selector: [&str; 2]) -> Value {
    json!({"id": "end", "data": {"type": "end", "title": "End", "outputs": [{"variable": "text", "value_selector": selector}]}})
}

fn nothing() -> Value {
    json!({"inputs": {}})
}

fn hello() -> Value {
    json!({"inputs": {}, "query": "hi"})
}

/// A model that breaks off every other time. It never tells what it took.
async fn flaky_endpoint() -> String {
    let asked = AtomicUsize::new(0);
    let answer = move || {
        let breaks = asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        let half = json!({"choices": [{"delta": {"content": "half an answer"}}]});
        let whole = json!({"choices": [{"delta": {"content": "a whole answer"}}]});
        let overload = json!({"error": {"message": "overloaded"}});
        let long = json!({"choices": [{"delta": {}, "finish_reason": "length"}]});
        let text = if breaks {
            format!("data: {half}\n\ndata: {overload}\n\n")
        } else {
            format!("data: {whole}\n\ndata: {long}\n\ndata: [DONE]\n\n")
        };
        std::future::ready(([("content-type", "text/event-stream")], text).into_response())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let answer = std::sync::Arc::new(answer);
    let router = Router::new().route("/v1/chat/completions", post(move || answer()));
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

fn retrying() -> Value {
    json!({"retry_enabled": true, "max_retries": 2, "retry_interval": 1})
}

on_both_stores!(
    advanced_chat_with_a_failed_node,
    workflow_with_a_model_call,
    advanced_chat_with_a_model_call,
    fail_branch_returns_partial_success,
    workflow_with_an_iteration
);

async fn advanced_chat_with_a_failed_node(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = graph_app(&server, "advanced-chat", &[broken(), answer()]).await;
    assert_lines!(events(&server, &app, json!({"inputs": {"name": "Ann"}, "query": "hi"})).await, @r#"
    {"event":"workflow_started","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","inputs":{"name":"Ann","sys.query":"hi","sys.dialogue_count":1,"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0}}
    {"event":"node_started","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":{"name":"Ann","sys.query":"hi","sys.conversation_id":"[uuid]","sys.dialogue_count":1,"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"name":"Ann","sys.query":"hi","sys.conversation_id":"[uuid]","sys.dialogue_count":1,"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"node_started","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"greet","node_type":"template-transform","title":"Greet","index":2,"predecessor_node_id":"start","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"greet","node_type":"template-transform","title":"Greet","index":2,"predecessor_node_id":"start","inputs":{},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{},"status":"failed","error":"invalid operation: unable to calculate 1 // 0 (line 1)","elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"message_end","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","metadata":{"retriever_resources":[],"usage":{"prompt_tokens":0,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":0,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":0,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":null,"time_to_generate":null}},"files":[]}
    {"event":"workflow_finished","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","status":"failed","outputs":{},"error":"invalid operation: unable to calculate 1 // 0 (line 1)","elapsed_time":0,"total_tokens":0,"total_steps":2,"created_by":{"id":"[uuid]","user":"[user]"},"created_at":0,"finished_at":0,"exceptions_count":0,"files":[]}}
    "#);
}

async fn workflow_with_a_model_call(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = app(&server, "workflow", &[llm("echo", &[]), end(["llm", "text"])], "start>llm llm>end").await;
    assert_lines!(events(&server, &app, nothing()).await, @r#"
    {"event":"workflow_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","inputs":{"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":{"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"llm","node_type":"llm","title":"Ask","index":2,"predecessor_node_id":"start","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"text_chunk","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"text":"one","from_variable_selector":["llm","text"]}}
    {"event":"text_chunk","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"text":" two","from_variable_selector":["llm","text"]}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"llm","node_type":"llm","title":"Ask","index":2,"predecessor_node_id":"start","inputs":{},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{"model_mode":"chat","prompts":[{"role":"user","text":"Reply exactly: one two","files":[]}],"model_provider":"echo","model_name":"small","usage":{"prompt_tokens":4,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":2,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":6,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0},"finish_reason":"stop"},"outputs":{"text":"one two","reasoning_content":"","usage":{"prompt_tokens":4,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":2,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":6,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0},"finish_reason":"stop"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":{"total_tokens":6,"total_price":"0","currency":"USD"},"finished_at":0,"files":[]}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"end","node_type":"end","title":"End","index":3,"predecessor_node_id":"llm","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"end","node_type":"end","title":"End","index":3,"predecessor_node_id":"llm","inputs":{"text":"one two"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"text":"one two"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"workflow_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","status":"succeeded","outputs":{"text":"one two"},"error":null,"elapsed_time":0,"total_tokens":6,"total_steps":3,"created_by":{"id":"[uuid]","user":"[user]"},"created_at":0,"finished_at":0,"exceptions_count":0,"files":[]}}
    "#);
}

async fn advanced_chat_with_a_model_call(stores: Stores) {
    let server = TestServer::start(stores).await;
    let says = json!({"id": "answer", "data": {"type": "answer", "title": "Answer", "answer": "<{{#llm.text#}}>"}});
    let app = app(&server, "advanced-chat", &[llm("echo", &[]), says], "start>llm llm>answer").await;
    assert_lines!(events(&server, &app, hello()).await, @r#"
    {"event":"workflow_started","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","inputs":{"sys.query":"hi","sys.dialogue_count":1,"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0}}
    {"event":"node_started","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"message","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":"<","from_variable_selector":["answer","answer"]}
    {"event":"node_finished","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":{"sys.query":"hi","sys.conversation_id":"[uuid]","sys.dialogue_count":1,"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"sys.query":"hi","sys.conversation_id":"[uuid]","sys.dialogue_count":1,"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"node_started","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"llm","node_type":"llm","title":"Ask","index":2,"predecessor_node_id":"start","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"message","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":"one","from_variable_selector":["llm","text"]}
    {"event":"message","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":" two","from_variable_selector":["llm","text"]}
    {"event":"message","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":">","from_variable_selector":["answer","answer"]}
    {"event":"node_finished","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"llm","node_type":"llm","title":"Ask","index":2,"predecessor_node_id":"start","inputs":{},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{"model_mode":"chat","prompts":[{"role":"user","text":"Reply exactly: one two","files":[]}],"model_provider":"echo","model_name":"small","usage":{"prompt_tokens":4,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":2,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":6,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0},"finish_reason":"stop"},"outputs":{"text":"one two","reasoning_content":"","usage":{"prompt_tokens":4,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":2,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":6,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0},"finish_reason":"stop"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":{"total_tokens":6,"total_price":"0","currency":"USD"},"finished_at":0,"files":[]}}
    {"event":"node_started","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"answer","node_type":"answer","title":"Answer","index":3,"predecessor_node_id":"llm","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"answer","node_type":"answer","title":"Answer","index":3,"predecessor_node_id":"llm","inputs":{},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"answer":"<one two>","files":[]},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"message_end","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","metadata":{"retriever_resources":[],"usage":{"prompt_tokens":4,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":2,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":6,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0}},"files":[]}
    {"event":"workflow_finished","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","status":"succeeded","outputs":{"answer":"<one two>","files":[]},"error":null,"elapsed_time":0,"total_tokens":6,"total_steps":3,"created_by":{"id":"[uuid]","user":"[user]"},"created_at":0,"finished_at":0,"exceptions_count":0,"files":[]}}
    "#);
}

async fn fail_branch_returns_partial_success(stores: Stores) {
    let server = TestServer::start(stores).await;
    let mut fails = broken();
    fails["data"]["error_strategy"] = json!("fail-branch");
    let sorry = json!({"id": "sorry", "data": {"type": "end", "title": "Sorry",
        "outputs": [{"variable": "why", "value_selector": ["greet", "error_message"]}]}});
    let nodes = [fails, end(["greet", "output"]), sorry];
    let app = app(&server, "workflow", &nodes, "start>greet greet>end greet:fail-branch>sorry").await;
    assert_lines!(events(&server, &app, nothing()).await, @r#"
    {"event":"workflow_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","inputs":{"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":{"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"greet","node_type":"template-transform","title":"Greet","index":2,"predecessor_node_id":"start","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"text_chunk","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"text":"invalid operation: unable to calculate 1 // 0 (line 1)","from_variable_selector":["greet","error_message"]}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"greet","node_type":"template-transform","title":"Greet","index":2,"predecessor_node_id":"start","inputs":{},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"error_message":"invalid operation: unable to calculate 1 // 0 (line 1)","error_type":"TemplateError"},"status":"exception","error":"invalid operation: unable to calculate 1 // 0 (line 1)","elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"sorry","node_type":"end","title":"Sorry","index":3,"predecessor_node_id":"greet","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"sorry","node_type":"end","title":"Sorry","index":3,"predecessor_node_id":"greet","inputs":{"why":"invalid operation: unable to calculate 1 // 0 (line 1)"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"why":"invalid operation: unable to calculate 1 // 0 (line 1)"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"workflow_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","status":"partial-succeeded","outputs":{"why":"invalid operation: unable to calculate 1 // 0 (line 1)"},"error":null,"elapsed_time":0,"total_tokens":0,"total_steps":3,"created_by":{"id":"[uuid]","user":"[user]"},"created_at":0,"finished_at":0,"exceptions_count":1,"files":[]}}
    "#);
}

async fn workflow_with_an_iteration(stores: Stores) {
    let server = TestServer::start(stores).await;
    let each = json!({"id": "each", "data": {"type": "iteration", "title": "Each", "start_node_id": "first",
        "iterator_selector": ["conversation", "list"], "output_selector": ["greet", "output"]}});
    let first = json!({"id": "first", "parentId": "each", "type": "custom-iteration-start",
        "data": {"type": "iteration-start", "title": "", "isInIteration": true}});
    let mut inner = greeting();
    inner["parentId"] = json!("each");
    inner["data"]["variables"] = json!([{"variable": "who", "value_selector": ["each", "item"]}]);
    let nodes = [each, first, inner, end(["each", "output"])];
    let app = app(&server, "workflow", &nodes, "start>each each>end first>greet").await;
    let list = json!([{"name": "list", "value_type": "array[string]", "value": ["Ann", "Bob"]}]);
    database::execute(
        &server,
        &format!("UPDATE workflows SET conversation_variables = '{list}' WHERE app_id = '{app}'"),
    )
    .await;
    assert_lines!(events(&server, &app, nothing()).await, @r#"
    {"event":"workflow_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","inputs":{"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":{"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"iteration_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"each","node_id":"each","node_type":"iteration","title":"Each","created_at":0,"extras":{},"metadata":{"iterator_length":2},"inputs":{"iterator_selector":["Ann","Bob"]}}}
    {"event":"iteration_next","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"each","node_id":"each","node_type":"iteration","title":"Each","index":0,"created_at":0,"extras":{}}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"first","node_type":"iteration-start","title":"","index":3,"predecessor_node_id":null,"inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":"each","loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"first","node_type":"iteration-start","title":"","index":3,"predecessor_node_id":null,"inputs":{},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":"each","loop_id":null,"process_data":{},"outputs":{},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":{"iteration_id":"each"},"finished_at":0,"files":[]}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"greet","node_type":"template-transform","title":"Greet","index":4,"predecessor_node_id":"first","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":"each","loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"greet","node_type":"template-transform","title":"Greet","index":4,"predecessor_node_id":"first","inputs":{"who":"Ann"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":"each","loop_id":null,"process_data":{},"outputs":{"output":"Hello Ann"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":{"iteration_id":"each"},"finished_at":0,"files":[]}}
    {"event":"iteration_next","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"each","node_id":"each","node_type":"iteration","title":"Each","index":1,"created_at":0,"extras":{}}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"first","node_type":"iteration-start","title":"","index":5,"predecessor_node_id":null,"inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":"each","loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"first","node_type":"iteration-start","title":"","index":5,"predecessor_node_id":null,"inputs":{},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":"each","loop_id":null,"process_data":{},"outputs":{},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":{"iteration_id":"each"},"finished_at":0,"files":[]}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"greet","node_type":"template-transform","title":"Greet","index":6,"predecessor_node_id":"first","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":"each","loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"greet","node_type":"template-transform","title":"Greet","index":6,"predecessor_node_id":"first","inputs":{"who":"Bob"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":"each","loop_id":null,"process_data":{},"outputs":{"output":"Hello Bob"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":{"iteration_id":"each"},"finished_at":0,"files":[]}}
    {"event":"text_chunk","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"text":"[\"Hello Ann\", \"Hello Bob\"]","from_variable_selector":["each","output"]}}
    {"event":"iteration_completed","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"each","node_id":"each","node_type":"iteration","title":"Each","outputs":{"output":["Hello Ann","Hello Bob"]},"created_at":0,"extras":{},"inputs":{"iterator_selector":["Ann","Bob"]},"status":"succeeded","error":null,"elapsed_time":0,"total_tokens":0,"execution_metadata":{"total_tokens":0,"total_price":"0","currency":"USD"},"finished_at":0,"steps":2}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"end","node_type":"end","title":"End","index":7,"predecessor_node_id":"each","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"end","node_type":"end","title":"End","index":7,"predecessor_node_id":"each","inputs":{"text":["Hello Ann","Hello Bob"]},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"text":["Hello Ann","Hello Bob"]},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"workflow_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","status":"succeeded","outputs":{"text":["Hello Ann","Hello Bob"]},"error":null,"elapsed_time":0,"total_tokens":0,"total_steps":7,"created_by":{"id":"[uuid]","user":"[user]"},"created_at":0,"finished_at":0,"exceptions_count":0,"files":[]}}
    "#);
}

/// As streamed by a model that broke off and was asked again.
async fn retried_model_call(mode: &str) -> String {
    let url = flaky_endpoint().await;
    let server = TestServer::start_with(Stores::Sqlite, &[("OPENAI_BASE_URL", &url)]).await;
    let asks = llm("openai", &[("retry_config", retrying())]);
    if mode == "workflow" {
        let app = app(&server, mode, &[asks, end(["llm", "text"])], "start>llm llm>end").await;
        return events(&server, &app, nothing()).await;
    }
    let says = json!({"id": "answer", "data": {"type": "answer", "title": "Answer", "answer": "<{{#llm.text#}}>"}});
    let app = app(&server, mode, &[asks, says], "start>llm llm>answer").await;
    events(&server, &app, hello()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn workflow_with_a_retried_model_call() {
    assert_lines!(retried_model_call("workflow").await, @r#"
    {"event":"workflow_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","inputs":{"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":{"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"llm","node_type":"llm","title":"Ask","index":2,"predecessor_node_id":"start","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"text_chunk","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"text":"half an answer","from_variable_selector":["llm","text"]}}
    {"event":"node_retry","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"llm","node_type":"llm","title":"Ask","index":2,"predecessor_node_id":"start","inputs":{},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{"model_mode":"chat","prompts":[{"role":"user","text":"Reply exactly: one two","files":[]}],"model_provider":"openai","model_name":"small","usage":{"prompt_tokens":6,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":4,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":10,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0}},"outputs":{},"status":"retry","error":"The model endpoint failed in the middle of its answer: overloaded","elapsed_time":0,"execution_metadata":{"total_tokens":10,"total_price":"0","currency":"USD"},"finished_at":0,"files":[],"retry_index":1}}
    {"event":"text_replace","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"text":""}}
    {"event":"text_chunk","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"text":"a whole answer","from_variable_selector":["llm","text"]}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"llm","node_type":"llm","title":"Ask","index":2,"predecessor_node_id":"start","inputs":{},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{"model_mode":"chat","prompts":[{"role":"user","text":"Reply exactly: one two","files":[]}],"model_provider":"openai","model_name":"small","usage":{"prompt_tokens":6,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":4,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":10,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0},"finish_reason":"length"},"outputs":{"text":"a whole answer","reasoning_content":"","usage":{"prompt_tokens":6,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":4,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":10,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0},"finish_reason":"length"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":{"total_tokens":10,"total_price":"0","currency":"USD"},"finished_at":0,"files":[]}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"end","node_type":"end","title":"End","index":3,"predecessor_node_id":"llm","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"end","node_type":"end","title":"End","index":3,"predecessor_node_id":"llm","inputs":{"text":"a whole answer"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"text":"a whole answer"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"workflow_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","status":"succeeded","outputs":{"text":"a whole answer"},"error":null,"elapsed_time":0,"total_tokens":20,"total_steps":3,"created_by":{"id":"[uuid]","user":"[user]"},"created_at":0,"finished_at":0,"exceptions_count":0,"files":[]}}
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn advanced_chat_with_a_retried_model_call() {
    assert_lines!(retried_model_call("advanced-chat").await, @r#"
    {"event":"workflow_started","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","inputs":{"sys.query":"hi","sys.dialogue_count":1,"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0}}
    {"event":"node_started","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"message","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":"<","from_variable_selector":["answer","answer"]}
    {"event":"node_finished","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":{"sys.query":"hi","sys.conversation_id":"[uuid]","sys.dialogue_count":1,"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"sys.query":"hi","sys.conversation_id":"[uuid]","sys.dialogue_count":1,"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"node_started","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"llm","node_type":"llm","title":"Ask","index":2,"predecessor_node_id":"start","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"message","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":"half an answer","from_variable_selector":["llm","text"]}
    {"event":"node_retry","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"llm","node_type":"llm","title":"Ask","index":2,"predecessor_node_id":"start","inputs":{},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{"model_mode":"chat","prompts":[{"role":"user","text":"Reply exactly: one two","files":[]}],"model_provider":"openai","model_name":"small","usage":{"prompt_tokens":6,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":4,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":10,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0}},"outputs":{},"status":"retry","error":"The model endpoint failed in the middle of its answer: overloaded","elapsed_time":0,"execution_metadata":{"total_tokens":10,"total_price":"0","currency":"USD"},"finished_at":0,"files":[],"retry_index":1}}
    {"event":"message_replace","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","answer":"<","reason":"retry"}
    {"event":"message","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":"a whole answer","from_variable_selector":["llm","text"]}
    {"event":"message","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":">","from_variable_selector":["answer","answer"]}
    {"event":"node_finished","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"llm","node_type":"llm","title":"Ask","index":2,"predecessor_node_id":"start","inputs":{},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{"model_mode":"chat","prompts":[{"role":"user","text":"Reply exactly: one two","files":[]}],"model_provider":"openai","model_name":"small","usage":{"prompt_tokens":6,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":4,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":10,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0},"finish_reason":"length"},"outputs":{"text":"a whole answer","reasoning_content":"","usage":{"prompt_tokens":6,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":4,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":10,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0},"finish_reason":"length"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":{"total_tokens":10,"total_price":"0","currency":"USD"},"finished_at":0,"files":[]}}
    {"event":"node_started","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"answer","node_type":"answer","title":"Answer","index":3,"predecessor_node_id":"llm","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"answer","node_type":"answer","title":"Answer","index":3,"predecessor_node_id":"llm","inputs":{},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"answer":"<a whole answer>","files":[]},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"message_end","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","metadata":{"retriever_resources":[],"usage":{"prompt_tokens":12,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":8,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":20,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0}},"files":[]}
    {"event":"workflow_finished","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","status":"succeeded","outputs":{"answer":"<a whole answer>","files":[]},"error":null,"elapsed_time":0,"total_tokens":20,"total_steps":3,"created_by":{"id":"[uuid]","user":"[user]"},"created_at":0,"finished_at":0,"exceptions_count":0,"files":[]}}
    "#);
}
