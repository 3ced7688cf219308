//! The events of every mode, through both doors.

use serde_json::{Value, json};

use crate::support::{
    Bearer, Stores, TestServer,
    runs::{answer, end, graph_app, greeting, lines, over_grpc, prompt_app, streamed},
    server::OWNER,
};

/// The events over JSON, which are the events over gRPC.
pub async fn events(server: &TestServer, app: &str, body: Value) -> String {
    let bearer = Bearer::sign_in(server, OWNER, "laptop").await;
    let over_json = lines(&streamed(&bearer, app, body.clone()).await);
    let mut found: Vec<Value> = over_grpc(server, &bearer, app, &body).await.unwrap();
    // A Struct is unordered.
    let ordered: Vec<Value> = over_json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    found = lines(&found).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found, ordered, "the doors tell different stories");
    over_json
}

on_every_database!(
    chat_events,
    agent_chat_events,
    completion_events,
    workflow_events,
    advanced_chat_events,
    events_of_a_workflow_with_a_failed_node
);

async fn chat_events(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = prompt_app(&server, "chat").await;
    assert_lines!(events(&server, &app, json!({"inputs": {"name": "Ann"}, "query": "Reply exactly: one two"})).await, @r#"
    {"event":"message","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":"one","from_variable_selector":null}
    {"event":"message","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":" two","from_variable_selector":null}
    {"event":"message_end","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","metadata":{"annotation_reply":null,"retriever_resources":[],"usage":{"prompt_tokens":8,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":2,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":10,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0}},"files":null}
    "#);
}

async fn agent_chat_events(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = prompt_app(&server, "agent-chat").await;
    assert_lines!(events(&server, &app, json!({"inputs": {"name": "Ann"}, "query": "Reply exactly: one two"})).await, @r#"
    {"event":"agent_message","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":"one"}
    {"event":"agent_message","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":" two"}
    {"event":"message_end","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","metadata":{"annotation_reply":null,"retriever_resources":[],"usage":{"prompt_tokens":8,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":2,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":10,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0}},"files":null}
    "#);
}

async fn completion_events(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = prompt_app(&server, "completion").await;
    assert_lines!(events(&server, &app, json!({"inputs": {"name": "Ann"}})).await, @r#"
    {"event":"message","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":"You","from_variable_selector":null}
    {"event":"message","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":" said:","from_variable_selector":null}
    {"event":"message","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":" You","from_variable_selector":null}
    {"event":"message","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":" speak","from_variable_selector":null}
    {"event":"message","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":" to","from_variable_selector":null}
    {"event":"message","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":" Ann.","from_variable_selector":null}
    {"event":"message_end","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","metadata":{"annotation_reply":null,"retriever_resources":[],"usage":{"prompt_tokens":4,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":6,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":10,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0}},"files":null}
    "#);
}

async fn workflow_events(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = graph_app(&server, "workflow", &[greeting(), end()]).await;
    assert_lines!(events(&server, &app, json!({"inputs": {"name": "Ann"}})).await, @r#"
    {"event":"workflow_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","inputs":{"name":"Ann","sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":{"name":"Ann","sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"name":"Ann","sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"greet","node_type":"template-transform","title":"Greet","index":2,"predecessor_node_id":"start","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"text_chunk","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"text":"Hello Ann","from_variable_selector":["greet","output"]}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"greet","node_type":"template-transform","title":"Greet","index":2,"predecessor_node_id":"start","inputs":{"who":"Ann"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"output":"Hello Ann"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"end","node_type":"end","title":"End","index":3,"predecessor_node_id":"greet","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"end","node_type":"end","title":"End","index":3,"predecessor_node_id":"greet","inputs":{"text":"Hello Ann"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"text":"Hello Ann"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"workflow_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","status":"succeeded","outputs":{"text":"Hello Ann"},"error":null,"elapsed_time":0,"total_tokens":0,"total_steps":3,"created_by":{"id":"[uuid]","user":"[user]"},"created_at":0,"finished_at":0,"exceptions_count":0,"files":[]}}
    "#);
}

async fn advanced_chat_events(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = graph_app(&server, "advanced-chat", &[greeting(), answer()]).await;
    assert_lines!(events(&server, &app, json!({"inputs": {"name": "Ann"}, "query": "hi"})).await, @r#"
    {"event":"workflow_started","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","inputs":{"name":"Ann","sys.query":"hi","sys.dialogue_count":1,"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0}}
    {"event":"node_started","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":{"name":"Ann","sys.query":"hi","sys.conversation_id":"[uuid]","sys.dialogue_count":1,"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"name":"Ann","sys.query":"hi","sys.conversation_id":"[uuid]","sys.dialogue_count":1,"sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"node_started","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"greet","node_type":"template-transform","title":"Greet","index":2,"predecessor_node_id":"start","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"message","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":"Hello Ann","from_variable_selector":["greet","output"]}
    {"event":"message","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","answer":"!","from_variable_selector":["answer","answer"]}
    {"event":"node_finished","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"greet","node_type":"template-transform","title":"Greet","index":2,"predecessor_node_id":"start","inputs":{"who":"Ann"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"output":"Hello Ann"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"node_started","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"answer","node_type":"answer","title":"Answer","index":3,"predecessor_node_id":"greet","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"answer","node_type":"answer","title":"Answer","index":3,"predecessor_node_id":"greet","inputs":{},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"answer":"Hello Ann!","files":[]},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"message_end","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","id":"[uuid]","metadata":{"retriever_resources":[],"usage":{"prompt_tokens":0,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0","completion_tokens":0,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0","total_tokens":0,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":0,"time_to_generate":0}},"files":[]}
    {"event":"workflow_finished","conversation_id":"[uuid]","message_id":"[uuid]","created_at":0,"task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","status":"succeeded","outputs":{"answer":"Hello Ann!","files":[]},"error":null,"elapsed_time":0,"total_tokens":0,"total_steps":3,"created_by":{"id":"[uuid]","user":"[user]"},"created_at":0,"finished_at":0,"exceptions_count":0,"files":[]}}
    "#);
}

async fn events_of_a_workflow_with_a_failed_node(stores: Stores) {
    let server = TestServer::start(stores).await;
    let broken = json!({"id": "greet", "data": {"type": "template-transform", "title": "Greet", "template": "{{ 1 // 0 }}", "variables": []}});
    let app = graph_app(&server, "workflow", &[broken, end()]).await;
    assert_lines!(events(&server, &app, json!({"inputs": {"name": "Ann"}})).await, @r#"
    {"event":"workflow_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","inputs":{"name":"Ann","sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":{"name":"Ann","sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{"name":"Ann","sys.files":[],"sys.user_id":"[user]","sys.app_id":"[uuid]","sys.workflow_id":"[uuid]","sys.workflow_run_id":"[uuid]"},"status":"succeeded","error":null,"elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"node_started","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"greet","node_type":"template-transform","title":"Greet","index":2,"predecessor_node_id":"start","inputs":null,"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null}}
    {"event":"node_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","node_id":"greet","node_type":"template-transform","title":"Greet","index":2,"predecessor_node_id":"start","inputs":{},"created_at":0,"extras":{},"parallel_id":null,"parallel_start_node_id":null,"parent_parallel_id":null,"parent_parallel_start_node_id":null,"iteration_id":null,"loop_id":null,"process_data":{},"outputs":{},"status":"failed","error":"invalid operation: unable to calculate 1 // 0 (line 1)","elapsed_time":0,"execution_metadata":null,"finished_at":0,"files":[]}}
    {"event":"workflow_finished","task_id":"[uuid]","workflow_run_id":"[uuid]","data":{"id":"[uuid]","workflow_id":"[uuid]","status":"failed","outputs":{},"error":"invalid operation: unable to calculate 1 // 0 (line 1)","elapsed_time":0,"total_tokens":0,"total_steps":2,"created_by":{"id":"[uuid]","user":"[user]"},"created_at":0,"finished_at":0,"exceptions_count":0,"files":[]}}
    "#);
}
