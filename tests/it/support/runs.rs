//! Runs of apps through both doors, and events without what differs from run to run.

use dify_openapi::testing::{
    domain::secret::sha256_hex,
    rpc::{
        json::Object,
        proto::{RunAppRequest, RunAppResponse},
    },
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Status, Streaming};

use super::{
    Bearer, TestServer,
    answer::{Answer, redact},
    apps,
    grpc::{Clients, channel, with_bearer},
};

/// A run, to be sent.
pub fn request(bearer: &Bearer, app: &str, body: &Value) -> RequestBuilder {
    bearer.request(Method::POST, &format!("/openapi/v1/apps/{app}/run")).json(body)
}

/// A blocking run.
pub async fn blocking(bearer: &Bearer, app: &str, mut body: Value) -> Answer {
    body["response_mode"] = json!("blocking");
    Answer::to(request(bearer, app, &body)).await
}

/// A run sent over a socket of its own, to be hung up by dropping it.
pub async fn send_over_socket(server: &TestServer, bearer: &Bearer, app: &str, body: &Value) -> TcpStream {
    let body = body.to_string();
    let head = format!(
        "POST /openapi/v1/apps/{app}/run HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        bearer.token,
        body.len()
    );
    let mut socket = TcpStream::connect(server.running().bound.public).await.unwrap();
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    socket
}

/// Reads from a socket until the first event has come.
pub async fn read_first_event(socket: &mut TcpStream) {
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    while !seen.windows(6).any(|window| window == b"data: ") {
        let read = socket.read(&mut piece).await.unwrap();
        assert!(read > 0, "it closed: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..read]);
    }
}

/// Waits until so many runs are under way in the process.
pub async fn wait_for_running(server: &TestServer, runs: usize) {
    let tracker = &server.running().app.run_tasks().tracker;
    for _ in 0..400 {
        if tracker.len() == runs {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("{} runs are under way, not {runs}", tracker.len());
}

/// How Dify's tables and Dify itself know an account that came through here.
pub fn end_user_id(account: &str) -> String {
    let id: uuid::Uuid = account.parse().unwrap();
    let known = [b"dify-openapi app user\0", &id.as_bytes()[..]].concat();
    format!("openapi-{}", &sha256_hex(&known)[..32])
}

/// A run over JSON that streams to its end: its events.
pub async fn streamed(bearer: &Bearer, app: &str, mut body: Value) -> Vec<Value> {
    body["response_mode"] = json!("streaming");
    let answer = Answer::to(request(bearer, app, &body)).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"), "{}", answer.text);
    events(&answer.text)
}

/// The events of a stream's text; pings are not among them.
pub fn events(text: &str) -> Vec<Value> {
    let frames = text.split_terminator("\n\n").filter(|frame| *frame != "event: ping");
    let data = frames.map(|frame| frame.strip_prefix("data: ").unwrap_or_else(|| panic!("no frame: {frame}")));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| panic!("no event: {data}"))).collect()
}

/// The same run as a message of gRPC.
pub fn message(app: &str, body: &Value) -> RunAppRequest {
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    RunAppRequest {
        id: app.to_owned(),
        inputs: body["inputs"].as_object().cloned().map(Object::from),
        query: text("query"),
        files: Vec::new(),
        response_mode: text("response_mode"),
        conversation_id: text("conversation_id"),
        auto_generate_name: None,
        workflow_id: text("workflow_id"),
        workspace_id: text("workspace_id"),
    }
}

/// A run over gRPC, its stream open.
pub async fn open_stream(
    server: &TestServer,
    bearer: &Bearer,
    app: &str,
    body: &Value,
) -> Result<Streaming<RunAppResponse>, Status> {
    let mut client = Clients::on(channel(server).await).app;
    Ok(client.run_app(with_bearer(message(app, body), &bearer.token)).await?.into_inner())
}

/// A run over gRPC to its end: its events.
pub async fn over_grpc(server: &TestServer, bearer: &Bearer, app: &str, body: &Value) -> Result<Vec<Value>, Status> {
    let mut stream = open_stream(server, bearer, app, body).await?;
    let mut events = Vec::new();
    while let Some(response) = stream.message().await? {
        let event = Value::Object(response.data.unwrap_or_default().into_members());
        assert_eq!(event["event"].as_str().unwrap_or("workflow_finished"), response.event);
        events.push(event);
    }
    Ok(events)
}

/// Events for a snapshot, one a line: ids and times are what they are, and nothing else is left out.
pub fn lines(events: &[Value]) -> String {
    events.iter().map(|event| without_times(redact(event.clone())).to_string() + "\n").collect()
}

/// Moments and durations as 0.
fn without_times(value: Value) -> Value {
    const TIME_MEMBERS: [&str; 6] =
        ["created_at", "finished_at", "elapsed_time", "latency", "time_to_first_token", "time_to_generate"];
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| {
                    let is_time = TIME_MEMBERS.contains(&name.as_str()) && value.is_number();
                    (name, if is_time { json!(0) } else { without_times(value) })
                })
                .collect::<Map<_, _>>(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_times).collect()),
        Value::String(text) if text.starts_with("openapi-") && text.len() == 40 => json!("[user]"),
        other => other,
    }
}

/// An app of a mode that needs no graph, with the echo model and a form of one name.
pub async fn prompt_app(server: &TestServer, mode: &str) -> String {
    let workspace = apps::shared_workspace(server).await;
    let app = apps::insert(server, &workspace, mode, mode, 0).await;
    let model = json!({"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {}});
    let form = json!([{"text-input": {"variable": "name", "label": "Name", "required": true, "max_length": 8}}]);
    let prompt = "You speak to {{name}}.";
    apps::configure(
        server,
        &app,
        &[("model", model), ("pre_prompt", json!(prompt)), ("prompt_type", json!("simple")), ("user_input_form", form)],
    )
    .await;
    app
}

/// An app with a published graph of these nodes, one after the other, from a start node that asks for a name.
pub async fn graph_app(server: &TestServer, mode: &str, nodes: &[Value]) -> String {
    let start = json!({"id": "start", "data": {"type": "start", "title": "Start", "variables": [
        {"variable": "name", "label": "Name", "type": "text-input", "required": true, "max_length": 8}]}});
    let nodes: Vec<Value> = std::iter::once(start).chain(nodes.iter().cloned()).collect();
    let edges: Vec<Value> = nodes
        .windows(2)
        .enumerate()
        .map(|(index, pair)| {
            json!({"id": format!("e{index}"), "source": pair[0]["id"], "target": pair[1]["id"],
                "sourceHandle": "source", "targetHandle": "target"})
        })
        .collect();
    let workspace = apps::shared_workspace(server).await;
    let app = apps::insert(server, &workspace, mode, mode, 0).await;
    apps::publish(server, &app, &json!({"nodes": nodes, "edges": edges}), &json!({})).await;
    app
}

/// A node that greets by template.
pub fn greeting() -> Value {
    json!({"id": "greet", "data": {"type": "template-transform", "title": "Greet", "template": "Hello {{ who }}",
        "variables": [{"variable": "who", "value_selector": ["start", "name"]}]}})
}

/// A node that ends with the greeting.
pub fn end() -> Value {
    json!({"id": "end", "data": {"type": "end", "title": "End",
        "outputs": [{"variable": "text", "value_selector": ["greet", "output"]}]}})
}

/// A node that answers with the greeting.
pub fn answer() -> Value {
    json!({"id": "answer", "data": {"type": "answer", "title": "Answer", "answer": "{{#greet.output#}}!"}})
}
